#include "io/directory_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "io/disk_error.h"

namespace cachalot {
namespace {

constexpr char kFile[] = "lock";

// The descriptors of all locks. A lock of flock(2) is held as long as any
// process has its descriptor, so a child of fork() closes those it inherited.
class OpenLocks {
 public:
  static OpenLocks& OfThisProcess() {
    static auto* const locks = new OpenLocks;  // children need it to the end
    return *locks;
  }

  // Opens the file; -1 and errno if that fails. No fork() happens between its
  // being opened and its being known here.
  int Open(int directory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    fds_.reserve(fds_.size() + 1);
    const int fd =
        openat(directory, kFile,
               O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd >= 0) fds_.push_back(fd);
    return fd;
  }

  // Without effect if the child of a fork() has closed it.
  void Close(int fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find(fds_.begin(), fds_.end(), fd);
    if (found == fds_.end()) return;
    fds_.erase(found);
    close(fd);
  }

  // Whether another descriptor of the same file is open in this process.
  bool HasAnother(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return false;
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::any_of(fds_.begin(), fds_.end(), [&](int other_fd) {
      struct stat other;
      return other_fd != fd && fstat(other_fd, &other) == 0 &&
             other.st_dev == status.st_dev && other.st_ino == status.st_ino;
    });
  }

 private:
  OpenLocks() {
    pthread_atfork([] { OfThisProcess().mutex_.lock(); },
                   [] { OfThisProcess().mutex_.unlock(); },
                   [] { OfThisProcess().CloseInChild(); });
  }

  void CloseInChild() {
    for (const int fd : fds_) close(fd);
    fds_.clear();
    mutex_.unlock();
  }

  std::mutex mutex_;  // held during a fork()
  std::vector<int> fds_;
};

// The process that has written its number into the file; 0: unknown. In another
// container it may have a number of this one's, or of nobody here.
pid_t ReadHolder(int fd) {
  char buffer[24];
  const ssize_t size = pread(fd, buffer, sizeof(buffer), 0);
  if (size <= 0) return 0;
  const absl::string_view text(buffer, static_cast<size_t>(size));
  pid_t holder = 0;
  const bool is_number =
      absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &holder);
  const bool is_there = is_number && holder > 0 && holder != getpid() &&
                        (kill(holder, 0) == 0 || errno == EPERM);
  return is_there ? holder : 0;
}

// For the text of a refusal only, so that an error is no reason to give up.
void WriteHolder(int fd) {
  const std::string text = absl::StrCat(getpid(), "\n");
  [[maybe_unused]] const bool is_written =
      ftruncate(fd, 0) == 0 && pwrite(fd, text.data(), text.size(), 0) > 0;
}

absl::Status InUse(absl::string_view path, int fd) {
  std::string who = "another process";
  if (OpenLocks::OfThisProcess().HasAnother(fd)) {
    who = "another member in this process";
  } else if (const pid_t holder = ReadHolder(fd); holder != 0) {
    who = absl::StrCat("process ", holder);
  }
  return absl::AlreadyExistsError(
      absl::StrCat("the state directory ", path, " is in use by ", who,
                   ": end that one first, or name another directory here; "
                   "each member needs its own"));
}

absl::Status LockFile(int fd, absl::string_view path) {
  const std::string doing =
      absl::StrCat("cannot lock the state directory ", path);
  if (fd < 0) return DiskError(doing, errno);
  struct stat status;
  if (fstat(fd, &status) != 0) return DiskError(doing, errno);
  if (!S_ISREG(status.st_mode)) {
    return absl::PermissionDeniedError(absl::StrCat(
        doing, ": \"", kFile, "\" in it is not a regular file; remove it"));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return InUse(path, fd);
    return DiskError(doing, errno);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(
    int directory, absl::string_view path) {
  const int fd = OpenLocks::OfThisProcess().Open(directory);
  const absl::Status locked = LockFile(fd, path);
  if (!locked.ok()) {
    OpenLocks::OfThisProcess().Close(fd);
    return locked;
  }
  WriteHolder(fd);
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(fd));
}

DirectoryLock::~DirectoryLock() { OpenLocks::OfThisProcess().Close(fd_); }

}  // namespace cachalot
