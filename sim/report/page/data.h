#ifndef SIM_REPORT_PAGE_DATA_H_
#define SIM_REPORT_PAGE_DATA_H_

#include <string>

#include "sim/report/record.h"

namespace cachalot::sim {

// The run as JSON, for run.js to read: by columns, with times as differences
// and each text once. Contains no '<', so that no text can end the element that
// it is put into; what is not UTF-8 is replaced.
std::string PageData(const Recording& recording);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PAGE_DATA_H_
