#ifndef TESTS_IO_SCRIPTED_NAMES_H_
#define TESTS_IO_SCRIPTED_NAMES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "io/resolver.h"

namespace cachalot {

// A name service whose answers the test writes, also while others ask. A name
// that was never set is not known. Copies of lookup() own what they need.
class ScriptedNames {
 public:
  // The addresses' ports mean nothing.
  void Set(const std::string& host, std::vector<Address> addresses) {
    const absl::MutexLock lock(&state_->mutex);
    state_->names[host].answer = std::move(addresses);
    state_->names[host].hangs = false;
  }
  void Fail(const std::string& host, absl::Status status) {
    const absl::MutexLock lock(&state_->mutex);
    state_->names[host].answer = std::move(status);
    state_->names[host].hangs = false;
  }
  // Lookups of it do not return until Set() or Fail().
  void Hang(const std::string& host) {
    const absl::MutexLock lock(&state_->mutex);
    state_->names[host].hangs = true;
  }

  // Lookups of `host` that have begun.
  uint64_t Lookups(const std::string& host) const {
    const absl::MutexLock lock(&state_->mutex);
    return state_->names[host].lookups;
  }
  // False at the end of `timeout`.
  bool AwaitLookups(const std::string& host, uint64_t count,
                    absl::Duration timeout) const {
    const absl::MutexLock lock(&state_->mutex);
    Name* const name = &state_->names[host];
    const auto is_reached = [name, count] { return name->lookups >= count; };
    return state_->mutex.AwaitWithTimeout(absl::Condition(&is_reached),
                                          timeout);
  }

  HostLookup lookup() const {
    return
        [state = state_](
            const std::string& host) -> absl::StatusOr<std::vector<Address>> {
          const absl::MutexLock lock(&state->mutex);
          Name* const name = &state->names[host];
          ++name->lookups;
          const auto answers = [name] { return !name->hangs; };
          state->mutex.Await(absl::Condition(&answers));
          return name->answer;
        };
  }

 private:
  struct Name {
    absl::StatusOr<std::vector<Address>> answer =
        absl::NotFoundError("no such host");
    bool hangs = false;
    uint64_t lookups = 0;
  };
  struct State {
    absl::Mutex mutex;
    std::map<std::string, Name> names;  // whose entries stay where they are
  };

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace cachalot

#endif  // TESTS_IO_SCRIPTED_NAMES_H_
