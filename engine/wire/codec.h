#ifndef ENGINE_WIRE_CODEC_H_
#define ENGINE_WIRE_CODEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/locks/command.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// Bytes for typed messages and back: the only reader of generated code.
//
// Whatever is decoded may come from anybody. It is verified before it is read,
// every size is held to engine/limits.h, every enum to its range, and what is
// left over is an error: Decode(Encode(x)) == x, and Decode of anything else
// is a message within the limits or InvalidArgument, never a crash.

// Spoken by this build. A peer with another version is told apart from noise.
inline constexpr uint16_t kProtocolVersion = 1;

std::string Encode(const Envelope& envelope);

// Errors: InvalidArgument (not a message of ours, or beyond a limit),
// Unimplemented (a message of another protocol version).
absl::StatusOr<Envelope> Decode(absl::string_view bytes);

// The payload of an entry of kind kCommands.
std::string EncodeCommands(const std::vector<LockCommand>& commands);
absl::StatusOr<std::vector<LockCommand>> DecodeCommands(
    absl::string_view bytes);

// The payload of an entry of kind kConfiguration.
std::string EncodeConfiguration(const Configuration& configuration);
absl::StatusOr<Configuration> DecodeConfiguration(absl::string_view bytes);

// How many bytes one fact takes in a datagram at most: for filling datagrams
// up to limits::kDatagramBytesMax.
size_t EncodedSizeMax(const MemberFact& fact);
// What an envelope and a membership message without facts take at most.
inline constexpr size_t kEnvelopeBytesMax = 256;

}  // namespace cachalot

#endif  // ENGINE_WIRE_CODEC_H_
