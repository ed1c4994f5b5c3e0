#include "io/question_queue.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

FastInstant At(int seconds) {
  return FastInstant() + absl::Seconds(seconds + 1);
}

// A queue whose engine takes two at a time, of at most four.
class QuestionQueueTest : public testing::Test {
 protected:
  QuestionQueueTest()
      : queue_({.in_engine_max = 2,
                .questions_max = 4,
                .patience = absl::Seconds(5)},
               [this](RequestId request, Request) {
                 submitted_.push_back(request.value());
               }) {}

  void Ask(uint64_t number, Request body, FastInstant now = At(0),
           QuestionQueue::Limit limit = QuestionQueue::Limit::kApplies) {
    queue_.Ask([now] { return now; }, RequestId(number), std::move(body), limit,
               [this, number](const Answer& answer) {
                 answers_.emplace_back(number, answer.outcome);
                 text_ = answer.text;
               });
  }

  void AnswerOk(uint64_t number) {
    Answer answer = {.outcome = Outcome::kOk};
    EXPECT_TRUE(queue_.OnAnswer(RequestId(number), answer));
  }

  std::vector<uint64_t> submitted_;
  std::vector<std::pair<uint64_t, Outcome>> answers_;
  std::string text_;
  QuestionQueue queue_;
};

TEST_F(QuestionQueueTest, SubmitsInOrderAsFarAsTheEngineTakesThem) {
  for (const uint64_t number : {1, 2, 3, 4}) Ask(number, RenewRequest());
  EXPECT_THAT(submitted_, ElementsAre(1, 2));
  AnswerOk(2);
  EXPECT_THAT(submitted_, ElementsAre(1, 2, 3));
  AnswerOk(1);
  AnswerOk(3);
  AnswerOk(4);
  EXPECT_THAT(submitted_, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(answers_.size(), 4u);
  EXPECT_EQ(queue_.size(), 0u);
  Answer answer;
  EXPECT_FALSE(queue_.OnAnswer(RequestId(4), answer));
}

TEST_F(QuestionQueueTest, RefusesWhatIsTooMuchButNoUnlimitedRelease) {
  for (const uint64_t number : {1, 2, 3, 4, 5}) Ask(number, RenewRequest());
  EXPECT_THAT(answers_, ElementsAre(std::pair(uint64_t{5}, Outcome::kBusy)));
  EXPECT_THAT(text_, HasSubstr("more than 4"));
  Ask(6, ReleaseRequest(), At(0), QuestionQueue::Limit::kNone);
  for (const uint64_t number : {1, 2, 3, 4, 6}) AnswerOk(number);
  EXPECT_THAT(submitted_, ElementsAre(1, 2, 3, 4, 6));
}

TEST_F(QuestionQueueTest, NothingWaitsWithoutAnEnd) {
  Ask(1, RenewRequest());
  Ask(2, RenewRequest());
  EXPECT_EQ(queue_.NextDeadline(), FastInstant::Never());
  Ask(3, RenewRequest(), At(1));
  Ask(4, ReleaseRequest(), At(2));
  EXPECT_EQ(queue_.NextDeadline(), At(6));
  queue_.OnTime(At(5));
  EXPECT_THAT(answers_, IsEmpty());
  queue_.OnTime(At(6));
  EXPECT_THAT(answers_,
              ElementsAre(std::pair(uint64_t{3}, Outcome::kUnavailable)));
  queue_.OnTime(At(7));
  EXPECT_EQ(answers_.back(), std::pair(uint64_t{4}, Outcome::kUnknown));
  EXPECT_EQ(queue_.NextDeadline(), FastInstant::Never());
  // The renewal is forgotten, the release is not.
  AnswerOk(1);
  AnswerOk(2);
  EXPECT_THAT(submitted_, ElementsAre(1, 2, 4));
  AnswerOk(4);
  EXPECT_EQ(answers_.size(), 4u);
}

TEST_F(QuestionQueueTest, AnswersAllWhenAbandoned) {
  Ask(1, RenewRequest());
  Ask(2, ListLocksRequest());
  Ask(3, ReleaseRequest());
  queue_.Abandon("closed");
  EXPECT_THAT(answers_, ElementsAre(std::pair(uint64_t{1}, Outcome::kUnknown),
                                    std::pair(uint64_t{2}, Outcome::kLeaving),
                                    std::pair(uint64_t{3}, Outcome::kLeaving)));
  EXPECT_EQ(text_, "closed");
  EXPECT_EQ(queue_.size(), 0u);
}

}  // namespace
}  // namespace cachalot
