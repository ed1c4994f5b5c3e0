#ifndef TOOLS_INTERRUPT_H_
#define TOOLS_INTERRUPT_H_

#include "absl/time/time.h"

namespace cachalot::tools {

// Ctrl+C (SIGINT), SIGTERM and SIGHUP as something that a program waits for
// instead of something that ends it.

// From here on they are kept. Call it before any other thread is started: each
// thread inherits that it does not receive them.
void CatchInterrupts();

// Whether one has come. False if they are not caught.
bool Interrupted();

// Lets the next one end the process at once, after the first has been seen.
void LetNextInterruptEndTheProcess();

// Waits until `fd` can be read or has been closed; -1 waits for nothing but
// time. False if `deadline` or an interrupt came first.
bool WaitUntilReadable(int fd, absl::Time deadline);

// False if an interrupt came first.
bool SleepUntil(absl::Time deadline);

}  // namespace cachalot::tools

#endif  // TOOLS_INTERRUPT_H_
