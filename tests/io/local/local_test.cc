#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/options.h"
#include "engine/random.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "io/coordinator.h"
#include "io/local/client.h"
#include "io/local/path.h"
#include "io/local/protocol.h"
#include "io/socket.h"

namespace cachalot {
namespace {

// So long that reaching it is a failure.
constexpr absl::Duration LongWait() { return absl::Seconds(30); }
constexpr absl::Duration LongTtl() { return absl::Minutes(10); }

std::string NewPath() {
  static int last = 0;
  const char* directory = std::getenv("TEST_TMPDIR");
  std::string path = absl::StrCat(directory == nullptr ? "/tmp" : directory,
                                  "/", getpid(), ".", ++last);
  // Bazel's directories may be too deep for the kernel.
  if (path.size() > 100) path = absl::StrCat("/tmp/", getpid(), ".", last);
  unlink(path.c_str());  // of an earlier run
  return path;
}

CoordinatorOptions Agent(const std::string& path) {
  CoordinatorOptions options;
  options.bind = "127.0.0.1:0";
  options.seeds = {"127.0.0.1:0"};
  options.bootstrap = true;
  options.birth_delay = absl::Milliseconds(20);
  options.local_socket = path;
  return options;
}

LocalRequest AcquireOf(const std::string& key) {
  return {.operation = LocalOperation::kAcquire, .key = key, .ttl = LongTtl()};
}

LocalRequest ReleaseOf(const std::string& key) {
  return {.operation = LocalOperation::kRelease, .key = key};
}

// One agent, founder of its cluster.
class LocalTest : public testing::Test {
 protected:
  LocalTest() : path_(NewPath()) {
    absl::StatusOr<std::unique_ptr<Coordinator>> agent =
        Coordinator::Create(Agent(path_));
    EXPECT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    EXPECT_TRUE(agent_->Connect(LongWait()).ok());
  }

  std::unique_ptr<LocalClient> Connect() {
    absl::StatusOr<std::unique_ptr<LocalClient>> client =
        LocalClient::Connect(path_);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  LocalReply Call(LocalClient& client, LocalRequest request) {
    absl::StatusOr<LocalReply> reply =
        client.Call(std::move(request), LongWait());
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : LocalReply();
  }

  uint64_t Malformed(LocalClient& client) {
    return Call(client, {.operation = LocalOperation::kStatus})
        .status->local_malformed;
  }

  // A stranger's connection, without our client.
  FileDescriptor ConnectRaw() {
    FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM, 0));
    const SocketAddress name = ToUnixAddress(path_).value();
    EXPECT_EQ(connect(fd.get(), name.get(), name.length), 0);
    return fd;
  }

  const std::string path_;
  std::unique_ptr<Coordinator> agent_;
};

TEST_F(LocalTest, TakesRenewsListsAndReleases) {
  const auto client = Connect();
  LocalRequest acquire = AcquireOf("key");
  acquire.owner = "script";
  const LocalReply granted = Call(*client, acquire);
  ASSERT_EQ(granted.answer.outcome, Outcome::kOk);
  EXPECT_FALSE(granted.answer.token.IsNone());

  const LocalReply list =
      Call(*client, {.operation = LocalOperation::kListLocks});
  ASSERT_EQ(list.answer.locks.size(), 1u);
  EXPECT_EQ(list.answer.locks[0].key, "key");
  EXPECT_EQ(list.answer.locks[0].owner, "script");
  EXPECT_EQ(list.answer.locks[0].holder_name, agent_->name());
  EXPECT_EQ(list.answer.locks[0].token, granted.answer.token);

  EXPECT_EQ(Call(*client, {.operation = LocalOperation::kRenew,
                           .key = "key",
                           .owner = "script",
                           .ttl = LongTtl()})
                .answer.outcome,
            Outcome::kOk);
  LocalRequest release = ReleaseOf("key");
  release.token = granted.answer.token;
  EXPECT_EQ(Call(*client, release).answer.outcome, Outcome::kOk);
  EXPECT_EQ(Call(*client, release).answer.outcome, Outcome::kNotHeld);
}

TEST_F(LocalTest, AnotherOwnerIsRefusedAndToldWhy) {
  const auto client = Connect();
  LocalRequest acquire = AcquireOf("key");
  acquire.owner = "mine";
  ASSERT_EQ(Call(*client, acquire).answer.outcome, Outcome::kOk);
  LocalRequest release = ReleaseOf("key");
  release.owner = "yours";
  const LocalReply refused = Call(*client, release);
  EXPECT_EQ(refused.answer.outcome, Outcome::kNotHeld);
  EXPECT_TRUE(absl::StrContains(refused.answer.text, "mine"))
      << refused.answer.text;
}

TEST_F(LocalTest, ATryNamesTheHolder) {
  const auto first = Connect();
  const auto second = Connect();
  ASSERT_EQ(Call(*first, AcquireOf("key")).answer.outcome, Outcome::kOk);
  const LocalReply refused = Call(*second, AcquireOf("key"));
  EXPECT_EQ(refused.answer.outcome, Outcome::kHeld);
  ASSERT_TRUE(refused.answer.holder.has_value());
  EXPECT_EQ(refused.answer.holder->holder_name, agent_->name());
}

TEST_F(LocalTest, TheAgentKeepsALockUnlessToldToReleaseItOnDisconnect) {
  {
    const auto client = Connect();
    ASSERT_EQ(Call(*client, AcquireOf("kept")).answer.outcome, Outcome::kOk);
    LocalRequest acquire = AcquireOf("freed");
    acquire.release_on_disconnect = true;
    ASSERT_EQ(Call(*client, acquire).answer.outcome, Outcome::kOk);
  }
  const auto client = Connect();
  LocalRequest acquire = AcquireOf("freed");
  acquire.wait = LongWait();
  EXPECT_EQ(Call(*client, acquire).answer.outcome, Outcome::kOk);
  EXPECT_EQ(Call(*client, AcquireOf("kept")).answer.outcome, Outcome::kHeld);
}

TEST_F(LocalTest, ALockThatIsKeptOutlivesItsConnection) {
  {
    const auto client = Connect();
    LocalRequest acquire = AcquireOf("key");
    acquire.release_on_disconnect = true;
    const FencingToken token = Call(*client, acquire).answer.token;
    const LocalRequest keep = {
        .operation = LocalOperation::kKeep, .key = "key", .token = token};
    EXPECT_EQ(Call(*Connect(), keep).answer.outcome, Outcome::kNotHeld)
        << "it hangs on another connection";
    EXPECT_EQ(Call(*client, keep).answer.outcome, Outcome::kOk);
    EXPECT_EQ(Call(*client, keep).answer.outcome, Outcome::kNotHeld);
  }
  EXPECT_EQ(Call(*Connect(), AcquireOf("key")).answer.outcome, Outcome::kHeld);
}

// As one that was stopped while it waited in the queue.
TEST_F(LocalTest, ALockWhoseGrantIsNotReadIsNotRenewed) {
  const auto unread = Connect();
  LocalRequest acquire = AcquireOf("key");
  acquire.ttl = absl::Milliseconds(200);
  acquire.release_on_disconnect = true;
  acquire.keep_renewed = true;
  unread->Send(acquire);
  ASSERT_TRUE(unread->Flush().ok());
  const auto next = Connect();
  acquire.wait = LongWait();
  EXPECT_EQ(Call(*next, acquire).answer.outcome, Outcome::kOk);
  const absl::StatusOr<LocalReply> late = unread->Receive(LongWait());
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(late->answer.outcome, Outcome::kOk);
  EXPECT_EQ(Call(*unread, {.operation = LocalOperation::kCheck,
                           .key = "key",
                           .token = late->answer.token})
                .answer.outcome,
            Outcome::kNotHeld);
}

TEST_F(LocalTest, ALockIsRenewedOnceItsProgramNamesTheToken) {
  const auto holder = Connect();
  const auto next = Connect();
  LocalRequest acquire = AcquireOf("key");
  acquire.ttl = absl::Milliseconds(200);
  acquire.release_on_disconnect = true;
  acquire.keep_renewed = true;
  const FencingToken token = Call(*holder, acquire).answer.token;
  const LocalRequest check = {
      .operation = LocalOperation::kCheck, .key = "key", .token = token};
  ASSERT_EQ(Call(*holder, check).answer.outcome, Outcome::kOk);
  // For several leases.
  acquire.wait = absl::Milliseconds(900);
  EXPECT_EQ(Call(*next, acquire).answer.outcome, Outcome::kTimedOut);
  EXPECT_EQ(Call(*holder, check).answer.outcome, Outcome::kOk);
}

TEST_F(LocalTest, SaysForHowLongALockMayBeBelievedIn) {
  const auto client = Connect();
  const FencingToken token = Call(*client, AcquireOf("key")).answer.token;
  LocalRequest check = {
      .operation = LocalOperation::kCheck, .key = "key", .token = token};
  const LocalReply reply = Call(*Connect(), check);
  EXPECT_EQ(reply.answer.outcome, Outcome::kOk);
  EXPECT_GT(reply.belief, absl::ZeroDuration());
  EXPECT_LT(reply.belief, LeaseOptions().session_ttl);
  check.key = "another";
  EXPECT_EQ(Call(*client, check).answer.outcome, Outcome::kNotHeld);
  check.key = "key";
  check.token = FencingToken(check.token.number() + 1);
  EXPECT_EQ(Call(*client, check).answer.outcome, Outcome::kNotHeld);
}

TEST_F(LocalTest, TellsThoseWhoWaitForItThatALockIsLost) {
  const auto holder = Connect();
  const auto watcher = Connect();
  const FencingToken token = Call(*holder, AcquireOf("key")).answer.token;
  LocalRequest await = {
      .operation = LocalOperation::kAwaitLoss, .key = "key", .token = token};
  {
    const auto gone = Connect();
    gone->Send(await);
    ASSERT_TRUE(gone->Flush().ok());
  }
  const uint64_t first = watcher->Send(await);
  const uint64_t second = watcher->Send(await);
  ASSERT_TRUE(watcher->Flush().ok());
  // Answered behind the two: they wait.
  Call(*watcher, {.operation = LocalOperation::kStatus});
  LocalRequest release = ReleaseOf("key");
  release.token = token;
  ASSERT_EQ(Call(*holder, release).answer.outcome, Outcome::kOk);
  for (const uint64_t id : {first, second}) {
    const absl::StatusOr<LocalReply> reply = watcher->Receive(LongWait());
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->id, id);
    EXPECT_EQ(reply->answer.outcome, Outcome::kNotHeld);
    EXPECT_EQ(reply->loss, LossReason::kReleased);
  }
  // What is lost already.
  EXPECT_EQ(Call(*watcher, await).answer.outcome, Outcome::kNotHeld);
}

TEST_F(LocalTest, AWaiterThatDisconnectsLeavesTheQueue) {
  const auto holder = Connect();
  ASSERT_EQ(Call(*holder, AcquireOf("key")).answer.outcome, Outcome::kOk);
  const auto waiters = [&] {
    return Call(*holder, {.operation = LocalOperation::kListLocks})
        .answer.locks[0]
        .waiters;
  };
  const absl::Time deadline = absl::Now() + LongWait();
  {
    const auto waiter = Connect();
    LocalRequest acquire = AcquireOf("key");
    acquire.wait = LongWait();
    waiter->Send(acquire);
    ASSERT_TRUE(waiter->Flush().ok());
    while (waiters() != 1) ASSERT_LT(absl::Now(), deadline);
  }
  while (waiters() != 0) ASSERT_LT(absl::Now(), deadline);
}

TEST_F(LocalTest, WithdrawsAWaiter) {
  const auto holder = Connect();
  ASSERT_EQ(Call(*holder, AcquireOf("key")).answer.outcome, Outcome::kOk);
  const auto client = Connect();
  LocalRequest acquire = AcquireOf("key");
  acquire.wait = LongWait();
  const uint64_t id = client->Send(acquire);
  EXPECT_EQ(
      Call(*client, {.operation = LocalOperation::kWithdraw, .withdrawn = id})
          .answer.outcome,
      Outcome::kOk);
  const absl::StatusOr<LocalReply> reply = client->Receive(LongWait());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->id, id);
  EXPECT_EQ(reply->answer.outcome, Outcome::kWithdrawn);
}

TEST_F(LocalTest, CarriesManyRequestsAtATime) {
  const auto client = Connect();
  constexpr int kRequests = 2000;
  for (int i = 0; i < kRequests; ++i) {
    LocalRequest acquire = AcquireOf(absl::StrCat("key", i));
    acquire.release_on_disconnect = true;
    client->Send(acquire);
  }
  ASSERT_TRUE(client->Flush().ok());
  uint64_t ids = 0;
  for (int i = 0; i < kRequests; ++i) {
    const absl::StatusOr<LocalReply> reply = client->Receive(LongWait());
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->answer.outcome, Outcome::kOk);
    ids += reply->id;
  }
  EXPECT_EQ(ids, uint64_t{kRequests} * (kRequests + 1) / 2);
}

TEST_F(LocalTest, TellsItsStatusAndItsMembers) {
  const auto client = Connect();
  const LocalReply status =
      Call(*client, {.operation = LocalOperation::kStatus});
  ASSERT_TRUE(status.status.has_value());
  EXPECT_EQ(status.status->name, agent_->name());
  EXPECT_EQ(status.status->address, agent_->address());
  EXPECT_EQ(status.status->role, MemberRole::kLeader);
  EXPECT_TRUE(status.status->standing.has_session);
  for (const bool is_local : {false, true}) {
    const LocalReply members =
        Call(*client,
             {.operation = LocalOperation::kListMembers, .is_local = is_local});
    ASSERT_EQ(members.answer.members.size(), 1u);
    EXPECT_EQ(members.answer.members[0].id, status.status->id);
  }
}

TEST_F(LocalTest, SaysWhenARequestBreaksALimit) {
  const auto client = Connect();
  EXPECT_EQ(Call(*client, AcquireOf("")).answer.outcome, Outcome::kInvalid);
  EXPECT_EQ(Call(*client, AcquireOf(std::string(1025, 'x'))).answer.outcome,
            Outcome::kInvalid);
  LocalRequest acquire = AcquireOf("key");
  acquire.ttl = absl::InfiniteDuration();
  EXPECT_EQ(Call(*client, acquire).answer.outcome, Outcome::kInvalid);
}

TEST_F(LocalTest, LeavesWhenAsked) {
  const auto client = Connect();
  EXPECT_EQ(Call(*client, {.operation = LocalOperation::kLeave}).answer.outcome,
            Outcome::kOk);
  EXPECT_EQ(Call(*client, AcquireOf("key")).answer.outcome, Outcome::kLeaving);
}

TEST_F(LocalTest, GarbageEndsItsConnectionAndNoOther) {
  const auto client = Connect();
  const std::string kGarbage[] = {
      "GET / HTTP/1.1\r\n\r\n",
      std::string("\0\0\0\0", 4),
      std::string("\7\0\0\0garbage", 11),
  };
  uint64_t expected = 0;
  for (const std::string& garbage : kGarbage) {
    const FileDescriptor stranger = ConnectRaw();
    ASSERT_EQ(send(stranger.get(), garbage.data(), garbage.size(), 0),
              static_cast<ssize_t>(garbage.size()));
    char byte;
    EXPECT_LE(read(stranger.get(), &byte, 1), 0);
    EXPECT_EQ(Malformed(*client), ++expected);
  }
}

TEST_F(LocalTest, ItsFileIsForItsUserAlone) {
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(LocalServerTest, MembersOfAGroupMayBeLetIn) {
  const std::string path = NewPath();
  CoordinatorOptions options = Agent(path);
  options.local_socket_group = absl::StrCat(getegid());
  const auto agent = Coordinator::Create(options);
  ASSERT_TRUE(agent.ok()) << agent.status();
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
  EXPECT_EQ(status.st_gid, getegid());
  EXPECT_TRUE(LocalClient::Connect(path).ok());
  options.local_socket = NewPath();
  options.local_socket_group = "no such group";
  EXPECT_TRUE(absl::IsInvalidArgument(Coordinator::Create(options).status()));
}

TEST(LocalServerTest, AFolderThatIsMissingOrOpenToOthersIsRefused) {
  const absl::Status missing =
      Coordinator::Create(Agent("/no/such/folder/a.sock")).status();
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
  const std::string folder = NewPath();
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  const std::string path = folder + "/a.sock";
  const absl::Status open = Coordinator::Create(Agent(path)).status();
  EXPECT_TRUE(absl::IsPermissionDenied(open)) << open;
  EXPECT_TRUE(absl::IsPermissionDenied(LocalClient::Connect(path).status()));
  rmdir(folder.c_str());
}

// A listener that accepts nobody, and connections that fill its queue.
class BusyAgent {
 public:
  explicit BusyAgent(const std::string& path)
      : listener_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    const SocketAddress name = ToUnixAddress(path).value();
    EXPECT_EQ(bind(listener_.get(), name.get(), name.length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    for (;;) {
      FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
      if (connect(fd.get(), name.get(), name.length) != 0) break;
      waiting_.push_back(std::move(fd));
    }
    EXPECT_EQ(errno, EAGAIN);
  }

  void AcceptAll() {
    while (accepted_.size() < waiting_.size()) {
      accepted_.emplace_back(accept(listener_.get(), nullptr, nullptr));
    }
  }

 private:
  FileDescriptor listener_;
  std::vector<FileDescriptor> waiting_;
  std::vector<FileDescriptor> accepted_;
};

TEST(LocalClientTest, WaitsForABusyAgentToAcceptIt) {
  const std::string path = NewPath();
  BusyAgent agent(path);
  int looks = 0;
  const auto client =
      LocalClient::Connect(path, {.timeout = LongWait(), .is_interrupted = [&] {
                                    if (++looks == 2) agent.AcceptAll();
                                    return false;
                                  }});
  EXPECT_TRUE(client.ok()) << client.status();
  EXPECT_GE(looks, 2);
}

TEST(LocalClientTest, GivesUpOnABusyAgentInTimeOrWhenInterrupted) {
  const std::string path = NewPath();
  const BusyAgent agent(path);
  const absl::Status late =
      LocalClient::Connect(path, {.timeout = absl::Milliseconds(1)}).status();
  EXPECT_TRUE(absl::IsUnavailable(late)) << late;
  EXPECT_TRUE(absl::StrContains(late.message(), "accepted")) << late;
  const absl::Status interrupted =
      LocalClient::Connect(
          path, {.timeout = LongWait(), .is_interrupted = [] { return true; }})
          .status();
  EXPECT_TRUE(absl::IsCancelled(interrupted)) << interrupted;
}

TEST(LocalClientTest, NamesAllPlacesAtWhichNobodyListens) {
  const absl::Status status =
      LocalClient::ConnectToAny({"/no/such/one.sock", "/no/such/two.sock"}, {})
          .status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "one.sock")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "two.sock")) << status;
}

TEST_F(LocalTest, ALiveAgentsSocketIsNotTaken) {
  const absl::Status status = Coordinator::Create(Agent(path_)).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
}

TEST_F(LocalTest, AClientOutlivesItsAgent) {
  const auto client = Connect();
  agent_.reset();
  const absl::StatusOr<LocalReply> reply =
      client->Call(AcquireOf("key"), LongWait());
  // The connection is gone before anything was sent: nothing is unknown.
  EXPECT_TRUE(absl::IsUnavailable(reply.status())) << reply.status();
  EXPECT_TRUE(absl::IsUnavailable(LocalClient::Connect(path_).status()));
}

TEST(LocalServerTest, ADeadAgentsFileIsReplaced) {
  const std::string path = NewPath();
  {
    const FileDescriptor dead(socket(AF_UNIX, SOCK_STREAM, 0));
    const SocketAddress name = ToUnixAddress(path).value();
    ASSERT_EQ(bind(dead.get(), name.get(), name.length), 0);
  }
  EXPECT_TRUE(Coordinator::Create(Agent(path)).ok());
}

TEST(LocalServerTest, AFileThatIsNoSocketIsLeftAlone) {
  const std::string path = NewPath();
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  ASSERT_TRUE(file.is_open());
  const absl::Status status = Coordinator::Create(Agent(path)).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

// --- The protocol -----------------------------------------------------------

LocalReply FullReply() {
  const LockInfo lock = {.key = std::string("k\0y", 3),
                         .token = FencingToken(789),
                         .holder = {.node = {.high = 1, .low = 2}, .number = 3},
                         .holder_name = "holder",
                         .owner = "owner",
                         .remaining = -absl::Milliseconds(5),
                         .lease_remaining = absl::Minutes(2),
                         .session_remaining = -absl::Milliseconds(5),
                         .waiters = 4,
                         .revoke_reason = "it hangs"};
  const MemberInfo member = {.id = {.high = 5, .low = 6},
                             .name = "member",
                             .address = *Address::Parse("[2001:db8::1]:7946"),
                             .state = MemberState::kSuspect,
                             .role = MemberRole::kVoter};
  return {.id = 42,
          .answer = {.outcome = Outcome::kHeld,
                     .token = lock.token,
                     .holder = lock,
                     .locks = {lock, lock},
                     .waiters = {{.session = lock.holder,
                                  .name = "waiter",
                                  .owner = "its owner"}},
                     .more = true,
                     .members = {member},
                     .text = "text"},
          .status =
              AgentStatus{.id = member.id,
                          .name = "agent",
                          .address = member.address,
                          .role = MemberRole::kLearner,
                          .survival = {.voters = {{.id = member.id,
                                                   .name = "v\n",
                                                   .is_alive = true}},
                                       .has_majority = true,
                                       .deaths = 3},
                          .outage = {.kind = Outage::Kind::kMajorityLost,
                                     .leaderless = absl::Seconds(7),
                                     .hears_nobody = true,
                                     .voters = 3,
                                     .missing = {{.id = member.id,
                                                  .name = "gone\n",
                                                  .address = member.address,
                                                  .silent = absl::Seconds(8)}}},
                          .snapshots_installed = 11,
                          .impersonations = 19,
                          .unasked = 20,
                          .strangers_refused = 14,
                          .members_refused = 15,
                          .streams_closed = 16,
                          .streams_refused = 17,
                          .links_stuck = 18,
                          .longest_turn = absl::Milliseconds(21),
                          .local_malformed = 12},
          .belief = absl::Milliseconds(13),
          .loss = LossReason::kRevoked};
}

TEST(LocalProtocolTest, RepliesSurviveTheTrip) {
  const LocalReply reply = FullReply();
  const absl::StatusOr<LocalReply> read = DecodeLocalReply(EncodeLocal(reply));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, reply.id);
  EXPECT_EQ(read->answer.outcome, reply.answer.outcome);
  EXPECT_EQ(read->answer.token, reply.answer.token);
  EXPECT_EQ(read->answer.holder, reply.answer.holder);
  EXPECT_EQ(read->answer.locks, reply.answer.locks);
  EXPECT_EQ(read->answer.more, reply.answer.more);
  EXPECT_EQ(read->answer.members, reply.answer.members);
  EXPECT_EQ(read->answer.waiters, reply.answer.waiters);
  EXPECT_EQ(read->answer.text, reply.answer.text);
  ASSERT_TRUE(read->status.has_value());
  EXPECT_EQ(read->status->address, reply.status->address);
  EXPECT_EQ(read->status->role, reply.status->role);
  EXPECT_EQ(read->status->survival, reply.status->survival);
  EXPECT_EQ(read->status->outage, reply.status->outage);
  EXPECT_EQ(read->status->snapshots_installed, 11u);
  EXPECT_EQ(read->status->local_malformed, 12u);
  EXPECT_EQ(read->status->strangers_refused, 14u);
  EXPECT_EQ(read->status->members_refused, 15u);
  EXPECT_EQ(read->status->streams_closed, 16u);
  EXPECT_EQ(read->status->streams_refused, 17u);
  EXPECT_EQ(read->status->links_stuck, 18u);
  EXPECT_EQ(read->status->impersonations, 19u);
  EXPECT_EQ(read->status->unasked, 20u);
  EXPECT_EQ(read->status->longest_turn, absl::Milliseconds(21));
  EXPECT_EQ(read->belief, reply.belief);
  EXPECT_EQ(read->loss, reply.loss);
}

TEST(LocalProtocolTest, RequestsSurviveTheTrip) {
  const LocalRequest request = {
      .id = 1,
      .operation = LocalOperation::kAcquire,
      .key = std::string("k\0y", 3),
      .owner = "owner",
      .token = FencingToken(789),
      .ttl = absl::Seconds(3),
      .wait = absl::Seconds(4),
      .release_on_disconnect = true,
      .keep_renewed = true,
      .releases_itself = true,
      .withdrawn = 5,
      .list = {.prefix = "p", .after = "a", .limit = 6},
      .is_local = true};
  const absl::StatusOr<LocalRequest> read =
      DecodeLocalRequest(EncodeLocal(request));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, request.id);
  EXPECT_EQ(read->operation, request.operation);
  EXPECT_EQ(read->key, request.key);
  EXPECT_EQ(read->owner, request.owner);
  EXPECT_EQ(read->token, request.token);
  EXPECT_EQ(read->ttl, request.ttl);
  EXPECT_EQ(read->wait, request.wait);
  EXPECT_EQ(read->release_on_disconnect, request.release_on_disconnect);
  EXPECT_EQ(read->keep_renewed, request.keep_renewed);
  EXPECT_EQ(read->releases_itself, request.releases_itself);
  EXPECT_EQ(read->withdrawn, request.withdrawn);
  EXPECT_EQ(read->list.prefix, request.list.prefix);
  EXPECT_EQ(read->list.after, request.list.after);
  EXPECT_EQ(read->list.limit, request.list.limit);
  EXPECT_EQ(read->is_local, request.is_local);
}

TEST(LocalProtocolTest, NeitherIsReadAsTheOther) {
  EXPECT_FALSE(DecodeLocalReply(EncodeLocal(LocalRequest())).ok());
  EXPECT_FALSE(DecodeLocalRequest(EncodeLocal(LocalReply())).ok());
}

// Whatever the damage: an error or a value within the limits, never a crash.
TEST(LocalProtocolTest, DamageIsSurvived) {
  const std::string messages[] = {EncodeLocal(FullReply()),
                                  EncodeLocal(AcquireOf("key"))};
  Random random(1);
  for (const std::string& message : messages) {
    for (int i = 0; i < 20000; ++i) {
      std::string damaged = message;
      for (uint64_t n = random.Between(1, 4); n > 0; --n) {
        damaged[random.Below(damaged.size())] =
            static_cast<char>(random.Below(256));
      }
      if (random.Chance(1, 4)) damaged.resize(random.Below(damaged.size()));
      static_cast<void>(DecodeLocalReply(damaged).ok());
      static_cast<void>(DecodeLocalRequest(damaged).ok());
    }
  }
}

}  // namespace
}  // namespace cachalot
