#include "tests/io/judge/virtual_driver.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "engine/check.h"
#include "engine/overloaded.h"

namespace cachalot::io_judge {
namespace {

std::unique_ptr<EventLoop> MakeLoop() {
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  CHECK(loop.ok()) << loop.status().ToString();
  return *std::move(loop);
}

Node MakeNode(const NodeOptions& options, const Now& now) {
  absl::StatusOr<Node> node = Node::Create(options, now);
  CHECK(node.ok()) << node.status().ToString();
  return *std::move(node);
}

}  // namespace

VirtualDriver::VirtualDriver(Options options, VirtualTime* time,
                             const sim::ClockPair* clock, sim::Chance chance,
                             DriverWatcher* watcher)
    : options_(std::move(options)),
      time_(time),
      clock_(clock),
      chance_(chance),
      watcher_(watcher),
      loop_(MakeLoop()),
      node_(MakeNode(options_.node, clock->At(time->now()))),
      self_(std::make_shared<VirtualDriver*>(this)),
      now_(clock->At(time->now())) {}

VirtualDriver::~VirtualDriver() { Stop(); }

void VirtualDriver::Stall(absl::Duration time) {
  stalled_until_ = std::max(stalled_until_, time_->now() + time);
}

void VirtualDriver::Kill() {
  CHECK(!is_in_turn_);
  if (is_stopped_) return;
  is_dead_ = true;
  time_->StopListening(options_.node.address, /*in_order=*/false);
}

absl::Status VirtualDriver::Start() {
  CHECK(delegate_ != nullptr);
  is_started_ = true;
  time_->Listen(options_.node.address, [this](Event event) {
    inbox_.push_back(std::move(event));
    PlanTurn();
  });
  PlanTurn();
  return absl::OkStatus();
}

void VirtualDriver::Stop() {
  CHECK(!is_in_turn_) << "a driver cannot be stopped from its own thread";
  CHECK(!is_forbidden_) << "a child stops its parent's driver";
  if (std::exchange(is_stopped_, true)) return;
  if (!is_started_ || is_dead_) {
    tasks_.clear();
    return;
  }
  // As the real one: what was posted is run, and what it led to is sent.
  TakeTurn(ReadClock(), inbox_.size());
  time_->StopListening(options_.node.address, /*in_order=*/true);
}

Now VirtualDriver::ReadClock() {
  CHECK(!is_forbidden_) << "a child reads its parent's clocks";
  return clock_->At(time_->now());
}

bool VirtualDriver::Post(Task task) {
  CHECK(!is_forbidden_) << "a child uses its parent's driver";
  if (is_stopped_) return false;
  tasks_.push_back(std::move(task));
  PlanTurn();
  return true;
}

void VirtualDriver::Learn(Event event) {
  CHECK(!is_forbidden_) << "a child asks its parent's engine";
  watcher_->OnLearned(event);
  learnt_.push_back(std::move(event));
  PlanTurn();
}

void VirtualDriver::PlanAt(RealInstant at, void (VirtualDriver::*task)()) {
  time_->At(at, [self = std::weak_ptr<VirtualDriver*>(self_), task] {
    const std::shared_ptr<VirtualDriver*> driver = self.lock();
    if (driver == nullptr || (*driver)->is_stopped_ || (*driver)->is_dead_) {
      return;
    }
    ((*driver)->*task)();
  });
}

void VirtualDriver::PlanTurn() {
  if (!is_started_ || is_stopped_ || turn_is_planned_) return;
  turn_is_planned_ = true;
  PlanAt(std::max(time_->now() + chance_.Draw(options_.scheduling),
                  stalled_until_),
         &VirtualDriver::BeginTurn);
}

void VirtualDriver::BeginTurn() {
  if (stalled_until_ > time_->now()) {
    PlanAt(stalled_until_, &VirtualDriver::BeginTurn);
    return;
  }
  size_t batch = inbox_.size();
  if (batch > 1 && chance_.Happens(options_.short_turn)) {
    batch = static_cast<size_t>(chance_.Between(uint64_t{1}, batch));
  }
  const Now now = ReadClock();
  if (!chance_.Happens(options_.stale_turn)) {
    TakeTurn(now, batch);
    return;
  }
  held_now_ = now;
  held_batch_ = batch;
  PlanAt(time_->now() +
             chance_.Between(absl::ZeroDuration(), options_.staleness_max),
         &VirtualDriver::EndHeldTurn);
}

void VirtualDriver::EndHeldTurn() {
  if (stalled_until_ > time_->now()) {
    PlanAt(stalled_until_, &VirtualDriver::EndHeldTurn);
    return;
  }
  TakeTurn(held_now_, held_batch_);
}

// Driver::Run(), once around.
void VirtualDriver::TakeTurn(const Now& now, size_t batch) {
  CHECK(!is_in_turn_);
  is_in_turn_ = true;
  now_ = now;
  std::vector<Event> arrived(
      std::make_move_iterator(inbox_.begin()),
      std::make_move_iterator(inbox_.begin() + static_cast<ptrdiff_t>(batch)));
  inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<ptrdiff_t>(batch));
  // The kernel names ready sockets in any order.
  const bool local_is_first = chance_.Happens(sim::Rate::Percent(50));
  if (local_is_first) loop_->Wait(absl::ZeroDuration());
  for (const Event& event : arrived) Step(event);
  if (!local_is_first) loop_->Wait(absl::ZeroDuration());
  RunTasks();
  StepLearnt();
  if (node_.NextDeadline().IsDue(now_)) Step(TimeAdvanced{});
  if (has_stepped_) EndTurn();
  delegate_->OnTurnEnded(now_);
  is_in_turn_ = false;
  turn_is_planned_ = false;
  watcher_->OnTurnEnded();
  if (!inbox_.empty() || !learnt_.empty() || !tasks_.empty()) PlanTurn();
  if (!is_stopped_) ArmWake();
}

void VirtualDriver::RunTasks() {
  std::vector<Task> running = std::exchange(tasks_, {});
  for (Task& task : running) task();
}

void VirtualDriver::StepLearnt() {
  for (const Event& event : std::exchange(learnt_, {})) Step(event);
}

void VirtualDriver::EndTurn() {
  do {
    if (unsaved_.has_value()) {
      Step(StateSaved{*std::exchange(unsaved_, std::nullopt)});
    }
    Step(TurnEnded{});
  } while (unsaved_.has_value());
  has_stepped_ = false;
}

void VirtualDriver::Step(const Event& event) {
  has_stepped_ = true;
  for (Action& action : node_.Step(now_, event)) Perform(std::move(action));
}

void VirtualDriver::Perform(Action action) {
  const Address& self = options_.node.address;
  std::visit(
      Overloaded{
          [&](SendDatagram& send) {
            time_->network().SendDatagram(time_->now(), self, send.to,
                                          std::move(send.bytes));
          },
          [&](SendFrame& send) {
            time_->network().SendFrame(time_->now(), self, send.to,
                                       std::move(send.bytes));
          },
          [&](AnswerFrame& send) {
            time_->network().SendFrame(time_->now(), self, send.to,
                                       std::move(send.bytes));
          },
          [&](SaveState& order) { unsaved_ = order.save; },
          [&](AnswerRequest& answer) {
            watcher_->OnAnswered(answer);
            delegate_->OnAnswer(answer.request, std::move(answer.answer));
          },
          [&](NotifyHolder& notice) {
            watcher_->OnNotified(notice);
            delegate_->OnHolderNotified(notice);
          },
          [&](AnnounceStanding& standing) { delegate_->OnStanding(standing); },
          [&](LeaveCompleted&) { delegate_->OnLeft(); },
          [&](AnnounceSession& session) { delegate_->OnSession(session); },
      },
      action);
}

void VirtualDriver::ArmWake() {
  RealInstant due = clock_->When(node_.NextDeadline());
  const FastInstant delegates = delegate_->NextDeadline();
  if (delegates != FastInstant::Never()) {
    due = std::min(due, clock_->fast.When(delegates.nanoseconds()));
  }
  if (due == RealInstant::Never() || wake_at_ <= due) return;
  wake_at_ = due;
  PlanAt(due, &VirtualDriver::WakeUp);
}

// Early wake-ups are harmless: a turn in which nothing is due does nothing.
void VirtualDriver::WakeUp() {
  wake_at_ = RealInstant::Never();
  PlanTurn();
}

}  // namespace cachalot::io_judge
