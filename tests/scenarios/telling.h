#ifndef TESTS_SCENARIOS_TELLING_H_
#define TESTS_SCENARIOS_TELLING_H_

#include <string>
#include <vector>

namespace cachalot::sim {

// What came of a scenario.
struct Telling {
  std::string text;  // the scenario, with what was seen now
  std::vector<std::string> complaints;
};

// Tells the scenario that a file holds. Directives (script.h) stand before
// "----", what was seen after it, up to an empty line. Comments begin with '#'.
Telling Tell(const std::string& text);

}  // namespace cachalot::sim

#endif  // TESTS_SCENARIOS_TELLING_H_
