#ifndef SIM_REPORT_PAGE_PAGE_H_
#define SIM_REPORT_PAGE_PAGE_H_

#include <ostream>

#include "sim/report/record.h"

namespace cachalot::sim {

// Writes one HTML page that shows the run and needs nothing else: no network,
// no other file. Keys and all other text that a run may bring are shown as
// text, whatever they contain.
void WritePage(const Recording& recording, std::ostream& out);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PAGE_PAGE_H_
