#ifndef IO_QUESTION_QUEUE_H_
#define IO_QUESTION_QUEUE_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"

namespace cachalot {

// A process's renewals, releases and lists until each is answered. The engine
// takes so many at a time; the others wait here, in order, since a release that
// is refused would keep its lock from everybody else. One thread.
class QuestionQueue {
 public:
  using Done = absl::AnyInvocable<void(Answer&&)>;
  using Submit = std::function<void(RequestId, Request)>;

  struct Options {
    size_t in_engine_max = 512;
    // Unanswered at a time; beyond them callers are told kBusy.
    size_t questions_max = 65536;
    // One that waits here for longer is answered without having been asked; a
    // release is asked all the same, later.
    absl::Duration patience;
  };
  enum class Limit {
    kApplies,
    kNone,  // the number of such questions is limited otherwise
  };

  QuestionQueue(Options options, Submit submit)
      : options_(options), submit_(std::move(submit)) {}

  // `done` is called exactly once; here and now if there are too many. `clock`
  // is read only if the question has to wait.
  void Ask(absl::FunctionRef<FastInstant()> clock, RequestId request,
           Request body, Limit limit, Done done);
  // Passes the answer on; false if `request` is none of these.
  bool OnAnswer(RequestId request, Answer& answer);
  // Answers what has waited for too long.
  void OnTime(FastInstant now);
  FastInstant NextDeadline() const;
  // Answers everything.
  void Abandon(const char* why);

  size_t size() const { return questions_.size(); }

 private:
  struct Question {
    bool is_read = false;  // changes nothing
    bool is_release = false;
    bool is_asked = false;
    Done done;  // null: answered
  };

  void SubmitWaiting();

  const Options options_;
  const Submit submit_;
  absl::flat_hash_map<RequestId, Question> questions_;
  size_t in_engine_ = 0;
  std::deque<std::pair<RequestId, Request>> waiting_;
  // When each that had to wait is answered at the latest; some are by now.
  std::deque<std::pair<FastInstant, RequestId>> deadlines_;
};

}  // namespace cachalot

#endif  // IO_QUESTION_QUEUE_H_
