#ifndef TESTS_SCENARIOS_RUN_SCENARIO_H_
#define TESTS_SCENARIOS_RUN_SCENARIO_H_

#include <string>
#include <vector>

namespace cachalot::sim {

struct ScenarioResult {
  std::string text;  // the scenario with its new trace
  std::vector<std::string> complaints;
};

// Runs the scenario in `text`. Directives (script.h) stand before "----", the
// trace after it, up to an empty line. Comments begin with '#'.
ScenarioResult RunScenario(const std::string& text);

}  // namespace cachalot::sim

#endif  // TESTS_SCENARIOS_RUN_SCENARIO_H_
