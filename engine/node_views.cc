#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/node.h"
#include "engine/wire/codec.h"

// What can be seen of a node from outside. Nothing here changes it.

namespace cachalot {

std::vector<MemberInfo> Node::Members() const {
  std::vector<MemberInfo> members;
  const auto add = [&](const MemberFact& fact) {
    MemberInfo& member = members.emplace_back();
    member.id = fact.id;
    member.name = fact.name;
    member.address = fact.address;
    member.state = fact.state;
    if (fact.id == consensus_.leader()) {
      member.role = MemberRole::kLeader;
    } else if (consensus_.IsVoter(fact.id)) {
      member.role = MemberRole::kVoter;
    } else if (consensus_.AddressOf(fact.id).has_value() ||
               (fact.id == identity_.node && !consensus_.leader().IsNone())) {
      member.role = MemberRole::kLearner;
    }
  };
  add(membership_.self());
  for (const auto& [id, fact] : membership_.others()) add(fact);
  std::sort(
      members.begin(), members.end(),
      [](const MemberInfo& a, const MemberInfo& b) { return a.id < b.id; });
  return members;
}

void Node::CheckInvariants() const {
  membership_.CheckInvariants();
  consensus_.CheckInvariants();
  table_.CheckInvariants();
  client_.CheckInvariants();
  for (const Outgoing& outgoing : withheld_) {
    CHECK(outgoing.after > consensus_.saved());
  }
}

uint64_t Node::Fingerprint() const {
  class Fingerprint hash;
  hash.Add(identity_.node).Add(identity_.cluster).Add(identity_.token_base);
  hash.Add(static_cast<uint64_t>(phase_)).Add(uint64_t{identity_saved_});
  hash.Add(random_).Add(deadline_.slow).Add(deadline_.fast);
  hash.Add(membership_.Fingerprint()).Add(consensus_.Fingerprint());
  hash.Add(table_.Fingerprint()).Add(client_.Fingerprint());
  hash.Add(birth_.Fingerprint()).Add(uint64_t{is_founder_});
  hash.Add(uint64_t{memory_.is_over}).Add(uint64_t{lets_all_go_});
  hash.Add(identity_.quarantine).Add(memory_.cluster).Add(memory_.starts);
  hash.Add(memory_.tokens_seen).Add(uint64_t{memory_.has_left});
  for (const Address& peer : memory_.peers) hash.Add(peer.ToString());
  hash.Add(uint64_t{memory_is_saved_}).Add(uint64_t{peers_have_changed_});
  hash.Add(next_peers_).Add(next_founder_ask_);
  hash.Add(next_join_ask_).Add(unbind_at_).Add(tokens_seen_);
  for (const NodeId& voter : restarted_voters_) hash.Add(voter);
  hash.Add(last_led_.value_or(SlowInstant::Never()));
  hash.Add(told_of_leader_.value_or(SlowInstant::Never()));
  hash.Add(uint64_t{introduced_as_led_}).Add(leader_guess_).Add(next_guess_);
  hash.Add(uint64_t{guess_answers_}).Add(majority_.Fingerprint());
  for (const NodeId& asked : asked_) hash.Add(asked);
  AddGathered(hash);
  hash.Add(uint64_t{withheld_.size()});
  for (const Outgoing& outgoing : withheld_) {
    hash.Add(outgoing.to).Add(outgoing.after);
    hash.Add(Encode(Envelope{.message = outgoing.message}));
  }
  hash.Add(last_read_);
  for (const auto& [number, asked] : reads_) {
    hash.Add(number).Add(asked.first).Add(asked.second.number);
  }
  hash.Add(expiry_proposed_).Add(expiry_not_before_).Add(next_voter_review_);
  hash.Add(leave_by_)
      .Add(next_leave_intent_)
      .Add(leave_asked_of_)
      .Add(stall_remembered_until_);
  for (const Address& address : broken_links_) hash.Add(address.ToString());
  hash.Add(introductions_since_).Add(static_cast<uint64_t>(introductions_));
  for (const Address& address : other_names_) hash.Add(address.ToString());
  hash.Add(uint64_t{standing_.has_session} * 4 +
           uint64_t{standing_.has_leader} * 2 + uint64_t{standing_.joined});
  return hash.value();
}

// What has been gathered in this turn: most often nothing.
void Node::AddGathered(class Fingerprint& hash) const {
  hash.Add(flush_by_).Add(uint64_t{proposals_.size()});
  if (!proposals_.empty()) hash.Add(EncodeCommands(proposals_));
  hash.Add(uint64_t{forward_.commands.size()});
  if (!forward_.commands.empty()) hash.Add(EncodeCommands(forward_.commands));
  for (const Read& read : forward_.reads) hash.Add(read.number);
  for (const auto& [peer, replies] : replies_) {
    hash.Add(peer).Add(Encode(Envelope{.message = replies}));
  }
}

}  // namespace cachalot
