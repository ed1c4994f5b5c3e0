#ifndef IO_SEED_WATCH_H_
#define IO_SEED_WATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "engine/address.h"
#include "io/host_lookup.h"
#include "io/local_network.h"
#include "io/lock_service.h"
#include "io/log.h"
#include "io/seed_resolver.h"
#include "io/seed_timing.h"
#include "io/seeds.h"

namespace cachalot {

// Keeps a node's seeds up to date: its names are looked up again for as long as
// the node lives, and what they lead to, without the node's own addresses, is
// told to it whenever that changes.
class SeedWatch {
 public:
  // Parses the texts and waits for the first answers.
  // Errors: those of ParseSeeds() and of SeedResolver::Start().
  static absl::StatusOr<std::unique_ptr<SeedWatch>> Create(
      const std::vector<std::string>& texts, HostLookup lookup,
      const SeedTiming& timing, uint64_t random_seed);
  // Waits for no lookup. Only when the service that was given to Serve() has
  // been stopped.
  ~SeedWatch();

  // What was known at the start.
  const std::vector<SeedLookup>& first() const { return first_; }

  struct Target {
    LockService* service;  // started, or about to be
    Logger* log;           // may be null
    OwnAddresses own;
    // What it was given at the start.
    std::vector<Address> seeds;
    // Whether it founds a cluster, alone or with others, if it finds none.
    bool is_founder = false;
    // Whether it may, should the seeds turn out to lead to itself alone.
    bool may_found = false;
    // It founds none, since it remembers one.
    bool remembers_cluster = false;
  };
  // Of the target.
  const OwnAddresses& own() const { return target_.own; }
  // From here on the target is kept up to date. None of its pointers is owned;
  // all outlive the watch.
  void Serve(Target target);

  // "n1:7946 (10.0.0.1:7946), n2:7946 (no such host; ...)".
  std::string Describe() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit SeedWatch(const SeedTiming& timing) : timing_(timing) {}

  // On the resolver's thread.
  void Take(const std::vector<SeedLookup>& seeds) ABSL_LOCKS_EXCLUDED(mutex_);
  void Log(const SeedLookup& seed);
  std::vector<std::string> FindProblems(const std::vector<SeedLookup>& seeds,
                                        const SeedAddresses& sorted) const;
  // On the driver's thread. `founds`: the node is to found a cluster.
  void TellNode(const std::vector<Address>& seeds, bool founds,
                std::vector<std::string> problems);
  void ChoosePace(const std::vector<Address>& seeds);

  struct Told {
    std::vector<Address> addresses;
    std::string error;
  };

  const SeedTiming timing_;
  std::vector<SeedLookup> first_;
  Target target_ = {};

  // Of the resolver's thread.
  absl::btree_map<std::string, Told> told_;  // by a seed's text
  bool has_seen_others_ = false;  // some seed led to another member, once

  // Of the driver's thread.
  std::vector<Address> node_seeds_;  // ordered
  bool is_told_to_found_ = false;

  mutable absl::Mutex mutex_;
  std::vector<SeedLookup> latest_ ABSL_GUARDED_BY(mutex_);

  // Last: its thread ends before anything else does.
  std::optional<SeedResolver> resolver_;
};

}  // namespace cachalot

#endif  // IO_SEED_WATCH_H_
