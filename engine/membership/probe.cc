#include "engine/membership/probe.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "engine/check.h"

namespace cachalot {

Probe::Probe(NodeId target, uint64_t number, const Schedule& schedule)
    : target_(target), number_(number), schedule_(schedule) {
  CHECK(!IsOnStream(number));
  CHECK(schedule.ask_at < schedule.end);
}

SlowInstant Probe::deadline() const {
  return answered_ || asked_ ? schedule_.end : schedule_.ask_at;
}

bool Probe::WantsHelp(SlowInstant now) const {
  return !answered_ && !asked_ && schedule_.ask_at <= now &&
         now < schedule_.end;
}

void Probe::NoteHelpers(std::vector<NodeId> helpers, size_t helpers_possible) {
  CHECK(!asked_);
  asked_ = true;
  helpers_ = std::move(helpers);
  helpers_possible_ = helpers_possible;
}

void Probe::NoteHeard(NodeId from) {
  if (from != target_) heard_another_ = true;
}

bool Probe::NoteAck(NodeId from, uint64_t number) {
  if ((number & ~kStreamBit) != number_) return false;
  if (from != target_ && !IsHelper(from)) return false;
  answered_ = true;
  return true;
}

bool Probe::NoteNack(NodeId from, uint64_t number) {
  if (number != number_ || !IsHelper(from)) return false;
  nacked_ = true;
  return true;
}

Probe::Verdict Probe::Judge() const {
  if (answered_) return Verdict::kAnswered;
  if (!asked_) return Verdict::kVoid;
  // Without other members there is only the silence to go by (R3c).
  if (helpers_possible_ == 0) return Verdict::kAccused;
  // If two helpers were asked and none sent a Nack, this node probably cannot
  // receive (R3a). A single helper may itself have failed, so then a message
  // from any other member is enough (R3b).
  const bool can_hear = helpers_.size() >= 2 ? nacked_ : heard_another_;
  return can_hear ? Verdict::kAccused : Verdict::kUnsure;
}

bool Probe::IsHelper(NodeId id) const {
  return absl::c_linear_search(helpers_, id);
}

void Probe::AddTo(Fingerprint& hash) const {
  hash.Add(target_).Add(number_).Add(schedule_.ask_at).Add(schedule_.end);
  for (const NodeId& id : helpers_) hash.Add(id);
  hash.Add(uint64_t{helpers_possible_});
  for (const bool flag : {asked_, heard_another_, nacked_, answered_}) {
    hash.Add(uint64_t{flag});
  }
}

}  // namespace cachalot
