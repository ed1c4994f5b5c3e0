#ifndef SIM_EXPLORE_CHOICE_H_
#define SIM_EXPLORE_CHOICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cachalot::sim {

// One thing that may happen next in a small world.
struct Choice {
  enum class Kind : uint8_t {
    kDeliver,    // the `which`-th packet in flight arrives
    kSaveDone,   // the first open save of machine `which` finishes
    kHearBreak,  // `which` learns that its stream to `other` broke
    kRestart,    // machine `which` starts a process
    kAsk,        // client `which` does its next operation
    kWake,       // time passes until the next deadline of machine `which`
    // The kinds from here on are limited by the budget.
    kRenew,     // client `which` renews its lock
    kWithdraw,  // client `which` withdraws its request
    kLose,      // the `which`-th packet, a datagram, is lost
    kDouble,    // the same arrives, and stays in flight
    kBreak,  // the stream of the `which`-th packet breaks; its frames are lost
    kCrash,  // machine `which` crashes; `other` of its open saves are kept
    kBendClock,  // clocks of `which` run at the dangerous end of the bound
  };

  Kind kind = Kind::kWake;
  uint8_t other = 0;
  uint16_t which = 0;

  friend bool operator==(const Choice&, const Choice&) = default;
};

// All choices from the beginning: enough to replay an execution.
using Path = std::vector<Choice>;

// "d0,w3,c2.1": a letter for the kind, `which`, and `other` if it is not zero.
std::string ToString(const Choice& choice);
std::string ToString(const Path& path);
// Nothing if `text` is no path.
std::optional<Path> ParsePath(absl::string_view text);

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_CHOICE_H_
