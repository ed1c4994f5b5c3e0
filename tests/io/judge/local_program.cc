#include "tests/io/judge/local_program.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "io/local/path.h"
#include "sim/judge/complaint.h"

namespace cachalot::io_judge {
namespace {

using sim::Rate;

enum class Deed {
  kAcquire,
  kRelease,
  kRenew,
  kReleaseStrangers,
  kRenewStrangers,
  kKeep,
  kCheck,
  kAwaitLoss,
  kAwaitRevocation,
  kWithdraw,
  kListLocks,
  kListMembers,
  kStatus,
  kNumberAgain,
  kWriteOn,
  kStopReading,
  kClose,
  kGarbage,
};
// By their order above.
const std::vector<uint64_t>& Weights() {
  static const auto* const weights = new std::vector<uint64_t>{
      30, 12, 8, 5, 3, 3, 8, 6, 6, 6, 2, 1, 2, 2, 10, 2, 5, 1};
  CHECK(weights->size() == static_cast<size_t>(Deed::kGarbage) + 1);
  return *weights;
}

std::string Framed(const std::string& frame) {
  std::string bytes;
  for (size_t length = frame.size(), i = 0; i < 4; ++i, length >>= 8) {
    bytes.push_back(static_cast<char>(length & 0xff));
  }
  return bytes + frame;
}

}  // namespace

LocalProgram::LocalProgram(Judge* judge, const VirtualTime* time,
                           sim::Chance chance, int number,
                           std::vector<std::string> keys,
                           std::vector<KnownToken>* board)
    : judge_(judge),
      time_(time),
      chance_(chance),
      number_(number),
      keys_(std::move(keys)),
      board_(board) {}

void LocalProgram::Connect(const std::string& path, ProcessId process,
                           std::function<void()> poke) {
  const absl::StatusOr<SocketAddress> address = ToUnixAddress(path);
  CHECK(address.ok()) << address.status().ToString();
  FileDescriptor fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  CHECK(fd.is_open());
  if (connect(fd.get(), address->get(), address->length) != 0) return;
  socket_ = std::move(fd);
  process_ = process;
  poke_ = std::move(poke);
  reader_.emplace(kLocalFrameBytesMax);
  outbox_.clear();
  sent_garbage_ = false;
  silent_acts_ = 0;
  poke_();
}

void LocalProgram::Act() {
  chance_.BeginItem();
  if (silent_acts_ > 0) --silent_acts_;
  switch (static_cast<Deed>(chance_.PickWeighted(Weights()))) {
    case Deed::kAcquire:
      Acquire(++last_id_);
      break;
    case Deed::kRelease:
      Claim(LocalOperation::kRelease);
      break;
    case Deed::kRenew:
      Claim(LocalOperation::kRenew);
      break;
    case Deed::kReleaseStrangers:
      ClaimStrangers(LocalOperation::kRelease);
      break;
    case Deed::kRenewStrangers:
      ClaimStrangers(LocalOperation::kRenew);
      break;
    case Deed::kKeep:
      AskAbout(LocalOperation::kKeep);
      break;
    case Deed::kCheck:
      AskAbout(LocalOperation::kCheck);
      break;
    case Deed::kAwaitLoss:
      AskAbout(LocalOperation::kAwaitLoss);
      break;
    case Deed::kAwaitRevocation:
      AskAbout(LocalOperation::kAwaitRevocation);
      break;
    case Deed::kWithdraw:
      Withdraw();
      break;
    case Deed::kListLocks:
      Ask(LocalOperation::kListLocks);
      break;
    case Deed::kListMembers:
      Ask(LocalOperation::kListMembers);
      break;
    case Deed::kStatus:
      Ask(LocalOperation::kStatus);
      break;
    case Deed::kNumberAgain:
      AcquireAgain();
      break;
    case Deed::kWriteOn:
      break;
    case Deed::kStopReading:
      silent_acts_ = static_cast<int>(chance_.Between(uint64_t{1}, 20));
      break;
    case Deed::kClose:
      return Close();
    case Deed::kGarbage:
      SendGarbage();
      break;
  }
  // Mostly all of it; else a piece, which may end in the midst of a frame.
  const bool is_piece = chance_.Happens(Rate::Percent(25));
  Write(is_piece ? static_cast<size_t>(chance_.Below(outbox_.size() + 1))
                 : outbox_.size());
  if (is_connected()) ReadSome();
}

void LocalProgram::ReadSome() {
  if (silent_acts_ == 0) Read();
}

void LocalProgram::Behave() {
  silent_acts_ = 0;
  Write(outbox_.size());
  if (is_connected()) Read();
}

void LocalProgram::Close() {
  if (!is_connected()) return;
  judge_->Note(absl::StrCat("program ", number_), "closes");
  End();
}

void LocalProgram::Acquire(uint64_t id) {
  // Mostly an owner of its own.
  std::string owner = absl::StrCat("program-", number_, "-", ++last_owner_);
  if (chance_.Happens(Rate::Percent(30))) {
    owner = chance_.Pick(std::vector<std::string>{"", "ann", "bob"});
  }
  const bool is_try = chance_.Happens(Rate::Percent(40));
  LocalRequest request;
  request.id = id;
  request.operation = LocalOperation::kAcquire;
  request.key = chance_.Pick(keys_);
  request.owner = std::move(owner);
  request.ttl = DrawTtl();
  request.wait = is_try
                     ? absl::ZeroDuration()
                     : chance_.Between(absl::Milliseconds(1), absl::Seconds(6));
  request.release_on_disconnect = chance_.Happens(Rate::Percent(60));
  request.keep_renewed =
      request.release_on_disconnect && chance_.Happens(Rate::Percent(40));
  request.releases_itself = chance_.Happens(Rate::Percent(40));
  Send(request, "acquires");
}

// Under a number that waits for its answer already.
void LocalProgram::AcquireAgain() {
  for (const auto& [id, same] : pending_) {
    if (same.front().operation != LocalOperation::kAcquire) continue;
    return Acquire(id);
  }
}

// One of its own locks, by its token or its owner; or, without proof, any.
void LocalProgram::Claim(LocalOperation operation) {
  LocalRequest request;
  request.id = ++last_id_;
  request.operation = operation;
  request.ttl = DrawTtl();
  if (locks_.empty() || chance_.Happens(Rate::Percent(25))) {
    request.key = chance_.Pick(keys_);
    request.owner = chance_.Pick(std::vector<std::string>{"", "ann", "bob"});
    Send(request, "claims by owner");
    return;
  }
  const Lock& lock = chance_.Pick(locks_);
  request.key = lock.key;
  request.owner = lock.owner;
  if (lock.owner.empty() || chance_.Happens(Rate::Percent(60))) {
    request.token = lock.token;
  }
  Send(request, "claims");
}

// By a token that somebody else was given.
void LocalProgram::ClaimStrangers(LocalOperation operation) {
  if (board_->empty()) return;
  const KnownToken& known = chance_.Pick(*board_);
  if (known.process != process_) return;
  LocalRequest request;
  request.id = ++last_id_;
  request.operation = operation;
  request.key = known.key;
  request.token = known.token;
  request.ttl = DrawTtl();
  Send(request, "claims a stranger's");
}

void LocalProgram::AskAbout(LocalOperation operation) {
  if (locks_.empty()) return;
  Lock& lock = locks_[static_cast<size_t>(chance_.Below(locks_.size()))];
  if (operation == LocalOperation::kKeep) lock.keep_asked = true;
  LocalRequest request;
  request.id = ++last_id_;
  request.operation = operation;
  request.key = lock.key;
  request.token = lock.token;
  Send(request, operation == LocalOperation::kKeep    ? "keeps"
                : operation == LocalOperation::kCheck ? "checks"
                                                      : "awaits news of");
}

void LocalProgram::Withdraw() {
  LocalRequest request;
  request.id = ++last_id_;
  request.operation = LocalOperation::kWithdraw;
  request.withdrawn = chance_.Between(uint64_t{1}, last_id_);
  Send(request, "withdraws");
}

void LocalProgram::Ask(LocalOperation operation) {
  LocalRequest request;
  request.id = ++last_id_;
  request.operation = operation;
  request.is_local = chance_.Happens(Rate::Percent(50));
  Send(request, "asks");
}

void LocalProgram::SendGarbage() {
  judge_->Note(absl::StrCat("program ", number_), "sends garbage");
  sent_garbage_ = true;
  ExpectEnd();
  outbox_ += chance_.Happens(Rate::Percent(50)) ? std::string(8, '\xff')
                                                : Framed("no request");
}

void LocalProgram::Send(const LocalRequest& request, absl::string_view what) {
  const CallId call =
      judge_->Ask(process_, Door::kLocalSocket,
                  absl::StrCat("program ", number_, " ", what, " ", request.key,
                               ", request ", request.id));
  if (request.operation == LocalOperation::kAwaitLoss ||
      request.operation == LocalOperation::kAwaitRevocation) {
    judge_->AwaitsLoss(call, request.token);
  }
  const bool is_claim = request.operation == LocalOperation::kRenew ||
                        request.operation == LocalOperation::kRelease;
  if (is_claim && request.token.IsNone()) {
    judge_->PermitOwner(call, request.key, request.owner);
  } else if (is_claim) {
    judge_->Permit(request.token);
  }
  pending_[request.id].push_back(
      {.call = call,
       .operation = request.operation,
       .key = request.key,
       .owner = request.owner,
       .release_on_disconnect = request.release_on_disconnect,
       .keep_renewed = request.keep_renewed,
       .token = request.token,
       .asked = time_->now()});
  outbox_ += Framed(EncodeLocal(request));
}

void LocalProgram::Write(size_t count) {
  count = std::min(count, outbox_.size());
  if (count == 0) return;
  const ssize_t written =
      send(socket_.get(), outbox_.data(), count, MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN) return Read();  // what came before
  if (written > 0) outbox_.erase(0, static_cast<size_t>(written));
  poke_();
}

void LocalProgram::Read() {
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      if (!sent_garbage_ && judge_->IsRunning(process_)) {
        judge_->Complain(sim::Say("the agent closed the connection of program ",
                                  number_, ", which did nothing wrong"));
      }
      return End();
    }
    std::vector<std::string> frames;
    CHECK(reader_->Read(
        absl::string_view(buffer.data(), static_cast<size_t>(count)), &frames));
    for (const std::string& frame : frames) {
      absl::StatusOr<LocalReply> reply = DecodeLocalReply(frame);
      CHECK(reply.ok()) << reply.status().ToString();
      Take(*reply);
    }
  }
  poke_();  // there is room for more
}

void LocalProgram::Take(const LocalReply& reply) {
  if (!judge_->IsJudged(process_)) return;
  const auto found = pending_.find(reply.id);
  if (found == pending_.end()) {
    judge_->Complain(sim::Say("program ", number_,
                              " gets an answer that it did not ask for, ",
                              reply.id));
    return;
  }
  // Of two with one number the second is refused.
  std::vector<Pending>& same = found->second;
  const bool is_refused = reply.answer.outcome == Outcome::kInvalid;
  const auto which = is_refused ? std::prev(same.end()) : same.begin();
  const Pending pending = *which;
  same.erase(which);
  if (same.empty()) pending_.erase(found);
  judge_->Answer(pending.call, OutcomeName(reply.answer.outcome));
  if (reply.loss != LossReason::kNone) {
    if (pending.operation != LocalOperation::kAwaitRevocation) {
      judge_->ToldLocally(pending.token, reply.loss);
    }
  }
  if (reply.answer.outcome != Outcome::kOk) return;
  if (pending.operation == LocalOperation::kAcquire) {
    TakeGrant(pending, reply.answer.token);
  } else if (pending.operation == LocalOperation::kCheck) {
    judge_->BelievesLocally(pending.token, pending.asked, reply.belief);
  }
}

void LocalProgram::TakeGrant(const Pending& pending, FencingToken token) {
  judge_->HeldLocally(process_, pending.key, token);
  // By the agent: not before this.
  if (pending.keep_renewed) judge_->Permit(token);
  locks_.push_back({.key = pending.key,
                    .owner = pending.owner,
                    .token = token,
                    .release_on_disconnect = pending.release_on_disconnect});
  board_->push_back({process_, pending.key, token});
  if (sent_garbage_) ExpectEnd();
}

// What the agent may do, and must, when the connection has ended.
void LocalProgram::ExpectEnd() {
  for (const auto& [id, same] : pending_) {
    for (const Pending& pending : same) {
      if (pending.operation != LocalOperation::kAcquire) continue;
      judge_->PermitUnheard(process_, pending.key, pending.owner,
                            /*must_release=*/pending.release_on_disconnect);
    }
  }
  for (const Lock& lock : locks_) {
    if (lock.release_on_disconnect) judge_->Permit(lock.token);
  }
}

void LocalProgram::End() {
  ExpectEnd();
  for (const auto& [id, same] : pending_) {
    for (const Pending& pending : same) {
      judge_->Abandon(pending.call);
      if (pending.operation != LocalOperation::kAcquire) continue;
      if (absl::StartsWith(pending.owner, "program-")) {
        judge_->MustBeGivenBack(process_, pending.key, pending.owner,
                                /*also_granted=*/pending.release_on_disconnect);
      }
    }
  }
  pending_.clear();
  for (const Lock& lock : locks_) {
    if (!lock.release_on_disconnect || lock.keep_asked) continue;
    judge_->MustBeReleased(process_, lock.token);
  }
  locks_.clear();
  socket_.Close();
  poke_();
}

absl::Duration LocalProgram::DrawTtl() {
  return chance_.Between(absl::Milliseconds(150), absl::Seconds(6));
}

}  // namespace cachalot::io_judge
