// Members whose addresses change while the name service lags behind. Each
// machine is an address of the loopback network; who lives where, and what the
// name service says of it, is the test's to decide.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/socket.h"
#include "tests/io/scripted_names.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(120); }

class MovesTest : public testing::Test {
 protected:
  MovesTest() : port_(FreePort()) {}

  // A port that no machine uses yet.
  static uint16_t FreePort() {
    return BindSockets(Address::V4(0, 0, 0, 0, 0)).value().address.port;
  }

  std::string NameOf(int member) { return absl::StrCat("n", member); }
  std::string SeedOf(int member) {
    return absl::StrCat(NameOf(member), ":", port_);
  }
  Address At(int machine) {
    return Address::V4(127, 0, 1, static_cast<uint8_t>(machine), port_);
  }
  // From now on the name service says that the member lives there.
  void Name(int member, int machine) {
    names_.Set(NameOf(member), {At(machine)});
  }

  CoordinatorOptions Options(int machine, std::vector<std::string> seeds) {
    CoordinatorOptions options;
    options.bind = At(machine).ToString();
    options.seeds = std::move(seeds);
    options.lookup = names_.lookup();
    options.seed_timing = {.seeking = absl::Milliseconds(50),
                           .missing = absl::Milliseconds(100),
                           .settled = absl::Milliseconds(200),
                           .check = absl::Milliseconds(50),
                           .first_answer_max = LongWait()};
    options.birth_delay = absl::Milliseconds(200);
    options.lease.session_ttl = absl::Seconds(1);  // the quarantine, too
    options.membership.reconnect_interval = absl::Milliseconds(100);
    options.membership.probe_interval = absl::Milliseconds(200);
    options.membership.probe_timeout = absl::Milliseconds(80);
    options.membership.join_retry_max = absl::Milliseconds(500);
    options.consensus.replace_voter_after = absl::Seconds(1);
    options.consensus.promote_after = absl::Milliseconds(100);
    return options;
  }

  void Open(size_t member, CoordinatorOptions options) {
    absl::StatusOr<std::unique_ptr<Coordinator>> opened =
        Coordinator::Create(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.status();
    if (members_.size() <= member) members_.resize(member + 1);
    members_[member] = *std::move(opened);
  }
  // SIGKILL: nobody is told.
  void Kill(size_t member) { members_[member].reset(); }

  // Waits until all that live are in one cluster, know each other and can take
  // locks.
  testing::AssertionResult AwaitOneCluster() {
    const absl::Time deadline = absl::Now() + LongWait();
    std::string state;
    while (absl::Now() < deadline) {
      size_t alive = 0;
      bool is_well = true;
      std::set<std::string> clusters;
      state.clear();
      for (const auto& member : members_) alive += member != nullptr;
      for (const auto& member : members_) {
        if (member == nullptr) continue;
        const AgentStatus status = member->GetStatus().value();
        clusters.insert(status.cluster.ToString());
        is_well = is_well && status.standing.has_session &&
                  status.standing.has_leader && status.members_alive == alive;
        absl::StrAppend(&state, status.name, " in ", status.cluster.ToString(),
                        " with ", status.members_alive, " alive, leader ",
                        status.standing.has_leader, ", session ",
                        status.standing.has_session, "; ");
      }
      if (is_well && clusters.size() == 1) return testing::AssertionSuccess();
      absl::SleepFor(absl::Milliseconds(20));
    }
    return testing::AssertionFailure() << state;
  }
  // Until the cluster survives as many deaths, as far as a member knows. While
  // the founder's vote is being shared out it survives none.
  void AwaitSurvival(size_t member, uint64_t deaths) {
    const absl::Time deadline = absl::Now() + LongWait();
    uint64_t seen = 0;
    while (seen != deaths && absl::Now() < deadline) {
      seen = members_[member]->GetStatus()->survival.deaths;
    }
    EXPECT_EQ(seen, deaths);
  }
  testing::AssertionResult AwaitLock(size_t member) {
    LockOptions options;
    options.wait = LongWait();
    const absl::Status status =
        members_[member]->Lock("key", absl::Seconds(1), options).status();
    if (status.ok()) return testing::AssertionSuccess();
    return testing::AssertionFailure() << status;
  }

  const uint16_t port_;
  ScriptedNames names_;
  std::vector<std::unique_ptr<Coordinator>> members_;  // null: does not run
};

TEST_F(MovesTest, SeedsThatAreNotKnownYetAreReportedAndFound) {
  Open(1, Options(1, {At(1).ToString()}));
  Open(2, Options(2, {SeedOf(1), "other.invalid:7946"}));
  const absl::Status status = members_[2]->Connect(absl::Milliseconds(100));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  for (const char* part : {"n1", "other.invalid", "no such host"}) {
    EXPECT_TRUE(absl::StrContains(status.message(), part)) << status;
  }
  const absl::Time deadline = absl::Now() + LongWait();
  AgentStatus seen;
  while (seen.problems.size() != 2 && absl::Now() < deadline) {
    seen = members_[2]->GetStatus().value();
  }
  ASSERT_EQ(seen.problems.size(), 2u);
  EXPECT_TRUE(absl::StrContains(seen.problems[0], SeedOf(1)))
      << seen.problems[0];
  Name(1, 1);
  EXPECT_TRUE(AwaitOneCluster());
}

TEST_F(MovesTest, OneWhoseOwnNameIsLearntLateFounds) {
  Open(1, Options(1, {SeedOf(1)}));
  const absl::Status early = members_[1]->Connect(absl::Milliseconds(100));
  EXPECT_TRUE(absl::IsDeadlineExceeded(early)) << early;
  Name(1, 1);
  const absl::Status late = members_[1]->Connect(LongWait());
  EXPECT_TRUE(late.ok()) << late;
}

TEST_F(MovesTest, OneThatIsNoFounderFoundsNothingAndSaysSo) {
  CoordinatorOptions options = Options(1, {SeedOf(1)});
  options.founders = {"n2", "n3", "n4"};
  Open(1, std::move(options));
  Name(1, 1);
  const absl::Time deadline = absl::Now() + LongWait();
  std::string problems;
  while (!absl::StrContains(problems, "not to found a cluster") &&
         absl::Now() < deadline) {
    problems = absl::StrJoin(members_[1]->GetStatus()->problems, "; ");
  }
  EXPECT_TRUE(absl::StrContains(problems, "name another member")) << problems;
  EXPECT_TRUE(members_[1]->GetStatus()->cluster.IsNone());
}

TEST_F(MovesTest, AnyAddressOfANameWillDo) {
  Open(1, Options(1, {At(1).ToString()}));
  names_.Set("all", {At(9), At(8), At(1)});
  Open(2, Options(2, {absl::StrCat("all:", port_)}));
  EXPECT_TRUE(AwaitOneCluster());
}

TEST_F(MovesTest, MembersOfOneNameFindEachOther) {
  names_.Set("all", {At(1), At(2), At(3)});
  for (int i = 1; i <= 3; ++i) {
    CoordinatorOptions options = Options(i, {absl::StrCat("all:", port_)});
    options.name = NameOf(i);
    options.founders = {"n1", "n2", "n3"};
    Open(static_cast<size_t>(i), std::move(options));
  }
  EXPECT_TRUE(AwaitOneCluster());
}

TEST_F(MovesTest, AFounderThatComesBackElsewhereIsFoundByItsName) {
  Name(1, 1);
  for (int i = 1; i <= 3; ++i) Open(i, Options(i, {SeedOf(1)}));
  ASSERT_TRUE(AwaitOneCluster());
  AwaitSurvival(2, 1);
  Kill(1);
  Name(1, 11);
  // Its only seed is itself: it founds a second cluster, unless it is found
  // before.
  Open(1, Options(11, {SeedOf(1)}));
  EXPECT_TRUE(AwaitOneCluster());
  EXPECT_TRUE(AwaitLock(2));
}

TEST_F(MovesTest, TwoFoundersMeetThroughANameThatLeadsToBoth) {
  names_.Set("a", {At(1)});
  names_.Set("b", {At(2)});
  Open(1, Options(1, {absl::StrCat("a:", port_)}));
  Open(2, Options(2, {absl::StrCat("b:", port_)}));
  EXPECT_TRUE(AwaitLock(1));
  EXPECT_TRUE(AwaitLock(2));
  names_.Set("a", {At(1), At(2)});
  EXPECT_TRUE(AwaitOneCluster());
}

// The first members, which found together, by each other's names.
class FirstMembersTest : public MovesTest {
 protected:
  // Member i goes from machine i to machine 10 + i, and so on.
  void OpenMember(int member, int machine) {
    CoordinatorOptions options =
        Options(machine, {SeedOf(1), SeedOf(2), SeedOf(3)});
    options.name = NameOf(member);
    options.founders = {"n1", "n2", "n3"};
    Open(static_cast<size_t>(member), std::move(options));
  }
  void OpenAll() {
    for (int i = 1; i <= 3; ++i) Name(i, i);
    for (int i = 1; i <= 3; ++i) OpenMember(i, i);
  }
};

TEST_F(FirstMembersTest, AllMoveAtOnceWhileNamesLag) {
  OpenAll();
  ASSERT_TRUE(AwaitOneCluster());
  for (size_t i = 1; i <= 3; ++i) Kill(i);
  for (int i = 1; i <= 3; ++i) OpenMember(i, 10 + i);
  EXPECT_FALSE(members_[1]->Connect(absl::Milliseconds(500)).ok());
  // One name after the other.
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(names_.AwaitLookups(NameOf(i), names_.Lookups(NameOf(i)) + 2,
                                    LongWait()));
    Name(i, 10 + i);
  }
  EXPECT_TRUE(AwaitOneCluster());
  EXPECT_TRUE(AwaitLock(2));
}

}  // namespace
}  // namespace cachalot
