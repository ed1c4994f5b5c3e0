#include "io/local/path.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cachalot {
namespace {

// A group with all of its members is one entry.
constexpr size_t kTableEntryBytesMax = size_t{1} << 20;
// NGROUPS_MAX (limits.h): no process has more.
constexpr size_t kGroupsMax = 65536;

bool IsFolder(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Calls `find(entry, buffer, size, found)`, one of getpwnam_r() and its like,
// with as much memory as it needs, and `read` with what it finds.
template <typename Entry, typename Find, typename Read>
bool LookUp(Find find, Read read) {
  std::vector<char> buffer(1024);
  for (;;) {
    Entry entry;
    Entry* found = nullptr;
    const int error = find(&entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) {
      read(*found);
      return true;
    }
    if (error != ERANGE || buffer.size() >= kTableEntryBytesMax) return false;
    buffer.resize(2 * buffer.size());
  }
}

// Empty if the user has none.
std::string HomeOf(uid_t user) {
  std::string home;
  LookUp<passwd>([user](auto... rest) { return getpwuid_r(user, rest...); },
                 [&](const passwd& entry) { home = entry.pw_dir; });
  return !home.empty() && home[0] == '/' ? home : "";
}

absl::Status Unsafe(const std::string& folder, absl::string_view why) {
  return absl::PermissionDeniedError(
      absl::StrCat("the folder ", folder, " is not safe for a socket: ", why));
}

// `is_ours`: it may not be shared with others.
absl::Status CheckFolder(const std::string& folder,
                         std::optional<uid_t> trusted_user, bool is_ours,
                         const StatFunction& look) {
  struct stat status;
  if (look(folder.c_str(), &status) != 0) return absl::OkStatus();
  if (!S_ISDIR(status.st_mode)) return Unsafe(folder, "it is not a folder");
  const uid_t owner = status.st_uid;
  if (owner != 0 && owner != geteuid() && owner != trusted_user) {
    return Unsafe(folder, absl::StrCat("it belongs to user ", owner));
  }
  const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool is_sticky = !is_ours && (status.st_mode & S_ISVTX) != 0;
  if (others_write && !is_sticky) {
    return Unsafe(folder,
                  absl::StrFormat("others may write to it (its mode is %04o); "
                                  "\"chmod go-w\" it",
                                  status.st_mode & 07777));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> MakeFolder(const std::string& folder, mode_t mode) {
  // The mode counts from the first moment on, whatever the umask.
  if (mkdir(folder.c_str(), mode & 0700) == 0) {
    if (chmod(folder.c_str(), mode) != 0) {
      return SystemError(absl::StrCat("chmod ", folder), errno);
    }
  } else if (errno == EACCES || errno == EPERM || errno == EROFS) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make the folder ", folder,
                     " for the local socket: name a place with --socket PATH"));
  } else if (errno != EEXIST) {
    return SystemError(absl::StrCat("mkdir ", folder), errno);
  }
  // A link is refused.
  const absl::Status safe = CheckFolder(folder, std::nullopt, true, ::lstat);
  if (!safe.ok()) return safe;
  return folder;
}

}  // namespace

LocalSocketPlaces LocalSocketPlaces::OfThisUser() {
  const uid_t user = geteuid();
  return {.user = user, .home = user == 0 ? "" : HomeOf(user)};
}

std::vector<std::string> LocalSocketPlaces::Candidates(uint16_t port) const {
  std::vector<std::string> folders;
  if (user != 0) {
    folders.push_back(absl::StrCat(run, "/user/", user, "/cachalot"));
    if (!home.empty()) folders.push_back(absl::StrCat(home, "/.cachalot"));
  }
  folders.push_back(absl::StrCat(run, "/cachalot"));
  for (std::string& folder : folders)
    absl::StrAppend(&folder, "/", port, ".sock");
  return folders;
}

absl::StatusOr<std::string> LocalSocketPlaces::Prepare(uint16_t port) const {
  absl::StatusOr<std::string> folder;
  const std::string run_of_user = absl::StrCat(run, "/user/", user);
  if (user == 0) {
    // Others must reach the socket inside, if its own mode lets them.
    folder = MakeFolder(absl::StrCat(run, "/cachalot"), 0755);
  } else if (IsFolder(run_of_user)) {
    folder = MakeFolder(absl::StrCat(run_of_user, "/cachalot"), 0700);
  } else if (IsFolder(home)) {
    folder = MakeFolder(absl::StrCat(home, "/.cachalot"), 0700);
  } else {
    return absl::NotFoundError(absl::StrCat(
        "no place for the local socket: there is neither ", run_of_user,
        " nor a home folder of user ", user, "; name one with --socket PATH"));
  }
  if (!folder.ok()) return folder.status();
  return absl::StrCat(*folder, "/", port, ".sock");
}

absl::Status CheckSocketFolder(const std::string& path,
                               std::optional<uid_t> trusted_user,
                               const StatFunction& look) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos
                                 ? "."
                                 : path.substr(0, std::max<size_t>(slash, 1));
  return CheckFolder(folder, trusted_user, false, look);
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

absl::StatusOr<uid_t> FindUser(const std::string& name) {
  uid_t number = 0;
  if (absl::SimpleAtoi(name, &number)) return number;
  const auto find = [&](auto... rest) {
    return getpwnam_r(name.c_str(), rest...);
  };
  if (LookUp<passwd>(find, [&](const passwd& e) { number = e.pw_uid; })) {
    return number;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no user \"", name, "\""));
}

absl::StatusOr<gid_t> FindGroup(const std::string& name) {
  gid_t number = 0;
  if (absl::SimpleAtoi(name, &number)) return number;
  const auto find = [&](auto... rest) {
    return getgrnam_r(name.c_str(), rest...);
  };
  if (LookUp<group>(find, [&](const group& e) { number = e.gr_gid; })) {
    return number;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no group \"", name, "\""));
}

absl::StatusOr<Peer> GetPeer(int socket) {
  ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return SystemError("SO_PEERCRED", errno);
  }
  Peer peer = {.process = credentials.pid,
               .user = credentials.uid,
               .group = credentials.gid};
#ifdef SO_PEERGROUPS
  // Asks for the size first: ERANGE says how much there is (Linux 4.13).
  length = 0;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &length) != 0 &&
      errno == ERANGE && length / sizeof(gid_t) <= kGroupsMax) {
    peer.groups.resize(length / sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(),
                   &length) != 0) {
      peer.groups.clear();
    }
  }
#endif
  return peer;
}

}  // namespace cachalot
