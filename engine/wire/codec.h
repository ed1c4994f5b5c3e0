#ifndef ENGINE_WIRE_CODEC_H_
#define ENGINE_WIRE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/command.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// Bytes for typed messages and back: the only reader of generated code.
//
// Whatever is decoded may come from anybody. It is verified before it is read,
// every size is held to engine/limits.h, every enum and duration to its range,
// and nothing unfolds to more than the bytes that came: Decode(Encode(x)) == x
// for x within the limits, and Decode of anything else is a message within
// them or an error, never a crash. Damaged bytes are an error, but for one in
// 2^64.

// Spoken by this build. A peer with another version is told apart from noise.
inline constexpr uint16_t kProtocolVersion = 2;

std::string Encode(const Envelope& envelope);

// Errors: InvalidArgument (not a message of ours, or beyond a limit),
// Unimplemented (a message of another protocol version).
absl::StatusOr<Envelope> Decode(absl::string_view bytes);

// The kind of message that `bytes` are, as Message::index() has it, at a
// glance: nothing is verified. REQUIRES: Encode() returned them.
size_t KindOfEncoded(const std::string& bytes);

// The payload of an entry of kind kCommands. What is larger than
// limits::kEntryBytesMax does not decode: the sum of the commands'
// EncodedSizeMax() is to stay below it.
std::string EncodeCommands(const std::vector<LockCommand>& commands);
absl::StatusOr<std::vector<LockCommand>> DecodeCommands(
    absl::string_view bytes);

// The payload of an entry of kind kConfiguration.
std::string EncodeConfiguration(const Configuration& configuration);
absl::StatusOr<Configuration> DecodeConfiguration(absl::string_view bytes);

// How many bytes one fact takes in a datagram at most: for filling datagrams
// up to limits::kDatagramBytesMax.
size_t EncodedSizeMax(const MemberFact& fact);
// The same of one command in an entry or a Forward, with its share of the rest.
size_t EncodedSizeMax(const LockCommand& command);
// What an envelope and a message take at most, apart from such lists.
inline constexpr size_t kEnvelopeBytesMax = 256;

}  // namespace cachalot

#endif  // ENGINE_WIRE_CODEC_H_
