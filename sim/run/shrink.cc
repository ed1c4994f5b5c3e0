#include "sim/run/shrink.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sim/world/chance.h"

namespace cachalot::sim {
namespace {

constexpr size_t kRunsPerSweepMax = 128;
constexpr size_t kKindWordsMax = 10;

// Choices that are removed together.
using Part = std::vector<ChoicePlace>;

class Shrinker {
 public:
  Shrinker(ChoiceLog log, const StillFails& still_fails, ShrinkOptions options)
      : log_(std::move(log)), still_fails_(still_fails), options_(options) {}

  ShrinkResult Run() {
    size_t before;
    do {
      before = log_.size();
      LeaveOut([](const ChoicePlace& place) {
        return ChoicePlace{.stream = place.stream};
      });
      LeaveOut([](const ChoicePlace& place) {
        return ChoicePlace{place.stream, place.number, 0};
      });
      LeaveOut([](const ChoicePlace& place) {
        return ChoicePlace{place.stream, place.number,
                           place.index / Chance::kChoicesPerItem};
      });
      LeaveOut([](const ChoicePlace& place) { return place; });
      LowerValues();
    } while (log_.size() < before && !IsOver());
    return {std::move(log_), tries_};
  }

 private:
  bool IsOver() const { return tries_ >= options_.tries_max; }

  bool Try(const ChoiceLog& candidate) {
    ++tries_;
    std::optional<ChoiceLog> used = still_fails_(candidate);
    if (!used.has_value()) return false;
    log_ = *std::move(used);
    return true;
  }

  template <typename KeyOf>
  std::vector<Part> PartsBy(const KeyOf& key_of) const {
    absl::btree_map<ChoicePlace, Part> parts;
    for (const auto& [place, value] : log_.choices()) {
      parts[key_of(place)].push_back(place);
    }
    std::vector<Part> list;
    for (auto& [key, part] : parts) list.push_back(std::move(part));
    return list;
  }

  // Splits the log into parts and removes sequences of parts, first half of the
  // list at a time, then shorter and shorter ones. If the list is long, the
  // shortest sequences are not tried: there are too many.
  template <typename KeyOf>
  void LeaveOut(const KeyOf& key_of) {
    size_t length = std::max<size_t>(1, PartsBy(key_of).size() / 2);
    while (!IsOver()) {
      const bool got_smaller = Sweep(key_of, length);
      const size_t shortest =
          std::max<size_t>(1, PartsBy(key_of).size() / kRunsPerSweepMax);
      if (length <= shortest && !got_smaller) return;
      if (!got_smaller) length = std::max(shortest, length / 2);
    }
  }

  // One pass from the end to the beginning: the last choices of a run are most
  // often useless.
  template <typename KeyOf>
  bool Sweep(const KeyOf& key_of, size_t length) {
    bool got_smaller = false;
    std::vector<Part> parts = PartsBy(key_of);
    size_t end = parts.size();
    while (end > 0 && !IsOver()) {
      const size_t begin = end > length ? end - length : 0;
      if (Try(Without(parts, begin, end))) {
        got_smaller = true;
        parts = PartsBy(key_of);
        end = std::min(begin, parts.size());
      } else {
        end = begin;
      }
    }
    return got_smaller;
  }

  ChoiceLog Without(const std::vector<Part>& parts, size_t begin,
                    size_t end) const {
    ChoiceLog candidate = log_;
    for (size_t i = begin; i < end; ++i) {
      for (const ChoicePlace& place : parts[i]) candidate.Set(place, 0);
    }
    return candidate;
  }

  // Smaller numbers are easier to read, and may make other choices useless.
  void LowerValues() {
    const ChoiceLog::Choices choices = log_.choices();
    for (const auto& [place, value] : choices) {
      uint64_t least = 1;
      while (least < value && !IsOver() && log_.choices().contains(place)) {
        ChoiceLog candidate = log_;
        candidate.Set(place, least);
        if (Try(candidate)) break;
        least = std::max(least * 32, uint64_t{32});
      }
    }
  }

  ChoiceLog log_;
  const StillFails& still_fails_;
  ShrinkOptions options_;
  uint64_t tries_ = 0;
};

// True for a source location, as a CHECK prints it: "engine/node.cc:17:".
bool IsPlace(absl::string_view word) {
  return absl::StrContains(word, ".cc:") || absl::StrContains(word, ".h:");
}

bool HasDigit(absl::string_view word) {
  return std::any_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

}  // namespace

std::string KindOf(absl::string_view sentence) {
  std::vector<absl::string_view> kind;
  for (const absl::string_view word :
       absl::StrSplit(sentence, ' ', absl::SkipEmpty())) {
    if (kind.size() == kKindWordsMax) break;
    const bool is_place = IsPlace(word);
    if (is_place || !HasDigit(word)) kind.push_back(word);
    // What follows names machines and times.
    if (!is_place && kind.size() > 1 && absl::EndsWith(word, ":")) break;
  }
  return absl::StrJoin(kind, " ");
}

ShrinkResult Shrink(ChoiceLog log, const StillFails& still_fails,
                    ShrinkOptions options) {
  return Shrinker(std::move(log), still_fails, options).Run();
}

}  // namespace cachalot::sim
