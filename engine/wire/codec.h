#ifndef ENGINE_WIRE_CODEC_H_
#define ENGINE_WIRE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/command.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// Encodes typed messages as bytes and decodes them. The rest of the engine does
// not include the code that is generated from wire.fbs.
//
// The bytes to decode may come from anybody. They are verified before they are
// read, sizes are checked against engine/limits.h, and enums and durations
// against their ranges. A message never decodes to more bytes than it has.
// Decode(Encode(x)) == x for every x within the limits. Decode() of other bytes
// is a message within the limits or an error, never a crash. Random damage is
// missed with a probability of 2^-64.

// The protocol version of this build. Messages of other versions are refused as
// such (Unimplemented), not as malformed.
inline constexpr uint16_t kProtocolVersion = 4;

std::string Encode(const Envelope& envelope);

// Errors: InvalidArgument (not a message of ours, or beyond a limit),
// Unimplemented (a message of another protocol version).
absl::StatusOr<Envelope> Decode(absl::string_view bytes);

// The Message::index() of the message in `bytes`, without decoding it. Nothing
// is verified. REQUIRES: Encode() returned `bytes`.
size_t KindOfEncoded(const std::string& bytes);

// The payload of an entry of kind kCommands. A payload above
// limits::kEntryBytesMax does not decode, so the caller keeps the sum of the
// commands' EncodedSizeMax() below it.
std::string EncodeCommands(absl::Span<const LockCommand> commands);
absl::StatusOr<std::vector<LockCommand>> DecodeCommands(
    absl::string_view bytes);

// The payload of an entry of kind kConfiguration.
std::string EncodeConfiguration(const Configuration& configuration);
absl::StatusOr<Configuration> DecodeConfiguration(absl::string_view bytes);

// The most bytes that one fact takes in a datagram: for filling datagrams up to
// limits::kDatagramBytesMax.
size_t EncodedSizeMax(const MemberFact& fact);
// The most bytes that one command takes in an entry or a Forward, including its
// share of the list.
size_t EncodedSizeMax(const LockCommand& command);
// The most bytes that an envelope and its message take without facts or
// commands.
inline constexpr size_t kEnvelopeBytesMax = 256;

}  // namespace cachalot

#endif  // ENGINE_WIRE_CODEC_H_
