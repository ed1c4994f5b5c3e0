#ifndef IO_LOCAL_PATH_H_
#define IO_LOCAL_PATH_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "io/socket.h"

namespace cachalot {

// Where agents listen for programs on their machine unless told otherwise. One
// rule for both sides, of the user's number and the system's user table alone:
// the environment differs between a login shell, cron and sudo.
//
//   root         /run/cachalot/PORT.sock
//   other users  /run/user/UID/cachalot/PORT.sock if /run/user/UID exists,
//                otherwise ~/.cachalot/PORT.sock
//
// A client looks at all places of its user, then at root's.
struct LocalSocketPlaces {
  uid_t user = 0;
  std::string run = "/run";
  std::string home;  // empty: the user has none

  // Of the effective user of this process.
  static LocalSocketPlaces OfThisUser();

  // Where a client looks, in order.
  std::vector<std::string> Candidates(uint16_t port) const;
  // Where an agent listens. Creates the folder (0700; root's 0755) and checks
  // it as CheckSocketFolder() does.
  // Errors: PermissionDenied, NotFound (no place; names those it looked at),
  // Internal.
  absl::StatusOr<std::string> Prepare(uint16_t port) const;
};

// stat(2), or what a test has in its place.
using StatFunction = std::function<int(const char* path, struct stat* status)>;

// Refuses the folder of `path` if somebody else could put a socket of his own
// there in the place of the agent's: it must belong to root, to this user or to
// `trusted_user`, and others may write to it only if it is sticky, as /tmp is.
// A folder that does not exist is left to bind() and connect().
// Errors: PermissionDenied.
absl::Status CheckSocketFolder(const std::string& path,
                               std::optional<uid_t> trusted_user,
                               const StatFunction& look = ::stat);

// `path` for bind() and connect().
// Errors: InvalidArgument (empty, or too long for the kernel).
absl::StatusOr<SocketAddress> ToUnixAddress(absl::string_view path);

// The numbers of a user or a group that is given by name or by number.
// Errors: InvalidArgument (there is none).
absl::StatusOr<uid_t> FindUser(const std::string& name);
absl::StatusOr<gid_t> FindGroup(const std::string& name);

// The process at the other end of a connected Unix socket, as the kernel says.
struct Peer {
  pid_t process = 0;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;  // supplementary
};
absl::StatusOr<Peer> GetPeer(int socket);

}  // namespace cachalot

#endif  // IO_LOCAL_PATH_H_
