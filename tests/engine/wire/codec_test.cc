#include "engine/wire/codec.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "tests/engine/wire/message_generator.h"

namespace cachalot {
namespace {

constexpr int kDraws = 2000;

class EveryMessage : public testing::TestWithParam<size_t> {};
class EveryCommand : public testing::TestWithParam<size_t> {};

INSTANTIATE_TEST_SUITE_P(Codec, EveryMessage,
                         testing::Range(size_t{0}, kMessageKinds));
INSTANTIATE_TEST_SUITE_P(Codec, EveryCommand,
                         testing::Range(size_t{0}, kCommandKinds));

TEST_P(EveryMessage, ComesBackAsItWas) {
  MessageGenerator generator(/*seed=*/GetParam());
  for (int i = 0; i < kDraws; ++i) {
    const Envelope sent = generator.DrawEnvelope(GetParam());
    ASSERT_EQ(sent.message.index(), GetParam());
    const auto received = Decode(Encode(sent));
    ASSERT_TRUE(received.ok()) << received.status() << " at draw " << i;
    ASSERT_TRUE(*received == sent) << "at draw " << i;
  }
}

TEST_P(EveryMessage, TellsItsKindAtAGlance) {
  MessageGenerator generator(/*seed=*/GetParam());
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = Encode(generator.DrawEnvelope(GetParam()));
    ASSERT_EQ(KindOfEncoded(bytes), GetParam());
  }
}

TEST_P(EveryMessage, ComesBackFromAnyAlignment) {
  MessageGenerator generator(/*seed=*/GetParam());
  for (int i = 0; i < 20; ++i) {
    const Envelope sent = generator.DrawEnvelope(GetParam());
    const std::string bytes = Encode(sent);
    for (size_t shift = 0; shift < 8; ++shift) {
      const std::string shifted = std::string(shift, '?') + bytes;
      const auto received = Decode(absl::string_view(shifted).substr(shift));
      ASSERT_TRUE(received.ok()) << received.status();
      ASSERT_TRUE(*received == sent);
    }
  }
}

TEST_P(EveryMessage, IsRefusedWhenItIsCutShort) {
  MessageGenerator generator(/*seed=*/GetParam());
  const std::string bytes = Encode(generator.DrawEnvelope(GetParam()));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto received = Decode(absl::string_view(bytes).substr(0, size));
    ASSERT_TRUE(absl::IsInvalidArgument(received.status())) << size;
  }
}

TEST_P(EveryMessage, IsRefusedWhenOneBitIsWrong) {
  MessageGenerator generator(/*seed=*/GetParam());
  std::string bytes = Encode(generator.DrawEnvelope(GetParam()));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char flip = static_cast<char>(1 << (i % 8));
    bytes[i] = static_cast<char>(bytes[i] ^ flip);
    ASSERT_TRUE(absl::IsInvalidArgument(Decode(bytes).status())) << i;
    bytes[i] = static_cast<char>(bytes[i] ^ flip);
  }
}

TEST_P(EveryMessage, EncodesTheSameWayTwice) {
  MessageGenerator generator(/*seed=*/GetParam());
  const Envelope envelope = generator.DrawEnvelope(GetParam());
  EXPECT_EQ(Encode(envelope), Encode(envelope));
}

TEST_P(EveryCommand, ComesBackAsItWas) {
  MessageGenerator generator(/*seed=*/GetParam());
  for (int i = 0; i < kDraws; ++i) {
    const std::vector<LockCommand> written = {
        generator.DrawCommand(GetParam())};
    const auto read = DecodeCommands(EncodeCommands(written));
    ASSERT_TRUE(read.ok()) << read.status() << " at draw " << i;
    ASSERT_TRUE(*read == written) << "at draw " << i;
  }
}

TEST(CodecTest, CommandsComeBackInTheirOrder) {
  MessageGenerator generator(/*seed=*/1);
  for (int i = 0; i < 200; ++i) {
    const std::vector<LockCommand> written = generator.DrawCommands(100);
    const auto read = DecodeCommands(EncodeCommands(written));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_TRUE(*read == written);
  }
}

TEST(CodecTest, ConfigurationsComeBackAsTheyWere) {
  MessageGenerator generator(/*seed=*/1);
  for (int i = 0; i < kDraws; ++i) {
    const Configuration written = generator.DrawConfiguration();
    const auto read = DecodeConfiguration(EncodeConfiguration(written));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(*read, written);
  }
}

TEST(CodecTest, FactsTakeNoMoreThanTheySay) {
  MessageGenerator generator(/*seed=*/1);
  for (int i = 0; i < kDraws; ++i) {
    for (size_t kind = 0; kind < std::variant_size_v<MembershipMessage>;
         ++kind) {
      const Envelope envelope = generator.DrawEnvelope(kind);
      size_t size_max = kEnvelopeBytesMax;
      std::visit(
          [&](const auto& body) {
            if constexpr (requires { body.facts; }) {
              for (const MemberFact& fact : body.facts) {
                size_max += EncodedSizeMax(fact);
              }
            } else if constexpr (requires { body.members; }) {
              for (const auto& fact : body.members) {
                size_max += EncodedSizeMax(fact);
              }
              // With their lengths, final zeros and offsets. Lists of members
              // are sent on streams alone.
              size_max += 16;
              for (const std::string& name : body.founders) {
                size_max += name.size() + 12;
              }
            }
          },
          envelope.message);
      ASSERT_LE(Encode(envelope).size(), size_max);
    }
  }
}

TEST(CodecTest, CommandsTakeNoMoreThanTheySay) {
  MessageGenerator generator(/*seed=*/1);
  for (int i = 0; i < kDraws; ++i) {
    std::vector<LockCommand> commands = generator.DrawCommands(20);
    size_t size_max = 0;
    for (const LockCommand& command : commands) {
      size_max += EncodedSizeMax(command);
    }
    if (commands.empty()) continue;
    ASSERT_LE(EncodeCommands(commands).size(), size_max);
    const Envelope forward{.message = Forward{.commands = std::move(commands)}};
    ASSERT_LE(Encode(forward).size(), size_max + kEnvelopeBytesMax);
  }
}

}  // namespace
}  // namespace cachalot
