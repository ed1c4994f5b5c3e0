#ifndef SIM_REPORT_PERFETTO_H_
#define SIM_REPORT_PERFETTO_H_

#include <ostream>

#include "sim/report/record.h"

namespace cachalot::sim {

// Writes the run as Chrome trace JSON, for ui.perfetto.dev and its like: a
// process for each machine, with tracks for its turns, its role and what it
// believes to hold; one for the locks as agreed, one for what was done to the
// world; and a flow for each message that arrived.
void WritePerfetto(const Recording& recording, std::ostream& out);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PERFETTO_H_
