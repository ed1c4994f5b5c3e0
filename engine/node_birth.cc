#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/consensus/quorum.h"
#include "engine/limits.h"
#include "engine/node.h"
#include "engine/wire/codec.h"

// How a node comes to have a cluster: it founds one, joins one, or gives up its
// own for an older one. Two clusters must never have one id. Nodes that
// remember nothing cannot exclude that two clusters exist for a while; epochs
// order their tokens then.

namespace cachalot {
namespace {

// A cluster of which nothing has been heard by then is given up: the node
// starts over under another id. A founder knows soon whether its cluster has a
// leader; a cluster that exists may be without one for a while.
constexpr absl::Duration FounderPatience() { return absl::Seconds(3); }
constexpr absl::Duration JoinerPatience() { return absl::Seconds(30); }
// Longer than elections take. A cluster that is without a leader for so long
// has lost its majority, or this node cannot reach it.
constexpr absl::Duration LeaderlessMax() { return absl::Seconds(10); }
// Nodes that could all found a cluster do not try at the same instant.
constexpr absl::Duration FoundingSpread() { return absl::Milliseconds(300); }
constexpr absl::Duration JoinAskInterval() { return absl::Milliseconds(200); }
// Each answer to a stranger is a whole list of members, so answers are limited
// to so many in a period.
constexpr absl::Duration IntroductionsPeriod() { return absl::Seconds(1); }
constexpr int kIntroductionsMax = 256;

bool IsOfMembership(const Message& message) {
  return std::visit(
      [](const auto& m) {
        return std::is_constructible_v<MembershipMessage, decltype(m)>;
      },
      message);
}

std::string DissolutionInWords(ClusterDissolved::Reason reason,
                               ClusterId other) {
  switch (reason) {
    case ClusterDissolved::Reason::kNobodyLeads:
      return "nobody leads this cluster";
    case ClusterDissolved::Reason::kOtherIsOlder:
      return absl::StrCat("cluster ", other.ToShortString(), " is older");
    case ClusterDissolved::Reason::kOtherHasLeader:
      return absl::StrCat("cluster ", other.ToShortString(), " has a leader");
  }
  return "";
}

// The first entry of each term.
std::string OpeningPayload(const NodeOptions& options, Epoch epoch) {
  const absl::Duration grace =
      options.consensus.election_timeout + 2 * (options.lease.session_ttl / 3);
  return EncodeCommands({BeginTerm{.grace = grace, .epoch = epoch}});
}

}  // namespace

// Decides whether a message is for us to read; draws what conclusions there are
// from the sender's cluster.
//
// Whoever names our cluster, or this node's id, has heard of it from a member
// or from us: neither can be guessed. All others are strangers. The first
// message of a node that looks for a cluster is a stranger's, too: a list of
// members to nobody by name, on a stream. It is a question and no more: it
// changes nothing here, and is answered where it came from. What the stranger
// then says to this node by its name, having had our answer, is believed.
bool Node::Admit(const Envelope& envelope, const Origin& origin, Outbox& out) {
  if (envelope.from == identity_.node || envelope.from.IsNone()) {
    ++stats_.misaddressed;
    return false;
  }
  const bool is_list = std::holds_alternative<PushPull>(envelope.message);
  // A datagram may come from somebody else than it says, and its answer would
  // be many times as long.
  if (is_list && !origin.on_stream) {
    ++stats_.lists_in_datagrams;
    return false;
  }
  if (envelope.cluster.IsNone()) {
    return AdmitWithoutCluster(envelope, origin, out);
  }
  if (envelope.cluster != identity_.cluster) {
    return AdmitFromOtherCluster(envelope, origin, out);
  }
  if (envelope.to == identity_.node || (envelope.to.IsNone() && is_list)) {
    return true;
  }
  ++stats_.misaddressed;
  return false;
}

bool Node::AdmitWithoutCluster(const Envelope& envelope, const Origin& origin,
                               Outbox& out) {
  const auto* list = std::get_if<PushPull>(&envelope.message);
  const bool names_us = envelope.to == identity_.node;
  const bool introduces = list != nullptr && (envelope.to.IsNone() || names_us);
  if (!identity_.cluster.IsNone() || !names_us) {
    if (introduces) {
      NoteReborn(envelope.from, origin);
      AnswerStranger(envelope.from, origin, out);
    } else {
      ++stats_.strangers;
    }
    return false;
  }
  // Two without a cluster tell each other who is there, and no more.
  if (!IsOfMembership(envelope.message)) {
    ++stats_.strangers;
    return false;
  }
  if (list == nullptr) return true;
  const bool like_us = options_.bootstrap_expect > 1 &&
                       list->bootstrap_expect ==
                           static_cast<uint32_t>(options_.bootstrap_expect);
  if (like_us && founders_.size() < limits::kVotersMax) {
    founders_.insert(envelope.from);
  }
  return true;
}

bool Node::AdmitFromOtherCluster(const Envelope& envelope, const Origin& origin,
                                 Outbox& out) {
  const auto* list = std::get_if<PushPull>(&envelope.message);
  if (!identity_.cluster.IsNone()) {
    ++stats_.other_cluster;
    if (list != nullptr) MeetOtherCluster(envelope, *list, origin, out);
    return false;
  }
  if (phase_ != Phase::kSeeking) return false;
  if (list == nullptr || envelope.to != identity_.node) {
    // A member that does not know us: it looks for others, or for a process
    // that listened here before. It may let us join, if it exists: ask it
    // before founding another cluster.
    AskToJoin(origin, out);
    return false;
  }
  if (list->epoch.value() > limits::kEpochJoinedMax) {
    ++stats_.implausible;
    return false;
  }
  // A founder invites those that expect as many members as it does. Anybody
  // else must have a leader: a cluster that never had one, or lost it for good,
  // would keep us from one that has.
  const bool is_invitation =
      list->bootstrap_expect > 1 &&
      list->bootstrap_expect ==
          static_cast<uint32_t>(options_.bootstrap_expect);
  if (!is_invitation && !list->is_led) return false;
  Adopt(envelope.cluster, list->epoch, is_invitation);
  return true;
}

// Before anything is agreed on, the other founders may give the cluster up and
// look for one again, each at its old address, under another id. Once a
// majority of the voters has done so, nothing can ever be committed: the last
// one must not stay in a cluster that exists in its own log only.
void Node::NoteReborn(NodeId stranger, const Origin& origin) {
  const bool may_be_stillborn = phase_ == Phase::kMember &&
                                consensus_.leader().IsNone() &&
                                consensus_.commit() == LogIndex();
  if (!may_be_stillborn || !origin.on_stream || !origin.IsPlausible()) return;
  const Configuration& configuration = consensus_.configuration();
  for (const Voter& voter : configuration.voters) {
    const bool is_gone = voter.address == origin.claimed &&
                         voter.id != stranger && voter.id != identity_.node;
    if (is_gone) reborn_.insert(voter.id);
  }
  const bool is_stillborn =
      !configuration.voters.empty() &&
      HasMajority(configuration.voters,
                  [this](NodeId id) { return reborn_.contains(id); });
  if (!is_stillborn) return;
  StartOver(ClusterDissolved::Reason::kNobodyLeads, ClusterId(), Address());
}

// Tells a stranger who is here, on the stream on which it asked. Whoever
// replies to that by our id has received it, so its address is proven.
void Node::AnswerStranger(NodeId stranger, const Origin& origin, Outbox& out) {
  if (now_.slow - introductions_since_ >= IntroductionsPeriod()) {
    introductions_since_ = now_.slow;
    introductions_ = 0;
  }
  if (introductions_ >= kIntroductionsMax) {
    ++stats_.strangers;
    return;
  }
  ++introductions_;
  out.Send({.to = stranger,
            .address = origin.source,
            .channel = Outgoing::Channel::kSameStream,
            .message = membership_.WholeList()});
}

void Node::AskToJoin(const Origin& origin, Outbox& out) {
  if (next_join_ask_ > now_.slow || origin.claimed.IsNone()) return;
  next_join_ask_ = now_.slow + JoinAskInterval();
  PushPull introduction{
      .is_join = true,
      .bootstrap_expect = static_cast<uint32_t>(options_.bootstrap_expect)};
  introduction.members.push_back(membership_.self());
  if (origin.on_stream) {
    out.Send({.address = origin.source,
              .channel = Outgoing::Channel::kSameStream,
              .message = std::move(introduction)});
  } else {
    out.Send({.address = origin.SourceListener(),
              .message = std::move(introduction)});
  }
}

void Node::Adopt(ClusterId cluster, Epoch epoch, bool is_invitation) {
  CHECK(identity_.cluster.IsNone());
  Note([&] { return absl::StrCat("join cluster ", cluster.ToShortString()); });
  identity_.cluster = cluster;
  identity_.epoch = epoch;
  epoch_seen_ = std::max(epoch_seen_, epoch);
  Observe([&] { return ClusterJoined{cluster, epoch}; });
  if (!is_invitation) told_of_leader_ = now_.slow;
  EnterCluster(is_invitation ? FounderPatience() : JoinerPatience());
  client_.Join(now_.fast, EpochFloor());
}

void Node::EnterCluster(absl::Duration patience) {
  phase_ = Phase::kMember;
  birth_at_ = SlowInstant::Never();
  // If nothing is heard of this cluster by then, the node may look for another:
  // it has accepted no entry, and a vote that it gave belongs to an id that is
  // never used again.
  unbind_at_ = now_.slow + patience;
  membership_.Introduce({.epoch = identity_.epoch});
  consensus_.SetOpening(OpeningPayload(options_, identity_.epoch));
}

// Of a node with a disk. The founding of that cluster may have failed.
void Node::ComeBackToCluster() { EnterCluster(JoinerPatience()); }

// A member without the log knows it from its session.
bool Node::IsLed() const {
  return client_.session_belief_end() > now_.fast ||
         (last_led_.has_value() && now_.slow - *last_led_ < LeaderlessMax());
}

// A node that has just joined was told that there is a leader, but may not have
// heard it yet.
bool Node::MayBeLed() const {
  return IsLed() || (told_of_leader_.has_value() &&
                     now_.slow - *told_of_leader_ < LeaderlessMax());
}

// Keeps what we tell strangers of our cluster up to date.
void Node::NoteLeadership() {
  if (!consensus_.leader().IsNone()) last_led_ = now_.slow;
  if (IsLed()) unbind_at_ = SlowInstant::Never();
  if (introduced_as_led_ == IsLed()) return;
  introduced_as_led_ = IsLed();
  membership_.Introduce(
      {.epoch = identity_.epoch, .is_led = introduced_as_led_});
}

// Its name was not known when it started. One that has met anybody, or has ever
// been in a cluster, may have lost them: it goes on looking.
void Node::FoundAfterAll() {
  const bool has_met_nobody = phase_ == Phase::kSeeking &&
                              epoch_seen_ == Epoch() &&
                              membership_.others().empty();
  if (options_.bootstrap_expect != 0 || !has_met_nobody) return;
  Note([&] { return "the seeds lead to this node alone -> a founder"; });
  options_.bootstrap_expect = 1;
  birth_at_ = now_.slow + options_.birth_delay;
  membership_.Introduce({.epoch = Epoch(), .bootstrap_expect = 1});
}

void Node::FireBirth(Outbox& out) {
  if (phase_ == Phase::kSeeking && options_.bootstrap_expect > 1 &&
      birth_at_ == SlowInstant::Never()) {
    const size_t needed = static_cast<size_t>(options_.bootstrap_expect) - 1;
    if (founders_.size() >= needed) {
      birth_at_ =
          now_.slow + random_.Between(absl::Nanoseconds(1), FoundingSpread());
    }
  }
  if (unbind_at_ <= now_.slow) {
    unbind_at_ = SlowInstant::Never();
    const bool has_log = consensus_.last_index() > LogIndex();
    if (phase_ == Phase::kMember && !has_log && consensus_.leader().IsNone()) {
      StartOver(ClusterDissolved::Reason::kNobodyLeads, ClusterId(), Address());
    }
  }
  if (birth_at_ > now_.slow) return;
  birth_at_ = SlowInstant::Never();
  if (phase_ != Phase::kSeeking) return;
  std::vector<Voter> voters = {
      {.id = identity_.node, .address = options_.address}};
  for (const NodeId& id : founders_) {
    const auto member = membership_.others().find(id);
    const bool is_alive = member != membership_.others().end() &&
                          member->second.state == MemberState::kAlive;
    if (!is_alive) continue;
    if (voters.size() < static_cast<size_t>(options_.bootstrap_expect)) {
      voters.push_back({.id = id, .address = member->second.address});
    }
  }
  if (voters.size() < static_cast<size_t>(options_.bootstrap_expect)) return;
  FoundCluster(std::move(voters), out);
}

// Each node binds itself to one cluster at most under one name, and a majority
// of the founders must do so before anything is agreed on: of two attempts with
// a founder in common, one succeeds.
void Node::FoundCluster(std::vector<Voter> voters, Outbox& out) {
  identity_.cluster =
      ClusterId{.high = random_.Next(), .low = random_.Next() | 1};
  identity_.epoch =
      Epoch(std::min(std::max(options_.birth_epoch, epoch_seen_.value() + 1),
                     limits::kEpochJoinedMax));
  epoch_seen_ = identity_.epoch;
  Note([&] {
    return absl::StrCat("found cluster ", identity_.cluster.ToShortString(),
                        " with ", voters.size(), " voters");
  });
  Observe([&] {
    ClusterFounded founded{identity_.cluster, identity_.epoch, {}};
    for (const Voter& voter : voters) founded.voters.push_back(voter.id);
    return founded;
  });
  EnterCluster(FounderPatience());
  PushPull invitation{
      .is_reply = true,
      .epoch = identity_.epoch,
      .bootstrap_expect = static_cast<uint32_t>(options_.bootstrap_expect)};
  invitation.members.push_back(membership_.self());
  for (const auto& [id, fact] : membership_.others()) {
    invitation.members.push_back(fact);
  }
  for (const Voter& voter : voters) {
    if (voter.id == identity_.node) continue;
    out.Send({.to = voter.id, .address = voter.address, .message = invitation});
  }
  consensus_.Found(now_.slow, std::move(voters), out);
  client_.Join(now_.fast, EpochFloor());
}

// Two clusters have met: one was founded by nodes that had forgotten the other,
// or could not hear it. One that has no leader is given up for one that has; of
// two that have one, the younger is given up. Its members join the other and
// bring the higher epoch along, so that tokens granted from then on are above
// those of both. To give a cluster up is safe at any time: to those who stay in
// it, it is a crash.
//
// Nothing is given up for what a stranger says: it is asked first, on its own
// stream, and has to answer this node by its name.
void Node::MeetOtherCluster(const Envelope& envelope, const PushPull& message,
                            const Origin& origin, Outbox& out) {
  if (phase_ != Phase::kMember) return;
  if (message.epoch.value() > limits::kEpochJoinedMax) return;
  const bool names_us = envelope.to == identity_.node;
  if (!names_us && !envelope.to.IsNone()) return;
  const auto theirs = std::make_pair(message.epoch, envelope.cluster);
  const auto ours = std::make_pair(identity_.epoch, identity_.cluster);
  const bool is_better = message.is_led && (theirs < ours || !MayBeLed());
  if (is_better && names_us) {
    StartOver(theirs < ours ? ClusterDissolved::Reason::kOtherIsOlder
                            : ClusterDissolved::Reason::kOtherHasLeader,
              envelope.cluster, origin.SourceListener());
    AskToJoin(origin, out);
    return;
  }
  const bool is_worth_asking = is_better && !names_us;
  const bool is_worth_telling = IsLed() && !message.is_reply;
  if (!is_worth_asking && !is_worth_telling) return;
  if (next_join_ask_ > now_.slow) return;
  next_join_ask_ = now_.slow + JoinAskInterval();
  PushPull answer{
      .is_reply = names_us, .epoch = identity_.epoch, .is_led = IsLed()};
  answer.members.push_back(membership_.self());
  out.Send({.to = envelope.from,
            .address = origin.source,
            .channel = Outgoing::Channel::kSameStream,
            .message = std::move(answer)});
}

// Forgets the cluster, and with it the id: no process speaks under an id whose
// promises it has forgotten (engine/README.md, D1).
void Node::StartOver(ClusterDissolved::Reason reason, ClusterId other,
                     const Address& hint) {
  Observe([&] { return ClusterDissolved{identity_.cluster, reason, other}; });
  Note([&] {
    return absl::StrCat(DissolutionInWords(reason, other),
                        " -> start over under another name");
  });
  std::vector<Address> seeds = options_.seeds;
  if (!hint.IsNone()) seeds.push_back(hint);
  for (const auto& [id, fact] : membership_.others()) {
    if (fact.state <= MemberState::kSuspect &&
        seeds.size() < limits::kSeedsMax) {
      seeds.push_back(fact.address);
    }
  }
  std::sort(seeds.begin(), seeds.end());
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  identity_ = Identity{
      .node = NodeId{.high = random_.Next(), .low = random_.Next() | 1}};
  phase_ = Phase::kSeeking;
  membership_ = Membership(options_.membership, identity_.node,
                           options_.address, options_.name, std::move(seeds),
                           Random(random_.Next(), "membership"), now_.slow,
                           options_.observer);
  membership_.Introduce(
      {.epoch = Epoch(),
       .bootstrap_expect = static_cast<uint32_t>(options_.bootstrap_expect)});
  // Its tokens may have risen above the epoch of its birth.
  epoch_seen_ = std::max(epoch_seen_, table_.epoch());
  const SaveId last_save = consensus_.last_save();
  consensus_ = Consensus(options_.consensus, identity_.node,
                         Random(random_.Next(), "consensus"), now_.slow,
                         options_.observer);
  consensus_.NumberSavesFrom(last_save);
  identity_saved_ = false;
  table_ = LockTable(Epoch());
  client_.Dissolve(now_.fast, identity_.node);
  last_led_.reset();
  told_of_leader_.reset();
  introduced_as_led_ = false;
  founders_.clear();
  reborn_.clear();
  withheld_.clear();
  proposals_.clear();
  forward_ = Forward();
  replies_.clear();
  reads_.clear();
  expiry_proposed_ = LogIndex();
  leader_guess_ = NodeId();
  guess_answers_ = false;
  next_guess_ = now_.slow;
  asked_.clear();
  unbind_at_ = SlowInstant::Never();
  birth_at_ = options_.bootstrap_expect == 1 ? now_.slow + options_.birth_delay
                                             : SlowInstant::Never();
  next_join_ask_ = now_.slow;
}

}  // namespace cachalot
