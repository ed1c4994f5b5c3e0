#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/consensus/quorum.h"
#include "engine/limits.h"
#include "engine/locks/token_counter.h"
#include "engine/node.h"
#include "engine/wire/codec.h"

// How a node comes to have a cluster: it founds one, joins one, or gives up its
// own for another. Two clusters never have the same id. Nodes that remember
// nothing cannot exclude that two clusters exist for a while; their tokens
// differ then, and rise when one is given up.

namespace cachalot {
namespace {

// A node that has heard nothing of its cluster for this long gives it up and
// starts over under another id. A founder soon knows whether its cluster has a
// leader; an existing cluster may be without one for a while.
constexpr absl::Duration FounderPatience() { return absl::Seconds(3); }
constexpr absl::Duration JoinerPatience() { return absl::Seconds(30); }
// Longer than elections take. A cluster that has had no leader for so long has
// lost its majority, or this node cannot reach it.
constexpr absl::Duration LeaderlessMax() { return absl::Seconds(10); }
constexpr absl::Duration FounderAskInterval() { return absl::Seconds(1); }
constexpr absl::Duration JoinAskInterval() { return absl::Milliseconds(200); }
// Each answer to a stranger is a whole list of members, so answers are limited
// to so many in a period.
constexpr absl::Duration IntroductionsPeriod() { return absl::Seconds(1); }
constexpr int kIntroductionsMax = 256;
// Whose other names are told of.
constexpr size_t kOtherNamesMax = 64;

// Tokens that others of a cluster may have been granted since this node heard
// of the last: as many as 2^28 grants take.
constexpr uint64_t kUnheardTokens = TokenCounter::kStep << 28;
// How far the memory is ahead of the last token, so that it is seldom saved.
constexpr uint64_t kTokensAhead = TokenCounter::kStep << 24;
// Members come and go more often than their addresses need to be saved.
constexpr absl::Duration PeersInterval() { return absl::Seconds(5); }

template <typename Messages>
bool IsOneOf(const Message& message) {
  return std::visit(
      [](const auto& m) {
        return std::is_constructible_v<Messages, decltype(m)>;
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
std::string OpeningPayload(const NodeOptions& options,
                           const Identity& identity) {
  const absl::Duration grace =
      options.consensus.election_timeout + 2 * (options.lease.session_ttl / 3);
  return EncodeCommands({BeginTerm{.grace = grace,
                                   .token_base = identity.token_base,
                                   .quarantine = identity.quarantine}});
}

const MemberFact* FindFact(const PushPull& list, NodeId id) {
  for (const MemberFact& fact : list.members) {
    if (fact.id == id) return &fact;
  }
  return nullptr;
}

}  // namespace

// Decides whether this node takes in a message, and acts on what the message
// says about the sender's cluster.
//
// A sender that names our cluster, or this node's id, has heard of it from a
// member or from us: neither can be guessed. All others are strangers. The
// first message of a node that looks for a cluster is a stranger's, too: a list
// of members, on a stream, addressed to no id. It is a question: it changes
// nothing here, and is answered on its stream. What the stranger then says to
// this node's id, which it knows from our answer, is believed.
bool Node::Admit(const Envelope& envelope, const Origin& origin, Outbox& out) {
  if (envelope.from == identity_.node || envelope.from.IsNone()) {
    ++stats_.misaddressed;
    return false;
  }
  const bool is_list = std::holds_alternative<PushPull>(envelope.message);
  // The source of a datagram may be forged, and the answer would be many times
  // as long as the question.
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
      NoteRestartedVoter(envelope.from, origin);
      AnswerStranger(envelope.from, origin, membership_.WholeList(), out);
    } else {
      ++stats_.strangers;
    }
    return false;
  }
  // Two nodes without a cluster exchange nothing but messages of membership and
  // of births.
  if (!IsOneOf<MembershipMessage>(envelope.message) &&
      !IsOneOf<BirthMessage>(envelope.message)) {
    ++stats_.strangers;
    return false;
  }
  if (list != nullptr) MeetFounder(envelope, *list);
  return true;
}

// A node without a cluster has answered to our id: what it says of itself is
// its own.
void Node::MeetFounder(const Envelope& envelope, const PushPull& list) {
  const MemberFact* const fact = FindFact(list, envelope.from);
  if (fact == nullptr || fact->address != envelope.from_address) return;
  NoteEnd(list.ended);
  birth_.Meet(fact->id, fact->address, fact->name, list);
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
  const Birth::Founding* const birth = birth_.FindBinding(envelope.cluster);
  if (birth != nullptr && envelope.to == identity_.node) {
    AdoptBirth(*birth);
    return true;
  }
  if (list == nullptr || envelope.to != identity_.node) {
    // From a member that does not know us: it looks for other members, or for a
    // process that listened here before. Its cluster may let us join: ask
    // before founding another one.
    AskToJoin(origin, out);
    return false;
  }
  if (list->token_base.number() > limits::kTokenFloorMax) {
    ++stats_.implausible;
    return false;
  }
  // A cluster that never had a leader, or lost it for good, would keep us from
  // one that has.
  if (!list->is_led) return false;
  Adopt(envelope.cluster, list->token_base);
  told_of_leader_ = now_.slow;
  EnterCluster(JoinerPatience());
  client_.Join(now_.fast, TokenFloor());
  return true;
}

// Before the cluster has committed anything, the other founders may give it up
// and look for one again, each at its old address, under another id. Once a
// majority of the voters has done so, nothing can ever be committed: this node
// must not stay in a cluster that exists in its own log only.
void Node::NoteRestartedVoter(NodeId stranger, const Origin& origin) {
  const bool has_agreed_on_nothing = phase_ == Phase::kMember &&
                                     consensus_.leader().IsNone() &&
                                     consensus_.commit() == LogIndex();
  if (!has_agreed_on_nothing || !origin.on_stream || !origin.IsPlausible()) {
    return;
  }
  const Configuration& configuration = consensus_.configuration();
  for (const Voter& voter : configuration.voters) {
    const bool has_restarted = voter.address == origin.claimed &&
                               voter.id != stranger &&
                               voter.id != identity_.node;
    if (has_restarted) restarted_voters_.insert(voter.id);
  }
  const bool can_never_commit =
      !configuration.voters.empty() &&
      HasMajority(configuration.voters,
                  [this](NodeId id) { return restarted_voters_.contains(id); });
  if (!can_never_commit) return;
  StartOver(ClusterDissolved::Reason::kNobodyLeads, ClusterId(), Address());
}

// This process is a seed of one whose cluster has another name, or the other
// way round. Nothing of what it says is taken in. It is answered with our name
// and nothing else, so that its operator, too, reads why they do not meet.
void Node::RefuseOtherName(const Envelope& envelope, const Origin& origin,
                           Outbox& out) {
  ++stats_.other_name;
  const auto* list = std::get_if<PushPull>(&envelope.message);
  if (list == nullptr || !origin.on_stream) return;
  const Address source = origin.SourceListener();
  const bool is_told = other_names_.contains(source);
  if (!is_told && other_names_.size() < kOtherNamesMax) {
    other_names_.insert(source);
    Observe([&] {
      return OtherNameMet{source, list->cluster_name, options_.cluster};
    });
  }
  if (list->is_reply) return;
  AnswerStranger(envelope.from, origin, PushPull{.is_reply = true}, out);
}

// Answers a stranger on the stream on which it asked, mostly with the list of
// members. A sender that then replies to our id has received it, so its address
// is proven.
void Node::AnswerStranger(NodeId stranger, const Origin& origin,
                          PushPull answer, Outbox& out) {
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
            .message = std::move(answer)});
}

void Node::AskToJoin(const Origin& origin, Outbox& out) {
  if (next_join_ask_ > now_.slow || origin.claimed.IsNone()) return;
  next_join_ask_ = now_.slow + JoinAskInterval();
  PushPull introduction{.is_join = true};
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

// The inviter has founded the cluster to which this node is bound.
void Node::AdoptBirth(const Birth::Founding& founding) {
  identity_.quarantine = founding.quarantine;
  is_founder_ = true;
  Adopt(founding.cluster, founding.token_base);
  EnterCluster(FounderPatience());
  client_.Join(now_.fast, TokenFloor());
}

void Node::Adopt(ClusterId cluster, FencingToken token_base) {
  CHECK(identity_.cluster.IsNone());
  Note([&] { return absl::StrCat("join cluster ", cluster.ToShortString()); });
  identity_.cluster = cluster;
  identity_.token_base = token_base;
  tokens_seen_ = std::max(tokens_seen_, token_base);
  Observe([&] { return ClusterJoined{cluster, token_base}; });
}

void Node::EnterCluster(absl::Duration patience) {
  phase_ = Phase::kMember;
  birth_ = Birth();
  // If nothing is heard of this cluster by then, the node may look for another.
  // This is safe: to the others it is a crash.
  unbind_at_ = now_.slow + patience;
  membership_.Introduce({.token_base = identity_.token_base});
  consensus_.SetOpening(OpeningPayload(options_, identity_));
}

// For a node that restarts from its disk. The founding of its cluster may have
// failed, so it waits for a sign of it as one that joins does.
void Node::ComeBackToCluster() { EnterCluster(JoinerPatience()); }

// A member that does not receive the log sees from its session that there is a
// leader.
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

// Keeps the introductions that are sent to strangers up to date.
void Node::NoteLeadership() {
  const bool knows_leader = !consensus_.leader().IsNone();
  if (knows_leader) last_led_ = now_.slow;
  if (is_founder_ ? consensus_.commit() > LogIndex() : IsLed()) {
    unbind_at_ = SlowInstant::Never();
  } else if (is_founder_ && knows_leader) {
    unbind_at_ = now_.slow + FounderPatience();
  }
  if (introduced_as_led_ == IsLed()) return;
  introduced_as_led_ = IsLed();
  membership_.Introduce(
      {.token_base = identity_.token_base, .is_led = introduced_as_led_});
}

// --- Births ------------------------------------------------------------------

bool Node::FoundsAlone() const {
  if (options_.founders.empty()) {
    return options_.bootstrap || options_.force_bootstrap ||
           options_.is_own_seed;
  }
  return options_.founders.size() == 1 && options_.founders[0] == options_.name;
}

// This node knows that it has never been in a cluster of this name.
bool Node::IsFirst() const {
  return (options_.bootstrap || options_.memory.has_value()) &&
         !memory_.remembers_cluster();
}

// A founder that may have forgotten a cluster listens for it first. So does one
// that founds alone: with nobody else to agree, it may have been told wrong.
absl::Duration Node::ListeningTime() const {
  return !FoundsAlone() && IsFirst() ? absl::ZeroDuration()
                                     : options_.birth_delay;
}

// REQUIRES: no cluster.
Birth Node::MakeBirth(absl::Duration listening) {
  const bool remembers =
      options_.memory.has_value() && options_.memory->remembers_cluster();
  if (remembers && !options_.force_bootstrap) return Birth();
  std::vector<std::string> founders = options_.founders;
  if (FoundsAlone()) founders = {options_.name};
  return Birth(std::move(founders),
               {.id = identity_.node,
                .name = options_.name,
                .address = options_.address,
                .is_first = IsFirst(),
                .tokens_seen = TokenFloor(),
                .token_base = FencingToken(options_.token_base)},
               now_.slow + listening, options_.lease.session_ttl,
               Random(random_.Next(), "birth"), options_.observer);
}

// What a node without a cluster says of itself to others.
void Node::IntroduceSeeker() {
  membership_.Introduce(
      {.token_base = TokenFloor(),
       .founders = options_.founders,
       .is_first = IsFirst(),
       .ended = memory_.is_over ? memory_.cluster : ClusterId()});
}

// Another node says that it left `ended` last. If that is the one that this
// node remembers, it has nothing to look for any more: all that have left one
// cluster may found another, whoever was the last.
void Node::NoteEnd(ClusterId ended) {
  if (phase_ != Phase::kSeeking || !memory_.remembers_cluster() ||
      ended != memory_.cluster) {
    return;
  }
  Note([&] {
    return absl::StrCat("cluster ", ended.ToShortString(),
                        " is over -> another may be founded");
  });
  memory_.is_over = true;
  if (options_.memory.has_value()) {
    if (options_.memory->cluster == ended) options_.memory->is_over = true;
    memory_is_saved_ = false;
    consensus_.RequestSave();
  }
  birth_ = MakeBirth(ListeningTime());
  IntroduceSeeker();
}

// The names of the seeds did not resolve when this node started. A node that
// has met another, or has ever been in a cluster, may merely be cut off from
// the others, so it does not found one but goes on looking.
void Node::FoundAfterAll() {
  const bool has_met_nobody = phase_ == Phase::kSeeking &&
                              !memory_.remembers_cluster() &&
                              membership_.others().empty();
  const bool is_settled = FoundsAlone() || !options_.founders.empty();
  if (is_settled || !has_met_nobody) return;
  Note([&] { return "the seeds lead to this node alone -> a founder"; });
  options_.is_own_seed = true;
  birth_ = MakeBirth(ListeningTime());
}

// Founds a cluster if this node was told to (engine/README.md, D4).
void Node::FireBirth(Outbox& out) {
  GiveUpDeadBirth();
  if (phase_ != Phase::kSeeking) return;
  AskMissingFounders(out);
  birth_.FireTimers(now_.slow, out);
  std::optional<Birth::Founding> founding = birth_.TakeFounding();
  if (founding.has_value()) FoundCluster(*std::move(founding), out);
}

// Gossip tells of founders that have not introduced themselves, or whose
// introduction was lost.
void Node::AskMissingFounders(Outbox& out) {
  if (next_founder_ask_ > now_.slow || !birth_.takes_part()) return;
  next_founder_ask_ = now_.slow + FounderAskInterval();
  for (const auto& [id, fact] : membership_.others()) {
    if (fact.state != MemberState::kAlive) continue;
    if (!birth_.MissesFounder(id, fact.name)) continue;
    out.Send({.to = id,
              .address = fact.address,
              .message = membership_.WholeList()});
  }
}

// Gives up a cluster of which this node has heard nothing, or which it founded
// and which has no leader before anything was committed (B4).
void Node::GiveUpDeadBirth() {
  if (unbind_at_ > now_.slow) return;
  unbind_at_ = SlowInstant::Never();
  const bool has_nothing = is_founder_ ? consensus_.commit() == LogIndex()
                                       : consensus_.last_index() == LogIndex();
  if (phase_ == Phase::kMember && has_nothing && consensus_.leader().IsNone()) {
    StartOver(ClusterDissolved::Reason::kNobodyLeads, ClusterId(), Address());
  }
}

// All founders are bound to this birth.
void Node::FoundCluster(Birth::Founding founding, Outbox& out) {
  identity_.cluster = founding.cluster;
  identity_.token_base = founding.token_base;
  identity_.quarantine = founding.quarantine;
  is_founder_ = true;
  tokens_seen_ = std::max(tokens_seen_, identity_.token_base);
  Note([&] {
    return absl::StrCat("found cluster ", identity_.cluster.ToShortString(),
                        " with ", founding.voters.size(), " voters");
  });
  Observe([&] {
    ClusterFounded founded{.cluster = identity_.cluster,
                           .token_base = identity_.token_base,
                           .quarantine = identity_.quarantine};
    for (const Voter& voter : founding.voters) {
      founded.voters.push_back(voter.id);
    }
    return founded;
  });
  EnterCluster(FounderPatience());
  consensus_.Found(now_.slow, std::move(founding.voters), out);
  client_.Join(now_.fast, TokenFloor());
}

// --- Memory ------------------------------------------------------------------

// Keeps `memory_` up to date, and has it saved. A node remembers a cluster once
// something is committed in it: before, nothing can have been granted (B4). So
// the save that acknowledges the first entry from which a grant may follow has
// the memory with it.
void Node::NoteMemory() {
  if (phase_ == Phase::kLeft) return;
  const bool takes_part =
      !identity_.cluster.IsNone() &&
      (consensus_.commit() > LogIndex() || told_of_leader_.has_value());
  bool has_news = false;
  if (takes_part && memory_.cluster != identity_.cluster) {
    memory_.cluster = identity_.cluster;
    memory_.has_left = false;
    memory_.is_over = false;
    has_news = true;
  }
  if (!options_.memory.has_value()) return;
  const FencingToken heard =
      std::max({tokens_seen_, table_.last_token(), client_.tokens_seen()});
  const bool is_ahead =
      heard.IsNone() ||
      memory_.tokens_seen.number() >= limits::kTokenFloorMax ||
      heard.number() + kTokensAhead / 2 <= memory_.tokens_seen.number();
  if (!is_ahead) {
    memory_.tokens_seen = FencingToken(
        std::min(heard.number() + kTokensAhead, limits::kTokenFloorMax));
    has_news = true;
  }
  if (takes_part && peers_have_changed_ &&
      (has_news || next_peers_ <= now_.slow)) {
    peers_have_changed_ = false;
    next_peers_ = now_.slow + PeersInterval();
    std::vector<Address> peers = PeersToRemember();
    if (!peers.empty() && peers != memory_.peers) {
      memory_.peers = std::move(peers);
      has_news = true;
    }
  }
  if (!has_news) return;
  memory_is_saved_ = false;
  consensus_.RequestSave();
}

// Voters first: they stay.
std::vector<Address> Node::PeersToRemember() const {
  std::vector<Address> peers;
  for (const bool voters : {true, false}) {
    for (const auto& [id, fact] : membership_.others()) {
      if (peers.size() == limits::kSeedsMax) break;
      if (fact.state <= MemberState::kSuspect &&
          consensus_.IsVoter(id) == voters) {
        peers.push_back(fact.address);
      }
    }
  }
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

// The node leaves its cluster. If it has the only vote, or leads and nobody
// stays, the cluster ends with it; if no session is open, all its locks are
// free, and another may be founded at any time.
void Node::RememberLeaving() {
  if (!options_.memory.has_value() || memory_.cluster.IsNone()) return;
  memory_.has_left = true;
  const Configuration& configuration = consensus_.configuration();
  const bool is_only_voter =
      configuration.voters.size() == 1 && !configuration.IsJoint();
  memory_.is_over = consensus_.leads() && table_.session_count() == 0 &&
                    (is_only_voter || lets_all_go_);
  memory_is_saved_ = false;
  consensus_.RequestSave();
}

// --- Two clusters ------------------------------------------------------------

// Two clusters have met: one was founded by nodes that had forgotten the other,
// or could not hear it. A cluster without a leader is given up for one that has
// a leader; of two with leaders the younger is given up. Its members join the
// other and report the highest token that they have heard of, so that later
// ones are above those of both. To give up a cluster is safe at any time: to
// those who stay, it is a crash.
//
// A stranger's word alone does not suffice: it is asked first, on its own
// stream, and has to answer to this node's id.
void Node::MeetOtherCluster(const Envelope& envelope, const PushPull& message,
                            const Origin& origin, Outbox& out) {
  if (phase_ != Phase::kMember) return;
  if (message.token_base.number() > limits::kTokenFloorMax) return;
  const bool names_us = envelope.to == identity_.node;
  if (!names_us && !envelope.to.IsNone()) return;
  const auto theirs = std::make_pair(message.token_base, envelope.cluster);
  const auto ours = std::make_pair(identity_.token_base, identity_.cluster);
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
  PushPull answer{.is_reply = names_us,
                  .token_base = identity_.token_base,
                  .is_led = IsLed()};
  answer.members.push_back(membership_.self());
  out.Send({.to = envelope.from,
            .address = origin.source,
            .channel = Outgoing::Channel::kSameStream,
            .message = std::move(answer)});
}

// No token of the cluster that is given up is above it: this node has heard of
// them with the entries of the log or, without it, with each keep-alive.
FencingToken Node::FindTokensSeen() const {
  const FencingToken heard =
      std::max({tokens_seen_, table_.last_token(), client_.tokens_seen()});
  const bool may_have_granted =
      last_led_.has_value() || told_of_leader_.has_value();
  // Who was the only voter has granted all of them itself.
  const std::vector<Voter>& voters = consensus_.configuration().voters;
  const bool was_alone = voters.size() == 1 && voters[0].id == identity_.node;
  if (!may_have_granted || was_alone) return heard;
  const FencingToken above(
      std::min(heard.number() + kUnheardTokens, limits::kTokenFloorMax));
  return std::max(heard, above);
}

// Forgets the cluster and takes another id: no process speaks under an id whose
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
  is_founder_ = false;
  phase_ = Phase::kSeeking;
  membership_ = Membership(options_.membership, identity_.node,
                           options_.address, options_.name, std::move(seeds),
                           Random(random_.Next(), "membership"), now_.slow,
                           options_.observer);
  tokens_seen_ = FindTokensSeen();
  const SaveId last_save = consensus_.last_save();
  consensus_ = Consensus(options_.consensus, identity_.node,
                         Random(random_.Next(), "consensus"), now_.slow,
                         options_.observer);
  consensus_.NumberSavesFrom(last_save);
  identity_saved_ = false;
  table_ = LockTable();
  client_.Dissolve(now_.fast, identity_.node);
  last_led_.reset();
  majority_ = MajorityWatch(options_.consensus);
  told_of_leader_.reset();
  introduced_as_led_ = false;
  restarted_voters_.clear();
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
  // The cluster that this one is given up for is there to be joined, though its
  // answer may take longer than `birth_delay`: without it a founder would found
  // again and again.
  birth_ =
      MakeBirth(other.IsNone() ? ListeningTime()
                               : std::max(ListeningTime(), JoinerPatience()));
  IntroduceSeeker();
  next_join_ask_ = now_.slow;
}

}  // namespace cachalot
