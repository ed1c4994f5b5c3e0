#include "engine/wire/client_codec.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/wire/command_codec.h"
#include "engine/wire/parts.h"

namespace cachalot::codec {
namespace {

// The rest of a lease is negative if it is over but has not been expired yet.
absl::Duration ReadRemaining(Reader& reader, int64_t value) {
  return reader.Nanoseconds(value, -limits::WaitMax(), limits::WaitMax(),
                            "remaining");
}

}  // namespace

Offset<wire::Read> ToTable(Writer& writer, const Read& read) {
  if (const auto* locks = std::get_if<ListLocksRequest>(&read.what)) {
    const auto prefix = writer.Bytes(locks->prefix);
    const auto after = writer.Bytes(locks->after);
    return wire::CreateRead(writer.builder(), read.number, prefix, after,
                            locks->limit, wire::ReadKind::Locks);
  }
  if (const auto* waiters = std::get_if<ListWaitersRequest>(&read.what)) {
    const auto key = writer.Bytes(waiters->key);
    return wire::CreateRead(writer.builder(), read.number, key, 0,
                            waiters->limit, wire::ReadKind::Waiters,
                            waiters->skip);
  }
  return wire::CreateRead(writer.builder(), read.number, 0, 0, 0,
                          wire::ReadKind::Members);
}

Read FromTable(Reader& reader, const wire::Read& read) {
  Read result{.number = reader.Number(read.number())};
  switch (read.kind()) {
    case wire::ReadKind::Locks:
      result.what = ListLocksRequest{
          .prefix = reader.Bytes(read.prefix(), limits::kKeyBytesMax, "prefix"),
          .after = reader.Bytes(read.after(), limits::kKeyBytesMax, "after"),
          .limit = read.limit()};
      return result;
    case wire::ReadKind::Members:
      result.what = ListMembersRequest();
      return result;
    case wire::ReadKind::Waiters:
      result.what = ListWaitersRequest{.key = reader.Key(read.prefix()),
                                       .skip = read.skip(),
                                       .limit = read.limit()};
      return result;
  }
  reader.Require(false, "kind of read");
  return result;
}

Offset<wire::LockInfo> ToTable(Writer& writer, const LockInfo& lock) {
  const auto key = writer.Bytes(lock.key);
  const auto holder_name = writer.Text(lock.holder_name);
  const auto owner = writer.Text(lock.owner);
  const auto reason = writer.Text(lock.revoke_reason);
  return wire::CreateLockInfo(
      writer.builder(), key, lock.token.number(),
      UnlessNone(lock.holder, ToWire(lock.holder)), holder_name, owner,
      absl::ToInt64Nanoseconds(lock.lease_remaining),
      absl::ToInt64Nanoseconds(lock.session_remaining), lock.waiters, reason);
}

LockInfo FromTable(Reader& reader, const wire::LockInfo& lock) {
  const absl::Duration lease = ReadRemaining(reader, lock.lease_remaining_ns());
  const absl::Duration session =
      ReadRemaining(reader, lock.session_remaining_ns());
  return {.key = reader.Key(lock.key()),
          .token = reader.Token(lock.token()),
          .holder = ToSession(reader, lock.holder()),
          .holder_name = reader.Text(lock.holder_name(), limits::kNameBytesMax,
                                     "holder_name"),
          .owner = reader.Text(lock.owner(), limits::kOwnerBytesMax, "owner"),
          .remaining = std::min(lease, session),
          .lease_remaining = lease,
          .session_remaining = session,
          .waiters = lock.waiters(),
          .revoke_reason = reader.Text(
              lock.revoke_reason(), limits::kReasonBytesMax, "revoke_reason")};
}

Offset<wire::WaiterInfo> ToTable(Writer& writer, const WaiterInfo& waiter) {
  const auto name = writer.Text(waiter.name);
  const auto owner = writer.Text(waiter.owner);
  return wire::CreateWaiterInfo(
      writer.builder(), UnlessNone(waiter.session, ToWire(waiter.session)),
      name, owner);
}

WaiterInfo FromTable(Reader& reader, const wire::WaiterInfo& waiter) {
  return {
      .session = ToSession(reader, waiter.session()),
      .name = reader.Text(waiter.name(), limits::kNameBytesMax, "name"),
      .owner = reader.Text(waiter.owner(), limits::kOwnerBytesMax, "owner")};
}

Offset<wire::MemberInfo> ToTable(Writer& writer, const MemberInfo& member) {
  const auto name = writer.Text(member.name);
  return wire::CreateMemberInfo(
      writer.builder(), UnlessNone(member.id, ToWire(member.id)), name,
      UnlessNone(member.address, ToWire(member.address)),
      static_cast<wire::MemberState>(member.state),
      static_cast<wire::MemberRole>(member.role));
}

MemberInfo FromTable(Reader& reader, const wire::MemberInfo& member) {
  return {.id = ToId<NodeId>(member.id()),
          .name = reader.Text(member.name(), limits::kNameBytesMax, "name"),
          .address = ToAddress(member.address()),
          .state = reader.Enum<MemberState>(member.state(),
                                            wire::MemberState::MAX, "state"),
          .role = reader.Enum<MemberRole>(member.role(), wire::MemberRole::MAX,
                                          "role")};
}

Offset<wire::ReadResult> ToTable(Writer& writer, const ReadResult& result) {
  const auto locks = writer.Tables(result.locks);
  const auto members = writer.Tables(result.members);
  const auto waiters = writer.Tables(result.waiters);
  Offset<wire::LockInfo> holder;
  if (result.holder.has_value()) holder = ToTable(writer, *result.holder);
  return wire::CreateReadResult(writer.builder(), result.number, locks, members,
                                result.more, waiters, holder);
}

ReadResult FromTable(Reader& reader, const wire::ReadResult& result) {
  std::optional<LockInfo> holder;
  if (result.holder() != nullptr) holder = FromTable(reader, *result.holder());
  return {
      .number = reader.Number(result.number()),
      .locks = reader.Tables(result.locks(), limits::kListLocksMax, "locks"),
      .more = result.more(),
      .members =
          reader.Tables(result.members(), limits::kMembersMax, "members"),
      .waiters =
          reader.Tables(result.waiters(), limits::kListWaitersMax, "waiters"),
      .holder = std::move(holder)};
}

Offset<wire::Forward> ToTable(Writer& writer, const Forward& forward) {
  const CommandVectors commands = ToVectors(writer, forward.commands);
  const auto reads = writer.Tables(forward.reads);
  return wire::CreateForward(writer.builder(), commands.kinds, commands.tables,
                             reads);
}

Forward FromTable(Reader& reader, const wire::Forward& forward) {
  return {.commands =
              FromVectors(reader, forward.commands_type(), forward.commands()),
          .reads = reader.Tables(forward.reads(),
                                 limits::kRequestsPerSessionMax, "reads")};
}

Offset<wire::Reply> ToTable(Writer& writer, const Reply& reply) {
  const auto key = writer.Bytes(reply.key);
  const auto holder_name = writer.Text(reply.holder_name);
  const auto owner = writer.Text(reply.owner);
  const auto text = writer.Text(reply.text);
  return wire::CreateReply(
      writer.builder(), UnlessNone(reply.session, ToWire(reply.session)),
      reply.sequence.value(), reply.renewal, reply.token.number(),
      reply.index.value(), reply.granted_at.value(), key,
      absl::ToInt64Nanoseconds(reply.lease_remaining),
      absl::ToInt64Nanoseconds(reply.session_remaining),
      UnlessNone(reply.holder, ToWire(reply.holder)), holder_name, owner,
      static_cast<wire::ReplyKind>(reply.kind),
      static_cast<wire::Outcome>(reply.outcome),
      static_cast<wire::Limit>(reply.limit), text);
}

Reply FromTable(Reader& reader, const wire::Reply& reply) {
  return {
      .kind = reader.Enum<Reply::Kind>(reply.kind(), wire::ReplyKind::MAX,
                                       "kind of reply"),
      .session = ToSession(reader, reply.session()),
      .sequence = reader.Ordinal<Sequence>(reply.sequence()),
      .renewal = reader.Ordinal(reply.renewal()),
      .outcome =
          reader.Enum<Outcome>(reply.outcome(), wire::Outcome::MAX, "outcome"),
      .token = reader.Token(reply.token()),
      .index = reader.Ordinal<LogIndex>(reply.index()),
      .granted_at = reader.Ordinal<LogIndex>(reply.granted_at()),
      .key = reader.Bytes(reply.key(), limits::kKeyBytesMax, "key"),
      .lease_remaining = ReadRemaining(reader, reply.lease_remaining_ns()),
      .session_remaining = ReadRemaining(reader, reply.session_remaining_ns()),
      .holder = ToSession(reader, reply.holder()),
      .holder_name = reader.Text(reply.holder_name(), limits::kNameBytesMax,
                                 "holder_name"),
      .owner = reader.Text(reply.owner(), limits::kOwnerBytesMax, "owner"),
      .limit = reader.Enum<Limit>(reply.limit(), wire::Limit::MAX, "limit"),
      .text = reader.Text(reply.text(), limits::kReasonBytesMax, "text")};
}

Offset<wire::Replies> ToTable(Writer& writer, const Replies& replies) {
  const auto list = writer.Tables(replies.replies);
  const auto reads = writer.Tables(replies.reads);
  return wire::CreateReplies(writer.builder(), list, reads);
}

Replies FromTable(Reader& reader, const wire::Replies& replies) {
  return {.replies = reader.Tables(replies.replies(),
                                   limits::kProposalsPerTurnMax, "replies"),
          .reads = reader.Tables(replies.reads(),
                                 limits::kRequestsPerSessionMax, "reads")};
}

Offset<wire::Redirect> ToTable(Writer& writer, const Redirect& redirect) {
  return wire::CreateRedirect(
      writer.builder(), redirect.term.value(),
      UnlessNone(redirect.leader, ToWire(redirect.leader)),
      UnlessNone(redirect.address, ToWire(redirect.address)), redirect.busy);
}

Redirect FromTable(Reader& reader, const wire::Redirect& redirect) {
  return {.term = reader.Ordinal<Term>(redirect.term()),
          .leader = ToId<NodeId>(redirect.leader()),
          .address = ToAddress(redirect.address()),
          .busy = redirect.busy()};
}

}  // namespace cachalot::codec
