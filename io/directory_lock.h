#ifndef IO_DIRECTORY_LOCK_H_
#define IO_DIRECTORY_LOCK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cachalot {

// Keeps a directory for one user of it: flock(2) on the file `lock` in it,
// which has the process's number as text.
//
// The lock ends with this object, or with the process, however it ends. A child
// by fork() does not inherit it, so one that lives on keeps nobody out. (A
// child that clone(2) made without fork() has it until it ends or calls exec.)
class DirectoryLock {
 public:
  // `directory` is an open descriptor of it, needed only during the call;
  // `path` is its name, for errors.
  //
  // Errors: AlreadyExists (somebody has it; the text names the process), and
  // those of DiskError().
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(
      int directory, absl::string_view path);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  // Not closed by its owner alone: see OpenLocks in directory_lock.cc.
  const int fd_;
};

}  // namespace cachalot

#endif  // IO_DIRECTORY_LOCK_H_
