// Properties of the codec: what is written is read, and what was changed on the
// way is refused, or is something else that can be said.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/command.h"
#include "engine/limits.h"
#include "engine/random.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"
#include "tests/engine/wire/hostile.h"
#include "tests/engine/wire/message_generator.h"

namespace cachalot {
namespace {

size_t AnyKind() { return *rc::gen::inRange<size_t>(0, kMessageKinds); }

RC_GTEST_PROP(CodecProperty, EveryMessageComesBack, (uint64_t seed)) {
  const Envelope envelope = MessageGenerator(seed).DrawEnvelope(AnyKind());
  const std::string bytes = Encode(envelope);
  RC_ASSERT(bytes.size() <= limits::kFrameBytesMax);
  RC_ASSERT(Decode(bytes).value() == envelope);
}

RC_GTEST_PROP(CodecProperty, ADamagedMessageIsRefused, (uint64_t seed)) {
  std::string bytes = Encode(MessageGenerator(seed).DrawEnvelope(AnyKind()));
  const size_t place = *rc::gen::inRange<size_t>(0, bytes.size());
  const int damage = *rc::gen::inRange(1, 256);
  bytes[place] = static_cast<char>(bytes[place] ^ damage);
  RC_ASSERT(!Decode(bytes).ok());
}

RC_GTEST_PROP(CodecProperty, ATruncatedMessageIsRefused, (uint64_t seed)) {
  const std::string bytes =
      Encode(MessageGenerator(seed).DrawEnvelope(AnyKind()));
  const size_t size = *rc::gen::inRange<size_t>(0, bytes.size());
  RC_ASSERT(!Decode(bytes.substr(0, size)).ok());
}

// CheckHarmless() CHECKs: it fails by dying.
RC_GTEST_PROP(CodecProperty, AForgedMessageIsRefusedOrCanBeSaidAgain,
              (uint64_t seed)) {
  std::string body(
      Unsealed(Encode(MessageGenerator(seed).DrawEnvelope(AnyKind()))));
  Random random(seed, "mutations");
  for (int i = 0; i < 20; ++i) {
    std::string mutated = body;
    Mutate(random, mutated);
    CheckHarmless(mutated);
  }
}

RC_GTEST_PROP(CodecProperty, NoCommandTakesMoreThanItsBound, (uint64_t seed)) {
  MessageGenerator generator(seed);
  const std::vector<LockCommand> commands = generator.DrawCommands(12);
  size_t bound = kEnvelopeBytesMax;
  for (const LockCommand& command : commands) bound += EncodedSizeMax(command);
  RC_ASSERT(EncodeCommands(commands).size() <= bound);
  RC_ASSERT(DecodeCommands(EncodeCommands(commands)).value() == commands);
}

RC_GTEST_PROP(CodecProperty, NoFactTakesMoreThanItsBound, (uint64_t seed)) {
  MessageGenerator generator(seed);
  Envelope envelope{.message = Gossip()};
  size_t bound = kEnvelopeBytesMax;
  for (size_t count = *rc::gen::inRange<size_t>(0, 20); count > 0; --count) {
    const MemberFact fact = generator.DrawFact();
    bound += EncodedSizeMax(fact);
    std::get<Gossip>(envelope.message).facts.push_back(fact);
  }
  RC_ASSERT(Encode(envelope).size() <= bound);
}

}  // namespace
}  // namespace cachalot
