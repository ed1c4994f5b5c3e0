#include "tools/cli/log_output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/overloaded.h"
#include "io/log_event.h"
#include "tools/base/json_text.h"

namespace cachalot::tools {
namespace {

std::string ToJsonLine(const LogRecord& record, absl::TimeZone zone) {
  Json body;
  body["time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E3S%Ez", record.time, zone);
  body["level"] = std::string(LogLevelName(record.level));
  body["event"] = std::string(LogEventName(record.event));
  AddText(body, "message", record.message);
  for (const LogField& field : record.fields) {
    const std::string name(field.name);
    std::visit(Overloaded{
                   [&](const std::string& text) { AddText(body, name, text); },
                   [&](const auto& value) { body[name] = value; },
               },
               field.value);
  }
  return ToLine(body);
}

LogRecord LinesLost(uint64_t lines, int error_number) {
  char buffer[128];
  const std::string reason = strerror_r(error_number, buffer, sizeof(buffer));
  return {.time = absl::Now(),
          .level = InfoOf(LogEvent::kLinesLost).level,
          .event = LogEvent::kLinesLost,
          .message = absl::StrCat(lines, " lines lost: ", reason),
          .fields = {{"lines", lines}, {"reason", reason}}};
}

}  // namespace

std::string FormatLog(const LogRecord& record, LogFormat format,
                      absl::TimeZone zone) {
  switch (format) {
    case LogFormat::kText:
      return ToLine(record, zone);
    case LogFormat::kJson:
      return ToJsonLine(record, zone);
  }
  return "";
}

void LogOutput::Write(const LogRecord& record) {
  if (lost_ > 0 && WriteLine(LinesLost(lost_, error_))) lost_ = 0;
  if (lost_ > 0 || !WriteLine(record)) ++lost_;
}

bool LogOutput::WriteLine(const LogRecord& record) {
  const std::string line = absl::StrCat(
      is_in_line_ ? "\n" : "", FormatLog(record, format_, zone_), "\n");
  absl::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
      is_in_line_ = rest.size() < line.size() && !rest.empty();
    } else if (errno == EAGAIN) {
      // Somebody else made the descriptor non-blocking.
      pollfd writable = {.fd = fd_, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
      return false;
    }
  }
  return true;
}

}  // namespace cachalot::tools
