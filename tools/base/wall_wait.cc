#include "tools/base/wall_wait.h"

#include <algorithm>

namespace cachalot::tools {

bool WaitForTimeOfDay(absl::Time time, WallClock& clock) {
  while (true) {
    const absl::Duration left = time - clock.Now();
    if (left <= absl::ZeroDuration()) return true;
    if (!clock.Pause(std::min(left, absl::Seconds(1)))) return false;
  }
}

}  // namespace cachalot::tools
