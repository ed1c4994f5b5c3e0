#include "sim/world/choices.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cachalot::sim {
namespace {

absl::Status WrongLine(size_t number, absl::string_view line,
                       absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("choice log, line ", number, ": ", what, ": \"", line,
                   "\" (a line is \"<stream> <number> <index> = <value>\")"));
}

// Names are words of letters and hyphens.
bool IsName(absl::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || c == '-';
  });
}

}  // namespace

// --- The log -----------------------------------------------------------------

void ChoiceLog::Set(ChoicePlace place, uint64_t value) {
  if (value == 0) {
    choices_.erase(place);
  } else {
    choices_[std::move(place)] = value;
  }
}

std::string ChoiceLog::ToText() const {
  std::string text;
  for (const auto& [place, value] : choices_) {
    absl::StrAppend(&text, place.stream, " ", place.number, " ", place.index,
                    " = ", value, "\n");
  }
  return text;
}

absl::StatusOr<ChoiceLog> ChoiceLog::Parse(absl::string_view text) {
  ChoiceLog log;
  size_t number = 0;
  for (const absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty() || line[0] == '#') continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    ChoicePlace place;
    uint64_t value = 0;
    if (words.size() != 5 || !IsName(words[0]) || words[3] != "=" ||
        !absl::SimpleAtoi(words[1], &place.number) ||
        !absl::SimpleAtoi(words[2], &place.index) ||
        !absl::SimpleAtoi(words[4], &value)) {
      return WrongLine(number, line, "not a choice");
    }
    place.stream = std::string(words[0]);
    if (log.choices_.contains(place)) {
      return WrongLine(number, line, "this choice was given before");
    }
    if (log.size() == kChoicesMax) {
      return WrongLine(number, line, "too many choices");
    }
    log.Set(std::move(place), value);
  }
  return log;
}

// --- The source --------------------------------------------------------------

ChoiceSource::ChoiceSource(uint64_t seed, bool records)
    : seed_(seed), records_(records) {}

ChoiceSource::ChoiceSource(ChoiceLog log) : replays_(true), records_(true) {
  for (const auto& [place, value] : log.choices()) {
    listed_[Open(place.stream, place.number)][place.index] = value;
  }
}

void ChoiceSource::Suppress(const std::vector<std::string>& names) {
  suppressed_.insert(names.begin(), names.end());
}

bool ChoiceSource::IsSuppressed(absl::string_view name) const {
  return !suppressed_.empty() && suppressed_.contains(std::string(name));
}

uint32_t ChoiceSource::Open(absl::string_view name, uint64_t number) {
  Stream stream(std::string(name), number);
  const auto [found, is_new] = streams_.try_emplace(
      std::move(stream), static_cast<uint32_t>(names_.size()));
  if (is_new) {
    names_.push_back(found->first);
    listed_.emplace_back();
  }
  return found->second;
}

uint64_t ChoiceSource::Listed(uint32_t stream, uint64_t index) const {
  const auto found = listed_[stream].find(index);
  return found == listed_[stream].end() ? 0 : found->second;
}

ChoiceLog ChoiceSource::TakeLog() {
  ChoiceLog log;
  for (const Recorded& choice : std::exchange(recorded_, {})) {
    const auto& [name, number] = names_[choice.stream];
    log.Set({name, number, choice.index}, choice.value);
  }
  return log;
}

}  // namespace cachalot::sim
