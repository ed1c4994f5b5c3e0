#ifndef TOOLS_BASE_VERSION_H_
#define TOOLS_BASE_VERSION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cachalot::tools {

// What `PROGRAM --version` prints: "cachalot 0.9.0 (wire version 1)".
std::string VersionLine(absl::string_view program);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_VERSION_H_
