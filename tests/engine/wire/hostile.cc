#include "tests/engine/wire/hostile.h"

#include <vector>

#include "absl/status/statusor.h"
#include "engine/check.h"
#include "engine/command.h"
#include "engine/limits.h"
#include "engine/saved_state.h"
#include "engine/wire/checksum.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "tests/engine/wire/within_limits.h"

namespace cachalot {
namespace {

constexpr size_t kChecksumBytes = sizeof(uint64_t);

void CheckMessage(absl::string_view bytes) {
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (!envelope.ok()) return;
  CHECK(WithinLimits(envelope->message));
  CHECK(Decode(Encode(*envelope)).value() == *envelope);
}

void CheckCommands(absl::string_view bytes) {
  const absl::StatusOr<std::vector<LockCommand>> commands =
      DecodeCommands(bytes);
  if (!commands.ok()) return;
  CHECK(WithinLimits(*commands));
  // Parts that they shared may make them too many when they stand alone.
  const std::string again = EncodeCommands(*commands);
  if (again.size() > limits::kEntryBytesMax) return;
  CHECK(DecodeCommands(again).value() == *commands);
}

void CheckConfiguration(absl::string_view bytes) {
  const absl::StatusOr<Configuration> configuration =
      DecodeConfiguration(bytes);
  if (!configuration.ok()) return;
  CHECK(WithinLimits(*configuration));
  CHECK(DecodeConfiguration(EncodeConfiguration(*configuration)).value() ==
        *configuration);
}

}  // namespace

std::string Seal(absl::string_view body) {
  std::string bytes(body);
  uint64_t sum = Checksum(body);
  for (size_t i = 0; i < kChecksumBytes; ++i, sum >>= 8) {
    bytes.push_back(static_cast<char>(sum));
  }
  return bytes;
}

absl::string_view Unsealed(absl::string_view bytes) {
  CHECK(bytes.size() >= kChecksumBytes);
  bytes.remove_suffix(kChecksumBytes);
  return bytes;
}

void CheckHarmless(absl::string_view bytes) {
  CheckMessage(bytes);
  CheckMessage(Seal(bytes));
  CheckCommands(bytes);
  CheckConfiguration(bytes);
}

void Mutate(Random& random, std::string& bytes) {
  if (bytes.empty()) return;
  for (uint64_t i = random.Between(uint64_t{1}, uint64_t{4}); i > 0; --i) {
    char& byte = bytes[static_cast<size_t>(random.Below(bytes.size()))];
    switch (random.Below(4)) {
      case 0:  // a single bit
        byte = static_cast<char>(byte ^ (1 << random.Below(8)));
        break;
      case 1:  // a length or an offset off by a little
        byte = static_cast<char>(byte + (random.Chance(1, 2) ? 4 : -4));
        break;
      case 2:
        byte = static_cast<char>(0xff);
        break;
      default:
        byte = static_cast<char>(random.Next());
    }
  }
}

}  // namespace cachalot
