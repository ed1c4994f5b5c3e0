#ifndef IO_CALLER_LIMITS_H_
#define IO_CALLER_LIMITS_H_

#include <cstddef>

namespace cachalot {

// How much the callers of one member may have open at a time. What is beyond
// is refused with ResourceExhausted, before it has done anything.
struct CallerLimits {
  // Calls of other threads that the driver's thread has not come to.
  size_t posted_calls_max = 65536;
  // Unanswered acquires, those that wait for a lock included. At most 7168,
  // which is what the engine takes.
  size_t acquires_max = 7168;
  // Unanswered renewals, releases and lists. Releases of HeldLocks do not
  // count.
  size_t calls_max = 65536;
  // Locks that are held or asked for under one owner (the empty one, too).
  size_t locks_per_owner_max = 1'000'000;
};

}  // namespace cachalot

#endif  // IO_CALLER_LIMITS_H_
