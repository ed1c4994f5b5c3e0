#include "engine/ids.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

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

std::string FencingToken::ToString() const { return absl::StrCat(number_); }

std::optional<FencingToken> FencingToken::Parse(absl::string_view text) {
  const bool has_other = text.find_first_not_of("0123456789") != text.npos;
  uint64_t number = 0;
  if (has_other || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  if (number == 0 || number > kMax) return std::nullopt;
  return FencingToken(number);
}

}  // namespace cachalot
