#ifndef TESTS_ENGINE_LOCKS_LOCK_TABLE_FIXTURE_H_
#define TESTS_ENGINE_LOCKS_LOCK_TABLE_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/locks/print_reply.h"

// What tests of the lock table share: commands, what replies should be, and a
// table with three sessions.

namespace cachalot {

using Kind = Reply::Kind;

inline constexpr SessionId kAlice{NodeId{0, 1}, 1};
inline constexpr SessionId kBob{NodeId{0, 2}, 1};
inline constexpr SessionId kCarol{NodeId{0, 3}, 1};

inline auto Says(Kind kind, SessionId session) {
  return testing::AllOf(testing::Field("kind", &Reply::kind, kind),
                        testing::Field("session", &Reply::session, session));
}

inline auto Answers(SessionId session, uint64_t sequence, Outcome outcome) {
  return testing::AllOf(
      Says(Kind::kAnswered, session),
      testing::Field("sequence", &Reply::sequence, Sequence(sequence)),
      testing::Field("outcome", &Reply::outcome, outcome));
}

inline auto Grants(SessionId session, uint64_t sequence, FencingToken token) {
  return testing::AllOf(Answers(session, sequence, Outcome::kOk),
                        testing::Field("token", &Reply::token, token));
}

// In the entry that the reply is of.
inline auto GrantsNow(SessionId session, uint64_t sequence) {
  return testing::AllOf(Answers(session, sequence, Outcome::kOk),
                        testing::Truly([](const Reply& reply) {
                          return reply.granted_at == reply.index &&
                                 !reply.token.IsNone();
                        }));
}

inline auto Queues(SessionId session, uint64_t sequence) {
  return testing::AllOf(
      Says(Kind::kQueued, session),
      testing::Field("sequence", &Reply::sequence, Sequence(sequence)));
}

inline auto Keeps(SessionId session, uint64_t renewal) {
  return testing::AllOf(Says(Kind::kKept, session),
                        testing::Field("renewal", &Reply::renewal, renewal));
}

inline Acquire Try(SessionId session, uint64_t sequence, std::string key) {
  return {.session = session,
          .sequence = Sequence(sequence),
          .key = std::move(key),
          .ttl = absl::Seconds(60)};
}

inline Acquire Wait(SessionId session, uint64_t sequence, std::string key) {
  Acquire acquire = Try(session, sequence, std::move(key));
  acquire.waits = true;
  return acquire;
}

inline Acquire WithTtl(Acquire acquire, absl::Duration ttl) {
  acquire.ttl = ttl;
  return acquire;
}

inline Release Free(SessionId session, uint64_t sequence, std::string key,
                    FencingToken token) {
  return {.session = session,
          .sequence = Sequence(sequence),
          .key = std::move(key),
          .token = token};
}

inline Withdraw TakeBack(SessionId session, uint64_t sequence, std::string key,
                         uint64_t acquire) {
  return {.session = session,
          .sequence = Sequence(sequence),
          .key = std::move(key),
          .acquire = Sequence(acquire)};
}

inline Revoke TakeAway(SessionId session, uint64_t sequence, std::string key,
                       std::string reason, FencingToken token = {}) {
  return {.session = session,
          .sequence = Sequence(sequence),
          .key = std::move(key),
          .token = token,
          .reason = std::move(reason)};
}

inline Renew Extend(SessionId session, uint64_t sequence, std::string key,
                    FencingToken token, absl::Duration ttl) {
  return {.session = session,
          .sequence = Sequence(sequence),
          .key = std::move(key),
          .token = token,
          .ttl = ttl};
}

inline auto MustRelease(SessionId session, std::string key, FencingToken token,
                        std::string reason) {
  return testing::AllOf(Says(Kind::kMustRelease, session),
                        testing::Field("key", &Reply::key, key),
                        testing::Field("token", &Reply::token, token),
                        testing::Field("text", &Reply::text, reason));
}

inline auto Hits(SessionId session, uint64_t sequence, Limit limit) {
  return testing::AllOf(Answers(session, sequence, Outcome::kBusy),
                        testing::Field("limit", &Reply::limit, limit));
}

// A table with three sessions of 10 s, opened at 0 s by entry 1.
class LockTableTest : public testing::Test {
 protected:
  LockTableTest() {
    for (const auto& [session, name] :
         {std::pair(kAlice, "alice"), {kBob, "bob"}, {kCarol, "carol"}}) {
      opening_.push_back(OpenSession{
          .session = session, .ttl = absl::Seconds(10), .name = name});
    }
    Apply(opening_);
  }

  ~LockTableTest() override { table_.CheckInvariants(); }

  // One entry.
  std::vector<Reply> Apply(std::vector<LockCommand> commands) {
    index_ = index_.Next();
    FencingToken last = table_.last_token();
    std::vector<Reply> replies = table_.Apply(index_, time_, commands);
    granted_.clear();
    for (const Reply& reply : replies) {
      if (reply.granted_at != index_ || reply.token <= last) continue;
      granted_.push_back(last = reply.token);
    }
    return replies;
  }

  void Advance(absl::Duration step) { time_ = time_ + step; }

  // A grant of the entry just applied.
  FencingToken Token(size_t position = 0) const {
    return granted_.at(position);
  }

  LockInfo Find(absl::string_view key) const {
    return table_.Find(key, time_).value_or(LockInfo());
  }

  SessionId HolderOf(absl::string_view key) const { return Find(key).holder; }

  std::vector<std::string> Keys(const ListLocksRequest& request,
                                bool* more) const {
    std::vector<std::string> keys;
    for (const LockInfo& lock : table_.List(request, time_, more)) {
      keys.push_back(lock.key);
    }
    return keys;
  }

  LockTable table_;
  LogIndex index_;
  ClusterTime time_;
  std::vector<FencingToken> granted_;  // by the entry just applied
  std::vector<LockCommand> opening_;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_LOCKS_LOCK_TABLE_FIXTURE_H_
