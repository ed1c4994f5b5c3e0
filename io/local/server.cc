#include "io/local/server.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/request.h"
#include "io/descriptors.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "io/local/protocol.h"
#include "io/lock_scope.h"

namespace cachalot {
namespace {

// Or less: a share of the descriptors.
constexpr size_t kConnectionsMax = 1024;
// For so long the listener is left alone when nobody can be taken or refused.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr size_t kRequestsInFlightMax = limits::kRequestsPerSessionMax;
// A program that does not read what it asked for is cut off.
constexpr size_t kUnreadBytesMax = size_t{16} << 20;
// Of one connection and turn.
constexpr size_t kReadBytesMax = size_t{64} << 10;
// So many frames' memory is kept for later ones, unless they are larger.
constexpr size_t kSpareFramesMax = 256;
constexpr size_t kSpareFrameBytesMax = 1024;
// The kernel cuts it to net.core.somaxconn.
constexpr int kListenBacklog = 4096;

absl::StatusOr<FileDescriptor> NewSocket() {
  FileDescriptor fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return SystemError("socket", errno);
  return fd;
}

// "revoked (it hangs)".
std::string InWords(const LockLoss& loss) {
  std::string words = LossReasonName(loss.reason);
  if (!loss.text.empty()) absl::StrAppend(&words, " (", loss.text, ")");
  return words;
}

// False if `path` is a socket that nobody listens at: left by an agent that
// died.
bool IsInUse(const std::string& path, const SocketAddress& address) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return true;
  }
  const absl::StatusOr<FileDescriptor> probe = NewSocket();
  if (!probe.ok()) return true;
  return connect(probe->get(), address.get(), address.length) == 0 ||
         errno != ECONNREFUSED;
}

// Replaces what a dead agent left at `path`. Zero, or errno.
absl::StatusOr<int> Bind(int fd, const std::string& path,
                         const SocketAddress& address) {
  if (bind(fd, address.get(), address.length) == 0) return 0;
  if (errno != EADDRINUSE) return errno;
  if (IsInUse(path, address)) {
    return absl::AlreadyExistsError(absl::StrCat(
        path, " is taken: another agent listens there, or it is no socket"));
  }
  unlink(path.c_str());
  return bind(fd, address.get(), address.length) == 0 ? 0 : errno;
}

absl::Status BindError(const std::string& path, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(
          absl::StrCat("local socket ", path, ": its folder does not exist"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(absl::StrCat(
          "local socket ", path, ": no permission to write to its folder"));
    default:
      return SystemError(absl::StrCat("bind ", path), error_number);
  }
}

absl::StatusOr<FileDescriptor> Listen(const LocalServerOptions& options) {
  const std::string& path = options.path;
  const absl::StatusOr<SocketAddress> address = ToUnixAddress(path);
  if (!address.ok()) return address.status();
  // Where clients would refuse to look for it.
  const absl::Status safe = CheckSocketFolder(path, std::nullopt);
  if (!safe.ok()) return safe;
  absl::StatusOr<FileDescriptor> fd = NewSocket();
  if (!fd.ok()) return fd.status();
  // Before bind(), so that there is no moment at which others may connect.
  if (fchmod(fd->get(), S_IRUSR | S_IWUSR) != 0) {
    return SystemError("fchmod", errno);
  }
  const absl::StatusOr<int> error = Bind(fd->get(), path, *address);
  if (!error.ok()) return error.status();
  if (*error != 0) return BindError(path, *error);
  if (options.group.has_value() &&
      (chown(path.c_str(), uid_t(-1), *options.group) != 0 ||
       chmod(path.c_str(), 0660) != 0)) {
    const int reason = errno;
    unlink(path.c_str());
    return absl::PermissionDeniedError(absl::StrCat(
        "local socket ", path, ": cannot give it to group ", *options.group,
        ": ", SystemError("chown", reason).message()));
  }
  if (listen(fd->get(), kListenBacklog) != 0) {
    return SystemError(absl::StrCat("listen ", path), errno);
  }
  return fd;
}

}  // namespace

// One program. Kept by its unanswered requests, too.
class LocalServer::Connection
    : public EventLoop::Handler,
      public std::enable_shared_from_this<LocalServer::Connection> {
 public:
  Connection(LocalServer* server, FileDescriptor socket)
      : server_(server),
        socket_(std::move(socket)),
        reader_(kLocalFrameBytesMax) {}

  int fd() const { return socket_.get(); }
  // Asks for nothing and holds nothing: it can be closed without harm.
  bool IsIdle() const {
    return in_flight_ == 0 && acquires_.empty() && grants_.empty() &&
           writer_.empty();
  }
  // Rises with what any connection says.
  uint64_t spoke_at() const { return spoke_at_; }
  void Close();
  void OnReady(uint32_t events) override;
  // Writes the replies of the turn.
  void Flush();
  // A lock that this connection watches is lost.
  void OnLost(uint64_t id, FencingToken token, const LockLoss& loss);
  // A lock that this connection watches is to be released.
  void OnRevoked(uint64_t id, const Taken& taken);

 private:
  void Read();
  bool Take(absl::string_view frame);
  void Carry(LocalRequest&& request);
  void Acquire(LocalRequest&& request);
  // `renew_for`: zero, if the program renews the lock itself.
  void OnAcquired(uint64_t id, Answer&& answer, std::shared_ptr<Grant> grant,
                  bool release_on_disconnect, absl::Duration renew_for);
  void Withdraw(const LocalRequest& request);
  void Keep(const LocalRequest& request);
  void Check(const LocalRequest& request);
  void AwaitLoss(const LocalRequest& request);
  void AwaitRevocation(const LocalRequest& request);
  void Await(Taken& taken, Watcher watcher);
  void ListLocks(const LocalRequest& request);
  void ListMembers(const LocalRequest& request);
  void TellStatus(uint64_t id);
  // `request` names no lock that was taken here, or one that is lost.
  void ReplyNotHeld(uint64_t id, const LockLoss& loss = {});
  void ReplyRevoked(uint64_t id, const Taken& taken);
  void Reply(LocalReply&& reply);
  void Reply(uint64_t id, Answer&& answer) {
    Reply(LocalReply{.id = id, .answer = std::move(answer)});
  }
  // An answer to the request `id`, to be passed on.
  LockService::AnswerCallback PassOn(uint64_t id);
  void KeepUntilClosed(std::shared_ptr<Grant> grant);
  void GiveBack(const Grant& grant);
  void Watch(uint32_t events);

  LockService* service() { return server_->service_; }

  LocalServer* const server_;
  FileDescriptor socket_;
  bool is_closed_ = false;
  bool is_flush_due_ = false;
  uint32_t watched_ = EPOLLIN;
  FrameReader reader_;
  FrameWriter writer_;
  uint64_t spoke_at_ = ++server_->spoken_;
  size_t in_flight_ = 0;
  // Acquires that wait for their answer, by the program's number.
  absl::btree_map<uint64_t, RequestId> acquires_;
  // To be released when the connection ends. Some may be lost already: those
  // are dropped when the list has doubled.
  std::vector<std::shared_ptr<Grant>> grants_;
  size_t sweep_at_ = 64;
  // Whose loss it waits for.
  absl::btree_multiset<FencingToken> awaited_;
};

void LocalServer::Connection::OnReady(uint32_t events) {
  const std::shared_ptr<Connection> self = shared_from_this();
  if ((events & EPOLLOUT) != 0) Flush();
  if (!is_closed_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read();
}

void LocalServer::Connection::Read() {
  std::vector<char>& buffer = server_->buffer_;
  const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    Close();
    return;
  }
  spoke_at_ = ++server_->spoken_;
  std::vector<std::string>& frames = server_->frames_;
  bool is_well_formed =
      reader_.Read(absl::string_view(buffer.data(), static_cast<size_t>(count)),
                   &frames, &server_->spare_frames_);
  for (const std::string& frame : frames) {
    if (is_closed_) break;
    is_well_formed = is_well_formed && Take(frame);
  }
  server_->DropFrames();
  if (is_well_formed || is_closed_) return;
  ++server_->malformed_;
  Close();
}

bool LocalServer::Connection::Take(absl::string_view frame) {
  absl::StatusOr<LocalRequest> request = DecodeLocalRequest(frame);
  if (!request.ok()) return false;
  if (in_flight_ >= kRequestsInFlightMax) {
    ++in_flight_;  // Reply() takes it off
    Reply(request->id, {.outcome = Outcome::kBusy,
                        .text = "too many requests on this connection"});
    return true;
  }
  ++in_flight_;
  Carry(*std::move(request));
  return true;
}

void LocalServer::Connection::Carry(LocalRequest&& request) {
  const uint64_t id = request.id;
  const auto claim = [&request]() -> HeldClaim {
    return {.key = std::move(request.key),
            .owner = std::move(request.owner),
            .token = request.token,
            .scope = LockScope::kLocalSocket};
  };
  switch (request.operation) {
    case LocalOperation::kAcquire:
      return Acquire(std::move(request));
    case LocalOperation::kRenew:
      return service()->Renew(claim(), request.ttl, PassOn(id));
    case LocalOperation::kRelease:
      return service()->Release(claim(), PassOn(id));
    case LocalOperation::kWithdraw:
      return Withdraw(request);
    case LocalOperation::kListLocks:
      return ListLocks(request);
    case LocalOperation::kListMembers:
      return ListMembers(request);
    case LocalOperation::kStatus:
      return TellStatus(id);
    case LocalOperation::kLeave:
      return service()->Leave(PassOn(id));
    case LocalOperation::kKeep:
      return Keep(request);
    case LocalOperation::kCheck:
      return Check(request);
    case LocalOperation::kAwaitLoss:
      return AwaitLoss(request);
    case LocalOperation::kAwaitRevocation:
      return AwaitRevocation(request);
    case LocalOperation::kRevoke:
      return service()->Revoke({.key = std::move(request.key),
                                .token = request.token,
                                .reason = std::move(request.reason)},
                               PassOn(id));
    case LocalOperation::kListWaiters:
      return service()->ListWaiters({.key = std::move(request.key),
                                     .skip = request.skip,
                                     .limit = request.list.limit},
                                    PassOn(id));
  }
}

void LocalServer::Connection::Acquire(LocalRequest&& request) {
  const RequestId number = service()->NewRequest();
  if (!acquires_.emplace(request.id, number).second) {
    Reply(request.id, {.outcome = Outcome::kInvalid,
                       .text = "this request's number is in use"});
    return;
  }
  service()->Acquire(
      number,
      {.key = std::move(request.key),
       .ttl = request.ttl,
       .wait = request.wait,
       .owner = std::move(request.owner)},
      {.scope = LockScope::kLocalSocket,
       .on_change = [server = server_](
                        const LockChange& change) { server->OnChange(change); },
       .releases_itself = request.releases_itself},
      [self = shared_from_this(), id = request.id,
       release_on_disconnect = request.release_on_disconnect,
       renew_for = request.keep_renewed ? request.ttl : absl::ZeroDuration()](
          Answer&& answer, std::shared_ptr<Grant> grant) {
        self->OnAcquired(id, std::move(answer), std::move(grant),
                         release_on_disconnect, renew_for);
      });
}

void LocalServer::Connection::OnAcquired(uint64_t id, Answer&& answer,
                                         std::shared_ptr<Grant> grant,
                                         bool release_on_disconnect,
                                         absl::Duration renew_for) {
  acquires_.erase(id);
  if (grant != nullptr) {
    Taken& taken = server_->taken_[grant->token()];
    taken.grant = grant;
    // Not yet: a program that is stopped never reads its answer, and must not
    // keep the lock from others for ever.
    if (renew_for > absl::ZeroDuration()) {
      taken.renewal = {.granted = service()->ReadClock().fast,
                       .ttl = renew_for};
    }
    if (is_closed_) {
      // Granted before the withdrawal arrived: nobody knows of it.
      GiveBack(*grant);
    } else if (release_on_disconnect) {
      KeepUntilClosed(std::move(grant));
    }
  }
  Reply(id, std::move(answer));
}

void LocalServer::Connection::Withdraw(const LocalRequest& request) {
  const auto acquire = acquires_.find(request.withdrawn);
  if (acquire == acquires_.end()) {
    Reply(request.id, {.outcome = Outcome::kInvalid,
                       .text = "no such request waits on this connection"});
    return;
  }
  service()->Withdraw(acquire->second);
  Reply(request.id, {.outcome = Outcome::kOk});
}

void LocalServer::Connection::Keep(const LocalRequest& request) {
  const auto grant =
      std::find_if(grants_.begin(), grants_.end(), [&](const auto& grant) {
        return grant->key() == request.key && grant->token() == request.token;
      });
  if (grant == grants_.end()) {
    return ReplyNotHeld(request.id);
  }
  const LockLoss loss = (*grant)->loss();
  grants_.erase(grant);
  if (loss.reason != LossReason::kNone) return ReplyNotHeld(request.id, loss);
  Reply(request.id, {.outcome = Outcome::kOk});
}

void LocalServer::Connection::Check(const LocalRequest& request) {
  const Taken* taken = server_->FindTaken(request.key, request.token);
  if (taken == nullptr) return ReplyNotHeld(request.id);
  Grant& grant = *taken->grant;
  const absl::Duration left = grant.Remaining(service()->ReadClock().fast);
  if (left == absl::ZeroDuration()) {
    return ReplyNotHeld(request.id, grant.loss());
  }
  Reply(
      {.id = request.id, .answer = {.outcome = Outcome::kOk}, .belief = left});
}

void LocalServer::Connection::AwaitLoss(const LocalRequest& request) {
  Taken* taken = server_->FindTaken(request.key, request.token);
  if (taken == nullptr) return ReplyNotHeld(request.id);
  Await(*taken, {.connection = shared_from_this(), .request = request.id});
}

void LocalServer::Connection::AwaitRevocation(const LocalRequest& request) {
  Taken* taken = server_->FindTaken(request.key, request.token);
  if (taken == nullptr) return ReplyNotHeld(request.id);
  if (taken->revocation.reason != LossReason::kNone) {
    return ReplyRevoked(request.id, *taken);
  }
  Await(*taken, {.connection = shared_from_this(),
                 .request = request.id,
                 .awaits_revocation = true});
}

void LocalServer::Connection::Await(Taken& taken, Watcher watcher) {
  awaited_.insert(taken.grant->token());
  taken.watchers.push_back(std::move(watcher));
}

void LocalServer::Connection::OnLost(uint64_t id, FencingToken token,
                                     const LockLoss& loss) {
  awaited_.erase(awaited_.find(token));
  ReplyNotHeld(id, loss);
}

void LocalServer::Connection::OnRevoked(uint64_t id, const Taken& taken) {
  awaited_.erase(awaited_.find(taken.grant->token()));
  ReplyRevoked(id, taken);
}

void LocalServer::Connection::ReplyNotHeld(uint64_t id, const LockLoss& loss) {
  std::string text = "not held, or not taken at this agent";
  if (loss.reason != LossReason::kNone) {
    text = absl::StrCat("the lock is lost: ", InWords(loss));
  }
  Reply({.id = id,
         .answer = {.outcome = Outcome::kNotHeld, .text = std::move(text)},
         .loss = loss.reason});
}

void LocalServer::Connection::ReplyRevoked(uint64_t id, const Taken& taken) {
  const LockLoss& why = taken.revocation;
  std::string text =
      why.reason == LossReason::kLeft
          ? "the agent leaves the cluster"
          : absl::StrCat("the lock must be released: ", InWords(why));
  Reply({.id = id,
         .answer = {.outcome = Outcome::kOk, .text = std::move(text)},
         .belief = taken.grant->Remaining(service()->ReadClock().fast),
         .loss = why.reason});
}

void LocalServer::Connection::ListLocks(const LocalRequest& request) {
  if (request.is_local) {
    Reply(request.id, service()->LocalLocks(request.list));
  } else {
    service()->ListLocks(request.list, PassOn(request.id));
  }
}

void LocalServer::Connection::ListMembers(const LocalRequest& request) {
  if (request.is_local) {
    Reply(request.id,
          {.outcome = Outcome::kOk, .members = service()->LocalMembers()});
  } else {
    service()->ListMembers(PassOn(request.id));
  }
}

void LocalServer::Connection::TellStatus(uint64_t id) {
  LocalReply reply = {.id = id,
                      .answer = {.outcome = Outcome::kOk},
                      .status = service()->Status()};
  reply.status->local_malformed = server_->malformed_;
  Reply(std::move(reply));
}

void LocalServer::Connection::Reply(LocalReply&& reply) {
  --in_flight_;
  if (is_closed_) return;
  EncodeLocal(reply, [this](absl::string_view bytes) { writer_.Copy(bytes); });
  if (!std::exchange(is_flush_due_, true)) {
    server_->unflushed_.push_back(shared_from_this());
  }
}

LockService::AnswerCallback LocalServer::Connection::PassOn(uint64_t id) {
  return [self = shared_from_this(), id](Answer&& answer) {
    self->Reply(id, std::move(answer));
  };
}

void LocalServer::Connection::KeepUntilClosed(std::shared_ptr<Grant> grant) {
  grants_.push_back(std::move(grant));
  if (grants_.size() < sweep_at_) return;
  grants_.erase(std::remove_if(grants_.begin(), grants_.end(),
                               [](const std::shared_ptr<Grant>& grant) {
                                 return grant->loss_reason() !=
                                        LossReason::kNone;
                               }),
                grants_.end());
  sweep_at_ = std::max<size_t>(64, 2 * grants_.size());
}

void LocalServer::Connection::GiveBack(const Grant& grant) {
  service()->Release({.key = grant.key(), .token = grant.token()},
                     [](const Answer&) {});
}

void LocalServer::Connection::Flush() {
  is_flush_due_ = false;
  if (is_closed_) return;
  switch (writer_.WriteTo(socket_.get())) {
    case FrameWriter::Progress::kDrained:
      return Watch(EPOLLIN);
    case FrameWriter::Progress::kBlocked:
      if (writer_.bytes() > kUnreadBytesMax) return Close();
      return Watch(EPOLLIN | EPOLLOUT);
    case FrameWriter::Progress::kBroken:
      return Close();
  }
}

void LocalServer::Connection::Watch(uint32_t events) {
  if (watched_ == events) return;
  watched_ = events;
  service()->loop()->Modify(socket_.get(), events);
}

// What waits for a lock leaves the queue in any case: nobody would hear of the
// grant.
void LocalServer::Connection::Close() {
  is_closed_ = true;
  for (const auto& [id, request] : acquires_) service()->Withdraw(request);
  for (const FencingToken& token : awaited_) {
    const auto is_ours = [this](const Watcher& watcher) {
      return watcher.connection.get() == this;
    };
    auto& watchers = server_->taken_.at(token).watchers;
    watchers.erase(std::remove_if(watchers.begin(), watchers.end(), is_ours),
                   watchers.end());
  }
  awaited_.clear();
  for (const std::shared_ptr<Grant>& grant : grants_) {
    if (grant->loss_reason() == LossReason::kNone) GiveBack(*grant);
  }
  grants_.clear();
  service()->loop()->Remove(socket_.get());
  socket_.Close();
  server_->Forget(this);
}

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Create(
    LocalServerOptions options, LockService* service) {
  absl::StatusOr<FileDescriptor> listener = Listen(options);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<LocalServer> server(
      new LocalServer(std::move(options), *std::move(listener), service));
  const absl::Status added =
      service->loop()->Add(server->listener_.get(), EPOLLIN, server.get());
  if (!added.ok()) return added;
  return server;
}

LocalServer::LocalServer(LocalServerOptions options, FileDescriptor listener,
                         LockService* service)
    : options_(std::move(options)),
      listener_(std::move(listener)),
      service_(service),
      acceptor_(listener_.get()),
      connections_max_(
          std::min(kConnectionsMax, ShareDescriptors(DescriptorsMax()).local)),
      buffer_(kReadBytesMax) {
  service_->set_on_turn_ended([this] { Flush(); });
}

LocalServer::~LocalServer() {
  service_->set_on_turn_ended(nullptr);
  Flush();
  for (const std::shared_ptr<Connection>& connection : connections_) {
    service_->loop()->Remove(connection->fd());
  }
  service_->loop()->Remove(listener_.get());
  unlink(options_.path.c_str());
}

void LocalServer::OnReady(uint32_t) {
  FileDescriptor socket;
  const Acceptor::Outcome outcome = acceptor_.Accept(&socket, nullptr);
  if (outcome == Acceptor::Outcome::kStuck) {
    Watch(0);
    accept_at_ = std::chrono::steady_clock::now() + kAcceptPause;
  }
  if (!socket.is_open()) return;
  if (connections_.size() >= connections_max_ && !PushOutIdle()) return;
  const absl::StatusOr<Peer> peer = GetPeer(socket.get());
  if (!peer.ok() || !IsWelcome(*peer)) return;
  auto connection = std::make_shared<Connection>(this, std::move(socket));
  if (service_->loop()->Add(connection->fd(), EPOLLIN, connection.get()).ok()) {
    connections_.insert(std::move(connection));
  }
}

// The file's mode says the same; this holds whatever becomes of the file.
bool LocalServer::IsWelcome(const Peer& peer) const {
  if (peer.user == geteuid() || peer.user == 0) return true;
  if (!options_.group.has_value()) return false;
  return peer.group == *options_.group ||
         std::find(peer.groups.begin(), peer.groups.end(), *options_.group) !=
             peer.groups.end();
}

void LocalServer::Watch(uint32_t events) {
  if (watched_ == events) return;
  watched_ = events;
  service_->loop()->Modify(listener_.get(), events);
}

// Programs that connect and say nothing cannot shut others out.
bool LocalServer::PushOutIdle() {
  std::shared_ptr<Connection> longest;
  for (const std::shared_ptr<Connection>& connection : connections_) {
    if (!connection->IsIdle()) continue;
    if (longest == nullptr || connection->spoke_at() < longest->spoke_at()) {
      longest = connection;
    }
  }
  if (longest == nullptr) return false;
  longest->Close();
  return true;
}

void LocalServer::Flush() {
  const bool is_left_alone = watched_ == 0;
  if (is_left_alone && accept_at_ <= std::chrono::steady_clock::now()) {
    Watch(EPOLLIN);
  }
  for (const std::shared_ptr<Connection>& connection :
       std::exchange(unflushed_, {})) {
    connection->Flush();
  }
}

void LocalServer::DropFrames() {
  for (std::string& frame : frames_) {
    if (spare_frames_.size() >= kSpareFramesMax) break;
    if (frame.capacity() > kSpareFrameBytesMax) continue;
    spare_frames_.push_back(std::move(frame));
  }
  frames_.clear();
}

void LocalServer::OnChange(const LockChange& change) {
  if (change.belief == Belief::kSuspect && change.reason != LossReason::kNone) {
    return OnRevoked(change);
  }
  if (change.belief != Belief::kLost) return;
  const auto found = taken_.find(change.token);
  if (found == taken_.end()) return;
  const Taken taken = std::move(found->second);
  taken_.erase(found);
  for (const Watcher& watcher : taken.watchers) {
    watcher.connection->OnLost(watcher.request, change.token,
                               {.reason = change.reason, .text = change.text});
  }
}

void LocalServer::OnRevoked(const LockChange& change) {
  const auto found = taken_.find(change.token);
  if (found == taken_.end()) return;
  Taken& taken = found->second;
  taken.revocation = {.reason = change.reason, .text = change.text};
  const auto first_told = std::stable_partition(
      taken.watchers.begin(), taken.watchers.end(),
      [](const Watcher& watcher) { return !watcher.awaits_revocation; });
  const std::vector<Watcher> told(first_told, taken.watchers.end());
  taken.watchers.erase(first_told, taken.watchers.end());
  for (const Watcher& watcher : told) {
    watcher.connection->OnRevoked(watcher.request, taken);
  }
}

LocalServer::Taken* LocalServer::FindTaken(const std::string& key,
                                           FencingToken token) {
  const auto found = taken_.find(token);
  if (found == taken_.end() || found->second.grant->key() != key) {
    return nullptr;
  }
  BeginRenewal(found->second);
  return &found->second;
}

void LocalServer::BeginRenewal(Taken& taken) {
  const std::optional<Renewal> renewal =
      std::exchange(taken.renewal, std::nullopt);
  if (!renewal.has_value()) return;
  // What is to be given back is not renewed.
  if (taken.revocation.reason != LossReason::kNone) return;
  service_->KeepRenewed(*taken.grant, renewal->granted, renewal->ttl);
}

void LocalServer::Forget(Connection* connection) {
  connections_.erase(connection->shared_from_this());
  Watch(EPOLLIN);
}

}  // namespace cachalot
