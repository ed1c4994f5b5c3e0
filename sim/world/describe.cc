#include "sim/world/describe.h"

#include <sstream>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/command.h"
#include "engine/overloaded.h"
#include "engine/wire/codec.h"

namespace cachalot::sim {
namespace {

template <typename T>
std::string Text(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string Facts(const std::vector<MemberFact>& facts) {
  if (facts.empty()) return "";
  return absl::StrCat(
      " {",
      absl::StrJoin(facts, " ",
                    [](std::string* out, const MemberFact& fact) {
                      absl::StrAppend(out, fact.name, ":",
                                      MemberStateName(fact.state), "@",
                                      fact.incarnation);
                    }),
      "}");
}

std::string Position(LogIndex index, Term term) {
  return absl::StrCat(index.value(), "/", term.value());
}

std::string CommandName(const LockCommand& command) {
  return std::visit(
      Overloaded{
          [](const OpenSession&) -> std::string { return "open"; },
          [](const KeepAlive&) -> std::string { return "keep-alive"; },
          [](const CloseSession&) -> std::string { return "close"; },
          [](const Acquire& c) { return absl::StrCat("acquire ", c.key); },
          [](const Renew& c) { return absl::StrCat("renew ", c.key); },
          [](const Release& c) { return absl::StrCat("release ", c.key); },
          [](const Withdraw& c) { return absl::StrCat("withdraw ", c.key); },
          [](const Expire&) -> std::string { return "expire"; },
          [](const BeginTerm&) -> std::string { return "begin term"; },
          [](const Revoke& c) { return absl::StrCat("revoke ", c.key); },
      },
      command);
}

std::string ReplyText(const Reply& reply) {
  const char* const kind = ReplyKindName(reply.kind);
  switch (reply.kind) {
    case Reply::Kind::kOpened:
    case Reply::Kind::kKept:
    case Reply::Kind::kClosed:
    case Reply::Kind::kSessionGone:
    case Reply::Kind::kQuarantined:
      return kind;
    case Reply::Kind::kAnswered:
      return absl::StrCat("#", reply.sequence.value(), " ",
                          OutcomeName(reply.outcome));
    case Reply::Kind::kQueued:
      return absl::StrCat("#", reply.sequence.value(), " ", kind);
    case Reply::Kind::kRevoked:
    case Reply::Kind::kMustRelease:
      return absl::StrCat(kind, " ", reply.key);
  }
  return kind;
}

std::string Describe(const Ping& m) {
  return absl::StrCat("Ping ", m.probe, Facts(m.facts));
}
std::string Describe(const PingRequest& m) {
  return absl::StrCat("PingRequest ", m.probe, Facts(m.facts));
}
std::string Describe(const Ack& m) {
  return absl::StrCat("Ack ", m.probe, Facts(m.facts));
}
std::string Describe(const Nack& m) {
  return absl::StrCat("Nack ", m.probe, Facts(m.facts));
}
std::string Describe(const Gossip& m) {
  return absl::StrCat("Gossip", Facts(m.facts));
}
std::string Describe(const PushPull& m) {
  return absl::StrCat("PushPull", m.is_join ? " join" : "",
                      m.is_reply ? " reply" : "", Facts(m.members));
}
std::string Describe(const VoteRequest& m) {
  return absl::StrCat(m.is_pre_vote ? "PreVoteRequest" : "VoteRequest",
                      " term ", m.term.value(), ", log ends at ",
                      Position(m.last_index, m.last_term),
                      m.is_transfer ? ", by transfer" : "");
}
std::string Describe(const VoteReply& m) {
  return absl::StrCat(m.is_pre_vote ? "PreVoteReply" : "VoteReply", " term ",
                      m.term.value(), m.granted ? " granted" : " refused");
}
std::string Describe(const Append& m) {
  return absl::StrCat("Append term ", m.term.value(), " after ",
                      Position(m.previous_index, m.previous_term), " +",
                      m.entries.size(), ", commit ", m.commit.value());
}
std::string Describe(const AppendReply& m) {
  return absl::StrCat("AppendReply term ", m.term.value(),
                      m.accepted ? " accepted " : " rejected, try ",
                      m.index.value());
}
std::string Describe(const SnapshotChunk& m) {
  return absl::StrCat("SnapshotChunk term ", m.term.value(), " of ",
                      Position(m.index, m.index_term), ", bytes ", m.offset,
                      "+", m.bytes.size(), " of ", m.total);
}
std::string Describe(const SnapshotReply& m) {
  return absl::StrCat("SnapshotReply term ", m.term.value(), " of ",
                      m.index.value(), ", ", m.received, " bytes");
}
std::string Describe(const TimeoutNow& m) {
  return absl::StrCat("TimeoutNow term ", m.term.value());
}
std::string Describe(const LeaveIntent&) { return "LeaveIntent"; }
std::string Describe(const LeaveReply& m) {
  return absl::StrCat("LeaveReply term ", m.term.value());
}
std::string Describe(const Forward& m) {
  return absl::StrCat(
      "Forward",
      m.reads.empty() ? "" : absl::StrCat(" +", m.reads.size(), " reads"), " {",
      absl::StrJoin(m.commands, ", ",
                    [](std::string* out, const LockCommand& c) {
                      absl::StrAppend(out, CommandName(c));
                    }),
      "}");
}
std::string Describe(const Replies& m) {
  return absl::StrCat(
      "Replies",
      m.reads.empty() ? "" : absl::StrCat(" +", m.reads.size(), " reads"), " {",
      absl::StrJoin(m.replies, ", ",
                    [](std::string* out, const Reply& reply) {
                      absl::StrAppend(out, ReplyText(reply));
                    }),
      "}");
}
std::string Describe(const Redirect& m) {
  return absl::StrCat("Redirect term ", m.term.value(), " to ",
                      m.leader.IsNone() ? "nobody" : m.leader.ToShortString(),
                      m.busy ? ", busy" : "");
}
std::string Describe(const BirthInvitation& m) {
  return absl::StrCat("BirthInvitation ", m.attempt, " to ",
                      m.cluster.ToShortString(), ", ", m.voters.size(),
                      " founders");
}
std::string Describe(const BirthAcceptance& m) {
  return absl::StrCat("BirthAcceptance of ", m.cluster.ToShortString());
}

std::string DescribeRequest(const AcquireRequest& r) {
  const std::string ttl = absl::FormatDuration(r.ttl);
  if (r.wait <= absl::ZeroDuration()) {
    return absl::StrCat("try ", r.key, " for ", ttl);
  }
  return absl::StrCat("lock ", r.key, " for ", ttl, ", waits ",
                      absl::FormatDuration(r.wait));
}
std::string DescribeRequest(const RenewRequest& r) {
  return absl::StrCat("renew ", r.key, " ", r.token.ToString(), " for ",
                      absl::FormatDuration(r.ttl));
}
std::string DescribeRequest(const ReleaseRequest& r) {
  return absl::StrCat("release ", r.key, " ", r.token.ToString());
}
std::string DescribeRequest(const ListLocksRequest&) { return "locks"; }
std::string DescribeRequest(const ListMembersRequest&) { return "members"; }
std::string DescribeRequest(const RevokeRequest& r) {
  return absl::StrCat(
      "revoke ", r.key,
      r.token.IsNone() ? "" : absl::StrCat(" ", r.token.ToString()), " (",
      r.reason, ")");
}
std::string DescribeRequest(const ListWaitersRequest& r) {
  return absl::StrCat("waiters of ", r.key);
}

}  // namespace

std::string Describer::Describe(const Message& message) {
  return std::visit([](const auto& m) { return sim::Describe(m); }, message);
}

std::string Describer::Describe(const Request& request) {
  return std::visit([](const auto& r) { return DescribeRequest(r); }, request);
}

std::string Describer::Describe(const Answer& answer) {
  std::string text = OutcomeName(answer.outcome);
  if (answer.holder.has_value()) {
    absl::StrAppend(&text, " by ", answer.holder->holder_name);
  }
  if (!answer.token.IsNone()) {
    absl::StrAppend(&text, ", token ", answer.token.ToString());
  }
  for (const LockInfo& lock : answer.locks) {
    absl::StrAppend(&text, "; ", lock.key, " held by ", lock.holder_name);
  }
  for (const WaiterInfo& waiter : answer.waiters) {
    absl::StrAppend(&text, "; ", waiter.name, " waits");
  }
  for (const MemberInfo& member : answer.members) {
    absl::StrAppend(&text, "; ", member.name, " ",
                    MemberStateName(member.state), " ",
                    MemberRoleName(member.role));
  }
  if (!answer.text.empty()) absl::StrAppend(&text, " (", answer.text, ")");
  return text;
}

std::string Describer::Bytes(const std::string& bytes) const {
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (!envelope.ok()) return absl::StrCat(bytes.size(), " bytes of noise");
  return Describe(envelope->message);
}

std::string Describer::Describe(const Event& event) const {
  return std::visit(
      Overloaded{
          [](const TimeAdvanced&) -> std::string { return ""; },
          [](const TurnEnded&) -> std::string { return ""; },
          [this](const DatagramReceived& e) {
            return absl::StrCat("from ", names_(e.from), ": ", Bytes(e.bytes));
          },
          [this](const FrameReceived& e) {
            return absl::StrCat("from ", names_(e.from), ": ", Bytes(e.bytes));
          },
          [this](const LinkChanged& e) {
            return absl::StrCat("stream to ", names_(e.peer),
                                e.up ? " is up" : " broke");
          },
          [](const SeedsResolved& e) {
            return absl::StrCat(e.seeds.size(), " seeds resolved");
          },
          [](const StateSaved& e) {
            return absl::StrCat("saved ", e.save.value());
          },
          [](const RequestSubmitted& e) {
            return absl::StrCat("is asked: ", Describe(e.body), " (#",
                                e.request.value(), ")");
          },
          [](const RequestWithdrawn& e) {
            return absl::StrCat("#", e.request.value(), " is withdrawn");
          },
          [](const LeaveRequested&) -> std::string {
            return "is asked to leave";
          },
      },
      event);
}

std::string Describer::Describe(const Action& action) const {
  return std::visit(
      Overloaded{
          [this](const SendDatagram& a) {
            return absl::StrCat("to ", names_(a.to), ": ", Bytes(a.bytes));
          },
          [this](const SendFrame& a) {
            return absl::StrCat("to ", names_(a.to), ": ", Bytes(a.bytes));
          },
          [this](const AnswerFrame& a) {
            return absl::StrCat("to ", names_(a.to), ": ", Bytes(a.bytes));
          },
          [](const SaveState& a) {
            return absl::StrCat(
                "save ", a.save.value(), ":",
                a.change.identity.has_value() ? " identity" : "",
                a.change.snapshot.has_value()
                    ? absl::StrCat(" snapshot ",
                                   a.change.snapshot->index.value())
                    : "",
                a.change.entries.empty()
                    ? ""
                    : absl::StrCat(" entries ", a.change.first.value(), "+",
                                   a.change.entries.size()),
                a.change.term.has_value()
                    ? absl::StrCat(" term ", a.change.term->value())
                    : "");
          },
          [](const AnswerRequest& a) {
            return absl::StrCat("answer to #", a.request.value(), ": ",
                                Describe(a.answer));
          },
          [](const NotifyHolder& a) {
            return absl::StrCat(
                "belief in ", a.key, " (#", a.request.value(),
                "): ", BeliefName(a.belief),
                a.belief == Belief::kLost
                    ? absl::StrCat(", ", LossReasonName(a.reason))
                    : "",
                a.text.empty() ? "" : absl::StrCat(" (", a.text, ")"));
          },
          [](const AnnounceStanding& a) {
            return absl::StrCat(
                "standing: ", a.joined ? "joined" : "no cluster",
                a.has_leader ? ", has a leader" : "",
                a.has_session ? ", has a session" : "");
          },
          [](const LeaveCompleted&) -> std::string { return "has left"; },
          [](const AnnounceSession& a) {
            return absl::StrCat("session ", a.session.number,
                                ": believed in until ",
                                a.belief_end.nanoseconds(), "ns");
          },
      },
      action);
}

}  // namespace cachalot::sim
