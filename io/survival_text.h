#ifndef IO_SURVIVAL_TEXT_H_
#define IO_SURVIVAL_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "engine/survival.h"

namespace cachalot {

// One line for people, with escaped names:
// "survives 0 more deaths: its only voter is n1".
std::string DescribeSurvival(const Survival& survival);

// Why no leader is known, and what to do about it, with escaped names. Empty
// for Outage::Kind::kNone; at most kOutageTextBytesMax.
std::string DescribeOutage(const Outage& outage);
inline constexpr size_t kOutageTextBytesMax = 3500;

// "majority_lost". Stable: scripts may match it.
absl::string_view OutageKindName(Outage::Kind kind);

}  // namespace cachalot

#endif  // IO_SURVIVAL_TEXT_H_
