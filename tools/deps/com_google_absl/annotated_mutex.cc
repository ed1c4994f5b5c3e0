// Tells ThreadSanitizer what Debian's Abseil does not: that its Mutex orders
// memory.
//
// Debian builds Abseil without the sanitizer, so that whatever a Mutex guards
// looks like a race. In a build with `--config=tsan` the linker sends each call
// of these classes, from our code and between Abseil's own files, to the
// function of this file that stands in for it (`--wrap`, in BUILD). It names
// the beginning and the end of the operation to the sanitizer, as Abseil's own
// source does when it is built with it, and calls the original in between. A
// Notification and a BlockingCounter have ways around their Mutex, by atomics:
// these are announced as well, and so is the count of those who share the text
// of a Status. Accesses are neither hidden nor excused: two that nothing orders
// are reported as ever.

#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

// The stand-in of a function, and the function itself, by their mangled names:
// `--wrap=X` binds calls of X to __wrap_X, and __real_X to X.
#define WRAPPER(name) asm("__wrap__ZN4absl7debian3" name)
#define ORIGINAL(name) asm("__real__ZN4absl7debian3" name)
#define WRAPPER_CONST(name) asm("__wrap__ZNK4absl7debian3" name)
#define ORIGINAL_CONST(name) asm("__real__ZNK4absl7debian3" name)

namespace cachalot {
namespace {

using absl::BlockingCounter;
using absl::Condition;
using absl::CondVar;
using absl::Duration;
using absl::Mutex;
using absl::Notification;
using absl::ReleasableMutexLock;
using absl::Time;

constexpr unsigned kExclusive = 0;
constexpr unsigned kShared = __tsan_mutex_read_lock;

// A condition is evaluated under the mutex, by the thread that waits or, for
// its benefit, by one that unlocks: within an operation in which the sanitizer
// would look at nothing. What the condition reads is to be looked at.
class AnnotatedCondition {
 public:
  AnnotatedCondition(Mutex* mutex, const Condition& condition)
      : mutex_(mutex), condition_(condition) {}

  bool Evaluate() const {
    __tsan_mutex_pre_divert(mutex_, 0);
    // An unlocking thread has been announced as done already.
    __tsan_acquire(mutex_);
    const bool is_true = condition_.Eval();
    __tsan_release(mutex_);
    __tsan_mutex_post_divert(mutex_, 0);
    return is_true;
  }

 private:
  Mutex* const mutex_;
  const Condition& condition_;
};

// Runs `operate(condition)`, which locks `mutex`, when `condition` holds or a
// wait has ended, and returns what it returns.
template <typename Operation>
auto LockAnnotated(Mutex* mutex, unsigned flags, const Condition& condition,
                   Operation operate) {
  const AnnotatedCondition annotated(mutex, condition);
  __tsan_mutex_pre_lock(mutex, flags);
  struct Locked {
    ~Locked() { __tsan_mutex_post_lock(mutex, flags, 0); }
    Mutex* mutex;
    unsigned flags;
  } const locked{mutex, flags};
  return operate(Condition(&annotated, &AnnotatedCondition::Evaluate));
}

// How `mutex` is held by this thread. Its first word says so (kMuWriter).
unsigned HeldHow(const Mutex* mutex) {
  intptr_t word;
  static_assert(sizeof(word) == sizeof(Mutex));
  std::memcpy(&word, static_cast<const void*>(mutex), sizeof(word));
  return (word & 0x0008) != 0 ? kExclusive : kShared;
}

// Announces that `mutex` is unlocked. The caller holds it in truth until its
// wait, which locks it again, begins.
unsigned BeginWait(Mutex* mutex) {
  const unsigned flags = HeldHow(mutex);
  __tsan_mutex_pre_unlock(mutex, flags);
  __tsan_mutex_post_unlock(mutex, flags);
  return flags;
}

// The atomic flag of a notification, which HasBeenNotified(), inlined into our
// code, reads without a lock: what follows the Mutex.
void* FlagOf(const Notification* notification) {
  static_assert(sizeof(Notification) > sizeof(Mutex));
  return const_cast<char*>(reinterpret_cast<const char*>(notification)) +
         sizeof(Mutex);
}

}  // namespace

namespace original {

void Lock(Mutex*) ORIGINAL("5Mutex4LockEv");
void Unlock(Mutex*) ORIGINAL("5Mutex6UnlockEv");
bool TryLock(Mutex*) ORIGINAL("5Mutex7TryLockEv");
void ReaderLock(Mutex*) ORIGINAL("5Mutex10ReaderLockEv");
void ReaderUnlock(Mutex*) ORIGINAL("5Mutex12ReaderUnlockEv");
bool ReaderTryLock(Mutex*) ORIGINAL("5Mutex13ReaderTryLockEv");
void Destroy(Mutex*) ORIGINAL("5MutexD1Ev");
void LockWhen(Mutex*, const Condition&)
    ORIGINAL("5Mutex8LockWhenERKNS0_9ConditionE");
bool LockWhenWithTimeout(Mutex*, const Condition&, Duration)
    ORIGINAL("5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
bool LockWhenWithDeadline(Mutex*, const Condition&, Time)
    ORIGINAL("5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
void ReaderLockWhen(Mutex*, const Condition&)
    ORIGINAL("5Mutex14ReaderLockWhenERKNS0_9ConditionE");
bool ReaderLockWhenWithTimeout(Mutex*, const Condition&, Duration) ORIGINAL(
    "5Mutex25ReaderLockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
bool ReaderLockWhenWithDeadline(Mutex*, const Condition&, Time)
    ORIGINAL("5Mutex26ReaderLockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
void Await(Mutex*, const Condition&) ORIGINAL("5Mutex5AwaitERKNS0_9ConditionE");
bool AwaitWithTimeout(Mutex*, const Condition&, Duration)
    ORIGINAL("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
bool AwaitWithDeadline(Mutex*, const Condition&, Time)
    ORIGINAL("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
void Release(ReleasableMutexLock*) ORIGINAL("19ReleasableMutexLock7ReleaseEv");
void Wait(CondVar*, Mutex*) ORIGINAL("7CondVar4WaitEPNS0_5MutexE");
bool WaitWithTimeout(CondVar*, Mutex*, Duration)
    ORIGINAL("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
bool WaitWithDeadline(CondVar*, Mutex*, Time)
    ORIGINAL("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
void Notify(Notification*) ORIGINAL("12Notification6NotifyEv");
void WaitForNotification(const Notification*)
    ORIGINAL_CONST("12Notification19WaitForNotificationEv");
bool WaitForNotificationWithTimeout(const Notification*, Duration)
    ORIGINAL_CONST(
        "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
bool WaitForNotificationWithDeadline(const Notification*, Time) ORIGINAL_CONST(
    "12Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
bool DecrementCount(BlockingCounter*)
    ORIGINAL("15BlockingCounter14DecrementCountEv");
void Wait(BlockingCounter*) ORIGINAL("15BlockingCounter4WaitEv");
void Unref(uintptr_t) ORIGINAL("6Status15UnrefNonInlinedEm");

}  // namespace original

namespace wrapper {

void Lock(Mutex*) WRAPPER("5Mutex4LockEv");
void Lock(Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, kExclusive);
  original::Lock(mutex);
  __tsan_mutex_post_lock(mutex, kExclusive, 0);
}

void Unlock(Mutex*) WRAPPER("5Mutex6UnlockEv");
void Unlock(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, kExclusive);
  original::Unlock(mutex);
  __tsan_mutex_post_unlock(mutex, kExclusive);
}

bool TryLock(Mutex*) WRAPPER("5Mutex7TryLockEv");
bool TryLock(Mutex* mutex) {
  const unsigned flags = kExclusive | __tsan_mutex_try_lock;
  __tsan_mutex_pre_lock(mutex, flags);
  const bool is_locked = original::TryLock(mutex);
  __tsan_mutex_post_lock(
      mutex, is_locked ? flags : flags | __tsan_mutex_try_lock_failed, 0);
  return is_locked;
}

void ReaderLock(Mutex*) WRAPPER("5Mutex10ReaderLockEv");
void ReaderLock(Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, kShared);
  original::ReaderLock(mutex);
  __tsan_mutex_post_lock(mutex, kShared, 0);
}

void ReaderUnlock(Mutex*) WRAPPER("5Mutex12ReaderUnlockEv");
void ReaderUnlock(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, kShared);
  original::ReaderUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, kShared);
}

bool ReaderTryLock(Mutex*) WRAPPER("5Mutex13ReaderTryLockEv");
bool ReaderTryLock(Mutex* mutex) {
  const unsigned flags = kShared | __tsan_mutex_try_lock;
  __tsan_mutex_pre_lock(mutex, flags);
  const bool is_locked = original::ReaderTryLock(mutex);
  __tsan_mutex_post_lock(
      mutex, is_locked ? flags : flags | __tsan_mutex_try_lock_failed, 0);
  return is_locked;
}

void Destroy(Mutex*) WRAPPER("5MutexD1Ev");
void Destroy(Mutex* mutex) {
  __tsan_mutex_destroy(mutex, 0);
  original::Destroy(mutex);
}

void LockWhen(Mutex*, const Condition&)
    WRAPPER("5Mutex8LockWhenERKNS0_9ConditionE");
void LockWhen(Mutex* mutex, const Condition& condition) {
  LockAnnotated(mutex, kExclusive, condition, [=](const Condition& annotated) {
    original::LockWhen(mutex, annotated);
  });
}

bool LockWhenWithTimeout(Mutex*, const Condition&, Duration)
    WRAPPER("5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
bool LockWhenWithTimeout(Mutex* mutex, const Condition& condition,
                         Duration timeout) {
  return LockAnnotated(
      mutex, kExclusive, condition, [=](const Condition& annotated) {
        return original::LockWhenWithTimeout(mutex, annotated, timeout);
      });
}

bool LockWhenWithDeadline(Mutex*, const Condition&, Time)
    WRAPPER("5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
bool LockWhenWithDeadline(Mutex* mutex, const Condition& condition,
                          Time deadline) {
  return LockAnnotated(
      mutex, kExclusive, condition, [=](const Condition& annotated) {
        return original::LockWhenWithDeadline(mutex, annotated, deadline);
      });
}

void ReaderLockWhen(Mutex*, const Condition&)
    WRAPPER("5Mutex14ReaderLockWhenERKNS0_9ConditionE");
void ReaderLockWhen(Mutex* mutex, const Condition& condition) {
  LockAnnotated(mutex, kShared, condition, [=](const Condition& annotated) {
    original::ReaderLockWhen(mutex, annotated);
  });
}

bool ReaderLockWhenWithTimeout(Mutex*, const Condition&, Duration) WRAPPER(
    "5Mutex25ReaderLockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
bool ReaderLockWhenWithTimeout(Mutex* mutex, const Condition& condition,
                               Duration timeout) {
  return LockAnnotated(
      mutex, kShared, condition, [=](const Condition& annotated) {
        return original::ReaderLockWhenWithTimeout(mutex, annotated, timeout);
      });
}

bool ReaderLockWhenWithDeadline(Mutex*, const Condition&, Time)
    WRAPPER("5Mutex26ReaderLockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
bool ReaderLockWhenWithDeadline(Mutex* mutex, const Condition& condition,
                                Time deadline) {
  return LockAnnotated(
      mutex, kShared, condition, [=](const Condition& annotated) {
        return original::ReaderLockWhenWithDeadline(mutex, annotated, deadline);
      });
}

void Await(Mutex*, const Condition&) WRAPPER("5Mutex5AwaitERKNS0_9ConditionE");
void Await(Mutex* mutex, const Condition& condition) {
  LockAnnotated(
      mutex, BeginWait(mutex), condition,
      [=](const Condition& annotated) { original::Await(mutex, annotated); });
}

bool AwaitWithTimeout(Mutex*, const Condition&, Duration)
    WRAPPER("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
bool AwaitWithTimeout(Mutex* mutex, const Condition& condition,
                      Duration timeout) {
  return LockAnnotated(
      mutex, BeginWait(mutex), condition, [=](const Condition& annotated) {
        return original::AwaitWithTimeout(mutex, annotated, timeout);
      });
}

bool AwaitWithDeadline(Mutex*, const Condition&, Time)
    WRAPPER("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
bool AwaitWithDeadline(Mutex* mutex, const Condition& condition,
                       Time deadline) {
  return LockAnnotated(
      mutex, BeginWait(mutex), condition, [=](const Condition& annotated) {
        return original::AwaitWithDeadline(mutex, annotated, deadline);
      });
}

void Release(ReleasableMutexLock*) WRAPPER("19ReleasableMutexLock7ReleaseEv");
void Release(ReleasableMutexLock* lock) {
  // Its only member.
  Mutex* mutex;
  static_assert(sizeof(mutex) == sizeof(*lock));
  std::memcpy(&mutex, static_cast<const void*>(lock), sizeof(mutex));
  __tsan_mutex_pre_unlock(mutex, kExclusive);
  original::Release(lock);
  __tsan_mutex_post_unlock(mutex, kExclusive);
}

void Wait(CondVar*, Mutex*) WRAPPER("7CondVar4WaitEPNS0_5MutexE");
void Wait(CondVar* variable, Mutex* mutex) {
  const unsigned flags = BeginWait(mutex);
  __tsan_mutex_pre_lock(mutex, flags);
  original::Wait(variable, mutex);
  __tsan_mutex_post_lock(mutex, flags, 0);
}

bool WaitWithTimeout(CondVar*, Mutex*, Duration)
    WRAPPER("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
bool WaitWithTimeout(CondVar* variable, Mutex* mutex, Duration timeout) {
  const unsigned flags = BeginWait(mutex);
  __tsan_mutex_pre_lock(mutex, flags);
  const bool has_ended = original::WaitWithTimeout(variable, mutex, timeout);
  __tsan_mutex_post_lock(mutex, flags, 0);
  return has_ended;
}

bool WaitWithDeadline(CondVar*, Mutex*, Time)
    WRAPPER("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
bool WaitWithDeadline(CondVar* variable, Mutex* mutex, Time deadline) {
  const unsigned flags = BeginWait(mutex);
  __tsan_mutex_pre_lock(mutex, flags);
  const bool has_ended = original::WaitWithDeadline(variable, mutex, deadline);
  __tsan_mutex_post_lock(mutex, flags, 0);
  return has_ended;
}

void Notify(Notification*) WRAPPER("12Notification6NotifyEv");
void Notify(Notification* notification) {
  __tsan_release(FlagOf(notification));
  original::Notify(notification);
}

void WaitForNotification(const Notification*)
    WRAPPER_CONST("12Notification19WaitForNotificationEv");
void WaitForNotification(const Notification* notification) {
  original::WaitForNotification(notification);
  __tsan_acquire(FlagOf(notification));
}

bool WaitForNotificationWithTimeout(const Notification*, Duration)
    WRAPPER_CONST(
        "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
bool WaitForNotificationWithTimeout(const Notification* notification,
                                    Duration timeout) {
  const bool is_notified =
      original::WaitForNotificationWithTimeout(notification, timeout);
  if (is_notified) __tsan_acquire(FlagOf(notification));
  return is_notified;
}

bool WaitForNotificationWithDeadline(const Notification*, Time)
    WRAPPER_CONST("12Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
bool WaitForNotificationWithDeadline(const Notification* notification,
                                     Time deadline) {
  const bool is_notified =
      original::WaitForNotificationWithDeadline(notification, deadline);
  if (is_notified) __tsan_acquire(FlagOf(notification));
  return is_notified;
}

bool DecrementCount(BlockingCounter*)
    WRAPPER("15BlockingCounter14DecrementCountEv");
bool DecrementCount(BlockingCounter* counter) {
  __tsan_release(counter);
  return original::DecrementCount(counter);
}

void Wait(BlockingCounter*) WRAPPER("15BlockingCounter4WaitEv");
void Wait(BlockingCounter* counter) {
  original::Wait(counter);
  __tsan_acquire(counter);
}

// The last of those who share a Status's text frees it, after all that the
// others have done with it. The original counts and frees in one, so one thread
// at a time: whoever frees comes after all announcements.
void Unref(uintptr_t) WRAPPER("6Status15UnrefNonInlinedEm");
void Unref(uintptr_t rep) {
  static std::atomic_flag is_taken;
  while (is_taken.test_and_set(std::memory_order_acquire)) {
  }
  void* const count = reinterpret_cast<void*>(rep);
  __tsan_release(count);
  __tsan_acquire(count);
  original::Unref(rep);
  is_taken.clear(std::memory_order_release);
}

}  // namespace wrapper
}  // namespace cachalot
