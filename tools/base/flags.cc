#include "tools/base/flags.h"

#include "absl/strings/str_cat.h"
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

}  // namespace cachalot::tools
