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
    kDeliver,    // the `which`-th packet under way
    kSaveDone,   // on machine `which`
    kHearBreak,  // `which` learns that its stream to `other` broke
    kRestart,    // machine `which`
    kAsk,        // client `which` does what it does next
    kWake,       // time passes until machine `which` wants to be stepped
    // What costs of a budget.
    kRenew,      // client `which` renews its lock
    kWithdraw,   // client `which` withdraws its request
    kLose,       // the `which`-th packet, a datagram
    kDouble,     // it arrives, and stays under way
    kBreak,      // the stream of the `which`-th packet, with all of its frames
    kCrash,      // machine `which`; `other` of its open saves were done
    kBendClock,  // machine `which`, to the dangerous end of the bound
  };

  Kind kind = Kind::kWake;
  uint8_t other = 0;
  uint16_t which = 0;

  friend bool operator==(const Choice&, const Choice&) = default;
};

// What happened, from the beginning: all that it takes to do it again.
using Path = std::vector<Choice>;

// "d0,w3,c2.1": a letter for the kind, `which`, and `other` if it is not zero.
std::string ToString(const Choice& choice);
std::string ToString(const Path& path);
// Nothing if `text` is no path.
std::optional<Path> ParsePath(absl::string_view text);

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_CHOICE_H_
