#ifndef TOOLS_OUTPUT_H_
#define TOOLS_OUTPUT_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "io/wait_deadline.h"

namespace cachalot::tools {

// Writes all of `text` to standard output before it returns, past stdio's
// buffer, so that a full disk or a reader that is gone is noticed here.
//
// Errors: DataLoss (not all was written; says why).
absl::Status WriteOutput(absl::string_view text,
                         const WaitDeadline& deadline = WaitDeadline::Never());

}  // namespace cachalot::tools

#endif  // TOOLS_OUTPUT_H_
