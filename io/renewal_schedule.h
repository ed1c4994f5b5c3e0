#ifndef IO_RENEWAL_SCHEDULE_H_
#define IO_RENEWAL_SCHEDULE_H_

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// When to renew the locks that keep themselves: each when between a quarter and
// a third of its lease has passed, by its number, so that locks that were taken
// together are not renewed together. One whose renewal failed is tried again
// after a twelfth, for as long as it is held. One thread.
class RenewalSchedule {
 public:
  struct Due {
    RequestId grant;
    absl::Duration ttl;  // to be renewed for
  };

  // Keeps the lock of `grant`, taken at `now`, renewed for `ttl` at a time, and
  // lets its lease end at `until`.
  void Add(FastInstant now, RequestId grant, absl::Duration ttl,
           FastInstant until);
  // Without effect if it is not kept.
  void Remove(RequestId grant);

  // The next one that is due; it is out of the queue until Schedule() or
  // Retry(). A lock whose lease is to end is dropped instead.
  std::optional<Due> TakeDue(FastInstant now);
  // The renewal that was asked for at `asked` was done.
  void Schedule(FastInstant asked, RequestId grant);
  // It may not have been.
  void Retry(FastInstant now, RequestId grant);

  // Never() if nothing is due at any time.
  FastInstant NextDeadline() const;
  size_t size() const { return kept_.size(); }

 private:
  struct Kept {
    absl::Duration ttl;
    FastInstant until;
    FastInstant due = FastInstant::Never();  // its place in queue_, if any
  };

  void Queue(RequestId grant, Kept& kept, FastInstant due);

  absl::flat_hash_map<RequestId, Kept> kept_;  // looked up, never walked
  absl::btree_set<std::pair<FastInstant, RequestId>> queue_;
};

}  // namespace cachalot

#endif  // IO_RENEWAL_SCHEDULE_H_
