#ifndef IO_FORK_GUARD_H_
#define IO_FORK_GUARD_H_

#include <sys/types.h>

#include <atomic>
#include <memory>

#include "absl/status/status.h"

namespace cachalot {

// Knows the process in which it was made from the children that fork() makes
// of it, however they are made.
//
// Such a child has a copy of all memory and of all descriptors, and none of the
// threads: a mutex may be locked for ever, a descriptor is shared with the
// parent. It must touch neither. Not for vfork(), whose child shares memory.
class ForkGuard {
 public:
  ForkGuard();
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  // Costs one load, unless the kernel is older than 4.14.
  bool IsForked() const;

 private:
  const pid_t process_;
  // Alone on a page that the kernel hands to children as zeros; null if it
  // would not do so.
  std::atomic<int>* mark_ = nullptr;
};

// What a child is told by all that it inherited.
absl::Status ForkedError();

// Never destroys `object`. For what a child inherited: to destroy it could
// disturb the parent or wait for a thread that is not there.
void KeepForever(std::shared_ptr<void> object);

}  // namespace cachalot

#endif  // IO_FORK_GUARD_H_
