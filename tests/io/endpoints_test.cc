#include "io/endpoints.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/io/scripted_names.h"
#include "tests/io/scripted_network.h"

namespace cachalot {
namespace {

Address At(const std::string& text) { return *Address::Parse(text); }

// What a member on a machine of 10.0.0.1 and 192.168.0.1 makes of its options;
// the default route is that of 10.0.0.1, the way to others that of 192.168.0.1.
class EndpointsTest : public testing::Test {
 protected:
  EndpointsTest() {
    names_.Set("localhost", {At("127.0.0.1:0"), At("[::1]:0")});
    names_.Set("debian", {At("127.0.1.1:0")});
    names_.Set("n1", {At("10.0.0.1:0")});
    names_.Set("n2", {At("10.0.0.2:0")});
  }

  absl::StatusOr<Endpoints> Make(const std::string& bind,
                                 const std::string& advertise,
                                 const std::vector<std::string>& seeds,
                                 const LocalNetwork& network) {
    std::vector<SeedLookup> lookups;
    for (const std::string& text : seeds) {
      SeedLookup& seed = lookups.emplace_back();
      seed.name = *ParseHostPort(text);
      const auto found =
          Resolve(seed.name, EmptyHost::kThisMachine, names_.lookup());
      seed.is_answered = true;
      seed.error = found.status();
      if (found.ok()) seed.addresses = *found;
    }
    const absl::StatusOr<BindAddress> bound =
        ResolveBind(bind, names_.lookup(), network);
    if (!bound.ok()) return bound.status();
    return ResolveEndpoints(*bound, advertise, lookups, names_.lookup(),
                            network);
  }
  absl::StatusOr<Endpoints> Make(const std::string& bind,
                                 const std::string& advertise,
                                 const std::vector<std::string>& seeds) {
    return Make(bind, advertise, seeds, network_);
  }

  std::string Advertised(const std::string& bind, const std::string& advertise,
                         const std::vector<std::string>& seeds) {
    const absl::StatusOr<Endpoints> made = Make(bind, advertise, seeds);
    return made.ok() ? made->advertise.ToString() : made.status().ToString();
  }

  ScriptedNames names_;
  const ScriptedNetwork network_{"10.0.0.1", "192.168.0.1"};
};

TEST_F(EndpointsTest, LoopbackIsNotAdvertisedByWhoListensEverywhere) {
  // The only seed is this machine by one of its loopback names.
  for (const char* seed : {"localhost:7946", "debian:7946", "127.0.0.1:7946",
                           "[::1]:7946", "127.0.0.9:7946"}) {
    EXPECT_EQ(Advertised(":7946", "", {seed}), "10.0.0.1:7946") << seed;
    EXPECT_EQ(Advertised("0.0.0.0:7946", "", {seed}), "10.0.0.1:7946") << seed;
  }
  // Another process of this machine.
  EXPECT_EQ(Advertised(":7947", "", {"localhost:7946"}), "10.0.0.1:7947");
  // Nothing is known of anybody.
  EXPECT_EQ(Advertised(":7946", "", {"not-yet-here:7946"}), "10.0.0.1:7946");
  EXPECT_EQ(Advertised(":7946", "", {}), "10.0.0.1:7946");
}

TEST_F(EndpointsTest, AdvertisesWhatOthersWereProbablyGiven) {
  // Its own name among the seeds comes before the way to the others.
  EXPECT_EQ(Advertised(":7946", "", {"n1:7946", "n2:7946"}), "10.0.0.1:7946");
  EXPECT_EQ(Advertised(":7946", "", {"n2:7946"}), "192.168.0.1:7946");
  // "localhost" says nothing of the way to others.
  EXPECT_EQ(Advertised(":7946", "", {"localhost:7946", "n2:7946"}),
            "192.168.0.1:7946");
}

TEST_F(EndpointsTest, AnIpv4SocketIsNotAdvertisedByIpv6) {
  const ScriptedNetwork network({"[fd00::1]", "10.0.0.1"});
  const auto v4 = Make("0.0.0.0:7946", "", {"localhost:7946"}, network);
  ASSERT_TRUE(v4.ok()) << v4.status();
  EXPECT_EQ(v4->advertise, At("10.0.0.1:7946"));
  const auto both = Make(":7946", "", {"localhost:7946"}, network);
  EXPECT_EQ(both->advertise, At("[fd00::1]:7946"));
}

TEST_F(EndpointsTest, AMachineWithoutANetworkHasLoopbackOnly) {
  const ScriptedNetwork alone({});
  const auto made = Make(":7946", "", {"localhost:7946"}, alone);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->advertise, At("127.0.0.1:7946"));
}

TEST_F(EndpointsTest, WhatIsBoundIsAdvertised) {
  EXPECT_EQ(Advertised("localhost:7946", "", {"localhost:7946"}),
            "127.0.0.1:7946");
  EXPECT_EQ(Advertised("192.168.0.1:7946", "", {"n2:7946"}),
            "192.168.0.1:7946");
  EXPECT_EQ(Advertised("n1:0", "", {"n2:7946"}), "10.0.0.1:0");
}

TEST_F(EndpointsTest, AdvertiseIsTakenAsItIsWritten) {
  EXPECT_EQ(Advertised(":7946", "203.0.113.5:8000", {"n2:7946"}),
            "203.0.113.5:8000");
  EXPECT_EQ(Advertised(":7946", "n1:0", {"n2:7946"}), "10.0.0.1:7946");
  // A port alone: of the address that it would have had.
  EXPECT_EQ(Advertised(":7946", ":8000", {"localhost:7946"}), "10.0.0.1:8000");
  EXPECT_EQ(Advertised("10.0.0.1:7946", ":8000", {"n2:7946"}), "10.0.0.1:8000");
}

TEST_F(EndpointsTest, LoopbackIsRefusedIfASeedIsOnAnotherMachine) {
  const struct {
    const char* bind;
    const char* advertise;
    const char* problem;
  } kCases[] = {
      {"localhost:7946", "", "bind address \"localhost:7946\" means 127.0.0.1"},
      {"127.0.0.1:7946", "", "bind address"},
      {"debian:7946", "", "bind address \"debian:7946\" means 127.0.1.1"},
      {":7946", "localhost:7946", "advertised address \"localhost:7946\""},
      {"10.0.0.1:7946", "127.0.0.1:7946", "advertised address"},
      {":7946", "[::1]:7946", "advertised address"},
  };
  for (const auto& test_case : kCases) {
    const absl::Status status =
        Make(test_case.bind, test_case.advertise, {"n2:7946"}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test_case.bind;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.problem))
        << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "10.0.0.2:7946")) << status;
    // Members of this machine find each other so.
    EXPECT_TRUE(
        Make(test_case.bind, test_case.advertise, {"localhost:7947"}).ok());
  }
}

TEST_F(EndpointsTest, WarnsOfAHostNameThatMeansLoopback) {
  const auto bound = Make("debian:7946", "", {"debian:7946"});
  ASSERT_TRUE(bound.ok()) << bound.status();
  ASSERT_EQ(bound->warnings.size(), 1u);
  EXPECT_TRUE(absl::StrContains(bound->warnings[0], "127.0.1.1"))
      << bound->warnings[0];
  EXPECT_TRUE(absl::StrContains(bound->warnings[0], "\":7946\""))
      << bound->warnings[0];
  const auto seed = Make("10.0.0.1:7946", "", {"debian:7946"});
  ASSERT_TRUE(seed.ok()) << seed.status();
  ASSERT_EQ(seed->warnings.size(), 1u);
  EXPECT_TRUE(absl::StrContains(seed->warnings[0], "debian:7946"))
      << seed->warnings[0];
  // Who writes "localhost" means it.
  EXPECT_TRUE(Make("localhost:7946", "", {"localhost:7946"})->warnings.empty());
  EXPECT_TRUE(Make(":7946", "", {"debian:7946"})->warnings.empty());
}

TEST_F(EndpointsTest, ANameThatMeansLoopbackAndMoreIsBoundAtTheOther) {
  names_.Set("both", {At("127.0.1.1:0"), At("10.0.0.1:0")});
  EXPECT_EQ(Make("both:7946", "", {"n2:7946"})->bind, At("10.0.0.1:7946"));
}

TEST_F(EndpointsTest, NamesTheOptionWhoseNameIsNotKnown) {
  const absl::Status bind = Make("nowhere:7946", "", {}).status();
  EXPECT_TRUE(absl::IsNotFound(bind)) << bind;
  EXPECT_TRUE(absl::StartsWith(bind.message(), "bind address")) << bind;
  EXPECT_TRUE(absl::StrContains(bind.message(), "nowhere")) << bind;
  names_.Fail("later", absl::UnavailableError("try again"));
  const absl::Status advertise = Make(":7946", "later:7946", {}).status();
  EXPECT_TRUE(absl::IsUnavailable(advertise)) << advertise;
  EXPECT_TRUE(absl::StartsWith(advertise.message(), "advertised address"))
      << advertise;
}

TEST_F(EndpointsTest, RefusesWhatNobodyCanReach) {
  const struct {
    const char* advertise;
    const char* seed;
    const char* problem;
  } kCases[] = {
      {"0.0.0.0:7946", "n2:7946", "wildcard"},
      {"[::]:7946", "n2:7946", "wildcard"},
      {"[fe80::1%lo]:7946", "n2:7946", "zones"},
      {"[fe80::1]:7946", "n2:7946", "link-local"},
      {"", "10.0.0.2:0", "write the port"},
      {"", "0.0.0.0:7947", "wildcard"},
  };
  for (const auto& test_case : kCases) {
    const absl::Status status =
        Make(":7946", test_case.advertise, {test_case.seed}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.problem))
        << status;
  }
}

}  // namespace
}  // namespace cachalot
