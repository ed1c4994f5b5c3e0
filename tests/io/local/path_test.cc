#include "io/local/path.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/socket.h"

namespace cachalot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uid_t kSomeUser = 1234;

// A folder of this test, and its permissions.
class LocalSocketPlacesTest : public testing::Test {
 protected:
  LocalSocketPlacesTest() {
    const char* parent = std::getenv("TEST_TMPDIR");
    root_ = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/places-XXXXXX");
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
  }

  void Make(const std::string& folder, mode_t mode = 0700) {
    const std::string path = root_ + folder;
    EXPECT_EQ(mkdir(path.c_str(), 0700), 0) << path;
    EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  }
  mode_t ModeOf(const std::string& path) {
    struct stat status;
    EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  LocalSocketPlaces Root() { return {.user = 0, .run = root_ + "/run"}; }
  LocalSocketPlaces User() {
    return {.user = kSomeUser, .run = root_ + "/run", .home = root_ + "/house"};
  }

  std::string root_;
};

TEST_F(LocalSocketPlacesTest, AClientLooksAtItsUsersPlacesAndThenAtRoots) {
  EXPECT_THAT(User().Candidates(7946),
              ElementsAre(root_ + "/run/user/1234/cachalot/7946.sock",
                          root_ + "/house/.cachalot/7946.sock",
                          root_ + "/run/cachalot/7946.sock"));
  EXPECT_THAT(Root().Candidates(7946),
              ElementsAre(root_ + "/run/cachalot/7946.sock"));
}

TEST_F(LocalSocketPlacesTest, TheEnvironmentHasNoSay) {
  const std::vector<std::string> before =
      LocalSocketPlaces::OfThisUser().Candidates(1);
  setenv("XDG_RUNTIME_DIR", "/elsewhere", 1);
  setenv("HOME", "/elsewhere", 1);
  EXPECT_EQ(LocalSocketPlaces::OfThisUser().Candidates(1), before);
}

TEST_F(LocalSocketPlacesTest, AnAgentListensWhereItsClientsLook) {
  Make("/run");
  Make("/house");
  EXPECT_EQ(User().Prepare(1).value(), User().Candidates(1)[1]);
  EXPECT_EQ(ModeOf(root_ + "/house/.cachalot"), 0700u);
  EXPECT_EQ(Root().Prepare(1).value(), Root().Candidates(1)[0]);
  EXPECT_EQ(ModeOf(root_ + "/run/cachalot"), 0755u);
  Make("/run/user");
  Make("/run/user/1234");
  EXPECT_EQ(User().Prepare(1).value(), User().Candidates(1)[0]);
  EXPECT_EQ(ModeOf(root_ + "/run/user/1234/cachalot"), 0700u);
  // Again, now that the folder is there.
  EXPECT_TRUE(User().Prepare(2).ok());
}

TEST_F(LocalSocketPlacesTest, WithoutAPlaceTheErrorNamesThoseThatWereTried) {
  const absl::Status status = User().Prepare(1).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "/run/user/1234")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "--socket")) << status;
}

TEST_F(LocalSocketPlacesTest, AFolderThatOthersMayWriteToIsRefused) {
  Make("/run");
  for (const mode_t mode : {0777, 0770, 0722, 01777}) {
    Make("/run/cachalot", mode);
    const absl::Status status = Root().Prepare(1).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_EQ(rmdir((root_ + "/run/cachalot").c_str()), 0);
  }
}

TEST_F(LocalSocketPlacesTest, ALinkOrAFileInThePlaceOfTheFolderIsRefused) {
  Make("/run");
  Make("/elsewhere");
  const std::string folder = root_ + "/run/cachalot";
  ASSERT_EQ(symlink((root_ + "/elsewhere").c_str(), folder.c_str()), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(Root().Prepare(1).status()));
  ASSERT_EQ(unlink(folder.c_str()), 0);
  const FileDescriptor file(open(folder.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_TRUE(absl::IsPermissionDenied(Root().Prepare(1).status()));
}

// Only root could give a folder away: what stat() says of its owner is made up.
TEST_F(LocalSocketPlacesTest, AnotherUsersFolderIsRefusedUnlessTrusted) {
  const uid_t other = geteuid() + 1;
  Make("/theirs");
  const auto theirs = [other](const char* folder, struct stat* status) {
    const int result = stat(folder, status);
    status->st_uid = other;
    return result;
  };
  const std::string path = root_ + "/theirs/a.sock";
  const absl::Status refused = CheckSocketFolder(path, std::nullopt, theirs);
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(absl::StrCat("it belongs to user ", other)));
  EXPECT_TRUE(
      absl::IsPermissionDenied(CheckSocketFolder(path, other + 1, theirs)));
  EXPECT_TRUE(CheckSocketFolder(path, other, theirs).ok());
}

TEST_F(LocalSocketPlacesTest, RootsFolderAndThisUsersAreTrusted) {
  for (const uid_t owner : {uid_t{0}, geteuid()}) {
    Make("/folder");
    const auto owned = [owner](const char* folder, struct stat* status) {
      const int result = stat(folder, status);
      status->st_uid = owner;
      return result;
    };
    EXPECT_TRUE(
        CheckSocketFolder(root_ + "/folder/a.sock", std::nullopt, owned).ok());
    EXPECT_EQ(rmdir((root_ + "/folder").c_str()), 0);
  }
}

TEST_F(LocalSocketPlacesTest, OnlyAStickyFolderMayBeWritableForOthers) {
  Make("/open", 0777);
  Make("/sticky", 01777);
  EXPECT_TRUE(absl::IsPermissionDenied(
      CheckSocketFolder(root_ + "/open/a.sock", std::nullopt)));
  EXPECT_TRUE(CheckSocketFolder(root_ + "/sticky/a.sock", std::nullopt).ok());
  EXPECT_TRUE(
      CheckSocketFolder(root_ + "/no-such-folder/a.sock", std::nullopt).ok());
}

TEST(PathTest, SaysThatAPathIsTooLong) {
  EXPECT_TRUE(
      absl::IsInvalidArgument(ToUnixAddress(std::string(200, 'x')).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ToUnixAddress("").status()));
}

TEST(PathTest, FindsUsersAndGroupsByNameAndNumber) {
  EXPECT_EQ(FindUser("root").value(), 0u);
  EXPECT_EQ(FindUser("1234").value(), 1234u);
  EXPECT_EQ(FindGroup("root").value(), 0u);
  EXPECT_TRUE(absl::IsInvalidArgument(FindUser("no such user").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FindGroup("no such group").status()));
}

TEST(PeerTest, IsTheProcessAtTheOtherEnd) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const FileDescriptor first(ends[0]);
  const FileDescriptor second(ends[1]);
  const Peer peer = GetPeer(first.get()).value();
  EXPECT_EQ(peer.process, getpid());
  EXPECT_EQ(peer.user, geteuid());
  EXPECT_EQ(peer.group, getegid());
}

}  // namespace
}  // namespace cachalot
