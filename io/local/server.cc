#include "io/local/server.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/limits.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "io/local/path.h"
#include "io/local/protocol.h"
#include "io/lock_scope.h"

namespace cachalot {
namespace {

constexpr size_t kConnectionsMax = 1024;
constexpr size_t kRequestsInFlightMax = limits::kRequestsPerSessionMax;
// A program that does not read what it asked for is cut off.
constexpr size_t kUnreadBytesMax = size_t{16} << 20;
// Of one connection and turn.
constexpr size_t kReadBytesMax = size_t{64} << 10;
constexpr int kListenBacklog = 128;

absl::StatusOr<FileDescriptor> NewSocket() {
  FileDescriptor fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return SystemError("socket", errno);
  return fd;
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

absl::StatusOr<FileDescriptor> Listen(const std::string& path) {
  const absl::StatusOr<SocketAddress> address = ToUnixAddress(path);
  if (!address.ok()) return address.status();
  absl::StatusOr<FileDescriptor> fd = NewSocket();
  if (!fd.ok()) return fd.status();
  // Before bind(), so that there is no moment at which others may connect.
  if (fchmod(fd->get(), S_IRUSR | S_IWUSR) != 0) {
    return SystemError("fchmod", errno);
  }
  int error = bind(fd->get(), address->get(), address->length) == 0 ? 0 : errno;
  if (error == EADDRINUSE) {
    if (IsInUse(path, *address)) {
      return absl::AlreadyExistsError(absl::StrCat(
          path, " is taken: another agent listens there, or it is no socket"));
    }
    unlink(path.c_str());
    error = bind(fd->get(), address->get(), address->length) == 0 ? 0 : errno;
  }
  if (error != 0) return SystemError(absl::StrCat("bind ", path), error);
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
  void OnReady(uint32_t events) override;
  // Writes the replies of the turn.
  void Flush();

 private:
  void Read();
  bool Take(absl::string_view frame);
  void Carry(LocalRequest request);
  void Acquire(LocalRequest request);
  void OnAcquired(uint64_t id, Answer answer, std::shared_ptr<Grant> grant,
                  bool release_on_disconnect);
  void Withdraw(const LocalRequest& request);
  void ListLocks(const LocalRequest& request);
  void ListMembers(const LocalRequest& request);
  void TellStatus(uint64_t id);
  void Reply(LocalReply reply);
  void Reply(uint64_t id, Answer answer) {
    Reply(LocalReply{.id = id, .answer = std::move(answer)});
  }
  // An answer to the request `id`, to be passed on.
  LockService::AnswerCallback PassOn(uint64_t id);
  void KeepUntilClosed(std::shared_ptr<Grant> grant);
  void GiveBack(const Grant& grant);
  void Watch(uint32_t events);
  void Close();

  LockService* service() { return server_->service_; }

  LocalServer* const server_;
  FileDescriptor socket_;
  bool is_closed_ = false;
  bool is_flush_due_ = false;
  uint32_t watched_ = EPOLLIN;
  FrameReader reader_;
  FrameWriter writer_;
  size_t in_flight_ = 0;
  // Acquires that wait for their answer, by the program's number.
  absl::flat_hash_map<uint64_t, RequestId> acquires_;
  // To be released when the connection ends. Some may be lost already: those
  // are dropped when the list has doubled.
  std::vector<std::shared_ptr<Grant>> grants_;
  size_t sweep_at_ = 64;
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
  std::vector<std::string>& frames = server_->frames_;
  bool is_well_formed = reader_.Read(
      absl::string_view(buffer.data(), static_cast<size_t>(count)), &frames);
  for (const std::string& frame : frames) {
    if (is_closed_) break;
    is_well_formed = is_well_formed && Take(frame);
  }
  frames.clear();
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

void LocalServer::Connection::Carry(LocalRequest request) {
  const uint64_t id = request.id;
  HeldClaim claim = {.key = request.key,
                     .owner = request.owner,
                     .token = request.token,
                     .scope = LockScope::kLocalSocket};
  switch (request.operation) {
    case LocalOperation::kAcquire:
      return Acquire(std::move(request));
    case LocalOperation::kRenew:
      return service()->Renew(claim, request.ttl, PassOn(id));
    case LocalOperation::kRelease:
      return service()->Release(claim, PassOn(id));
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
  }
}

void LocalServer::Connection::Acquire(LocalRequest request) {
  const RequestId number = service()->NewRequest();
  if (!acquires_.emplace(request.id, number).second) {
    Reply(request.id, {.outcome = Outcome::kInvalid,
                       .text = "this request's number is in use"});
    return;
  }
  service()->Acquire(number,
                     {.key = std::move(request.key),
                      .ttl = request.ttl,
                      .wait = request.wait,
                      .owner = std::move(request.owner)},
                     {.scope = LockScope::kLocalSocket},
                     [self = shared_from_this(), id = request.id,
                      release_on_disconnect = request.release_on_disconnect](
                         Answer answer, std::shared_ptr<Grant> grant) {
                       self->OnAcquired(id, std::move(answer), std::move(grant),
                                        release_on_disconnect);
                     });
}

void LocalServer::Connection::OnAcquired(uint64_t id, Answer answer,
                                         std::shared_ptr<Grant> grant,
                                         bool release_on_disconnect) {
  acquires_.erase(id);
  if (grant != nullptr) {
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

void LocalServer::Connection::Reply(LocalReply reply) {
  --in_flight_;
  if (is_closed_) return;
  writer_.Add(EncodeLocal(reply));
  if (!std::exchange(is_flush_due_, true)) {
    server_->unflushed_.push_back(shared_from_this());
  }
}

LockService::AnswerCallback LocalServer::Connection::PassOn(uint64_t id) {
  return [self = shared_from_this(), id](Answer answer) {
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
  for (const std::shared_ptr<Grant>& grant : grants_) {
    if (grant->loss_reason() == LossReason::kNone) GiveBack(*grant);
  }
  grants_.clear();
  service()->loop()->Remove(socket_.get());
  socket_.Close();
  server_->Forget(this);
}

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Create(
    const std::string& path, LockService* service) {
  absl::StatusOr<FileDescriptor> listener = Listen(path);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<LocalServer> server(
      new LocalServer(path, *std::move(listener), service));
  const absl::Status added =
      service->loop()->Add(server->listener_.get(), EPOLLIN, server.get());
  if (!added.ok()) return added;
  return server;
}

LocalServer::LocalServer(std::string path, FileDescriptor listener,
                         LockService* service)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      service_(service),
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
  unlink(path_.c_str());
}

void LocalServer::OnReady(uint32_t) {
  FileDescriptor socket(
      accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) {
    // With no descriptor left the listener would wake us for ever: it waits
    // until a connection ends.
    const bool is_full = errno == EMFILE || errno == ENFILE;
    if (is_full && !connections_.empty()) Watch(0);
    return;
  }
  if (connections_.size() >= kConnectionsMax) return;
  auto connection = std::make_shared<Connection>(this, std::move(socket));
  if (service_->loop()->Add(connection->fd(), EPOLLIN, connection.get()).ok()) {
    connections_.insert(std::move(connection));
  }
}

void LocalServer::Watch(uint32_t events) {
  if (watched_ == events) return;
  watched_ = events;
  service_->loop()->Modify(listener_.get(), events);
}

void LocalServer::Flush() {
  for (const std::shared_ptr<Connection>& connection :
       std::exchange(unflushed_, {})) {
    connection->Flush();
  }
}

void LocalServer::Forget(Connection* connection) {
  connections_.erase(connection->shared_from_this());
  Watch(EPOLLIN);
}

}  // namespace cachalot
