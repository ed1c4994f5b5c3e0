#include "io/version.h"

#include "engine/version.h"
#include "engine/wire/codec.h"

namespace cachalot {

absl::string_view LibraryVersion() { return kVersion; }

int WireVersion() { return kProtocolVersion; }

}  // namespace cachalot
