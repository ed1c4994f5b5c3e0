#include "tests/engine/locks/command_generator.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/limits.h"

namespace cachalot {
namespace {

constexpr uint64_t kNodes = 4;
constexpr uint64_t kKeys = 5;

}  // namespace

std::vector<LockCommand> CommandGenerator::NextEntry() {
  std::vector<LockCommand> commands(random_.Below(6));
  std::generate(commands.begin(), commands.end(), [this] { return Next(); });
  return commands;
}

void CommandGenerator::Learn(absl::Span<const Reply> replies) {
  for (const Reply& reply : replies) {
    if (reply.kind == Reply::Kind::kSessionGone) ForgetSession(reply.session);
    if (reply.kind != Reply::Kind::kAnswered) continue;
    if (reply.token.IsNone()) continue;
    const auto asked = std::find_if(
        history_.rbegin(), history_.rend(), [&](const LockCommand& command) {
          const auto* acquire = std::get_if<Acquire>(&command);
          return acquire != nullptr && acquire->session == reply.session &&
                 acquire->sequence == reply.sequence;
        });
    if (asked == history_.rend()) continue;
    grants_.push_back(
        {reply.session, reply.token, std::get<Acquire>(*asked).key});
  }
}

void CommandGenerator::ForgetSession(const SessionId& session) {
  if (random_.Chance(1, 8)) return;  // the reply was lost
  std::erase_if(clients_, [&session](const Client& client) {
    return client.session == session;
  });
}

LockCommand CommandGenerator::Next() {
  // A retry, a duplicate on the way, or one that was late by any time.
  if (!history_.empty() && random_.Chance(1, 5)) {
    const uint64_t back = random_.Chance(1, 4)
                              ? history_.size()
                              : std::min<uint64_t>(8, history_.size());
    return history_[history_.size() - 1 - random_.Below(back)];
  }
  history_.push_back(Fresh());
  return history_.back();
}

LockCommand CommandGenerator::Fresh() {
  if (clients_.empty()) return MakeOpen();
  switch (random_.Below(26)) {
    case 0:
    case 1:
      return MakeOpen();
    case 2:
    case 3:
    case 4:
      return MakeKeepAlive();
    case 5:
      return CloseSession{.session = AnyClient().session};
    case 6:
    case 7:
    case 8:
      return MakeExpire();
    case 9:
      return BeginTerm{
          .grace = random_.Between(absl::ZeroDuration(), absl::Seconds(4)),
          .token_base = FencingToken(random_.Below(uint64_t{1} << 40))};
    case 10:
    case 11:
      return MakeRenew();
    case 12:
    case 13:
    case 14:
    case 15:
      return MakeRelease();
    case 16:
    case 17:
      return MakeWithdraw();
    case 18:
    case 19:
      return MakeRevoke();
    default:
      return MakeAcquire();
  }
}

LockCommand CommandGenerator::MakeOpen() {
  Client client;
  client.session.node = NodeId{0, 1 + random_.Below(kNodes)};
  // Mostly the node's next number; a lower one may be open, or over.
  uint64_t& last = last_session_[client.session.node];
  client.session.number =
      random_.Chance(1, 4) ? random_.Below(last + 2) : last + 1;
  last = std::max(last, client.session.number);
  clients_.push_back(client);
  if (clients_.size() > 8) clients_.erase(clients_.begin());
  return OpenSession{
      .session = client.session,
      .ttl = AnyTtl(),
      .name = absl::StrCat("node", client.session.node.low),
      .token_floor = FencingToken(
          random_.Chance(1, 8) ? random_.Below(uint64_t{1} << 41) : 0)};
}

LockCommand CommandGenerator::MakeKeepAlive() {
  Client& client = AnyClient();
  return KeepAlive{.session = client.session,
                   .renewal = ++client.last_renewal,
                   .first_outstanding = FirstOutstanding(client)};
}

LockCommand CommandGenerator::MakeAcquire() {
  Client& client = AnyClient();
  return Acquire{.session = client.session,
                 .sequence = NumberFor(client),
                 .first_outstanding = FirstOutstanding(client),
                 .key = AnyKey(),
                 .ttl = AnyTtl(),
                 .waits = random_.Chance(2, 3),
                 .owner = absl::StrCat("owner", random_.Below(3))};
}

LockCommand CommandGenerator::MakeRenew() {
  const Granted grant = AnyGrant();
  Client& client = AnyClientFor(grant);
  return Renew{.session = client.session,
               .sequence = NumberFor(client),
               .first_outstanding = FirstOutstanding(client),
               .key = grant.key,
               .token = grant.token,
               .ttl = AnyTtl()};
}

LockCommand CommandGenerator::MakeRelease() {
  const Granted grant = AnyGrant();
  Client& client = AnyClientFor(grant);
  return Release{.session = client.session,
                 .sequence = NumberFor(client),
                 .first_outstanding = FirstOutstanding(client),
                 .key = grant.key,
                 .token = grant.token};
}

LockCommand CommandGenerator::MakeWithdraw() {
  Client& client = AnyClient();
  Withdraw withdraw{
      .session = client.session,
      .sequence = NumberFor(client),
      .first_outstanding = FirstOutstanding(client),
      .key = AnyKey(),
      .acquire = Sequence(random_.Below(client.last_sequence + 4))};
  // Mostly of something that was really asked.
  for (auto asked = history_.rbegin(); asked != history_.rend(); ++asked) {
    const auto* acquire = std::get_if<Acquire>(&*asked);
    if (acquire == nullptr || acquire->session != client.session) continue;
    if (random_.Chance(1, 3)) continue;
    withdraw.key = acquire->key;
    withdraw.acquire = acquire->sequence;
    break;
  }
  return withdraw;
}

LockCommand CommandGenerator::MakeExpire() {
  Expire expire;
  for (uint64_t i = random_.Below(3); i > 0; --i) {
    const Client& client = AnyClient();
    expire.sessions.push_back(
        {client.session,
         client.last_renewal - random_.Below(client.last_renewal + 1) / 2});
  }
  for (uint64_t i = random_.Below(3); i > 0; --i) {
    const Granted grant = AnyGrant();
    expire.locks.push_back({grant.key, grant.token});
  }
  return expire;
}

LockCommand CommandGenerator::MakeRevoke() {
  Client& client = AnyClient();
  Revoke revoke{.session = client.session,
                .sequence = NumberFor(client),
                .first_outstanding = FirstOutstanding(client),
                .key = AnyKey(),
                .reason = absl::StrCat("reason ", random_.Below(3))};
  if (random_.Chance(1, 2)) {
    const Granted grant = AnyGrant();
    revoke.key = grant.key;
    revoke.token = grant.token;
  }
  if (random_.Chance(1, 60)) revoke.reason.clear();
  return revoke;
}

CommandGenerator::Client& CommandGenerator::AnyClient() {
  return clients_[random_.Below(clients_.size())];
}

CommandGenerator::Client& CommandGenerator::AnyClientFor(const Granted& grant) {
  if (random_.Chance(1, 8)) return AnyClient();
  for (Client& client : clients_) {
    if (client.session == grant.session) return client;
  }
  return AnyClient();
}

Sequence CommandGenerator::NumberFor(Client& client) {
  if (random_.Chance(1, 50)) {
    return Sequence(client.first_outstanding + limits::kRequestsPerSessionMax);
  }
  // Numbers that are passed over may still be used: they arrive out of order.
  if (random_.Chance(1, 6))
    return Sequence(random_.Below(client.last_sequence + 2));
  client.last_sequence += random_.Chance(1, 6) ? 2 : 1;
  return Sequence(client.last_sequence);
}

Sequence CommandGenerator::FirstOutstanding(Client& client) {
  if (random_.Chance(1, 4)) {
    client.first_outstanding = std::max(
        client.first_outstanding, random_.Below(client.last_sequence + 2));
  }
  return Sequence(client.first_outstanding);
}

std::string CommandGenerator::AnyKey() {
  if (random_.Chance(1, 60)) return "";
  const char* const folder = random_.Chance(1, 2) ? "a/" : "b/";
  return absl::StrCat(folder, random_.Below(kKeys));
}

absl::Duration CommandGenerator::AnyTtl() {
  if (random_.Chance(1, 60)) return absl::ZeroDuration();
  return random_.Between(limits::TtlMin(), absl::Seconds(8));
}

CommandGenerator::Granted CommandGenerator::AnyGrant() {
  if (grants_.empty()) return {};
  const uint64_t back = std::min<uint64_t>(6, grants_.size());
  return grants_[grants_.size() - 1 - random_.Below(back)];
}

}  // namespace cachalot
