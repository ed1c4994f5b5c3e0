// Bytes from nowhere good: whatever comes, the codec neither crashes nor lets
// anything past the limits. Most of these carry a true checksum; without it
// none of them would reach the verifier.

#include "tests/engine/wire/hostile.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/limits.h"
#include "engine/random.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "engine/wire/wire_generated.h"
#include "flatbuffers/flatbuffers.h"
#include "gtest/gtest.h"
#include "tests/engine/wire/message_generator.h"

namespace cachalot {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr int kMutations = 20'000;

// --- Damage -----------------------------------------------------------------

class EveryMessage : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Hostile, EveryMessage,
                         testing::Range(size_t{0}, kMessageKinds));

TEST_P(EveryMessage, IsHarmlessWhenItIsMutated) {
  MessageGenerator generator(/*seed=*/GetParam());
  Random random(/*seed=*/GetParam(), "mutations");
  for (int i = 0; i < kMutations / static_cast<int>(kMessageKinds); ++i) {
    const std::string bytes = Encode(generator.DrawEnvelope(GetParam()));
    std::string body(Unsealed(bytes));
    Mutate(random, body);
    CheckHarmless(body);
  }
}

TEST_P(EveryMessage, IsHarmlessWhenItIsCutShort) {
  MessageGenerator generator(/*seed=*/GetParam());
  const std::string bytes = Encode(generator.DrawEnvelope(GetParam()));
  const absl::string_view body = Unsealed(bytes);
  for (size_t size = 0; size < body.size(); ++size) {
    CheckHarmless(body.substr(0, size));
  }
}

TEST(HostileTest, MutatedCommandsAreHarmless) {
  MessageGenerator generator(/*seed=*/1);
  Random random(/*seed=*/1, "mutations");
  for (int i = 0; i < kMutations / 4; ++i) {
    std::string bytes = EncodeCommands(generator.DrawCommands(4));
    Mutate(random, bytes);
    CheckHarmless(bytes);
  }
}

TEST(HostileTest, MutatedConfigurationsAreHarmless) {
  MessageGenerator generator(/*seed=*/1);
  Random random(/*seed=*/2, "mutations");
  for (int i = 0; i < kMutations / 4; ++i) {
    std::string bytes = EncodeConfiguration(generator.DrawConfiguration());
    Mutate(random, bytes);
    CheckHarmless(bytes);
  }
}

TEST(HostileTest, RandomBytesAreHarmless) {
  Random random(/*seed=*/3, "noise");
  for (int i = 0; i < kMutations; ++i) {
    std::string bytes(static_cast<size_t>(random.Below(200)), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Next());
    CheckHarmless(bytes);
  }
}

// --- Another protocol -------------------------------------------------------

// An envelope around one Ping, as a node of `version` might send it.
std::string PingOf(int version, const char* identifier) {
  FlatBufferBuilder builder;
  const auto ping = wire::CreatePing(builder, /*probe=*/1);
  builder.Finish(wire::CreateEnvelope(builder, static_cast<uint16_t>(version),
                                      nullptr, nullptr, nullptr, nullptr,
                                      wire::Message::Ping, ping.Union()),
                 identifier);
  return Seal({reinterpret_cast<const char*>(builder.GetBufferPointer()),
               builder.GetSize()});
}

TEST(HostileTest, OtherVersionsAreToldApartFromNoise) {
  EXPECT_TRUE(
      Decode(PingOf(kProtocolVersion, wire::EnvelopeIdentifier())).ok());
  for (const int version : {0, kProtocolVersion + 1, 0xffff}) {
    EXPECT_TRUE(absl::IsUnimplemented(
        Decode(PingOf(version, wire::EnvelopeIdentifier())).status()));
  }
}

TEST(HostileTest, OtherIdentifiersAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decode(PingOf(kProtocolVersion, "ELSE")).status()));
}

TEST(HostileTest, PayloadsAreNotTakenForEachOther) {
  const std::string commands = EncodeCommands({BeginTerm{}});
  const std::string configuration = EncodeConfiguration({});
  EXPECT_TRUE(DecodeCommands(commands).ok());
  EXPECT_TRUE(DecodeConfiguration(configuration).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeCommands(configuration).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeConfiguration(commands).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(Seal(commands)).status()));
}

TEST(HostileTest, TrueBytesWithAWrongChecksumAreRefused) {
  std::string bytes = Encode({.message = LeaveIntent{}});
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(bytes).status()));
}

// --- Past the limits --------------------------------------------------------

// What the sender did not hold to the limits is refused by the receiver.
bool IsRefused(Message message) {
  const Envelope envelope{.message = std::move(message)};
  return absl::IsInvalidArgument(Decode(Encode(envelope)).status());
}
bool IsRefused(LockCommand command) {
  const std::vector<LockCommand> commands = {std::move(command)};
  const bool is_refused = absl::IsInvalidArgument(
      DecodeCommands(EncodeCommands(commands)).status());
  EXPECT_EQ(IsRefused(Message(Forward{.commands = commands})), is_refused);
  return is_refused;
}

Acquire GoodAcquire() {
  return {.key = std::string(limits::kKeyBytesMax, 'k'),
          .ttl = limits::TtlMax(),
          .owner = std::string(limits::kOwnerBytesMax, 'o')};
}

TEST(HostileTest, CommandsPastALimitAreRefused) {
  EXPECT_FALSE(IsRefused(GoodAcquire()));
  Acquire acquire = GoodAcquire();
  acquire.key.push_back('k');
  EXPECT_TRUE(IsRefused(acquire));
  acquire.key.clear();
  EXPECT_TRUE(IsRefused(acquire));
  acquire = GoodAcquire();
  acquire.owner.push_back('o');
  EXPECT_TRUE(IsRefused(acquire));
  for (const absl::Duration ttl :
       {limits::TtlMax() + absl::Nanoseconds(1),
        limits::TtlMin() - absl::Nanoseconds(1), absl::ZeroDuration(),
        -absl::Seconds(1), absl::InfiniteDuration(),
        -absl::InfiniteDuration()}) {
    acquire = GoodAcquire();
    acquire.ttl = ttl;
    EXPECT_TRUE(IsRefused(acquire)) << ttl;
    EXPECT_TRUE(IsRefused(Renew{.key = "k", .ttl = ttl})) << ttl;
    EXPECT_TRUE(IsRefused(OpenSession{.ttl = ttl})) << ttl;
  }
  EXPECT_TRUE(IsRefused(
      OpenSession{.ttl = limits::TtlMax(), .name = std::string(65, 'n')}));
  EXPECT_TRUE(IsRefused(Release{}));
  EXPECT_TRUE(IsRefused(Withdraw{}));
  EXPECT_TRUE(IsRefused(Revoke{}));
  Revoke revoke{.key = "k",
                .reason = std::string(limits::kReasonBytesMax, 'r')};
  EXPECT_FALSE(IsRefused(revoke));
  revoke.reason.push_back('r');
  EXPECT_TRUE(IsRefused(revoke));
  EXPECT_TRUE(IsRefused(Expire{.locks = {{}}}));
  EXPECT_TRUE(IsRefused(BeginTerm{.grace = -absl::Nanoseconds(1)}));
  EXPECT_TRUE(IsRefused(KeepAlive{.renewal = UINT64_MAX}));
}

TEST(HostileTest, ListsPastTheirLimitAreRefused) {
  const auto facts = [](size_t count) {
    return Message(Gossip{.facts = std::vector<MemberFact>(count)});
  };
  EXPECT_FALSE(IsRefused(facts(limits::kMembersMax)));
  EXPECT_TRUE(IsRefused(facts(limits::kMembersMax + 1)));
  const auto entries = [](size_t count) {
    return Message(Append{.entries = std::vector<Entry>(count)});
  };
  EXPECT_FALSE(IsRefused(entries(limits::kAppendEntriesMax)));
  EXPECT_TRUE(IsRefused(entries(limits::kAppendEntriesMax + 1)));
  const auto commands = [](size_t count) {
    return Message(
        Forward{.commands = std::vector<LockCommand>(count, CloseSession{})});
  };
  EXPECT_FALSE(IsRefused(commands(limits::kProposalsPerTurnMax)));
  EXPECT_TRUE(IsRefused(commands(limits::kProposalsPerTurnMax + 1)));
  const auto locks = [](size_t count) {
    return Message(Replies{
        .reads = {{.locks = std::vector<LockInfo>(count, {.key = "k"})}}});
  };
  EXPECT_FALSE(IsRefused(locks(limits::kListLocksMax)));
  EXPECT_TRUE(IsRefused(locks(limits::kListLocksMax + 1)));
}

TEST(HostileTest, SizesPastTheirLimitAreRefused) {
  const auto payload = [](size_t size) {
    return Message(
        Append{.entries = {{.payload = SharedBytes(std::string(size, 'p'))}}});
  };
  EXPECT_FALSE(IsRefused(payload(limits::kEntryBytesMax)));
  EXPECT_TRUE(IsRefused(payload(limits::kEntryBytesMax + 1)));
  const Entry large = {.payload = SharedBytes(std::string(400'000, 'p'))};
  EXPECT_FALSE(IsRefused(Append{.entries = {large, large}}));
  EXPECT_TRUE(IsRefused(Append{.entries = {large, large, large}}));
  const auto chunk = [](size_t size) {
    return Message(
        SnapshotChunk{.total = size, .bytes = std::string(size, 's')});
  };
  EXPECT_FALSE(IsRefused(chunk(limits::kSnapshotChunkBytes)));
  EXPECT_TRUE(IsRefused(chunk(limits::kSnapshotChunkBytes + 1)));
  const std::vector<Entry> many(11, large);
  EXPECT_GT(Encode({.message = Append{.entries = many}}).size(),
            limits::kFrameBytesMax);
  EXPECT_TRUE(IsRefused(Append{.entries = many}));
}

TEST(HostileTest, ChunksPastTheEndOfTheirSnapshotAreRefused) {
  EXPECT_FALSE(IsRefused(
      SnapshotChunk{.offset = 7, .total = 10, .bytes = std::string(3, 's')}));
  EXPECT_TRUE(IsRefused(
      SnapshotChunk{.offset = 8, .total = 10, .bytes = std::string(3, 's')}));
  EXPECT_TRUE(IsRefused(SnapshotChunk{.offset = 11, .total = 10}));
  EXPECT_TRUE(IsRefused(SnapshotChunk{.offset = UINT64_MAX, .total = 10}));
  EXPECT_TRUE(IsRefused(SnapshotChunk{.total = limits::kSnapshotBytesMax + 1}));
}

TEST(HostileTest, NumbersThatCouldWrapAreRefused) {
  EXPECT_TRUE(IsRefused(TimeoutNow{.term = Term(UINT64_MAX)}));
  EXPECT_TRUE(IsRefused(Append{.previous_index = LogIndex(UINT64_MAX)}));
  EXPECT_TRUE(IsRefused(
      Append{.entries = {{.time = ClusterTime(uint64_t{INT64_MAX} + 1)}}}));
  EXPECT_TRUE(
      IsRefused(PushPull{.token_base = FencingToken(FencingToken::kMax + 1)}));
}

TEST(HostileTest, VotersMustRiseById) {
  const auto refuses = [](std::vector<Voter> voters) {
    const Configuration configuration{.voters = std::move(voters)};
    const bool is_refused =
        !DecodeConfiguration(EncodeConfiguration(configuration)).ok();
    EXPECT_EQ(IsRefused(SnapshotChunk{.configuration = configuration}),
              is_refused);
    return is_refused;
  };
  const auto voter = [](uint64_t number) {
    return Voter{.id = {.high = number}};
  };
  EXPECT_FALSE(refuses({}));
  EXPECT_FALSE(refuses({voter(1), voter(2)}));
  EXPECT_TRUE(refuses({voter(2), voter(1)}));
  EXPECT_TRUE(refuses({voter(1), voter(1)}));
  std::vector<Voter> voters;
  while (voters.size() < limits::kVotersMax)
    voters.push_back(voter(voters.size()));
  EXPECT_FALSE(refuses(voters));
  voters.push_back(voter(voters.size()));
  EXPECT_TRUE(refuses(voters));
}

TEST(HostileTest, EnumsOutOfRangeAreRefused) {
  EXPECT_TRUE(IsRefused(Gossip{.facts = {{.state = MemberState{4}}}}));
  EXPECT_TRUE(IsRefused(Append{.entries = {{.kind = EntryKind{2}}}}));
  EXPECT_TRUE(IsRefused(Replies{.replies = {{.kind = Reply::Kind{9}}}}));
  EXPECT_TRUE(IsRefused(Replies{.replies = {{.outcome = Outcome{10}}}}));
  EXPECT_TRUE(IsRefused(Replies{.replies = {{.limit = Limit{8}}}}));
  EXPECT_TRUE(
      IsRefused(Replies{.reads = {{.members = {{.role = MemberRole{4}}}}}}));
}

// --- Made with care ---------------------------------------------------------

std::string Finish(FlatBufferBuilder& builder, wire::Message kind,
                   Offset<void> message) {
  wire::FinishEnvelopeBuffer(
      builder, wire::CreateEnvelope(builder, kProtocolVersion, nullptr, nullptr,
                                    nullptr, nullptr, kind, message));
  return Seal({reinterpret_cast<const char*>(builder.GetBufferPointer()),
               builder.GetSize()});
}

TEST(HostileTest, AMessageWithoutItsTableIsRefused) {
  FlatBufferBuilder builder;
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decode(Finish(builder, wire::Message::Append, 0)).status()));
}

TEST(HostileTest, AMessageOfAnUnknownKindIsRefused) {
  FlatBufferBuilder builder;
  const auto table = wire::CreatePing(builder, /*probe=*/1);
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decode(Finish(builder, wire::Message{99}, table.Union())).status()));
}

TEST(HostileTest, AReadOfAnUnknownKindIsRefused) {
  for (const int kind : {0, 1, 3, 255}) {
    FlatBufferBuilder builder;
    const auto read = wire::CreateRead(builder, /*number=*/1, 0, 0, 0,
                                       static_cast<wire::ReadKind>(kind));
    const auto forward = wire::CreateForward(
        builder, 0, 0, builder.CreateVector(std::vector{read}));
    const absl::Status status =
        Decode(Finish(builder, wire::Message::Forward, forward.Union()))
            .status();
    EXPECT_EQ(status.ok(), kind < 2) << kind << ": " << status;
  }
}

TEST(HostileTest, WaitersPastALimitAreRefused) {
  const auto with = [](WaiterInfo waiter, size_t count = 1) {
    return Replies{.reads = {{.waiters = {count, std::move(waiter)}}}};
  };
  EXPECT_FALSE(IsRefused(with({.name = std::string(64, 'n')}, 1000)));
  EXPECT_TRUE(IsRefused(with({.name = "n"}, limits::kListWaitersMax + 1)));
  EXPECT_TRUE(IsRefused(with({.name = std::string(65, 'n')})));
  EXPECT_TRUE(
      IsRefused(with({.owner = std::string(limits::kOwnerBytesMax + 1, 'o')})));
  EXPECT_TRUE(IsRefused(Forward{.reads = {{.what = ListWaitersRequest{}}}}));
  const std::string too_long(limits::kReasonBytesMax + 1, 'r');
  EXPECT_TRUE(IsRefused(Replies{.replies = {{.text = too_long}}}));
  EXPECT_TRUE(IsRefused(Replies{
      .reads = {{.holder = LockInfo{.key = "k", .revoke_reason = too_long}}}}));
  EXPECT_TRUE(IsRefused(Replies{
      .reads = {{.locks = {{.key = "k", .revoke_reason = too_long}}}}}));
}

TEST(HostileTest, ACommandOfAnUnknownKindIsRefused) {
  for (const wire::LockCommand kind :
       {wire::LockCommand::NONE, wire::LockCommand{99}}) {
    FlatBufferBuilder builder;
    const auto table = wire::CreateBeginTerm(builder);
    const auto kinds = builder.CreateVector(std::vector{kind});
    const auto tables = builder.CreateVector(std::vector{table.Union()});
    const auto forward = wire::CreateForward(builder, kinds, tables);
    EXPECT_TRUE(absl::IsInvalidArgument(
        Decode(Finish(builder, wire::Message::Forward, forward.Union()))
            .status()));
  }
}

TEST(HostileTest, MoreKindsThanCommandsAreRefused) {
  FlatBufferBuilder builder;
  const auto table = wire::CreateBeginTerm(builder);
  const auto kinds =
      builder.CreateVector(std::vector(2, wire::LockCommand::BeginTerm));
  const auto tables = builder.CreateVector(std::vector{table.Union()});
  const auto forward = wire::CreateForward(builder, kinds, tables);
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decode(Finish(builder, wire::Message::Forward, forward.Union()))
          .status()));
}

// A small message that names one large part many times would unfold to
// gigabytes.
TEST(HostileTest, PartsThatAreSharedAreRefused) {
  FlatBufferBuilder builder;
  const std::string key(limits::kKeyBytesMax, 'k');
  const auto bytes = builder.CreateVector(
      reinterpret_cast<const uint8_t*>(key.data()), key.size());
  std::vector<Offset<wire::Reply>> replies;
  for (int i = 0; i < 1000; ++i) {
    wire::ReplyBuilder reply(builder);
    reply.add_key(bytes);
    replies.push_back(reply.Finish());
  }
  const auto list = builder.CreateVector(replies);
  const auto message = wire::CreateReplies(builder, list);
  const std::string sealed =
      Finish(builder, wire::Message::Replies, message.Union());
  EXPECT_LT(sealed.size(), 20'000u);
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(sealed).status()));
}

TEST(HostileTest, TablesThatAreSharedAreRefused) {
  FlatBufferBuilder builder;
  const auto fact = wire::CreateMemberFact(builder);
  const auto facts = builder.CreateVector(std::vector(4000, fact));
  const auto message = wire::CreateGossip(builder, facts);
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decode(Finish(builder, wire::Message::Gossip, message.Union()))
          .status()));
}

}  // namespace
}  // namespace cachalot
