#include "tools/base/flags.h"

#include <iostream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tools/base/output.h"
#include "tools/base/words.h"

namespace cachalot::tools {

CLI::Option* AddDuration(CLI::App& app, const std::string& name,
                         absl::Duration& duration,
                         const std::string& description) {
  return app
      .add_option_function<std::string>(
          name,
          [name, &duration](const std::string& text) {
            if (!ReadDuration(text, duration)) {
              throw CLI::ValidationError(
                  name,
                  absl::StrCat("\"", text,
                               "\" is not a duration; write 30s or 1m30s"));
            }
          },
          absl::StrCat(description, " [", Words(duration), "]"))
      ->type_name("DURATION");
}

ExitCode EndParsing(const CLI::App& app, const CLI::ParseError& error,
                    absl::string_view program) {
  std::ostringstream asked_for;
  if (app.exit(error, asked_for, std::cerr) != 0) return ExitCode::kInvalid;
  const absl::Status written = WriteOutput(asked_for.str());
  return written.ok() ? ExitCode::kOk : Fail(program, written);
}

}  // namespace cachalot::tools
