#ifndef TESTS_ENGINE_WIRE_MESSAGE_GENERATOR_H_
#define TESTS_ENGINE_WIRE_MESSAGE_GENERATOR_H_

#include <string>
#include <variant>
#include <vector>

#include "engine/command.h"
#include "engine/random.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

inline constexpr size_t kMessageKinds = std::variant_size_v<Message>;
inline constexpr size_t kCommandKinds = std::variant_size_v<LockCommand>;

// Messages within the limits, drawn at random: plain values and those at the
// very ends of their ranges, short lists and empty ones, keys of any bytes.
class MessageGenerator {
 public:
  explicit MessageGenerator(uint64_t seed) : random_(seed) {}

  // `kind` is an index into Message.
  Envelope DrawEnvelope(size_t kind);
  // `kind` is an index into LockCommand.
  LockCommand DrawCommand(size_t kind);
  std::vector<LockCommand> DrawCommands(size_t count_max);
  Configuration DrawConfiguration();
  MemberFact DrawFact();
  // `kind` is an index into Message.
  Message DrawMessage(size_t kind);

 private:
  template <typename Draw>
  auto DrawList(size_t count_max, Draw draw) {
    std::vector<decltype(draw())> items(
        static_cast<size_t>(random_.Between(0, count_max)));
    for (auto& item : items) item = draw();
    return items;
  }

  bool DrawBool() { return random_.Chance(1, 2); }
  // Any of the 64-bit numbers.
  uint64_t DrawNumber();
  // One that counts up from 1.
  uint64_t DrawOrdinal();
  FencingToken DrawTokenUpTo(uint64_t max);
  template <typename Id>
  Id DrawId() {
    return {.high = DrawNumber(), .low = DrawNumber()};
  }
  template <typename Enum>
  Enum DrawEnum(Enum last) {
    return static_cast<Enum>(random_.Between(0, static_cast<uint64_t>(last)));
  }
  SessionId DrawSession();
  FencingToken DrawToken();
  Address DrawAddress();
  absl::Duration DrawDuration(absl::Duration low, absl::Duration high);
  absl::Duration DrawRemaining();
  WaiterInfo DrawWaiterInfo();
  absl::Duration DrawTtl();
  ClusterTime DrawTime();
  std::string DrawBytes(size_t size_min, size_t size_max);
  std::string DrawKey();
  std::vector<Voter> DrawVoters();
  std::vector<MemberFact> DrawFacts();
  std::vector<std::string> DrawNames();
  Entry DrawEntry();
  SnapshotChunk DrawChunk();
  Read DrawRead();
  LockInfo DrawLockInfo();
  MemberInfo DrawMemberInfo();
  ReadResult DrawReadResult();
  Reply DrawReply();

  Random random_;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_WIRE_MESSAGE_GENERATOR_H_
