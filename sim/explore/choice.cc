#include "sim/explore/choice.h"

#include <cstddef>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace cachalot::sim {
namespace {

// By kind.
constexpr absl::string_view kLetters = "dshrawnxlubck";

template <typename Number>
bool ParseNumber(absl::string_view text, Number* number) {
  uint32_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) return false;
  *number = static_cast<Number>(value);
  return *number == value;
}

std::optional<Choice> ParseChoice(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  const size_t kind = kLetters.find(text[0]);
  if (kind == absl::string_view::npos) return std::nullopt;
  Choice choice{.kind = static_cast<Choice::Kind>(kind)};
  const std::vector<absl::string_view> parts =
      absl::StrSplit(text.substr(1), '.');
  if (parts.size() > 2) return std::nullopt;
  if (!ParseNumber(parts[0], &choice.which)) return std::nullopt;
  if (parts.size() == 2 && !ParseNumber(parts[1], &choice.other)) {
    return std::nullopt;
  }
  return choice;
}

}  // namespace

std::string ToString(const Choice& choice) {
  const char letter = kLetters[static_cast<size_t>(choice.kind)];
  std::string text = absl::StrCat(std::string(1, letter), choice.which);
  if (choice.other != 0) absl::StrAppend(&text, ".", choice.other);
  return text;
}

std::string ToString(const Path& path) {
  return absl::StrJoin(path, ",", [](std::string* out, const Choice& choice) {
    out->append(ToString(choice));
  });
}

std::optional<Path> ParsePath(absl::string_view text) {
  Path path;
  if (text.empty()) return path;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::optional<Choice> choice = ParseChoice(part);
    if (!choice.has_value()) return std::nullopt;
    path.push_back(*choice);
  }
  return path;
}

}  // namespace cachalot::sim
