#ifndef TOOLS_INSTALL_COMMAND_PAGE_H_
#define TOOLS_INSTALL_COMMAND_PAGE_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"

namespace cachalot::tools {

// A command line, in the forms that are installed beside its program. Both are
// made of the definitions that parse it, so they cannot fall behind.

// A manual page in roff, section 1. `release` is what the program is part of:
// "cachalot 0.9.0".
std::string ToManPage(const CLI::App& app, absl::string_view program,
                      absl::string_view release);

// Commands and options for bash, which completes files by itself.
std::string ToBashCompletion(const CLI::App& app, absl::string_view program);

// Adds --man-page and --bash-completion, which print these and are not in
// --help. To be called when all else is defined.
void AddPageFlags(CLI::App& app, absl::string_view program,
                  absl::string_view release);

}  // namespace cachalot::tools

#endif  // TOOLS_INSTALL_COMMAND_PAGE_H_
