#include "io/peer_watch.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/member.h"
#include "engine/overloaded.h"
#include "io/escape.h"
#include "io/log_event.h"

namespace cachalot {
namespace {

constexpr absl::Duration LookInterval() { return absl::Seconds(1); }
constexpr absl::Duration WriteInterval() { return absl::Minutes(1); }
// Strangers can cause some of them.
constexpr size_t kProblemsMax = 8;

}  // namespace

void PeerWatch::Observe(const Observation& observation) {
  const FastInstant now = now_->fast;
  std::visit(
      Overloaded{
          [&](const MemberHeard& what) { reachability_.Note(now, what); },
          [&](const ProbeStarted& what) { reachability_.Note(now, what); },
          [&](const ProbeAnswered& what) { reachability_.Note(now, what); },
          [&](const SelfAccused& what) { reachability_.Note(now, what); },
          [&](const AddressRefused& what) { reachability_.Note(now, what); },
          [](const auto&) {}},
      observation);
  if (next_ != nullptr) next_->Observe(observation);
}

void PeerWatch::Look() {
  const FastInstant now = now_->fast;
  if (now < next_look_) return;
  next_look_ = now + LookInterval();
  reachability_.Forget(now);
  for (auto it = written_.begin(); it != written_.end();) {
    it = now - it->second >= WriteInterval() ? written_.erase(it)
                                             : std::next(it);
  }
  if (log_ == nullptr) return;
  for (const Problem& problem : FindProblems()) {
    if (written_.try_emplace(problem.key, now).second) Write(problem);
  }
}

void PeerWatch::Write(const Problem& problem) {
  if (problem.member.IsNone()) {
    LogTo(log_, LogEvent::kAddressDoubtful, [&] {
      return LogText{Escape(problem.text), {{"reason", problem.text}}};
    });
    return;
  }
  peers_log_.Write(now_->fast, LogEvent::kPeerUnreachable, problem.key, [&] {
    return LogText{Escape(problem.text),
                   {{"member", problem.name},
                    {"member_id", problem.member.ToString()},
                    {"source", problem.source.ToString()},
                    {"reason", problem.reason}}};
  });
}

std::vector<std::string> PeerWatch::Problems() const {
  std::vector<std::string> texts;
  const std::vector<Problem> problems = FindProblems();
  for (const Problem& problem : problems) {
    if (texts.size() == kProblemsMax) {
      texts.push_back(absl::StrCat(problems.size() - kProblemsMax,
                                   " more members cannot be reached"));
      break;
    }
    texts.push_back(problem.text);
  }
  return texts;
}

std::vector<PeerWatch::Problem> PeerWatch::FindProblems() const {
  const FastInstant now = now_->fast;
  std::vector<Problem> problems;
  if (std::optional<Problem> own = FindOwnLoopback()) {
    problems.push_back(*std::move(own));
  } else if (const auto unreached = reachability_.FindUnreached(now)) {
    problems.push_back(Describe(*unreached));
  } else if (const auto streamless = reachability_.FindStreamless(now);
             streamless.has_value() && node_->leader().IsNone()) {
    problems.push_back(Describe(*streamless));
  }
  for (const auto& peer : reachability_.FindUnreachable(now)) {
    problems.push_back(Describe(peer));
  }
  for (const AddressRefused& refused : reachability_.FindRefused(now)) {
    problems.push_back(Describe(refused));
  }
  return problems;
}

PeerWatch::Problem PeerWatch::Describe(
    const Reachability::Unreachable& peer) const {
  Problem problem = {.key = peer.address,
                     .member = peer.member,
                     .name = NameOf(peer.member),
                     .source = peer.source,
                     .reason = peer.reason};
  problem.text =
      absl::StrCat(problem.name, " (", peer.member.ToShortString(), " at ",
                   peer.address.ToString(),
                   ") is heard but cannot be reached: ", peer.reason);
  return problem;
}

PeerWatch::Problem PeerWatch::Describe(const AddressRefused& refused) const {
  const Address there = {.ip = refused.source.ip, .port = refused.address.port};
  Problem problem = {
      .key = there,
      .member = refused.id,
      .name = refused.name.empty() ? refused.id.ToShortString() : refused.name,
      .source = refused.source};
  const std::string address =
      absl::StrCat(refused.address.ToString(), refused.address.IsWildcard()
                                                   ? ", where nobody is"
                                                   : ", its own loopback");
  const std::string source = refused.source.HostToString();
  problem.reason =
      refused.reported_by == refused.id
          ? absl::StrCat("it advertises ", address, ", but speaks from ",
                         source)
          : absl::StrCat(NameOf(refused.reported_by), ", which speaks from ",
                         source, ", says that it is at ", address);
  absl::StrAppend(&problem.reason, ": start it with --advertise ",
                  there.ToString());
  problem.text =
      absl::StrCat(problem.name,
                   refused.name.empty()
                       ? ""
                       : absl::StrCat(" (", refused.id.ToShortString(), ")"),
                   " is refused: ", problem.reason);
  return problem;
}

PeerWatch::Problem PeerWatch::Describe(
    const Reachability::Unreached& unreached) const {
  Problem problem;
  problem.text = absl::StrCat(
      "others held ", unreached.times,
      " times within a minute that this member has failed, the last of them ",
      NameOf(unreached.by), ": can they reach it at ",
      node_->options().address.ToString(),
      "? Look at --advertise, NAT and firewalls");
  return problem;
}

PeerWatch::Problem PeerWatch::Describe(
    const Reachability::Streamless& streamless) const {
  Problem problem;
  problem.text = absl::StrCat(
      "no leader has spoken to this member, and nobody has opened a stream to "
      "it, though ",
      NameOf(streamless.heard), " was heard for ",
      absl::FormatDuration(absl::Trunc(streamless.time, absl::Seconds(1))),
      ": can others connect to ", node_->options().address.ToString(),
      "? Look at --advertise, NAT and firewalls");
  return problem;
}

std::optional<PeerWatch::Problem> PeerWatch::FindOwnLoopback() const {
  const Address& own = node_->options().address;
  if (!own.IsLoopback()) return std::nullopt;
  for (const auto& [id, fact] : node_->membership().others()) {
    if (fact.state > MemberState::kSuspect) continue;
    if (node_->IsOfThisMachine(fact.address)) continue;
    Problem problem;
    problem.text = absl::StrCat(
        "this member advertises ", own.ToString(), ", where ", NameOf(id),
        " on another machine (", fact.address.ToString(),
        ") cannot reach it: start it with --advertise and the address by which "
        "others reach this machine");
    return problem;
  }
  return std::nullopt;
}

std::string PeerWatch::NameOf(NodeId id) const {
  const auto found = node_->membership().others().find(id);
  const bool has_name = found != node_->membership().others().end() &&
                        !found->second.name.empty();
  return has_name ? found->second.name : id.ToShortString();
}

}  // namespace cachalot
