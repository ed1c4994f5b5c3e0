#include "tools/simulator/run_files.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/report/page/page.h"
#include "sim/report/perfetto.h"

namespace cachalot::tools {
namespace {

template <typename WriteTo>
absl::Status WriteFile(const std::string& path, const sim::Recording& recording,
                       WriteTo write) {
  if (path.empty()) return absl::OkStatus();
  std::ofstream file(path, std::ios::binary);
  write(recording, file);
  file.close();
  if (file.fail()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunFiles::Write(sim::Heading heading) {
  if (!is_asked_for()) return absl::OkStatus();
  sim::Recording recording = recorder_.Take();
  recording.heading = std::move(heading);
  return WriteAll(recording);
}

absl::Status RunFiles::WriteInterrupted() {
  if (!is_asked_for()) return absl::OkStatus();
  sim::Recording recording = recorder_.Take();
  recording.heading.title = run_;
  recording.heading.verdict = sim::RunVerdict::kFailed;
  recording.heading.sentence =
      "a CHECK failed in the engine; its message is on stderr";
  if (!recording.steps.empty()) {
    recording.heading.failed_step = recording.steps.size() - 1;
  }
  return WriteAll(recording);
}

absl::Status RunFiles::WriteAll(const sim::Recording& recording) const {
  const absl::Status page = WriteFile(page_, recording, sim::WritePage);
  const absl::Status perfetto =
      WriteFile(perfetto_, recording, sim::WritePerfetto);
  return page.ok() ? perfetto : page;
}

}  // namespace cachalot::tools
