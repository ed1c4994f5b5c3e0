// Properties of the parts that the simulator is made of: were one of them to
// bend its rules, it would judge another engine than the one that runs.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"
#include "sim/world/agenda.h"
#include "sim/world/chance.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/disk.h"
#include "sim/world/instant.h"
#include "sim/world/network.h"

namespace cachalot::sim {
namespace {

// In [low, high].
uint64_t Between(uint64_t low, uint64_t high) {
  return *rc::gen::inRange<uint64_t>(low, high + 1);
}

RealInstant At(int64_t nanoseconds) {
  return RealInstant::FromNanoseconds(nanoseconds);
}

absl::Duration Milliseconds(uint64_t count) {
  return absl::Milliseconds(static_cast<int64_t>(count));
}

// --- Agenda ------------------------------------------------------------------

// A list that is sorted stably before each look at it.
RC_GTEST_PROP(AgendaProperty, DoesWhatAStableSortDoes, ()) {
  Agenda<int> agenda;
  std::vector<std::pair<int64_t, int>> model;
  int added = 0;
  for (uint64_t steps = Between(1, 60); steps > 0; --steps) {
    if (model.empty() || Between(0, 2) > 0) {
      const auto at = static_cast<int64_t>(Between(0, 9));
      agenda.Add(At(at), added);
      model.emplace_back(at, added++);
    } else {
      const auto by_time = [](const auto& a, const auto& b) {
        return a.first < b.first;
      };
      std::stable_sort(model.begin(), model.end(), by_time);
      RC_ASSERT(agenda.NextDue() == At(model.front().first));
      RC_ASSERT(agenda.TakeNext() == model.front().second);
      model.erase(model.begin());
    }
    RC_ASSERT(agenda.size() == model.size());
  }
}

// --- Clocks ------------------------------------------------------------------

// A clock after a few bends; `*now` is when it was bent last, or later.
Clock BentClock(int64_t* now) {
  const auto rate = [] {
    return *rc::gen::inRange<int64_t>(-1000000, 1000001);
  };
  constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1000000000;
  Clock clock(*rc::gen::inRange<int64_t>(-kYear, kYear), rate());
  for (uint64_t bends = Between(0, 5); bends > 0; --bends) {
    *now += *rc::gen::inRange<int64_t>(0, 1000000000000);
    clock.SetRate(At(*now), rate());
  }
  return clock;
}

RC_GTEST_PROP(ClockProperty, NeverFallsHoweverItIsBent, ()) {
  int64_t now = 0;
  Clock clock = BentClock(&now);
  int64_t last = clock.At(At(now));
  for (uint64_t steps = Between(1, 12); steps > 0; --steps) {
    now += *rc::gen::oneOf(rc::gen::inRange<int64_t>(0, 5),
                           rc::gen::inRange<int64_t>(0, 1000000000000));
    if (Between(0, 2) == 0) {
      clock.SetRate(At(now), *rc::gen::inRange<int64_t>(-1000000, 1000001));
    }
    RC_ASSERT(clock.At(At(now)) >= last);
    last = clock.At(At(now));
  }
}

RC_GTEST_PROP(ClockProperty, FindsTheFirstInstantOfEveryReading, ()) {
  int64_t now = 0;
  const Clock clock = BentClock(&now);
  const int64_t at = now + *rc::gen::inRange<int64_t>(0, 1000000000000);
  const int64_t reading = clock.At(At(at));
  const RealInstant first = clock.When(reading);
  RC_ASSERT(first <= At(at));
  RC_ASSERT(clock.At(first) == reading);
  const RealInstant later = clock.When(reading + 1);
  RC_ASSERT(later > At(at));
  if (later != RealInstant::Never()) RC_ASSERT(clock.At(later) > reading);
}

RC_GTEST_PROP(ClockProperty, RunsAtItsRate, ()) {
  const int64_t rate = *rc::gen::inRange<int64_t>(-1000000, 1000001);
  const int64_t elapsed = *rc::gen::inRange<int64_t>(0, 1000000000000);
  const Clock clock(0, rate);
  // Rounded down.
  const int64_t reading = clock.At(At(elapsed));
  const absl::int128 exact = absl::int128(elapsed) * (1000000 + rate) / 1000000;
  RC_ASSERT(reading <= exact);
  RC_ASSERT(reading >= exact - 1);
}

// --- Disk --------------------------------------------------------------------

SaveState TermOrder(uint64_t number) {
  SaveState order{.save = SaveId(number)};
  order.change.term = Term(number);
  return order;
}

// The n-th order sets the term n: the term says how far the disk has come.
RC_GTEST_PROP(DiskProperty, KeepsAPrefixThatHoldsAllThatWasDone,
              (uint64_t seed)) {
  ChoiceSource choices(seed);
  Disk disk({Milliseconds(1), Milliseconds(20)}, Chance(&choices, "disk"));
  RealInstant now;
  RealInstant last_done;
  uint64_t ordered = 0;
  uint64_t done = 0;
  for (uint64_t steps = Between(1, 30); steps > 0; --steps) {
    now = now + Milliseconds(Between(0, 10));
    switch (Between(0, 5)) {
      case 0: {
        disk.Crash();
        RC_ASSERT(disk.contents().term >= Term(done));
        RC_ASSERT(disk.contents().term <= Term(ordered));
        RC_ASSERT(disk.orders_open() == 0u);
        ordered = done = disk.contents().term.value();
        last_done = RealInstant();
        break;
      }
      case 1:
      case 2: {
        const std::optional<SaveId> finished = disk.FinishDue(now);
        if (finished.has_value()) {
          RC_ASSERT(finished->value() > done);
          done = finished->value();
        }
        RC_ASSERT((disk.orders_open() == 0u) == (done == ordered));
        RC_ASSERT(done == ordered || last_done > now);
        break;
      }
      default: {
        const RealInstant when = disk.Save(now, TermOrder(++ordered));
        RC_ASSERT(when > now);
        RC_ASSERT(when >= last_done);
        last_done = when;
      }
    }
    RC_ASSERT(disk.contents().term == Term(done));
  }
}

// --- Network -----------------------------------------------------------------

constexpr int kListeners = 3;

Address ListenerAddress(uint64_t listener) {
  return Address::V4(10, 0, 0, static_cast<uint8_t>(listener), 7946);
}

// A network under fire, and what has to be true of each arrival.
class StormyNetwork {
 public:
  explicit StormyNetwork(uint64_t seed)
      : choices_(seed), network_(DrawOptions(), &choices_) {
    for (uint64_t i = 1; i <= kListeners; ++i) {
      network_.Open(ListenerAddress(i));
    }
  }

  void Act() {
    const Address from = AnyAddress();
    const Address to = AnyAddress();
    switch (Between(0, 9)) {
      case 0:
        return network_.Cut(from, to);
      case 1:
        return network_.Mend(now_, from, to);
      case 2:
        network_.Reset(now_, from, to);
        return;
      case 3:
        if (Between(0, 3) == 0) Restart(from);
        return;
      case 4:
      case 5:
        return RunUntil(now_ + Milliseconds(Between(0, 40)));
      case 6:
      case 7:
        return network_.SendDatagram(now_, from, to, "datagram");
      default:
        return network_.SendFrame(now_, from, to, absl::StrCat(++sent_));
    }
  }

  void CalmDown() {
    network_.MendAll(now_);
    RunUntil(RealInstant::Never());
    const NetworkCounters& counters = network_.counters();
    RC_ASSERT(counters.datagrams_sent + counters.datagrams_duplicated ==
              counters.datagrams_delivered + counters.datagrams_lost +
                  counters.datagrams_cut + counters.datagrams_unheard);
    RC_ASSERT(counters.frames_sent ==
              counters.frames_delivered + counters.frames_lost);
    RC_ASSERT(counters.datagrams_delivered == datagrams_arrived_);
    RC_ASSERT(counters.frames_delivered == frames_arrived_);
  }

 private:
  static NetworkOptions DrawOptions() {
    NetworkOptions options;
    options.delay = {Milliseconds(1), Milliseconds(20)};
    options.loss = Rate::Percent(static_cast<uint32_t>(Between(0, 30)));
    options.duplication = Rate::Percent(static_cast<uint32_t>(Between(0, 30)));
    options.reset = Rate::Percent(static_cast<uint32_t>(Between(0, 10)));
    return options;
  }
  static Address AnyAddress() {
    return ListenerAddress(Between(1, kListeners));
  }

  void Restart(const Address& address) {
    had_restarts_ = true;
    if (Between(0, 1) == 0) {
      network_.Crash(now_, address);
    } else {
      network_.Exit(now_, address);
    }
    network_.Open(address);
  }

  void RunUntil(RealInstant end) {
    while (network_.NextDue() != RealInstant::Never() &&
           network_.NextDue() <= end) {
      RC_ASSERT(network_.NextDue() >= now_);
      now_ = network_.NextDue();
      const std::optional<Network::Arrival> arrival = network_.RunNext(now_);
      if (arrival.has_value()) Judge(*arrival);
    }
    if (end != RealInstant::Never()) now_ = end;
  }

  void Judge(const Network::Arrival& arrival) {
    if (const auto* d = std::get_if<DatagramReceived>(&arrival.what)) {
      RC_ASSERT(!network_.IsCut(d->from, arrival.to));
      ++datagrams_arrived_;
    }
    if (const auto* f = std::get_if<FrameReceived>(&arrival.what)) {
      RC_ASSERT(!network_.IsCut(f->from, arrival.to));
      uint64_t number = 0;
      RC_ASSERT(absl::SimpleAtoi(f->bytes, &number));
      uint64_t& last = last_frame_[{f->from, arrival.to}];
      // Streams of a process before this one may still deliver.
      if (!had_restarts_) RC_ASSERT(number > last);
      last = number;
      ++frames_arrived_;
    }
  }

  ChoiceSource choices_;
  Network network_;
  RealInstant now_;
  uint64_t sent_ = 0;
  bool had_restarts_ = false;
  std::map<std::pair<Address, Address>, uint64_t> last_frame_;
  uint64_t datagrams_arrived_ = 0;
  uint64_t frames_arrived_ = 0;
};

RC_GTEST_PROP(NetworkProperty,
              KeepsOrderDeliversNothingOverCutsAndCountsAllThatItDoes,
              (uint64_t seed)) {
  StormyNetwork network(seed);
  for (uint64_t steps = Between(1, 80); steps > 0; --steps) network.Act();
  network.CalmDown();
}

}  // namespace
}  // namespace cachalot::sim
