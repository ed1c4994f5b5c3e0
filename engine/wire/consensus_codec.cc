#include "engine/wire/consensus_codec.h"

#include <algorithm>

#include "engine/limits.h"
#include "engine/wire/parts.h"

namespace cachalot::codec {
namespace {

wire::Voter ToStruct(const Voter& voter) {
  return {ToWire(voter.id), ToWire(voter.address)};
}

Voter FromStruct(const wire::Voter& voter) {
  return {.id = ToId<NodeId>(&voter.id()),
          .address = ToAddress(&voter.address())};
}

bool RiseById(const std::vector<Voter>& voters) {
  return std::adjacent_find(voters.begin(), voters.end(),
                            [](const Voter& a, const Voter& b) {
                              return a.id >= b.id;
                            }) == voters.end();
}

std::vector<Voter> ReadVoters(Reader& reader,
                              const Vector<const wire::Voter*>* voters) {
  std::vector<Voter> list =
      reader.Structs(voters, limits::kVotersMax, "voters", FromStruct);
  reader.Require(RiseById(list), "voters");
  return list;
}

}  // namespace

Offset<wire::Configuration> ToTable(Writer& writer,
                                    const Configuration& configuration) {
  const auto voters = writer.Structs(configuration.voters, ToStruct);
  const auto outgoing = writer.Structs(configuration.outgoing, ToStruct);
  return wire::CreateConfiguration(writer.builder(), voters, outgoing);
}

Configuration FromTable(Reader& reader,
                        const wire::Configuration& configuration) {
  return {.voters = ReadVoters(reader, configuration.voters()),
          .outgoing = ReadVoters(reader, configuration.outgoing())};
}

Offset<wire::Entry> ToTable(Writer& writer, const Entry& entry) {
  const auto payload = writer.Bytes(entry.payload.view());
  return wire::CreateEntry(writer.builder(), entry.term.value(),
                           entry.time.nanoseconds(), payload,
                           static_cast<wire::EntryKind>(entry.kind));
}

Entry FromTable(Reader& reader, const wire::Entry& entry) {
  return {.term = reader.Ordinal<Term>(entry.term()),
          .time = reader.Time(entry.time_ns()),
          .kind = reader.Enum<EntryKind>(entry.kind(), wire::EntryKind::MAX,
                                         "kind"),
          .payload = SharedBytes(reader.Bytes(
              entry.payload(), limits::kEntryBytesMax, "payload"))};
}

Offset<wire::VoteRequest> ToTable(Writer& writer, const VoteRequest& request) {
  return wire::CreateVoteRequest(
      writer.builder(), request.term.value(), request.last_index.value(),
      request.last_term.value(), request.is_pre_vote, request.is_transfer);
}

VoteRequest FromTable(Reader& reader, const wire::VoteRequest& request) {
  return {.term = reader.Ordinal<Term>(request.term()),
          .last_index = reader.Ordinal<LogIndex>(request.last_index()),
          .last_term = reader.Ordinal<Term>(request.last_term()),
          .is_pre_vote = request.is_pre_vote(),
          .is_transfer = request.is_transfer()};
}

Offset<wire::VoteReply> ToTable(Writer& writer, const VoteReply& reply) {
  return wire::CreateVoteReply(writer.builder(), reply.term.value(),
                               reply.granted, reply.is_pre_vote);
}

VoteReply FromTable(Reader& reader, const wire::VoteReply& reply) {
  return {.term = reader.Ordinal<Term>(reply.term()),
          .granted = reply.granted(),
          .is_pre_vote = reply.is_pre_vote()};
}

Offset<wire::Append> ToTable(Writer& writer, const Append& append) {
  const auto entries = writer.Tables(append.entries);
  return wire::CreateAppend(writer.builder(), append.term.value(),
                            append.previous_index.value(),
                            append.previous_term.value(), append.commit.value(),
                            append.read_round, entries);
}

Append FromTable(Reader& reader, const wire::Append& append) {
  Append result = {
      .term = reader.Ordinal<Term>(append.term()),
      .previous_index = reader.Ordinal<LogIndex>(append.previous_index()),
      .previous_term = reader.Ordinal<Term>(append.previous_term()),
      .commit = reader.Ordinal<LogIndex>(append.commit()),
      .read_round = reader.Number(append.read_round()),
      .entries = reader.Tables(append.entries(), limits::kAppendEntriesMax,
                               "entries")};
  size_t size = 0;
  for (const Entry& entry : result.entries) size += entry.payload.size();
  reader.Require(size <= limits::kAppendBytesMax, "entries");
  return result;
}

Offset<wire::AppendReply> ToTable(Writer& writer, const AppendReply& reply) {
  return wire::CreateAppendReply(writer.builder(), reply.term.value(),
                                 reply.index.value(), reply.hint_term.value(),
                                 reply.rejected.value(), reply.read_round,
                                 reply.accepted);
}

AppendReply FromTable(Reader& reader, const wire::AppendReply& reply) {
  return {.term = reader.Ordinal<Term>(reply.term()),
          .accepted = reply.accepted(),
          .index = reader.Ordinal<LogIndex>(reply.index()),
          .hint_term = reader.Ordinal<Term>(reply.hint_term()),
          .rejected = reader.Ordinal<LogIndex>(reply.rejected()),
          .read_round = reader.Number(reply.read_round())};
}

Offset<wire::SnapshotChunk> ToTable(Writer& writer,
                                    const SnapshotChunk& chunk) {
  const auto configuration = ToTable(writer, chunk.configuration);
  const auto bytes = writer.Bytes(chunk.bytes);
  return wire::CreateSnapshotChunk(
      writer.builder(), chunk.term.value(), chunk.index.value(),
      chunk.index_term.value(), chunk.time.nanoseconds(), configuration,
      chunk.offset, chunk.total, bytes, chunk.read_round);
}

SnapshotChunk FromTable(Reader& reader, const wire::SnapshotChunk& chunk) {
  SnapshotChunk result = {
      .term = reader.Ordinal<Term>(chunk.term()),
      .index = reader.Ordinal<LogIndex>(chunk.index()),
      .index_term = reader.Ordinal<Term>(chunk.index_term()),
      .time = reader.Time(chunk.time_ns()),
      .offset = chunk.offset_bytes(),
      .total = chunk.total_bytes(),
      .bytes =
          reader.Bytes(chunk.bytes(), limits::kSnapshotChunkBytes, "bytes"),
      .read_round = reader.Number(chunk.read_round())};
  if (reader.Require(chunk.configuration() != nullptr, "configuration")) {
    result.configuration = FromTable(reader, *chunk.configuration());
  }
  reader.Require(result.total <= limits::kSnapshotBytesMax, "total");
  reader.Require(result.offset <= result.total, "offset");
  reader.Require(result.bytes.size() <= result.total - result.offset, "bytes");
  return result;
}

Offset<wire::SnapshotReply> ToTable(Writer& writer,
                                    const SnapshotReply& reply) {
  return wire::CreateSnapshotReply(writer.builder(), reply.term.value(),
                                   reply.index.value(), reply.received,
                                   reply.read_round);
}

SnapshotReply FromTable(Reader& reader, const wire::SnapshotReply& reply) {
  reader.Require(reply.received_bytes() <= limits::kSnapshotBytesMax,
                 "received");
  return {.term = reader.Ordinal<Term>(reply.term()),
          .index = reader.Ordinal<LogIndex>(reply.index()),
          .received = reply.received_bytes(),
          .read_round = reader.Number(reply.read_round())};
}

Offset<wire::TimeoutNow> ToTable(Writer& writer, const TimeoutNow& timeout) {
  return wire::CreateTimeoutNow(writer.builder(), timeout.term.value());
}

TimeoutNow FromTable(Reader& reader, const wire::TimeoutNow& timeout) {
  return {.term = reader.Ordinal<Term>(timeout.term())};
}

Offset<wire::LeaveIntent> ToTable(Writer& writer, const LeaveIntent& intent) {
  return wire::CreateLeaveIntent(writer.builder(), intent.asked_at);
}

LeaveIntent FromTable(Reader&, const wire::LeaveIntent& intent) {
  return {.asked_at = intent.asked_at()};
}

Offset<wire::LeaveReply> ToTable(Writer& writer, const LeaveReply& reply) {
  return wire::CreateLeaveReply(writer.builder(), reply.term.value(),
                                reply.asked_at);
}

LeaveReply FromTable(Reader& reader, const wire::LeaveReply& reply) {
  return {.term = reader.Ordinal<Term>(reply.term()),
          .asked_at = reply.asked_at()};
}

}  // namespace cachalot::codec
