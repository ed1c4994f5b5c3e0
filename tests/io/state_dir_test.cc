#include "io/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/memory.h"
#include "engine/storage/memory_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/storage/memory_generator.h"

namespace cachalot {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr absl::string_view kName = "orders";
constexpr uid_t kNobody = 65534;

// `starts` is what Open() finds and raises.
Memory Example(uint64_t starts) {
  return {.starts = starts,
          .cluster = {1, 2},
          .tokens_seen = FencingToken(77),
          .peers = {Address::V4(10, 0, 0, 7, 7946)}};
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const fs::path& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Runs `report` in a child of fork(); what it said, and that it did not end
// well.
std::string InChild(const std::function<std::string()>& report) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t process = fork();
  if (process == 0) {
    const std::string text = report();
    _exit(write(ends[1], text.data(), text.size()) ==
                  static_cast<ssize_t>(text.size())
              ? 0
              : 1);
  }
  close(ends[1]);
  std::string text;
  char byte;
  while (read(ends[0], &byte, 1) == 1) text.push_back(byte);
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(process, &status, 0), process);
  if (status != 0) absl::StrAppend(&text, " ended with status ", status);
  return text;
}

class StateDirTest : public testing::Test {
 protected:
  StateDirTest() {
    std::string folder = absl::StrCat(testing::TempDir(), "/state.XXXXXX");
    base_ = mkdtemp(folder.data());
    // For those that are tried as another user.
    fs::permissions(base_, fs::perms(0755));
  }
  ~StateDirTest() override { fs::remove_all(base_); }

  fs::path dir() const { return base_ / "state"; }
  fs::path file() const { return dir() / "memory"; }

  absl::StatusOr<std::unique_ptr<StateDir>> Open() const {
    return StateDir::Open(dir().string(), kName);
  }
  // A directory as a process leaves it.
  void Leave(const Memory& memory) const {
    EXPECT_EQ(Open().value()->Save(memory), absl::OkStatus());
  }
  // The memory that the next process would find.
  absl::StatusOr<Memory> Saved() const {
    return DecodeMemory(kName, ReadFile(file()));
  }
  std::string Refusal(absl::StatusCode code) const {
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }

  fs::path base_;
};

TEST_F(StateDirTest, MakesADirectoryForItsUserAlone) {
  const fs::path deep = base_ / "a" / "b" / "state";
  const std::unique_ptr<StateDir> state =
      StateDir::Open(deep.string() + "//", kName).value();
  EXPECT_EQ(state->path(), deep.string());
  EXPECT_EQ(fs::status(deep).permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status(deep / "memory").permissions(), fs::perms(0600));
  EXPECT_EQ(state->memory(), Memory{.starts = 1});
  EXPECT_EQ(DecodeMemory(kName, ReadFile(deep / "memory")).value(),
            Memory{.starts = 1})
      << "the start is saved before anything else";
}

TEST_F(StateDirTest, CountsEachStart) {
  Leave(Example(7));
  for (uint64_t starts = 8; starts < 11; ++starts) {
    EXPECT_EQ(Open().value()->memory(), Example(starts));
    EXPECT_EQ(Saved().value(), Example(starts));
  }
}

TEST_F(StateDirTest, AnEmptyDirectoryIsAnEmptyMemory) {
  fs::create_directory(dir());
  EXPECT_EQ(Open().value()->memory(), Memory{.starts = 1});
}

TEST_F(StateDirTest, WhatASaveLeftUnfinishedMeansNothing) {
  Leave(Example(7));
  WriteFile(dir() / "memory.new", "half of som");
  EXPECT_EQ(Open().value()->memory(), Example(8));
  EXPECT_FALSE(fs::exists(dir() / "memory.new"));
}

// --- What cannot be used ---------------------------------------------------

class UnusableTest : public StateDirTest {
 protected:
  UnusableTest() { Leave(Example(7)); }

  // Opening refuses the file that has `bytes`, and does not touch it.
  void ExpectRefused(const std::string& bytes, absl::StatusCode code,
                     absl::string_view text) {
    WriteFile(file(), bytes);
    const std::string refusal = Refusal(code);
    EXPECT_THAT(refusal, HasSubstr(absl::StrCat(file().string(), " ")));
    EXPECT_THAT(refusal, HasSubstr(std::string(text)));
    EXPECT_EQ(ReadFile(file()), bytes);
  }
};

TEST_F(UnusableTest, EachLostEndIsRefused) {
  const std::string whole = ReadFile(file());
  for (size_t size = 0; size < whole.size(); ++size) {
    ExpectRefused(whole.substr(0, size), absl::StatusCode::kDataLoss,
                  "is damaged");
  }
}

TEST_F(UnusableTest, EachDamagedByteIsRefused) {
  const std::string whole = ReadFile(file());
  for (size_t place = 16; place < whole.size(); ++place) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ 0x10);
    ExpectRefused(bytes, absl::StatusCode::kDataLoss, "is damaged");
  }
}

TEST_F(UnusableTest, ALongFileIsRefusedUnread) {
  ExpectRefused("Cachalot memory\n" + std::string(1 << 20, '\0'),
                absl::StatusCode::kDataLoss, "more than 65536 bytes");
}

TEST_F(UnusableTest, AnotherFileIsRefused) {
  ExpectRefused("{\"cluster\": 1}\n", absl::StatusCode::kInvalidArgument,
                "is not a file in which");
}

TEST_F(UnusableTest, ALaterFormatIsRefused) {
  ExpectRefused(Resealed(WithNumber(ReadFile(file()), 16, 4, 2)),
                absl::StatusCode::kUnimplemented, "a later version");
}

TEST_F(UnusableTest, TheMemoryOfAnotherClusterIsRefused) {
  ExpectRefused(EncodeMemory("billing", Example(1)),
                absl::StatusCode::kFailedPrecondition,
                "is of the cluster \"billing\"");
}

TEST_F(UnusableTest, WhatIsNoRegularFileIsRefused) {
  const fs::path elsewhere = base_ / "elsewhere";
  fs::rename(file(), elsewhere);
  fs::create_symlink(elsewhere, file());
  EXPECT_THAT(Refusal(absl::StatusCode::kPermissionDenied),
              HasSubstr("is a symbolic link"));
  fs::remove(file());
  ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument),
              HasSubstr("is not a regular file"));
  fs::remove(file());
  fs::create_directory(file());
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument),
              HasSubstr("is not a regular file"));
}

TEST_F(StateDirTest, WhatIsNoDirectoryIsRefused) {
  EXPECT_EQ(StateDir::Open("", kName).status().code(),
            absl::StatusCode::kInvalidArgument);
  WriteFile(dir(), "a file");
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument),
              HasSubstr("is not a directory"));
  const absl::Status below =
      StateDir::Open((dir() / "below").string(), kName).status();
  EXPECT_FALSE(below.ok());
  EXPECT_THAT(std::string(below.message()), HasSubstr(dir().string()));
}

TEST_F(StateDirTest, AClusterWithoutANameIsRefused) {
  for (const std::string& name : {std::string(), std::string(65, 'n')}) {
    EXPECT_EQ(StateDir::Open(dir().string(), name).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(fs::exists(dir()));
}

TEST_F(StateDirTest, ALinkInThePlaceOfTheDirectoryIsRefused) {
  Leave(Example(7));
  const fs::path link = base_ / "link";
  fs::create_directory_symlink(dir(), link);
  for (const std::string& name : {link.string(), link.string() + "/"}) {
    const absl::Status status = StateDir::Open(name, kName).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("symbolic link"));
  }
}

TEST_F(StateDirTest, LinksInThePlaceOfItsFilesAreNotFollowed) {
  fs::create_directory(dir());
  const fs::path victim = base_ / "victim";
  WriteFile(victim, "precious");
  fs::create_symlink(victim, dir() / "lock");
  EXPECT_THAT(Refusal(absl::StatusCode::kPermissionDenied),
              HasSubstr("symbolic link"));
  fs::remove(dir() / "lock");
  fs::create_symlink(victim, dir() / "memory.new");
  EXPECT_TRUE(Open().ok());
  EXPECT_EQ(ReadFile(victim), "precious");
}

TEST_F(StateDirTest, ADirectoryToWhichOthersMayWriteIsRefused) {
  Leave(Example(7));
  for (const mode_t mode : {0777, 0770, 0702, 01777}) {
    ASSERT_EQ(chmod(dir().c_str(), mode), 0);
    EXPECT_THAT(Refusal(absl::StatusCode::kPermissionDenied),
                HasSubstr("chmod go-w"));
  }
  ASSERT_EQ(chmod(dir().c_str(), 0755), 0);
  EXPECT_TRUE(Open().ok()) << "there is no secret in it";
}

// As root, this is tried as another user; as that user, on a directory of its
// own.
TEST_F(StateDirTest, ADirectoryOfAnotherUserIsRefused) {
  if (geteuid() != 0) {
    const absl::Status status = StateDir::Open("/", kName).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    return;
  }
  Leave(Example(7));
  if (chown(dir().c_str(), kNobody, kNobody) != 0) {
    // A namespace of one user alone: nobody else is there to give it to.
    ASSERT_EQ(errno, EINVAL);
    return;
  }
  EXPECT_THAT(Refusal(absl::StatusCode::kPermissionDenied),
              HasSubstr("it belongs to user 65534"));
}

TEST_F(StateDirTest, ADirectoryThatCannotBeWrittenToIsRefused) {
  Leave(Example(7));
  const bool is_other_user =
      geteuid() == 0 && chown(dir().c_str(), kNobody, kNobody) == 0 &&
      chown(file().c_str(), kNobody, kNobody) == 0 &&
      chown((dir() / "lock").c_str(), kNobody, kNobody) == 0;
  ASSERT_EQ(chmod(dir().c_str(), 0500), 0);
  const std::string refusal = InChild([&]() -> std::string {
    if (is_other_user && setuid(kNobody) != 0) return "setuid";
    // A root without anybody else has to give up its power over files.
    if (!is_other_user && geteuid() == 0 && unshare(CLONE_NEWUSER) != 0) {
      return "unshare";
    }
    return std::string(Open().status().message());
  });
  EXPECT_THAT(refusal, HasSubstr("cannot save what this process remembers in"));
  EXPECT_THAT(refusal, HasSubstr("chown"));
  ASSERT_EQ(chmod(dir().c_str(), 0700), 0);
  EXPECT_EQ(Saved().value(), Example(7));
}

// --- A second process -------------------------------------------------------

TEST_F(StateDirTest, ASecondProcessIsRefusedAndToldWhoHasIt) {
  const std::unique_ptr<StateDir> state = Open().value();
  const std::string refusal =
      InChild([&] { return Refusal(absl::StatusCode::kAlreadyExists); });
  EXPECT_THAT(refusal, HasSubstr(absl::StrCat("in use by process ", getpid())));
  EXPECT_EQ(Saved().value().starts, 1) << "it has counted nothing";
}

TEST_F(StateDirTest, ASecondMemberOfOneProcessIsRefused) {
  std::unique_ptr<StateDir> state = Open().value();
  EXPECT_THAT(Refusal(absl::StatusCode::kAlreadyExists),
              HasSubstr("another member in this process"));
  state.reset();
  EXPECT_TRUE(Open().ok());
}

TEST_F(StateDirTest, APersonsFlockCountsToo) {
  Leave(Example(7));
  const int fd = open((dir() / "lock").c_str(), O_RDWR);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_THAT(Refusal(absl::StatusCode::kAlreadyExists),
              HasSubstr("in use by another process"));
  close(fd);
}

TEST_F(StateDirTest, AKilledProcessLeavesNoLock) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t process = fork();
  if (process == 0) {
    const bool is_open = Open().ok();
    if (write(ends[1], is_open ? "1" : "0", 1) != 1) _exit(1);
    pause();
  }
  char is_open = '0';
  ASSERT_EQ(read(ends[0], &is_open, 1), 1);
  EXPECT_EQ(is_open, '1');
  kill(process, SIGKILL);
  ASSERT_EQ(waitpid(process, nullptr, 0), process);
  EXPECT_TRUE(Open().ok());
  close(ends[0]);
  close(ends[1]);
}

// --- Forks ------------------------------------------------------------------

TEST_F(StateDirTest, AChildNeverWrites) {
  const std::unique_ptr<StateDir> state = Open().value();
  EXPECT_EQ(InChild([&] {
              const absl::Status status = state->Save(Example(9));
              return std::string(absl::IsFailedPrecondition(status)
                                     ? "refused"
                                     : status.message());
            }),
            "refused");
  EXPECT_EQ(Saved().value(), Memory{.starts = 1});
  EXPECT_EQ(state->Save(Example(9)), absl::OkStatus());
}

// A server that forks its workers is started again while one of them lives on.
TEST_F(StateDirTest, AChildThatLivesOnKeepsNobodyOut) {
  std::unique_ptr<StateDir> state = Open().value();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    char byte;
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);  // until the test is over
  }
  EXPECT_THAT(
      InChild([&] { return Refusal(absl::StatusCode::kAlreadyExists); }),
      HasSubstr("in use by process"))
      << "the child has taken nothing from its parent";
  state.reset();
  EXPECT_TRUE(Open().ok());
  close(ends[1]);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  close(ends[0]);
}

// --- Disks that fail --------------------------------------------------------

// A file system without space, or, where nobody may mount one, a process that
// may not write as much.
TEST_F(StateDirTest, AFullDiskIsToldAndTheOldMemoryStays) {
  const std::string report = InChild([&]() -> std::string {
    fs::create_directory(dir());
    const bool is_mounted =
        (unshare(CLONE_NEWNS) == 0 ||
         unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
        mount("tmpfs", dir().c_str(), "tmpfs", 0, "size=16k,mode=0700") == 0;
    const std::unique_ptr<StateDir> state = Open().value();
    if (absl::Status status = state->Save(Example(7)); !status.ok()) {
      return std::string(status.message());
    }
    const fs::path filler = dir() / "filler";
    if (is_mounted) {
      WriteFile(filler, std::string(1 << 20, 'x'));
    } else {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit none = {0, RLIM_INFINITY};
      if (setrlimit(RLIMIT_FSIZE, &none) != 0) return "setrlimit";
    }
    const absl::Status full = state->Save(Example(8));
    if (!absl::IsResourceExhausted(full)) return full.ToString();
    if (Saved().value() != Example(7)) return "the old memory is gone";
    if (state->memory() != Example(7)) return "it is not saved";
    if (is_mounted) {
      fs::remove(filler);
    } else {
      const rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
      if (setrlimit(RLIMIT_FSIZE, &all) != 0) return "setrlimit";
    }
    if (!state->Save(Example(8)).ok()) return "not even afterwards";
    return Saved().value() == Example(8) ? "done" : "nothing is saved";
  });
  EXPECT_EQ(report, "done");
}

TEST_F(StateDirTest, ADirectoryThatWasRemovedIsToldOf) {
  const std::unique_ptr<StateDir> state = Open().value();
  fs::remove_all(dir());
  const absl::Status status = state->Save(Example(7));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("was removed"));
}

// --- Killed in the middle ---------------------------------------------------

// A process that saves, and is watched at each system call.
class WatchedSave {
 public:
  explicit WatchedSave(const std::function<bool()>& save) {
    process_ = fork();
    if (process_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      raise(SIGSTOP);
      _exit(save() ? 0 : 1);
    }
    Await();
    ptrace(PTRACE_SETOPTIONS, process_, nullptr,
           PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  }

  // Goes on to the next begin or end of a system call. False: it has ended.
  bool Continue() {
    EXPECT_EQ(ptrace(PTRACE_SYSCALL, process_, nullptr, nullptr), 0);
    return Await();
  }
  // The call that has just begun; nothing at the end of one.
  std::optional<uint64_t> Begun() const {
    __ptrace_syscall_info info = {};
    ptrace(PTRACE_GET_SYSCALL_INFO, process_, sizeof(info), &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return std::nullopt;
    return info.entry.nr;
  }
  void Kill() {
    kill(process_, SIGKILL);
    EXPECT_EQ(waitpid(process_, &status_, 0), process_);
  }
  bool has_succeeded() const {
    return WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  }

 private:
  bool Await() {
    EXPECT_EQ(waitpid(process_, &status_, 0), process_);
    return WIFSTOPPED(status_);
  }

  pid_t process_ = -1;
  int status_ = 0;
};

TEST_F(StateDirTest, KilledAtAnyPointTheOldOrTheNewMemoryIsLeft) {
  Leave(Example(7));
  // The next start counts itself, which is a save.
  const auto start = [&] { return Open().ok(); };
  int stops = 0;
  int old_ones = 0;
  for (bool is_whole = false; !is_whole; ++stops) {
    Leave(Example(7));
    WatchedSave save(start);
    is_whole = true;
    for (int i = 0; i <= stops; ++i) {
      if (save.Continue()) continue;
      EXPECT_TRUE(save.has_succeeded());
      break;
    }
    if (!save.has_succeeded()) {
      save.Kill();
      is_whole = false;
    }
    const absl::StatusOr<Memory> saved = Saved();
    ASSERT_TRUE(saved.ok()) << saved.status() << " after " << stops;
    if (*saved == Example(7)) {
      ++old_ones;
    } else {
      EXPECT_EQ(*saved, Example(8)) << stops;
    }
    const std::unique_ptr<StateDir> next = Open().value();
    EXPECT_EQ(next->memory(), Example(saved->starts + 1));
  }
  EXPECT_GT(stops, 20);
  EXPECT_GT(old_ones, 10);
  EXPECT_LT(old_ones, stops);
}

// What a loss of power needs, too: the bytes first, then the name, then its
// directory.
TEST_F(StateDirTest, TheBytesAreSyncedBeforeTheNameAndTheNameBeforeTheEnd) {
  const std::unique_ptr<StateDir> state = Open().value();
  // The child makes its own, as StateDir refuses in a child.
  const fs::path other = base_ / "other";
  EXPECT_TRUE(StateDir::Open(other.string(), kName).ok());
  WatchedSave save([&] {
    const absl::StatusOr<std::unique_ptr<StateDir>> opened =
        StateDir::Open(other.string(), kName);
    return opened.ok();
  });
  std::vector<std::string> calls;
  while (save.Continue()) {
    switch (save.Begun().value_or(SYS_getpid)) {
      case SYS_write:
        calls.push_back("write");
        break;
      case SYS_fsync:
        calls.push_back("fsync");
        break;
      case SYS_renameat:
      case SYS_renameat2:
        calls.push_back("rename");
        break;
      default:
        break;
    }
  }
  EXPECT_TRUE(save.has_succeeded());
  EXPECT_THAT(calls, ElementsAre("write", "fsync", "rename", "fsync"));
}

}  // namespace
}  // namespace cachalot
