#ifndef TOOLS_BASE_WORDS_H_
#define TOOLS_BASE_WORDS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/request.h"
#include "io/agent_status.h"

namespace cachalot::tools {

// Prints a line on stdout, with the time of day before it. Thread-safe: lines
// do not mix.
void Say(absl::string_view what, absl::Time time = absl::Now());

// For people: "1m30s", "4.2s", "35ms", "0s".
std::string Words(absl::Duration duration);

// Until when a lock is held: "its lease has 1m50s left, its agent's session
// 8.6s; both may be renewed".
std::string TimesLeftInWords(const LockInfo& lock);

// "ready: locks can be taken", or what is missing for that.
std::string Describe(const Standing& standing);

// Reads "30s", "1m30s", "1.5s"; false if it is none of these, is negative or
// has no end.
bool ReadDuration(const std::string& text, absl::Duration& duration);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_WORDS_H_
