#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "engine/membership/membership.h"
#include "engine/membership/timing.h"

// How Membership finds out who is silent: probes, helpers and suspicions, and
// how it notices that this node itself is slow or isolated.

namespace cachalot {
namespace {

using Channel = Outgoing::Channel;

std::string Rounded(absl::Duration d) {
  return absl::FormatDuration(absl::Trunc(d, absl::Milliseconds(1)));
}

}  // namespace

void Membership::FireProbe(SlowInstant now, Outbox& out) {
  if (probe_.has_value() && probe_->WantsHelp(now)) AskHelpers(now, out);
  if (probe_.has_value() && probe_->end() <= now) {
    ConcludeProbe(now);
    probe_.reset();
    probe_at_ = now;
  }
  if (!probe_.has_value() && probe_at_ <= now) StartProbe(now, out);
}

void Membership::StartProbe(SlowInstant now, Outbox& out) {
  const std::optional<NodeId> target = probe_rota_.Next(random_);
  if (!target.has_value()) {
    probe_at_ = now + options_.probe_interval;
    return;
  }
  const Probe::Schedule schedule = {
      .ask_at = now + AtHealth(options_.probe_timeout),
      .end = now + AtHealth(options_.probe_interval)};
  probe_.emplace(*target, NextNumber(), schedule);
  Observe([&] {
    return ProbeStarted{.target = *target,
                        .address = list_.Find(*target)->address};
  });
  // If the target is suspect, it is told so here (Lifeguard's buddy system).
  SendTo(*target, list_.Find(*target)->address, Channel::kDatagram,
         Ping{.probe = probe_->number(), .facts = FactsFor(*target)}, out);
}

// The answer is late: asks others to ping the target, and pings it on a stream.
void Membership::AskHelpers(SlowInstant now, Outbox& out) {
  const NodeId target = probe_->target();
  const Address address = list_.Find(target)->address;
  std::vector<NodeId> possible = PresentMembers();
  possible.erase(absl::c_find(possible, target));
  random_.Shuffle(possible);
  // Suspects are asked only if too few members are alive.
  std::stable_partition(possible.begin(), possible.end(), [this](NodeId id) {
    return list_.Find(id)->state == MemberState::kAlive;
  });
  // Members that are not proven come last: they may be invented, and then their
  // silence means nothing.
  std::stable_partition(possible.begin(), possible.end(), [this](NodeId id) {
    return proofs_.ProvenSince(id) != SlowInstant::Never();
  });
  const size_t helpers_possible = possible.size();
  possible.resize(std::min(helpers_possible,
                           static_cast<size_t>(options_.indirect_probes)));
  for (const NodeId& helper : possible) {
    SendTo(helper, list_.Find(helper)->address, Channel::kDatagram,
           PingRequest{.probe = probe_->number(),
                       .target = target,
                       .target_address = address,
                       .timeout = probe_->end() - now,
                       .facts = FactsFor(helper)},
           out);
  }
  const uint64_t stream_number = probe_->number() | kStreamBit;
  SendTo(target, address, Channel::kStream,
         Ping{.probe = stream_number, .facts = FactsFor(target)}, out);
  Note([&] {
    return absl::StrCat(NameOf(target), " did not answer probe ",
                        probe_->number() / 2, possible.empty() ? "" : ", asks ",
                        NamesOf(possible));
  });
  probe_->NoteHelpers(std::move(possible), helpers_possible);
}

// On a stream, since datagrams are lost; without news, since it may be unknown.
// Its answer counts as that of no probe, and is heard all the same.
void Membership::Ask(NodeId id, const Address& address, Outbox& out) {
  SendTo(id, address, Channel::kStream,
         Ping{.probe = NextNumber() | kStreamBit, .facts = {}}, out);
}

// A silent target is accused only if this node can receive (R3).
void Membership::ConcludeProbe(SlowInstant now) {
  switch (probe_->Judge()) {
    case Probe::Verdict::kAnswered:
      health_ = std::max(health_ - 1, 0);
      return;
    case Probe::Verdict::kAccused:
      Accuse(now, probe_->target());
      return;
    case Probe::Verdict::kUnsure:
      ++stats_.unsure;
      // While isolated this is expected, and this node shall not be slow when
      // the isolation ends.
      if (!isolated()) WorsenHealth();
      Note([&] {
        return absl::StrCat(NameOf(probe_->target()),
                            " silent, but so are the others -> health ",
                            health_);
      });
      return;
    case Probe::Verdict::kVoid:
      return;
  }
}

void Membership::Accuse(SlowInstant now, NodeId target) {
  MemberFact fact = *list_.Find(target);
  if (fact.state == MemberState::kSuspect) {
    suspicions_.at(target).Confirm(self_.id);
    return;
  }
  Note([&] { return absl::StrCat(NameOf(target), " silent -> suspect"); });
  fact.state = MemberState::kSuspect;
  Adopt(now, fact, self_.id);
}

void Membership::FireRelays(SlowInstant now, Outbox& out) {
  for (const Relays::Relay& relay : relays_.TakeOverdue(now)) {
    SendTo(relay.asker, relay.asker_address, Channel::kDatagram,
           Nack{.probe = relay.asker_number, .facts = FactsFor(relay.asker)},
           out);
  }
}

// Suspicions that have run out become failures, but not while this node is
// isolated (R4).
void Membership::FireSuspicions(SlowInstant now) {
  if (isolated()) return;
  std::vector<NodeId> expired;
  for (const auto& [id, suspicion] : suspicions_) {
    if (suspicion.deadline() <= now) expired.push_back(id);
  }
  for (const NodeId& id : expired) {
    Note([&] {
      return absl::StrCat(NameOf(id), " suspect for ",
                          Rounded(now - suspicions_.at(id).start()),
                          " -> failed");
    });
    MemberFact fact = *list_.Find(id);
    fact.state = MemberState::kFailed;
    Adopt(now, fact, self_.id);
  }
}

// A node that hears nobody cannot tell whether the others are gone or it is
// itself cut off. With only one other member there is no isolation (R3c).
void Membership::FireIsolation(SlowInstant now) {
  if (IsolationDeadline() > now) return;
  isolated_since_ = now;
  Observe([&] { return Isolated{.silent = now - last_heard_}; });
  Note([&] {
    return absl::StrCat("hears nobody for ", Rounded(now - last_heard_),
                        " -> isolated");
  });
}

// Suspicions continue where they stopped, but none ends before a denial that
// was missed can have come again.
void Membership::EndIsolation(SlowInstant now, NodeId heard) {
  const absl::Duration lost = now - *isolated_since_;
  isolated_since_.reset();
  Observe([&] { return IsolationEnded{.heard = heard}; });
  Note([&] {
    return absl::StrCat("hears ", NameOf(heard), " -> no longer isolated");
  });
  for (auto& [id, suspicion] : suspicions_) {
    suspicion.Postpone(lost);
    suspicion.HoldUntil(now + DenialTime(options_, members()));
    Spread(now, *list_.Find(id));
  }
}

// Messages that arrived while this node was stopped are not read yet, so the
// deadlines that passed meanwhile prove nothing about others.
void Membership::NoteStall(SlowInstant now, absl::Duration lateness) {
  if (lateness <= absl::ZeroDuration()) return;
  WorsenHealth();
  Note([&] {
    return absl::StrCat("stepped ", Rounded(lateness), " late -> health ",
                        health_);
  });
  probe_.reset();
  probe_at_ = now + options_.probe_timeout;
  for (auto& [id, suspicion] : suspicions_) {
    suspicion.Postpone(lateness);
    suspicion.HoldUntil(now + DenialTime(options_, members()));
  }
  deadline_ = FindDeadline();
}

void Membership::WorsenHealth() {
  health_ = std::min(health_ + 1, kHealthWorst);
}

SlowInstant Membership::IsolationDeadline() const {
  if (isolated() || list_.present() < 2) return SlowInstant::Never();
  return last_heard_ + isolation_after_;
}

}  // namespace cachalot
