#include "tools/base/words.h"

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace cachalot::tools {

void Say(absl::string_view what, absl::Time time) {
  const std::string line =
      absl::StrCat(absl::FormatTime("%H:%M:%E3S", time, absl::LocalTimeZone()),
                   "  ", what, "\n");
  // One call: stdio keeps each whole.
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

std::string Words(absl::Duration duration) {
  const absl::Duration length = absl::AbsDuration(duration);
  absl::Duration unit = absl::Seconds(1);
  if (length < absl::Seconds(10)) unit = absl::Milliseconds(100);
  if (length < absl::Seconds(1)) unit = absl::Milliseconds(1);
  const std::string words = absl::FormatDuration(absl::Trunc(duration, unit));
  return words == "0" ? "0s" : words;
}

std::string TimesLeftInWords(const LockInfo& lock) {
  return absl::StrCat("its lease has ", Words(lock.lease_remaining),
                      " left, its agent's session ",
                      Words(lock.session_remaining), "; both may be renewed");
}

bool ReadDuration(const std::string& text, absl::Duration& duration) {
  absl::Duration read;
  if (!absl::ParseDuration(text, &read)) return false;
  if (read < absl::ZeroDuration()) return false;
  if (read == absl::InfiniteDuration()) return false;
  duration = read;
  return true;
}

std::string Describe(const Standing& standing) {
  return std::string(StandingInWords(standing));
}

}  // namespace cachalot::tools
