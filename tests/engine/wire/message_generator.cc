#include "tests/engine/wire/message_generator.h"

#include <algorithm>

#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/shared_bytes.h"

namespace cachalot {

Envelope MessageGenerator::DrawEnvelope(size_t kind) {
  return {.cluster_name = DrawBool() ? random_.Next() : 0,
          .cluster = DrawId<ClusterId>(),
          .from = DrawId<NodeId>(),
          .to = DrawId<NodeId>(),
          .from_address = DrawAddress(),
          .message = DrawMessage(kind)};
}

LockCommand MessageGenerator::DrawCommand(size_t kind) {
  const SessionId session = DrawSession();
  const Sequence sequence(DrawOrdinal());
  const Sequence first_outstanding(DrawOrdinal());
  switch (kind) {
    case 0:
      return OpenSession{.session = session,
                         .ttl = DrawTtl(),
                         .name = DrawBytes(0, limits::kNameBytesMax),
                         .token_floor = DrawTokenUpTo(limits::kTokenFloorMax)};
    case 1:
      return KeepAlive{.session = session,
                       .renewal = DrawOrdinal(),
                       .first_outstanding = first_outstanding};
    case 2:
      return CloseSession{.session = session};
    case 3:
      return Acquire{.session = session,
                     .sequence = sequence,
                     .first_outstanding = first_outstanding,
                     .key = DrawKey(),
                     .ttl = DrawTtl(),
                     .waits = DrawBool(),
                     .owner = DrawBytes(0, limits::kOwnerBytesMax)};
    case 4:
      return Renew{.session = session,
                   .sequence = sequence,
                   .first_outstanding = first_outstanding,
                   .key = DrawKey(),
                   .token = DrawToken(),
                   .ttl = DrawTtl()};
    case 5:
      return Release{.session = session,
                     .sequence = sequence,
                     .first_outstanding = first_outstanding,
                     .key = DrawKey(),
                     .token = DrawToken()};
    case 6:
      return Withdraw{.session = session,
                      .sequence = sequence,
                      .first_outstanding = first_outstanding,
                      .key = DrawKey(),
                      .acquire = Sequence(DrawOrdinal())};
    case 7:
      return Expire{.sessions = DrawList(5,
                                         [this] {
                                           return Expire::OfSession{
                                               .session = DrawSession(),
                                               .renewal = DrawOrdinal()};
                                         }),
                    .locks = DrawList(5, [this] {
                      return Expire::OfLock{.key = DrawKey(),
                                            .token = DrawToken()};
                    })};
    case 9:
      return Revoke{.session = session,
                    .sequence = sequence,
                    .first_outstanding = first_outstanding,
                    .key = DrawKey(),
                    .token = DrawToken(),
                    .reason = DrawBytes(0, limits::kReasonBytesMax)};
    default:
      return BeginTerm{
          .grace = DrawDuration(absl::ZeroDuration(), limits::TtlMax()),
          .token_base = DrawTokenUpTo(limits::kTokenFloorMax),
          .quarantine = DrawDuration(absl::ZeroDuration(), limits::TtlMax())};
  }
}

std::vector<LockCommand> MessageGenerator::DrawCommands(size_t count_max) {
  return DrawList(count_max, [this] {
    return DrawCommand(static_cast<size_t>(random_.Below(kCommandKinds)));
  });
}

Configuration MessageGenerator::DrawConfiguration() {
  return {.voters = DrawVoters(), .outgoing = DrawVoters()};
}

MemberFact MessageGenerator::DrawFact() {
  return {.id = DrawId<NodeId>(),
          .address = DrawAddress(),
          .name = DrawBytes(0, limits::kNameBytesMax),
          .incarnation = DrawOrdinal(),
          .state = DrawEnum(MemberState::kLeft)};
}

Message MessageGenerator::DrawMessage(size_t kind) {
  const Term term(DrawOrdinal());
  const LogIndex index(DrawOrdinal());
  const Term other_term(DrawOrdinal());
  switch (kind) {
    case 0:
      return Ping{.probe = DrawNumber(), .facts = DrawFacts()};
    case 1:
      return PingRequest{
          .probe = DrawNumber(),
          .target = DrawId<NodeId>(),
          .target_address = DrawAddress(),
          .timeout = DrawDuration(absl::ZeroDuration(), absl::Minutes(1)),
          .facts = DrawFacts()};
    case 2:
      return Ack{.probe = DrawNumber(), .facts = DrawFacts()};
    case 3:
      return Nack{.probe = DrawNumber(), .facts = DrawFacts()};
    case 4:
      return Gossip{.facts = DrawFacts()};
    case 5:
      return PushPull{.is_reply = DrawBool(),
                      .is_join = DrawBool(),
                      .token_base = DrawTokenUpTo(FencingToken::kMax),
                      .is_led = DrawBool(),
                      .founders = DrawNames(),
                      .is_first = DrawBool(),
                      .ended = DrawId<ClusterId>(),
                      .members = DrawFacts(),
                      .cluster_name = DrawBytes(0, limits::kNameBytesMax)};
    case 6:
      return VoteRequest{.term = term,
                         .last_index = index,
                         .last_term = other_term,
                         .is_pre_vote = DrawBool(),
                         .is_transfer = DrawBool()};
    case 7:
      return VoteReply{
          .term = term, .granted = DrawBool(), .is_pre_vote = DrawBool()};
    case 8:
      return Append{.term = term,
                    .previous_index = index,
                    .previous_term = other_term,
                    .commit = LogIndex(DrawOrdinal()),
                    .read_round = DrawNumber(),
                    .entries = DrawList(6, [this] { return DrawEntry(); })};
    case 9:
      return AppendReply{.term = term,
                         .accepted = DrawBool(),
                         .index = index,
                         .hint_term = other_term,
                         .rejected = LogIndex(DrawOrdinal()),
                         .read_round = DrawNumber()};
    case 10:
      return DrawChunk();
    case 11:
      return SnapshotReply{
          .term = term,
          .index = index,
          .received = random_.Between(0, limits::kSnapshotBytesMax),
          .read_round = DrawNumber()};
    case 12:
      return TimeoutNow{.term = term};
    case 13:
      return LeaveIntent{.asked_at = DrawNumber()};
    case 14:
      return LeaveReply{.term = term, .asked_at = DrawNumber()};
    case 15:
      return Forward{.commands = DrawCommands(8),
                     .reads = DrawList(3, [this] { return DrawRead(); })};
    case 16:
      return Replies{.replies = DrawList(6, [this] { return DrawReply(); }),
                     .reads = DrawList(3, [this] { return DrawReadResult(); })};
    case 17:
      return Redirect{.term = term,
                      .leader = DrawId<NodeId>(),
                      .address = DrawAddress(),
                      .busy = DrawBool()};
    case 18:
      return BirthInvitation{
          .attempt = DrawNumber(),
          .cluster = DrawId<ClusterId>(),
          .token_base = DrawTokenUpTo(limits::kTokenFloorMax),
          .quarantine = DrawDuration(absl::ZeroDuration(), limits::TtlMax()),
          .voters = DrawConfiguration().voters};
    default:
      return BirthAcceptance{.cluster = DrawId<ClusterId>()};
  }
}

uint64_t MessageGenerator::DrawNumber() {
  constexpr uint64_t kMax = uint64_t{1} << 62;
  switch (random_.Below(4)) {
    case 0:
      return 0;
    case 1:
      return kMax;
    default:
      return random_.Between(0, kMax);
  }
}

uint64_t MessageGenerator::DrawOrdinal() {
  constexpr uint64_t kMax = (uint64_t{1} << 48) - 1;
  switch (random_.Below(4)) {
    case 0:
      return 0;
    case 1:
      return kMax;
    default:
      return random_.Between(0, kMax);
  }
}

FencingToken MessageGenerator::DrawTokenUpTo(uint64_t max) {
  return FencingToken(random_.Below(4) == 0 ? max : random_.Between(0, max));
}

SessionId MessageGenerator::DrawSession() {
  return {.node = DrawId<NodeId>(), .number = DrawNumber()};
}

FencingToken MessageGenerator::DrawToken() {
  return DrawTokenUpTo(FencingToken::kMax);
}

Address MessageGenerator::DrawAddress() {
  Address address;
  if (DrawBool()) return address;
  for (uint8_t& byte : address.ip) byte = static_cast<uint8_t>(random_.Next());
  address.port = static_cast<uint16_t>(random_.Next());
  return address;
}

absl::Duration MessageGenerator::DrawRemaining() {
  return DrawDuration(-limits::WaitMax(), limits::WaitMax());
}

absl::Duration MessageGenerator::DrawDuration(absl::Duration low,
                                              absl::Duration high) {
  switch (random_.Below(4)) {
    case 0:
      return low;
    case 1:
      return high;
    default:
      return random_.Between(low, high);
  }
}

absl::Duration MessageGenerator::DrawTtl() {
  return DrawDuration(limits::TtlMin(), limits::TtlMax());
}

ClusterTime MessageGenerator::DrawTime() {
  return ClusterTime(DrawNumber() >> 1);
}

std::string MessageGenerator::DrawBytes(size_t size_min, size_t size_max) {
  // Mostly short, sometimes as long as can be.
  const size_t longest =
      random_.Chance(1, 8) ? size_max
                           : std::max(size_min, std::min<size_t>(size_max, 20));
  std::string bytes(static_cast<size_t>(random_.Between(size_min, longest)),
                    '\0');
  for (char& byte : bytes) byte = static_cast<char>(random_.Next());
  return bytes;
}

std::string MessageGenerator::DrawKey() {
  return DrawBytes(1, limits::kKeyBytesMax);
}

std::vector<Voter> MessageGenerator::DrawVoters() {
  std::vector<Voter> voters = DrawList(limits::kVotersMax, [this] {
    return Voter{.id = DrawId<NodeId>(), .address = DrawAddress()};
  });
  const auto by_id = [](const Voter& a, const Voter& b) { return a.id < b.id; };
  const auto same_id = [](const Voter& a, const Voter& b) {
    return a.id == b.id;
  };
  std::sort(voters.begin(), voters.end(), by_id);
  voters.erase(std::unique(voters.begin(), voters.end(), same_id),
               voters.end());
  return voters;
}

std::vector<std::string> MessageGenerator::DrawNames() {
  return DrawList(limits::kVotersMax,
                  [this] { return DrawBytes(0, limits::kNameBytesMax); });
}

std::vector<MemberFact> MessageGenerator::DrawFacts() {
  return DrawList(8, [this] { return DrawFact(); });
}

Entry MessageGenerator::DrawEntry() {
  return {.term = Term(DrawOrdinal()),
          .time = DrawTime(),
          .kind = DrawEnum(EntryKind::kConfiguration),
          .payload = SharedBytes(DrawBytes(0, 4096))};
}

SnapshotChunk MessageGenerator::DrawChunk() {
  SnapshotChunk chunk = {.term = Term(DrawOrdinal()),
                         .index = LogIndex(DrawOrdinal()),
                         .index_term = Term(DrawOrdinal()),
                         .time = DrawTime(),
                         .configuration = DrawConfiguration(),
                         .bytes = DrawBytes(0, 4096),
                         .read_round = DrawNumber()};
  chunk.total = random_.Between(chunk.bytes.size(), limits::kSnapshotBytesMax);
  chunk.offset = random_.Between(0, chunk.total - chunk.bytes.size());
  return chunk;
}

Read MessageGenerator::DrawRead() {
  std::variant<ListLocksRequest, ListMembersRequest, ListWaitersRequest> what;
  switch (random_.Below(3)) {
    case 0:
      what = ListLocksRequest{.prefix = DrawBytes(0, limits::kKeyBytesMax),
                              .after = DrawBytes(0, limits::kKeyBytesMax),
                              .limit = static_cast<uint32_t>(DrawNumber())};
      break;
    case 1:
      what = ListMembersRequest();
      break;
    default:
      what = ListWaitersRequest{.key = DrawKey(),
                                .skip = static_cast<uint32_t>(DrawNumber()),
                                .limit = static_cast<uint32_t>(DrawNumber())};
  }
  return {.number = DrawNumber(), .what = std::move(what)};
}

LockInfo MessageGenerator::DrawLockInfo() {
  const absl::Duration lease = DrawRemaining();
  const absl::Duration session = DrawRemaining();
  return {.key = DrawKey(),
          .token = DrawToken(),
          .holder = DrawSession(),
          .holder_name = DrawBytes(0, limits::kNameBytesMax),
          .owner = DrawBytes(0, limits::kOwnerBytesMax),
          .remaining = std::min(lease, session),
          .lease_remaining = lease,
          .session_remaining = session,
          .waiters = static_cast<uint32_t>(DrawNumber()),
          .revoke_reason = DrawBytes(0, limits::kReasonBytesMax)};
}

WaiterInfo MessageGenerator::DrawWaiterInfo() {
  return {.session = DrawSession(),
          .name = DrawBytes(0, limits::kNameBytesMax),
          .owner = DrawBytes(0, limits::kOwnerBytesMax)};
}

MemberInfo MessageGenerator::DrawMemberInfo() {
  return {.id = DrawId<NodeId>(),
          .name = DrawBytes(0, limits::kNameBytesMax),
          .address = DrawAddress(),
          .state = DrawEnum(MemberState::kLeft),
          .role = DrawEnum(MemberRole::kLeader)};
}

ReadResult MessageGenerator::DrawReadResult() {
  std::optional<LockInfo> holder;
  if (DrawBool()) holder = DrawLockInfo();
  return {.number = DrawNumber(),
          .locks = DrawList(4, [this] { return DrawLockInfo(); }),
          .more = DrawBool(),
          .members = DrawList(4, [this] { return DrawMemberInfo(); }),
          .waiters = DrawList(4, [this] { return DrawWaiterInfo(); }),
          .holder = std::move(holder)};
}

Reply MessageGenerator::DrawReply() {
  return {.kind = DrawEnum(Reply::Kind::kQuarantined),
          .session = DrawSession(),
          .sequence = Sequence(DrawOrdinal()),
          .renewal = DrawOrdinal(),
          .outcome = DrawEnum(Outcome::kUnknown),
          .token = DrawToken(),
          .index = LogIndex(DrawOrdinal()),
          .key = DrawBytes(0, limits::kKeyBytesMax),
          .lease_remaining = DrawRemaining(),
          .session_remaining = DrawRemaining(),
          .holder = DrawSession(),
          .holder_name = DrawBytes(0, limits::kNameBytesMax),
          .owner = DrawBytes(0, limits::kOwnerBytesMax),
          .limit = DrawEnum(Limit::kRequestsPerSession),
          .text = DrawBytes(0, limits::kReasonBytesMax)};
}

}  // namespace cachalot
