#include "io/local/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cachalot {

std::string DefaultLocalSocketPath(uint16_t port) {
  const char* directory = getenv("XDG_RUNTIME_DIR");
  const bool is_set = directory != nullptr && directory[0] == '/';
  return absl::StrCat(is_set ? directory : "/tmp", "/cachalot-", port, ".sock");
}

absl::StatusOr<SocketAddress> ToUnixAddress(absl::string_view path) {
  SocketAddress address;
  auto* name = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path.size() >= sizeof(name->sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path \"", path, "\": must have 1 to ",
                     sizeof(name->sun_path) - 1, " bytes"));
  }
  name->sun_family = AF_UNIX;
  memcpy(name->sun_path, path.data(), path.size());
  address.length = sizeof(sockaddr_un);
  return address;
}

}  // namespace cachalot
