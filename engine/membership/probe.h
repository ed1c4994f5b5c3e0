#ifndef ENGINE_MEMBERSHIP_PROBE_H_
#define ENGINE_MEMBERSHIP_PROBE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// A Ping carries a number and its Ack returns it. A ping on a stream has an odd
// number and is answered on the stream, since an answer by datagram might be
// lost as the first one was.
inline constexpr uint64_t kStreamBit = 1;

constexpr bool IsOnStream(uint64_t probe_number) {
  return (probe_number & kStreamBit) != 0;
}

// One round of asking one member whether it is alive (SWIM 4.1): first
// directly, then through helpers and on a stream, then the verdict.
//
// The target's silence alone proves nothing, since this node may be the one
// that cannot receive. So the probe also records signs that it can (R3).
class Probe {
 public:
  struct Schedule {
    SlowInstant ask_at;  // when others are asked to help
    SlowInstant end;     // when the verdict is given
  };

  enum class Verdict {
    kAnswered,
    kAccused,  // silent, while others could be heard
    kUnsure,   // silent, but this node may be unable to receive
    kVoid,     // the round ended before helpers were asked
  };

  // REQUIRES: `number` is even.
  Probe(NodeId target, uint64_t number, const Schedule& schedule);

  NodeId target() const { return target_; }
  uint64_t number() const { return number_; }
  SlowInstant end() const { return schedule_.end; }
  // When WantsHelp() or Judge() is due.
  SlowInstant deadline() const;

  bool WantsHelp(SlowInstant now) const;
  // `helpers` were asked, out of `helpers_possible`.
  void NoteHelpers(std::vector<NodeId> helpers, size_t helpers_possible);

  // Any message from a member: a sign that this node can receive.
  void NoteHeard(NodeId from);
  // True if this is the target's answer, sent directly or through a helper.
  bool NoteAck(NodeId from, uint64_t number);
  // True if a helper says that it got no answer either.
  bool NoteNack(NodeId from, uint64_t number);

  Verdict Judge() const;

  void AddTo(Fingerprint& hash) const;

 private:
  bool IsHelper(NodeId id) const;

  // What is asked; does not change.
  NodeId target_;
  uint64_t number_;  // even
  Schedule schedule_;
  // Set by NoteHelpers(): which helpers were asked, of how many possible ones.
  bool asked_ = false;
  std::vector<NodeId> helpers_;
  size_t helpers_possible_ = 0;
  // What has arrived since the start; each only changes from false to true: any
  // message from a member other than the target; a helper's Nack; the target's
  // Ack.
  bool heard_another_ = false;
  bool nacked_ = false;
  bool answered_ = false;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_PROBE_H_
