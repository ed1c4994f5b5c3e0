#ifndef ENGINE_MEMBERSHIP_RELAYS_H_
#define ENGINE_MEMBERSHIP_RELAYS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "engine/address.h"
#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// The pings that this node sends for other members (PingRequest).
class Relays {
 public:
  // At most so many at once; further requests are not served.
  static constexpr size_t kMax = 256;

  struct Relay {
    NodeId asker;
    Address asker_address;
    uint64_t asker_number = 0;
    NodeId target;
    SlowInstant nack_at;  // when the asker is told that there is no answer yet
    SlowInstant end;      // after this the asker's probe is over
    bool nacked = false;  // the Nack was sent; an Ack may still follow
  };

  // False if there are too many.
  bool Add(SlowInstant now, uint64_t number, const Relay& relay);
  // The relay that `from` answers in time; it is removed. Nothing if there is
  // none.
  std::optional<Relay> TakeAnswered(SlowInstant now, NodeId from,
                                    uint64_t number);
  // Those whose asker is to be sent a Nack now.
  std::vector<Relay> TakeOverdue(SlowInstant now);

  // When the next is overdue.
  SlowInstant NextDeadline() const;

  void AddTo(Fingerprint& hash) const;

 private:
  // Drops those whose end has come.
  void Forget(SlowInstant now);

  // By the number that this node gave the ping; at most kMax.
  absl::btree_map<uint64_t, Relay> relays_;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_RELAYS_H_
