#ifndef IO_SEED_RESOLVER_H_
#define IO_SEED_RESOLVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "io/host_lookup.h"
#include "io/host_port.h"
#include "io/seed_timing.h"
#include "io/seeds.h"

namespace cachalot {

// Looks the names of seeds up, again and again, for as long as it lives.
//
// Each lookup has a thread of its own while it lasts, at most one for each
// name, so that a name service that hangs for one name holds up nothing else,
// not even the destructor.
class SeedResolver {
 public:
  enum class Pace : uint8_t { kSeeking, kMissing, kSettled };
  // Told all that is known when a lookup has ended, and each SeedTiming::check:
  // it may then be time for another pace.
  using Watcher = std::function<void(const std::vector<SeedLookup>&)>;

  // `random_seed`: of the jitter. Nothing happens before Start().
  SeedResolver(const std::vector<HostPort>& seeds, HostLookup lookup,
               const SeedTiming& timing, uint64_t random_seed);
  // Waits for no lookup. No call of the watcher's begins or goes on afterwards.
  ~SeedResolver();
  SeedResolver(const SeedResolver&) = delete;
  SeedResolver& operator=(const SeedResolver&) = delete;

  // Addresses that are written as numbers need no lookup; if all are, no thread
  // is started, and nothing will ever change.
  bool has_names() const;

  // Begins, at the pace kSeeking, with all names at once.
  // Errors: ResourceExhausted (no thread).
  absl::Status Start();
  // What is known when each name has been answered, or time is up.
  std::vector<SeedLookup> WaitForFirstAnswers();
  // From here on the watcher is called, on the resolver's thread. Once.
  void Watch(Watcher watcher);
  // Any thread.
  void SetPace(Pace pace);

 private:
  struct State;

  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace cachalot

#endif  // IO_SEED_RESOLVER_H_
