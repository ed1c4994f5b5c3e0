#ifndef TOOLS_SIMULATOR_ISOLATED_H_
#define TOOLS_SIMULATOR_ISOLATED_H_

#include <functional>
#include <string>

namespace cachalot::tools {

// The result of a function that was run in a child process.
struct Isolated {
  std::string result;  // if the child aborted: what `on_abort` returned
  bool died = false;
  int signal = 0;      // that killed it
  std::string errors;  // what it wrote to its standard error
};

// Forks, calls `run` in the child, and returns its result. A CHECK that fails
// in the child ends only the child, after a call of `on_abort`. REQUIRES: one
// thread.
Isolated RunIsolated(
    const std::function<std::string()>& run,
    const std::function<std::string()>& on_abort = [] { return ""; });

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_ISOLATED_H_
