#include "sim/world/clock.h"

#include <algorithm>

#include "absl/numeric/int128.h"
#include "engine/check.h"

namespace cachalot::sim {
namespace {

constexpr uint64_t kMillion = 1000000;

uint64_t ScaleDown(uint64_t elapsed, uint64_t rate) {
  // In two parts, so that the product fits.
  return elapsed / kMillion * rate + elapsed % kMillion * rate / kMillion;
}

uint64_t ScaleBackUp(uint64_t local, uint64_t rate) {
  const absl::uint128 product = absl::uint128(local) * kMillion;
  const absl::uint128 elapsed = (product + (rate - 1)) / rate;
  return absl::Uint128Low64(elapsed);
}

}  // namespace

Clock::Clock(int64_t offset, int64_t rate_ppm)
    : base_(offset), rate_ppm_(rate_ppm) {
  CHECK(rate_ppm >= -static_cast<int64_t>(kMillion));
}

int64_t Clock::At(RealInstant at) const {
  CHECK(at >= since_);
  const auto elapsed =
      static_cast<uint64_t>(at.nanoseconds() - since_.nanoseconds());
  const uint64_t rate = static_cast<uint64_t>(rate_ppm_ + int64_t{kMillion});
  return base_ + static_cast<int64_t>(ScaleDown(elapsed, rate));
}

RealInstant Clock::When(int64_t local) const {
  if (local <= base_) return since_;
  const uint64_t rate = static_cast<uint64_t>(rate_ppm_ + int64_t{kMillion});
  if (rate == 0) return RealInstant::Never();
  const auto wait = static_cast<uint64_t>(local) - static_cast<uint64_t>(base_);
  const uint64_t elapsed = ScaleBackUp(wait, rate);
  const auto room = static_cast<uint64_t>(RealInstant::Never().nanoseconds() -
                                          since_.nanoseconds());
  if (elapsed >= room) return RealInstant::Never();
  return RealInstant::FromNanoseconds(since_.nanoseconds() +
                                      static_cast<int64_t>(elapsed));
}

void Clock::SetRate(RealInstant from, int64_t rate_ppm) {
  CHECK(rate_ppm >= -static_cast<int64_t>(kMillion));
  base_ = At(from);
  since_ = from;
  rate_ppm_ = rate_ppm;
}

void Clock::Jump(RealInstant at, int64_t by) {
  CHECK(by >= 0);
  base_ = At(at) + by;
  since_ = at;
}

Now ClockPair::At(RealInstant at) const {
  return {SlowInstant::FromNanoseconds(slow.At(at)),
          FastInstant::FromNanoseconds(fast.At(at))};
}

RealInstant ClockPair::When(const Deadline& deadline) const {
  RealInstant due = RealInstant::Never();
  if (deadline.slow != SlowInstant::Never()) {
    due = std::min(due, slow.When(deadline.slow.nanoseconds()));
  }
  if (deadline.fast != FastInstant::Never()) {
    due = std::min(due, fast.When(deadline.fast.nanoseconds()));
  }
  return due;
}

}  // namespace cachalot::sim
