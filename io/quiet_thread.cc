#include "io/quiet_thread.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cachalot {

absl::StatusOr<std::thread> StartQuietThread(std::function<void()> run) {
  sigset_t quiet;
  sigset_t before;
  sigfillset(&quiet);
  for (const int fault :
       {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPROF, SIGSEGV, SIGSYS, SIGTRAP}) {
    sigdelset(&quiet, fault);
  }
  pthread_sigmask(SIG_SETMASK, &quiet, &before);
  absl::StatusOr<std::thread> thread;
  try {
    thread = std::thread(std::move(run));
  } catch (const std::system_error& error) {
    thread = absl::ResourceExhaustedError(
        absl::StrCat("no thread could be started: ", error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace cachalot
