#ifndef TESTS_ENGINE_LOCKS_COMMAND_GENERATOR_H_
#define TESTS_ENGINE_LOCKS_COMMAND_GENERATOR_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/random.h"

namespace cachalot {

// Draws commands as a few busy clients, impatient retries, late messages and
// former leaders would send them: in few names, so that they meet.
class CommandGenerator {
 public:
  explicit CommandGenerator(uint64_t seed) : random_(seed, "commands") {}

  std::vector<LockCommand> NextEntry();
  // Learns tokens to use, and which sessions are over, as the clients would.
  void Learn(absl::Span<const Reply> replies);

  Random& random() { return random_; }

 private:
  struct Client {
    SessionId session;
    uint64_t last_sequence = 0;
    uint64_t first_outstanding = 1;
    uint64_t last_renewal = 0;
  };
  struct Granted {
    SessionId session;
    FencingToken token;
    std::string key;
  };

  void ForgetSession(const SessionId& session);

  LockCommand Next();
  LockCommand Fresh();
  LockCommand MakeOpen();
  LockCommand MakeKeepAlive();
  LockCommand MakeAcquire();
  LockCommand MakeRenew();
  LockCommand MakeRelease();
  LockCommand MakeWithdraw();
  LockCommand MakeExpire();
  LockCommand MakeRevoke();

  Client& AnyClient();
  // Mostly the one that was granted it.
  Client& AnyClientFor(const Granted& grant);
  // The client's next number; sometimes one that was skipped or is too high.
  Sequence NumberFor(Client& client);
  Sequence FirstOutstanding(Client& client);
  std::string AnyKey();
  absl::Duration AnyTtl();
  Granted AnyGrant();

  Random random_;
  std::map<NodeId, uint64_t> last_session_;
  std::vector<Client> clients_;
  std::vector<Granted> grants_;       // of late
  std::vector<LockCommand> history_;  // to be sent again
};

}  // namespace cachalot

#endif  // TESTS_ENGINE_LOCKS_COMMAND_GENERATOR_H_
