#ifndef IO_DISK_ERROR_H_
#define IO_DISK_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cachalot {

// A status for what the kernel refused to do with a file, in a sentence that
// ends with what a person can do about it: "`doing`: no space is left on the
// disk; free some".
//
// Codes: ResourceExhausted (no space), PermissionDenied (this user may not, or
// the file system is read-only, or the file is a symbolic link), NotFound,
// Internal.
absl::Status DiskError(absl::string_view doing, int error_number);

}  // namespace cachalot

#endif  // IO_DISK_ERROR_H_
