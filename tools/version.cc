#include "tools/version.h"

#include "absl/strings/str_cat.h"
#include "engine/version.h"
#include "engine/wire/codec.h"

namespace cachalot::tools {

std::string VersionLine(absl::string_view program) {
  return absl::StrCat(program, " ", kVersion, " (wire version ",
                      kProtocolVersion, ")");
}

}  // namespace cachalot::tools
