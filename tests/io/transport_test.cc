#include "io/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "engine/limits.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(30); }

Address Loopback() { return Address::V4(127, 0, 0, 1, 0); }

// One node's transport, and all that it received.
class Endpoint : private Transport::Receiver {
 public:
  Endpoint(EventLoop* loop, Clock* clock, TransportOptions options) {
    absl::StatusOr<std::unique_ptr<Transport>> created =
        Transport::Create(options, loop, clock, this);
    EXPECT_TRUE(created.ok()) << created.status();
    transport = *std::move(created);
  }

  Address address() const { return transport->address(); }
  void SendFrame(const Address& to, std::string bytes) {
    transport->SendFrame(to, std::move(bytes));
    transport->Flush();
  }

  std::unique_ptr<Transport> transport;
  std::vector<std::pair<Address, std::string>> datagrams;
  std::vector<std::string> frames;
  std::vector<Address> sources;  // of the frames
  std::vector<std::pair<Address, bool>> links;
  std::vector<std::pair<Address, int>> connect_errors;
  int reads = 0;
  // What is said of whoever sent `frame`.
  std::function<bool(const std::string& frame)> is_member =
      [](const std::string&) { return true; };
  // If set, each frame is answered with it.
  std::string answer;

 private:
  void OnBytesRead() override { ++reads; }
  void OnDatagram(const Address& from, std::string bytes) override {
    datagrams.emplace_back(from, std::move(bytes));
  }
  bool OnFrame(const Address& from, std::string bytes) override {
    frames.push_back(std::move(bytes));
    sources.push_back(from);
    if (!answer.empty()) {
      transport->AnswerFrame(from, answer);
      transport->Flush();
    }
    return is_member(frames.back());
  }
  void OnLinkChanged(const Address& peer, bool up) override {
    links.emplace_back(peer, up);
  }
  void OnConnectFailed(const Address& peer, int error) override {
    connect_errors.emplace_back(peer, error);
  }
};

class TransportTest : public testing::Test {
 protected:
  TransportTest() : loop_(EventLoop::Create().value()) {}

  std::unique_ptr<Endpoint> Open(const Address& bind = Loopback()) {
    options_.bind = bind;
    options_.seed = ++seed_;
    auto endpoint = std::make_unique<Endpoint>(loop_.get(), &clock_, options_);
    endpoints_.push_back(endpoint.get());
    return endpoint;
  }

  void Close(std::unique_ptr<Endpoint>* endpoint) {
    std::erase(endpoints_, endpoint->get());
    endpoint->reset();
  }

  // Runs all endpoints until `condition` holds.
  void RunUntil(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + LongWait();
    while (!condition()) {
      ASSERT_LT(absl::Now(), deadline);
      FastInstant next = FastInstant::Never();
      for (Endpoint* endpoint : endpoints_) {
        next = std::min(next, endpoint->transport->NextDeadline());
      }
      loop_->Wait(next == FastInstant::Never() ? LongWait()
                                               : next - clock_.Read().fast);
      for (Endpoint* endpoint : endpoints_) {
        endpoint->transport->OnTime(clock_.Read().fast);
      }
    }
  }

  // The first `size` bytes of a frame of four megabytes, and no more.
  static std::string Unfinished(size_t size) {
    return std::string("\0\0\x40\0", 4) + std::string(size, 'x');
  }

  // Writes all of `bytes`, while the endpoints run.
  void WriteAll(const FileDescriptor& to, const std::string& bytes) {
    size_t written = 0;
    RunUntil([&] {
      const ssize_t count =
          send(to.get(), bytes.data() + written,
               std::min<size_t>(bytes.size() - written, 65536),
               MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) written += static_cast<size_t>(count);
      if (count < 0 && errno != EAGAIN) return true;  // closed
      loop_->Wake();
      return written == bytes.size();
    });
  }

  // True if the other side has closed it; waits for that.
  static bool IsClosed(const FileDescriptor& connection) {
    char byte;
    return recv(connection.get(), &byte, 1, 0) <= 0;
  }

  // A socket that listens on loopback, by hand.
  static FileDescriptor Listen() {
    FileDescriptor listener(socket(AF_INET, SOCK_STREAM, 0));
    const SocketAddress any = ToSocketAddress(Loopback(), AF_INET);
    EXPECT_EQ(bind(listener.get(), any.get(), any.length), 0);
    EXPECT_EQ(listen(listener.get(), 16), 0);
    return listener;
  }

  // A stranger's connection.
  FileDescriptor Connect(const Address& to) {
    FileDescriptor fd(socket(AF_INET, SOCK_STREAM, 0));
    const SocketAddress name = ToSocketAddress(to, AF_INET);
    EXPECT_EQ(connect(fd.get(), name.get(), name.length), 0);
    return fd;
  }

  TransportOptions options_;
  uint64_t seed_ = 0;
  Clock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::vector<Endpoint*> endpoints_;
};

TEST_F(TransportTest, CarriesDatagramsWithTheirSendersAddress) {
  auto a = Open();
  auto b = Open();
  a->transport->SendDatagram(b->address(), "hello");
  RunUntil([&] { return !b->datagrams.empty(); });
  EXPECT_EQ(b->datagrams[0].first, a->address());
  EXPECT_EQ(b->datagrams[0].second, "hello");
}

TEST_F(TransportTest, CarriesFramesInOrder) {
  auto a = Open();
  auto b = Open();
  a->transport->SendFrame(b->address(), "one");
  a->transport->SendFrame(b->address(), std::string(3 << 20, 'x'));
  a->transport->SendFrame(b->address(), "three");
  a->transport->Flush();
  RunUntil([&] { return b->frames.size() == 3; });
  EXPECT_EQ(b->frames[0], "one");
  EXPECT_EQ(b->frames[1], std::string(3 << 20, 'x'));
  EXPECT_EQ(b->frames[2], "three");
  EXPECT_EQ(a->links,
            (std::vector<std::pair<Address, bool>>{{b->address(), true}}));
  // The other side of the stream is not a link of b's.
  EXPECT_TRUE(b->links.empty());
}

TEST_F(TransportTest, FramesOfOneTurnComeInOneRead) {
  auto a = Open();
  auto b = Open();
  a->SendFrame(b->address(), "opens the stream");
  RunUntil([&] { return b->frames.size() == 1; });
  const int reads = b->reads;
  for (int i = 0; i < 10; ++i) a->transport->SendFrame(b->address(), "x");
  a->transport->Flush();
  RunUntil([&] { return b->frames.size() == 11; });
  EXPECT_EQ(b->reads, reads + 1);
}

TEST_F(TransportTest, SpeaksIpv6) {
  const Address any = {.ip = Address::Parse("[::1]:1")->ip, .port = 0};
  auto a = Open(any);
  auto b = Open(any);
  a->transport->SendDatagram(b->address(), "datagram");
  a->SendFrame(b->address(), "frame");
  RunUntil([&] { return !b->datagrams.empty() && !b->frames.empty(); });
  EXPECT_EQ(b->datagrams[0].first, a->address());
}

TEST_F(TransportTest, TheWildcardTakesBothFamilies) {
  auto a = Open(Address());
  auto b = Open();
  const Address to_a = Address::V4(127, 0, 0, 1, a->address().port);
  b->transport->SendDatagram(to_a, "v4");
  b->SendFrame(to_a, "v4");
  a->transport->SendDatagram(b->address(), "back");
  RunUntil([&] {
    return !a->datagrams.empty() && !a->frames.empty() && !b->datagrams.empty();
  });
  EXPECT_EQ(a->datagrams[0].first, b->address());
}

TEST_F(TransportTest, AnAddressOfTheOtherFamilyIsCountedAndForgotten) {
  auto a = Open();
  a->transport->SendDatagram(*Address::Parse("[::1]:7946"), "nobody");
  EXPECT_EQ(a->transport->stats().datagrams_unsent, 1u);
}

TEST_F(TransportTest, SaysThatThePortIsTaken) {
  auto a = Open();
  options_.bind = a->address();
  struct Nobody : Transport::Receiver {
    void OnBytesRead() override {}
    void OnDatagram(const Address&, std::string) override {}
    bool OnFrame(const Address&, std::string) override { return false; }
    void OnLinkChanged(const Address&, bool) override {}
  } nobody;
  const absl::Status status =
      Transport::Create(options_, loop_.get(), &clock_, &nobody).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "choose another port"))
      << status;
}

TEST_F(TransportTest, SaysThatTheAddressIsNotOurs) {
  // TEST-NET-1 belongs to nobody (RFC 5737).
  const absl::Status status =
      BindSockets(Address::V4(192, 0, 2, 1, 0)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "192.0.2.1")) << status;
}

TEST_F(TransportTest, ReportsAPeerThatIsNotThereAndTriesAgain) {
  auto b = Open();
  const Address gone = b->address();
  Close(&b);
  auto a = Open();
  a->SendFrame(gone, "lost");
  RunUntil([&] { return !a->links.empty(); });
  EXPECT_EQ(a->links[0], (std::pair<Address, bool>{gone, false}));
  EXPECT_EQ(a->connect_errors[0],
            (std::pair<Address, int>{gone, ECONNREFUSED}));

  auto again = Open(gone);
  a->SendFrame(gone, "waits for the next attempt");
  RunUntil([&] { return again->frames.size() == 1; });
  EXPECT_EQ(a->links.back(), (std::pair<Address, bool>{gone, true}));
  EXPECT_EQ(again->frames[0], "waits for the next attempt");
}

TEST_F(TransportTest, ReconnectsWhenThePeerCameBack) {
  auto a = Open();
  auto b = Open();
  const Address address = b->address();
  a->SendFrame(address, "first");
  RunUntil([&] { return b->frames.size() == 1; });
  Close(&b);
  RunUntil([&] { return a->links.size() == 2; });
  EXPECT_EQ(a->links[1], (std::pair<Address, bool>{address, false}));

  auto again = Open(address);
  a->SendFrame(address, "second");
  RunUntil([&] { return again->frames.size() == 1; });
  EXPECT_EQ(again->frames[0], "second");
}

TEST_F(TransportTest, ADatagramOfThePeerEndsTheWaitBeforeTheNextAttempt) {
  options_.link.reconnect_min = absl::Milliseconds(1);
  options_.link.reconnect_max = absl::Hours(24);
  auto b = Open();
  const Address address = b->address();
  Close(&b);
  auto a = Open();
  // Failures until the next delay is beyond the patience of this test.
  for (size_t i = 1; i <= 14; ++i) {
    a->SendFrame(address, "lost");
    RunUntil([&] { return a->links.size() == i; });
    const absl::Duration left =
        a->transport->NextDeadline() - clock_.Read().fast;
    if (left > absl::Seconds(1)) break;
  }
  auto again = Open(address);
  a->SendFrame(address, "waits");
  again->transport->SendDatagram(a->address(), "here I am");
  const absl::Time start = absl::Now();
  RunUntil([&] { return again->frames.size() == 1; });
  EXPECT_LT(absl::Now() - start, LongWait());
}

TEST_F(TransportTest, GivesUpAStreamWhoseQueueIsFull) {
  options_.link.queue_bytes_max = 8 << 20;
  auto a = Open();
  // Accepts, and never reads.
  FileDescriptor listener(socket(AF_INET, SOCK_STREAM, 0));
  const SocketAddress any = ToSocketAddress(Loopback(), AF_INET);
  ASSERT_EQ(bind(listener.get(), any.get(), any.length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const Address deaf = LocalAddress(listener.get());
  a->SendFrame(deaf, "opens the stream");
  RunUntil([&] { return a->links.size() == 1; });
  // At most what the queue and the kernel's buffers hold.
  for (int i = 0; i < 64 && a->links.size() == 1; ++i) {
    a->SendFrame(deaf, std::string(1 << 20, 'x'));
  }
  ASSERT_EQ(a->links.size(), 2u);
  EXPECT_EQ(a->links[1], (std::pair<Address, bool>{deaf, false}));
  EXPECT_EQ(a->transport->stats().links.overflowed, 1u);
}

TEST_F(TransportTest, GarbageEndsItsStreamAndNoOther) {
  auto a = Open();
  auto b = Open();
  a->SendFrame(b->address(), "before");
  RunUntil([&] { return b->frames.size() == 1; });
  const FileDescriptor stranger = Connect(b->address());
  ASSERT_EQ(write(stranger.get(), "GET / HTTP/1.1\r\n\r\n", 18), 18);
  RunUntil([&] { return b->transport->stats().streams_malformed == 1; });
  char byte;
  EXPECT_LE(read(stranger.get(), &byte, 1), 0);
  a->SendFrame(b->address(), "after");
  RunUntil([&] { return b->frames.size() == 2; });
}

TEST_F(TransportTest, OversizedDatagramsAreCountedAndDropped) {
  auto a = Open();
  auto b = Open();
  a->transport->SendDatagram(b->address(),
                             std::string(limits::kDatagramBytesMax + 1, 'x'));
  a->transport->SendDatagram(b->address(),
                             std::string(limits::kDatagramBytesMax, 'y'));
  RunUntil([&] { return !b->datagrams.empty(); });
  EXPECT_EQ(b->datagrams[0].second[0], 'y');
  EXPECT_EQ(b->transport->stats().datagrams_oversized, 1u);
}

TEST_F(TransportTest, TheLongestSilentMakesRoomForNewcomers) {
  options_.incoming_max = 2;
  auto a = Open();
  auto b = Open();
  const FileDescriptor silent = Connect(b->address());
  a->SendFrame(b->address(), "member");
  RunUntil([&] { return b->frames.size() == 1; });
  const FileDescriptor newcomer = Connect(b->address());
  RunUntil([&] { return b->transport->stats().streams_evicted == 1; });
  char byte;
  EXPECT_LE(read(silent.get(), &byte, 1), 0);
  a->SendFrame(b->address(), "still there");
  RunUntil([&] { return b->frames.size() == 2; });
}

TEST_F(TransportTest, AnswersGoBackOnTheStreamOfTheQuestion) {
  auto a = Open();
  auto b = Open();
  b->answer = "answer";
  a->SendFrame(b->address(), "question");
  RunUntil([&] { return a->frames.size() == 1; });
  EXPECT_EQ(a->frames[0], "answer");
  EXPECT_EQ(a->sources[0], b->address());
  // No stream was opened for it.
  EXPECT_EQ(b->transport->stats().links.opened, 0u);
  EXPECT_TRUE(b->links.empty());

  // And back again: the first stream serves a whole conversation.
  b->answer.clear();
  a->transport->AnswerFrame(b->address(), "thanks");
  a->transport->Flush();
  RunUntil([&] { return b->frames.size() == 2; });
  EXPECT_EQ(b->frames[1], "thanks");
  EXPECT_EQ(b->sources[1], b->sources[0]);
}

TEST_F(TransportTest, AnAnswerToNobodyIsDroppedAndOpensNothing) {
  auto a = Open();
  auto b = Open();
  a->transport->AnswerFrame(b->address(), "to whom?");
  a->transport->Flush();
  EXPECT_EQ(a->transport->stats().answers_dropped, 1u);
  EXPECT_EQ(a->transport->stats().links.opened, 0u);
}

TEST_F(TransportTest, AnswersThatNobodyReadsEndTheirStream) {
  options_.answer_bytes_max = 1 << 20;
  auto b = Open();
  b->answer = std::string(3 << 20, 'x');
  const FileDescriptor stranger = Connect(b->address());
  const std::string question("\x01\0\0\0q", 5);
  for (int i = 0; i < 8; ++i) WriteAll(stranger, question);
  RunUntil([&] { return b->transport->stats().streams_greedy == 1; });
}

TEST_F(TransportTest, WhatIsNoFrameOnOurStreamEndsIt) {
  auto a = Open();
  const FileDescriptor listener = Listen();
  a->SendFrame(LocalAddress(listener.get()), "hello");
  RunUntil([&] { return a->links.size() == 1; });
  const FileDescriptor talker(accept(listener.get(), nullptr, nullptr));
  ASSERT_EQ(write(talker.get(), "GET / HTTP/1.1\r\n", 16), 16);
  RunUntil([&] { return a->links.size() == 2; });
  EXPECT_EQ(a->transport->stats().links.malformed, 1u);
}

TEST_F(TransportTest, ALinkThatCarriesNothingIsClosedAndOpenedAgain) {
  options_.link.idle_max = absl::Milliseconds(20);
  auto a = Open();
  auto b = Open();
  a->SendFrame(b->address(), "first");
  RunUntil([&] { return a->transport->stats().links.idle == 1; });
  EXPECT_EQ(b->frames, std::vector<std::string>({"first"}));
  // Nothing was lost, so nobody is told of a loss.
  EXPECT_EQ(a->links,
            (std::vector<std::pair<Address, bool>>{{b->address(), true}}));
  a->SendFrame(b->address(), "second");
  RunUntil([&] { return b->frames.size() == 2; });
  EXPECT_EQ(a->transport->stats().links.opened, 2u);
}

TEST_F(TransportTest, LinksBeyondTheLimitTakeThePlaceOfTheLeastUsed) {
  options_.links_max = 2;
  auto a = Open();
  auto member = Open();
  auto first = Open();
  auto second = Open();
  a->SendFrame(first->address(), "x");
  RunUntil([&] { return first->frames.size() == 1; });
  a->SendFrame(member->address(), "x");
  RunUntil([&] { return member->frames.size() == 1; });
  a->SendFrame(second->address(), "x");
  RunUntil([&] { return second->frames.size() == 1; });
  EXPECT_EQ(a->transport->stats().links_evicted, 1u);
  a->SendFrame(member->address(), "still open");
  RunUntil([&] { return member->frames.size() == 2; });
  EXPECT_EQ(a->transport->stats().links.opened, 3u);
}

// Two hundred streams, each with most of a frame of four megabytes.
TEST_F(TransportTest, UnfinishedFramesOfStrangersAreBoundedTogether) {
  options_.stranger_bytes_max = 1 << 20;
  auto a = Open();
  auto b = Open();
  a->SendFrame(b->address(), "member");
  RunUntil([&] { return b->frames.size() == 1; });
  std::vector<FileDescriptor> strangers;
  for (int i = 0; i < 40; ++i) {
    strangers.push_back(Connect(b->address()));
    WriteAll(strangers.back(), Unfinished(100'000));
  }
  RunUntil([&] { return b->transport->stats().streams_greedy >= 30; });
  EXPECT_TRUE(IsClosed(strangers.front()));
  a->SendFrame(b->address(), std::string(3 << 20, 'x'));
  RunUntil([&] { return b->frames.size() == 2; });
}

TEST_F(TransportTest, UnfinishedFramesOfMembersAreBoundedTogether) {
  options_.unfinished_bytes_max = 1 << 20;
  auto b = Open();
  const std::string whole("\x01\0\0\0m", 5);
  std::vector<FileDescriptor> members;
  for (int i = 0; i < 20; ++i) {
    members.push_back(Connect(b->address()));
    WriteAll(members.back(), whole + Unfinished(100'000));
  }
  RunUntil([&] { return b->transport->stats().streams_greedy >= 10; });
  EXPECT_TRUE(IsClosed(members.front()));
}

TEST_F(TransportTest, AFrameThatDoesNotGoOnEndsItsStream) {
  options_.look_interval = absl::Milliseconds(20);
  auto b = Open();
  const FileDescriptor stranger = Connect(b->address());
  WriteAll(stranger, Unfinished(10));
  RunUntil([&] { return b->transport->stats().streams_stalled == 1; });
  EXPECT_TRUE(IsClosed(stranger));
}

TEST_F(TransportTest, StrangersAreClosedWhenTheyAreSilentAndMembersAreNot) {
  options_.look_interval = absl::Milliseconds(10);
  auto a = Open();
  auto b = Open();
  b->is_member = [](const std::string& frame) { return frame == "member"; };
  a->SendFrame(b->address(), "member");
  RunUntil([&] { return b->frames.size() == 1; });
  const FileDescriptor stranger = Connect(b->address());
  WriteAll(stranger, std::string("\x01\0\0\0s", 5));
  RunUntil([&] { return b->transport->stats().streams_stalled == 1; });
  EXPECT_TRUE(IsClosed(stranger));
  a->SendFrame(b->address(), "member");
  RunUntil([&] { return b->frames.size() == 3; });
  EXPECT_EQ(a->transport->stats().links.opened, 1u);
}

TEST_F(TransportTest, StrangersDoNotPushMembersOut) {
  options_.incoming_max = 4;
  auto a = Open();
  auto b = Open();
  a->SendFrame(b->address(), "member");
  RunUntil([&] { return b->frames.size() == 1; });
  std::vector<FileDescriptor> strangers;
  for (int i = 0; i < 20; ++i) strangers.push_back(Connect(b->address()));
  RunUntil([&] { return b->transport->stats().streams_evicted == 18; });
  a->SendFrame(b->address(), "still there");
  RunUntil([&] { return b->frames.size() == 2; });
  EXPECT_EQ(a->transport->stats().links.opened, 1u);
}

// The kernel of a peer that cannot be reached drops what comes in; here a
// filter does.
TEST_F(TransportTest, AStuckStreamIsOpenedAnewWhenThePeerSpeaks) {
  auto a = Open();
  auto b = Open();
  const FileDescriptor listener = Listen();
  const Address peer = LocalAddress(listener.get());
  a->SendFrame(peer, "first");
  RunUntil([&] { return a->links.size() == 1; });
  const FileDescriptor cut_off(accept(listener.get(), nullptr, nullptr));
  const int ttl = 255;
  ASSERT_EQ(setsockopt(cut_off.get(), IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl)),
            0);
  a->SendFrame(peer, "lost");
  // From the address of the peer, as a peer's datagrams come.
  FileDescriptor datagrams(socket(AF_INET, SOCK_DGRAM, 0));
  const SocketAddress name = ToSocketAddress(peer, AF_INET);
  ASSERT_EQ(bind(datagrams.get(), name.get(), name.length), 0);
  const SocketAddress to = ToSocketAddress(a->address(), AF_INET);
  const absl::Time start = absl::Now();
  RunUntil([&] {
    EXPECT_EQ(sendto(datagrams.get(), "x", 1, 0, to.get(), to.length), 1);
    return a->links.size() == 2;
  });
  EXPECT_EQ(a->links[1], (std::pair<Address, bool>{peer, false}));
  EXPECT_EQ(a->transport->stats().links.stuck, 1u);
  EXPECT_LT(absl::Now() - start, options_.link.unacknowledged_max / 2);
  a->SendFrame(peer, "arrives");
  RunUntil([&] { return a->links.size() == 3; });
  const FileDescriptor again(accept(listener.get(), nullptr, nullptr));
  char bytes[64] = {};
  ASSERT_GT(recv(again.get(), bytes, sizeof(bytes) - 1, 0), 4);
  EXPECT_EQ(std::string(bytes + 4), "arrives");
}

// No descriptor is left: whoever connects is turned away, at once.
TEST_F(TransportTest, WithoutDescriptorsNobodyWaitsAndNothingSpins) {
  auto b = Open();
  const FileDescriptor first(socket(AF_INET, SOCK_STREAM, 0));
  const SocketAddress to = ToSocketAddress(b->address(), AF_INET);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;  // those that are open stay so
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(connect(first.get(), to.get(), to.length), 0);
  // Even the reserve cannot be opened again: once it is used up, the listener
  // is left alone.
  RunUntil([&] {
    return b->transport->stats().streams_refused == 1 ||
           b->transport->NextDeadline() != FastInstant::Never();
  });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const FileDescriptor second = Connect(b->address());
  WriteAll(second, std::string("\x01\0\0\0m", 5));
  RunUntil([&] { return b->frames.size() == 1; });
}

}  // namespace
}  // namespace cachalot
