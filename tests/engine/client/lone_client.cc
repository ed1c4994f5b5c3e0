#include "tests/engine/client/lone_client.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace cachalot {
namespace {

NodeId IdOf(uint64_t node) { return {.high = node << 32, .low = node}; }

}  // namespace

LeaseOptions LoneClient::Options() {
  LeaseOptions options;
  options.session_ttl = absl::Seconds(9);
  return options;
}

LoneClient::LoneClient(LeaseOptions options)
    : client_(options, IdOf(1), "one", nullptr) {}

void LoneClient::Open() {
  Lead(2);
  Join();
  Opened(1);
  Ignore();
}

void LoneClient::Join() {
  Do([](Client& client, FastInstant now) {
    client.Join(now, FencingToken(7));
  });
}

void LoneClient::Lead(uint64_t node) {
  Do([node](Client& client, FastInstant now) {
    client.NoteLeader(now, node == 0 ? NodeId() : IdOf(node));
  });
}

void LoneClient::Pass(absl::Duration time) {
  const FastInstant end = now_ + time;
  while (client_.NextDeadline() <= end) {
    now_ = client_.NextDeadline();
    client_.FireTimers(now_);
    Collect();
  }
  now_ = end;
}

void LoneClient::Sleep(absl::Duration time) {
  now_ = now_ + time;
  client_.FireTimers(now_);
  Collect();
}

// --- Callers ----------------------------------------------------------------

RequestId LoneClient::Submit(const Request& request) {
  const RequestId id(++last_request_);
  Do([&](Client& client, FastInstant now) { client.Submit(now, id, request); });
  return id;
}

RequestId LoneClient::Try(const std::string& key, absl::Duration ttl) {
  return Wait(key, absl::ZeroDuration(), ttl);
}

RequestId LoneClient::Wait(const std::string& key, absl::Duration wait,
                           absl::Duration ttl) {
  return Submit(AcquireRequest{.key = key, .ttl = ttl, .wait = wait});
}

RequestId LoneClient::Renew(const std::string& key, FencingToken token,
                            absl::Duration ttl) {
  return Submit(RenewRequest{.key = key, .token = token, .ttl = ttl});
}

RequestId LoneClient::Release(const std::string& key, FencingToken token) {
  return Submit(ReleaseRequest{.key = key, .token = token});
}

void LoneClient::Withdraw(RequestId request) {
  Do([&](Client& client, FastInstant now) { client.Withdraw(now, request); });
}

RequestId LoneClient::Take(const std::string& key, uint64_t index,
                           absl::Duration ttl) {
  const RequestId request = Try(key, ttl);
  Answered(Sent<Acquire>()->sequence, Outcome::kOk, index);
  CHECK(OutcomeOf(request) == Outcome::kOk);
  return request;
}

// --- The cluster ------------------------------------------------------------

Reply LoneClient::ReplyOf(Reply::Kind kind, uint64_t index) const {
  Reply reply;
  reply.kind = kind;
  reply.session = client_.session();
  reply.index = LogIndex(index);
  return reply;
}

void LoneClient::Receive(const Reply& reply) {
  Do([&](Client& client, FastInstant now) { client.Receive(now, reply); });
}

void LoneClient::Receive(const ReadResult& result) {
  Do([&](Client& client, FastInstant now) { client.Receive(now, result); });
}

void LoneClient::Opened(uint64_t index) {
  Receive(ReplyOf(Reply::Kind::kOpened, index));
}

void LoneClient::Kept(uint64_t renewal, uint64_t index) {
  Reply reply = ReplyOf(Reply::Kind::kKept, index);
  reply.renewal = renewal;
  Receive(reply);
}

void LoneClient::Queued(Sequence sequence, uint64_t index) {
  Reply reply = ReplyOf(Reply::Kind::kQueued, index);
  reply.sequence = sequence;
  Receive(reply);
}

void LoneClient::Answered(Sequence sequence, Outcome outcome, uint64_t token) {
  Reply reply = ReplyOf(Reply::Kind::kAnswered, token);
  reply.sequence = sequence;
  reply.outcome = outcome;
  // Tokens here are the indexes of the entries that granted them.
  if (token != 0) {
    reply.token = Token(token);
    reply.granted_at = LogIndex(token);
  }
  Receive(reply);
}

void LoneClient::Revoked(const std::string& key, FencingToken token) {
  Reply reply = ReplyOf(Reply::Kind::kRevoked, 0);
  reply.key = key;
  reply.token = token;
  Receive(reply);
}

void LoneClient::SessionGone() {
  Receive(ReplyOf(Reply::Kind::kSessionGone, 0));
}

// As the node does it: what is due at this instant comes first.
void LoneClient::Do(const std::function<void(Client&, FastInstant)>& event) {
  client_.FireTimers(now_);
  event(client_, now_);
  Collect();
}

// --- Results ----------------------------------------------------------------

void LoneClient::Collect() {
  Client::Output output = client_.Take();
  for (AnswerRequest& answer : output.answers) {
    const bool is_first =
        answers_.emplace(answer.request, std::move(answer.answer)).second;
    CHECK(is_first) << "request " << answer.request << " is answered twice";
  }
  for (NotifyHolder& notice : output.notices) {
    notices_.push_back(std::move(notice));
  }
  for (Read& read : output.reads) reads_.push_back(std::move(read));
  std::vector<uint64_t> renewals;
  for (LockCommand& command : output.commands) {
    const auto* keep_alive = std::get_if<KeepAlive>(&command);
    if (keep_alive != nullptr && answers_keep_alives_) {
      renewals.push_back(keep_alive->renewal);
    }
    commands_.push_back(std::move(command));
  }
  const bool is_small =
      client_.requests_in_flight() < 100 && client_.held_count() < 100;
  if (is_small) client_.CheckInvariants();
  CHECK(client_.NextDeadline() > now_) << "the driver would spin";
  for (const uint64_t renewal : renewals) Kept(renewal, ++kept_index_);
}

std::optional<Answer> LoneClient::AnswerTo(RequestId request) const {
  const auto found = answers_.find(request);
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

std::optional<Outcome> LoneClient::OutcomeOf(RequestId request) const {
  const std::optional<Answer> answer = AnswerTo(request);
  if (!answer.has_value()) return std::nullopt;
  return answer->outcome;
}

std::vector<std::string> LoneClient::Told(RequestId request) const {
  std::vector<std::string> told;
  for (const NotifyHolder& notice : notices_) {
    if (notice.request != request) continue;
    std::string news = BeliefName(notice.belief);
    if (notice.reason != LossReason::kNone) {
      absl::StrAppend(&news, " ", LossReasonName(notice.reason));
    }
    if (!notice.text.empty()) absl::StrAppend(&news, " (", notice.text, ")");
    if (notice.lease_moved) news += ", lease moved";
    told.push_back(std::move(news));
  }
  return told;
}

}  // namespace cachalot
