#ifndef TESTS_ENGINE_CLIENT_LONE_CLIENT_H_
#define TESTS_ENGINE_CLIENT_LONE_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/client/client.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/wire/message.h"

namespace cachalot {

// One Client: the test plays its callers, the clock and the cluster. Checks
// after every event that no request is answered twice and that the client does
// not want to be woken in the past.
class LoneClient {
 public:
  // A session of nine seconds: a keep-alive every three.
  static LeaseOptions Options();

  explicit LoneClient(LeaseOptions options = Options());

  Client& client() { return client_; }
  FastInstant now() const { return now_; }

  // Joins a cluster, finds node 2 leading, and has its session opened.
  void Open();
  void Join();
  void Lead(uint64_t node);
  // Lets time pass; fires each timer when it is due.
  void Pass(absl::Duration time);
  // Lets time pass, and only then fires what was due meanwhile, as after a
  // pause of the process.
  void Sleep(absl::Duration time);
  // Whether keep-alives are answered at once, from here on.
  void AnswerKeepAlives(bool answer) { answers_keep_alives_ = answer; }

  // --- Callers --------------------------------------------------------------

  RequestId Submit(const Request& request);
  RequestId Try(const std::string& key, absl::Duration ttl = absl::Seconds(5));
  RequestId Wait(const std::string& key, absl::Duration wait,
                 absl::Duration ttl = absl::Seconds(5));
  RequestId Renew(const std::string& key, FencingToken token,
                  absl::Duration ttl = absl::Seconds(5));
  RequestId Release(const std::string& key, FencingToken token);
  void Withdraw(RequestId request);
  // Tries and is granted the lock by an entry at `index`.
  RequestId Take(const std::string& key, uint64_t index,
                 absl::Duration ttl = absl::Seconds(5));

  // --- The cluster ----------------------------------------------------------

  static FencingToken Token(uint64_t index) { return FencingToken(index); }
  Reply ReplyOf(Reply::Kind kind, uint64_t index) const;
  void Receive(const Reply& reply);
  void Receive(const ReadResult& result);
  void Opened(uint64_t index);
  void Kept(uint64_t renewal, uint64_t index);
  void Queued(Sequence sequence, uint64_t index);
  void Answered(Sequence sequence, Outcome outcome, uint64_t token = 0);
  void Revoked(const std::string& key, FencingToken token);
  void SessionGone();
  void Do(const std::function<void(Client&, FastInstant)>& event);

  // --- Results --------------------------------------------------------------

  // Takes the oldest command of that type that was sent.
  template <typename Command>
  std::optional<Command> Sent() {
    for (auto it = commands_.begin(); it != commands_.end(); ++it) {
      if (auto* command = std::get_if<Command>(&*it)) {
        Command taken = std::move(*command);
        commands_.erase(it);
        return taken;
      }
    }
    return std::nullopt;
  }
  // How many commands of that type were sent and not taken.
  template <typename Command>
  size_t CountOf() const {
    size_t count = 0;
    for (const LockCommand& command : commands_) {
      if (std::holds_alternative<Command>(command)) ++count;
    }
    return count;
  }
  const std::deque<LockCommand>& commands() const { return commands_; }
  void DropFirst() { commands_.pop_front(); }
  std::deque<Read>& reads() { return reads_; }
  void Ignore() {
    commands_.clear();
    reads_.clear();
  }
  std::optional<Answer> AnswerTo(RequestId request) const;
  std::optional<Outcome> OutcomeOf(RequestId request) const;
  // "HELD", "SUSPECT", "LOST expired", "LOST revoked (why)", ...: what the
  // holder was told, in order.
  std::vector<std::string> Told(RequestId request) const;
  std::optional<Client::Held> Find(RequestId request) const {
    return client_.Find(request);
  }

 private:
  void Collect();

  Client client_;
  FastInstant now_ = FastInstant() + absl::Hours(1);
  bool answers_keep_alives_ = true;
  uint64_t kept_index_ = 1000;
  uint64_t last_request_ = 0;
  std::deque<LockCommand> commands_;
  std::deque<Read> reads_;
  std::map<RequestId, Answer> answers_;
  std::vector<NotifyHolder> notices_;
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_CLIENT_LONE_CLIENT_H_
