#ifndef TOOLS_BASE_WALL_WAIT_H_
#define TOOLS_BASE_WALL_WAIT_H_

#include "absl/time/time.h"

namespace cachalot::tools {

// What a wait for a time of day needs of a machine; a script in tests.
class WallClock {
 public:
  virtual ~WallClock() = default;
  virtual absl::Time Now() = 0;
  // Waits by a clock that nobody sets. False if an interrupt came first.
  virtual bool Pause(absl::Duration duration) = 0;
};

// Waits until `clock` shows `time`, which a person named. The clock may be set
// in the meantime, so it is looked at again at least each second. False if an
// interrupt came first.
bool WaitForTimeOfDay(absl::Time time, WallClock& clock);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_WALL_WAIT_H_
