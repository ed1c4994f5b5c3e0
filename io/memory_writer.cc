#include "io/memory_writer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "io/log_event.h"
#include "io/quiet_thread.h"

namespace cachalot {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime SteadyNow() { return std::chrono::steady_clock::now(); }

absl::Duration Since(SteadyTime time) {
  return absl::FromChrono(SteadyNow() - time);
}

}  // namespace

// Shared with the thread, which may outlive the writer.
struct MemoryWriter::State {
  struct Job {
    SaveId save;
    Memory memory;
  };
  // A run of tries that failed.
  struct Trouble {
    SteadyTime since = SteadyNow();
    std::optional<SteadyTime> told_at;
    int64_t failures = 0;
    absl::Duration wait;  // until the next try
  };

  explicit State(Options given) : options(std::move(given)) {}

  void Run();
  void NoteWritten(SaveId save);
  void NoteFailed(const absl::Status& status);

  const Options options;
  std::thread thread;              // of the writer
  std::optional<Trouble> trouble;  // of the thread

  // Held during the calls, so that Stop() can end them.
  std::mutex callback_mutex;
  std::function<void(SaveId)> on_saved;  // guarded by callback_mutex

  // The standard library's, because a timed wait of Abseil's goes by the wall
  // clock. It guards what follows.
  std::mutex mutex;
  std::condition_variable has_changed;
  std::optional<Job> pending;  // not written yet, though it may be under way
  std::string problem;
  bool is_stopping = false;
  bool has_ended = false;
};

void MemoryWriter::State::Run() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex);
    if (trouble.has_value()) {
      has_changed.wait_for(lock, absl::ToChronoNanoseconds(trouble->wait),
                           [this] { return is_stopping; });
    } else {
      has_changed.wait(lock,
                       [this] { return pending.has_value() || is_stopping; });
    }
    const bool is_last_try = is_stopping;
    const std::optional<Job> job = pending;
    if (!job.has_value()) break;
    lock.unlock();
    const absl::Status status = options.write(job->memory);
    if (status.ok()) {
      NoteWritten(job->save);
    } else {
      NoteFailed(status);
    }
    if (is_last_try && !status.ok()) break;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  has_ended = true;
  has_changed.notify_all();
}

void MemoryWriter::State::NoteWritten(SaveId save) {
  if (trouble.has_value()) {
    LogTo(options.log.get(), LogEvent::kMemorySaved, [&] {
      return LogText{
          absl::StrCat("what this process remembers is saved again, after ",
                       trouble->failures, " failures"),
          {{"failures", trouble->failures},
           {"unsaved_ms", absl::ToInt64Milliseconds(Since(trouble->since))}}};
    });
    trouble.reset();
  }
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (pending->save == save) pending.reset();
    problem.clear();
  }
  const std::lock_guard<std::mutex> lock(callback_mutex);
  if (on_saved != nullptr) on_saved(save);
}

void MemoryWriter::State::NoteFailed(const absl::Status& status) {
  const bool is_first = !trouble.has_value();
  if (is_first) trouble.emplace();
  ++trouble->failures;
  trouble->wait = is_first ? options.retry_min
                           : std::min(2 * trouble->wait, options.retry_max);
  const std::string reason(status.message());
  {
    const std::lock_guard<std::mutex> lock(mutex);
    problem = reason;
  }
  if (trouble->told_at.has_value() &&
      Since(*trouble->told_at) < options.repeat) {
    return;
  }
  trouble->told_at = SteadyNow();
  LogTo(options.log.get(), LogEvent::kMemoryUnsaved, [&] {
    return LogText{
        absl::StrCat(reason,
                     ". Until that is over this member promises "
                     "nothing that needs it; it tries again"),
        {{"reason", reason},
         {"failures", trouble->failures},
         {"unsaved_ms", absl::ToInt64Milliseconds(Since(trouble->since))}}};
  });
}

absl::StatusOr<std::unique_ptr<MemoryWriter>> MemoryWriter::Create(
    Options options) {
  auto state = std::make_shared<State>(std::move(options));
  absl::StatusOr<std::thread> thread =
      StartQuietThread([state] { state->Run(); });
  if (!thread.ok()) return thread.status();
  state->thread = *std::move(thread);
  pthread_setname_np(state->thread.native_handle(), "cachalot-disk");
  return std::unique_ptr<MemoryWriter>(new MemoryWriter(std::move(state)));
}

MemoryWriter::~MemoryWriter() { Stop(absl::InfiniteDuration()); }

void MemoryWriter::set_on_saved(std::function<void(SaveId)> on_saved) {
  const std::lock_guard<std::mutex> lock(state_->callback_mutex);
  state_->on_saved = std::move(on_saved);
}

void MemoryWriter::Save(SaveId save, Memory memory) {
  if (fork_guard_.IsForked()) return;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->is_stopping) return;
  state_->pending = {.save = save, .memory = std::move(memory)};
  state_->has_changed.notify_all();
}

std::string MemoryWriter::problem() const {
  if (fork_guard_.IsForked()) return "";
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->problem;
}

bool MemoryWriter::Stop(absl::Duration patience) {
  if (fork_guard_.IsForked()) return false;
  std::unique_lock<std::mutex> lock(state_->mutex);
  if (!state_->thread.joinable()) {
    return state_->has_ended && !state_->pending.has_value();
  }
  state_->is_stopping = true;
  state_->has_changed.notify_all();
  const auto has_ended = [this] { return state_->has_ended; };
  if (patience == absl::InfiniteDuration()) {
    state_->has_changed.wait(lock, has_ended);
  } else {
    state_->has_changed.wait_for(lock, absl::ToChronoNanoseconds(patience),
                                 has_ended);
  }
  const bool ended = state_->has_ended;
  const bool is_saved = ended && !state_->pending.has_value();
  lock.unlock();
  if (ended) {
    state_->thread.join();
  } else {
    state_->thread.detach();
  }
  const std::lock_guard<std::mutex> callback_lock(state_->callback_mutex);
  state_->on_saved = nullptr;
  return is_saved;
}

}  // namespace cachalot
