#ifndef TOOLS_BASE_OUTPUT_H_
#define TOOLS_BASE_OUTPUT_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "io/wait_deadline.h"

namespace cachalot::tools {

// To be called first. If standard input, output or error was closed, its number
// would go to the next file or socket that is opened, and what is meant for
// people would be written there. After this, writing to it fails, with EBADF.
void ReserveStandardStreams();

// Writes all of `text` to standard output before it returns, past stdio's
// buffer, so that a full disk or a reader that is gone is noticed here.
//
// Errors: DataLoss (not all was written; says why).
absl::Status WriteOutput(absl::string_view text,
                         const WaitDeadline& deadline = WaitDeadline::Never());

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_OUTPUT_H_
