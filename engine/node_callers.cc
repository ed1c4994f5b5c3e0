#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "engine/limits.h"
#include "engine/node.h"

// How the requests of this node's callers reach the leader, and how the answers
// come back.

namespace cachalot {
namespace {

// How long a guess at the leader is tried before the next one, and how long a
// guess that has answered may leave a request without an answer.
constexpr absl::Duration GuessInterval() { return absl::Milliseconds(200); }
constexpr absl::Duration GuessPatience() { return absl::Milliseconds(500); }
// The leader may change a few times before the first one answers.
constexpr size_t kAskedMax = 8;

// The session to which the command belongs; nothing: it is the leader's own.
std::optional<SessionId> SessionOf(const LockCommand& command) {
  return std::visit(
      [](const auto& body) -> std::optional<SessionId> {
        if constexpr (requires { body.session; }) return body.session;
        return std::nullopt;
      },
      command);
}

}  // namespace

void Node::UpdateLeader() {
  NodeId leader = consensus_.leader();
  if (!leader.IsNone()) {
    leader_guess_ = NodeId();
    guess_answers_ = false;
    next_guess_ = now_.slow;
  } else if (!identity_.cluster.IsNone()) {
    if (next_guess_ <= now_.slow) {
      next_guess_ = now_.slow + GuessInterval();
      guess_answers_ = false;
      std::vector<NodeId> alive;
      for (const auto& [id, fact] : membership_.others()) {
        if (fact.state == MemberState::kAlive) alive.push_back(id);
      }
      leader_guess_ =
          alive.empty() ? NodeId() : alive[random_.Below(alive.size())];
    }
    leader = leader_guess_;
  }
  client_.NoteLeader(now_.fast, leader);
}

void Node::OnForward(NodeId from, Forward forward, Outbox& out) {
  const bool busy = proposals_.size() + forward.commands.size() >
                    limits::kProposalsPerTurnMax;
  if (!consensus_.leads() || busy) {
    SendRedirect(from, busy, out);
    return;
  }
  for (LockCommand& command : forward.commands) {
    // The leader alone decides what has expired and when a term begins
    // (engine/consensus/README.md, rule 15).
    const std::optional<SessionId> session = SessionOf(command);
    if (!session.has_value()) {
      ++stats_.undecodable;
    } else if (session->node != from) {
      // A node may send commands for its own sessions only. If it could close
      // another node's session, that session's locks would be granted to others
      // while their holders believe in them.
      ++stats_.impersonations;
    } else {
      proposals_.push_back(std::move(command));
    }
  }
  for (Read& read : forward.reads) {
    if (reads_.size() >= limits::kProposalsPerTurnMax) break;
    reads_[++last_read_] = {from, std::move(read)};
    consensus_.RequestRead(last_read_);
  }
}

void Node::SendRedirect(NodeId to, bool busy, Outbox& out) {
  Redirect redirect{.term = consensus_.term(), .busy = busy};
  const NodeId leader = consensus_.leader();
  if (!leader.IsNone()) {
    redirect.leader = leader;
    redirect.address = AddressOf(leader).value_or(Address());
  }
  out.Send({.to = to, .message = std::move(redirect)});
}

bool Node::MayAnswer(NodeId from) const {
  return from == consensus_.leader() || from == leader_guess_ ||
         std::find(asked_.begin(), asked_.end(), from) != asked_.end();
}

void Node::OnReplies(NodeId from, const Replies& replies) {
  if (!MayAnswer(from)) {
    ++stats_.unasked;
    return;
  }
  if (consensus_.leader().IsNone()) {
    leader_guess_ = from;
    guess_answers_ = true;
    next_guess_ = SlowInstant::Never();
  }
  for (const Reply& reply : replies.replies) client_.Receive(now_.fast, reply);
  for (const ReadResult& read : replies.reads) client_.Receive(now_.fast, read);
}

void Node::OnRedirect(NodeId from, const Redirect& redirect) {
  if (!MayAnswer(from)) {
    ++stats_.unasked;
    return;
  }
  if (redirect.busy) {
    client_.NoteBusy(now_.fast);
    return;
  }
  // Our own log knows better.
  if (!consensus_.leader().IsNone()) return;
  if (redirect.leader.IsNone() || redirect.leader == identity_.node) return;
  // A guess that answers is replaced on its own word only.
  if (guess_answers_ && from != leader_guess_) return;
  leader_guess_ = redirect.leader;
  guess_answers_ = false;
  next_guess_ = now_.slow + GuessInterval();
}

void Node::AnswerReads(Outbox& out) {
  if (reads_.empty()) return;
  for (const uint64_t lost : consensus_.TakeLostReads()) reads_.erase(lost);
  for (const uint64_t ready : consensus_.TakeReads()) {
    const auto found = reads_.find(ready);
    if (found == reads_.end()) continue;
    const auto [from, read] = std::move(found->second);
    reads_.erase(found);
    ReadResult result{.number = read.number};
    std::visit([&](const auto& what) { LookUp(what, result); }, read.what);
    if (from == identity_.node) {
      client_.Receive(now_.fast, result);
    } else {
      Replies replies;
      replies.reads.push_back(std::move(result));
      out.Send({.to = from, .message = std::move(replies)});
    }
  }
}

void Node::LookUp(const ListLocksRequest& what, ReadResult& result) const {
  result.locks = table_.List(what, consensus_.TimeAt(now_.slow), &result.more);
}

void Node::LookUp(const ListMembersRequest&, ReadResult& result) const {
  result.members = Members();
}

void Node::LookUp(const ListWaitersRequest& what, ReadResult& result) const {
  result.holder = table_.Find(what.key, consensus_.TimeAt(now_.slow));
  result.waiters = table_.ListWaiters(what, &result.more);
}

void Node::NoteAsked(NodeId leader) {
  const auto place = std::find(asked_.begin(), asked_.end(), leader);
  if (place != asked_.end()) {
    std::rotate(asked_.begin(), place, place + 1);
  } else {
    asked_.insert(asked_.begin(), leader);
    if (asked_.size() > kAskedMax) asked_.pop_back();
  }
  if (consensus_.leader().IsNone()) {
    next_guess_ = std::min(next_guess_, now_.slow + GuessPatience());
  }
}

NodeId Node::leader() const {
  if (!consensus_.leader().IsNone()) return consensus_.leader();
  return guess_answers_ ? leader_guess_ : NodeId();
}

bool Node::has_table_copy() const {
  if (consensus_.applied() == LogIndex()) return false;
  return consensus_.IsVoter(identity_.node) || !consensus_.leader().IsNone();
}

Answer Node::LocalLocks(const ListLocksRequest& request, const Now& now) const {
  Answer answer;
  if (!has_table_copy()) {
    answer.outcome = Outcome::kUnavailable;
    answer.text =
        identity_.cluster.IsNone()
            ? "this member has not found its cluster yet"
            : "this member keeps no copy of the table of locks: ask the "
              "leader, with GetLocks() or without --local";
    return answer;
  }
  answer.outcome = Outcome::kOk;
  answer.locks =
      table_.List(request, consensus_.TimeAt(now.slow), &answer.more);
  return answer;
}

}  // namespace cachalot
