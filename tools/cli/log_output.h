#ifndef TOOLS_CLI_LOG_OUTPUT_H_
#define TOOLS_CLI_LOG_OUTPUT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "io/log.h"

namespace cachalot::tools {

enum class LogFormat {
  kText,  // ToLine() of io/log.h
  kJson,  // an object with "time", "level", "event", "message" and the fields
};

std::string FormatLog(const LogRecord& record, LogFormat format,
                      absl::TimeZone zone);

// Writes records to a file descriptor, one line each. Lines that cannot be
// written (nobody reads any more, the disk is full) are counted; the first line
// that can be written again is preceded by one that says how many were lost and
// why. Waits for as long as the descriptor blocks: for the thread of a Logger.
class LogOutput {
 public:
  // `fd` is not owned.
  LogOutput(int fd, LogFormat format, absl::TimeZone zone)
      : fd_(fd), format_(format), zone_(zone) {}

  void Write(const LogRecord& record);

 private:
  // False if not all of it was written; see `error_`.
  bool WriteLine(const LogRecord& record);

  const int fd_;
  const LogFormat format_;
  const absl::TimeZone zone_;
  uint64_t lost_ = 0;
  int error_ = 0;
  bool is_in_line_ = false;  // a part of a line was written
};

}  // namespace cachalot::tools

#endif  // TOOLS_CLI_LOG_OUTPUT_H_
