#ifndef TOOLS_SIMULATOR_RUN_FILES_H_
#define TOOLS_SIMULATOR_RUN_FILES_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "sim/report/record.h"
#include "sim/world/world.h"

namespace cachalot::tools {

// The files that show one run: a page and a trace for Perfetto, each if it is
// asked for.
class RunFiles {
 public:
  // Where they are to be written; empty: not asked for. `run` is what to call
  // the run.
  RunFiles(std::string page, std::string perfetto, std::string run)
      : page_(std::move(page)),
        perfetto_(std::move(perfetto)),
        run_(std::move(run)) {}

  bool is_asked_for() const { return !page_.empty() || !perfetto_.empty(); }
  // To look on while the run is made.
  sim::Watcher* watcher() { return &recorder_; }

  // Writes what is asked for, with what was seen so far.
  //
  // Errors: Unavailable (a file cannot be written).
  absl::Status Write(sim::Heading heading);
  // The run is not to end: a CHECK has failed in the step that is being made.
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
