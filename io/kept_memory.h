#ifndef IO_KEPT_MEMORY_H_
#define IO_KEPT_MEMORY_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/memory.h"
#include "io/log.h"
#include "io/memory_writer.h"

namespace cachalot {

// What a member's options say of its memory: the fields of CoordinatorOptions
// of the same names.
struct MemoryChoice {
  std::string state_dir;
  std::string cluster;
  bool bootstrap = false;
  bool force_bootstrap = false;
};

// What a member finds of its memory when it starts.
struct KeptMemory {
  std::optional<Memory> memory;          // unset: nothing is kept
  std::unique_ptr<MemoryWriter> writer;  // null: nothing is kept

  bool remembers_cluster() const {
    return memory.has_value() && memory->remembers_cluster();
  }
};

// Opens the state directory, if there is to be one, and counts this start.
// `log`, which may be null, is told what the member remembers.
//
// Errors: those of StateDir::Open() and of MemoryWriter::Create();
// InvalidArgument (bootstrap, but a cluster is remembered; force_bootstrap
// without a directory).
absl::StatusOr<KeptMemory> OpenMemory(const MemoryChoice& choice,
                                      std::shared_ptr<Logger> log);

}  // namespace cachalot

#endif  // IO_KEPT_MEMORY_H_
