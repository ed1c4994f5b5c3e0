#ifndef IO_SEED_TIMING_H_
#define IO_SEED_TIMING_H_

#include "absl/time/time.h"

namespace cachalot {

// How often seeds' names are looked up.
struct SeedTiming {
  // While the node has no cluster or no leader: after a time drawn from the
  // upper half of [0, seeking], so that a cluster that starts as one does not
  // ask the name service as one.
  absl::Duration seeking = absl::Seconds(4);
  // While a name is unknown, no living member is at a seed's address, or the
  // node is alone in its cluster.
  absl::Duration missing = absl::Seconds(10);
  // While all is well. Each is drawn from the upper half, too.
  absl::Duration settled = absl::Minutes(1);
  // How often it is decided which of these applies.
  absl::Duration check = absl::Seconds(5);
  // How long the first answers are waited for at the start.
  absl::Duration first_answer_max = absl::Seconds(5);
};

}  // namespace cachalot

#endif  // IO_SEED_TIMING_H_
