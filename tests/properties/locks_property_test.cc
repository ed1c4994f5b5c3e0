// Properties of what the lock table is made of, and of the table beside its
// model. (Longer histories: tests/engine/locks/lock_table_property_test.cc.)

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/locks/closed_sessions.h"
#include "engine/locks/lock.h"
#include "engine/locks/lock_table.h"
#include "engine/locks/memos.h"
#include "engine/locks/sessions.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"
#include "sim/judge/lock_model.h"
#include "tests/engine/locks/command_generator.h"

namespace cachalot {
namespace {

// In [low, high].
uint64_t Between(uint64_t low, uint64_t high) {
  return *rc::gen::inRange<uint64_t>(low, high + 1);
}

SessionId SessionOf(uint64_t node, uint64_t number = 1) {
  return {.node = {.high = 1, .low = node}, .number = number};
}

// --- Memos beside a map ------------------------------------------------------

bool IsSame(const Memo& a, const Memo& b) {
  if (a.index() != b.index()) return false;
  if (const auto* waiting = std::get_if<Waiting>(&a)) {
    return waiting->ticket == std::get<Waiting>(b).ticket;
  }
  if (const auto* decided = std::get_if<Decided>(&a)) {
    return decided->outcome == std::get<Decided>(b).outcome;
  }
  return true;
}

Memo DrawMemo() {
  if (Between(0, 2) == 0) return Waiting{.ticket = Ticket(Between(1, 9))};
  return Decided{.outcome = static_cast<Outcome>(Between(0, 5))};
}

RC_GTEST_PROP(MemosProperty, DoesWhatAMapDoes, ()) {
  Memos memos;
  std::map<uint64_t, Memo> model;
  uint64_t first = 1;
  for (uint64_t steps = Between(1, 40); steps > 0; --steps) {
    const uint64_t sequence = Between(first < 4 ? 0 : first - 4, first + 12);
    if (Between(0, 3) == 0) {
      first = std::max(first, sequence);
      memos.ForgetBelow(Sequence(sequence));
    } else {
      const Memo memo = DrawMemo();
      memos.Put(Sequence(sequence), memo);
      model[sequence] = memo;
    }
    // Below the window only what waits is remembered.
    for (auto it = model.begin(); it != model.end() && it->first < first;) {
      const bool waits = std::holds_alternative<Waiting>(it->second);
      it = waits ? std::next(it) : model.erase(it);
    }
    RC_ASSERT(memos.first() == Sequence(first));
    for (uint64_t s = 0; s < first + 20; ++s) {
      const auto found = model.find(s);
      const Memo expected = found == model.end() ? Memo() : found->second;
      RC_ASSERT(IsSame(memos.Find(Sequence(s)), expected));
      RC_ASSERT(memos.IsForgotten(Sequence(s)) == (s < first));
    }
  }
}

RC_GTEST_PROP(MemosProperty, TheWindowIsAsWideAsTheLimitWhereverItBegins, ()) {
  Memos memos;
  const uint64_t first = *rc::gen::oneOf(
      rc::gen::inRange<uint64_t>(1, 100),
      rc::gen::inRange<uint64_t>(UINT64_MAX - 100000, UINT64_MAX - 1));
  memos.ForgetBelow(Sequence(first));
  const uint64_t room = UINT64_MAX - first;
  const uint64_t width =
      std::min<uint64_t>(limits::kRequestsPerSessionMax, room);
  RC_ASSERT(memos.HasRoomFor(Sequence(first + width - 1)));
  RC_ASSERT(!memos.HasRoomFor(Sequence(first + width)));
  RC_ASSERT(!memos.HasRoomFor(Sequence(first - 1)));
}

// --- Sessions beside a map ---------------------------------------------------

struct SessionModel {
  uint64_t renewal = 0;
  ClusterTime deadline;
  absl::Duration ttl;
  bool grace_used = false;
};

void AssertSame(const Sessions& sessions,
                const std::map<SessionId, SessionModel>& model,
                ClusterTime time) {
  RC_ASSERT(sessions.Audit().ok());
  RC_ASSERT(sessions.size() == model.size());
  std::vector<std::pair<ClusterTime, SessionId>> due;
  std::optional<ClusterTime> next;
  for (const auto& [id, expected] : model) {
    const Session& session = sessions[*sessions.Find(id)];
    RC_ASSERT(session.renewal == expected.renewal);
    RC_ASSERT(session.deadline == expected.deadline);
    if (expected.deadline <= time) due.emplace_back(expected.deadline, id);
    next = std::min(next.value_or(expected.deadline), expected.deadline);
  }
  RC_ASSERT(sessions.NextDeadline() == next);
  std::sort(due.begin(), due.end());
  due.resize(std::min<size_t>(due.size(), 3));
  const std::vector<SessionSlot> found = sessions.Due(time, 3);
  RC_ASSERT(found.size() == due.size());
  for (size_t i = 0; i < found.size(); ++i) {
    RC_ASSERT(sessions[found[i]].id == due[i].second);
  }
}

// Expiry is conditional on what these keep: the last effective renewal, and a
// deadline that no late or repeated keep-alive draws nearer.
RC_GTEST_PROP(SessionsProperty, DoesWhatAMapDoes, ()) {
  Sessions sessions;
  std::map<SessionId, SessionModel> model;
  ClusterTime time;
  for (uint64_t steps = Between(1, 30); steps > 0; --steps) {
    time = time + absl::Seconds(static_cast<int64_t>(Between(0, 5)));
    const SessionId id = SessionOf(Between(1, 5));
    const auto found = model.find(id);
    if (found == model.end()) {
      const absl::Duration ttl =
          absl::Seconds(static_cast<int64_t>(Between(1, 9)));
      sessions.Add({.id = id, .ttl = ttl, .deadline = time + ttl});
      model[id] = {.deadline = time + ttl, .ttl = ttl};
    } else if (Between(0, 4) == 0) {
      sessions.Remove(*sessions.Find(id));
      model.erase(found);
    } else if (Between(0, 4) == 0) {
      const absl::Duration grace =
          absl::Seconds(static_cast<int64_t>(Between(1, 9)));
      sessions.GiveGrace(time, grace);
      for (auto& [session, expected] : model) {
        if (std::exchange(expected.grace_used, true)) continue;
        expected.deadline =
            std::max(expected.deadline, time + std::min(expected.ttl, grace));
      }
    } else {
      const uint64_t renewal = Between(0, 12);
      sessions.Renew(*sessions.Find(id), renewal, time);
      if (renewal > found->second.renewal) {
        found->second.renewal = renewal;
        found->second.grace_used = false;
        found->second.deadline =
            std::max(found->second.deadline, time + found->second.ttl);
      }
    }
    AssertSame(sessions, model, time);
  }
}

// --- Which sessions are over -------------------------------------------------

RC_GTEST_PROP(ClosedSessionsProperty, RemembersTheHighestForLongEnough, ()) {
  ClosedSessions closed;
  std::map<NodeId, std::pair<uint64_t, ClusterTime>> highest;
  ClusterTime time;
  for (uint64_t steps = Between(1, 30); steps > 0; --steps) {
    time = time + absl::Hours(static_cast<int64_t>(Between(0, 20)));
    const SessionId session = SessionOf(Between(1, 4), Between(1, 6));
    closed.Add(session, time);
    auto& last_closed = highest[session.node];
    if (session.number > last_closed.first) {
      last_closed = {session.number, time};
    }
    for (const auto& [node, last] : highest) {
      if (last.second + ClosedSessions::Memory() < time) continue;
      for (uint64_t n = 1; n <= 7; ++n) {
        RC_ASSERT(closed.Contains({.node = node, .number = n}) ==
                  (n <= last.first));
      }
    }
  }
}

// --- The table ---------------------------------------------------------------

RC_GTEST_PROP(LockTableProperty, DoesWhatTheModelDoesAndComesBackFromBytes,
              (uint64_t seed)) {
  CommandGenerator generator(seed);
  LockTable table;
  sim::LockModel model;
  LogIndex index;
  ClusterTime time;
  for (uint64_t steps = Between(1, 40); steps > 0; --steps) {
    index = LogIndex(index.value() + Between(1, 3));
    time = time + absl::Milliseconds(static_cast<int64_t>(Between(0, 2000)));
    std::vector<LockCommand> commands = generator.NextEntry();
    const size_t due_max = Between(0, 4);
    Expire due = table.Due(time, due_max);
    RC_ASSERT(due == model.Due(time, due_max));
    if (!due.empty()) commands.push_back(std::move(due));
    const std::vector<Reply> replies = table.Apply(index, time, commands);
    RC_ASSERT(replies == model.Apply(index, time, commands).replies);
    generator.Learn(replies);
    table.CheckInvariants();
    const absl::StatusOr<LockTable> decoded = LockTable::Decode(table.Encode());
    RC_ASSERT(decoded.ok());
    RC_ASSERT(decoded->Fingerprint() == table.Fingerprint());
    RC_ASSERT(decoded->NextDeadline() == model.NextDeadline());
  }
}

// Every grant has a token of its own, above all before it.
RC_GTEST_PROP(LockTableProperty, TokensRise, (uint64_t seed)) {
  CommandGenerator generator(seed);
  LockTable table;
  std::set<FencingToken> granted;
  ClusterTime time;
  for (uint64_t i = 1; i <= 40; ++i) {
    time = time + absl::Milliseconds(static_cast<int64_t>(Between(0, 2000)));
    const std::vector<Reply> replies =
        table.Apply(LogIndex(i), time, generator.NextEntry());
    generator.Learn(replies);
    for (const Reply& reply : replies) {
      if (reply.kind != Reply::Kind::kAnswered) continue;
      if (reply.outcome != Outcome::kOk) continue;
      if (reply.granted_at != LogIndex(i)) continue;
      if (granted.contains(reply.token)) continue;  // told again
      if (!granted.empty()) RC_ASSERT(reply.token > *granted.rbegin());
      granted.insert(reply.token);
    }
  }
}

}  // namespace
}  // namespace cachalot
