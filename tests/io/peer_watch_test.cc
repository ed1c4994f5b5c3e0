#include "io/peer_watch.h"

#include <errno.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/log.h"
#include "io/log_event.h"
#include "tests/io/kept_log.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr NodeId kPeer{.high = 1, .low = 1};
const Address kAddress = Address::V4(10, 0, 0, 9, 7946);
const Address kSource = Address::V4(10, 0, 0, 5, 40000);

// A node that advertises `address`, and what is said of its peers.
class PeerWatchTest : public testing::Test {
 protected:
  void Start(const Address& address) {
    log_ = Logger::Create(LogLevel::kInfo, kept_.Function()).value();
    watch_ = std::make_unique<PeerWatch>(log_.get(), nullptr, &now_);
    NodeOptions options;
    options.name = "n1";
    options.address = address;
    options.observer = watch_.get();
    node_ =
        std::make_unique<Node>(Node::Create(std::move(options), now_).value());
    watch_->set_node(node_.get());
  }
  void Pass(absl::Duration time) {
    now_.slow = now_.slow + time;
    now_.fast = now_.fast + time;
    watch_->Look();
  }
  // For so many seconds the peer is heard and cannot be reached.
  void Suffer(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      watch_->Observe(MemberHeard{.id = kPeer,
                                  .source = kSource,
                                  .address = kAddress,
                                  .on_stream = true});
      watch_->OnConnectFailed(kAddress, EHOSTUNREACH);
      Pass(absl::Seconds(1));
    }
  }
  void Refuse(NodeId by, const Address& address) {
    watch_->Observe(AddressRefused{.id = kPeer,
                                   .name = "n\n2",
                                   .address = address,
                                   .reported_by = by,
                                   .source = kSource});
  }
  std::vector<LogRecord> Records() {
    log_->Stop(absl::InfiniteDuration());
    return kept_.Records();
  }

  Now now_ = {.slow = SlowInstant() + absl::Hours(1),
              .fast = FastInstant() + absl::Hours(1)};
  KeptLog kept_;
  std::unique_ptr<Logger> log_;
  std::unique_ptr<PeerWatch> watch_;
  std::unique_ptr<Node> node_;
};

TEST_F(PeerWatchTest, TellsOnceAMinuteForAsLongAsItLasts) {
  Start(Address::V4(10, 0, 0, 1, 7946));
  Suffer(9);
  EXPECT_THAT(
      watch_->Problems(),
      ElementsAre("00000000 (00000000 at 10.0.0.9:7946) is heard but cannot "
                  "be reached: streams to it cannot be opened (No route to "
                  "host); its packets come from 10.0.0.5: is it behind NAT, or "
                  "is its --advertise wrong?"));
  Suffer(120);
  watch_->OnConnected(kAddress);
  EXPECT_THAT(watch_->Problems(), IsEmpty());
  Pass(absl::Seconds(100));
  const std::vector<LogRecord> records = Records();
  ASSERT_THAT(records, SizeIs(3));
  for (const LogRecord& record : records) {
    EXPECT_EQ(record.event, LogEvent::kPeerUnreachable);
    EXPECT_THAT(record.message, HasSubstr("No route to host"));
    EXPECT_THAT(record.message, Not(HasSubstr("times more")));
    EXPECT_EQ(FieldNames(record), InfoOf(record.event).fields);
  }
}

TEST_F(PeerWatchTest, NamesWhoAdvertisesLoopbackAndSaysWhatToDo) {
  Start(Address::V4(10, 0, 0, 1, 7946));
  Refuse(kPeer, Address::V4(127, 0, 0, 1, 7947));
  EXPECT_THAT(
      watch_->Problems(),
      ElementsAre("n\n2 (00000000) is refused: it advertises 127.0.0.1:7947, "
                  "its own loopback, but speaks from 10.0.0.5: start it with "
                  "--advertise 10.0.0.5:7947"));
  for (int i = 0; i < 30; ++i) {
    Refuse(kPeer, Address::V4(127, 0, 0, 1, 7947));
    Pass(absl::Seconds(1));
  }
  const std::vector<LogRecord> records = Records();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].event, LogEvent::kPeerUnreachable);
  EXPECT_THAT(records[0].message, HasSubstr("n\\x0a2"));
  EXPECT_EQ(std::get<std::string>(records[0].fields[0].value), "n\n2");
}

TEST_F(PeerWatchTest, NamesWhoSpeaksOfALoopbackAddress) {
  Start(Address::V4(10, 0, 0, 1, 7946));
  Refuse(NodeId{.high = 3, .low = 3}, Address::V4(127, 0, 0, 1, 7947));
  ASSERT_THAT(watch_->Problems(), SizeIs(1));
  EXPECT_THAT(watch_->Problems()[0],
              HasSubstr("which speaks from 10.0.0.5, says that it is at "
                        "127.0.0.1:7947, its own loopback: start it with"));
}

TEST_F(PeerWatchTest, ManyProblemsAreCounted) {
  Start(Address::V4(10, 0, 0, 1, 7946));
  for (uint16_t port = 1; port <= 20; ++port) {
    Refuse(kPeer, Address::V4(127, 0, 0, 1, port));
  }
  ASSERT_THAT(watch_->Problems(), SizeIs(9));
  EXPECT_EQ(watch_->Problems().back(), "12 more members cannot be reached");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Records(), SizeIs(10));
}

TEST_F(PeerWatchTest, TellsThatOthersDoNotReachThisNode) {
  Start(Address::V4(10, 0, 0, 1, 7946));
  for (int i = 0; i < 4; ++i) {
    watch_->Observe(SelfAccused{.by = kPeer});
    Pass(absl::Seconds(3));
  }
  ASSERT_THAT(watch_->Problems(), SizeIs(1));
  EXPECT_THAT(watch_->Problems()[0],
              HasSubstr("can they reach it at 10.0.0.1:7946?"));
  const std::vector<LogRecord> records = Records();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].event, LogEvent::kAddressDoubtful);
}

TEST_F(PeerWatchTest, TellsThatNobodyConnectsToThisNode) {
  Start(Address::V4(10, 0, 0, 1, 7946));
  for (int i = 0; i < 12; ++i) {
    watch_->Observe(
        MemberHeard{.id = kPeer, .source = kAddress, .address = kAddress});
    Pass(absl::Seconds(1));
  }
  ASSERT_THAT(watch_->Problems(), SizeIs(1));
  EXPECT_THAT(watch_->Problems()[0],
              HasSubstr("can others connect to 10.0.0.1:7946?"));
  EXPECT_THAT(Records(), SizeIs(1));
}

}  // namespace
}  // namespace cachalot
