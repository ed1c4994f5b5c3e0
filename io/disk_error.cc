#include "io/disk_error.h"

#include <errno.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "io/socket.h"

namespace cachalot {

absl::Status DiskError(absl::string_view doing, int error_number) {
  switch (error_number) {
    case ENOSPC:
      return absl::ResourceExhaustedError(
          absl::StrCat(doing, ": no space is left on the disk; free some"));
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(
          doing, ": this user's quota is used up; free some space"));
    case EFBIG:
      return absl::ResourceExhaustedError(absl::StrCat(
          doing, ": this process may not write files (ulimit -f); raise it"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(doing, ": user ", geteuid(),
                       " may not; give it to that user with chown, or name "
                       "another place"));
    case EROFS:
      return absl::PermissionDeniedError(absl::StrCat(
          doing, ": the file system is read-only; name another place"));
    case ELOOP:
      return absl::PermissionDeniedError(absl::StrCat(
          doing,
          ": it is a symbolic link, which may lead anywhere; remove it, "
          "or name the place itself"));
    case ENOENT:
      return absl::NotFoundError(
          absl::StrCat(doing,
                       ": it is not there, or was removed; start this process "
                       "again, or name another place"));
    default:
      return SystemError(doing, error_number);
  }
}

}  // namespace cachalot
