#ifndef TOOLS_SIMULATOR_RUN_FILES_H_
#define TOOLS_SIMULATOR_RUN_FILES_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "sim/report/record.h"
#include "sim/world/world.h"

namespace cachalot::tools {

// Writes the files that show one run, if they are asked for: an HTML page and a
// trace for Perfetto.
class RunFiles {
 public:
  // The paths of the files; empty: not asked for. `run` is the title of the
  // run.
  RunFiles(std::string page, std::string perfetto, std::string run)
      : page_(std::move(page)),
        perfetto_(std::move(perfetto)),
        run_(std::move(run)) {}

  bool is_asked_for() const { return !page_.empty() || !perfetto_.empty(); }
  // Records the run. Add it to the run's watchers.
  sim::Watcher* watcher() { return &recorder_; }

  // Writes the files with what was recorded so far.
  //
  // Errors: Unavailable (a file cannot be written).
  absl::Status Write(sim::Heading heading);
  // The same when a CHECK has failed in the current step.
  absl::Status WriteInterrupted();

 private:
  absl::Status WriteAll(const sim::Recording& recording) const;

  std::string page_;
  std::string perfetto_;
  std::string run_;
  sim::Recorder recorder_;
};

}  // namespace cachalot::tools

#endif  // TOOLS_SIMULATOR_RUN_FILES_H_
