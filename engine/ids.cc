#include "engine/ids.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cachalot {

template <typename Kind>
std::string WideId<Kind>::ToString() const {
  return absl::StrCat(absl::Hex(high, absl::kZeroPad16),
                      absl::Hex(low, absl::kZeroPad16));
}

template <typename Kind>
std::string WideId<Kind>::ToShortString() const {
  return absl::StrCat(absl::Hex(high >> 32, absl::kZeroPad8));
}

template struct WideId<NodeKind>;
template struct WideId<ClusterKind>;

std::string FencingToken::ToString() const {
  return absl::StrCat(epoch.value(), ".", index.value(), ".", sequence);
}

absl::uint128 FencingToken::ToNumber() const {
  return (absl::uint128(epoch.value()) << 80) |
         (absl::uint128(index.value()) << 32) | sequence;
}

std::optional<FencingToken> FencingToken::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() == 1) {
    absl::uint128 number;
    if (!absl::SimpleAtoi(text, &number)) return std::nullopt;
    constexpr absl::uint128 kIndexMask = (absl::uint128(1) << 48) - 1;
    return FencingToken{
        .epoch = Epoch(absl::Uint128Low64(number >> 80)),
        .index = LogIndex(absl::Uint128Low64((number >> 32) & kIndexMask)),
        .sequence = static_cast<uint32_t>(absl::Uint128Low64(number))};
  }
  uint64_t epoch = 0;
  uint64_t index = 0;
  uint32_t sequence = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &epoch) ||
      !absl::SimpleAtoi(parts[1], &index) ||
      !absl::SimpleAtoi(parts[2], &sequence)) {
    return std::nullopt;
  }
  return FencingToken{
      .epoch = Epoch(epoch), .index = LogIndex(index), .sequence = sequence};
}

}  // namespace cachalot
