#ifndef IO_RUN_RESULT_H_
#define IO_RUN_RESULT_H_

#include <stop_token>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/held_lock.h"

namespace cachalot {

// What Coordinator::RunUnderLock() needs to know of the function that it runs.

// Calls `fn` with the lock, with its stop token, or with nothing, whichever it
// takes.
template <typename Fn>
decltype(auto) CallUnderLock(Fn& fn, HeldLock& lock) {
  if constexpr (std::is_invocable_v<Fn&, HeldLock&>) {
    return fn(lock);
  } else if constexpr (std::is_invocable_v<Fn&, std::stop_token>) {
    return fn(lock.stop_token());
  } else {
    static_assert(std::is_invocable_v<Fn&>,
                  "fn takes a HeldLock&, a std::stop_token, or nothing");
    return fn();
  }
}

template <typename Value>
struct StatusOrOf {
  using Type = absl::StatusOr<std::decay_t<Value>>;
};
template <>
struct StatusOrOf<void> {
  using Type = absl::Status;
};
template <>
struct StatusOrOf<absl::Status> {
  using Type = absl::Status;
};
template <typename Value>
struct StatusOrOf<absl::StatusOr<Value>> {
  using Type = absl::StatusOr<Value>;
};

// What it returns, or an error.
template <typename Fn>
using RunResult = typename StatusOrOf<decltype(CallUnderLock(
    std::declval<Fn&>(), std::declval<HeldLock&>()))>::Type;

}  // namespace cachalot

#endif  // IO_RUN_RESULT_H_
