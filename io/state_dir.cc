#include "io/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/limits.h"
#include "engine/storage/memory_file.h"
#include "io/disk_error.h"
#include "io/escape.h"

namespace cachalot {
namespace {

constexpr char kFile[] = "memory";
constexpr char kNewFile[] = "memory.new";

// Opens a directory, but not through a symbolic link in its own place.
FileDescriptor OpenDirectory(const std::string& path) {
  return FileDescriptor(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// So that the new directory is found after a loss of power. Its parent may be
// one that this user may not read: then there is nothing that could be done.
void SyncParent(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const FileDescriptor directory(
      open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.is_open()) fsync(directory.get());
}

absl::Status Unsafe(const std::string& path, absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat(
      "the state directory ", Escape(path), " is not safe: ", why));
}

// Why `path` could not be opened as a directory.
absl::Status CannotOpen(const std::string& path, int error) {
  struct stat status;
  if (error == ENOTDIR && lstat(path.c_str(), &status) == 0) {
    if (S_ISLNK(status.st_mode)) {
      return Unsafe(path,
                    "it is a symbolic link, which may lead anywhere; name the "
                    "directory itself");
    }
    return absl::InvalidArgumentError(
        absl::StrCat(Escape(path),
                     " is not a directory: name one for what this process is "
                     "to remember"));
  }
  return DiskError(
      absl::StrCat("cannot open the state directory ", Escape(path)), error);
}

absl::Status CheckOwner(const std::string& path, int directory) {
  struct stat status;
  if (fstat(directory, &status) != 0) {
    return DiskError(absl::StrCat("cannot look at ", Escape(path)), errno);
  }
  if (status.st_uid != geteuid() && status.st_uid != 0) {
    return Unsafe(path, absl::StrCat("it belongs to user ", status.st_uid,
                                     ", and this process is of user ",
                                     geteuid(), "; \"chown\" it"));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Unsafe(path,
                  absl::StrFormat("others may write to it (its mode is %04o); "
                                  "\"chmod go-w\" it",
                                  status.st_mode & 07777));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileDescriptor> OpenOrMake(const std::string& path) {
  FileDescriptor directory = OpenDirectory(path);
  if (!directory.is_open() && errno == ENOENT) {
    const absl::Status made = StateDir::MakeDirectory(path);
    if (!made.ok()) return made;
    directory = OpenDirectory(path);
  }
  if (!directory.is_open()) return CannotOpen(path, errno);
  const absl::Status safe = CheckOwner(path, directory.get());
  if (!safe.ok()) return safe;
  return directory;
}

// The file's bytes, or so many of them as show that it is too long.
absl::StatusOr<std::string> ReadAll(int fd, absl::string_view file) {
  std::string bytes(kMemoryFileBytesMax + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = read(fd, &bytes[size], bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return DiskError(absl::StrCat("cannot read ", file), errno);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  bytes.resize(size);
  return bytes;
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return DiskError("write", errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

// What a person does about a memory that cannot be used.
absl::Status Unusable(const absl::Status& status, absl::string_view file) {
  const char* advice = "";
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      advice = ". Name another directory";
      break;
    case absl::StatusCode::kUnimplemented:
      advice = ". Start that version, or name another directory";
      break;
    case absl::StatusCode::kFailedPrecondition:
      advice = ". Name another directory, or that cluster";
      break;
    default:
      advice =
          ". It was left as it is, since without it this process might found a "
          "second cluster. If other members run, or if none ever will again, "
          "move the file away and start again";
  }
  return absl::Status(status.code(),
                      absl::StrCat(file, " ", status.message(), advice));
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Open(
    absl::string_view path, absl::string_view cluster_name) {
  // With a slash at the end, a symbolic link would be followed.
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (path.empty()) {
    return absl::InvalidArgumentError("the state directory has no name");
  }
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        "the name of the state directory has a zero byte");
  }
  if (cluster_name.empty() || cluster_name.size() > limits::kNameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster's size is ", cluster_name.size(),
                     ", must be in [1, ", limits::kNameBytesMax, "]"));
  }
  const std::string name(path);
  absl::StatusOr<FileDescriptor> directory = OpenOrMake(name);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<std::unique_ptr<DirectoryLock>> lock =
      DirectoryLock::Take(directory->get(), Escape(name));
  if (!lock.ok()) return lock.status();
  std::unique_ptr<StateDir> state(new StateDir(name, std::string(cluster_name),
                                               *std::move(directory),
                                               *std::move(lock)));
  const absl::Status loaded = state->Load();
  if (!loaded.ok()) return loaded;
  return state;
}

absl::Status StateDir::MakeDirectory(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string step = path.substr(0, end);
    if (mkdir(step.c_str(), 0700) == 0) {
      SyncParent(step);
    } else if (errno != EEXIST) {
      // A parent to which only others may add directories is no obstacle as
      // long as the next one exists.
      const int error = errno;
      struct stat status;
      if (stat(step.c_str(), &status) != 0) {
        return DiskError(absl::StrCat("cannot make the directory ",
                                      Escape(step), " for ", Escape(path)),
                         error);
      }
    }
    if (end == std::string::npos) return absl::OkStatus();
  }
}

absl::Status StateDir::Load() {
  const std::string name = absl::StrCat(Escape(path_), "/", kFile);
  Memory memory;
  const FileDescriptor file(openat(
      directory_.get(), kFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno != ENOENT) {
      return DiskError(absl::StrCat("cannot open ", name), errno);
    }
  } else {
    struct stat status;
    if (fstat(file.get(), &status) != 0) {
      return DiskError(absl::StrCat("cannot look at ", name), errno);
    }
    if (!S_ISREG(status.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is not a regular file: name another directory"));
    }
    const absl::StatusOr<std::string> bytes = ReadAll(file.get(), name);
    if (!bytes.ok()) return bytes.status();
    const absl::StatusOr<Memory> read = DecodeMemory(cluster_name_, *bytes);
    if (!read.ok()) return Unusable(read.status(), name);
    memory = *read;
    if (memory.starts < kStartsMax) ++memory.starts;
  }
  return Save(memory);
}

absl::Status StateDir::Save(const Memory& memory) {
  // The descriptors of a child are its parent's.
  if (fork_guard_.IsForked()) return ForkedError();
  const absl::Status saved = Replace(EncodeMemory(cluster_name_, memory));
  if (saved.ok()) {
    memory_ = memory;
    return saved;
  }
  return absl::Status(
      saved.code(), absl::StrCat("cannot save what this process remembers in ",
                                 Escape(path_), ": ", saved.message()));
}

// The usual way to replace a file (Pillai and others, "All File Systems Are Not
// Created Equal", OSDI 2014): the new bytes are on the disk before the name
// leads to them, and the name is before anybody is told. After an fsync that
// failed, the kernel may have dropped the bytes and forgotten that
// ("fsyncgate", 2018), so the next try begins with a new file.
absl::Status StateDir::Replace(absl::string_view bytes) {
  if (unlinkat(directory_.get(), kNewFile, 0) != 0 && errno != ENOENT) {
    return DiskError(absl::StrCat("remove ", kNewFile), errno);
  }
  FileDescriptor file(
      openat(directory_.get(), kNewFile,
             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    return DiskError(absl::StrCat("create ", kNewFile), errno);
  }
  const absl::Status written = WriteAll(file.get(), bytes);
  if (!written.ok()) return written;
  if (fsync(file.get()) != 0) {
    return DiskError(absl::StrCat("fsync ", kNewFile), errno);
  }
  file.Close();
  if (renameat(directory_.get(), kNewFile, directory_.get(), kFile) != 0) {
    return DiskError(absl::StrCat("rename ", kNewFile), errno);
  }
  if (fsync(directory_.get()) != 0) return DiskError("fsync", errno);
  return absl::OkStatus();
}

}  // namespace cachalot
