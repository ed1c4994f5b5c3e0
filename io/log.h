#ifndef IO_LOG_H_
#define IO_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/instant.h"
#include "io/log_event.h"

namespace cachalot {

using LogValue = std::variant<std::string, int64_t, uint64_t, bool>;

struct LogField {
  absl::string_view name;  // outlives the record
  LogValue value;          // as it is: text from others is not escaped
};

// What a record says. Text from others is escaped in `message` (Escape() of
// io/escape.h) and raw in `fields`.
struct LogText {
  std::string message;
  std::vector<LogField> fields;
};

// One line of the log.
struct LogRecord {
  absl::Time time;  // wall time
  LogLevel level = LogLevel::kInfo;
  LogEvent event = LogEvent::kStarted;
  std::string message;
  std::vector<LogField> fields;
};

// "2026-11-28T11:28:51.123+01:00 info started: n1 listens on ...", without a
// line break anywhere.
std::string ToLine(const LogRecord& record, absl::TimeZone zone);

// Takes the records of one process, one at a time.
using LogFunction = std::function<void(const LogRecord&)>;

// Hands records to a function on a thread of its own, so that whatever the
// function waits for (a disk, a pipe that nobody reads) stops nobody else.
// Records wait in a queue; those that find it full are lost and counted, and a
// kLinesLost record says so later.
//
// Thread-safe. A child of fork() has no such thread: there nothing is written.
class Logger {
 public:
  static constexpr size_t kQueueMax = 2048;  // records
  // For so long after Stop() what is queued is written; the rest is lost.
  static constexpr absl::Duration kLastWordsMax = absl::Seconds(2);

  // `write` gets the records at `level` and above. It must not throw.
  // Errors: ResourceExhausted (no thread).
  static absl::StatusOr<std::unique_ptr<Logger>> Create(LogLevel level,
                                                        LogFunction write);
  // One without a thread: WriteQueued() calls `write`.
  static std::unique_ptr<Logger> CreateWithoutThread(LogLevel level,
                                                     LogFunction write);
  // Stop(), without end to its patience, unless it was called before. Waits for
  // the call of `write` that is under way, but not for all that is queued.
  ~Logger();

  bool IsOn(LogLevel level) const { return level >= level_; }
  // Whether a record would be kept. If not, it is counted as lost.
  bool MakeRoom();

  // Never waits for `write`. Lost after Stop().
  void Write(LogRecord record);
  void Write(LogEvent event, LogText text);

  // Without a thread: calls `write` with what is queued. One thread at a time;
  // not from `write`.
  void WriteQueued();

  // Writes what waits, for up to kLastWordsMax, and ends. If that takes longer
  // than `patience`, it is left to itself, with what `write` owns, and false is
  // returned: `write` may still be running then.
  bool Stop(absl::Duration patience);

  // How many records found the queue full, or were too late for the end.
  uint64_t lost() const;

 private:
  struct State;

  Logger(LogLevel level, std::shared_ptr<State> state)
      : level_(level), state_(std::move(state)) {}

  const LogLevel level_;
  const std::shared_ptr<State> state_;
};

// `logger` may be null everywhere below: nobody listens then.
inline bool Logs(const Logger* logger, LogEvent event) {
  return logger != nullptr && logger->IsOn(InfoOf(event).level);
}

// Writes what `make`, a function that returns a LogText, says. It is called
// only if somebody listens:
//
//   LogTo(log_, LogEvent::kSeedUnresolved, [&] {
//     return LogText{absl::StrCat("cannot resolve ", Escape(seed), ": ", why),
//                    {{"seed", seed}, {"reason", why}}};
//   });
template <typename Make>
void LogTo(Logger* logger, LogEvent event, const Make& make) {
  // A node that loses 100,000 locks at once makes no text for most of them.
  if (Logs(logger, event) && logger->MakeRoom()) logger->Write(event, make());
}

// The same for what strangers can cause as often as they like: at most one
// record of an event for each address in an interval, and not more than
// `records_max` of an event over all addresses. Those left out are counted in
// the next one, in its message and its fields "repeats" (of this address) and
// "others".
//
// For one thread. Memory is bounded.
class RateLimitedLog {
 public:
  struct Options {
    absl::Duration interval = absl::Minutes(1);
    uint64_t records_max = 10;
    size_t addresses_max = 256;  // remembered, over all events
  };

  // `logger` is not owned and may be null.
  explicit RateLimitedLog(Logger* logger) : logger_(logger) {}
  RateLimitedLog(Logger* logger, const Options& options)
      : logger_(logger), options_(options) {}

  // As LogTo() above, with the fields "address" (unless `address` is none: it
  // is about no particular one), "repeats" and "others" added. `now` never
  // falls.
  template <typename Make>
  void Write(FastInstant now, LogEvent event, const Address& address,
             const Make& make) {
    if (!Logs(logger_, event)) return;
    const std::optional<LeftOut> left_out = Admit(now, event, address);
    if (left_out.has_value()) WriteWith(*left_out, event, address, make());
  }

 private:
  // Since the last record that was written.
  struct LeftOut {
    uint64_t repeats = 0;
    uint64_t others = 0;
  };
  struct Told {
    FastInstant at;
    uint64_t repeats = 0;
  };
  struct Window {
    FastInstant start;
    uint64_t records = 0;
    uint64_t left_out = 0;  // of addresses that are not remembered
  };

  // Nothing if there has been enough of it.
  std::optional<LeftOut> Admit(FastInstant now, LogEvent event,
                               const Address& address);
  void ForgetOld(FastInstant now);
  void WriteWith(const LeftOut& left_out, LogEvent event,
                 const Address& address, LogText text);

  Logger* const logger_;
  const Options options_ = {};
  absl::btree_map<LogEvent, Window> windows_;
  absl::btree_map<std::pair<LogEvent, Address>, Told> told_;
};

}  // namespace cachalot

#endif  // IO_LOG_H_
