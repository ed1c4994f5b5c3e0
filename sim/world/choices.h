#ifndef SIM_WORLD_CHOICES_H_
#define SIM_WORLD_CHOICES_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cachalot::sim {

// Identifies one random choice of a run: the `index`-th choice of the stream
// (`stream`, `number`). The number says which link, client or fault the stream
// belongs to.
struct ChoicePlace {
  std::string stream;
  uint64_t number = 0;
  uint64_t index = 0;

  friend auto operator<=>(const ChoicePlace&, const ChoicePlace&) = default;
};

// All random choices of a run, by their places. Only choices other than 0 are
// listed; 0 is the minimal choice (chance.h). So any subset of a log is itself
// a log, of a simpler run.
//
// The same log always gives the same run, as a seed does. Unlike a seed, a log
// can be shrunk (sim/run/shrink.h), edited, and written by hand or by a fuzzer.
class ChoiceLog {
 public:
  using Choices = absl::btree_map<ChoicePlace, uint64_t>;

  // A value of 0 removes the choice.
  void Set(ChoicePlace place, uint64_t value);
  const Choices& choices() const { return choices_; }
  size_t size() const { return choices_.size(); }

  // One line for each choice: "<stream> <number> <index> = <value>". Parse()
  // skips empty lines and lines that begin with '#'.
  std::string ToText() const;
  // Errors: InvalidArgument, naming the line, if the line is malformed, if its
  // place was given before, or if there are more than kChoicesMax choices.
  static absl::StatusOr<ChoiceLog> Parse(absl::string_view text);
  static constexpr size_t kChoicesMax = size_t{1} << 22;

  friend bool operator==(const ChoiceLog&, const ChoiceLog&) = default;

 private:
  Choices choices_;
};

// Where the random choices of one run come from: a seed or a log. Must outlive
// the streams (chance.h) that use it.
class ChoiceSource {
 public:
  // The seed decides all choices. `records`: keeps a log of them.
  explicit ChoiceSource(uint64_t seed, bool records = false);
  // The log decides all choices. Always records the choices that the run used,
  // each limited to the range that the run asked for.
  explicit ChoiceSource(ChoiceLog log);
  ChoiceSource(const ChoiceSource&) = delete;
  ChoiceSource& operator=(const ChoiceSource&) = delete;

  // Makes every choice of the streams with these names 0. Call it before any
  // stream is opened.
  void Suppress(const std::vector<std::string>& names);

  uint64_t seed() const { return seed_; }
  bool replays() const { return replays_; }
  bool records() const { return records_; }
  // The choices made so far.
  ChoiceLog TakeLog();

 private:
  friend class Chance;

  using Stream = std::pair<std::string, uint64_t>;
  struct Recorded {
    uint32_t stream;
    uint64_t index;
    uint64_t value;
  };

  // A small number for the stream, the same each time it is opened.
  uint32_t Open(absl::string_view name, uint64_t number);
  bool IsSuppressed(absl::string_view name) const;
  uint64_t Listed(uint32_t stream, uint64_t index) const;
  void Record(uint32_t stream, uint64_t index, uint64_t value) {
    recorded_.push_back({stream, index, value});
  }

  uint64_t seed_ = 0;
  bool replays_ = false;
  bool records_ = false;
  absl::btree_set<std::string> suppressed_;
  absl::btree_map<Stream, uint32_t> streams_;
  std::vector<Stream> names_;
  // The replayed log: for each stream, its choices by index.
  std::vector<absl::btree_map<uint64_t, uint64_t>> listed_;
  std::vector<Recorded> recorded_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_CHOICES_H_
