#include "tests/fuzz/contract_driver.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "engine/check.h"
#include "engine/limits.h"
#include "engine/wire/codec.h"

namespace cachalot {
namespace {

// A forged term or index may be this high. The node then sends even higher
// ones, which the codec refuses.
constexpr uint64_t kOrdinalForged = uint64_t{1} << 47;

bool IsNearTheEnd(const Consensus& consensus) {
  return consensus.term().value() >= kOrdinalForged ||
         consensus.last_index().value() >= kOrdinalForged;
}

}  // namespace

ContractDriver::ContractDriver(NodeOptions options)
    : options_(std::move(options)) {
  now_ = {.slow = SlowInstant() + absl::Hours(2),
          .fast = FastInstant() + absl::Hours(1)};
  node_ = Node::Create(options_, now_).value();
}

// --- Time --------------------------------------------------------------------

void ContractDriver::PassTime(absl::Duration slow, absl::Duration fast) {
  now_.slow = now_.slow + slow;
  now_.fast = now_.fast + fast;
}

void ContractDriver::PassTimeToDeadline() {
  const absl::Duration wait = node_->NextDeadline().Until(now_);
  if (wait > absl::Hours(24)) return;
  PassTime(wait, wait);
}

// --- Events ------------------------------------------------------------------

void ContractDriver::Step(const Event& event) {
  const Actions actions = node_->Step(now_, event);
  CHECK(!node_->NextDeadline().IsDue(now_))
      << "the deadline is not later than now";
  node_->CheckInvariants();
  StepTwin(event, actions);
  for (const Action& action : actions) Check(action);
  has_left_ = has_left_ || leave_completed_;
}

void ContractDriver::StepTwin(const Event& event, const Actions& actions) {
  if (!twin_.has_value()) return;
  const Actions same = twin_->Step(now_, event);
  CHECK(same.size() == actions.size());
  CHECK(twin_->Fingerprint() == node_->Fingerprint());
}

void ContractDriver::Submit(Request request) {
  const RequestId id(++last_request_);
  open_requests_.insert(id);
  if (const auto* acquire = std::get_if<AcquireRequest>(&request)) {
    acquiring_[id] = acquire->key;
  }
  Step(RequestSubmitted{.request = id, .body = std::move(request)});
}

void ContractDriver::Withdraw(uint64_t choice) {
  if (last_request_ == 0) return;
  Step(RequestWithdrawn{RequestId(1 + choice % last_request_)});
}

void ContractDriver::FinishSaves(size_t count) {
  SaveId done;
  for (; count > 0 && !open_saves_.empty(); --count) {
    disk_.Apply(open_saves_.front().change);
    done = open_saves_.front().save;
    open_saves_.pop_front();
  }
  if (done != SaveId()) Step(StateSaved{done});
}

void ContractDriver::Restart(size_t kept) {
  if (has_left_) return;  // its identity must not be used again
  for (; kept > 0 && !open_saves_.empty(); --kept) {
    disk_.Apply(open_saves_.front().change);
    open_saves_.pop_front();
  }
  open_saves_.clear();
  last_save_ = SaveId();
  open_requests_.clear();
  holding_.clear();
  session_ = AnnounceSession();
  twin_.reset();
  ++options_.seed;
  ++options_.token_base;
  std::optional<SavedState> found;
  if (!disk_.identity.node.IsNone()) found = disk_;
  absl::StatusOr<Node> node = Node::Create(options_, now_, std::move(found));
  CHECK(node.ok()) << node.status();
  node_ = *std::move(node);
  node_->CheckInvariants();
}

std::vector<ContractDriver::Sent> ContractDriver::TakeSent() {
  return std::exchange(sent_, {});
}

// --- Actions -----------------------------------------------------------------

void ContractDriver::Check(const Action& action) {
  std::visit([this](const auto& a) { Check(a); }, action);
}

void ContractDriver::Check(const SendDatagram& action) {
  CHECK(!action.to.IsNone());
  CheckBytes(action.bytes, limits::kDatagramBytesMax);
  sent_.push_back({.to = action.to, .bytes = action.bytes});
}

void ContractDriver::Check(const SendFrame& action) {
  CHECK(!action.to.IsNone());
  CheckBytes(action.bytes, limits::kFrameBytesMax);
  sent_.push_back({.to = action.to, .bytes = action.bytes, .is_frame = true});
}

void ContractDriver::Check(const AnswerFrame& action) {
  Check(SendFrame{.to = action.to, .bytes = action.bytes});
}

void ContractDriver::CheckBytes(const std::string& bytes,
                                size_t size_max) const {
  CHECK(!has_left_) << "sends after LeaveCompleted";
  CHECK(bytes.size() <= size_max) << bytes.size() << " bytes";
  if (IsNearTheEnd(node_->consensus())) return;
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  CHECK(envelope.ok()) << envelope.status();
  CHECK(envelope->from_address == options_.address);
}

void ContractDriver::Check(const SaveState& action) {
  CHECK(!has_left_) << "saves after LeaveCompleted";
  CHECK(action.save == last_save_.Next()) << action.save;
  last_save_ = action.save;
  open_saves_.push_back(action);
}

void ContractDriver::Check(const AnswerRequest& action) {
  CHECK(open_requests_.erase(action.request) == 1)
      << "request " << action.request << " was answered before";
  const auto acquire = acquiring_.find(action.request);
  if (acquire == acquiring_.end()) return;
  if (action.answer.outcome == Outcome::kOk) {
    CHECK(!action.answer.token.IsNone());
    CHECK(std::min(action.answer.lease_end, session_.belief_end) > now_.fast)
        << "granted without belief";
    holding_.insert(action.request);
    granted_.emplace_back(acquire->second, action.answer.token);
  }
}

void ContractDriver::Check(const NotifyHolder& action) {
  CHECK(holding_.contains(action.request)) << "request " << action.request;
  CHECK((action.belief == Belief::kLost) !=
        (action.reason == LossReason::kNone));
  if (action.belief == Belief::kLost) {
    holding_.erase(action.request);
  } else {
    CHECK(action.lease_end > now_.fast);
  }
}

void ContractDriver::Check(const AnnounceStanding& action) {
  CHECK(!has_left_) << "announces after LeaveCompleted";
  if (action.has_session) CHECK(action.joined);
}

void ContractDriver::Check(const AnnounceSession& action) {
  CHECK(!has_left_) << "announces after LeaveCompleted";
  if (action.session == session_.session) {
    CHECK(action.belief_end > session_.belief_end) << "the end moved back";
  }
  session_ = action;
}

void ContractDriver::Check(const LeaveCompleted&) {
  CHECK(!leave_completed_) << "leaves twice";
  CHECK(holding_.empty()) << "leaves with locks";
  leave_completed_ = true;
}

}  // namespace cachalot
