#ifndef TOOLS_SIMULATOR_ISOLATED_H_
#define TOOLS_SIMULATOR_ISOLATED_H_

#include <functional>
#include <string>

namespace cachalot::tools {

// What a run in a process of its own came to.
struct Isolated {
  std::string result;  // or, if it died, its last will
  bool died = false;
  int signal = 0;      // of which it died
  std::string errors;  // what it wrote to its standard error
};

// Forks, calls `run` in the child and returns what it returned: a CHECK that
// fails in there ends the child alone, after `last_will` was called.
// REQUIRES: one thread.
Isolated RunIsolated(
    const std::function<std::string()>& run,
    const std::function<std::string()>& last_will = [] { return ""; });

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_ISOLATED_H_
