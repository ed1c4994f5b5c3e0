#include "engine/membership/suspicion.h"

#include <algorithm>
#include <array>

#include "absl/algorithm/container.h"
#include "engine/check.h"

namespace cachalot {
namespace {

constexpr int kConfirmationsMax = 3;

// How far the duration has shrunk from max to min, in thousandths, by
// [wanted][confirmations]: log(confirmations + 1) / log(wanted + 1),
// Lifeguard's formula.
constexpr std::array<std::array<int, kConfirmationsMax + 1>,
                     kConfirmationsMax + 1>
    kShrinkPerMille = {{{1000, 1000, 1000, 1000},
                        {0, 1000, 1000, 1000},
                        {0, 631, 1000, 1000},
                        {0, 500, 792, 1000}}};

}  // namespace

Suspicion::Suspicion(SlowInstant start, const Terms& terms, NodeId accuser)
    : start_(start), terms_(terms), heard_from_({accuser}), held_until_(start) {
  CHECK(terms_.confirmations_wanted >= 0);
  CHECK(terms_.confirmations_wanted <= kConfirmationsMax);
  CHECK(terms_.min <= terms_.max);
  FindDeadline();
}

void Suspicion::Confirm(NodeId member) {
  if (confirmations_ == terms_.confirmations_wanted) return;
  if (absl::c_linear_search(heard_from_, member)) return;
  heard_from_.push_back(member);
  ++confirmations_;
  FindDeadline();
}

void Suspicion::ConfirmFully() {
  confirmations_ = terms_.confirmations_wanted;
  FindDeadline();
}

void Suspicion::Postpone(absl::Duration lost) {
  start_ = start_ + lost;
  FindDeadline();
}

void Suspicion::HoldUntil(SlowInstant instant) {
  held_until_ = std::max(held_until_, instant);
  FindDeadline();
}

void Suspicion::FindDeadline() {
  const int per_mille =
      kShrinkPerMille[static_cast<size_t>(terms_.confirmations_wanted)]
                     [static_cast<size_t>(confirmations_)];
  const absl::Duration lasts =
      terms_.max - (terms_.max - terms_.min) * per_mille / 1000;
  deadline_ = std::max(start_ + lasts, held_until_);
}

void Suspicion::AddTo(Fingerprint& hash) const {
  hash.Add(start_).Add(terms_.min).Add(terms_.max);
  hash.Add(static_cast<uint64_t>(terms_.confirmations_wanted));
  hash.Add(static_cast<uint64_t>(confirmations_)).Add(held_until_);
  for (const NodeId& id : heard_from_) hash.Add(id);
}

}  // namespace cachalot
