#ifndef IO_STATUS_CODES_H_
#define IO_STATUS_CODES_H_

#include "absl/status/status.h"
#include "engine/request.h"

namespace cachalot {

// The answer as a status; its text is for people. The codes are explained at
// the top of io/coordinator.h.
absl::Status ToStatus(const Answer& answer);

// Nothing was changed, and nothing will be: it is safe to try again.
bool IsRefused(const absl::Status& status);
// It may have happened, or may happen yet.
using absl::IsUnknown;

}  // namespace cachalot

#endif  // IO_STATUS_CODES_H_
