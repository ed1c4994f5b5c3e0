// A program of somebody else's: takes a lock, in both ways, and says so. Built
// with what is installed, and nothing else of ours.

#include <poll.h>

#include <iostream>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cachalot/coordinator.h"
#include "cachalot/embedded_coordinator.h"
#include "cachalot/version.h"

namespace {

cachalot::CoordinatorOptions Founder() {
  cachalot::CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = {options.bind};
  options.bootstrap = true;
  options.birth_delay = absl::Milliseconds(20);
  return options;
}

absl::Status LockWithAThread() {
  auto coordinator = cachalot::Coordinator::Create(Founder());
  if (!coordinator.ok()) return coordinator.status();
  absl::StatusOr<cachalot::HeldLock> lock =
      (*coordinator)->Lock("key", absl::Seconds(30));
  if (!lock.ok()) return lock.status();
  if (absl::Status released = lock->Release(); !released.ok()) return released;
  return (*coordinator)->Leave();
}

absl::Status LockInOwnLoop() {
  auto member = cachalot::EmbeddedCoordinator::Create(Founder());
  if (!member.ok()) return member.status();
  std::optional<absl::StatusOr<cachalot::HeldLock>> lock;
  (*member)->LockAsync("key", absl::Seconds(30), {},
                       [&](absl::StatusOr<cachalot::HeldLock> granted) {
                         lock.emplace(std::move(granted));
                       });
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!lock.has_value()) {
    if (absl::Now() > deadline) return absl::DeadlineExceededError("no answer");
    pollfd watch = {.fd = (*member)->fd(), .events = POLLIN, .revents = 0};
    if (poll(&watch, 1, /*timeout=*/1000) > 0) (*member)->Process();
  }
  return lock->status();
}

}  // namespace

int main() {
  for (const absl::Status& status : {LockWithAThread(), LockInOwnLoop()}) {
    if (status.ok()) continue;
    std::cerr << status << "\n";
    return 1;
  }
  std::cout << "locked with cachalot " << cachalot::LibraryVersion()
            << ", wire version " << cachalot::WireVersion() << "\n";
  return 0;
}
