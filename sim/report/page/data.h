#ifndef SIM_REPORT_PAGE_DATA_H_
#define SIM_REPORT_PAGE_DATA_H_

#include <string>

#include "sim/report/record.h"

namespace cachalot::sim {

// The run as JSON, for run.js: as columns, with times as differences and each
// text stored once. Contains no '<', so that no text can end the HTML element
// in which it is embedded. Bytes that are not UTF-8 are replaced.
std::string PageData(const Recording& recording);

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PAGE_DATA_H_
