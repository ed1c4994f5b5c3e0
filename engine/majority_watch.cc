#include "engine/majority_watch.h"

#include <algorithm>

#include "engine/consensus/quorum.h"
#include "engine/fingerprint.h"

namespace cachalot {
namespace {

// An election takes up to two election timeouts, and the first ones may fail.
constexpr int kPatienceInElections = 6;
constexpr absl::Duration PatienceMin() { return absl::Seconds(3); }
// After a third of the patience, silent voters are asked this often within it.
constexpr int kLooksInPatience = 6;

}  // namespace

absl::Duration MajorityWatch::Patience(const ConsensusOptions& options) {
  return std::max(PatienceMin(),
                  kPatienceInElections * options.election_timeout);
}

bool MajorityWatch::Answers(SlowInstant now, NodeId id) const {
  const auto found = heard_.find(id);
  return found != heard_.end() && now - found->second < patience_;
}

SlowInstant MajorityWatch::LastHeard(NodeId id) const {
  const auto found = heard_.find(id);
  return found == heard_.end() ? *leaderless_since_ : found->second;
}

bool MajorityWatch::HasQuorum(SlowInstant now, const Facts& facts) const {
  return cachalot::HasQuorum(facts.configuration, [&](NodeId id) {
    return id == facts.self || Answers(now, id);
  });
}

void MajorityWatch::NoteStall(absl::Duration lateness) {
  evidence_from_ = evidence_from_ + lateness;
  for (auto& [id, heard] : heard_) heard = heard + lateness;
}

// A leader is known.
MajorityWatch::News MajorityWatch::Rest() {
  const bool was_lost = lost_since_.has_value();
  leaderless_since_.reset();
  lost_since_.reset();
  heard_.clear();
  next_look_ = SlowInstant::Never();
  return was_lost ? News::kBack : News::kNone;
}

MajorityWatch::News MajorityWatch::Update(SlowInstant now, const Facts& facts,
                                          std::vector<Voter>* to_ask) {
  if (facts.follows) {
    is_part_ = true;
    last_followed_ = now;
    return Rest();
  }
  const Configuration& configuration = facts.configuration;
  const bool votes = configuration.Contains(facts.self);
  if (facts.is_served) {
    // The leader of a learner that stops being one goes on, elsewhere.
    const bool is_demoted =
        last_followed_.has_value() && now - *last_followed_ >= patience_;
    if (is_demoted) is_part_ = false;
    return Rest();
  }
  if (configuration.voters.empty() || !facts.has_history ||
      (!votes && !is_part_)) {
    return Rest();
  }
  if (!leaderless_since_.has_value()) {
    leaderless_since_ = evidence_from_ = now;
    // Most elections are over by then.
    next_look_ = now + patience_ / 3;
  }
  const absl::Duration interval = patience_ / kLooksInPatience;
  if (lost_since_.has_value() && HasQuorum(now, facts)) {
    lost_since_.reset();
    // A look may be due at this moment, too.
    next_look_ = now + interval;
    return News::kBack;
  }
  if (next_look_ > now) return News::kNone;
  next_look_ = now + interval;
  for (const auto* voters : {&configuration.voters, &configuration.outgoing}) {
    for (const Voter& voter : *voters) {
      const auto found = heard_.find(voter.id);
      const bool is_silent =
          found == heard_.end() || now - found->second >= interval;
      if (voter.id != facts.self && is_silent) to_ask->push_back(voter);
    }
  }
  const bool is_lost =
      now - evidence_from_ >= patience_ && !HasQuorum(now, facts);
  if (!is_lost || lost_since_.has_value()) return News::kNone;
  lost_since_ = now;
  return News::kLost;
}

uint64_t MajorityWatch::Fingerprint() const {
  class Fingerprint hash;
  const SlowInstant never = SlowInstant::Never();
  hash.Add(uint64_t{is_part_}).Add(last_followed_.value_or(never));
  hash.Add(leaderless_since_.value_or(never)).Add(evidence_from_);
  hash.Add(lost_since_.value_or(never)).Add(next_look_);
  for (const auto& [id, heard] : heard_) hash.Add(id).Add(heard);
  return hash.value();
}

}  // namespace cachalot
