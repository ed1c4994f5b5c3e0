#include "io/seed_resolver.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/random.h"
#include "io/background_lookup.h"
#include "io/quiet_thread.h"
#include "io/resolver.h"

namespace cachalot {
namespace {

// Not the wall clock: that may be set back by hours.
using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime ReadTime() { return std::chrono::steady_clock::now(); }

SteadyTime After(SteadyTime time, absl::Duration d) {
  return time + absl::ToChronoNanoseconds(d);
}

}  // namespace

// Shared with lookups that outlive the resolver.
struct SeedResolver::State : std::enable_shared_from_this<State> {
  struct Entry {
    SeedLookup seed;
    bool is_under_way = false;
    SteadyTime begun;
    SteadyTime due = SteadyTime::max();
  };

  State(HostLookup host_lookup, const SeedTiming& intervals,
        uint64_t random_seed)
      : lookup(std::move(host_lookup)),
        timing(intervals),
        random(random_seed, "seeds") {}

  // All with `mutex` held.
  absl::Duration IntervalFor(const SeedLookup& seed);
  void BeginDue(SteadyTime now);
  void Begin(size_t index);
  void Take(size_t index, absl::StatusOr<std::vector<Address>> found);
  SteadyTime NextDue() const;
  std::vector<SeedLookup> Seeds() const;
  bool IsAnswered() const;

  void Run();

  const HostLookup lookup;
  const SeedTiming timing;
  const pid_t process = getpid();

  std::mutex mutex;
  std::condition_variable has_changed;
  Random random;
  std::vector<Entry> entries;
  Pace pace = Pace::kSeeking;
  Watcher watcher;  // null: nobody watches yet
  bool has_news = false;
  SteadyTime next_check;
  bool is_stopping = false;
};

absl::Duration SeedResolver::State::IntervalFor(const SeedLookup& seed) {
  absl::Duration interval = timing.settled;
  if (pace == Pace::kMissing || !seed.error.ok()) {
    interval = std::min(interval, timing.missing);
  }
  if (pace == Pace::kSeeking) interval = std::min(interval, timing.seeking);
  return random.Between(interval / 2, interval);
}

void SeedResolver::State::BeginDue(SteadyTime now) {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].is_under_way && entries[i].due <= now) Begin(i);
  }
}

void SeedResolver::State::Begin(size_t index) {
  entries[index].is_under_way = true;
  entries[index].begun = ReadTime();
  entries[index].due = SteadyTime::max();
  const absl::Status begun = ResolveInBackground(
      entries[index].seed.name, EmptyHost::kThisMachine, lookup,
      [state = shared_from_this(),
       index](absl::StatusOr<std::vector<Address>> found) {
        const std::lock_guard<std::mutex> lock(state->mutex);
        state->Take(index, std::move(found));
        state->has_changed.notify_all();
      });
  if (!begun.ok()) Take(index, begun);
}

void SeedResolver::State::Take(size_t index,
                               absl::StatusOr<std::vector<Address>> found) {
  Entry& entry = entries[index];
  entry.is_under_way = false;
  entry.seed.is_answered = true;
  entry.seed.error = found.status();
  if (found.ok()) entry.seed.addresses = *std::move(found);
  entry.due = After(ReadTime(), IntervalFor(entry.seed));
  has_news = true;
}

SteadyTime SeedResolver::State::NextDue() const {
  SteadyTime next = watcher != nullptr ? next_check : SteadyTime::max();
  for (const Entry& entry : entries) next = std::min(next, entry.due);
  return next;
}

std::vector<SeedLookup> SeedResolver::State::Seeds() const {
  const SteadyTime late =
      ReadTime() - absl::ToChronoNanoseconds(timing.first_answer_max);
  std::vector<SeedLookup> seeds;
  for (const Entry& entry : entries) {
    SeedLookup& seed = seeds.emplace_back(entry.seed);
    if (!entry.is_under_way || entry.begun > late) continue;
    seed.error = absl::UnavailableError(
        absl::StrCat("\"", seed.name.text, "\": host \"", seed.name.host,
                     "\": the name service does not answer"));
  }
  return seeds;
}

bool SeedResolver::State::IsAnswered() const {
  return std::all_of(entries.begin(), entries.end(),
                     [](const Entry& entry) { return entry.seed.is_answered; });
}

void SeedResolver::State::Run() {
  std::unique_lock<std::mutex> lock(mutex);
  while (!is_stopping) {
    const SteadyTime now = ReadTime();
    BeginDue(now);
    const bool is_check_due = next_check <= now;
    // Only this thread calls the watcher, which is set once.
    if (watcher != nullptr && (has_news || is_check_due)) {
      has_news = false;
      if (is_check_due) next_check = After(now, timing.check);
      const std::vector<SeedLookup> seeds = Seeds();
      lock.unlock();
      watcher(seeds);
      lock.lock();
      continue;
    }
    const SteadyTime next = NextDue();
    if (next == SteadyTime::max()) {
      has_changed.wait(lock);
    } else {
      has_changed.wait_until(lock, next);
    }
  }
}

SeedResolver::SeedResolver(const std::vector<HostPort>& seeds,
                           HostLookup lookup, const SeedTiming& timing,
                           uint64_t random_seed)
    : state_(std::make_shared<State>(std::move(lookup), timing, random_seed)) {
  const SteadyTime now = ReadTime();
  for (const HostPort& name : seeds) {
    State::Entry& entry = state_->entries.emplace_back();
    entry.seed.name = name;
    if (name.literal.has_value()) {
      entry.seed.addresses = {*name.literal};
      entry.seed.is_answered = true;
    } else {
      entry.due = now;
    }
  }
}

SeedResolver::~SeedResolver() {
  if (!thread_.joinable()) return;
  if (getpid() != state_->process) {
    // In a child of fork() there is no such thread, and its mutex may be held
    // by nobody for ever.
    thread_.detach();
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->is_stopping = true;
    state_->has_changed.notify_all();
  }
  thread_.join();
}

bool SeedResolver::has_names() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return std::any_of(
      state_->entries.begin(), state_->entries.end(),
      [](const State::Entry& e) { return !e.seed.name.literal.has_value(); });
}

absl::Status SeedResolver::Start() {
  if (!has_names()) return absl::OkStatus();
  absl::StatusOr<std::thread> thread =
      StartQuietThread([state = state_] { state->Run(); });
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  return absl::OkStatus();
}

std::vector<SeedLookup> SeedResolver::WaitForFirstAnswers() {
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->has_changed.wait_for(
      lock, absl::ToChronoNanoseconds(state_->timing.first_answer_max),
      [this] { return state_->IsAnswered(); });
  return state_->Seeds();
}

void SeedResolver::Watch(Watcher watcher) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->watcher = std::move(watcher);
  state_->next_check = ReadTime();
  state_->has_changed.notify_all();
}

void SeedResolver::SetPace(Pace pace) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->pace == pace) return;
  state_->pace = pace;
  const SteadyTime now = ReadTime();
  for (State::Entry& entry : state_->entries) {
    // Sooner than planned, perhaps; never later.
    if (entry.due == SteadyTime::max()) continue;
    entry.due =
        std::min(entry.due, After(now, state_->IntervalFor(entry.seed)));
  }
  state_->has_changed.notify_all();
}

}  // namespace cachalot
