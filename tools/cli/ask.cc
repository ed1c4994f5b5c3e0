#include "tools/cli/ask.h"

#include <stdlib.h>
#include <sys/types.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "io/escape.h"
#include "io/local/path.h"
#include "tools/base/interrupt.h"
#include "tools/base/output.h"
#include "tools/base/words.h"

namespace cachalot::tools {

namespace {

Json HolderToJson(const LockInfo& lock) {
  Json body;
  AddText(body, "name", lock.holder_name);
  body["id"] = lock.holder.node.ToString();
  AddText(body, "owner", lock.owner);
  AddTimesLeft(body, lock);
  return body;
}

std::string HolderInWords(const LockInfo& holder) {
  std::string words = Escape(holder.holder_name);
  if (!holder.owner.empty()) {
    absl::StrAppend(&words, " (owner ", Escape(holder.owner), ")");
  }
  absl::StrAppend(&words, ", token ", holder.token.ToString(), "; ",
                  TimesLeftInWords(holder));
  return words;
}

// Why nothing was done, or what is not known; for stderr.
std::string RefusalInWords(absl::string_view doing, const Answer& answer) {
  std::string words = absl::StrCat(doing, ": ");
  if (answer.holder.has_value() && answer.outcome == Outcome::kHeld) {
    return absl::StrCat(words, "held by ", HolderInWords(*answer.holder));
  }
  if (answer.holder.has_value() && answer.outcome == Outcome::kTimedOut) {
    return absl::StrCat(words, "still held by ", HolderInWords(*answer.holder));
  }
  absl::StrAppend(&words, OutcomeName(answer.outcome));
  if (!answer.text.empty()) absl::StrAppend(&words, ": ", Escape(answer.text));
  if (answer.holder.has_value()) {
    absl::StrAppend(&words, ": held by ", HolderInWords(*answer.holder));
  }
  return words;
}

// Whether nothing is changed, so that it does not matter if it happened.
bool IsRead(LocalOperation operation) {
  return operation == LocalOperation::kListLocks ||
         operation == LocalOperation::kListMembers ||
         operation == LocalOperation::kListWaiters ||
         operation == LocalOperation::kStatus;
}

// Errors: those of ConnectToAgent(), Unavailable (the request was not sent, or
// only reads), Unknown (no answer; it may have happened).
absl::StatusOr<LocalReply> Ask(const ClientOptions& options,
                               LocalRequest request) {
  const WaitDeadline deadline = WaitDeadline::After(options.timeout);
  absl::StatusOr<std::unique_ptr<LocalClient>> connected =
      ConnectToAgent(options, deadline);
  if (!connected.ok()) return connected.status();
  LocalClient& client = **connected;
  const bool is_read = IsRead(request.operation);
  const uint64_t id = client.Send(std::move(request));
  const absl::Status flushed = client.Flush(deadline.left());
  if (!flushed.ok()) return flushed;
  absl::StatusOr<std::optional<LocalReply>> reply = Await(client, id, deadline);
  if (reply.ok() && reply->has_value()) return **std::move(reply);
  std::string why;
  if (!reply.ok()) {
    why = std::string(reply.status().message());
  } else if (Interrupted()) {
    why = "interrupted before the agent answered";
  } else {
    why = absl::StrCat("no answer from the agent within ",
                       Words(options.timeout));
  }
  return is_read ? absl::UnavailableError(why) : absl::UnknownError(why);
}

}  // namespace

absl::Status WriteJson(const Json& body, const WaitDeadline& deadline) {
  return WriteOutput(absl::StrCat(ToLine(body), "\n"), deadline);
}

void Complain(absl::string_view text) {
  std::fputs(absl::StrCat(kProgram, ": ", text, "\n").c_str(), stderr);
}

ExitCode Finish(const absl::Status& written) {
  return written.ok() ? ExitCode::kOk : Fail(kProgram, written);
}

void AddTimesLeft(Json& body, const LockInfo& lock) {
  body["remaining_ms"] = absl::ToInt64Milliseconds(lock.remaining);
  body["lease_remaining_ms"] = absl::ToInt64Milliseconds(lock.lease_remaining);
  body["session_remaining_ms"] =
      absl::ToInt64Milliseconds(lock.session_remaining);
}

void AddToken(Json& body, const FencingToken& token) {
  // As text: many readers of JSON keep 53 bits of a number.
  body["token"] = token.ToString();
}

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

ExitCode ExitCodeOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return ExitCode::kOk;
    case Outcome::kHeld:
    case Outcome::kTimedOut:
      return ExitCode::kRefused;
    case Outcome::kInvalid:
      return ExitCode::kInvalid;
    case Outcome::kNotHeld:
      return ExitCode::kNotHeld;
    case Outcome::kWithdrawn:
    case Outcome::kBusy:
    case Outcome::kUnavailable:
    case Outcome::kLeaving:
      return ExitCode::kUnavailable;
    case Outcome::kUnknown:
      return ExitCode::kUnknown;
  }
  return ExitCode::kUnknown;
}

absl::StatusOr<std::unique_ptr<LocalClient>> ConnectToAgent(
    const ClientOptions& options, const WaitDeadline& deadline) {
  LocalClient::ConnectOptions how = {.timeout = deadline.left(),
                                     .is_interrupted = Interrupted};
  if (!options.agent_user.empty()) {
    const absl::StatusOr<uid_t> user = FindUser(options.agent_user);
    if (!user.ok()) return user.status();
    how.trusted_user = *user;
  }
  std::string socket = options.socket;
  if (socket.empty() && !options.port.has_value()) {
    socket = Environment("CACHALOT_AGENT");
  }
  if (!socket.empty()) return LocalClient::Connect(socket, how);
  return LocalClient::ConnectToAny(LocalSocketPlaces::OfThisUser().Candidates(
                                       options.port.value_or(kDefaultPort)),
                                   how);
}

absl::StatusOr<std::optional<LocalReply>> Await(LocalClient& client,
                                                uint64_t id,
                                                const WaitDeadline& deadline) {
  while (true) {
    absl::StatusOr<LocalReply> reply = client.Receive(absl::ZeroDuration());
    if (reply.ok() && reply->id == id) return *std::move(reply);
    if (reply.ok()) continue;
    if (!absl::IsDeadlineExceeded(reply.status())) {
      return absl::UnknownError(reply.status().message());
    }
    if (!WaitUntilReadable(client.fd(), deadline)) return std::nullopt;
  }
}

ExitCode Refuse(const ClientOptions& options, absl::string_view doing,
                const Answer& answer) {
  ExitCode code = ExitCodeOf(answer.outcome);
  if (options.json) {
    Json body;
    body["outcome"] = OutcomeName(answer.outcome);
    if (answer.holder.has_value()) {
      AddToken(body, answer.holder->token);
      body["holder"] = HolderToJson(*answer.holder);
    }
    if (!answer.text.empty()) AddText(body, "text", answer.text);
    // The exit code says more than that nobody reads the rest.
    static_cast<void>(
        WriteJson(body, WaitDeadline::After(options.timeout)).ok());
  } else {
    Complain(RefusalInWords(doing, answer));
  }
  if (const std::optional<int> signal = InterruptSignal();
      signal.has_value() && (answer.outcome == Outcome::kWithdrawn ||
                             answer.outcome == Outcome::kUnknown)) {
    code = ExitCodeOfSignal(*signal);
  }
  return code;
}

Answer NoAnswer(const absl::Status& status) {
  Answer answer = {.outcome = Outcome::kUnavailable,
                   .text = std::string(status.message())};
  if (absl::IsUnknown(status)) answer.outcome = Outcome::kUnknown;
  if (absl::IsInvalidArgument(status)) answer.outcome = Outcome::kInvalid;
  if (absl::IsCancelled(status)) answer.outcome = Outcome::kWithdrawn;
  return answer;
}

Asked AskOrRefuse(const ClientOptions& options, LocalRequest request,
                  absl::string_view doing) {
  absl::StatusOr<LocalReply> reply = Ask(options, std::move(request));
  if (!reply.ok()) {
    return {.reply = std::nullopt,
            .exit_code = Refuse(options, doing, NoAnswer(reply.status()))};
  }
  if (reply->answer.outcome != Outcome::kOk) {
    return {.reply = std::nullopt,
            .exit_code = Refuse(options, doing, reply->answer)};
  }
  return {.reply = *std::move(reply)};
}

}  // namespace cachalot::tools
