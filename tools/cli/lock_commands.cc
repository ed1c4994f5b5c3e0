#include "tools/cli/lock_commands.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "engine/survival.h"
#include "io/escape.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "io/survival_text.h"
#include "io/wait_deadline.h"
#include "tools/base/interrupt.h"
#include "tools/base/output.h"
#include "tools/base/words.h"

namespace cachalot::tools {

namespace {

// An agent that runs takes a request back, or a lock, at once.
constexpr absl::Duration GiveBackTimeout() { return absl::Seconds(2); }

// How often somebody who waits for a lock asks whether there is a majority.
constexpr absl::Duration LookInterval() { return absl::Seconds(2); }

// A word for a shell.
std::string Quoted(absl::string_view word) {
  constexpr absl::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
      "_-.,:/@%+=";
  if (!word.empty() &&
      word.find_first_not_of(kPlain) == absl::string_view::npos) {
    return std::string(word);
  }
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// Tells people, on stderr, how the lock is given up again.
void SayWhatReleasesIt(const ClientOptions& options,
                       const LockArguments& arguments,
                       const FencingToken& token) {
  if (options.json || arguments.print_token) return;
  const std::string escaped = Escape(arguments.key);
  std::string command = "release it with: cachalot release";
  if (escaped != arguments.key) absl::StrAppend(&command, " --escaped");
  const bool looks_like_flag = escaped.front() == '-';
  if (!looks_like_flag) absl::StrAppend(&command, " ", Quoted(escaped));
  absl::StrAppend(&command, " --token ", token.ToString());
  if (options.port.has_value()) {
    absl::StrAppend(&command, " --port ", *options.port);
  }
  if (!options.socket.empty()) {
    absl::StrAppend(&command, " --agent ", Quoted(options.socket));
  }
  if (!options.agent_user.empty()) {
    absl::StrAppend(&command, " --agent-user ", Quoted(options.agent_user));
  }
  if (looks_like_flag) absl::StrAppend(&command, " -- ", Quoted(escaped));
  absl::StrAppend(&command, "\n");
  std::fputs(command.c_str(), stderr);
}

// Takes back an acquire that nobody waits for any more. Its answer, which may
// yet be the grant, or why there is none: then the lock is not taken either,
// since it hangs on the connection.
Answer Withdraw(LocalClient& client, uint64_t acquire, absl::Status reason) {
  LetNextInterruptEndTheProcess();
  const WaitDeadline deadline = WaitDeadline::After(GiveBackTimeout());
  client.Send({.operation = LocalOperation::kWithdraw, .withdrawn = acquire});
  absl::Status status = client.Flush(deadline.left());
  while (status.ok()) {
    absl::StatusOr<LocalReply> reply = client.Receive(deadline.left());
    status = reply.status();
    if (!reply.ok() || reply->id != acquire) continue;
    if (reply->answer.outcome != Outcome::kWithdrawn &&
        reply->answer.outcome != Outcome::kOk) {
      return reply->answer;
    }
    break;
  }
  return NoAnswer(reason);
}

// Leaves the lock to the agent when this connection ends.
Answer Keep(LocalClient& client, const LockArguments& arguments,
            const FencingToken& token, const WaitDeadline& deadline) {
  const absl::StatusOr<LocalReply> reply =
      client.Call({.operation = LocalOperation::kKeep,
                   .key = arguments.key,
                   .token = token},
                  deadline.left());
  if (reply.ok()) return reply->answer;
  // The agent may have kept the lock, or keep it yet, and not give it back when
  // the connection ends. It finds the release behind that request.
  const absl::StatusOr<LocalReply> released =
      client.Call({.operation = LocalOperation::kRelease,
                   .key = arguments.key,
                   .token = token},
                  GiveBackTimeout());
  return {.outcome = Outcome::kUnavailable,
          .text = absl::StrCat("the agent did not confirm it; ",
                               released.ok()
                                   ? "the lock is given back"
                                   : "it gives the lock back when it runs "
                                     "again, or dies")};
}

// Waits for the reply to `id`, as Await() does. If it takes long, asks where
// the agent stands, and says once on stderr that the majority is lost: nothing
// is granted for as long as that lasts.
absl::StatusOr<std::optional<LocalReply>> AwaitGrant(
    LocalClient& client, uint64_t id, const WaitDeadline& deadline) {
  WaitDeadline next_look = WaitDeadline::After(LookInterval());
  std::optional<uint64_t> status_asked;
  bool is_told = false;
  while (true) {
    absl::StatusOr<LocalReply> reply = client.Receive(absl::ZeroDuration());
    if (reply.ok() && reply->id == id) return *std::move(reply);
    if (reply.ok()) {
      if (reply->id != status_asked || !reply->status.has_value()) continue;
      status_asked.reset();
      const Outage& outage = reply->status->outage;
      if (outage.kind != Outage::Kind::kMajorityLost || is_told) continue;
      is_told = true;
      Complain(absl::StrCat("waiting: ", DescribeOutage(outage)));
      continue;
    }
    if (!absl::IsDeadlineExceeded(reply.status())) {
      return absl::UnknownError(reply.status().message());
    }
    const WaitDeadline until =
        WaitDeadline::After(std::min(deadline.left(), next_look.left()));
    if (WaitUntilReadable(client.fd(), until)) continue;
    if (Interrupted() || deadline.has_passed()) return std::nullopt;
    if (!next_look.has_passed()) continue;
    next_look = WaitDeadline::After(LookInterval());
    if (status_asked.has_value() || is_told) continue;
    status_asked = client.Send({.operation = LocalOperation::kStatus});
    const absl::Status flushed = client.Flush(deadline.left());
    if (!flushed.ok()) return absl::UnknownError(flushed.message());
  }
}

// What shows that renew and release come from the holder.
struct Proof {
  FencingToken token;  // none: the owner does
  std::string owner;
};

absl::Status NotAToken(absl::string_view typed) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", Escape(typed),
                   "\" is not a token: a whole number from 1 to 2^63 - 1, as "
                   "lock and try print it"));
}

// Errors: InvalidArgument.
absl::StatusOr<Proof> FindProof(const LockArguments& arguments,
                                absl::string_view command) {
  std::string typed = arguments.token;
  std::string owner = arguments.owner;
  if (typed.empty() && owner.empty()) {
    const std::string key = Environment("CACHALOT_KEY");
    if (key.empty() || key == arguments.key) {
      typed = Environment("CACHALOT_TOKEN");
    }
    owner = Environment("CACHALOT_OWNER");
  }
  if (!typed.empty()) {
    const std::optional<FencingToken> token = FencingToken::Parse(typed);
    if (token.has_value()) return Proof{.token = *token};
    return NotAToken(typed);
  }
  if (!owner.empty()) return Proof{.owner = std::move(owner)};
  return absl::InvalidArgumentError(absl::StrCat(
      "only its holder may ", command, " ", Escape(arguments.key),
      ": say --token TOKEN, as lock and try print it, or the --owner LABEL "
      "that the lock was taken with"));
}

}  // namespace

absl::Status WriteDone(const ClientOptions& options, absl::string_view done,
                       const LockArguments& arguments,
                       const FencingToken& token) {
  const WaitDeadline deadline = WaitDeadline::After(options.timeout);
  if (options.json) {
    Json body;
    body["outcome"] = OutcomeName(Outcome::kOk);
    AddText(body, "key", arguments.key);
    if (!token.IsNone()) AddToken(body, token);
    return WriteJson(body, deadline);
  }
  if (arguments.print_token) {
    return WriteOutput(absl::StrCat(token.ToString(), "\n"), deadline);
  }
  std::string words = absl::StrCat(done, " ", Escape(arguments.key));
  if (!token.IsNone()) absl::StrAppend(&words, ", token ", token.ToString());
  return WriteOutput(absl::StrCat(words, "\n"), deadline);
}

Answer TakeLock(const ClientOptions& options, LocalClient& client,
                LocalRequest request, const WaitDeadline& deadline) {
  const absl::Duration wait = request.wait;
  const uint64_t id = client.Send(std::move(request));
  const absl::Status flushed = client.Flush(deadline.left());
  if (!flushed.ok()) return NoAnswer(flushed);
  absl::StatusOr<std::optional<LocalReply>> reply =
      AwaitGrant(client, id, deadline);
  if (!reply.ok()) {
    return {.outcome = Outcome::kUnavailable,
            .text = absl::StrCat(reply.status().message(),
                                 ", which gives the lock back")};
  }
  if (reply->has_value()) return (*reply)->answer;
  if (Interrupted()) {
    return Withdraw(client, id, absl::CancelledError("interrupted"));
  }
  return Withdraw(
      client, id,
      absl::UnavailableError(absl::StrCat("no answer from the agent within ",
                                          Words(wait + options.timeout))));
}

LocalRequest HoldRequest(const LockArguments& arguments) {
  return {.operation = LocalOperation::kAcquire,
          .key = arguments.key,
          .owner = arguments.owner.empty() ? Environment("CACHALOT_OWNER")
                                           : arguments.owner,
          .ttl = arguments.ttl,
          .wait = arguments.wait,
          .release_on_disconnect = true,
          .keep_renewed = true};
}

ExitCode RefuseHold(const ClientOptions& options,
                    const LockArguments& arguments, const Answer& answer) {
  const ExitCode code = Refuse(
      options, absl::StrCat("not locked ", Escape(arguments.key)), answer);
  if (code >= ExitCode::kHungUp) return code;  // a signal
  switch (answer.outcome) {
    case Outcome::kHeld:
    case Outcome::kTimedOut:
      return ExitCode::kNotAcquired;
    case Outcome::kInvalid:
      return ExitCode::kInvalid;
    default:
      return ExitCode::kUnreachable;
  }
}

ExitCode RefuseUnwatched(const ClientOptions& options,
                         const LockArguments& arguments,
                         const absl::Status& why) {
  if (!absl::IsFailedPrecondition(why)) {
    return RefuseHold(options, arguments, NoAnswer(why));
  }
  Complain(absl::StrCat("lost ", Escape(arguments.key),
                        ": its lease ended, or it was released by force, "
                        "before this process read that it had the lock"));
  return ExitCode::kLost;
}

ExitCode Acquire(const ClientOptions& options, const LockArguments& arguments) {
  CatchInterrupts();
  const std::string doing = absl::StrCat("not locked ", Escape(arguments.key));
  const WaitDeadline deadline =
      WaitDeadline::After(options.timeout + arguments.wait);
  const absl::StatusOr<std::unique_ptr<LocalClient>> client =
      ConnectToAgent(options, deadline);
  if (!client.ok()) return Refuse(options, doing, NoAnswer(client.status()));
  LocalRequest request = HoldRequest(arguments);
  request.keep_renewed = false;
  const Answer answer =
      TakeLock(options, **client, std::move(request), deadline);
  if (answer.outcome != Outcome::kOk) return Refuse(options, doing, answer);
  const absl::Status written =
      WriteDone(options, "locked", arguments, answer.token);
  if (!written.ok()) {
    // Waited for, so that the next who tries finds it free.
    static_cast<void>((*client)->Call({.operation = LocalOperation::kRelease,
                                       .key = arguments.key,
                                       .token = answer.token},
                                      GiveBackTimeout()));
    Complain(absl::StrCat(doing, ": ", written.message(),
                          "; the lock is given back"));
    return ExitCodeOf(written);
  }
  const Answer kept = Keep(**client, arguments, answer.token,
                           WaitDeadline::After(options.timeout));
  if (kept.outcome != Outcome::kOk) {
    Complain(absl::StrCat("lost ", Escape(arguments.key), ": ", kept.text));
    return ExitCodeOf(kept.outcome);
  }
  SayWhatReleasesIt(options, arguments, answer.token);
  return ExitCode::kOk;
}

ExitCode Renew(const ClientOptions& options, const LockArguments& arguments) {
  const absl::StatusOr<Proof> proof = FindProof(arguments, "renew");
  if (!proof.ok()) return Fail(kProgram, proof.status());
  const Asked asked =
      AskOrRefuse(options,
                  {.operation = LocalOperation::kRenew,
                   .key = arguments.key,
                   .owner = proof->owner,
                   .token = proof->token,
                   .ttl = arguments.ttl},
                  absl::StrCat("not renewed ", Escape(arguments.key)));
  if (!asked.reply.has_value()) return asked.exit_code;
  return Finish(
      WriteDone(options, "renewed", arguments, asked.reply->answer.token));
}

ExitCode Release(const ClientOptions& options, const LockArguments& arguments) {
  const absl::StatusOr<Proof> proof = FindProof(arguments, "release");
  if (!proof.ok()) return Fail(kProgram, proof.status());
  const Asked asked =
      AskOrRefuse(options,
                  {.operation = LocalOperation::kRelease,
                   .key = arguments.key,
                   .owner = proof->owner,
                   .token = proof->token},
                  absl::StrCat("not released ", Escape(arguments.key)));
  if (!asked.reply.has_value()) return asked.exit_code;
  return Finish(WriteDone(options, "released", arguments, FencingToken()));
}

ExitCode Revoke(const ClientOptions& options,
                const RevokeArguments& arguments) {
  LocalRequest request = {.operation = LocalOperation::kRevoke,
                          .key = arguments.key,
                          .reason = arguments.reason};
  if (!arguments.token.empty()) {
    const std::optional<FencingToken> token =
        FencingToken::Parse(arguments.token);
    if (!token.has_value()) {
      return Fail(kProgram, NotAToken(arguments.token));
    }
    request.token = *token;
  }
  const Asked asked =
      AskOrRefuse(options, std::move(request),
                  absl::StrCat("not revoked ", Escape(arguments.key)));
  if (!asked.reply.has_value()) return asked.exit_code;
  const LockInfo holder = asked.reply->answer.holder.value_or(LockInfo());
  const WaitDeadline deadline = WaitDeadline::After(options.timeout);
  if (options.json) {
    Json body;
    body["outcome"] = OutcomeName(Outcome::kOk);
    AddText(body, "key", arguments.key);
    AddToken(body, holder.token);
    AddText(body, "holder", holder.holder_name);
    body["holder_id"] = holder.holder.node.ToString();
    AddText(body, "owner", holder.owner);
    body["remaining_ms"] = absl::ToInt64Milliseconds(holder.remaining);
    return Finish(WriteJson(body, deadline));
  }
  return Finish(WriteOutput(
      absl::StrCat("revoked ", Escape(arguments.key), " of ",
                   Escape(holder.holder_name), holder.owner.empty() ? "" : " (",
                   Escape(holder.owner), holder.owner.empty() ? "" : ")",
                   ", token ", holder.token.ToString(),
                   "; it gives the lock back when it hears, within ",
                   Words(holder.remaining), " at most\n"),
      deadline));
}

}  // namespace cachalot::tools
