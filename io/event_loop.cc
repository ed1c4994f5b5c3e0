#include "io/event_loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "engine/check.h"

namespace cachalot {
namespace {

constexpr int64_t kNotArmed = std::numeric_limits<int64_t>::max();
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
// Handled before the loop looks at the time again.
constexpr int kEventsPerWaitMax = 64;
// No wait is longer, so that the arithmetic stays within 64 bits.
constexpr int64_t kTimeoutMax = 24 * 3600 * kNanosecondsPerSecond;

// Suspension counts: who believes in a lock must learn at resume that it is
// over.
int64_t BootTime() {
  timespec time;
  CHECK(clock_gettime(CLOCK_BOOTTIME, &time) == 0);
  return int64_t{time.tv_sec} * kNanosecondsPerSecond + time.tv_nsec;
}

uint64_t Tag(int fd, uint32_t generation) {
  return uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
}

// Edge triggered, so that neither has to be read to fall silent.
bool Watch(int epoll, int fd) {
  epoll_event event = {.events = EPOLLIN | EPOLLET,
                       .data = {.u64 = Tag(fd, 0)}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return SystemError("epoll_create1", errno);
  FileDescriptor timer(
      timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer.is_open()) return SystemError("timerfd_create", errno);
  FileDescriptor waker(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!waker.is_open()) return SystemError("eventfd", errno);
  if (!Watch(epoll.get(), timer.get()) || !Watch(epoll.get(), waker.get())) {
    return SystemError("epoll_ctl", errno);
  }
  return std::unique_ptr<EventLoop>(
      new EventLoop(std::move(epoll), std::move(timer), std::move(waker)));
}

EventLoop::EventLoop(FileDescriptor epoll, FileDescriptor timer,
                     FileDescriptor waker)
    : epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      waker_(std::move(waker)),
      armed_for_(kNotArmed) {}

absl::Status EventLoop::Add(int fd, uint32_t events, Handler* handler) {
  const auto slot = static_cast<size_t>(fd);
  if (slot >= registrations_.size()) registrations_.resize(slot + 1);
  Registration& registration = registrations_[slot];
  CHECK(registration.handler == nullptr) << "descriptor " << fd;
  ++registration.generation;
  epoll_event event = {.events = events,
                       .data = {.u64 = Tag(fd, registration.generation)}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return SystemError("epoll_ctl", errno);
  }
  registration.handler = handler;
  return absl::OkStatus();
}

void EventLoop::Modify(int fd, uint32_t events) {
  const Registration& registration = registrations_[static_cast<size_t>(fd)];
  CHECK(registration.handler != nullptr) << "descriptor " << fd;
  epoll_event event = {.events = events,
                       .data = {.u64 = Tag(fd, registration.generation)}};
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::Remove(int fd) {
  const auto slot = static_cast<size_t>(fd);
  if (slot >= registrations_.size()) return;
  if (std::exchange(registrations_[slot].handler, nullptr) == nullptr) return;
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0);
}

void EventLoop::Wait(absl::Duration timeout) {
  NoteTurn();
  const bool may_sleep = timeout > absl::ZeroDuration();
  if (may_sleep) Arm(timeout);
  std::array<epoll_event, kEventsPerWaitMax> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerWaitMax,
                               may_sleep ? -1 : 0);
  awake_since_ = BootTime();
  for (int i = 0; i < count; ++i) Dispatch(events[static_cast<size_t>(i)]);
}

void EventLoop::NoteTurn() {
  if (awake_since_ == 0) return;
  longest_turn_ = std::max(longest_turn_, BootTime() - awake_since_);
  awake_since_ = 0;
}

void EventLoop::WakeAfter(absl::Duration timeout) {
  NoteTurn();
  if (timeout > absl::ZeroDuration()) {
    Arm(timeout);
  } else {
    Wake();
  }
}

void EventLoop::Wake() {
  const uint64_t one = 1;
  // Fails only if the counter is full, and then the loop is awake.
  static_cast<void>(write(waker_.get(), &one, sizeof(one)) == sizeof(one));
}

// A timer that fires early costs one empty turn; moving it on each time that a
// deadline moves back, as a follower's does with each heartbeat, would cost a
// system call in every turn.
void EventLoop::Arm(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return;
  const int64_t now = BootTime();
  const int64_t target =
      now +
      std::clamp<int64_t>(absl::ToInt64Nanoseconds(timeout), 1, kTimeoutMax);
  if (armed_for_ <= target) return;
  armed_for_ = target;
  const itimerspec time = {
      .it_interval = {},
      .it_value = {.tv_sec = target / kNanosecondsPerSecond,
                   .tv_nsec = target % kNanosecondsPerSecond}};
  CHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr) == 0);
}

void EventLoop::Dispatch(const epoll_event& event) {
  const auto fd = static_cast<int>(event.data.u64 & 0xffffffff);
  if (fd == timer_.get()) {
    armed_for_ = kNotArmed;
    return;
  }
  if (fd == waker_.get()) return;
  const Registration& registration = registrations_[static_cast<size_t>(fd)];
  if (registration.handler == nullptr) return;
  if (Tag(fd, registration.generation) != event.data.u64) return;
  registration.handler->OnReady(event.events);
}

}  // namespace cachalot
