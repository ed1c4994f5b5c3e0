#ifndef ENGINE_MEMBERSHIP_PROBE_H_
#define ENGINE_MEMBERSHIP_PROBE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/fingerprint.h"
#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// Numbers that go out in Ping and come back in Ack. A ping on a stream has an
// odd number and is answered on a stream: the one whose datagrams are lost
// could not be heard otherwise.
inline constexpr uint64_t kStreamBit = 1;

constexpr bool IsOnStream(uint64_t probe_number) {
  return (probe_number & kStreamBit) != 0;
}

// One round of asking one member whether it is there (SWIM 4.1): first
// directly, then through helpers and by stream, then the verdict.
//
// Who is accused by its silence alone is often accused by the deaf: the probe
// also keeps what shows that this node can hear (R3).
class Probe {
 public:
  struct Schedule {
    SlowInstant ask_at;  // when others are asked to help
    SlowInstant end;     // when the verdict is given
  };

  enum class Verdict {
    kAnswered,
    kAccused,  // silent, while others could be heard
    kUnsure,   // silent, but it may be this node that cannot hear
    kVoid,     // nobody had the time to help
  };

  // REQUIRES: `number` is even.
  Probe(NodeId target, uint64_t number, const Schedule& schedule);

  NodeId target() const { return target_; }
  uint64_t number() const { return number_; }
  SlowInstant end() const { return schedule_.end; }
  // When it next wants to be looked at.
  SlowInstant deadline() const;

  bool WantsHelp(SlowInstant now) const;
  // `helpers` were asked, out of `helpers_possible`.
  void NoteHelpers(std::vector<NodeId> helpers, size_t helpers_possible);

  // Any message from a member: a sign that this node can hear.
  void NoteHeard(NodeId from);
  // True if this is the answer, directly or through a helper.
  bool NoteAck(NodeId from, uint64_t number);
  // True if a helper says that it too got no answer.
  bool NoteNack(NodeId from, uint64_t number);

  Verdict Judge() const;

  void AddTo(Fingerprint& hash) const;

 private:
  bool IsHelper(NodeId id) const;

  // What is asked; does not change.
  NodeId target_;
  uint64_t number_;  // even
  Schedule schedule_;
  // NoteHelpers() was called: who was asked, of how many who could have been.
  bool asked_ = false;
  std::vector<NodeId> helpers_;
  size_t helpers_possible_ = 0;
  // What came since, each from false to true only: any message of another
  // member than the target; a helper's Nack; the target's Ack.
  bool heard_another_ = false;
  bool nacked_ = false;
  bool answered_ = false;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_PROBE_H_
