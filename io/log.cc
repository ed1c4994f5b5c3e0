#include "io/log.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <future>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "io/quiet_thread.h"

namespace cachalot {
namespace {

LogRecord ToRecord(LogEvent event, LogText text) {
  return {.time = absl::Now(),
          .level = InfoOf(event).level,
          .event = event,
          .message = std::move(text.message),
          .fields = std::move(text.fields)};
}

LogRecord LinesLost(uint64_t lines) {
  return ToRecord(LogEvent::kLinesLost,
                  {absl::StrCat(lines,
                                " lines lost: the log is read too "
                                "slowly"),
                   {{"lines", lines}, {"reason", std::string("too slow")}}});
}

// The last defence against a forged line: makers of messages escape what is
// not theirs.
std::string OnOneLine(absl::string_view message) {
  std::string line;
  line.reserve(message.size());
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&line, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace

std::string ToLine(const LogRecord& record, absl::TimeZone zone) {
  return absl::StrCat(
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3S%Ez", record.time, zone), " ",
      LogLevelName(record.level), " ", LogEventName(record.event), ": ",
      OnOneLine(record.message));
}

// Shared with the thread, which may outlive the logger.
struct Logger::State {
  State(LogFunction function, bool starts_thread)
      : write(std::move(function)), has_thread(starts_thread) {}

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return !queue.empty() || is_stopping;
  }
  void Run() ABSL_LOCKS_EXCLUDED(mutex);
  // Hands over what is queued. True if nothing will be queued any more.
  bool WriteQueue() ABSL_LOCKS_EXCLUDED(mutex);
  void BeginToStop() ABSL_LOCKS_EXCLUDED(mutex);
  bool IsOverdue() const ABSL_LOCKS_EXCLUDED(mutex);
  bool HasEnded() const {
    return end.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  const LogFunction write;
  const bool has_thread;
  const pid_t process = getpid();
  std::thread thread;  // of the logger

  mutable absl::Mutex mutex;
  std::deque<LogRecord> queue ABSL_GUARDED_BY(mutex);
  uint64_t lost ABSL_GUARDED_BY(mutex) = 0;       // in all
  uint64_t lost_told ABSL_GUARDED_BY(mutex) = 0;  // of these
  bool is_stopping ABSL_GUARDED_BY(mutex) = false;
  std::chrono::steady_clock::time_point stop_by ABSL_GUARDED_BY(mutex) =
      std::chrono::steady_clock::time_point::max();

  // Not a condition of the mutex: Abseil's timed waits end when the wall clock
  // says so, which may be set back.
  std::promise<void> ended;
  const std::future<void> end = ended.get_future();
};

void Logger::State::Run() {
  do {
    const absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(this, &State::HasWork));
  } while (!WriteQueue());
  ended.set_value();
}

bool Logger::State::WriteQueue() {
  std::deque<LogRecord> records;
  uint64_t newly_lost = 0;
  bool is_last = false;
  {
    const absl::MutexLock lock(&mutex);
    records.swap(queue);
    newly_lost = lost - std::exchange(lost_told, lost);
    is_last = is_stopping;
  }
  while (!records.empty() && !IsOverdue()) {
    write(records.front());
    records.pop_front();
  }
  if (!records.empty()) {
    newly_lost += records.size();
    const absl::MutexLock lock(&mutex);
    lost += records.size();
    lost_told += records.size();
  }
  if (newly_lost > 0) write(LinesLost(newly_lost));
  return is_last;
}

void Logger::State::BeginToStop() {
  const absl::MutexLock lock(&mutex);
  is_stopping = true;
  stop_by = std::chrono::steady_clock::now() +
            absl::ToChronoNanoseconds(kLastWordsMax);
}

bool Logger::State::IsOverdue() const {
  const absl::MutexLock lock(&mutex);
  return is_stopping && std::chrono::steady_clock::now() >= stop_by;
}

absl::StatusOr<std::unique_ptr<Logger>> Logger::Create(LogLevel level,
                                                       LogFunction write) {
  auto state =
      std::make_shared<State>(std::move(write), /*starts_thread=*/true);
  absl::StatusOr<std::thread> thread =
      StartQuietThread([state] { state->Run(); });
  if (!thread.ok()) return thread.status();
  state->thread = *std::move(thread);
  pthread_setname_np(state->thread.native_handle(), "cachalot-log");
  return std::unique_ptr<Logger>(new Logger(level, std::move(state)));
}

std::unique_ptr<Logger> Logger::CreateWithoutThread(LogLevel level,
                                                    LogFunction write) {
  return std::unique_ptr<Logger>(new Logger(
      level,
      std::make_shared<State>(std::move(write), /*starts_thread=*/false)));
}

Logger::~Logger() { Stop(absl::InfiniteDuration()); }

void Logger::Write(LogEvent event, LogText text) {
  Write(ToRecord(event, std::move(text)));
}

void Logger::Write(LogRecord record) {
  // In a child of fork() the mutex may be locked for ever.
  if (!IsOn(record.level) || getpid() != state_->process) return;
  const absl::MutexLock lock(&state_->mutex);
  if (state_->is_stopping) return;
  if (state_->queue.size() >= kQueueMax) {
    ++state_->lost;
    return;
  }
  state_->queue.push_back(std::move(record));
}

bool Logger::MakeRoom() {
  if (getpid() != state_->process) return false;
  const absl::MutexLock lock(&state_->mutex);
  if (state_->queue.size() < kQueueMax) return true;
  ++state_->lost;
  return false;
}

void Logger::WriteQueued() {
  if (getpid() == state_->process) state_->WriteQueue();
}

bool Logger::Stop(absl::Duration patience) {
  if (getpid() != state_->process) {
    // The thread is the parent's; only its handle is here.
    if (state_->thread.joinable()) state_->thread.detach();
    return true;
  }
  if (!state_->has_thread) {
    state_->BeginToStop();
    state_->WriteQueue();
    return true;
  }
  // Left to itself, or joined, before: it is not waited for again.
  if (!state_->thread.joinable()) return state_->HasEnded();
  state_->BeginToStop();
  if (patience == absl::InfiniteDuration() ||
      state_->end.wait_for(absl::ToChronoNanoseconds(patience)) ==
          std::future_status::ready) {
    state_->thread.join();
    return true;
  }
  state_->thread.detach();
  return false;
}

uint64_t Logger::lost() const {
  const absl::MutexLock lock(&state_->mutex);
  return state_->lost;
}

std::optional<RateLimitedLog::LeftOut> RateLimitedLog::Admit(
    FastInstant now, LogEvent event, const Address& address) {
  Window& window = windows_[event];
  if (window.records == 0 || now - window.start >= options_.interval) {
    window.start = now;
    window.records = 0;
  }
  const bool has_room = window.records < options_.records_max;
  const auto known = told_.find({event, address});
  if (known != told_.end()) {
    const bool is_recent = now - known->second.at < options_.interval;
    if (is_recent || !has_room) {
      ++known->second.repeats;
      return std::nullopt;
    }
  } else if (!has_room) {
    ++window.left_out;
    return std::nullopt;
  }
  // Only what is written is remembered: strangers cannot fill the map.
  const uint64_t repeats =
      known != told_.end() ? std::exchange(known->second.repeats, 0) : 0;
  if (told_.size() >= options_.addresses_max) ForgetOld(now);
  if (told_.size() < options_.addresses_max) told_[{event, address}] = {now};
  ++window.records;
  return LeftOut{.repeats = repeats,
                 .others = std::exchange(window.left_out, 0)};
}

void RateLimitedLog::ForgetOld(FastInstant now) {
  for (auto it = told_.begin(); it != told_.end();) {
    if (now - it->second.at < options_.interval) {
      ++it;
      continue;
    }
    windows_[it->first.first].left_out += it->second.repeats;
    it = told_.erase(it);
  }
}

void RateLimitedLog::WriteWith(const LeftOut& left_out, LogEvent event,
                               const Address& address, LogText text) {
  if (left_out.repeats > 0) {
    absl::StrAppend(&text.message, " (", left_out.repeats,
                    " times more before)");
  }
  if (left_out.others > 0) {
    absl::StrAppend(&text.message, " (and ", left_out.others,
                    " from other addresses)");
  }
  if (!address.IsNone()) {
    text.fields.push_back({"address", address.ToString()});
  }
  text.fields.push_back({"repeats", left_out.repeats});
  text.fields.push_back({"others", left_out.others});
  logger_->Write(event, std::move(text));
}

}  // namespace cachalot
