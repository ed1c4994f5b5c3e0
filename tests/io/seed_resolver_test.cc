#include "io/seed_resolver.h"

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "tests/io/scripted_names.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(10); }

Address At(const std::string& text) { return *Address::Parse(text); }

SeedTiming Often() {
  return {.seeking = absl::Milliseconds(4),
          .missing = absl::Milliseconds(4),
          .settled = absl::Milliseconds(4),
          .check = absl::Milliseconds(4),
          .first_answer_max = LongWait()};
}

// What a resolver has told last.
class Listener {
 public:
  SeedResolver::Watcher watcher() {
    return [this](const std::vector<SeedLookup>& seeds) {
      const absl::MutexLock lock(&mutex_);
      seeds_ = seeds;
    };
  }
  bool Await(
      const std::function<bool(const std::vector<SeedLookup>&)>& wanted) {
    const absl::MutexLock lock(&mutex_);
    const auto is_there = [&] { return !seeds_.empty() && wanted(seeds_); };
    return mutex_.AwaitWithTimeout(absl::Condition(&is_there), LongWait());
  }
  bool AwaitAddresses(size_t seed, const std::vector<Address>& addresses) {
    return Await([&](const std::vector<SeedLookup>& seeds) {
      return seeds[seed].addresses == addresses;
    });
  }

 private:
  absl::Mutex mutex_;
  std::vector<SeedLookup> seeds_;
};

class SeedResolverTest : public testing::Test {
 protected:
  SeedResolver Make(const std::vector<std::string>& texts,
                    const SeedTiming& timing) {
    return SeedResolver(*ParseSeeds(texts), names_.lookup(), timing, 1);
  }

  ScriptedNames names_;
  Listener listener_;  // outlives the resolver
};

TEST_F(SeedResolverTest, AddressesNeedNoLookups) {
  SeedResolver resolver = Make({"10.0.0.1:7946", "[fd00::1]:7946"}, Often());
  EXPECT_FALSE(resolver.has_names());
  ASSERT_TRUE(resolver.Start().ok());
  const std::vector<SeedLookup> seeds = resolver.WaitForFirstAnswers();
  ASSERT_EQ(seeds.size(), 2u);
  EXPECT_EQ(seeds[0].addresses, std::vector<Address>{At("10.0.0.1:7946")});
  EXPECT_TRUE(seeds[1].is_answered);
}

TEST_F(SeedResolverTest, ANameHasAllItsAddresses) {
  names_.Set("all", {At("[fd00::1]:0"), At("10.0.0.1:0"), At("10.0.0.2:0")});
  SeedResolver resolver = Make({"all:7946"}, Often());
  ASSERT_TRUE(resolver.Start().ok());
  EXPECT_EQ(resolver.WaitForFirstAnswers()[0].addresses,
            (std::vector<Address>{At("10.0.0.1:7946"), At("10.0.0.2:7946"),
                                  At("[fd00::1]:7946")}));
}

TEST_F(SeedResolverTest, FindsANameThatAppearsLate) {
  names_.Set("here", {At("10.0.0.1:0")});
  SeedResolver resolver = Make({"here:7946", "late:7946"}, Often());
  ASSERT_TRUE(resolver.Start().ok());
  const std::vector<SeedLookup> first = resolver.WaitForFirstAnswers();
  EXPECT_TRUE(first[0].error.ok());
  EXPECT_TRUE(first[1].is_answered);
  EXPECT_TRUE(absl::IsNotFound(first[1].error)) << first[1].error;
  EXPECT_TRUE(absl::StrContains(first[1].error.message(), "late:7946"));
  resolver.Watch(listener_.watcher());
  ASSERT_TRUE(names_.AwaitLookups("late", 5, LongWait()));
  names_.Set("late", {At("10.0.0.2:0")});
  EXPECT_TRUE(listener_.AwaitAddresses(1, {At("10.0.0.2:7946")}));
}

TEST_F(SeedResolverTest, FollowsANameThatChangesOrLosesAnAddress) {
  names_.Set("n1", {At("10.0.0.1:0"), At("10.0.0.2:0")});
  SeedResolver resolver = Make({"n1:7946"}, Often());
  ASSERT_TRUE(resolver.Start().ok());
  resolver.Watch(listener_.watcher());
  resolver.SetPace(SeedResolver::Pace::kSettled);
  EXPECT_TRUE(
      listener_.AwaitAddresses(0, {At("10.0.0.1:7946"), At("10.0.0.2:7946")}));
  names_.Set("n1", {At("10.0.0.2:0")});
  EXPECT_TRUE(listener_.AwaitAddresses(0, {At("10.0.0.2:7946")}));
  names_.Set("n1", {At("10.0.0.3:0")});
  EXPECT_TRUE(listener_.AwaitAddresses(0, {At("10.0.0.3:7946")}));
}

TEST_F(SeedResolverTest, AFailureKeepsWhatWasKnown) {
  names_.Set("n1", {At("10.0.0.1:0")});
  SeedResolver resolver = Make({"n1:7946"}, Often());
  ASSERT_TRUE(resolver.Start().ok());
  resolver.WaitForFirstAnswers();
  resolver.Watch(listener_.watcher());
  for (const absl::Status& status :
       {absl::UnavailableError("try again"), absl::NotFoundError("gone")}) {
    names_.Fail("n1", status);
    EXPECT_TRUE(listener_.Await([&](const std::vector<SeedLookup>& seeds) {
      return seeds[0].error.code() == status.code() &&
             seeds[0].addresses == std::vector<Address>{At("10.0.0.1:7946")};
    }));
  }
}

TEST_F(SeedResolverTest, AnEmptyAnswerIsAFailure) {
  names_.Set("n1", {});
  SeedResolver resolver = Make({"n1:7946"}, Often());
  ASSERT_TRUE(resolver.Start().ok());
  const std::vector<SeedLookup> seeds = resolver.WaitForFirstAnswers();
  EXPECT_TRUE(absl::IsNotFound(seeds[0].error)) << seeds[0].error;
}

TEST_F(SeedResolverTest, AnAddressThatNodesCannotUseIsLeftOut) {
  names_.Set("n1", {At("[fe80::1]:0"), At("10.0.0.1:0"), At("[ff02::1]:0")});
  SeedResolver resolver = Make({"n1:7946"}, Often());
  ASSERT_TRUE(resolver.Start().ok());
  EXPECT_EQ(resolver.WaitForFirstAnswers()[0].addresses,
            std::vector<Address>{At("10.0.0.1:7946")});
}

TEST_F(SeedResolverTest, ANameThatHangsHoldsUpNothingElse) {
  names_.Hang("stuck");
  names_.Set("n1", {At("10.0.0.1:0")});
  SeedTiming timing = Often();
  timing.first_answer_max = absl::Milliseconds(20);
  {
    SeedResolver resolver = Make({"stuck:7946", "n1:7946"}, timing);
    ASSERT_TRUE(resolver.Start().ok());
    const std::vector<SeedLookup> first = resolver.WaitForFirstAnswers();
    EXPECT_FALSE(first[0].is_answered);
    resolver.Watch(listener_.watcher());
    names_.Set("n1", {At("10.0.0.2:0")});
    EXPECT_TRUE(listener_.AwaitAddresses(1, {At("10.0.0.2:7946")}));
    EXPECT_TRUE(listener_.Await([](const std::vector<SeedLookup>& seeds) {
      return absl::StrContains(seeds[0].error.message(), "does not answer");
    }));
    // One thread, however often its time has come.
    EXPECT_EQ(names_.Lookups("stuck"), 1u);
    // The destructor does not wait for it.
  }
  EXPECT_EQ(names_.Lookups("stuck"), 1u);
}

TEST_F(SeedResolverTest, AHangingNameIsFoundWhenItsAnswerComes) {
  names_.Hang("stuck");
  SeedTiming timing = Often();
  timing.first_answer_max = absl::Milliseconds(5);
  SeedResolver resolver = Make({"stuck:7946"}, timing);
  ASSERT_TRUE(resolver.Start().ok());
  resolver.WaitForFirstAnswers();
  resolver.Watch(listener_.watcher());
  names_.Set("stuck", {At("10.0.0.1:0")});
  EXPECT_TRUE(listener_.AwaitAddresses(0, {At("10.0.0.1:7946")}));
}

TEST_F(SeedResolverTest, ALookupThatThrowsIsAFailure) {
  SeedResolver resolver(
      *ParseSeeds({"n1:7946"}),
      [](const std::string&) -> absl::StatusOr<std::vector<Address>> {
        throw std::runtime_error("no luck");
      },
      Often(), 1);
  ASSERT_TRUE(resolver.Start().ok());
  const std::vector<SeedLookup> seeds = resolver.WaitForFirstAnswers();
  EXPECT_TRUE(absl::IsUnavailable(seeds[0].error)) << seeds[0].error;
  EXPECT_TRUE(absl::StrContains(seeds[0].error.message(), "no luck"));
}

TEST_F(SeedResolverTest, TheSettledAskSeldomAndTheSeekingSoonAgain) {
  SeedTiming timing = Often();
  timing.settled = absl::Hours(1);
  timing.missing = absl::Hours(1);
  names_.Set("n1", {At("10.0.0.1:0")});
  SeedResolver resolver = Make({"n1:7946"}, timing);
  ASSERT_TRUE(resolver.Start().ok());
  resolver.Watch(listener_.watcher());
  // It seeks at first.
  ASSERT_TRUE(names_.AwaitLookups("n1", 3, LongWait()));
  resolver.SetPace(SeedResolver::Pace::kSettled);
  // One may be planned still, and one under way.
  const uint64_t settled = names_.Lookups("n1") + 2;
  EXPECT_FALSE(names_.AwaitLookups("n1", settled + 1, absl::Milliseconds(100)));
  resolver.SetPace(SeedResolver::Pace::kSeeking);
  EXPECT_TRUE(names_.AwaitLookups("n1", settled + 3, LongWait()));
}

}  // namespace
}  // namespace cachalot
