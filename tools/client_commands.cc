#include "tools/client_commands.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "engine/survival.h"
#include "io/agent_status.h"
#include "io/local/client.h"
#include "io/local/path.h"
#include "io/local/protocol.h"
#include "nlohmann/json.hpp"
#include "tools/interrupt.h"
#include "tools/table.h"
#include "tools/words.h"

namespace cachalot::tools {

namespace {

// In the order in which they are added: a reader finds what matters first.
using Json = nlohmann::ordered_json;

constexpr char kProgram[] = "cachalot";

// An agent that runs takes a request back at once.
constexpr absl::Duration WithdrawTimeout() { return absl::Seconds(2); }

void Print(absl::string_view text) {
  std::fputs(std::string(text).c_str(), stdout);
}

// One line. Bytes that are not UTF-8 (keys may be any) become U+FFFD.
void PrintJson(const Json& body) {
  Print(absl::StrCat(body.dump(-1, ' ', false, Json::error_handler_t::replace),
                     "\n"));
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

// --- Answers as JSON ---------------------------------------------------------

void AddToken(Json& body, const FencingToken& token) {
  body["token"] = token.ToString();
  // As text: most readers of JSON keep 53 bits of a number.
  std::ostringstream number;
  number << token.ToNumber();
  body["token_number"] = number.str();
}

Json HolderToJson(const LockInfo& lock) {
  Json body;
  body["name"] = lock.holder_name;
  body["id"] = lock.holder.node.ToString();
  body["owner"] = lock.owner;
  body["remaining_ms"] = absl::ToInt64Milliseconds(lock.remaining);
  return body;
}

Json LockToJson(const LockInfo& lock) {
  Json body;
  body["key"] = lock.key;
  AddToken(body, lock.token);
  body["holder"] = lock.holder_name;
  body["holder_id"] = lock.holder.node.ToString();
  body["owner"] = lock.owner;
  body["remaining_ms"] = absl::ToInt64Milliseconds(lock.remaining);
  body["waiters"] = lock.waiters;
  return body;
}

Json MemberToJson(const MemberInfo& member) {
  Json body;
  body["name"] = member.name;
  body["id"] = member.id.ToString();
  body["address"] = member.address.ToString();
  body["state"] = MemberStateName(member.state);
  body["role"] = MemberRoleName(member.role);
  return body;
}

Json SurvivalToJson(const Survival& survival) {
  Json body;
  body["deaths"] = survival.deaths;
  body["has_majority"] = survival.has_majority;
  body["voters_alive"] = survival.alive_count();
  body["voters"] = Json::array();
  for (const Survival::Voter& voter : survival.voters) {
    body["voters"].push_back({{"name", voter.name},
                              {"id", voter.id.ToString()},
                              {"address", voter.address.ToString()},
                              {"alive", voter.is_alive}});
  }
  return body;
}

Json StatusToJson(const AgentStatus& status) {
  Json body;
  body["name"] = status.name;
  body["id"] = status.id.ToString();
  body["address"] = status.address.ToString();
  body["cluster"] = status.cluster.IsNone() ? "" : status.cluster.ToString();
  body["epoch"] = status.epoch.value();
  body["joined"] = status.standing.joined;
  body["has_leader"] = status.standing.has_leader;
  body["has_session"] = status.standing.has_session;
  body["role"] = MemberRoleName(status.role);
  body["term"] = status.term.value();
  body["leader"] = status.leader.IsNone() ? "" : status.leader.ToString();
  body["commit"] = status.commit.value();
  body["applied"] = status.applied.value();
  body["members_alive"] = status.members_alive;
  body["survival"] = SurvivalToJson(status.survival);
  body["locks"] = status.locks;
  body["elections_won"] = status.elections_won;
  body["snapshots_sent"] = status.snapshots_sent;
  body["snapshots_installed"] = status.snapshots_installed;
  body["frames_received"] = status.frames_received;
  body["datagrams_received"] = status.datagrams_received;
  body["dropped"] = {{"undecodable", status.undecodable},
                     {"other_version", status.other_version},
                     {"other_cluster", status.other_cluster},
                     {"misaddressed", status.misaddressed},
                     {"streams_malformed", status.streams_malformed},
                     {"local_malformed", status.local_malformed}};
  return body;
}

// --- Answers in words --------------------------------------------------------

// Keys and labels may hold any byte; a terminal should not see all of them.
std::string Visible(absl::string_view text) { return absl::CEscape(text); }

std::string HolderInWords(const LockInfo& holder) {
  std::string words = holder.holder_name;
  if (!holder.owner.empty()) {
    absl::StrAppend(&words, " (", Visible(holder.owner), ")");
  }
  absl::StrAppend(&words, ", token ", holder.token.ToString(), ", for another ",
                  Words(holder.remaining));
  return words;
}

// Why nothing was done, or what is not known; for stderr.
std::string RefusalInWords(absl::string_view doing, const Answer& answer) {
  std::string words = absl::StrCat(doing, ": ");
  if (answer.outcome == Outcome::kHeld && answer.holder.has_value()) {
    return absl::StrCat(words, "held by ", HolderInWords(*answer.holder));
  }
  absl::StrAppend(&words, OutcomeName(answer.outcome));
  if (!answer.text.empty()) absl::StrAppend(&words, ": ", answer.text);
  return words;
}

// --- Talking to the agent ----------------------------------------------------

// The reply to `id`; nothing if it has not come by `deadline` or an interrupt
// came first.
// Errors: Unknown (the agent went away).
absl::StatusOr<std::optional<LocalReply>> Await(LocalClient& client,
                                                uint64_t id,
                                                absl::Time deadline) {
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

// Takes back an acquire that nobody waits for any more: it shall not be granted
// to somebody who has gone. Its answer, which may yet be the grant.
absl::StatusOr<LocalReply> Withdraw(LocalClient& client, uint64_t acquire) {
  LetNextInterruptEndTheProcess();
  client.Send({.operation = LocalOperation::kWithdraw, .withdrawn = acquire});
  absl::Status status = client.Flush();
  const absl::Time deadline = absl::Now() + WithdrawTimeout();
  while (status.ok()) {
    absl::StatusOr<LocalReply> reply = client.Receive(deadline - absl::Now());
    if (reply.ok() && reply->id == acquire) return reply;
    status = reply.status();
  }
  return absl::UnknownError(status.message());
}

// Errors: Unavailable (no agent), InvalidArgument, PermissionDenied, Unknown
// (no answer; it may have happened).
absl::StatusOr<LocalReply> Ask(const ClientOptions& options,
                               LocalRequest request) {
  const std::string path = options.socket.empty()
                               ? DefaultLocalSocketPath(options.port)
                               : options.socket;
  absl::StatusOr<std::unique_ptr<LocalClient>> connected =
      LocalClient::Connect(path);
  if (!connected.ok()) return connected.status();
  LocalClient& client = **connected;

  const bool is_acquire = request.operation == LocalOperation::kAcquire;
  const absl::Time deadline = absl::Now() + options.timeout + request.wait;
  const uint64_t id = client.Send(std::move(request));
  if (absl::Status status = client.Flush(); !status.ok()) {
    return absl::UnknownError(status.message());
  }
  absl::StatusOr<std::optional<LocalReply>> reply = Await(client, id, deadline);
  if (!reply.ok()) return reply.status();
  if (reply->has_value()) return **std::move(reply);
  if (is_acquire) return Withdraw(client, id);
  return absl::UnknownError(
      absl::StrCat("no answer from the agent within ", Words(options.timeout)));
}

// Prints that the request was not granted, for people or for machines.
ExitCode Refuse(const ClientOptions& options, absl::string_view doing,
                const Answer& answer) {
  if (options.json) {
    Json body;
    body["outcome"] = OutcomeName(answer.outcome);
    if (answer.holder.has_value()) {
      AddToken(body, answer.holder->token);
      body["holder"] = HolderToJson(*answer.holder);
    }
    if (!answer.text.empty()) body["text"] = answer.text;
    PrintJson(body);
  } else {
    std::fputs(absl::StrCat(kProgram, ": ", RefusalInWords(doing, answer), "\n")
                   .c_str(),
               stderr);
  }
  return ExitCodeOf(answer.outcome);
}

// An answer that could not be had, as an answer.
Answer NoAnswer(const absl::Status& status) {
  Answer answer = {.outcome = Outcome::kUnavailable,
                   .text = std::string(status.message())};
  if (absl::IsUnknown(status)) answer.outcome = Outcome::kUnknown;
  if (absl::IsInvalidArgument(status)) answer.outcome = Outcome::kInvalid;
  return answer;
}

// Asks, and prints what was refused. The reply if it was not.
struct Asked {
  std::optional<LocalReply> reply;
  ExitCode exit_code = ExitCode::kOk;
};

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

// "ok" and what was done to which lock.
ExitCode PrintDone(const ClientOptions& options, absl::string_view done,
                   const LockArguments& arguments, const FencingToken& token) {
  if (options.json) {
    Json body;
    body["outcome"] = OutcomeName(Outcome::kOk);
    body["key"] = arguments.key;
    if (!token.IsNone()) AddToken(body, token);
    PrintJson(body);
    return ExitCode::kOk;
  }
  Print(absl::StrCat(done, " ", Visible(arguments.key)));
  if (!token.IsNone()) Print(absl::StrCat(", token ", token.ToString()));
  Print("\n");
  return ExitCode::kOk;
}

// The token that was typed; none if none was.
absl::StatusOr<FencingToken> TypedToken(const LockArguments& arguments) {
  if (arguments.token.empty()) return FencingToken();
  const std::optional<FencingToken> token =
      FencingToken::Parse(arguments.token);
  if (token.has_value() && !token->IsNone()) return *token;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", arguments.token,
                   "\" is not a token; they look like 1763913600.17.0"));
}

// All pages of the list.
Asked AskForLocks(const ClientOptions& options,
                  const ListArguments& arguments) {
  LocalRequest request = {.operation = LocalOperation::kListLocks,
                          .list = {.prefix = arguments.prefix},
                          .is_local = arguments.local};
  std::vector<LockInfo> locks;
  while (true) {
    Asked page = AskOrRefuse(options, request, "locks");
    if (!page.reply.has_value()) return page;
    Answer& answer = page.reply->answer;
    for (LockInfo& lock : answer.locks) locks.push_back(std::move(lock));
    if (!answer.more || locks.empty()) {
      answer.locks = std::move(locks);
      return page;
    }
    request.list.after = locks.back().key;
  }
}

}  // namespace

ExitCode Acquire(const ClientOptions& options, const LockArguments& arguments) {
  CatchInterrupts();
  const Asked asked =
      AskOrRefuse(options,
                  {.operation = LocalOperation::kAcquire,
                   .key = arguments.key,
                   .owner = arguments.owner,
                   .ttl = arguments.ttl,
                   .wait = arguments.wait},
                  absl::StrCat("not locked ", Visible(arguments.key)));
  if (!asked.reply.has_value()) return asked.exit_code;
  return PrintDone(options, "locked", arguments, asked.reply->answer.token);
}

ExitCode Renew(const ClientOptions& options, const LockArguments& arguments) {
  const absl::StatusOr<FencingToken> token = TypedToken(arguments);
  if (!token.ok()) return Fail(kProgram, token.status());
  const Asked asked =
      AskOrRefuse(options,
                  {.operation = LocalOperation::kRenew,
                   .key = arguments.key,
                   .owner = arguments.owner,
                   .token = *token,
                   .ttl = arguments.ttl},
                  absl::StrCat("not renewed ", Visible(arguments.key)));
  if (!asked.reply.has_value()) return asked.exit_code;
  return PrintDone(options, "renewed", arguments, asked.reply->answer.token);
}

ExitCode Release(const ClientOptions& options, const LockArguments& arguments) {
  const absl::StatusOr<FencingToken> token = TypedToken(arguments);
  if (!token.ok()) return Fail(kProgram, token.status());
  const Asked asked =
      AskOrRefuse(options,
                  {.operation = LocalOperation::kRelease,
                   .key = arguments.key,
                   .owner = arguments.owner,
                   .token = *token},
                  absl::StrCat("not released ", Visible(arguments.key)));
  if (!asked.reply.has_value()) return asked.exit_code;
  return PrintDone(options, "released", arguments, FencingToken());
}

ExitCode ListLocks(const ClientOptions& options,
                   const ListArguments& arguments) {
  const Asked asked = AskForLocks(options, arguments);
  if (!asked.reply.has_value()) return asked.exit_code;
  const std::vector<LockInfo>& locks = asked.reply->answer.locks;
  if (options.json) {
    Json list = Json::array();
    for (const LockInfo& lock : locks) list.push_back(LockToJson(lock));
    PrintJson({{"locks", list}});
    return ExitCode::kOk;
  }
  Table table({"KEY", "HOLDER", "LEFT", "WAITERS", "TOKEN", "OWNER"});
  for (const LockInfo& lock : locks) {
    table.Add({Visible(lock.key), lock.holder_name, Words(lock.remaining),
               absl::StrCat(lock.waiters), lock.token.ToString(),
               Visible(lock.owner)});
  }
  Print(table.ToString());
  return ExitCode::kOk;
}

ExitCode ListMembers(const ClientOptions& options,
                     const ListArguments& arguments) {
  const Asked asked = AskOrRefuse(
      options,
      {.operation = LocalOperation::kListMembers, .is_local = arguments.local},
      "members");
  if (!asked.reply.has_value()) return asked.exit_code;
  const std::vector<MemberInfo>& members = asked.reply->answer.members;
  if (options.json) {
    Json list = Json::array();
    for (const MemberInfo& member : members) {
      list.push_back(MemberToJson(member));
    }
    PrintJson({{"members", list}});
    return ExitCode::kOk;
  }
  Table table({"NAME", "ADDRESS", "STATE", "ROLE", "ID"});
  for (const MemberInfo& member : members) {
    table.Add({member.name, member.address.ToString(),
               MemberStateName(member.state), MemberRoleName(member.role),
               member.id.ToShortString()});
  }
  Print(table.ToString());
  return ExitCode::kOk;
}

ExitCode ShowStatus(const ClientOptions& options) {
  const Asked asked =
      AskOrRefuse(options, {.operation = LocalOperation::kStatus}, "no status");
  if (!asked.reply.has_value()) return asked.exit_code;
  if (!asked.reply->status.has_value()) {
    return Refuse(options, "no status",
                  {.outcome = Outcome::kUnavailable, .text = "empty reply"});
  }
  const AgentStatus& status = *asked.reply->status;
  if (options.json) {
    PrintJson(StatusToJson(status));
    return ExitCode::kOk;
  }
  Table table({"name", status.name});
  table.Add({"id", status.id.ToString()});
  table.Add({"address", status.address.ToString()});
  table.Add({"standing", Describe(status.standing)});
  table.Add({"role", MemberRoleName(status.role)});
  table.Add({"term", absl::StrCat(status.term.value())});
  table.Add(
      {"leader", status.leader.IsNone() ? "none" : status.leader.ToString()});
  table.Add({"cluster",
             status.cluster.IsNone() ? "none" : status.cluster.ToString()});
  table.Add({"members alive", absl::StrCat(status.members_alive)});
  table.Add({"cluster's voters", DescribeSurvival(status.survival)});
  table.Add({"locks", absl::StrCat(status.locks)});
  table.Add({"log", absl::StrCat("committed ", status.commit.value(),
                                 ", applied ", status.applied.value())});
  table.Add(
      {"snapshots", absl::StrCat(status.snapshots_sent, " sent, ",
                                 status.snapshots_installed, " installed")});
  table.Add({"elections won", absl::StrCat(status.elections_won)});
  Print(table.ToString());
  return ExitCode::kOk;
}

ExitCode Leave(const ClientOptions& options) {
  const Asked asked =
      AskOrRefuse(options, {.operation = LocalOperation::kLeave}, "not left");
  if (!asked.reply.has_value()) return asked.exit_code;
  if (options.json) {
    PrintJson({{"outcome", OutcomeName(Outcome::kOk)}});
  } else {
    Print("left\n");
  }
  return ExitCode::kOk;
}

}  // namespace cachalot::tools
