#ifndef TESTS_README_KEEPING_H_
#define TESTS_README_KEEPING_H_

#include <stop_token>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cachalot/coordinator.h"

// The functions of io/locks.md.
absl::Status BackUpOnce(cachalot::Coordinator& coordinator);
absl::StatusOr<cachalot::HeldLock> KeepShard(cachalot::Coordinator& coordinator,
                                             std::stop_token shutdown);
absl::Status Lead(cachalot::Coordinator& coordinator, std::stop_token shutdown);

// What they call.
void BackUp(std::stop_token stop);
void Schedule(std::stop_token stop);

#endif  // TESTS_README_KEEPING_H_
