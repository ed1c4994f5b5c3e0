#include "engine/membership/membership.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/check.h"
#include "engine/fingerprint.h"
#include "engine/limits.h"
#include "engine/membership/timing.h"
#include "engine/overloaded.h"
#include "engine/wire/codec.h"

// What is received, what is believed, and what is sent. Probes and suspicions
// are in membership_probing.cc.

namespace cachalot {
namespace {

using Channel = Outgoing::Channel;

// A deadline in the very next step.
constexpr absl::Duration kSoon = absl::Nanoseconds(1);
constexpr size_t kFactBytesMax = limits::kDatagramBytesMax - kEnvelopeBytesMax;
// To whom a node that leaves says so: reliably to a few, who pass it on, and by
// datagram to more.
constexpr size_t kStreamGoodbyesMax = 3;
constexpr size_t kDatagramGoodbyesMax = 64;
// The limits of the time that a request to ping may name.
constexpr absl::Duration kRelayTimeMin = absl::Milliseconds(1);
constexpr absl::Duration kRelayTimeMax = absl::Minutes(1);
// How long a failed member is remembered that never proved that it exists.
constexpr absl::Duration kGhostMemory = absl::Minutes(1);

bool Accuses(const MemberFact& fact) {
  return fact.state != MemberState::kAlive;
}

// Whether a member that says `news` must be told `known`, because gossip may
// not tell it any more: that the member is gone, or has denied the accusation.
bool IsOutdatedBy(const MemberFact& news, const MemberFact& known) {
  if (!Supersedes(known, news)) return false;
  return !IsPresent(known.state) || Accuses(news);
}

bool SharesSuspicion(const MemberFact& news, const MemberFact& known) {
  return news.state == MemberState::kSuspect &&
         known.state == MemberState::kSuspect &&
         news.incarnation == known.incarnation;
}

}  // namespace

Membership::Membership(MembershipOptions options, NodeId self, Address address,
                       std::string name, std::vector<Address> seeds,
                       Random random, SlowInstant now, Observer* observer)
    : options_(std::move(options)),
      self_({.id = self, .address = address, .name = std::move(name)}),
      random_(random),
      observer_(observer),
      list_(limits::kMembersMax),
      gossip_(self),
      isolation_after_(
          std::max(options_.probe_interval * 2, options_.pause_tolerance)),
      last_heard_(now),
      gossip_at_(now),
      join_at_(now + kSoon),
      join_retry_(options_.join_retry_min) {
  // Random, so that nodes that start together do not fire at the same times.
  probe_at_ = now + JitterUpTo(options_.probe_interval);
  push_pull_at_ = now + JitterUpTo(options_.push_pull_interval);
  reconnect_at_ = now + JitterUpTo(options_.reconnect_interval);
  SetSeeds(now, std::move(seeds));
  deadline_ = FindDeadline();
}

void Membership::Introduce(const Introduction& introduction) {
  introduction_ = introduction;
}

void Membership::SetSeeds(SlowInstant now, std::vector<Address> seeds) {
  seeds.erase(std::remove(seeds.begin(), seeds.end(), self_.address),
              seeds.end());
  if (seeds == seeds_) return;
  seeds_ = std::move(seeds);
  join_retry_ = options_.join_retry_min;
  join_at_ = now + kSoon;
  deadline_ = FindDeadline();
}

void Membership::FireTimers(SlowInstant now, Outbox& out) {
  if (!has_left()) {
    FireIsolation(now);
    FireProbe(now, out);
    FireSuspicions(now);
    FireJoin(now, out);
    FirePushPull(now, out);
    FireReconnect(now, out);
  }
  FireRelays(now, out);
  FireGossip(now, out);
  deadline_ = FindDeadline();
}

SlowInstant Membership::FindDeadline() const {
  SlowInstant next = relays_.NextDeadline();
  if (!gossip_.empty() && !is_alone()) next = std::min(next, gossip_at_);
  if (has_left()) return next;

  next = std::min(next, probe_.has_value() ? probe_->deadline() : probe_at_);
  if (!isolated()) {
    for (const auto& [id, suspicion] : suspicions_) {
      next = std::min(next, suspicion.deadline());
    }
  }
  if (is_alone() && !seeds_.empty()) next = std::min(next, join_at_);
  return std::min({next, IsolationDeadline(), push_pull_at_, reconnect_at_});
}

// --- Hearing ----------------------------------------------------------------

void Membership::Receive(SlowInstant now, NodeId from, const Origin& origin,
                         const MembershipMessage& message, Outbox& out) {
  if (from.IsNone() || from == self_.id) return;
  NoteHeard(now, from);
  Receipt receipt{.now = now, .from = from, .origin = origin};
  std::visit(
      Overloaded{
          [&](const Ping& ping) { TakePing(ping, receipt, out); },
          [&](const PingRequest& request) {
            TakePingRequest(request, receipt, out);
          },
          [&](const Ack& ack) { TakeAck(ack, receipt, out); },
          [&](const Nack& nack) { TakeNack(nack, receipt); },
          [&](const Gossip& gossip) { LearnAll(gossip.facts, receipt); },
          [&](const PushPull& list) { TakePushPull(list, receipt, out); },
      },
      message);
  NoteSpeaker(receipt);
  AnswerSender(receipt, out);
  // A denial does not wait for gossip_at_.
  if (std::exchange(denies_, false)) SendGossip(out);
  deadline_ = FindDeadline();
}

void Membership::NoteHeard(SlowInstant now, NodeId from) {
  last_heard_ = now;
  if (probe_.has_value()) probe_->NoteHeard(from);
  if (isolated()) EndIsolation(now, from);
}

void Membership::TakePing(const Ping& ping, Receipt& receipt, Outbox& out) {
  // Before the answer, which then carries a denial if one is needed.
  LearnAll(ping.facts, receipt);
  Answer(receipt, Ack{.probe = ping.probe, .facts = FactsFor(receipt.from)},
         out);
}

void Membership::TakePingRequest(const PingRequest& request, Receipt& receipt,
                                 Outbox& out) {
  LearnAll(request.facts, receipt);
  if (request.target == self_.id) {
    Answer(receipt,
           Ack{.probe = request.probe, .facts = FactsFor(receipt.from)}, out);
    return;
  }
  if (receipt.origin.on_stream) {
    ++stats_.unserved;
    return;
  }
  const absl::Duration time_left =
      std::clamp(request.timeout, kRelayTimeMin, kRelayTimeMax);
  const uint64_t number = NextNumber();
  const bool is_served = relays_.Add(receipt.now, number,
                                     {.asker = receipt.from,
                                      .asker_address = receipt.origin.source,
                                      .asker_number = request.probe,
                                      .target = request.target,
                                      .nack_at = receipt.now + time_left / 2,
                                      .end = receipt.now + time_left});
  if (!is_served) {
    ++stats_.unserved;
    return;
  }
  // Nobody is pinged at an address that only the request names. If the target
  // is unknown the asker gets a Nack.
  const MemberFact* target = list_.Find(request.target);
  if (target == nullptr) {
    ++stats_.unserved;
    return;
  }
  SendTo(request.target, target->address, Channel::kDatagram,
         Ping{.probe = number, .facts = FactsFor(request.target)}, out);
}

void Membership::TakeAck(const Ack& ack, Receipt& receipt, Outbox& out) {
  LearnAll(ack.facts, receipt);
  if (probe_.has_value() && probe_->NoteAck(receipt.from, ack.probe)) {
    if (probe_->target() == receipt.from) {
      Prove(receipt.now, receipt.from);
      Observe([&] {
        return ProbeAnswered{.target = receipt.from,
                             .on_stream = receipt.origin.on_stream};
      });
    }
    return;
  }
  const std::optional<Relays::Relay> relay =
      relays_.TakeAnswered(receipt.now, receipt.from, ack.probe);
  if (!relay.has_value()) return;
  SendTo(relay->asker, relay->asker_address, Channel::kDatagram,
         Ack{.probe = relay->asker_number, .facts = FactsFor(relay->asker)},
         out);
}

void Membership::TakeNack(const Nack& nack, Receipt& receipt) {
  LearnAll(nack.facts, receipt);
  if (probe_.has_value()) probe_->NoteNack(receipt.from, nack.probe);
}

void Membership::TakePushPull(const PushPull& message, Receipt& receipt,
                              Outbox& out) {
  receipt.is_whole_list = true;
  receipt.is_welcome = receipt.origin.on_stream && is_alone();
  LearnAll(message.members, receipt);
  if (message.is_reply) return;
  PushPull reply = WholeList();
  reply.is_reply = true;
  Answer(receipt, std::move(reply), out);
  receipt.corrections.clear();  // the whole list contains them
}

// Tells the sender what it has missed: facts that its message contradicts, or
// that it is itself believed to be gone. An unknown sender gets the whole list.
void Membership::AnswerSender(Receipt& receipt, Outbox& out) {
  const MemberFact* sender = list_.Find(receipt.from);
  if (sender == nullptr) {
    if (receipt.is_whole_list || list_.full() || has_left()) return;
    if (!answers_.Allow(receipt.now, receipt.from)) return;
    // The answer to a datagram opens a stream to an unknown sender.
    if (!receipt.origin.on_stream && !answers_.AllowStranger(receipt.now)) {
      return;
    }
    Answer(receipt, WholeList(), out);
    return;
  }
  std::vector<MemberFact> facts;
  if (!IsPresent(sender->state)) facts.push_back(*sender);
  for (const MemberFact& fact : receipt.corrections) {
    facts.push_back(fact);
    if (EncodedSizeMax(facts) <= kFactBytesMax) continue;
    facts.pop_back();
    break;
  }
  if (facts.empty() || !answers_.Allow(receipt.now, receipt.from)) return;
  Answer(receipt, Gossip{.facts = std::move(facts)}, out);
}

// Sends the answer to where the message came from. A list does not fit a
// datagram and goes on a stream. That is opened only to the machine from which
// the datagram came: otherwise a datagram could make us connect to any address.
void Membership::Answer(const Receipt& receipt, Message message, Outbox& out) {
  const Origin& origin = receipt.origin;
  if (origin.on_stream) {
    SendTo(receipt.from, origin.source, Channel::kSameStream,
           std::move(message), out);
  } else if (!std::holds_alternative<PushPull>(message)) {
    SendTo(receipt.from, origin.source, Channel::kDatagram, std::move(message),
           out);
  } else if (origin.IsPlausible()) {
    SendTo(receipt.from, origin.claimed, Channel::kStream, std::move(message),
           out);
  } else {
    ++stats_.misdirected;
  }
}

// A message on a stream from the sender's own address proves that it exists.
void Membership::NoteSpeaker(const Receipt& receipt) {
  if (!receipt.origin.on_stream) return;
  const MemberFact* sender = list_.Find(receipt.from);
  if (sender == nullptr || !IsPresent(sender->state)) return;
  if (sender->address.ip != receipt.origin.source.ip) return;
  Prove(receipt.now, receipt.from);
}

// --- Believing --------------------------------------------------------------

void Membership::LearnAll(const std::vector<MemberFact>& facts,
                          Receipt& receipt) {
  for (const MemberFact& news : facts) Learn(news, receipt);
}

// A fact about another member, by SWIM's order of facts (R2).
void Membership::Learn(const MemberFact& news, Receipt& receipt) {
  if (news.id == self_.id) return LearnOfSelf(news, receipt);
  const bool is_plausible = list_.IsPlausible(news, news.id == receipt.from);
  if (news.id.IsNone() || news.address.IsNone() || !is_plausible) {
    ++stats_.implausible;
    return;
  }
  if (!receipt.origin.MayName(news.address)) {
    return RefuseAddress(news, receipt);
  }
  const MemberFact* known = list_.Find(news.id);
  if (known == nullptr) return Meet(news, receipt);
  if (!Supersedes(news, *known)) {
    if (SharesSuspicion(news, *known)) {
      suspicions_.at(news.id).Confirm(receipt.from);
      suspicions_.at(news.id).HoldUntil(receipt.now + kSoon);
    }
    if (IsOutdatedBy(news, *known)) receipt.corrections.push_back(*known);
    return;
  }
  if (news.state == MemberState::kFailed && IsPresent(known->state)) {
    return HearFailed(news, receipt);
  }
  if (!IsPresent(known->state) && IsPresent(news.state)) {
    proofs_.Add(news.id, receipt.origin.source, /*is_newcomer=*/false);
  }
  Adopt(receipt.now, news, receipt.from);
}

// A fact about this node. An accusation is denied; a higher incarnation, of an
// earlier process with this id, is exceeded (R1).
void Membership::LearnOfSelf(const MemberFact& news, Receipt& receipt) {
  if (has_left()) return;
  if (news.incarnation < self_.incarnation) {
    if (Accuses(news)) receipt.corrections.push_back(self_);
    return;
  }
  if (news == self_) return;
  if (news.incarnation - self_.incarnation > kDenialJumpMax) {
    ++stats_.implausible;
    return;
  }
  self_.incarnation = news.incarnation + 1;
  if (Accuses(news)) {
    ++stats_.denials;
    WorsenHealth();
    Observe([&] { return SelfAccused{.by = receipt.from}; });
  }
  Note([&] {
    return absl::StrCat("called ", MemberStateName(news.state), " by ",
                        NameOf(receipt.from), " -> alive in incarnation ",
                        self_.incarnation);
  });
  receipt.corrections.push_back(self_);
  Spread(receipt.now, self_);
  denies_ = true;
}

// The member is on the sender's machine and is known there by its loopback
// address. Only members that are present are reported to the observer.
void Membership::RefuseAddress(const MemberFact& news, const Receipt& receipt) {
  ++stats_.misplaced;
  if (!IsPresent(news.state)) return;
  Observe([&] {
    return AddressRefused{.id = news.id,
                          .name = news.name,
                          .address = news.address,
                          .reported_by = receipt.from,
                          .source = receipt.origin.source};
  });
}

// The first fact about a member that is unknown, or was forgotten.
void Membership::Meet(const MemberFact& news, const Receipt& receipt) {
  if (!IsPresent(news.state)) {
    // Whole lists also name members that have been gone for long. If members
    // learnt of those from each other's lists, they would never be forgotten.
    if (receipt.is_whole_list || list_.full()) return;
    return Adopt(receipt.now, news, receipt.from);
  }
  // What a member says of itself on a stream from its own address is proof.
  const bool is_proof = receipt.origin.on_stream && news.id == receipt.from &&
                        news.address.ip == receipt.origin.source.ip;
  if (!is_proof && !receipt.is_welcome &&
      !proofs_.MayIntroduce(receipt.origin.source)) {
    ++stats_.invented;
    return;
  }
  if (list_.full() && !MakeRoom()) {
    ++stats_.refused;
    return;
  }
  if (news.address == self_.address) {
    // An earlier process on this node's own port.
    MemberFact gone = news;
    gone.state = MemberState::kFailed;
    return Adopt(receipt.now, gone, self_.id);
  }
  proofs_.Add(news.id, receipt.origin.source, /*is_newcomer=*/true);
  Adopt(receipt.now, news, receipt.from);
}

// Another member says that a member which we believe present has failed. That
// makes it suspect here, for the minimal time: after a partition the other side
// reports all members of our side as failed, and they need time to deny it.
void Membership::HearFailed(const MemberFact& news, const Receipt& receipt) {
  MemberFact suspect = news;
  suspect.state = MemberState::kSuspect;
  if (Supersedes(suspect, *list_.Find(news.id))) {
    Adopt(receipt.now, suspect, receipt.from);
  }
  suspicions_.at(news.id).ConfirmFully();
  suspicions_.at(news.id).HoldUntil(receipt.now + kSoon);
}

void Membership::Prove(SlowInstant now, NodeId id) {
  if (!proofs_.Prove(now, id)) return;
  const MemberFact newcomer = *list_.Find(id);
  FailPredecessorsAt(now, newcomer);
}

// A port has one owner and an id lives as long as its process, so a process
// that had the newcomer's address before is gone. This is done when the
// newcomer has proven that it exists, and only for its first proof: otherwise
// two processes that claim one address would replace each other for ever.
void Membership::FailPredecessorsAt(SlowInstant now,
                                    const MemberFact& newcomer) {
  std::vector<MemberFact> gone;
  for (const auto& [id, member] : list_.members()) {
    if (member.address != newcomer.address || id == newcomer.id) continue;
    if (IsPresent(member.state)) gone.push_back(member);
  }
  for (MemberFact& member : gone) {
    Note([&] {
      return absl::StrCat(newcomer.name, " (", newcomer.id.ToShortString(),
                          ") has the address of ", NameOf(member.id), " (",
                          member.id.ToShortString(), ") -> the latter failed");
    });
    member.state = MemberState::kFailed;
    Adopt(now, member, self_.id);
  }
}

bool Membership::MakeRoom() {
  const std::optional<NodeId> evicted = list_.EvictOldestGone();
  if (!evicted.has_value()) return false;
  gossip_.Drop(*evicted);
  ghosts_.erase(*evicted);
  return true;
}

// REQUIRES: `news` supersedes what is known, or nothing is and there is room.
void Membership::Adopt(SlowInstant now, const MemberFact& news,
                       NodeId heard_from) {
  const MemberFact* known = list_.Find(news.id);
  const bool is_new = known == nullptr;
  const MemberState was = is_new ? MemberState::kLeft : known->state;
  const MemberFact& member = list_.Set(now, news);

  if (IsPresent(member.state) != (!is_new && IsPresent(was))) {
    NotePresence(now, member);
  }
  NoteSuspicion(now, member, heard_from);
  Spread(now, member);
  changes_.push_back({.fact = member, .was = was, .is_new = is_new});
  if (is_new || was != member.state) {
    Observe([&] {
      return MemberChanged{.id = member.id,
                           .name = member.name,
                           .address = member.address,
                           .state = member.state,
                           .was = was,
                           .is_new = is_new,
                           .reported_by = heard_from};
    });
  }
  if (heard_from == self_.id || was == member.state) return;
  Note([&] {
    return absl::StrCat(
        NameOf(member.id), is_new ? " is new, " : " is ",
        MemberStateName(member.state), " in incarnation ", member.incarnation,
        ", says ", heard_from == member.id ? "itself" : NameOf(heard_from));
  });
}

void Membership::NotePresence(SlowInstant now, const MemberFact& member) {
  if (IsPresent(member.state)) {
    probe_rota_.Add(member.id, random_);
    gossip_rota_.Add(member.id, random_);
    ghosts_.erase(member.id);
    return;
  }
  const bool is_ghost = member.state == MemberState::kFailed &&
                        proofs_.ProvenSince(member.id) == SlowInstant::Never();
  if (is_ghost) ghosts_.emplace(member.id, now);
  proofs_.Remove(member.id);
  probe_rota_.Remove(member.id);
  gossip_rota_.Remove(member.id);
  if (probe_.has_value() && probe_->target() == member.id) {
    probe_at_ = std::max(probe_->end(), now + kSoon);
    probe_.reset();
  }
  if (!is_alone()) return;
  join_retry_ = options_.join_retry_min;
  join_at_ = now + JitterUpTo(join_retry_);
}

void Membership::NoteSuspicion(SlowInstant now, const MemberFact& member,
                               NodeId heard_from) {
  suspicions_.erase(member.id);
  if (member.state != MemberState::kSuspect) return;
  const absl::Duration min = SuspicionMin(options_, members());
  const Suspicion::Terms terms = {
      .min = min,
      .max = min * options_.suspicion_max_multiplier,
      .confirmations_wanted = ConfirmationsWanted(members())};
  suspicions_.emplace(member.id, Suspicion(now, terms, heard_from));
}

// --- Telling ----------------------------------------------------------------

void Membership::Spread(SlowInstant now, const MemberFact& fact) {
  gossip_.Put(fact);
  // A random part of the interval, as if the timer had never stopped.
  if (gossip_at_ <= now)
    gossip_at_ = now + JitterUpTo(options_.gossip_interval);
}

void Membership::FireGossip(SlowInstant now, Outbox& out) {
  if (now < gossip_at_ || gossip_.empty() || is_alone()) return;
  SendGossip(out);
  gossip_at_ = now + options_.gossip_interval;
  // With only one other member there is nobody to tell about that one.
  if (list_.present() == 1) gossip_.Drop(PresentMembers().front());
}

// To the next members of the rota, not to random ones (R8).
void Membership::SendGossip(Outbox& out) {
  const size_t targets = std::min(static_cast<size_t>(options_.gossip_fanout),
                                  gossip_rota_.size());
  std::vector<NodeId> chosen;
  while (chosen.size() < targets) {
    const NodeId target = *gossip_rota_.Next(random_);
    // A new round of the rota may begin with the member that ended the last.
    if (absl::c_linear_search(chosen, target)) continue;
    chosen.push_back(target);
    std::vector<MemberFact> facts = FactsFor(target);
    if (facts.empty()) continue;
    SendTo(target, list_.Find(target)->address, Channel::kDatagram,
           Gossip{.facts = std::move(facts)}, out);
  }
}

// Asks all seeds at once, and does so for ever: the seed that all others wait
// for may be the last to start.
void Membership::FireJoin(SlowInstant now, Outbox& out) {
  if (now < join_at_ || !is_alone() || seeds_.empty()) return;
  Note([&] {
    return absl::StrCat(
        "alone, asks ",
        absl::StrJoin(seeds_, " ", [](std::string* text, const Address& seed) {
          absl::StrAppend(text, seed.ToString());
        }));
  });
  for (const Address& seed : seeds_) {
    SendIntroduction(seed, /*is_join=*/true, out);
  }
  join_at_ = now + JitterUpTo(join_retry_);
  join_retry_ = std::min(join_retry_ * 2, options_.join_retry_max);
}

void Membership::FirePushPull(SlowInstant now, Outbox& out) {
  if (now < push_pull_at_) return;
  push_pull_at_ = now + PushPullInterval(options_, members());
  if (is_alone()) return;
  const std::vector<NodeId> present = PresentMembers();
  const NodeId partner =
      present[static_cast<size_t>(random_.Below(present.size()))];
  SendTo(partner, list_.Find(partner)->address, Channel::kStream, WholeList(),
         out);
}

// Contacts the addresses of failed members and of missing seeds, so that
// partitions heal and a seed that was restarted is found.
void Membership::FireReconnect(SlowInstant now, Outbox& out) {
  if (now < reconnect_at_) return;
  reconnect_at_ = now + options_.reconnect_interval;
  ReapGone(now);

  const std::vector<Address> lost = LostAddresses();
  if (!lost.empty()) {
    const uint64_t pick = random_.Below(lost.size());
    SendIntroduction(lost[static_cast<size_t>(pick)], /*is_join=*/false, out);
  }
  if (is_alone()) return;  // asks its seeds to join
  for (const Address& seed : LostSeeds()) {
    SendIntroduction(seed, /*is_join=*/false, out);
  }
}

void Membership::ReapGone(SlowInstant now) {
  for (const NodeId& id : list_.Reap(now - options_.reap_after)) {
    gossip_.Drop(id);
    ghosts_.erase(id);
  }
  ReapGhosts(now);
}

// Invented members must not be remembered for long.
void Membership::ReapGhosts(SlowInstant now) {
  for (auto it = ghosts_.begin(); it != ghosts_.end();) {
    if (now - it->second < kGhostMemory) {
      ++it;
      continue;
    }
    list_.ForgetGone(it->first);
    gossip_.Drop(it->first);
    it = ghosts_.erase(it);
  }
}

// The addresses of failed members at which no other member is present. While
// isolated, those of all members: the processes may have been replaced.
std::vector<Address> Membership::LostAddresses() const {
  std::vector<Address> lost;
  for (const auto& [id, member] : list_.members()) {
    const bool is_lost = member.state == MemberState::kFailed
                             ? member.address != self_.address &&
                                   !list_.HasPresentAt(member.address)
                             : isolated() && IsPresent(member.state);
    if (is_lost) lost.push_back(member.address);
  }
  return lost;
}

std::vector<Address> Membership::LostSeeds() const {
  std::vector<Address> lost;
  for (const Address& seed : seeds_) {
    if (isolated() || !list_.HasPresentAt(seed)) lost.push_back(seed);
  }
  return lost;
}

// Only a member itself says that it leaves (R7).
void Membership::Leave(SlowInstant now, Outbox& out) {
  if (has_left()) return;
  self_.state = MemberState::kLeft;
  probe_.reset();
  Spread(now, self_);
  std::vector<NodeId> present = PresentMembers();
  random_.Shuffle(present);
  for (size_t i = 0; i < present.size() && i < kDatagramGoodbyesMax; ++i) {
    const Address& address = list_.Find(present[i])->address;
    SendTo(present[i], address, Channel::kDatagram, Gossip{.facts = {self_}},
           out);
    if (i >= kStreamGoodbyesMax) continue;
    SendTo(present[i], address, Channel::kStream, Gossip{.facts = {self_}},
           out);
  }
  deadline_ = FindDeadline();
}

// The facts to send to `receiver` with this message. If it is accused, that is
// always among them, so that it can deny it.
std::vector<MemberFact> Membership::FactsFor(NodeId receiver) {
  std::vector<MemberFact> facts;
  // After the goodbyes are sent, members that ask are still told.
  if (has_left() && gossip_.Find(self_.id) == nullptr) facts.push_back(self_);
  const MemberFact* known = list_.Find(receiver);
  if (known != nullptr && Accuses(*known)) facts.push_back(*known);
  gossip_.Take(receiver, GossipSendsMax(members()), kFactBytesMax, facts);
  return facts;
}

PushPull Membership::WholeList() const {
  PushPull list = {.token_base = introduction_.token_base,
                   .is_led = introduction_.is_led,
                   .founders = introduction_.founders,
                   .is_first = introduction_.is_first,
                   .ended = introduction_.ended};
  list.members.reserve(list_.members().size() + 1);
  list.members.push_back(self_);
  for (const auto& [id, member] : list_.members()) {
    list.members.push_back(member);
  }
  return list;
}

void Membership::SendTo(NodeId to, const Address& address, Channel channel,
                        Message message, Outbox& out) const {
  out.Send({.to = to,
            .address = address,
            .channel = channel,
            .message = std::move(message)});
}

// Addressed to no id: another process may listen at `address` by now.
void Membership::SendIntroduction(const Address& address, bool is_join,
                                  Outbox& out) const {
  PushPull list = WholeList();
  list.is_join = is_join;
  SendTo(NodeId(), address, Channel::kStream, std::move(list), out);
}

// --- Small things -----------------------------------------------------------

std::vector<Membership::Change> Membership::TakeChanges() {
  return std::exchange(changes_, {});
}

uint64_t Membership::NextNumber() { return last_number_ += 2; }

// In (0, max].
absl::Duration Membership::JitterUpTo(absl::Duration max) {
  return random_.Between(std::min(kSoon, max), max);
}

std::vector<NodeId> Membership::PresentMembers() const {
  std::vector<NodeId> present;
  present.reserve(list_.present());
  for (const auto& [id, member] : list_.members()) {
    if (IsPresent(member.state)) present.push_back(id);
  }
  return present;
}

std::string Membership::NameOf(NodeId id) const {
  const MemberFact* member = list_.Find(id);
  if (member == nullptr || member->name.empty()) return id.ToShortString();
  return member->name;
}

std::string Membership::NamesOf(const std::vector<NodeId>& ids) const {
  return absl::StrJoin(ids, " ", [this](std::string* text, NodeId id) {
    absl::StrAppend(text, NameOf(id));
  });
}

void Membership::CheckInvariants() const {
  CHECK(deadline_ == FindDeadline());
  list_.CheckInvariants();
  CHECK(!list_.members().contains(self_.id));
  CHECK(IsPresent(self_.state) || has_left());
  CHECK(self_.state != MemberState::kSuspect);
  CHECK(health_ >= 0);
  CHECK(health_ <= kHealthWorst);
  CHECK(!denies_);

  const std::vector<NodeId> present = PresentMembers();
  CHECK(probe_rota_.Sorted() == present);
  CHECK(gossip_rota_.Sorted() == present);
  size_t suspects = 0;
  for (const auto& [id, member] : list_.members()) {
    if (member.state == MemberState::kSuspect) {
      ++suspects;
      CHECK(suspicions_.contains(id)) << id;
    }
    const MemberFact* news = gossip_.Find(id);
    CHECK(news == nullptr || *news == member) << id;
  }
  CHECK(suspicions_.size() == suspects);
  CHECK(proofs_.size() == present.size());
  for (const auto& [id, since] : ghosts_) {
    const MemberFact* ghost = list_.Find(id);
    CHECK(ghost != nullptr && !IsPresent(ghost->state)) << id;
  }
  CHECK(gossip_.size() <= list_.members().size() + 1);
  const MemberFact* own_news = gossip_.Find(self_.id);
  CHECK(own_news == nullptr || *own_news == self_);
  CHECK(!isolated() || present.size() >= 2);
  CHECK(!probe_.has_value() || list_.IsKnownPresent(probe_->target()));
}

uint64_t Membership::Fingerprint() const {
  class Fingerprint hash;
  hash.Add(self_.id).Add(self_.incarnation);
  hash.Add(static_cast<uint64_t>(self_.state));
  hash.Add(introduction_.token_base).Add(uint64_t{introduction_.is_led});
  for (const std::string& founder : introduction_.founders) hash.Add(founder);
  hash.Add(uint64_t{introduction_.is_first}).Add(introduction_.ended);
  hash.Add(last_number_).Add(static_cast<uint64_t>(health_));
  hash.Add(last_heard_).Add(isolated_since_.value_or(SlowInstant::Never()));
  hash.Add(probe_at_).Add(gossip_at_).Add(join_at_).Add(join_retry_);
  hash.Add(push_pull_at_).Add(reconnect_at_).Add(uint64_t{changes_.size()});
  hash.Add(Random(random_).Next());  // of a copy: looking changes nothing
  for (const Address& seed : seeds_) hash.Add(seed.ToString());
  for (const auto& [id, suspicion] : suspicions_) {
    hash.Add(id);
    suspicion.AddTo(hash);
  }
  list_.AddTo(hash);
  gossip_.AddTo(hash);
  probe_rota_.AddTo(hash);
  gossip_rota_.AddTo(hash);
  if (probe_.has_value()) probe_->AddTo(hash);
  relays_.AddTo(hash);
  answers_.AddTo(hash);
  proofs_.AddTo(hash);
  for (const auto& [id, since] : ghosts_) hash.Add(id).Add(since);
  return hash.value();
}

}  // namespace cachalot
