#ifndef SIM_WORLD_TRACE_H_
#define SIM_WORLD_TRACE_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "engine/action.h"
#include "engine/event.h"
#include "sim/world/instant.h"

namespace cachalot::sim {

// A 64-bit hash of everything that was added, in order. Two runs are equal if
// their hashes are equal. Computed in every run, because a run that cannot be
// repeated proves nothing.
class TraceHash {
 public:
  void Add(uint64_t number);
  void Add(absl::string_view bytes);
  void Add(const Event& event);
  void Add(const Actions& actions);

  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0x9e3779b97f4a7c15u;
};

// A run as text for a person: one line for each event and action, and indented
// below an event the decisions that the node took, with their reasons.
//
//   [  410ms] n2 < VoteRequest from n1, term 2, log ends at 3/1
//           | the log is as long as ours -> grant
//   [  410ms] n2 > VoteReply to n1, term 2, granted
class Trace {
 public:
  // Nothing is written if `out` is null; callers then should not compose text.
  // Not owned.
  explicit Trace(std::ostream* out = nullptr) : out_(out) {}

  bool is_on() const { return out_ != nullptr; }
  void Line(RealInstant at, absl::string_view who, absl::string_view what);
  void Decision(absl::string_view what);

 private:
  std::ostream* out_;
};

// "  410ms", "12.345s": seven characters or more.
std::string TimeText(RealInstant at);

}  // namespace cachalot::sim

#endif  // SIM_WORLD_TRACE_H_
