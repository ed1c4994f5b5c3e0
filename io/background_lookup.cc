#include "io/background_lookup.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "io/quiet_thread.h"

namespace cachalot {
namespace {

using Result = absl::StatusOr<std::vector<Address>>;

// Shared with a lookup that may outlast whoever waits for it.
struct Waiting {
  std::mutex mutex;
  std::condition_variable is_answered;
  std::optional<Result> result;
};

}  // namespace

absl::Status ResolveInBackground(HostPort name, EmptyHost empty_host,
                                 HostLookup lookup,
                                 std::function<void(Result)> done) {
  absl::StatusOr<std::thread> thread = StartQuietThread(
      [name = std::move(name), empty_host, lookup = std::move(lookup),
       done = std::move(done)] { done(Resolve(name, empty_host, lookup)); });
  if (!thread.ok()) return thread.status();
  thread->detach();
  return absl::OkStatus();
}

Result ResolveWithin(const HostPort& name, EmptyHost empty_host,
                     const HostLookup& lookup, absl::Duration timeout) {
  // What needs no lookup needs no thread.
  const bool is_lookup_free = name.literal.has_value() || name.host.empty();
  if (is_lookup_free) return Resolve(name, empty_host, lookup);
  auto waiting = std::make_shared<Waiting>();
  const absl::Status started =
      ResolveInBackground(name, empty_host, lookup, [waiting](Result result) {
        const std::lock_guard<std::mutex> lock(waiting->mutex);
        waiting->result = std::move(result);
        waiting->is_answered.notify_all();
      });
  if (!started.ok()) return started;
  std::unique_lock<std::mutex> lock(waiting->mutex);
  waiting->is_answered.wait_for(lock, absl::ToChronoNanoseconds(timeout),
                                [&] { return waiting->result.has_value(); });
  if (waiting->result.has_value()) return *waiting->result;
  return absl::UnavailableError(
      absl::StrCat("\"", name.text, "\": host \"", name.host,
                   "\": the name service did not answer in ",
                   absl::FormatDuration(timeout)));
}

}  // namespace cachalot
