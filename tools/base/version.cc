#include "tools/base/version.h"

#include "absl/strings/str_cat.h"
#include "io/version.h"

namespace cachalot::tools {

std::string VersionLine(absl::string_view program) {
  return absl::StrCat(program, " ", LibraryVersion(), " (wire version ",
                      WireVersion(), ")");
}

}  // namespace cachalot::tools
