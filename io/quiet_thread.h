#ifndef IO_QUIET_THREAD_H_
#define IO_QUIET_THREAD_H_

#include <functional>
#include <thread>

#include "absl/status/statusor.h"

namespace cachalot {

// Starts a thread that the process's signals do not reach, but for those that
// the thread itself causes, and the profiler's: signals are for the embedder's
// threads.
//
// Errors: ResourceExhausted (no thread).
absl::StatusOr<std::thread> StartQuietThread(std::function<void()> run);

}  // namespace cachalot

#endif  // IO_QUIET_THREAD_H_
