#ifndef ENGINE_STORAGE_MEMORY_FILE_H_
#define ENGINE_STORAGE_MEMORY_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/memory.h"

namespace cachalot {

// A node's Memory as the bytes of a file, and back. README.md has the format,
// byte by byte. A file has exactly one form: bytes that decode are those that
// EncodeMemory() writes.

// The format that is written, and the only one that is read.
inline constexpr uint32_t kMemoryFormat = 1;
// A file of any format that is longer is damaged: no more has to be read.
inline constexpr size_t kMemoryFileBytesMax = size_t{64} << 10;
// Above any number of starts that can have happened.
inline constexpr uint64_t kStartsMax = uint64_t{1} << 48;

// `cluster_name` is the name that the cluster goes by (NodeOptions::cluster).
//
// REQUIRES: the name has 1 to limits::kNameBytesMax bytes; `memory` has
// between 1 and kStartsMax starts, and at most limits::kSeedsMax peers, none of
// which is none.
std::string EncodeMemory(absl::string_view cluster_name, const Memory& memory);

// Trusts no byte. The text of an error says what is wrong with the file, as the
// end of a sentence that begins with its name: "is damaged: ...".
//
// Errors, the first that fits:
//   InvalidArgument     it is no such file at all
//   DataLoss            it is one, but damaged
//   Unimplemented       it is whole, but of a format that this version does not
//                       know: a later version wrote it
//   FailedPrecondition  it is of a cluster of another name
absl::StatusOr<Memory> DecodeMemory(absl::string_view cluster_name,
                                    absl::string_view bytes);

}  // namespace cachalot

#endif  // ENGINE_STORAGE_MEMORY_FILE_H_
