#ifndef SIM_REPORT_PERFETTO_H_
#define SIM_REPORT_PERFETTO_H_

#include <ostream>

#include "sim/report/record.h"

namespace cachalot::sim {

// Writes the run as Chrome trace JSON, for ui.perfetto.dev and similar viewers.
// There is a process for each machine, with tracks for its turns, its role and
// its beliefs; one for the agreed holders of locks; one for faults and other
// interventions; and a flow for each message that arrived.
void WritePerfetto(const Recording& recording, std::ostream& out);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PERFETTO_H_
