#ifndef IO_FLAP_FILTER_H_
#define IO_FLAP_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/instant.h"
#include "engine/observer.h"

namespace cachalot {

// Holds back news of a member that changes again and again, as one does that is
// heard and cannot be reached: of each address a few changes pass, and then one
// in an interval, the latest. So the last that was told of a member is true,
// but for an interval.
//
// By address, since such a process may come back under one id after the other.
// One thread. Memory is bounded.
class FlapFilter {
 public:
  struct Options {
    // A process that is killed and started again makes three.
    int burst = 10;
    absl::Duration interval = absl::Seconds(20);
    // Of more nothing is held back.
    size_t addresses_max = 256;
  };
  // A change that is to be told, and how many of its member were held back
  // since one was told.
  struct News {
    MemberChanged change;
    uint64_t held_back = 0;
  };

  FlapFilter() : FlapFilter(Options()) {}
  explicit FlapFilter(const Options& options) : options_(options) {}

  // Nothing: it is held back. `now` never falls, over both functions.
  std::optional<News> Admit(FastInstant now, const MemberChanged& change);
  // The latest changes of those whose time has come, ordered by address. To be
  // called now and then.
  std::vector<News> TakeDue(FastInstant now);

  // Of addresses that changed lately.
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    // What has been told counts until then: an interval for each.
    FastInstant spent_until;
    std::optional<MemberChanged> latest;  // that was held back
    uint64_t held_back = 0;
  };

  // Whether one more may be told; if so, it is counted.
  bool Spend(FastInstant now, Entry& entry) const;

  const Options options_;
  absl::btree_map<Address, Entry> entries_;
};

}  // namespace cachalot

#endif  // IO_FLAP_FILTER_H_
