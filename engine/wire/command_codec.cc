#include "engine/wire/command_codec.h"

#include <variant>

#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/wire/parts.h"

namespace cachalot::codec {

Offset<wire::ExpireLock> ToTable(Writer& writer, const Expire::OfLock& lock) {
  const auto key = writer.Bytes(lock.key);
  return wire::CreateExpireLock(writer.builder(), lock.token.number(), key);
}

Expire::OfLock FromTable(Reader& reader, const wire::ExpireLock& lock) {
  return {.key = reader.Key(lock.key()), .token = reader.Token(lock.token())};
}

namespace {

Offset<wire::OpenSession> ToTable(Writer& writer, const OpenSession& open) {
  const auto name = writer.Text(open.name);
  return wire::CreateOpenSession(
      writer.builder(), UnlessNone(open.session, ToWire(open.session)),
      absl::ToInt64Nanoseconds(open.ttl), name, open.token_floor.number());
}

OpenSession FromTable(Reader& reader, const wire::OpenSession& open) {
  return {.session = ToSession(reader, open.session()),
          .ttl = reader.Ttl(open.ttl_ns()),
          .name = reader.Text(open.name(), limits::kNameBytesMax, "name"),
          .token_floor = reader.TokenFloor(open.token_floor())};
}

Offset<wire::KeepAlive> ToTable(Writer& writer, const KeepAlive& keep) {
  return wire::CreateKeepAlive(writer.builder(),
                               UnlessNone(keep.session, ToWire(keep.session)),
                               keep.renewal, keep.first_outstanding.value());
}

KeepAlive FromTable(Reader& reader, const wire::KeepAlive& keep) {
  return {
      .session = ToSession(reader, keep.session()),
      .renewal = reader.Ordinal(keep.renewal()),
      .first_outstanding = reader.Ordinal<Sequence>(keep.first_outstanding())};
}

Offset<wire::CloseSession> ToTable(Writer& writer, const CloseSession& close) {
  return wire::CreateCloseSession(
      writer.builder(), UnlessNone(close.session, ToWire(close.session)));
}

CloseSession FromTable(Reader& reader, const wire::CloseSession& close) {
  return {.session = ToSession(reader, close.session())};
}

Offset<wire::Acquire> ToTable(Writer& writer, const Acquire& acquire) {
  const auto key = writer.Bytes(acquire.key);
  const auto owner = writer.Text(acquire.owner);
  return wire::CreateAcquire(
      writer.builder(), UnlessNone(acquire.session, ToWire(acquire.session)),
      acquire.sequence.value(), acquire.first_outstanding.value(),
      absl::ToInt64Nanoseconds(acquire.ttl), key, owner, acquire.waits);
}

Acquire FromTable(Reader& reader, const wire::Acquire& acquire) {
  return {
      .session = ToSession(reader, acquire.session()),
      .sequence = reader.Ordinal<Sequence>(acquire.sequence()),
      .first_outstanding =
          reader.Ordinal<Sequence>(acquire.first_outstanding()),
      .key = reader.Key(acquire.key()),
      .ttl = reader.Ttl(acquire.ttl_ns()),
      .waits = acquire.waits(),
      .owner = reader.Text(acquire.owner(), limits::kOwnerBytesMax, "owner")};
}

Offset<wire::Renew> ToTable(Writer& writer, const Renew& renew) {
  const auto key = writer.Bytes(renew.key);
  return wire::CreateRenew(
      writer.builder(), UnlessNone(renew.session, ToWire(renew.session)),
      renew.sequence.value(), renew.first_outstanding.value(),
      renew.token.number(), absl::ToInt64Nanoseconds(renew.ttl), key);
}

Renew FromTable(Reader& reader, const wire::Renew& renew) {
  return {
      .session = ToSession(reader, renew.session()),
      .sequence = reader.Ordinal<Sequence>(renew.sequence()),
      .first_outstanding = reader.Ordinal<Sequence>(renew.first_outstanding()),
      .key = reader.Key(renew.key()),
      .token = reader.Token(renew.token()),
      .ttl = reader.Ttl(renew.ttl_ns())};
}

Offset<wire::Release> ToTable(Writer& writer, const Release& release) {
  const auto key = writer.Bytes(release.key);
  return wire::CreateRelease(
      writer.builder(), UnlessNone(release.session, ToWire(release.session)),
      release.sequence.value(), release.first_outstanding.value(),
      release.token.number(), key);
}

Release FromTable(Reader& reader, const wire::Release& release) {
  return {.session = ToSession(reader, release.session()),
          .sequence = reader.Ordinal<Sequence>(release.sequence()),
          .first_outstanding =
              reader.Ordinal<Sequence>(release.first_outstanding()),
          .key = reader.Key(release.key()),
          .token = reader.Token(release.token())};
}

Offset<wire::Withdraw> ToTable(Writer& writer, const Withdraw& withdraw) {
  const auto key = writer.Bytes(withdraw.key);
  return wire::CreateWithdraw(
      writer.builder(), UnlessNone(withdraw.session, ToWire(withdraw.session)),
      withdraw.sequence.value(), withdraw.first_outstanding.value(),
      withdraw.acquire.value(), key);
}

Withdraw FromTable(Reader& reader, const wire::Withdraw& withdraw) {
  return {.session = ToSession(reader, withdraw.session()),
          .sequence = reader.Ordinal<Sequence>(withdraw.sequence()),
          .first_outstanding =
              reader.Ordinal<Sequence>(withdraw.first_outstanding()),
          .key = reader.Key(withdraw.key()),
          .acquire = reader.Ordinal<Sequence>(withdraw.acquire())};
}

Offset<wire::Expire> ToTable(Writer& writer, const Expire& expire) {
  const auto sessions =
      writer.Structs(expire.sessions, [](const Expire::OfSession& session) {
        return wire::ExpireSession(ToWire(session.session), session.renewal);
      });
  const auto locks = writer.Tables(expire.locks);
  return wire::CreateExpire(writer.builder(), sessions, locks);
}

Expire FromTable(Reader& reader, const wire::Expire& expire) {
  return {.sessions = reader.Structs(
              expire.sessions(), limits::kSessionsMax, "sessions",
              [&reader](const wire::ExpireSession& session) {
                return Expire::OfSession{
                    .session = ToSession(reader, &session.session()),
                    .renewal = reader.Ordinal(session.renewal())};
              }),
          .locks = reader.Tables(expire.locks(), limits::kLocksMax, "locks")};
}

Offset<wire::BeginTerm> ToTable(Writer& writer, const BeginTerm& begin) {
  return wire::CreateBeginTerm(
      writer.builder(), absl::ToInt64Nanoseconds(begin.grace),
      begin.token_base.number(), absl::ToInt64Nanoseconds(begin.quarantine));
}

BeginTerm FromTable(Reader& reader, const wire::BeginTerm& begin) {
  return {.grace = reader.Nanoseconds(begin.grace_ns(), absl::ZeroDuration(),
                                      limits::TtlMax(), "grace"),
          .token_base = reader.TokenFloor(begin.token_base()),
          .quarantine =
              reader.Nanoseconds(begin.quarantine_ns(), absl::ZeroDuration(),
                                 limits::TtlMax(), "quarantine")};
}

Offset<wire::Revoke> ToTable(Writer& writer, const Revoke& revoke) {
  const auto key = writer.Bytes(revoke.key);
  const auto reason = writer.Text(revoke.reason);
  return wire::CreateRevoke(
      writer.builder(), UnlessNone(revoke.session, ToWire(revoke.session)),
      revoke.sequence.value(), revoke.first_outstanding.value(),
      revoke.token.number(), key, reason);
}

Revoke FromTable(Reader& reader, const wire::Revoke& revoke) {
  return {
      .session = ToSession(reader, revoke.session()),
      .sequence = reader.Ordinal<Sequence>(revoke.sequence()),
      .first_outstanding = reader.Ordinal<Sequence>(revoke.first_outstanding()),
      .key = reader.Key(revoke.key()),
      .token = reader.Token(revoke.token()),
      .reason =
          reader.Text(revoke.reason(), limits::kReasonBytesMax, "reason")};
}

// REQUIRES: `table` is a `Table`, as the verifier has checked.
template <typename Table>
void AddTo(std::vector<LockCommand>& commands, Reader& reader,
           const void* table) {
  commands.emplace_back(FromTable(reader, *static_cast<const Table*>(table)));
}

void AddTo(std::vector<LockCommand>& commands, Reader& reader,
           wire::LockCommand kind, const void* table) {
  switch (kind) {
    case wire::LockCommand::NONE:
      break;
    case wire::LockCommand::OpenSession:
      return AddTo<wire::OpenSession>(commands, reader, table);
    case wire::LockCommand::KeepAlive:
      return AddTo<wire::KeepAlive>(commands, reader, table);
    case wire::LockCommand::CloseSession:
      return AddTo<wire::CloseSession>(commands, reader, table);
    case wire::LockCommand::Acquire:
      return AddTo<wire::Acquire>(commands, reader, table);
    case wire::LockCommand::Renew:
      return AddTo<wire::Renew>(commands, reader, table);
    case wire::LockCommand::Release:
      return AddTo<wire::Release>(commands, reader, table);
    case wire::LockCommand::Withdraw:
      return AddTo<wire::Withdraw>(commands, reader, table);
    case wire::LockCommand::Expire:
      return AddTo<wire::Expire>(commands, reader, table);
    case wire::LockCommand::BeginTerm:
      return AddTo<wire::BeginTerm>(commands, reader, table);
    case wire::LockCommand::Revoke:
      return AddTo<wire::Revoke>(commands, reader, table);
  }
  reader.Require(false, "kind of command");
}

}  // namespace

CommandVectors ToVectors(Writer& writer,
                         absl::Span<const LockCommand> commands) {
  std::vector<wire::LockCommand> kinds;
  std::vector<Offset<void>> tables;
  kinds.reserve(commands.size());
  tables.reserve(commands.size());
  const auto add = [&]<typename Table>(Offset<Table> table) {
    // A copy: push_back() takes a reference, and the generated constant has no
    // definition to refer to.
    constexpr wire::LockCommand kKind =
        wire::LockCommandTraits<Table>::enum_value;
    kinds.push_back(kKind);
    tables.push_back(table.Union());
  };
  for (const LockCommand& command : commands) {
    std::visit([&](const auto& body) { add(ToTable(writer, body)); }, command);
  }
  return {.kinds = writer.Elements(kinds), .tables = writer.Elements(tables)};
}

std::vector<LockCommand> FromVectors(Reader& reader,
                                     const Vector<wire::LockCommand>* kinds,
                                     const Vector<Offset<void>>* tables) {
  std::vector<LockCommand> commands;
  // The verifier has checked that there are both or neither, of the same size.
  if (kinds == nullptr || tables == nullptr) return commands;
  if (!reader.Require(tables->size() <= limits::kProposalsPerTurnMax,
                      "commands")) {
    return commands;
  }
  commands.reserve(tables->size());
  for (flatbuffers::uoffset_t i = 0; reader.ok() && i < tables->size(); ++i) {
    AddTo(commands, reader, kinds->GetEnum<wire::LockCommand>(i),
          tables->Get(i));
  }
  return commands;
}

}  // namespace cachalot::codec
