#include "sim/world/network.h"

#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/event.h"
#include "gtest/gtest.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/fault.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

const Address kA = Address::V4(10, 0, 0, 1, 7946);
const Address kB = Address::V4(10, 0, 0, 2, 7946);
const Address kC = Address::V4(10, 0, 0, 3, 7946);

NetworkOptions NoFaults() {
  NetworkOptions options;
  options.delay = {absl::Milliseconds(1), absl::Milliseconds(10)};
  options.give_up_min = absl::Milliseconds(500);
  options.give_up_max = absl::Milliseconds(500);
  options.resend_max = absl::Milliseconds(100);
  return options;
}

// A network with three listeners, and what arrived.
class NetworkTest : public testing::Test {
 protected:
  void Build(NetworkOptions options) {
    network_.emplace(options, &choices_);
    for (const Address& address : {kA, kB, kC}) network_->Open(address);
  }

  void RunUntil(absl::Duration end) {
    while (network_->NextDue() <= RealInstant() + end) {
      now_ = network_->NextDue();
      std::optional<Network::Arrival> arrival = network_->RunNext(now_);
      if (arrival.has_value()) Take(*arrival);
    }
    now_ = RealInstant() + end;
  }

  void Take(const Network::Arrival& arrival) {
    if (const auto* d = std::get_if<DatagramReceived>(&arrival.what)) {
      datagrams_.push_back(d->bytes);
    }
    if (const auto* f = std::get_if<FrameReceived>(&arrival.what)) {
      frames_.push_back(f->bytes);
    }
    if (const auto* l = std::get_if<LinkChanged>(&arrival.what)) {
      links_.push_back(absl::StrCat(l->up ? "up" : "down"));
    }
  }

  void SendFrames(int count) {
    for (int i = 0; i < count; ++i) {
      network_->SendFrame(now_, kA, kB, absl::StrCat(sent_++));
    }
  }

  std::vector<std::string> Numbers(int count) {
    std::vector<std::string> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(absl::StrCat(i));
    return numbers;
  }

  RealInstant now_;
  ChoiceSource choices_ = ChoiceSource(1);
  std::optional<Network> network_;
  int sent_ = 0;
  std::vector<std::string> datagrams_;
  std::vector<std::string> frames_;
  std::vector<std::string> links_;
};

TEST_F(NetworkTest, DeliversEveryDatagramWithoutFaults) {
  Build(NoFaults());
  for (int i = 0; i < 100; ++i) network_->SendDatagram(now_, kA, kB, "x");
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(datagrams_.size(), 100u);
}

TEST_F(NetworkTest, DatagramsOvertakeEachOther) {
  Build(NoFaults());
  for (int i = 0; i < 100; ++i) {
    network_->SendDatagram(now_, kA, kB, absl::StrFormat("%03d", i));
  }
  RunUntil(absl::Seconds(1));
  EXPECT_FALSE(std::is_sorted(datagrams_.begin(), datagrams_.end()));
}

TEST_F(NetworkTest, LosesAndDuplicatesAtTheConfiguredRates) {
  NetworkOptions options = NoFaults();
  options.loss = Rate::Percent(20);
  options.duplication = Rate::Percent(10);
  Build(options);
  for (int i = 0; i < 10000; ++i) network_->SendDatagram(now_, kA, kB, "x");
  RunUntil(absl::Seconds(1));
  EXPECT_NEAR(static_cast<double>(network_->counters().datagrams_lost), 2000,
              150);
  EXPECT_NEAR(static_cast<double>(network_->counters().datagrams_duplicated),
              800, 100);
  EXPECT_EQ(datagrams_.size(), 10000 - network_->counters().datagrams_lost +
                                   network_->counters().datagrams_duplicated);
}

TEST_F(NetworkTest, ACutDropsDatagramsInFlight) {
  Build(NoFaults());
  network_->SendDatagram(now_, kA, kB, "x");
  network_->Cut(kA, kB);
  RunUntil(absl::Seconds(1));
  EXPECT_TRUE(datagrams_.empty());
  EXPECT_EQ(network_->counters().datagrams_cut, 1u);
}

TEST_F(NetworkTest, ACutIsOneWay) {
  Build(NoFaults());
  network_->Cut(kA, kB);
  network_->SendDatagram(now_, kB, kA, "back");
  network_->SendDatagram(now_, kA, kC, "elsewhere");
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(datagrams_.size(), 2u);
}

TEST_F(NetworkTest, ADatagramToADeadProcessIsDropped) {
  Build(NoFaults());
  network_->Crash(now_, kB);
  network_->SendDatagram(now_, kA, kB, "x");
  RunUntil(absl::Seconds(1));
  EXPECT_TRUE(datagrams_.empty());
  EXPECT_EQ(network_->counters().datagrams_unheard, 1u);
}

TEST_F(NetworkTest, FramesKeepTheirOrder) {
  Build(NoFaults());
  SendFrames(200);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, Numbers(200));
  EXPECT_EQ(links_, std::vector<std::string>{"up"});
}

TEST_F(NetworkTest, AStreamSurvivesAShortCut) {
  Build(NoFaults());
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  network_->Cut(kA, kB);
  SendFrames(10);
  RunUntil(absl::Milliseconds(200));
  EXPECT_EQ(frames_.size(), 1u);
  network_->MendAll(now_);
  RunUntil(absl::Seconds(2));
  EXPECT_EQ(frames_, Numbers(11));
  EXPECT_EQ(links_, std::vector<std::string>{"up"});
  EXPECT_EQ(network_->counters().streams_stalled, 1u);
}

TEST_F(NetworkTest, AStreamBreaksInALongCutAndLosesItsTail) {
  Build(NoFaults());
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  network_->Cut(kA, kB);
  SendFrames(10);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(links_, (std::vector<std::string>{"up", "down"}));
  network_->MendAll(now_);
  RunUntil(absl::Seconds(2));
  EXPECT_EQ(frames_, Numbers(1));
  EXPECT_EQ(network_->counters().frames_lost, 10u);
}

TEST_F(NetworkTest, AStreamBreaksIfOnlyTheWayBackIsCut) {
  Build(NoFaults());
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  network_->Cut(kB, kA);
  SendFrames(1);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, Numbers(2));
  EXPECT_EQ(links_, (std::vector<std::string>{"up", "down"}));
}

TEST_F(NetworkTest, ConnectingToADeadProcessFails) {
  Build(NoFaults());
  network_->Crash(now_, kB);
  SendFrames(3);
  RunUntil(absl::Seconds(1));
  EXPECT_TRUE(frames_.empty());
  EXPECT_EQ(links_, std::vector<std::string>{"down"});
  EXPECT_EQ(network_->counters().frames_lost, 3u);
}

TEST_F(NetworkTest, TheSenderIsToldThatItsReceiverDied) {
  Build(NoFaults());
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  SendFrames(5);
  network_->Crash(now_, kB);
  network_->Open(kB);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, Numbers(1)) << "the new process has another stream";
  EXPECT_EQ(links_, (std::vector<std::string>{"up", "down"}));
}

TEST_F(NetworkTest, AStreamIsNotContinuedByTheNextProcess) {
  Build(NoFaults());
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  network_->Cut(kA, kB);
  network_->Crash(now_, kB);
  network_->Open(kB);
  SendFrames(5);
  RunUntil(absl::Milliseconds(100));
  network_->MendAll(now_);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, Numbers(1));
  EXPECT_EQ(links_, (std::vector<std::string>{"up", "down"}));
}

TEST_F(NetworkTest, ARandomPrefixOfADeadProcessesFramesArrives) {
  Build(NoFaults());
  bool some_were_lost = false;
  bool some_arrived = false;
  for (int run = 0; run < 50; ++run) {
    network_->Open(kA);
    const size_t before = frames_.size();
    const RealInstant end = now_ + absl::Seconds(1);
    SendFrames(1);
    RunUntil(end - RealInstant());
    SendFrames(4);
    network_->Crash(now_, kA);
    RunUntil(end + absl::Seconds(1) - RealInstant());
    const size_t arrived = frames_.size() - before;
    some_were_lost |= arrived < 5;
    some_arrived |= arrived > 1;
  }
  EXPECT_TRUE(some_were_lost);
  EXPECT_TRUE(some_arrived);
}

TEST_F(NetworkTest, AllFramesSentBeforeAnExitArrive) {
  Build(NoFaults());
  SendFrames(20);
  network_->Exit(now_, kA);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, Numbers(20));
}

TEST_F(NetworkTest, AResetLosesTheTailAndTellsTheSender) {
  Build(NoFaults());
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  SendFrames(5);
  network_->Reset(now_, kA, kB);
  SendFrames(1);  // before the sender knows: lost too
  RunUntil(absl::Milliseconds(200));
  EXPECT_EQ(links_, (std::vector<std::string>{"up", "down"}));
  EXPECT_EQ(network_->counters().frames_lost, 6u);
  SendFrames(1);  // on a new stream
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, (std::vector<std::string>{"0", "7"}));
}

TEST_F(NetworkTest, ATailMayArriveAfterTheNextStream) {
  NetworkOptions options = NoFaults();
  options.straggling = Rate::Percent(100);
  Build(options);
  bool some_overtake = false;
  for (int run = 0; run < 50; ++run) {
    frames_.clear();
    SendFrames(1);
    RunUntil(now_ - RealInstant() + absl::Milliseconds(50));
    const int first = sent_;
    SendFrames(5);
    network_->Reset(now_, kA, kB);
    RunUntil(now_ - RealInstant() + absl::Milliseconds(30));
    SendFrames(1);  // on the next stream
    RunUntil(now_ - RealInstant() + absl::Seconds(1));
    // A prefix of the five, in order.
    std::vector<std::string> stragglers;
    for (const std::string& frame : frames_) {
      const int number = std::stoi(frame);
      if (number >= first && number < first + 5) stragglers.push_back(frame);
    }
    ASSERT_FALSE(stragglers.empty());
    for (size_t i = 0; i < stragglers.size(); ++i) {
      EXPECT_EQ(stragglers[i], absl::StrCat(first + static_cast<int>(i)));
    }
    some_overtake |= frames_.back() == stragglers.back();
  }
  EXPECT_TRUE(some_overtake) << "an old frame came last";
  const FaultCount& count = network_->fault_counts().At(Fault::kStraggler);
  EXPECT_EQ(count.attempted, 50u);
  EXPECT_EQ(count.observed, network_->counters().streams_straggled);
  EXPECT_GT(count.observed, 0u);
  EXPECT_LE(count.observed, count.applied);
}

TEST_F(NetworkTest, NoTailArrivesAtTheNextProcess) {
  NetworkOptions options = NoFaults();
  options.straggling = Rate::Percent(100);
  Build(options);
  SendFrames(1);
  RunUntil(absl::Milliseconds(50));
  SendFrames(5);
  network_->Crash(now_, kB);
  network_->Open(kB);
  RunUntil(absl::Seconds(1));
  EXPECT_EQ(frames_, Numbers(1));
}

TEST_F(NetworkTest, StreamsAreResetAtTheConfiguredRate) {
  NetworkOptions options = NoFaults();
  options.reset = Rate::Percent(5);
  Build(options);
  for (int i = 0; i < 1000; ++i) {
    SendFrames(1);
    RunUntil(now_ - RealInstant() + absl::Milliseconds(100));
  }
  EXPECT_NEAR(static_cast<double>(network_->counters().streams_reset), 50, 25);
  EXPECT_EQ(frames_.size() + network_->counters().frames_lost, 1000u);
}

}  // namespace
}  // namespace cachalot::sim
