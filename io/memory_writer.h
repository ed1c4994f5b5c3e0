#ifndef IO_MEMORY_WRITER_H_
#define IO_MEMORY_WRITER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/memory.h"
#include "io/fork_guard.h"
#include "io/log.h"

namespace cachalot {

// Writes memories on a thread of its own, so that the driver's thread never
// waits for a disk. The newest replaces those that have not been begun: a save
// stands for all earlier ones.
//
// A write that fails is tried again for as long as the writer lives, less and
// less often; the log says so at once, then now and then, and when it is over.
// One that does not return is told of by the driver, which knows what it waits
// for.
//
// In a child of fork() nothing is ever written: its calls have no effect.
class MemoryWriter {
 public:
  struct Options {
    // Returns OK once the memory is on stable storage. Called on the writer's
    // thread, one call at a time; may take any time. It owns what it needs,
    // since a call may outlive the writer: see Stop().
    std::function<absl::Status(const Memory&)> write;
    std::shared_ptr<Logger> log;  // may be null
    // A write that failed is tried again after this, doubled each time.
    absl::Duration retry_min = absl::Milliseconds(100);
    absl::Duration retry_max = absl::Seconds(10);
    // How often the log repeats that nothing can be saved.
    absl::Duration repeat = absl::Minutes(1);
  };

  // Errors: ResourceExhausted (no thread).
  static absl::StatusOr<std::unique_ptr<MemoryWriter>> Create(Options options);
  // Stop(), without a bound, unless it was called before.
  ~MemoryWriter();
  MemoryWriter(const MemoryWriter&) = delete;
  MemoryWriter& operator=(const MemoryWriter&) = delete;

  // Called on the writer's thread for each memory that was written, with its
  // save: that one is done, and so are all before it. Not called any more when
  // Stop() has returned. Must not block. To be set before the first Save().
  void set_on_saved(std::function<void(SaveId)> on_saved);

  // Hands over what to write. Never waits. `save` is above that of earlier
  // calls. Without effect after Stop().
  void Save(SaveId save, Memory memory);

  // Why the latest try failed; empty if it did not, or if there was none.
  std::string problem() const;

  // Tries once more to write what is pending, and ends. If that takes longer
  // than `patience`, it is left to itself. False unless all is written.
  bool Stop(absl::Duration patience);

 private:
  struct State;

  explicit MemoryWriter(std::shared_ptr<State> state)
      : state_(std::move(state)) {}

  const ForkGuard fork_guard_;
  const std::shared_ptr<State> state_;
};

}  // namespace cachalot

#endif  // IO_MEMORY_WRITER_H_
