#include "tools/cli/client_commands.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/member.h"
#include "engine/request.h"
#include "engine/survival.h"
#include "io/agent_status.h"
#include "io/escape.h"
#include "io/local/protocol.h"
#include "io/survival_text.h"
#include "tools/base/output.h"
#include "tools/base/table.h"
#include "tools/base/words.h"
#include "tools/cli/ask.h"
#include "tools/cli/memory_text.h"

namespace cachalot::tools {

namespace {

Json LockToJson(const LockInfo& lock) {
  Json body;
  AddText(body, "key", lock.key);
  AddToken(body, lock.token);
  AddText(body, "holder", lock.holder_name);
  body["holder_id"] = lock.holder.node.ToString();
  AddText(body, "owner", lock.owner);
  AddTimesLeft(body, lock);
  body["waiters"] = lock.waiters;
  return body;
}

Json MemberToJson(const MemberInfo& member) {
  Json body;
  AddText(body, "name", member.name);
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
    Json& each = body["voters"].emplace_back(Json::object());
    AddText(each, "name", voter.name);
    each["id"] = voter.id.ToString();
    each["address"] = voter.address.ToString();
    each["alive"] = voter.is_alive;
  }
  return body;
}

Json OutageToJson(const Outage& outage) {
  Json body;
  body["kind"] = OutageKindName(outage.kind);
  body["leaderless_ms"] = absl::ToInt64Milliseconds(outage.leaderless);
  body["hears_nobody"] = outage.hears_nobody;
  body["voters"] = outage.voters;
  body["missing"] = Json::array();
  for (const MissingVoter& voter : outage.missing) {
    Json& each = body["missing"].emplace_back(Json::object());
    AddText(each, "name", voter.name);
    each["id"] = voter.id.ToString();
    each["address"] = voter.address.ToString();
    each["silent_ms"] = absl::ToInt64Milliseconds(voter.silent);
  }
  const std::string text = DescribeOutage(outage);
  if (!text.empty()) body["text"] = text;
  return body;
}

// What the agent did not take in, by reason.
struct Dropped {
  const char* name;   // in JSON
  const char* words;  // after the number
  uint64_t AgentStatus::*counter;
};
constexpr Dropped kDropped[] = {
    {"undecodable", "undecodable", &AgentStatus::undecodable},
    {"other_version", "of another version", &AgentStatus::other_version},
    {"other_cluster", "of another cluster", &AgentStatus::other_cluster},
    {"other_name", "of a cluster of another name", &AgentStatus::other_name},
    {"misaddressed", "for another node", &AgentStatus::misaddressed},
    {"impersonations", "for the session of another node",
     &AgentStatus::impersonations},
    {"unasked", "answers to nothing that was asked", &AgentStatus::unasked},
    {"strangers_refused", "of strangers", &AgentStatus::strangers_refused},
    {"members_refused", "facts about members", &AgentStatus::members_refused},
    {"streams_malformed", "malformed streams", &AgentStatus::streams_malformed},
    {"streams_closed", "streams of others closed",
     &AgentStatus::streams_closed},
    {"streams_refused", "streams refused", &AgentStatus::streams_refused},
    {"links_stuck", "links opened anew", &AgentStatus::links_stuck},
    {"local_malformed", "malformed local connections",
     &AgentStatus::local_malformed},
};

// "2 undecodable, 1 for another node".
std::string DroppedInWords(const AgentStatus& status) {
  std::vector<std::string> parts;
  for (const Dropped& dropped : kDropped) {
    const uint64_t count = status.*dropped.counter;
    if (count > 0) parts.push_back(absl::StrCat(count, " ", dropped.words));
  }
  return parts.empty() ? "nothing" : absl::StrJoin(parts, ", ");
}

Json StatusToJson(const AgentStatus& status) {
  Json body;
  AddText(body, "name", status.name);
  body["id"] = status.id.ToString();
  body["address"] = status.address.ToString();
  body["cluster"] = status.cluster.IsNone() ? "" : status.cluster.ToString();
  AddText(body, "cluster_name", status.cluster_name);
  body["token_base"] = status.token_base.ToString();
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
  body["outage"] = OutageToJson(status.outage);
  body["problems"] = status.problems;
  AddText(body, "state_dir", status.memory.state_dir);
  body["remembered"] =
      status.memory.cluster.IsNone() ? "" : status.memory.cluster.ToString();
  body["has_left"] = status.memory.has_left;
  body["seeds"] = Json::array();
  for (const Address& seed : status.seeds) {
    body["seeds"].push_back(seed.ToString());
  }
  body["quarantine_ms"] = absl::ToInt64Milliseconds(status.quarantine);
  body["to_do"] = WhatToDo(status);
  body["locks"] = status.locks;
  body["elections_won"] = status.elections_won;
  body["snapshots_sent"] = status.snapshots_sent;
  body["snapshots_installed"] = status.snapshots_installed;
  body["frames_received"] = status.frames_received;
  body["datagrams_received"] = status.datagrams_received;
  body["longest_turn_ms"] = absl::ToInt64Milliseconds(status.longest_turn);
  for (const Dropped& dropped : kDropped) {
    body["dropped"][dropped.name] = status.*dropped.counter;
  }
  return body;
}

// Whether a member counts: it is there, or its vote is still needed.
bool Counts(const MemberInfo& member) {
  return member.state == MemberState::kAlive ||
         member.state == MemberState::kSuspect ||
         member.role == MemberRole::kVoter ||
         member.role == MemberRole::kLeader;
}

// Those to be shown, ordered by name; those of one name by id.
std::vector<MemberInfo> ToShow(std::vector<MemberInfo> members, bool all) {
  if (!all) {
    members.erase(std::remove_if(members.begin(), members.end(),
                                 [](const auto& m) { return !Counts(m); }),
                  members.end());
  }
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.id) < std::tie(b.name, b.id);
  });
  return members;
}

// "n1 (1ea2f691)", the name if it is known.
std::string LeaderInWords(const AgentStatus& status) {
  if (status.leader.IsNone()) return "none";
  for (const Survival::Voter& voter : status.survival.voters) {
    if (voter.id != status.leader || voter.name.empty()) continue;
    return absl::StrCat(Escape(voter.name), " (", voter.id.ToShortString(),
                        ")");
  }
  return status.leader.ToString();
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

// All pages of the queue of a key, with who holds it.
Asked AskForWaiters(const ClientOptions& options, const std::string& key) {
  LocalRequest request = {.operation = LocalOperation::kListWaiters,
                          .key = key};
  std::vector<WaiterInfo> waiters;
  while (true) {
    Asked page = AskOrRefuse(options, request, "waiters");
    if (!page.reply.has_value()) return page;
    Answer& answer = page.reply->answer;
    const bool is_last = !answer.more || answer.waiters.empty();
    std::move(answer.waiters.begin(), answer.waiters.end(),
              std::back_inserter(waiters));
    if (is_last) {
      answer.waiters = std::move(waiters);
      return page;
    }
    request.skip = static_cast<uint32_t>(waiters.size());
  }
}

// Who waits for a key, the next to be served first.
ExitCode ListQueue(const ClientOptions& options, const std::string& key) {
  const Asked asked = AskForWaiters(options, key);
  if (!asked.reply.has_value()) return asked.exit_code;
  const Answer& answer = asked.reply->answer;
  if (options.json) {
    Json list = Json::array();
    for (const WaiterInfo& waiter : answer.waiters) {
      Json item;
      AddText(item, "waiter", waiter.name);
      item["node"] = waiter.session.node.ToString();
      AddText(item, "owner", waiter.owner);
      list.push_back(std::move(item));
    }
    Json body;
    AddText(body, "key", key);
    if (answer.holder.has_value()) body["lock"] = LockToJson(*answer.holder);
    body["waiters"] = std::move(list);
    return Finish(WriteJson(body));
  }
  Table table({"PLACE", "WAITER", "OWNER"});
  for (size_t i = 0; i < answer.waiters.size(); ++i) {
    table.Add({absl::StrCat(i + 1), Escape(answer.waiters[i].name),
               Escape(answer.waiters[i].owner)});
  }
  return Finish(WriteOutput(table.ToString()));
}

}  // namespace

ExitCode ListLocks(const ClientOptions& options,
                   const ListArguments& arguments) {
  if (!arguments.waiters.empty()) return ListQueue(options, arguments.waiters);
  const Asked asked = AskForLocks(options, arguments);
  if (!asked.reply.has_value()) return asked.exit_code;
  const std::vector<LockInfo>& locks = asked.reply->answer.locks;
  if (options.json) {
    Json list = Json::array();
    for (const LockInfo& lock : locks) list.push_back(LockToJson(lock));
    return Finish(WriteJson({{"locks", list}}));
  }
  Table table({"KEY", "HOLDER", "LEASE LEFT", "SESSION LEFT", "WAITERS",
               "TOKEN", "OWNER"});
  for (const LockInfo& lock : locks) {
    table.Add({Escape(lock.key), Escape(lock.holder_name),
               Words(lock.lease_remaining), Words(lock.session_remaining),
               absl::StrCat(lock.waiters), lock.token.ToString(),
               Escape(lock.owner)});
  }
  return Finish(WriteOutput(table.ToString()));
}

ExitCode ListMembers(const ClientOptions& options,
                     const ListArguments& arguments) {
  const Asked asked = AskOrRefuse(
      options,
      {.operation = LocalOperation::kListMembers, .is_local = arguments.local},
      "members");
  if (!asked.reply.has_value()) return asked.exit_code;
  const std::vector<MemberInfo> members =
      ToShow(asked.reply->answer.members, arguments.all);
  if (options.json) {
    Json list = Json::array();
    for (const MemberInfo& member : members) {
      list.push_back(MemberToJson(member));
    }
    return Finish(WriteJson({{"members", list}}));
  }
  Table table({"NAME", "ADDRESS", "STATE", "ROLE", "ID"});
  for (const MemberInfo& member : members) {
    table.Add({Escape(member.name), member.address.ToString(),
               MemberStateName(member.state), MemberRoleName(member.role),
               member.id.ToShortString()});
  }
  return Finish(WriteOutput(table.ToString()));
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
    return Finish(WriteJson(StatusToJson(status)));
  }
  Table table({"name", Escape(status.name)});
  table.Add({"id", status.id.ToString()});
  table.Add({"address", status.address.ToString()});
  table.Add({"standing", Describe(status.standing)});
  table.Add({"role", MemberRoleName(status.role)});
  table.Add({"term", absl::StrCat(status.term.value())});
  table.Add({"leader", LeaderInWords(status)});
  table.Add({"cluster",
             status.cluster.IsNone() ? "none" : status.cluster.ToString()});
  table.Add({"remembers", MemoryInWords(status)});
  if (const std::string to_do = WhatToDo(status); !to_do.empty()) {
    table.Add({"to do", to_do});
  }
  table.Add({"members alive", absl::StrCat(status.members_alive)});
  table.Add({"cluster's voters", DescribeSurvival(status.survival)});
  if (status.outage.kind != Outage::Kind::kNone) {
    table.Add({"no leader", DescribeOutage(status.outage)});
  }
  table.Add({"locks", absl::StrCat(status.locks)});
  table.Add({"log", absl::StrCat("committed ", status.commit.value(),
                                 ", applied ", status.applied.value())});
  table.Add(
      {"snapshots", absl::StrCat(status.snapshots_sent, " sent, ",
                                 status.snapshots_installed, " installed")});
  table.Add({"elections won", absl::StrCat(status.elections_won)});
  table.Add({"dropped", DroppedInWords(status)});
  table.Add({"longest turn", Words(status.longest_turn)});
  for (const std::string& problem : status.problems) {
    table.Add({"problem", Escape(problem)});
  }
  return Finish(WriteOutput(table.ToString()));
}

ExitCode Leave(const ClientOptions& options) {
  const Asked asked =
      AskOrRefuse(options, {.operation = LocalOperation::kLeave}, "not left");
  if (!asked.reply.has_value()) return asked.exit_code;
  if (options.json) {
    return Finish(WriteJson({{"outcome", OutcomeName(Outcome::kOk)}}));
  }
  return Finish(WriteOutput("left\n"));
}

}  // namespace cachalot::tools
