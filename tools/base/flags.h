#ifndef TOOLS_BASE_FLAGS_H_
#define TOOLS_BASE_FLAGS_H_

#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tools/base/exit_codes.h"

namespace cachalot::tools {

// Adds a flag that reads "30s" or "1m30s". Its help ends with the default,
// which `duration` has at the time of the call.
CLI::Option* AddDuration(CLI::App& app, const std::string& name,
                         absl::Duration& duration,
                         const std::string& description);

// Adds a flag that reads one of a few words.
template <typename Value>
CLI::Option& AddChoice(CLI::App& command, const std::string& flag, Value& value,
                       std::vector<std::pair<std::string, Value>> choices,
                       const std::string& description) {
  return *command
              .add_option_function<std::string>(
                  flag,
                  [&value, flag,
                   choices = std::move(choices)](const std::string& text) {
                    for (const auto& [word, meaning] : choices) {
                      if (word != text) continue;
                      value = meaning;
                      return;
                    }
                    const auto word = [](std::string* out, const auto& choice) {
                      absl::StrAppend(out, choice.first);
                    };
                    throw CLI::ValidationError(
                        flag, absl::StrCat("\"", text, "\" is none of ",
                                           absl::StrJoin(choices, ", ", word)));
                  },
                  description)
              ->type_name("WORD");
}

// What a program does when parsing has ended early: writes the help or the
// version that was asked for to standard output, or what is wrong with the
// command line to standard error. How the program ends: kOk, kInvalid, or
// kOutput if not all was written.
ExitCode EndParsing(const CLI::App& app, const CLI::ParseError& error,
                    absl::string_view program);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_FLAGS_H_
