#ifndef IO_SAVE_QUEUE_H_
#define IO_SAVE_QUEUE_H_

#include <deque>
#include <optional>

#include "engine/ids.h"
#include "engine/instant.h"

namespace cachalot {

// Which of a node's orders to save may be reported as done. Only those that
// carry a memory wait for a disk, but saves are done in the order of their
// numbers: those that come after such a one wait for it.
//
// For one thread.
class SaveQueue {
 public:
  // The node has ordered `save`, which is above all earlier ones. `waits`: it
  // is done only when Complete() says so.
  void Add(FastInstant now, SaveId save, bool waits);
  // `save`, and with it all before it, are on stable storage.
  void Complete(SaveId save);

  // Whether Take() would return something.
  bool has_done() const;
  // The last save that is done, if it was not returned before: all before it
  // are done as well.
  std::optional<SaveId> Take();

  // When the oldest save was ordered that still waits; none: nothing waits.
  std::optional<FastInstant> waiting_since() const;

 private:
  struct Waiting {
    SaveId save;
    FastInstant since;
  };

  SaveId Done() const;

  SaveId last_;                  // ordered
  SaveId taken_;                 // returned by Take()
  std::deque<Waiting> waiting_;  // ordered by save
};

}  // namespace cachalot

#endif  // IO_SAVE_QUEUE_H_
