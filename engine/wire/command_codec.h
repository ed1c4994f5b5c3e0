#ifndef ENGINE_WIRE_COMMAND_CODEC_H_
#define ENGINE_WIRE_COMMAND_CODEC_H_

#include <vector>

#include "absl/types/span.h"
#include "engine/command.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"
#include "engine/wire/writer.h"

namespace cachalot::codec {

Offset<wire::ExpireLock> ToTable(Writer& writer, const Expire::OfLock& lock);
Expire::OfLock FromTable(Reader& reader, const wire::ExpireLock& lock);

// A list of commands. FlatBuffers stores a vector of unions as two vectors: one
// of kinds and one of tables. Both are fields of Commands and of Forward.
struct CommandVectors {
  Offset<Vector<wire::LockCommand>> kinds;
  Offset<Vector<Offset<void>>> tables;
};

CommandVectors ToVectors(Writer& writer,
                         absl::Span<const LockCommand> commands);
std::vector<LockCommand> FromVectors(Reader& reader,
                                     const Vector<wire::LockCommand>* kinds,
                                     const Vector<Offset<void>>* tables);

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_COMMAND_CODEC_H_
