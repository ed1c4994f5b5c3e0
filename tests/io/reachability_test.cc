#include "io/reachability.h"

#include <errno.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/observer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr NodeId kPeer{.high = 1, .low = 1};
constexpr NodeId kOther{.high = 2, .low = 2};

Address At(uint8_t host, uint16_t port = 7946) {
  return Address::V4(10, 0, 0, host, port);
}
const Address kAddress = At(9);

// What happens to the peer in one second.
enum What {
  kHeard,          // a datagram from where it listens
  kHeardOnStream,  // from its machine
  kHeardBehindNat,
  kHeardOnStreamBehindNat,
  kAnsweredOnOurStream,
  kHeardFromOther,  // of another id, from the same address
  kConnectRefused,
  kConnectTimedOut,
  kConnected,
  kProbeLost,
  kProbeAnswered,
  kProbeAnsweredOnStream,
};

class Watched {
 public:
  void Happen(What what) {
    switch (what) {
      case kHeard:
        return Hear(kPeer, kAddress, false);
      case kHeardOnStream:
        return Hear(kPeer, At(9, 40000), true);
      case kHeardBehindNat:
        return Hear(kPeer, At(5, 1234), false);
      case kHeardOnStreamBehindNat:
        return Hear(kPeer, At(5, 40000), true);
      case kAnsweredOnOurStream:
        return Hear(kPeer, kAddress, true);
      case kHeardFromOther:
        return Hear(kOther, kAddress, false);
      case kConnectRefused:
        return machine_.NoteConnectFailed(now_, kAddress, ECONNREFUSED);
      case kConnectTimedOut:
        return machine_.NoteConnectFailed(now_, kAddress, ETIMEDOUT);
      case kConnected:
        return machine_.NoteConnected(kAddress);
      case kProbeLost:
        machine_.Note(now_, ProbeStarted{kPeer, kAddress});
        return ProbeAnother();
      case kProbeAnswered:
      case kProbeAnsweredOnStream:
        machine_.Note(now_, ProbeStarted{kPeer, kAddress});
        machine_.Note(now_,
                      ProbeAnswered{kPeer, what == kProbeAnsweredOnStream});
        return ProbeAnother();
    }
  }
  void Pass(absl::Duration time) {
    now_ = now_ + time;
    machine_.Forget(now_);
  }
  // Each second the same.
  void Repeat(int seconds, const std::vector<What>& each) {
    for (int i = 0; i < seconds; ++i) {
      for (const What what : each) Happen(what);
      Pass(absl::Seconds(1));
    }
  }
  // "" if the peer is not reported.
  std::string Reason() const {
    for (const auto& found : machine_.FindUnreachable(now_)) {
      if (found.address == kAddress) return found.reason;
    }
    return "";
  }

  FastInstant now() const { return now_; }
  Reachability& machine() { return machine_; }

 private:
  // A probe is over when the next begins.
  void ProbeAnother() {
    machine_.Note(now_, ProbeStarted{kOther, At(8)});
    machine_.Note(now_, ProbeAnswered{kOther, /*on_stream=*/false});
  }
  void Hear(NodeId id, const Address& source, bool on_stream) {
    machine_.Note(now_, MemberHeard{.id = id,
                                    .source = source,
                                    .address = kAddress,
                                    .on_stream = on_stream});
  }

  FastInstant now_ = FastInstant() + absl::Hours(1);
  Reachability machine_;
};

TEST(ReachabilityTest, NamesTheReason) {
  struct Case {
    std::vector<What> each_second;
    std::string reason;
  };
  const Case cases[] = {
      // Nothing is wrong.
      {{kHeard, kProbeAnswered, kConnected}, ""},
      // It is dead, or was never there: nobody hears it.
      {{kProbeLost, kConnectRefused}, ""},
      // Nobody tries to reach it.
      {{kHeard}, ""},
      // Its TCP port is closed by a firewall, and it is reached by UDP.
      {{kHeard, kProbeAnswered, kConnectTimedOut},
       "streams to it cannot be opened (Connection timed out), though "
       "datagrams reach it: is TCP blocked?"},
      {{kHeard, kConnectRefused},
       "streams to it cannot be opened (Connection refused)"},
      // Its UDP port is: it answers the second try, on a stream.
      {{kHeardOnStream, kProbeLost, kProbeAnsweredOnStream, kConnected},
       "there is no acknowledgement of datagrams, though streams reach it: is "
       "UDP blocked?"},
      // It advertises where somebody else is, or nobody.
      {{kHeardOnStreamBehindNat, kProbeLost, kConnected},
       "there is no acknowledgement of datagrams; its packets come from "
       "10.0.0.5: is it behind NAT, or is its --advertise wrong?"},
      {{kHeardBehindNat, kProbeLost, kConnectTimedOut},
       "streams to it cannot be opened (Connection timed out), and there is no "
       "acknowledgement of datagrams; its packets come from 10.0.0.5:1234: is "
       "it behind NAT, or is its --advertise wrong?"},
      // Two of them advertise one address.
      {{kHeard, kHeardFromOther, kProbeLost},
       "there is no acknowledgement of datagrams"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.reason);
    Watched watched;
    watched.Repeat(15, each.each_second);
    EXPECT_EQ(watched.Reason(), each.reason);
  }
}

TEST(ReachabilityTest, WaitsForTheTroubleToLastAndNoLonger) {
  Watched watched;
  watched.Repeat(4, {kHeard, kProbeLost, kConnectRefused});
  EXPECT_EQ(watched.Reason(), "");
  watched.Repeat(4, {kHeard, kProbeLost, kConnectRefused});
  EXPECT_NE(watched.Reason(), "");
}

TEST(ReachabilityTest, AFewLostDatagramsAreNoTrouble) {
  Watched watched;
  for (int i = 0; i < 100; ++i) {
    watched.Repeat(2, {kHeard, kProbeLost});
    watched.Repeat(1, {kHeard, kProbeAnswered});
    EXPECT_EQ(watched.Reason(), "");
  }
}

TEST(ReachabilityTest, EndsWhenThePeerIsReachedAndForgetsIt) {
  Watched watched;
  watched.Repeat(10, {kHeard, kProbeLost, kConnectRefused});
  EXPECT_NE(watched.Reason(), "");
  watched.Repeat(1, {kHeard, kProbeAnswered, kConnected});
  EXPECT_EQ(watched.Reason(), "");
  watched.Happen(kProbeAnswered);
  EXPECT_EQ(watched.machine().size(), 0u);
}

TEST(ReachabilityTest, EndsWhenThePeerIsHeardNoMore) {
  Watched watched;
  watched.Repeat(10, {kHeard, kProbeLost, kConnectRefused});
  EXPECT_NE(watched.Reason(), "");
  watched.Repeat(31, {kConnectRefused});
  EXPECT_EQ(watched.Reason(), "");
}

// It was away, and nothing has been sent to it since.
TEST(ReachabilityTest, APeerThatComesBackIsNotBlamedForItsAbsence) {
  struct Case {
    int away;
    What comes_back;
  };
  const Case cases[] = {{20, kHeard}, {20, kHeardFromOther}, {120, kHeard}};
  for (const auto& [away, comes_back] : cases) {
    SCOPED_TRACE(away);
    Watched watched;
    // Its last datagram arrives when its port is closed already.
    watched.Happen(kConnectRefused);
    if (comes_back == kHeardFromOther) watched.Happen(kHeard);
    watched.Repeat(away, {kConnectRefused, kProbeLost});
    watched.Repeat(20, {comes_back});
    EXPECT_EQ(watched.Reason(), "");
  }
}

TEST(ReachabilityTest, FailuresOfLongAgoAreForgotten) {
  Watched watched;
  watched.Repeat(10, {kHeard, kConnectRefused});
  EXPECT_NE(watched.Reason(), "");
  watched.Repeat(125, {kHeard});
  EXPECT_EQ(watched.Reason(), "");
  EXPECT_EQ(watched.machine().size(), 0u);
}

TEST(ReachabilityTest, ManyPeersTakeBoundedMemoryAndHideNobodyWhoIsHeard) {
  Reachability::Options options;
  options.peers_max = 16;
  Reachability machine(options);
  FastInstant now = FastInstant() + absl::Hours(1);
  for (int second = 0; second < 10; ++second) {
    for (int i = 0; i < 100; ++i) {
      machine.NoteConnectFailed(
          now, Address::V4(10, 1, 0, static_cast<uint8_t>(i), 7946),
          ECONNREFUSED);
      machine.NoteConnectFailed(now, kAddress, EHOSTUNREACH);
      machine.Note(now, MemberHeard{.id = kPeer,
                                    .source = kAddress,
                                    .address = kAddress,
                                    .on_stream = false});
      EXPECT_LE(machine.size(), 16u);
    }
    now = now + absl::Seconds(1);
  }
  const auto found = machine.FindUnreachable(now);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].member, kPeer);
  EXPECT_EQ(found[0].address, kAddress);
  EXPECT_EQ(found[0].reason,
            "streams to it cannot be opened (No route to host)");
}

TEST(ReachabilityTest, RefusalsAreKeptForAMinuteAndAreFew) {
  Watched watched;
  const auto refuse = [&](int machine) {
    watched.machine().Note(
        watched.now(),
        AddressRefused{
            .id = kPeer,
            .address = Address::V4(127, 0, 0, 1, 7946),
            .reported_by = kPeer,
            .source = Address::V4(10, 0, 1, static_cast<uint8_t>(machine),
                                  static_cast<uint16_t>(40000 + machine))});
  };
  for (int machine = 0; machine < 200; ++machine) refuse(machine);
  EXPECT_THAT(watched.machine().FindRefused(watched.now()), SizeIs(64));
  // Streams come from ports of their own.
  for (int i = 0; i < 10; ++i) refuse(1);
  EXPECT_THAT(watched.machine().FindRefused(watched.now()), SizeIs(64));
  watched.Pass(absl::Seconds(61));
  EXPECT_THAT(watched.machine().FindRefused(watched.now()), IsEmpty());
  EXPECT_EQ(watched.machine().size(), 0u);
}

TEST(ReachabilityTest, AccusationsAgainAndAgainMeanThatOthersDoNotReachUs) {
  Watched watched;
  const auto accuse = [&] {
    watched.machine().Note(watched.now(), SelfAccused{.by = kOther});
  };
  // One silence, of which many speak.
  for (int i = 0; i < 100; ++i) accuse();
  EXPECT_FALSE(watched.machine().FindUnreached(watched.now()).has_value());
  watched.Pass(absl::Seconds(61));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(watched.machine().FindUnreached(watched.now()).has_value());
    watched.Pass(absl::Seconds(4));
    accuse();
  }
  const auto unreached = watched.machine().FindUnreached(watched.now());
  ASSERT_TRUE(unreached.has_value());
  EXPECT_EQ(unreached->by, kOther);
  EXPECT_EQ(unreached->times, 3u);
  watched.Pass(absl::Seconds(61));
  EXPECT_FALSE(watched.machine().FindUnreached(watched.now()).has_value());
}

TEST(ReachabilityTest, NobodyConnectsToANewcomerThatHearsOthers) {
  struct Case {
    std::vector<What> each_second;
    bool is_streamless;
  };
  const Case cases[] = {
      {{}, false},
      {{kProbeLost}, false},
      {{kHeard}, true},
      {{kHeardBehindNat}, true},
      // An answer on our own stream.
      {{kAnsweredOnOurStream}, true},
      {{kHeard, kHeardOnStream}, false},
  };
  for (const Case& each : cases) {
    Watched watched;
    watched.Repeat(9, each.each_second);
    EXPECT_FALSE(watched.machine().FindStreamless(watched.now()).has_value());
    watched.Repeat(6, each.each_second);
    EXPECT_EQ(watched.machine().FindStreamless(watched.now()).has_value(),
              each.is_streamless);
    watched.Pass(absl::Seconds(6));
    EXPECT_FALSE(watched.machine().FindStreamless(watched.now()).has_value());
  }
}

TEST(ReachabilityTest, ARefusalKeepsTheNameThatAnotherMessageGave) {
  Watched watched;
  AddressRefused refused = {.id = kPeer,
                            .name = "n2",
                            .address = Address::V4(127, 0, 0, 1, 7946),
                            .reported_by = kOther,
                            .source = At(5, 40000)};
  watched.machine().Note(watched.now(), refused);
  refused.name = "";
  refused.reported_by = kPeer;
  watched.machine().Note(watched.now(), refused);
  const auto found = watched.machine().FindRefused(watched.now());
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].name, "n2");
  EXPECT_EQ(found[0].reported_by, kPeer);
}

}  // namespace
}  // namespace cachalot
