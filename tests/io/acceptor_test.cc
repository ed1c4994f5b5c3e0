#include "io/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "engine/address.h"
#include "gtest/gtest.h"
#include "io/descriptors.h"
#include "io/socket.h"

namespace cachalot {
namespace {

using Outcome = Acceptor::Outcome;

class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest()
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
        client_(socket(AF_INET, SOCK_STREAM, 0)) {
    const SocketAddress any =
        ToSocketAddress(Address::V4(127, 0, 0, 1, 0), AF_INET);
    EXPECT_EQ(bind(listener_.get(), any.get(), any.length), 0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    getrlimit(RLIMIT_NOFILE, &limit_before_);
  }
  ~AcceptorTest() override { setrlimit(RLIMIT_NOFILE, &limit_before_); }

  void ConnectClient() {
    const SocketAddress to =
        ToSocketAddress(LocalAddress(listener_.get()), AF_INET);
    ASSERT_EQ(connect(client_.get(), to.get(), to.length), 0);
  }

  // Opens what there is to open; few, so that it is quick.
  void UseUpDescriptors() {
    rlimit limit = limit_before_;
    limit.rlim_cur = 64;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (;;) {
      FileDescriptor fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd.is_open()) break;
      used_up_.push_back(std::move(fd));
    }
    ASSERT_EQ(errno, EMFILE);
  }

  FileDescriptor listener_;
  FileDescriptor client_;
  std::vector<FileDescriptor> used_up_;
  rlimit limit_before_ = {};
};

TEST_F(AcceptorTest, TakesWhoeverConnects) {
  Acceptor acceptor(listener_.get());
  FileDescriptor socket;
  SocketAddress from;
  EXPECT_EQ(acceptor.Accept(&socket, &from), Outcome::kNobody);
  ConnectClient();
  EXPECT_EQ(acceptor.Accept(&socket, &from), Outcome::kAccepted);
  EXPECT_TRUE(socket.is_open());
  EXPECT_EQ(FromSocketAddress(from), LocalAddress(client_.get()));
}

TEST_F(AcceptorTest, TurnsAwayWhomItCannotTake) {
  Acceptor acceptor(listener_.get());
  UseUpDescriptors();
  ConnectClient();
  FileDescriptor socket;
  EXPECT_EQ(acceptor.Accept(&socket, nullptr), Outcome::kRefused);
  EXPECT_FALSE(socket.is_open());
  char byte;
  EXPECT_LE(recv(client_.get(), &byte, 1, 0), 0);
  // Nobody is left in the queue, and the reserve is there for the next.
  EXPECT_EQ(acceptor.Accept(&socket, nullptr), Outcome::kNobody);
}

TEST_F(AcceptorTest, SaysWhenItCannotEvenTurnAway) {
  Acceptor acceptor(listener_.get());
  ConnectClient();
  rlimit none = limit_before_;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  FileDescriptor socket;
  EXPECT_EQ(acceptor.Accept(&socket, nullptr), Outcome::kStuck);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit_before_), 0);
  EXPECT_EQ(acceptor.Accept(&socket, nullptr), Outcome::kAccepted);
}

TEST(DescriptorsTest, NoKindOfConnectionCanTakeAll) {
  const DescriptorShares shares = ShareDescriptors(1024);
  EXPECT_EQ(shares.links, 256u);
  EXPECT_EQ(shares.incoming, 256u);
  EXPECT_EQ(shares.local, 256u);
  EXPECT_GE(DescriptorsMax(), 16u);
}

}  // namespace
}  // namespace cachalot
