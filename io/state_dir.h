#ifndef IO_STATE_DIR_H_
#define IO_STATE_DIR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/memory.h"
#include "io/directory_lock.h"
#include "io/fork_guard.h"
#include "io/socket.h"

namespace cachalot {

// The directory in which a process keeps what it remembers of its cluster:
//
//   memory      engine/storage/README.md has its format
//   memory.new  what a save that did not finish left; of no meaning
//   lock        keeps a second process out; has the number of the first
//
// For one thread at a time.
class StateDir {
 public:
  // Opens the directory `path`, or makes it (mode 0700, with its parents);
  // keeps others out of it; reads the memory of the cluster that is named
  // `cluster_name`, an empty one if there is none; counts this start, and saves
  // that. Nothing is ever overwritten that could not be read.
  //
  // The directory must belong to this user or to root, must not be a symbolic
  // link, and others may not write to it: who can put a file there decides
  // whether a second cluster is founded.
  //
  // Errors, each a sentence that says what to do: InvalidArgument (`path` is
  // empty or no directory; no memory file), AlreadyExists (in use),
  // PermissionDenied, ResourceExhausted (no space), DataLoss (damaged),
  // Unimplemented (of a later format), FailedPrecondition (of a cluster of
  // another name), Internal.
  static absl::StatusOr<std::unique_ptr<StateDir>> Open(
      absl::string_view path, absl::string_view cluster_name);

  // Makes a directory as Open() does, and none if `path` is there.
  // Errors: those of DiskError().
  static absl::Status MakeDirectory(const std::string& path);

  const std::string& path() const { return path_; }
  // What was saved last. After Open() this start is counted in it.
  const Memory& memory() const { return memory_; }

  // Replaces the memory. When it returns OK, `memory` is there even after a
  // loss of power; otherwise, and if the process ends meanwhile, either the old
  // or the new one is. May wait for the disk.
  //
  // Errors: FailedPrecondition (in a child of fork()), and those of
  // DiskError(). It may be tried again.
  absl::Status Save(const Memory& memory);

 private:
  StateDir(std::string path, std::string cluster_name, FileDescriptor directory,
           std::unique_ptr<DirectoryLock> lock)
      : path_(std::move(path)),
        cluster_name_(std::move(cluster_name)),
        directory_(std::move(directory)),
        lock_(std::move(lock)) {}

  absl::Status Load();
  absl::Status Replace(absl::string_view bytes);

  const std::string path_;
  const std::string cluster_name_;
  const FileDescriptor directory_;
  const std::unique_ptr<DirectoryLock> lock_;
  const ForkGuard fork_guard_;
  Memory memory_;
};

}  // namespace cachalot

#endif  // IO_STATE_DIR_H_
