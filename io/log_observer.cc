#include "io/log_observer.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/member.h"
#include "engine/request.h"
#include "io/escape.h"
#include "io/survival_text.h"

namespace cachalot {
namespace {

constexpr absl::Duration LookInterval() { return absl::Seconds(1); }
constexpr absl::Duration SeekingPatience() { return absl::Seconds(5); }
constexpr absl::Duration SeekingInterval() { return absl::Minutes(1); }
// Names of so many are written out in a message.
constexpr size_t kNamesMax = 10;

std::string InWords(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

int64_t Milliseconds(absl::Duration duration) {
  return absl::ToInt64Milliseconds(duration);
}

std::string IdsOf(const std::vector<NodeId>& ids) {
  return absl::StrJoin(ids, " ", [](std::string* text, NodeId id) {
    absl::StrAppend(text, id.ToString());
  });
}

// Nothing if no operator asks about it.
std::optional<LogEvent> EventOf(const MemberChanged& what) {
  switch (what.state) {
    case MemberState::kAlive:
      return !what.is_new && what.was == MemberState::kSuspect
                 ? LogEvent::kMemberRecovered
                 : LogEvent::kMemberJoined;
    case MemberState::kSuspect:
      return what.is_new ? LogEvent::kMemberJoined : LogEvent::kMemberSuspected;
    // Those who went before this node came are no news.
    case MemberState::kFailed:
      if (what.is_new) return std::nullopt;
      return LogEvent::kMemberFailed;
    case MemberState::kLeft:
      if (what.is_new) return std::nullopt;
      return LogEvent::kMemberLeft;
  }
  return std::nullopt;
}

absl::string_view InWords(LogEvent event) {
  switch (event) {
    case LogEvent::kMemberJoined:
      return "is a member";
    case LogEvent::kMemberSuspected:
      return "does not answer";
    case LogEvent::kMemberFailed:
      return "has failed";
    case LogEvent::kMemberRecovered:
      return "answers again";
    default:
      return "has left";
  }
}

absl::string_view InWords(ElectionStarted::Reason reason) {
  switch (reason) {
    case ElectionStarted::Reason::kNoLeader:
      return "no leader is heard, and a majority would vote for this node";
    case ElectionStarted::Reason::kFounding:
      return "it founds the cluster";
    case ElectionStarted::Reason::kHandover:
      return "the leader hands over to it";
  }
  return "";
}

absl::string_view InWords(LeadershipLost::Reason reason) {
  switch (reason) {
    case LeadershipLost::Reason::kNoQuorum:
      return "too few voters answered in time";
    case LeadershipLost::Reason::kHigherTerm:
      return "another node stands or leads in a higher term";
    case LeadershipLost::Reason::kNoVoter:
      return "it is no voter any more and hands over";
  }
  return "";
}

absl::string_view InWords(ClusterDissolved::Reason reason) {
  switch (reason) {
    case ClusterDissolved::Reason::kNobodyLeads:
      return "no leader showed up in time";
    case ClusterDissolved::Reason::kOtherIsOlder:
      return "the other is older";
    case ClusterDissolved::Reason::kOtherHasLeader:
      return "the other has a leader and this one has none";
  }
  return "";
}

std::string ToText(absl::string_view text) { return std::string(text); }

std::string ToText(const SessionId& session) {
  return absl::StrCat(session.node.ToString(), "/", session.number);
}

}  // namespace

bool LogObserver::WantsNotes() const {
  return Logs(log_, LogEvent::kDecision) ||
         (next_ != nullptr && next_->WantsNotes());
}

void LogObserver::Note(absl::string_view decision) {
  LogTo(log_, LogEvent::kDecision, [&] {
    return LogText{ToText(decision), {}};
  });
  if (next_ != nullptr && next_->WantsNotes()) next_->Note(decision);
}

void LogObserver::Observe(const Observation& observation) {
  std::visit([this](const auto& what) { Tell(what); }, observation);
  if (next_ != nullptr) next_->Observe(observation);
}

void LogObserver::Look(FastInstant now) {
  now_ = now;
  if (node_ == nullptr || now < next_look_) return;
  next_look_ = now + LookInterval();
  for (const FlapFilter::News& news : flaps_.TakeDue(now)) {
    WriteMember(*EventOf(news.change), news);
  }
  LookAtSurvival();
  LookForCluster(now);
}

void LogObserver::LookForCluster(FastInstant now) {
  if (!node_->identity().cluster.IsNone() || node_->has_left()) {
    next_seeking_.reset();
    return;
  }
  if (!next_seeking_.has_value()) {
    seeking_since_ = now;
    next_seeking_ = now + SeekingPatience();
  }
  if (now < *next_seeking_) return;
  next_seeking_ = now + SeekingInterval();
  LogTo(log_, LogEvent::kStillSeeking, [&] {
    const std::string seeds = absl::StrJoin(
        node_->options().seeds, ", ", [](std::string* text, const Address& a) {
          absl::StrAppend(text, a.ToString());
        });
    std::vector<NodeId> met;
    for (const auto& [id, fact] : node_->membership().others()) {
      if (fact.state == MemberState::kAlive) met.push_back(id);
    }
    const std::vector<std::string>& founders = node_->options().founders;
    std::string message = absl::StrCat("no cluster found for ",
                                       InWords(now - seeking_since_), ": ");
    if (!met.empty()) {
      absl::StrAppend(&message, NamesOf(met), " have none either");
    } else {
      absl::StrAppend(&message, "nobody answers at ",
                      seeds.empty() ? "any seed" : seeds);
    }
    const ClusterId remembered = node_->memory().cluster;
    const bool looks_for_its_own = node_->memory().remembers_cluster() &&
                                   !node_->options().force_bootstrap;
    if (looks_for_its_own) {
      absl::StrAppend(
          &message, "; remembers cluster ", remembered.ToShortString(),
          " and founds no other: start members of that one; if none will ever "
          "come back, start once with force_bootstrap (--force-bootstrap)");
    } else if (!founders.empty()) {
      absl::StrAppend(&message,
                      "; waits for all founders: ", TextsOf(founders));
    }
    return LogText{std::move(message),
                   {{"seeds", seeds},
                    {"met", uint64_t{met.size()}},
                    {"seeking_ms", Milliseconds(now - seeking_since_)}}};
  });
}

void LogObserver::LookAtSurvival() {
  if (!Logs(log_, LogEvent::kSurvivalChanged)) return;
  Survival survival = node_->FindSurvival();
  const bool is_steady = survival_seen_ == survival;
  survival_seen_ = survival;
  if (!is_steady || survival.voters.empty()) return;
  if (survival_told_ == survival) return;
  survival_told_ = std::move(survival);
  LogTo(log_, LogEvent::kSurvivalChanged, [&] {
    return LogText{DescribeSurvival(*survival_told_),
                   {{"has_majority", survival_told_->has_majority},
                    {"deaths", survival_told_->deaths},
                    {"voters", uint64_t{survival_told_->voters.size()}},
                    {"voters_alive", survival_told_->alive_count()}}};
  });
}

std::string LogObserver::NameOf(NodeId id) const {
  if (node_ == nullptr) return id.ToShortString();
  if (id == node_->id()) return node_->options().name;
  const auto found = node_->membership().others().find(id);
  const bool has_name = found != node_->membership().others().end() &&
                        !found->second.name.empty();
  return has_name ? found->second.name : id.ToShortString();
}

std::string LogObserver::TextsOf(const std::vector<std::string>& texts) {
  return absl::StrJoin(texts, ", ",
                       [](std::string* out, const std::string& text) {
                         absl::StrAppend(out, Escape(text));
                       });
}

std::string LogObserver::NamesOf(const std::vector<NodeId>& ids) const {
  std::vector<std::string> names;
  for (const NodeId& id : ids) {
    if (names.size() == kNamesMax) {
      names.push_back(absl::StrCat(ids.size() - kNamesMax, " more"));
      break;
    }
    names.push_back(Escape(NameOf(id)));
  }
  return absl::StrJoin(names, ", ");
}

void LogObserver::Tell(const LeaderLost& what) const {
  LogTo(log_, LogEvent::kLeaderLost, [&] {
    const std::string name = NameOf(what.leader);
    return LogText{absl::StrCat("heard nothing from the leader, ", Escape(name),
                                ", for ", InWords(what.silent)),
                   {{"term", what.term.value()},
                    {"leader", name},
                    {"leader_id", what.leader.ToString()},
                    {"silent_ms", Milliseconds(what.silent)}}};
  });
}

void LogObserver::Tell(const ElectionStarted& what) const {
  LogTo(log_, LogEvent::kElectionStarted, [&] {
    return LogText{absl::StrCat("stands for election in term ",
                                what.term.value(), ": ", InWords(what.reason)),
                   {{"term", what.term.value()},
                    {"reason", ToText(InWords(what.reason))}}};
  });
}

void LogObserver::Tell(const LeadershipWon& what) const {
  LogTo(log_, LogEvent::kLeadershipWon, [&] {
    return LogText{
        absl::StrCat("leads the cluster in term ", what.term.value()),
        {{"term", what.term.value()}}};
  });
}

void LogObserver::Tell(const LeadershipLost& what) const {
  LogTo(log_, LogEvent::kLeadershipLost, [&] {
    const std::string by = what.by.IsNone() ? "" : NameOf(what.by);
    std::string message = absl::StrCat(
        "no longer leads term ", what.term.value(), ": ", InWords(what.reason));
    if (!by.empty()) absl::StrAppend(&message, " (", Escape(by), ")");
    return LogText{std::move(message),
                   {{"term", what.term.value()},
                    {"reason", ToText(InWords(what.reason))},
                    {"other", by}}};
  });
}

void LogObserver::Tell(const LeaderFollowed& what) const {
  LogTo(log_, LogEvent::kLeaderChanged, [&] {
    const std::string name = NameOf(what.leader);
    return LogText{
        absl::StrCat(Escape(name), " leads term ", what.term.value()),
        {{"term", what.term.value()},
         {"leader", name},
         {"leader_id", what.leader.ToString()}}};
  });
}

void LogObserver::Tell(const VotersChanged& what) const {
  LogTo(log_, LogEvent::kVotersChanged, [&] {
    const bool is_joint = !what.outgoing.empty();
    std::string message = absl::StrCat("voters are ", NamesOf(what.voters));
    if (is_joint) {
      message = absl::StrCat("voters change from ", NamesOf(what.outgoing),
                             " to ", NamesOf(what.voters));
    }
    return LogText{
        std::move(message),
        {{"voters", IdsOf(what.voters)}, {"outgoing", IdsOf(what.outgoing)}}};
  });
}

void LogObserver::Tell(const MemberChanged& what) {
  const std::optional<LogEvent> event = EventOf(what);
  if (!event.has_value()) return;
  const std::optional<FlapFilter::News> news = flaps_.Admit(now_, what);
  if (news.has_value()) return WriteMember(*event, *news);
  LogTo(log_, LogEvent::kDecision, [&] {
    return LogText{Describe(*event, what), {}};
  });
}

void LogObserver::WriteMember(LogEvent event,
                              const FlapFilter::News& news) const {
  LogTo(log_, event, [&] {
    const MemberChanged& what = news.change;
    std::string message = Describe(event, what);
    if (news.held_back > 0) {
      absl::StrAppend(&message, " (it changed ", news.held_back,
                      " times more before)");
    }
    return LogText{std::move(message),
                   {{"member", what.name},
                    {"member_id", what.id.ToString()},
                    {"address", what.address.ToString()},
                    {"reported_by", NameOf(what.reported_by)},
                    {"repeats", news.held_back}}};
  });
}

std::string LogObserver::Describe(LogEvent event,
                                  const MemberChanged& what) const {
  std::string text =
      absl::StrCat(Escape(what.name), " (", what.id.ToShortString(), " at ",
                   what.address.ToString(), ") ", InWords(event));
  const bool is_hearsay = what.reported_by != what.id &&
                          event != LogEvent::kMemberJoined &&
                          event != LogEvent::kMemberLeft;
  if (is_hearsay) {
    absl::StrAppend(&text, ", says ", Escape(NameOf(what.reported_by)));
  }
  return text;
}

void LogObserver::Tell(const Isolated& what) const {
  LogTo(log_, LogEvent::kIsolated, [&] {
    return LogText{
        absl::StrCat("heard no member for ", InWords(what.silent),
                     ": this node is cut off, or all others are gone"),
        {{"silent_ms", Milliseconds(what.silent)}}};
  });
}

void LogObserver::Tell(const IsolationEnded& what) const {
  LogTo(log_, LogEvent::kReconnected, [&] {
    const std::string name = NameOf(what.heard);
    return LogText{absl::StrCat("hears ", Escape(name), " again"),
                   {{"member", name}, {"member_id", what.heard.ToString()}}};
  });
}

void LogObserver::Tell(const MajorityLost& what) const {
  LogTo(log_, LogEvent::kMajorityLost, [&] {
    const Outage& outage = what.outage;
    std::vector<NodeId> ids;
    std::vector<std::string> names;
    std::vector<std::string> addresses;
    absl::Duration silent;
    for (const MissingVoter& voter : outage.missing) {
      ids.push_back(voter.id);
      names.push_back(voter.name.empty() ? voter.id.ToShortString()
                                         : Escape(voter.name));
      addresses.push_back(voter.address.ToString());
      silent = std::max(silent, voter.silent);
    }
    return LogText{DescribeOutage(outage),
                   {{"leaderless_ms", Milliseconds(outage.leaderless)},
                    {"hears_nobody", outage.hears_nobody},
                    {"voters", outage.voters},
                    {"missing", absl::StrJoin(names, ", ")},
                    {"missing_ids", IdsOf(ids)},
                    {"addresses", absl::StrJoin(addresses, " ")},
                    {"silent_ms", Milliseconds(silent)}}};
  });
}

void LogObserver::Tell(const MajorityBack& what) const {
  LogTo(log_, LogEvent::kMajorityBack, [&] {
    return LogText{
        absl::StrCat("a majority of the voters answers again, after ",
                     InWords(what.lost)),
        {{"lost_ms", Milliseconds(what.lost)}}};
  });
}

void LogObserver::Tell(const Stalled& what) const {
  LogTo(log_, LogEvent::kStalled, [&] {
    return LogText{
        absl::StrCat("this process ran ", InWords(what.late),
                     " late: the machine or its container is overloaded, or "
                     "was paused"),
        {{"late_ms", Milliseconds(what.late)}}};
  });
}

void LogObserver::Tell(const ClusterFounded& what) const {
  LogTo(log_, LogEvent::kClusterFounded, [&] {
    std::string message =
        absl::StrCat("founds cluster ", what.cluster.ToShortString(), " with ",
                     NamesOf(what.voters));
    if (what.quarantine > absl::ZeroDuration()) {
      absl::StrAppend(&message, "; grants no lock for ",
                      InWords(what.quarantine),
                      ": an earlier cluster may still have holders");
    }
    return LogText{std::move(message),
                   {{"cluster", what.cluster.ToString()},
                    {"token_base", what.token_base.number()},
                    {"voters", IdsOf(what.voters)},
                    {"quarantine_ms", Milliseconds(what.quarantine)}}};
  });
}

void LogObserver::Tell(const FoundersDiffer& what) const {
  LogTo(log_, LogEvent::kFoundersDiffer, [&] {
    const std::string theirs = TextsOf(what.theirs);
    const std::string ours = TextsOf(what.ours);
    return LogText{
        absl::StrCat("founds nothing with ", Escape(what.name), " at ",
                     what.address.ToString(), ": its founders are ", theirs,
                     ", ours ", ours, "; give all of them the same list"),
        {{"member", what.name},
         {"member_id", what.id.ToString()},
         {"address", what.address.ToString()},
         {"founders", ours},
         {"other_founders", theirs}}};
  });
}

void LogObserver::Tell(const QuarantineMet& what) const {
  LogTo(log_, LogEvent::kQuarantined, [&] {
    return LogText{
        absl::StrCat("no lock is granted for another ", InWords(what.remaining),
                     ": this cluster is new, and holders of an earlier one may "
                     "still believe in their locks"),
        {{"remaining_ms", Milliseconds(what.remaining)}}};
  });
}

void LogObserver::Tell(const ClusterJoined& what) const {
  LogTo(log_, LogEvent::kClusterJoined, [&] {
    return LogText{absl::StrCat("joins cluster ", what.cluster.ToShortString()),
                   {{"cluster", what.cluster.ToString()},
                    {"token_base", what.token_base.number()}}};
  });
}

void LogObserver::Tell(const ClusterDissolved& what) const {
  LogTo(log_, LogEvent::kClusterDissolved, [&] {
    std::string message =
        absl::StrCat("gives up cluster ", what.cluster.ToShortString());
    if (!what.other.IsNone()) {
      absl::StrAppend(&message, " for ", what.other.ToShortString());
    }
    absl::StrAppend(&message, ": ", InWords(what.reason));
    return LogText{
        std::move(message),
        {{"cluster", what.cluster.ToString()},
         {"other_cluster", what.other.IsNone() ? "" : what.other.ToString()},
         {"reason", ToText(InWords(what.reason))}}};
  });
}

void LogObserver::Tell(const OtherNameMet& what) const {
  LogTo(log_, LogEvent::kOtherClusterName, [&] {
    return LogText{
        absl::StrCat("takes nothing from ", what.address.ToString(),
                     ": its cluster is named ", Escape(what.theirs), ", ours ",
                     Escape(what.ours),
                     "; one of the two has the other among its seeds"),
        {{"address", what.address.ToString()},
         {"name", Escape(what.ours)},
         {"other_name", Escape(what.theirs)}}};
  });
}

void LogObserver::Tell(const SessionOpened& what) const {
  LogTo(log_, LogEvent::kSessionOpened, [&] {
    return LogText{absl::StrCat("opened session ", what.session.number),
                   {{"session", ToText(what.session)}}};
  });
}

void LogObserver::Tell(const SessionLost& what) const {
  LogTo(log_, LogEvent::kSessionLost, [&] {
    return LogText{
        absl::StrCat("lost session ", what.session.number,
                     ", with all locks: ", LossReasonName(what.reason)),
        {{"session", ToText(what.session)},
         {"reason", ToText(LossReasonName(what.reason))}}};
  });
}

void LogObserver::Tell(const ExpiryProposed& what) const {
  LogTo(log_, LogEvent::kHoldersExpired, [&] {
    std::vector<NodeId> nodes;
    for (const SessionId& session : what.sessions)
      nodes.push_back(session.node);
    std::string message;
    if (!nodes.empty()) {
      message = absl::StrCat("expires the sessions of ", NamesOf(nodes));
    }
    if (what.locks > 0) {
      absl::StrAppend(&message, message.empty() ? "expires " : " and ",
                      what.locks, what.locks == 1 ? " lock" : " locks",
                      " not renewed in time");
    }
    return LogText{std::move(message),
                   {{"sessions", uint64_t{what.sessions.size()}},
                    {"nodes", IdsOf(nodes)},
                    {"locks", what.locks}}};
  });
}

}  // namespace cachalot
