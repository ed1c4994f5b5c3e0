#include "engine/wire/codec.h"

#include <cstring>
#include <utility>
#include <variant>

#include "engine/limits.h"
#include "engine/overloaded.h"
#include "engine/wire/birth_codec.h"
#include "engine/wire/checksum.h"
#include "engine/wire/client_codec.h"
#include "engine/wire/command_codec.h"
#include "engine/wire/consensus_codec.h"
#include "engine/wire/membership_codec.h"
#include "engine/wire/parts.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"
#include "engine/wire/writer.h"

namespace cachalot {
namespace {

using codec::Offset;
using codec::Reader;
using codec::Writer;

// The file identifiers of payloads: the four bytes after the root's offset.
constexpr char kCommandsIdentifier[] = "CMDS";
constexpr char kConfigurationIdentifier[] = "CONF";

// The deepest nesting: an envelope, a message, an element of a list, an element
// of an Expire in it; and one more.
constexpr flatbuffers::uoffset_t kDepthMax = 5;
// A table and the offset that refers to it take at least four bytes each.
constexpr size_t kTableBytesMin = 8;

// The most bytes that a command, an entry or the like takes apart from its
// texts: the table, its share of a vtable, offsets and padding, rounded up.
constexpr size_t kTableBytesMax = 160;

// --- Sizes ------------------------------------------------------------------

size_t SizeOf(const Expire& expire) {
  size_t size =
      kTableBytesMax + expire.sessions.size() * sizeof(wire::ExpireSession);
  for (const Expire::OfLock& lock : expire.locks) {
    size += kTableBytesMax / 2 + lock.key.size();
  }
  return size;
}

// Most messages without lists take less.
constexpr size_t kSmall = 512;

// About how many bytes the message will take.
size_t SizeHint(const Message& message) {
  return std::visit(
      Overloaded{[](const Append& append) {
                   size_t size = kSmall;
                   for (const Entry& entry : append.entries) {
                     size += kTableBytesMax / 2 + entry.payload.size();
                   }
                   return size;
                 },
                 [](const SnapshotChunk& chunk) {
                   return kSmall + chunk.bytes.size();
                 },
                 [](const Forward& forward) {
                   return kSmall + kTableBytesMax * (forward.commands.size() +
                                                     forward.reads.size());
                 },
                 [](const Replies& replies) {
                   return kSmall + kTableBytesMax * replies.replies.size();
                 },
                 [](const auto&) { return kSmall; }},
      message);
}

// --- Verification -----------------------------------------------------------

// The same bytes at an address that is aligned for every type: in place if they
// are aligned already, else a copy.
class Aligned {
 public:
  explicit Aligned(absl::string_view bytes) : bytes_(bytes) {
    if (reinterpret_cast<uintptr_t>(bytes.data()) % sizeof(uint64_t) == 0) {
      return;
    }
    copy_.resize(bytes.size() / sizeof(uint64_t) + 1);
    std::memcpy(copy_.data(), bytes.data(), bytes.size());
    bytes_ = {reinterpret_cast<const char*>(copy_.data()), bytes.size()};
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;

  const uint8_t* data() const {
    return reinterpret_cast<const uint8_t*>(bytes_.data());
  }
  size_t size() const { return bytes_.size(); }

 private:
  absl::string_view bytes_;
  std::vector<uint64_t> copy_;
};

// The root table of `bytes`; null if a part of it would lie outside of them, or
// if verifying it would take more than linear time.
template <typename Root>
const Root* Verified(const Aligned& bytes, const char* identifier) {
  flatbuffers::Verifier::Options options;
  options.max_depth = kDepthMax;
  options.max_tables =
      static_cast<flatbuffers::uoffset_t>(bytes.size() / kTableBytesMin + 1);
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), options);
  if (!verifier.VerifyBuffer<Root>(identifier)) return nullptr;
  return flatbuffers::GetRoot<Root>(bytes.data());
}

absl::Status NotOurs(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// Decodes the payload of an entry: commands or a configuration.
template <typename Root, typename ReadRoot>
auto DecodePayload(absl::string_view payload, const char* identifier,
                   ReadRoot read)
    -> absl::StatusOr<decltype(read(std::declval<Reader&>(),
                                    std::declval<const Root&>()))> {
  if (payload.size() > limits::kEntryBytesMax) {
    return NotOurs("larger than any entry");
  }
  const Aligned bytes(payload);
  const Root* root = Verified<Root>(bytes, identifier);
  if (root == nullptr) return NotOurs("not the payload of an entry");
  Reader reader(bytes.size());
  auto result = read(reader, *root);
  if (!reader.ok()) return reader.status();
  return result;
}

// --- Envelopes --------------------------------------------------------------

struct UnionOfMessage {
  wire::Message kind;
  Offset<void> table;
};

UnionOfMessage ToUnion(Writer& writer, const Message& message) {
  const auto erase = []<typename Table>(Offset<Table> table) {
    return UnionOfMessage{.kind = wire::MessageTraits<Table>::enum_value,
                          .table = table.Union()};
  };
  return std::visit(
      [&](const auto& body) { return erase(ToTable(writer, body)); }, message);
}

Message FromUnion(Reader& reader, const wire::Envelope& envelope) {
  switch (envelope.message_type()) {
    case wire::Message::NONE:
      break;
    case wire::Message::Ping:
      return FromTable(reader, *envelope.message_as_Ping());
    case wire::Message::PingRequest:
      return FromTable(reader, *envelope.message_as_PingRequest());
    case wire::Message::Ack:
      return FromTable(reader, *envelope.message_as_Ack());
    case wire::Message::Nack:
      return FromTable(reader, *envelope.message_as_Nack());
    case wire::Message::Gossip:
      return FromTable(reader, *envelope.message_as_Gossip());
    case wire::Message::PushPull:
      return FromTable(reader, *envelope.message_as_PushPull());
    case wire::Message::VoteRequest:
      return FromTable(reader, *envelope.message_as_VoteRequest());
    case wire::Message::VoteReply:
      return FromTable(reader, *envelope.message_as_VoteReply());
    case wire::Message::Append:
      return FromTable(reader, *envelope.message_as_Append());
    case wire::Message::AppendReply:
      return FromTable(reader, *envelope.message_as_AppendReply());
    case wire::Message::SnapshotChunk:
      return FromTable(reader, *envelope.message_as_SnapshotChunk());
    case wire::Message::SnapshotReply:
      return FromTable(reader, *envelope.message_as_SnapshotReply());
    case wire::Message::TimeoutNow:
      return FromTable(reader, *envelope.message_as_TimeoutNow());
    case wire::Message::LeaveIntent:
      return FromTable(reader, *envelope.message_as_LeaveIntent());
    case wire::Message::LeaveReply:
      return FromTable(reader, *envelope.message_as_LeaveReply());
    case wire::Message::Forward:
      return FromTable(reader, *envelope.message_as_Forward());
    case wire::Message::Replies:
      return FromTable(reader, *envelope.message_as_Replies());
    case wire::Message::Redirect:
      return FromTable(reader, *envelope.message_as_Redirect());
    case wire::Message::BirthInvitation:
      return FromTable(reader, *envelope.message_as_BirthInvitation());
    case wire::Message::BirthAcceptance:
      return FromTable(reader, *envelope.message_as_BirthAcceptance());
  }
  reader.Require(false, "kind of message");
  return {};
}

Envelope FromTable(Reader& reader, const wire::Envelope& envelope) {
  Envelope result = {.cluster_name = envelope.cluster_name(),
                     .cluster = codec::ToId<ClusterId>(envelope.cluster()),
                     .from = codec::ToId<NodeId>(envelope.from()),
                     .to = codec::ToId<NodeId>(envelope.to()),
                     .from_address = codec::ToAddress(envelope.from_address())};
  // The verifier accepts a kind without its table.
  if (reader.Require(envelope.message() != nullptr, "message")) {
    result.message = FromUnion(reader, envelope);
  }
  return result;
}

std::string WithChecksum(absl::string_view body) {
  const uint64_t sum = flatbuffers::EndianScalar(Checksum(body));
  std::string bytes;
  bytes.reserve(body.size() + sizeof(sum));
  bytes.append(body.data(), body.size());
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof(sum));
  return bytes;
}

// Removes the checksum from the end of `bytes`; false if it does not match.
bool TakeChecksum(absl::string_view& bytes) {
  uint64_t sum = 0;
  if (bytes.size() < sizeof(sum)) return false;
  const size_t size = bytes.size() - sizeof(sum);
  std::memcpy(&sum, bytes.data() + size, sizeof(sum));
  bytes.remove_suffix(sizeof(sum));
  return Checksum(bytes) == flatbuffers::EndianScalar(sum);
}

}  // namespace

std::string Encode(const Envelope& envelope) {
  Writer writer(SizeHint(envelope.message));
  const UnionOfMessage message = ToUnion(writer, envelope.message);
  const auto root = wire::CreateEnvelope(
      writer.builder(), kProtocolVersion,
      codec::UnlessNone(envelope.cluster, codec::ToWire(envelope.cluster)),
      codec::UnlessNone(envelope.from, codec::ToWire(envelope.from)),
      codec::UnlessNone(envelope.to, codec::ToWire(envelope.to)),
      codec::UnlessNone(envelope.from_address,
                        codec::ToWire(envelope.from_address)),
      message.kind, message.table, envelope.cluster_name);
  return WithChecksum(writer.Finish(root, wire::EnvelopeIdentifier()));
}

absl::StatusOr<Envelope> Decode(absl::string_view bytes) {
  if (bytes.size() > limits::kFrameBytesMax) {
    return NotOurs("larger than any message");
  }
  if (!TakeChecksum(bytes)) return NotOurs("damaged, or not a message");
  const Aligned aligned(bytes);
  const auto* root =
      Verified<wire::Envelope>(aligned, wire::EnvelopeIdentifier());
  if (root == nullptr) return NotOurs("not a message");
  if (root->protocol_version() != kProtocolVersion) {
    return absl::UnimplementedError("another protocol version");
  }
  Reader reader(aligned.size());
  Envelope envelope = FromTable(reader, *root);
  if (!reader.ok()) return reader.status();
  return envelope;
}

size_t KindOfEncoded(const std::string& bytes) {
  const auto* root = flatbuffers::GetRoot<wire::Envelope>(bytes.data());
  // wire.fbs lists the kinds in the order of Message, after NONE.
  return static_cast<size_t>(root->message_type()) - 1;
}

std::string EncodeCommands(absl::Span<const LockCommand> commands) {
  size_t size = 0;
  for (const LockCommand& command : commands) size += EncodedSizeMax(command);
  Writer writer(size + kEnvelopeBytesMax);
  const codec::CommandVectors vectors = codec::ToVectors(writer, commands);
  const auto root =
      wire::CreateCommands(writer.builder(), vectors.kinds, vectors.tables);
  return std::string(writer.Finish(root, kCommandsIdentifier));
}

absl::StatusOr<std::vector<LockCommand>> DecodeCommands(
    absl::string_view bytes) {
  return DecodePayload<wire::Commands>(
      bytes, kCommandsIdentifier,
      [](Reader& reader, const wire::Commands& commands) {
        return codec::FromVectors(reader, commands.commands_type(),
                                  commands.commands());
      });
}

std::string EncodeConfiguration(const Configuration& configuration) {
  Writer writer(/*size_hint=*/1024);
  const auto root = codec::ToTable(writer, configuration);
  return std::string(writer.Finish(root, kConfigurationIdentifier));
}

absl::StatusOr<Configuration> DecodeConfiguration(absl::string_view bytes) {
  return DecodePayload<wire::Configuration>(
      bytes, kConfigurationIdentifier,
      [](Reader& reader, const wire::Configuration& configuration) {
        return codec::FromTable(reader, configuration);
      });
}

size_t EncodedSizeMax(const MemberFact& fact) {
  // The table with its padding, the offset to it, the name's length and final
  // 0.
  constexpr size_t kFactBytesMax = 80;
  return kFactBytesMax + fact.name.size();
}

size_t EncodedSizeMax(const LockCommand& command) {
  const auto with_key = [](const auto& body) {
    return kTableBytesMax + body.key.size();
  };
  return std::visit(
      Overloaded{[](const OpenSession& open) {
                   return kTableBytesMax + open.name.size();
                 },
                 [](const KeepAlive&) { return kTableBytesMax; },
                 [](const CloseSession&) { return kTableBytesMax; },
                 [](const Acquire& acquire) {
                   return kTableBytesMax + acquire.key.size() +
                          acquire.owner.size();
                 },
                 [&](const Renew& renew) { return with_key(renew); },
                 [&](const Release& release) { return with_key(release); },
                 [&](const Withdraw& withdraw) { return with_key(withdraw); },
                 [&](const Revoke& revoke) {
                   return with_key(revoke) + revoke.reason.size();
                 },
                 [](const Expire& expire) { return SizeOf(expire); },
                 [](const BeginTerm&) { return kTableBytesMax; }},
      command);
}

}  // namespace cachalot
