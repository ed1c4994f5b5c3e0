#include "io/question_queue.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"

namespace cachalot {

void QuestionQueue::Ask(absl::FunctionRef<FastInstant()> clock,
                        RequestId request, Request body, Limit limit,
                        Done done) {
  if (limit == Limit::kApplies && questions_.size() >= options_.questions_max) {
    done({.outcome = Outcome::kBusy,
          .text = absl::StrCat("more than ", options_.questions_max,
                               " calls of this process wait for answers")});
    return;
  }
  Question& question = questions_[request];
  question = {.is_read = std::holds_alternative<ListLocksRequest>(body) ||
                         std::holds_alternative<ListWaitersRequest>(body) ||
                         std::holds_alternative<ListMembersRequest>(body),
              .is_release = std::holds_alternative<ReleaseRequest>(body),
              .done = std::move(done)};
  if (in_engine_ < options_.in_engine_max) {
    ++in_engine_;
    question.is_asked = true;
    submit_(request, std::move(body));
    return;
  }
  waiting_.emplace_back(request, std::move(body));
  deadlines_.emplace_back(clock() + options_.patience, request);
}

bool QuestionQueue::OnAnswer(RequestId request, Answer& answer) {
  const auto found = questions_.find(request);
  if (found == questions_.end()) return false;
  Done done = std::move(found->second.done);
  questions_.erase(found);
  --in_engine_;
  SubmitWaiting();
  if (done != nullptr) done(std::move(answer));
  return true;
}

void QuestionQueue::SubmitWaiting() {
  while (in_engine_ < options_.in_engine_max && !waiting_.empty()) {
    auto [request, body] = std::move(waiting_.front());
    waiting_.pop_front();
    const auto found = questions_.find(request);
    if (found == questions_.end()) continue;  // answered by OnTime()
    found->second.is_asked = true;
    ++in_engine_;
    submit_(request, std::move(body));
  }
}

void QuestionQueue::OnTime(FastInstant now) {
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    const RequestId request = deadlines_.front().second;
    deadlines_.pop_front();
    const auto found = questions_.find(request);
    if (found == questions_.end() || found->second.is_asked) continue;
    Done done = std::exchange(found->second.done, nullptr);
    if (found->second.is_release) {
      done({.outcome = Outcome::kUnknown,
            .text = "it waits behind other requests of this process, and will "
                    "be released"});
      continue;
    }
    questions_.erase(found);
    done({.outcome = Outcome::kUnavailable,
          .text = "it waited behind other requests of this process"});
  }
}

FastInstant QuestionQueue::NextDeadline() const {
  return deadlines_.empty() ? FastInstant::Never() : deadlines_.front().first;
}

void QuestionQueue::Abandon(const char* why) {
  // In the order of asking. The callbacks may come back, and are refused.
  std::vector<std::pair<RequestId, Question>> all(
      std::make_move_iterator(questions_.begin()),
      std::make_move_iterator(questions_.end()));
  questions_.clear();
  waiting_.clear();
  deadlines_.clear();
  in_engine_ = 0;
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [request, question] : all) {
    if (question.done == nullptr) continue;
    const bool is_refused = question.is_read || !question.is_asked;
    question.done(
        {.outcome = is_refused ? Outcome::kLeaving : Outcome::kUnknown,
         .text = why});
  }
}

}  // namespace cachalot
