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

// One place of a run at which chance decides: the `index`-th choice of the
// stream `name`, `number`. Streams are counted by what they belong to: a link,
// a client, the n-th fault.
struct ChoicePlace {
  std::string stream;
  uint64_t number = 0;
  uint64_t index = 0;

  friend auto operator<=>(const ChoicePlace&, const ChoicePlace&) = default;
};

// The choices of a run that were not the dullest, by their places: all the
// chance that was in it. What is not listed is 0, the dullest that could be
// chosen there: nothing happens, at once, the first of the list. So any part of
// a log is a log, of a simpler run.
//
// The same log gives the same run, as a seed does; but a log can be cut down
// (sim/run/shrink.h), edited and written by hand or by a fuzzer.
class ChoiceLog {
 public:
  using Choices = absl::btree_map<ChoicePlace, uint64_t>;

  // Zero removes it.
  void Set(ChoicePlace place, uint64_t value);
  const Choices& choices() const { return choices_; }
  size_t size() const { return choices_.size(); }

  // A line for each choice: "<stream> <number> <index> = <value>"; lines that
  // are empty or begin with '#' mean nothing.
  std::string ToText() const;
  // InvalidArgument, naming the line, if it is none of these, if a place is
  // given twice or if there are more than kChoicesMax.
  static absl::StatusOr<ChoiceLog> Parse(absl::string_view text);
  static constexpr size_t kChoicesMax = size_t{1} << 22;

  friend bool operator==(const ChoiceLog&, const ChoiceLog&) = default;

 private:
  Choices choices_;
};

// Where the chance of one run comes from: from a seed, or from a log. Outlives
// the streams (chance.h) that are drawn from it.
class ChoiceSource {
 public:
  // All choices follow from the seed. `records`: keeps a log of them.
  explicit ChoiceSource(uint64_t seed, bool records = false);
  // All choices are as the log has them. Always records: what of the log was
  // asked for, within the bounds that were asked for.
  explicit ChoiceSource(ChoiceLog log);
  ChoiceSource(const ChoiceSource&) = delete;
  ChoiceSource& operator=(const ChoiceSource&) = delete;

  // Of the streams of these names every choice is the dullest. Call it first.
  void MakeDull(const std::vector<std::string>& names);

  uint64_t seed() const { return seed_; }
  bool replays() const { return replays_; }
  bool records() const { return records_; }
  // As far as the run has come.
  ChoiceLog TakeLog();

 private:
  friend class Chance;

  using Stream = std::pair<std::string, uint64_t>;
  struct Recorded {
    uint32_t stream;
    uint64_t index;
    uint64_t value;
  };

  // A small number for the stream, the same whenever it is opened.
  uint32_t Open(absl::string_view name, uint64_t number);
  bool IsDull(absl::string_view name) const;
  uint64_t Listed(uint32_t stream, uint64_t index) const;
  void Record(uint32_t stream, uint64_t index, uint64_t value) {
    recorded_.push_back({stream, index, value});
  }

  uint64_t seed_ = 0;
  bool replays_ = false;
  bool records_ = false;
  absl::btree_set<std::string> dull_;
  absl::btree_map<Stream, uint32_t> streams_;
  std::vector<Stream> names_;
  // Of a log that is replayed, by stream.
  std::vector<absl::btree_map<uint64_t, uint64_t>> listed_;
  std::vector<Recorded> recorded_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_CHOICES_H_
