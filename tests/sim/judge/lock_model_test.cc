#include "sim/judge/lock_model.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/locks/lock_table.h"
#include "engine/request.h"
#include "gtest/gtest.h"

namespace cachalot::sim {
namespace {

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
  LockModel model_;
  LogIndex index_;
  ClusterTime time_;
};

TEST_F(LockModelTest, GrantsAFreeLockAndQueuesTheNext) {
  Apply({Open(first_), Open(second_)});
  const LockModel::Effects& effects =
      Apply({Ask(first_, 1, "a"), Ask(second_, 1, "a")});
  ASSERT_EQ(effects.replies.size(), 2u);
  EXPECT_EQ(effects.replies[0].token, FencingToken(65536));
  EXPECT_EQ(effects.replies[0].granted_at, LogIndex(2));
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
  EXPECT_GT(model_.HolderOf("a"), token);
  EXPECT_EQ(effects.replies.back().granted_at, LogIndex(3));
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

// Beside the table, with random commands:
// tests/engine/locks/lock_table_property_test.cc.
TEST_F(LockModelTest, SeesATableThatDiffers) {
  LockTable table;
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
  wrong[0].token = FencingToken(1);
  EXPECT_TRUE(CheckReplies(index_, right, wrong));
  wrong = {right[0], right[0]};
  EXPECT_TRUE(CheckReplies(index_, right, wrong));
}

}  // namespace
}  // namespace cachalot::sim
