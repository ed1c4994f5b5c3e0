#ifndef TOOLS_BASE_FLAGS_H_
#define TOOLS_BASE_FLAGS_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/time.h"

namespace cachalot::tools {

// Adds a flag that reads "30s" or "1m30s". Its help ends with the default,
// which `duration` has at the time of the call.
CLI::Option* AddDuration(CLI::App& app, const std::string& name,
                         absl::Duration& duration,
                         const std::string& description);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_FLAGS_H_
