#include "sim/judge/lock_model.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/random.h"
#include "engine/request.h"
#include "gtest/gtest.h"

namespace cachalot::sim {
namespace {

constexpr Epoch kEpoch(7);

SessionId MakeSession(uint64_t node, uint64_t number = 1) {
  return {.node = {node, node}, .number = number};
}

OpenSession Open(const SessionId& session) {
  return {.session = session, .ttl = absl::Seconds(10)};
}

Acquire Ask(const SessionId& session, uint64_t sequence, std::string key) {
  return {.session = session,
          .sequence = Sequence(sequence),
          .key = std::move(key),
          .ttl = absl::Seconds(5),
          .waits = true};
}

class LockModelTest : public testing::Test {
 protected:
  const LockModel::Effects& Apply(std::vector<LockCommand> commands,
                                  absl::Duration later = absl::ZeroDuration()) {
    index_ = index_.Next();
    time_ = time_ + later;
    return model_.Apply(index_, time_, commands);
  }

  const SessionId first_ = MakeSession(1);
  const SessionId second_ = MakeSession(2);
  LockModel model_ = LockModel(kEpoch);
  LogIndex index_;
  ClusterTime time_;
};

TEST_F(LockModelTest, GrantsAFreeLockAndQueuesTheNext) {
  Apply({Open(first_), Open(second_)});
  const LockModel::Effects& effects =
      Apply({Ask(first_, 1, "a"), Ask(second_, 1, "a")});
  ASSERT_EQ(effects.replies.size(), 2u);
  EXPECT_EQ(effects.replies[0].token, (FencingToken{kEpoch, LogIndex(2), 0}));
  EXPECT_EQ(effects.replies[1].kind, Reply::Kind::kQueued);
  EXPECT_EQ(effects.granted, 1u);
  EXPECT_EQ(effects.queued, 1u);
  EXPECT_EQ(model_.HolderOf("a"), effects.replies[0].token);
}

TEST_F(LockModelTest, TellsWhichLeasesAnEntryGave) {
  Apply({Open(first_)});
  const FencingToken token = Apply({Ask(first_, 1, "a")}).replies[0].token;
  const LockModel::Effects& effects =
      Apply({KeepAlive{.session = first_, .renewal = 1},
             Renew{.session = first_,
                   .sequence = Sequence(2),
                   .key = "a",
                   .token = token,
                   .ttl = absl::Seconds(9)}});
  ASSERT_EQ(effects.leases.size(), 2u);
  EXPECT_TRUE(effects.leases[0].token.IsNone());
  EXPECT_EQ(effects.leases[0].ttl, absl::Seconds(10));
  EXPECT_EQ(effects.leases[1].token, token);
  EXPECT_EQ(effects.leases[1].ttl, absl::Seconds(9));
}

TEST_F(LockModelTest, AnOldKeepAliveIsNoLease) {
  Apply({Open(first_), KeepAlive{.session = first_, .renewal = 2}});
  EXPECT_TRUE(
      Apply({KeepAlive{.session = first_, .renewal = 2}}).leases.empty());
}

TEST_F(LockModelTest, TellsHowAGrantEnded) {
  Apply({Open(first_), Open(second_)});
  const FencingToken token =
      Apply({Ask(first_, 1, "a"), Ask(second_, 1, "a")}).replies[0].token;
  const LockModel::Effects& effects = Apply(
      {Expire{.locks = {{.key = "a", .token = token}}}}, absl::Seconds(5));
  ASSERT_EQ(effects.ended.size(), 1u);
  EXPECT_EQ(effects.ended[0].how, LockModel::End::kExpired);
  EXPECT_EQ(effects.granted_after_wait, 1u);
  EXPECT_EQ(model_.HolderOf("a").index, LogIndex(3));
}

TEST_F(LockModelTest, ARevokeEndsNothingAndForbidsRenewal) {
  Apply({Open(first_), Open(second_)});
  const FencingToken token =
      Apply({Ask(first_, 1, "a"), Ask(second_, 1, "a")}).replies[0].token;
  const LockModel::Effects revoked = Apply({Revoke{.session = second_,
                                                   .sequence = Sequence(2),
                                                   .key = "a",
                                                   .reason = "why"}});
  EXPECT_TRUE(revoked.ended.empty());
  ASSERT_EQ(revoked.replies.size(), 2u);
  EXPECT_EQ(revoked.replies[0].holder, first_);
  EXPECT_EQ(revoked.replies[1].kind, Reply::Kind::kMustRelease);
  EXPECT_EQ(revoked.replies[1].text, "why");
  EXPECT_EQ(model_.HolderOf("a"), token);
  EXPECT_EQ(model_.RevokeReasonOf("a"), "why");
  EXPECT_TRUE(Apply({Renew{.session = first_,
                           .sequence = Sequence(2),
                           .key = "a",
                           .token = token,
                           .ttl = absl::Hours(1)}})
                  .leases.empty());
  Apply({Release{
      .session = first_, .sequence = Sequence(3), .key = "a", .token = token}});
  EXPECT_NE(model_.HolderOf("a"), token);
  EXPECT_EQ(model_.RevokeReasonOf("a"), "");
}

TEST_F(LockModelTest, SeesATableThatDiffers) {
  LockTable table(kEpoch);
  const std::vector<LockCommand> open = {Open(first_)};
  Apply(open);
  EXPECT_TRUE(model_.Compare(table)) << "a session is missing";
  table.Apply(index_, time_, open);
  EXPECT_FALSE(model_.Compare(table));
  Acquire ask = Ask(first_, 1, "a");
  Apply({ask});
  EXPECT_TRUE(model_.Compare(table)) << "a lock is missing";
  ask.ttl += absl::Seconds(1);
  table.Apply(index_, time_, {ask});
  EXPECT_TRUE(model_.Compare(table)) << "its lease is another";
}

TEST_F(LockModelTest, SeesRepliesThatDiffer) {
  Apply({Open(first_)});
  const std::vector<Reply> right = Apply({Ask(first_, 1, "a")}).replies;
  EXPECT_FALSE(CheckReplies(index_, right, right));
  EXPECT_TRUE(CheckReplies(index_, right, {}));
  std::vector<Reply> wrong = right;
  wrong[0].token.sequence = 1;
  EXPECT_TRUE(CheckReplies(index_, right, wrong));
  wrong = {right[0], right[0]};
  EXPECT_TRUE(CheckReplies(index_, right, wrong));
}

// Commands as chance has them: of few sessions, keys and numbers, so that they
// meet; some of them old, doubled, or not to be understood.
class AnyCommands {
 public:
  explicit AnyCommands(uint64_t seed) : random_(seed, "lock model") {}

  std::vector<LockCommand> Next() {
    std::vector<LockCommand> commands;
    const uint64_t count = 1 + random_.Below(4);
    while (commands.size() < count) commands.push_back(Command());
    return commands;
  }

  absl::Duration Later() {
    return absl::Milliseconds(OneIn(4) ? random_.Below(2000)
                                       : random_.Below(20));
  }

  // What has been granted and what waits, to be renewed, released, withdrawn.
  void Note(const std::vector<LockCommand>& commands,
            const std::vector<Reply>& replies) {
    for (const LockCommand& command : commands) {
      if (const auto* acquire = std::get_if<Acquire>(&command)) {
        keys_.try_emplace({acquire->session, acquire->sequence}, acquire->key);
      }
    }
    for (const Reply& reply : replies) {
      const auto asked = keys_.find({reply.session, reply.sequence});
      if (asked == keys_.end()) continue;
      known_.push_back(
          {reply.session, reply.sequence, asked->second, reply.token});
      if (known_.size() > 12) known_.erase(known_.begin());
    }
  }

 private:
  struct Known {
    SessionId session;
    Sequence acquire;
    std::string key;
    FencingToken token;
  };

  bool OneIn(uint64_t count) { return random_.Below(count) == 0; }
  SessionId Session() {
    return MakeSession(1 + random_.Below(3),
                       OneIn(9) ? random_.Below(9) : era_);
  }
  // A new number, or one that may have been seen.
  Sequence Number() {
    return OneIn(4) ? Sequence(random_.Below(last_ + 3)) : Sequence(++last_);
  }
  Sequence First() {
    return OneIn(8) ? Sequence(random_.Below(last_ + 1)) : Sequence();
  }
  std::string Key() {
    return OneIn(30) ? "" : std::string(1, "abc"[random_.Below(3)]);
  }
  absl::Duration Ttl() {
    return OneIn(30) ? absl::ZeroDuration()
                     : absl::Milliseconds(100 + random_.Below(5000));
  }
  // Something known, or something that need not fit together.
  Known Any() {
    if (known_.empty() || OneIn(4)) return {Session(), Number(), Key(), {}};
    return known_[random_.Below(known_.size())];
  }

  LockCommand Command() {
    if (OneIn(200)) ++era_;  // closed ones do not come back
    const Known any = Any();
    switch (random_.Below(13)) {
      case 0:
      case 1:
        return OpenSession{.session = Session(),
                           .ttl = Ttl(),
                           .name = "n",
                           .epoch_floor = Epoch(random_.Below(20))};
      case 2:
        return KeepAlive{.session = Session(),
                         .renewal = random_.Below(50),
                         .first_outstanding = First()};
      case 3:
        if (!OneIn(6)) return Ask();
        return CloseSession{.session = Session()};
      case 4:
      case 5:
      case 6:
        return Ask();
      case 7:
        return Renew{.session = any.session,
                     .sequence = Number(),
                     .first_outstanding = First(),
                     .key = any.key,
                     .token = any.token,
                     .ttl = Ttl()};
      case 8:
        return Release{.session = any.session,
                       .sequence = Number(),
                       .first_outstanding = First(),
                       .key = any.key,
                       .token = any.token};
      case 9:
        return Withdraw{.session = any.session,
                        .sequence = Number(),
                        .first_outstanding = First(),
                        .key = any.key,
                        .acquire = any.acquire};
      case 11:
        return Revoke{.session = Session(),
                      .sequence = Number(),
                      .first_outstanding = First(),
                      .key = OneIn(2) ? any.key : Key(),
                      .token = OneIn(2) ? any.token : FencingToken(),
                      .reason = OneIn(20) ? "" : "why"};
      case 10:
        if (OneIn(4)) {
          return BeginTerm{.grace = Ttl(), .epoch = Epoch(random_.Below(20))};
        }
        return Expire{
            .sessions = {{.session = Session(), .renewal = random_.Below(50)}}};
      default:
        return Expire{.locks = {{.key = any.key, .token = any.token}}};
    }
  }

  LockCommand Ask() {
    return Acquire{.session = Session(),
                   .sequence = Number(),
                   .first_outstanding = First(),
                   .key = Key(),
                   .ttl = Ttl(),
                   .waits = !OneIn(3),
                   .owner = "o"};
  }

  Random random_;
  uint64_t era_ = 1;
  uint64_t last_ = 0;
  std::map<std::pair<SessionId, Sequence>, std::string> keys_;
  std::vector<Known> known_;
};

// The table's own proposals of what is due come in too: what chance thinks of
// is seldom right.
void RunBoth(uint64_t seed, LockModel::Effects* seen) {
  AnyCommands any(seed);
  LockTable table(kEpoch);
  LockModel model(kEpoch);
  ClusterTime time;
  for (uint64_t i = 1; i <= 400; ++i) {
    const LogIndex index(i);
    time = time + any.Later();
    std::vector<LockCommand> commands = any.Next();
    if (i % 8 == 0) commands.push_back(table.Due(time, 2));
    const std::vector<Reply> replies = table.Apply(index, time, commands);
    const LockModel::Effects& effects = model.Apply(index, time, commands);
    ASSERT_EQ(CheckReplies(index, effects.replies, replies), std::nullopt);
    ASSERT_EQ(model.Compare(table), std::nullopt);
    any.Note(commands, replies);
    seen->granted_after_wait += effects.granted_after_wait;
    seen->sessions_expired += effects.sessions_expired;
    seen->ended.insert(seen->ended.end(), effects.ended.begin(),
                       effects.ended.end());
  }
}

TEST(LockModelAndTableTest, AgreeOnWhateverTheyAreTold) {
  LockModel::Effects seen;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    RunBoth(seed, &seen);
    if (HasFatalFailure()) return;
  }
  // Or they agreed on nothing worth the while.
  EXPECT_GT(seen.granted_after_wait, 100u);
  EXPECT_GT(seen.sessions_expired, 100u);
  for (const LockModel::End how :
       {LockModel::End::kReleased, LockModel::End::kExpired,
        LockModel::End::kWithdrawn, LockModel::End::kSessionOver}) {
    EXPECT_GT(std::count_if(seen.ended.begin(), seen.ended.end(),
                            [how](const auto& e) { return e.how == how; }),
              100);
  }
}

}  // namespace
}  // namespace cachalot::sim
