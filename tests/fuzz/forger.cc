#include "tests/fuzz/forger.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "engine/consensus/consensus.h"
#include "engine/limits.h"
#include "engine/locks/lock_table.h"
#include "engine/shared_bytes.h"
#include "engine/wire/codec.h"

namespace cachalot {
namespace {

// Higher than any real term or index, but the codec accepts it.
constexpr uint64_t kFar = (uint64_t{1} << 46) + 1;

// The index of Kind in Message.
template <typename Kind, size_t kPlace = 0>
constexpr size_t IndexOf() {
  using Here = std::variant_alternative_t<kPlace, Message>;
  if constexpr (std::is_same_v<Here, Kind>) {
    return kPlace;
  } else {
    return IndexOf<Kind, kPlace + 1>();
  }
}

}  // namespace

// --- Envelopes ---------------------------------------------------------------

Envelope Forger::DrawEnvelope() {
  const uint8_t oddity = tape_.Byte();
  Envelope envelope = {.cluster = node_.identity().cluster,
                       .from = DrawPeer(),
                       .to = node_.id()};
  envelope.from_address = PeerAddress(envelope.from.low);
  switch (oddity) {
    case 250:
      envelope.cluster = OtherCluster();
      break;
    case 251:
      envelope.cluster = ClusterId();
      break;
    case 252:
      envelope.from = DrawId();
      break;
    case 253:
      envelope.to = DrawId();
      break;
    case 254:
      envelope.from_address = DrawAddress();
      break;
    default:
      break;
  }
  // A node without a cluster gets messages from members of one.
  if (envelope.cluster.IsNone() && tape_.Flip()) {
    envelope.cluster = OtherCluster();
  }
  envelope.message = DrawMessage(tape_.Below(std::variant_size_v<Message>));
  return envelope;
}

Message Forger::DrawMessage(size_t kind) {
  if (kind <= IndexOf<PushPull>()) return DrawOfMembership(kind);
  if (kind <= IndexOf<LeaveReply>()) return DrawOfConsensus(kind);
  if (kind <= IndexOf<Redirect>()) return DrawOfClients(kind);
  return DrawOfBirths(kind);
}

Message Forger::DrawOfBirths(size_t kind) {
  // There are few clusters, so that an acceptance may fit an invitation.
  const ClusterId cluster = {.high = 4, .low = tape_.Below(3)};
  if (kind == IndexOf<BirthAcceptance>()) {
    return BirthAcceptance{.cluster = cluster};
  }
  return BirthInvitation{
      .attempt = tape_.Byte(),
      .cluster = cluster,
      .token_base = DrawToken(),
      .quarantine = std::min(DrawDuration(), absl::Hours(24)),
      .voters = DrawVoters()};
}

// Mostly those of the node (tests/fuzz/seam_fuzz.cc).
std::vector<std::string> Forger::DrawFounders() {
  switch (tape_.Below(4)) {
    case 0:
      return {};
    case 1:
      return {"peer1"};
    default:
      return {"peer1", "peer2", "self"};
  }
}

Message Forger::DrawOfMembership(size_t kind) {
  const uint64_t probe = tape_.Byte();
  switch (kind) {
    case IndexOf<Ping>():
      return Ping{.probe = probe, .facts = DrawFacts()};
    case IndexOf<PingRequest>():
      return PingRequest{.probe = probe,
                         .target = DrawId(),
                         .target_address = DrawAddress(),
                         .timeout = std::min(DrawDuration(), absl::Minutes(1)),
                         .facts = DrawFacts()};
    case IndexOf<Ack>():
      return Ack{.probe = probe, .facts = DrawFacts()};
    case IndexOf<Nack>():
      return Nack{.probe = probe, .facts = DrawFacts()};
    case IndexOf<Gossip>():
      return Gossip{.facts = DrawFacts()};
    default:
      return PushPull{.is_reply = (probe & 1) != 0,
                      .is_join = (probe & 2) != 0,
                      .token_base = DrawToken(),
                      .is_led = (probe & 4) != 0,
                      .founders = DrawFounders(),
                      .is_first = (probe & 8) != 0,
                      .members = DrawFacts()};
  }
}

Message Forger::DrawOfConsensus(size_t kind) {
  const Term term = DrawTerm();
  const LogIndex index = DrawIndex();
  switch (kind) {
    case IndexOf<VoteRequest>():
      return VoteRequest{.term = term,
                         .last_index = index,
                         .last_term = DrawTermAt(index),
                         .is_pre_vote = tape_.Flip(),
                         .is_transfer = tape_.Flip()};
    case IndexOf<VoteReply>():
      return VoteReply{
          .term = term, .granted = tape_.Flip(), .is_pre_vote = tape_.Flip()};
    case IndexOf<Append>():
      return Append{.term = term,
                    .previous_index = index,
                    .previous_term = DrawTermAt(index),
                    .commit = DrawIndex(),
                    .read_round = tape_.Byte(),
                    .entries = DrawList(4, [this] { return DrawEntry(); })};
    case IndexOf<AppendReply>():
      return AppendReply{.term = term,
                         .accepted = tape_.Flip(),
                         .index = index,
                         .hint_term = DrawTermAt(index),
                         .rejected = DrawIndex(),
                         .read_round = tape_.Byte()};
    case IndexOf<SnapshotChunk>():
      return DrawChunk();
    case IndexOf<SnapshotReply>():
      return SnapshotReply{.term = term,
                           .index = index,
                           .received = DrawNear(node_.table().Encode().size()),
                           .read_round = tape_.Byte()};
    case IndexOf<TimeoutNow>():
      return TimeoutNow{.term = term};
    case IndexOf<LeaveIntent>():
      return LeaveIntent{.asked_at = tape_.Byte()};
    default:
      return LeaveReply{.term = term, .asked_at = tape_.Byte()};
  }
}

Message Forger::DrawOfClients(size_t kind) {
  switch (kind) {
    case IndexOf<Forward>():
      return Forward{.commands = DrawList(4, [this] { return DrawCommand(); }),
                     .reads = DrawList(2, [this] {
                       return Read{.number = tape_.Byte(),
                                   .what = ListWaitersRequest{
                                       .key = DrawKey(), .skip = tape_.Byte()}};
                     })};
    case IndexOf<Replies>():
      return Replies{.replies = DrawList(4, [this] { return DrawReply(); }),
                     .reads = DrawList(2, [this] { return DrawReadResult(); })};
    default:
      return Redirect{.term = DrawTerm(),
                      .leader = DrawId(),
                      .address = DrawAddress(),
                      .busy = tape_.Flip()};
  }
}

Append Forger::DrawFirstAppend() {
  Configuration configuration;
  configuration.voters = {
      {.id = PeerId(1), .address = PeerAddress(1)},
      {.id = PeerId(2), .address = PeerAddress(2)},
      {.id = node_.id(), .address = node_.options().address}};
  std::sort(configuration.voters.begin(), configuration.voters.end());
  Append append{.term = Term(1)};
  append.entries.push_back(
      {.term = Term(1),
       .kind = EntryKind::kConfiguration,
       .payload = SharedBytes(EncodeConfiguration(configuration))});
  append.entries.push_back({.term = Term(1),
                            .payload = SharedBytes(EncodeCommands({BeginTerm{
                                .token_base = node_.identity().token_base}}))});
  append.commit = LogIndex(append.entries.size());
  return append;
}

// --- Requests ----------------------------------------------------------------

Request Forger::DrawRequest(
    const std::vector<std::pair<std::string, FencingToken>>& granted) {
  const size_t kind = tape_.Below(5);
  std::string key = DrawKey();
  FencingToken token;
  if (!granted.empty() && (kind == 1 || kind == 2)) {
    std::tie(key, token) =
        granted[granted.size() - 1 -
                tape_.Below(std::min<size_t>(granted.size(), 8))];
  }
  switch (kind) {
    case 1:
      return RenewRequest{
          .key = std::move(key), .token = token, .ttl = DrawDuration()};
    case 2:
      return ReleaseRequest{.key = std::move(key), .token = token};
    case 3:
      return ListLocksRequest{.prefix = std::move(key), .limit = tape_.Byte()};
    case 4:
      return ListMembersRequest{};
    default:
      return AcquireRequest{.key = std::move(key),
                            .ttl = DrawDuration(),
                            .wait = DrawDuration(),
                            .owner = tape_.Bytes(tape_.Below(4))};
  }
}

// --- Parts -------------------------------------------------------------------

NodeId Forger::DrawId() {
  switch (tape_.Below(8)) {
    case 0:
      return node_.id();
    case 1:
      return NodeId();
    case 2:
      return node_.consensus().leader();
    default:
      return DrawPeer();
  }
}

Address Forger::DrawAddress() {
  switch (tape_.Below(8)) {
    case 0:
      return node_.options().address;
    case 1:
      return Address();
    default:
      return PeerAddress(1 + tape_.Below(kPeers));
  }
}

uint64_t Forger::DrawNear(uint64_t middle) {
  const uint8_t choice = tape_.Byte();
  if (choice < 200) {
    const uint64_t shifted = middle + choice % 8;
    return shifted < 3 ? 0 : std::min(shifted - 3, kFar);
  }
  if (choice < 250) return choice - 200;
  // Including the highest number that the codec accepts.
  return choice < 253 ? 0 : choice < 255 ? kFar : (uint64_t{1} << 48) - 1;
}

Term Forger::DrawTerm() {
  // Usually the current term, because messages of other terms do less.
  if (tape_.Byte() < 128) return node_.consensus().term();
  return Term(DrawNear(node_.consensus().term().value()));
}

LogIndex Forger::DrawIndex() {
  const Consensus& consensus = node_.consensus();
  switch (tape_.Below(4)) {
    case 0:
      return LogIndex(DrawNear(consensus.commit().value()));
    case 1:
      return LogIndex(DrawNear(consensus.log().base_index().value()));
    case 2:
      return consensus.last_index();
    default:
      return LogIndex(DrawNear(consensus.last_index().value()));
  }
}

Term Forger::DrawTermAt(LogIndex index) {
  const Log& log = node_.consensus().log();
  const bool is_kept = index >= log.base_index() && index <= log.last_index();
  if (is_kept && tape_.Byte() < 200) return log.TermAt(index);
  return DrawTerm();
}

ClusterTime Forger::DrawTimeAt(LogIndex index) {
  const Log& log = node_.consensus().log();
  const bool is_kept = index >= log.base_index() && index <= log.last_index();
  if (is_kept && tape_.Byte() < 200) return log.TimeAt(index);
  return DrawTime();
}

ClusterTime Forger::DrawTime() {
  const ClusterTime now = node_.consensus().log().last_time();
  switch (tape_.Below(8)) {
    case 0:
      return ClusterTime();
    case 1:
      return ClusterTime(UINT64_MAX >> 2);
    case 2:
      return now + -DrawDuration();
    default:
      return now + DrawDuration();
  }
}

// 2^n nanoseconds, up to about two hours.
absl::Duration Forger::DrawDuration() {
  return absl::Nanoseconds(int64_t{1} << tape_.Below(44));
}

absl::Duration Forger::DrawTtl() {
  return std::clamp(DrawDuration(), limits::TtlMin(), limits::TtlMax());
}

std::string Forger::DrawKey() {
  static const char* const kKeys[] = {"a", "b", "a/1", "a/2"};
  return kKeys[tape_.Below(std::size(kKeys))];
}

std::vector<Voter> Forger::DrawVoters() {
  const uint8_t members = tape_.Byte();
  std::vector<Voter> voters;
  for (uint64_t peer = 1; peer <= kPeers; ++peer) {
    if ((members >> peer & 1) == 0) continue;
    voters.push_back({.id = PeerId(peer), .address = PeerAddress(peer)});
  }
  if ((members & 1) != 0) {
    voters.push_back({.id = node_.id(), .address = node_.options().address});
  }
  std::sort(voters.begin(), voters.end());
  return voters;
}

Configuration Forger::DrawConfiguration() {
  Configuration configuration{.voters = DrawVoters()};
  if (tape_.Flip()) configuration.outgoing = DrawVoters();
  return configuration;
}

MemberFact Forger::DrawFact() {
  MemberFact fact{.id = DrawId(), .name = "peer"};
  fact.address = fact.id.high == 7 ? PeerAddress(fact.id.low) : DrawAddress();
  fact.incarnation = DrawNear(node_.membership().self().incarnation);
  fact.state = static_cast<MemberState>(tape_.Below(4));
  return fact;
}

std::vector<MemberFact> Forger::DrawFacts() {
  return DrawList(4, [this] { return DrawFact(); });
}

SessionId Forger::DrawSession() {
  switch (tape_.Below(4)) {
    case 0:
      return {.node = DrawPeer(), .number = 1 + tape_.Below(3)};
    case 1:
      return {.node = node_.id(), .number = tape_.Below(4)};
    default:
      return node_.client().session();
  }
}

FencingToken Forger::DrawToken() {
  const uint64_t base = tape_.Flip() ? node_.table().last_token().number()
                                     : node_.identity().token_base.number();
  return FencingToken(std::min(DrawNear(base), FencingToken::kMax));
}

// --- Entries and what they hold ----------------------------------------------

LockCommand Forger::DrawCommand() {
  const size_t kind = tape_.Below(std::variant_size_v<LockCommand>);
  const SessionId session = DrawSession();
  const Sequence sequence(1 + tape_.Below(8));
  const Sequence first(tape_.Below(8));
  switch (kind) {
    case 0:
      return OpenSession{.session = session,
                         .ttl = DrawTtl(),
                         .name = "peer",
                         .token_floor = FencingToken(tape_.Byte())};
    case 1:
      return KeepAlive{.session = session,
                       .renewal = tape_.Byte(),
                       .first_outstanding = first};
    case 2:
      return CloseSession{.session = session};
    case 3:
      return Acquire{.session = session,
                     .sequence = sequence,
                     .first_outstanding = first,
                     .key = DrawKey(),
                     .ttl = DrawTtl(),
                     .waits = tape_.Flip()};
    case 4:
      return Renew{.session = session,
                   .sequence = sequence,
                   .first_outstanding = first,
                   .key = DrawKey(),
                   .token = DrawToken(),
                   .ttl = DrawTtl()};
    case 5:
      return Release{.session = session,
                     .sequence = sequence,
                     .first_outstanding = first,
                     .key = DrawKey(),
                     .token = DrawToken()};
    case 6:
      return Withdraw{.session = session,
                      .sequence = sequence,
                      .first_outstanding = first,
                      .key = DrawKey(),
                      .acquire = Sequence(tape_.Below(8))};
    case 7:
      return Expire{.sessions = {{.session = session, .renewal = tape_.Byte()}},
                    .locks = {{.key = DrawKey(), .token = DrawToken()}}};
    case 9:
      return Revoke{.session = session,
                    .sequence = sequence,
                    .first_outstanding = first,
                    .key = DrawKey(),
                    .token = tape_.Flip() ? DrawToken() : FencingToken(),
                    .reason = "forged"};
    default:
      return BeginTerm{.grace = DrawTtl(),
                       .token_base = FencingToken(tape_.Byte())};
  }
}

Reply Forger::DrawReply() {
  Reply reply;
  reply.kind = static_cast<Reply::Kind>(
      tape_.Below(static_cast<size_t>(Reply::Kind::kMustRelease) + 1));
  reply.session = DrawSession();
  reply.sequence = Sequence(tape_.Below(12));
  reply.renewal = tape_.Below(12);
  reply.outcome = static_cast<Outcome>(
      tape_.Below(static_cast<size_t>(Outcome::kUnknown) + 1));
  reply.token = DrawToken();
  reply.index = DrawIndex();
  reply.key = DrawKey();
  reply.lease_remaining = DrawDuration();
  reply.session_remaining = DrawDuration();
  return reply;
}

ReadResult Forger::DrawReadResult() {
  ReadResult result{.number = tape_.Below(8), .more = tape_.Flip()};
  result.locks = DrawList(
      2, [this] { return LockInfo{.key = DrawKey(), .token = DrawToken()}; });
  result.members = DrawList(2, [this] {
    return MemberInfo{.id = DrawId(), .address = DrawAddress()};
  });
  return result;
}

Entry Forger::DrawEntry() {
  Entry entry{.term = DrawTerm(), .time = DrawTime()};
  switch (tape_.Below(8)) {
    case 0:  // a payload that does not decode
      entry.payload = SharedBytes(tape_.Bytes(tape_.Below(16)));
      break;
    case 1:
      entry.kind = EntryKind::kConfiguration;
      entry.payload = SharedBytes(tape_.Bytes(tape_.Below(16)));
      break;
    case 2:
    case 3:
      entry.kind = EntryKind::kConfiguration;
      entry.payload = SharedBytes(EncodeConfiguration(DrawConfiguration()));
      break;
    default:
      entry.payload = SharedBytes(
          EncodeCommands(DrawList(4, [this] { return DrawCommand(); })));
  }
  return entry;
}

std::string Forger::DrawTable() {
  switch (tape_.Below(4)) {
    case 0:
      return tape_.Bytes(tape_.Below(64));
    case 1: {
      std::string table = node_.table().Encode();
      if (!table.empty()) table[tape_.Byte() % table.size()] ^= 1;
      return table;
    }
    case 2: {
      LockTable table = node_.table();
      if (table.applied().value() >= kFar) return table.Encode();
      table.Apply(table.applied().Next(), std::max(table.time(), DrawTime()),
                  DrawList(4, [this] { return DrawCommand(); }));
      return table.Encode();
    }
    default:
      return node_.table().Encode();
  }
}

SnapshotChunk Forger::DrawChunk() {
  const std::string table = DrawTable();
  SnapshotChunk chunk{.term = DrawTerm(), .index = DrawIndex()};
  chunk.index_term = DrawTermAt(chunk.index);
  chunk.time = DrawTimeAt(chunk.index);
  chunk.configuration = DrawConfiguration();
  chunk.total = table.size();
  chunk.bytes = table;
  chunk.read_round = tape_.Byte();
  if (tape_.Below(4) == 0) {  // a part of it
    chunk.offset = std::min<uint64_t>(tape_.Byte(), table.size());
    chunk.bytes = table.substr(static_cast<size_t>(chunk.offset), tape_.Byte());
  }
  return chunk;
}

}  // namespace cachalot
