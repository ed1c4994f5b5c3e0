#include "io/driver.h"

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/memory.h"
#include "engine/overloaded.h"
#include "io/quiet_thread.h"

namespace cachalot {
namespace {

// A few milliseconds of work. A program that drops 100,000 locks at once posts
// as many calls: in one turn they would keep heartbeats waiting.
constexpr size_t kTasksPerTurnMax = 128;

// A disk that has not answered for so long is told of, and again after each
// interval.
constexpr absl::Duration kDiskSlow = absl::Seconds(10);
constexpr absl::Duration kDiskSlowRepeat = absl::Minutes(1);
constexpr char kDiskDoesNotAnswer[] =
    "the disk of the state directory does not answer";

}  // namespace

absl::StatusOr<std::unique_ptr<Driver>> Driver::Create(DriverOptions options) {
  std::unique_ptr<Driver> driver(new Driver());
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  driver->loop_ = *std::move(loop);
  driver->has_thread_ = options.has_thread;
  driver->log_ = std::move(options.log);
  options.transport.log = driver->log_.get();
  driver->refusals_.emplace(driver->log_.get());
  absl::StatusOr<std::unique_ptr<Transport>> transport = Transport::Create(
      options.transport, driver->loop_.get(), &driver->clock_, driver.get());
  if (!transport.ok()) return transport.status();
  driver->transport_ = *std::move(transport);

  Address& address = options.node.address;
  if (address.port == 0) address.port = driver->transport_->address().port;
  if (options.node.name.empty()) options.node.name = address.ToString();
  if (driver->log_ != nullptr) {
    driver->log_observer_ = std::make_unique<LogObserver>(
        driver->log_.get(), options.node.observer);
    options.node.observer = driver->log_observer_.get();
  }
  driver->peer_watch_.emplace(driver->log_.get(), options.node.observer,
                              &driver->now_);
  options.node.observer = &*driver->peer_watch_;
  driver->now_ = driver->clock_.Read();
  absl::StatusOr<Node> node =
      Node::Create(std::move(options.node), driver->now_);
  if (!node.ok()) return node.status();
  driver->node_ = *std::move(node);
  if (driver->log_observer_ != nullptr) {
    driver->log_observer_->set_node(&*driver->node_);
  }
  driver->peer_watch_->set_node(&*driver->node_);
  driver->memory_writer_ = std::move(options.memory_writer);
  if (driver->memory_writer_ != nullptr) {
    driver->memory_writer_->set_on_saved([driver = driver.get()](SaveId save) {
      driver->Post([driver, save] { driver->saves_.Complete(save); });
    });
  }
  return driver;
}

Driver::~Driver() { Stop(); }

absl::Status Driver::Start() {
  CHECK(delegate_ != nullptr);
  if (!has_thread_) {
    thread_id_.store(std::this_thread::get_id());
    loop_->Wake();
    return absl::OkStatus();
  }
  absl::StatusOr<std::thread> thread = StartQuietThread([this] { Run(); });
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  pthread_setname_np(thread_.native_handle(), "cachalot");
  return absl::OkStatus();
}

void Driver::Stop() {
  if (!has_thread_) return StopWithoutThread();
  {
    const absl::MutexLock lock(&mutex_);
    is_stopping_ = true;
    if (!thread_.joinable()) is_stopped_ = true;
  }
  if (!thread_.joinable()) return;
  CHECK(!IsOnThread()) << "a driver cannot be stopped from its own thread";
  loop_->Wake();
  thread_.join();
  StopMemoryWriter();
}

void Driver::StopWithoutThread() {
  CHECK(!is_processing_) << "a driver cannot be stopped from its own callback";
  if (fork_guard_.IsForked()) return;
  {
    const absl::MutexLock lock(&mutex_);
    if (is_stopped_) return;
    is_stopping_ = true;
    const bool has_started = thread_id_.load() != std::thread::id();
    if (!has_started) {
      is_stopped_ = true;
      return;
    }
  }
  is_processing_ = true;
  RunTasks();
  TakeTurn();
  is_processing_ = false;
  StopMemoryWriter();
}

void Driver::StopMemoryWriter() {
  if (memory_writer_ == nullptr || memory_writer_->Stop(kLastSaveMax)) return;
  LogTo(log_.get(), LogEvent::kMemoryUnsaved, [] {
    const std::string reason =
        "this member has ended before the last change of what it remembers was "
        "saved";
    return LogText{reason, {{"reason", reason}}};
  });
}

void Driver::Process() {
  CHECK(!has_thread_);
  CHECK(!is_processing_) << "Process() was called from a callback";
  if (fork_guard_.IsForked()) return;
  is_processing_ = true;
  thread_id_.store(std::this_thread::get_id());
  loop_->Wait(absl::ZeroDuration());
  RunTasks();
  TakeTurn();
  is_processing_ = false;
  // A callback forked, and this is the child.
  if (fork_guard_.IsForked()) return;
  loop_->WakeAfter(PrepareToWait());
}

bool Driver::Post(Task task) {
  const absl::MutexLock lock(&mutex_);
  if (is_stopped_) return false;
  tasks_.push_back(std::move(task));
  if (std::exchange(is_asleep_, false)) loop_->Wake();
  return true;
}

bool Driver::IsOnThread() const {
  return thread_id_.load() == std::this_thread::get_id();
}

void Driver::Learn(Event event) { learnt_.push_back(std::move(event)); }

void Driver::Run() {
  thread_id_.store(std::this_thread::get_id());
  bool is_running = true;
  while (is_running) {
    // What has arrived comes before what is due: after a long gap the sockets
    // may hold what keeps a timer from firing (engine/consensus/README.md,
    // rule 20).
    loop_->Wait(PrepareToWait());
    is_running = RunTasks();
    TakeTurn();
    // A callback forked, and this is the child.
    if (fork_guard_.IsForked()) return;
  }
}

absl::Duration Driver::PrepareToWait() {
  const Now now = clock_.Read();
  {
    const absl::MutexLock lock(&mutex_);
    if (!tasks_.empty() || is_stopping_ || !learnt_.empty()) {
      return absl::ZeroDuration();
    }
    is_asleep_ = true;
  }
  const FastInstant transport_deadline = transport_->NextDeadline();
  absl::Duration wait = node_->NextDeadline().Until(now);
  if (transport_deadline != FastInstant::Never()) {
    wait = std::min(wait, transport_deadline - now.fast);
  }
  const FastInstant delegate_deadline = delegate_->NextDeadline();
  if (delegate_deadline != FastInstant::Never()) {
    wait = std::min(wait, delegate_deadline - now.fast);
  }
  return std::max(wait, absl::ZeroDuration());
}

bool Driver::RunTasks() {
  bool is_running = true;
  {
    const absl::MutexLock lock(&mutex_);
    is_asleep_ = false;
    size_t count = std::min(tasks_.size(), kTasksPerTurnMax);
    if (is_stopping_) {
      count = tasks_.size();
      is_running = false;
      is_stopped_ = true;
    }
    const auto end = tasks_.begin() + static_cast<ptrdiff_t>(count);
    running_.assign(std::make_move_iterator(tasks_.begin()),
                    std::make_move_iterator(end));
    tasks_.erase(tasks_.begin(), end);
  }
  for (Task& task : running_) {
    task();
    if (fork_guard_.IsForked()) return false;
  }
  running_.clear();
  return is_running;
}

void Driver::TakeTurn() {
  if (fork_guard_.IsForked()) return;
  now_ = clock_.Read();
  StepLearnt();
  if (fork_guard_.IsForked()) return;
  if (node_->NextDeadline().IsDue(now_)) Step(TimeAdvanced{});
  transport_->OnTime(now_.fast);
  if (has_stepped_ || saves_.has_done()) EndTurn();
  if (fork_guard_.IsForked()) return;
  WatchDisk();
  if (log_observer_ != nullptr) log_observer_->Look(now_.fast);
  peer_watch_->Look();
  delegate_->OnTurnEnded(now_);
}

void Driver::StepLearnt() {
  stepping_.swap(learnt_);
  for (const Event& event : stepping_) Step(event);
  stepping_.clear();
}

void Driver::EndTurn() {
  do {
    if (const std::optional<SaveId> save = saves_.Take()) {
      Step(StateSaved{*save});
    }
    Step(TurnEnded{});
  } while (saves_.has_done());
  if (fork_guard_.IsForked()) return;
  transport_->Flush();
  has_stepped_ = false;
}

void Driver::Step(const Event& event) {
  has_stepped_ = true;
  for (Action& action : node_->Step(now_, event)) Perform(std::move(action));
}

void Driver::Perform(Action&& action) {
  // The descriptors of a child are its parent's: nothing may be sent.
  if (fork_guard_.IsForked()) return;
  std::visit(
      Overloaded{
          [this](SendDatagram& send) {
            transport_->SendDatagram(send.to, send.bytes);
          },
          [this](SendFrame& send) {
            transport_->SendFrame(send.to, std::move(send.bytes));
          },
          [this](AnswerFrame& answer) {
            transport_->AnswerFrame(answer.to, std::move(answer.bytes));
          },
          [this](SaveState& order) { Save(std::move(order)); },
          [this](AnswerRequest& answer) {
            delegate_->OnAnswer(answer.request, std::move(answer.answer));
          },
          [this](NotifyHolder& notice) { delegate_->OnHolderNotified(notice); },
          [this](AnnounceStanding& standing) {
            delegate_->OnStanding(standing);
          },
          [this](LeaveCompleted&) { delegate_->OnLeft(); },
          [this](AnnounceSession& session) { delegate_->OnSession(session); },
      },
      action);
}

void Driver::Save(SaveState order) {
  std::optional<Memory>& memory = order.change.memory;
  const bool waits = memory.has_value() && memory_writer_ != nullptr;
  saves_.Add(now_.fast, order.save, waits);
  if (waits) memory_writer_->Save(order.save, *std::move(memory));
}

void Driver::WatchDisk() {
  const std::optional<FastInstant> since = saves_.waiting_since();
  if (!since.has_value()) {
    told_of_disk_.reset();
    return;
  }
  const absl::Duration waited = now_.fast - *since;
  if (waited < kDiskSlow || !memory_writer_->problem().empty()) return;
  if (told_of_disk_.has_value() &&
      now_.fast - *told_of_disk_ < kDiskSlowRepeat) {
    return;
  }
  told_of_disk_ = now_.fast;
  LogTo(log_.get(), LogEvent::kMemoryUnsaved, [&] {
    const std::string reason = kDiskDoesNotAnswer;
    return LogText{
        absl::StrCat(reason, ", for ", absl::ToInt64Seconds(waited), " s now"),
        {{"reason", reason},
         {"unsaved_ms", absl::ToInt64Milliseconds(waited)}}};
  });
}

std::vector<std::string> Driver::Problems() const {
  std::vector<std::string> problems = peer_watch_->Problems();
  if (memory_writer_ == nullptr) return problems;
  std::string problem = memory_writer_->problem();
  if (problem.empty() && told_of_disk_.has_value()) {
    problem = kDiskDoesNotAnswer;
  }
  if (!problem.empty()) problems.push_back(std::move(problem));
  return problems;
}

void Driver::OnBytesRead() { now_ = clock_.Read(); }

void Driver::OnDatagram(const Address& from, std::string bytes) {
  const NodeStats before = node_->stats();
  Step(DatagramReceived{from, std::move(bytes)});
  TellRefusals(from, before);
}

bool Driver::OnFrame(const Address& from, std::string bytes) {
  const NodeStats before = node_->stats();
  Step(FrameReceived{from, std::move(bytes)});
  TellRefusals(from, before);
  return node_->stats().admitted > before.admitted;
}

void Driver::TellRefusals(const Address& from, const NodeStats& before) {
  struct Reason {
    uint64_t NodeStats::*counter;
    const char* text;
  };
  static constexpr Reason kReasons[] = {
      {&NodeStats::undecodable, "not a message, or beyond a limit"},
      {&NodeStats::other_version, "of another protocol version"},
      {&NodeStats::other_cluster, "of another cluster"},
      {&NodeStats::other_name, "of a cluster of another name"},
      {&NodeStats::misaddressed, "for another node"},
      {&NodeStats::impersonations, "for the session of another node"},
      {&NodeStats::unasked, "an answer to nothing that was asked"},
      {&NodeStats::lists_in_datagrams, "a member list in a datagram"},
      {&NodeStats::strangers, "of a node without a cluster"},
      {&NodeStats::implausible, "numbers that no node has"},
  };
  if (!Logs(log_.get(), LogEvent::kStrangerRefused)) return;
  const NodeStats& now = node_->stats();
  for (const Reason& reason : kReasons) {
    if (now.*reason.counter == before.*reason.counter) continue;
    refusals_->Write(now_.fast, LogEvent::kStrangerRefused, from, [&] {
      return LogText{absl::StrCat("refused a message from ", from.ToString(),
                                  ": ", reason.text),
                     {{"reason", std::string(reason.text)}}};
    });
  }
}

// Streams break in the midst of a turn, while its frames are written: the node
// hears of it in the next.
void Driver::OnLinkChanged(const Address& peer, bool up) {
  if (up) peer_watch_->OnConnected(peer);
  Learn(LinkChanged{peer, up});
}

void Driver::OnConnectFailed(const Address& peer, int error) {
  peer_watch_->OnConnectFailed(peer, error);
}

}  // namespace cachalot
