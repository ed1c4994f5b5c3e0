#ifndef SIM_REPORT_PAGE_PAGE_H_
#define SIM_REPORT_PAGE_PAGE_H_

#include <ostream>

#include "sim/report/record.h"

namespace cachalot::sim {

// Writes one self-contained HTML page that shows the run. Keys and all other
// texts of a run are shown as text, even if they contain markup.
void WritePage(const Recording& recording, std::ostream& out);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PAGE_PAGE_H_
