#ifndef TOOLS_BASE_INTERRUPT_H_
#define TOOLS_BASE_INTERRUPT_H_

#include <optional>

#include "absl/time/time.h"
#include "io/wait_deadline.h"

namespace cachalot::tools {

// Ctrl+C (SIGINT), SIGTERM and SIGHUP as something that a program waits for
// instead of something that ends it.
//
// A signal that was ignored when the program was started stays ignored: nohup,
// and a script's "&", rely on it.

enum class HangUp {
  kInterrupts,  // SIGHUP is an interrupt like the others
  // For a daemon: SIGHUP is an interrupt only if standard input, output or
  // error is a terminal, since then it means that the terminal is gone.
  // Otherwise it is ignored: log rotation and the like send it.
  kInterruptsAtTerminal,
};

// From here on they are kept. Call it before any other thread is started: each
// thread inherits that it does not receive them.
void CatchInterrupts(HangUp hang_up = HangUp::kInterrupts);

// Whether one has come. False if they are not caught.
bool Interrupted();
// The first that came.
std::optional<int> InterruptSignal();

// Readable once one has come, for poll(2); -1 if they are not caught.
int InterruptFd();

// Lets the next one end the process at once, after the first has been seen.
void LetNextInterruptEndTheProcess();

// Waits until `fd` can be read or has been closed; -1 waits for nothing but
// time. False if `deadline` or an interrupt came first.
bool WaitUntilReadable(int fd, const WaitDeadline& deadline);
// The same. Once it waits, setting the wall clock changes nothing.
bool WaitUntilReadable(int fd, absl::Time deadline);

// False if an interrupt came first.
bool Pause(absl::Duration duration);
bool SleepUntil(const WaitDeadline& deadline);
// Until a time of day that a person named: the wall clock is looked at again at
// least each second, in case it was set.
bool SleepUntil(absl::Time time);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_INTERRUPT_H_
