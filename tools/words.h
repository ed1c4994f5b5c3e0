#ifndef TOOLS_WORDS_H_
#define TOOLS_WORDS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "io/agent_status.h"

namespace cachalot::tools {

// Prints a line on stdout, with the time of day before it. Thread-safe: lines
// do not mix.
void Say(absl::string_view what, absl::Time time = absl::Now());

// For people: "1m30s", "4.2s", "35ms", "0s".
std::string Words(absl::Duration duration);

// "ready: locks can be taken", or what is missing for that.
std::string Describe(const Standing& standing);

// Reads "30s", "1m30s", "1.5s"; false if it is none of these, is negative or
// has no end.
bool ReadDuration(const std::string& text, absl::Duration& duration);

}  // namespace cachalot::tools

#endif  // TOOLS_WORDS_H_
