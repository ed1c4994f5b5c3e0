#ifndef IO_ENGINE_DRIVER_H_
#define IO_ENGINE_DRIVER_H_

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engine/action.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "io/event_loop.h"
#include "io/log.h"
#include "io/transport.h"

namespace cachalot {

// What LockService needs of whatever runs the engine: Driver on a real machine,
// a script in tests.
class EngineDriver {
 public:
  // Called on the driver's thread, within a turn. Must not block.
  class Delegate {
   public:
    virtual ~Delegate() = default;
    virtual void OnAnswer(RequestId request, Answer&& answer) = 0;
    virtual void OnHolderNotified(const NotifyHolder& notice) = 0;
    virtual void OnSession(const AnnounceSession& session) = 0;
    virtual void OnStanding(const AnnounceStanding& standing) = 0;
    virtual void OnLeft() = 0;
    // Called at the end of each turn. `now` is a reading of this turn.
    virtual void OnTurnEnded(const Now& now) = 0;
    // When the delegate wants a turn, whatever else happens; Never() if it does
    // not. Asked after each turn.
    virtual FastInstant NextDeadline() const = 0;
  };
  using Task = absl::AnyInvocable<void()>;

  virtual ~EngineDriver() = default;

  // To be called once, before Start(). `delegate` is not owned and outlives the
  // driver.
  virtual void SetDelegate(Delegate* delegate) = 0;
  // Errors: ResourceExhausted (no thread could be started).
  virtual absl::Status Start() = 0;
  // Runs what was posted and ends the thread. Not on the driver's thread.
  virtual void Stop() = 0;

  // --- Any thread -----------------------------------------------------------

  // Runs `task` on the driver's thread, soon, in order. False, and `task` never
  // runs, once Stop() has begun to return.
  virtual bool Post(Task task) = 0;
  virtual bool IsOnThread() const = 0;
  virtual Now ReadClock() = 0;

  // --- The driver's thread, or before Start() or after Stop() ---------------

  // Hands `event` to the node within this turn or the next.
  virtual void Learn(Event event) = 0;

  // Read for lists and status only: what holders must know, actions tell.
  virtual const Node& node() const = 0;
  virtual const TransportStats& transport_stats() const = 0;
  // What is wrong at present between this node and its peers, a sentence each.
  virtual std::vector<std::string> Problems() const { return {}; }
  virtual EventLoop* loop() = 0;
  virtual Logger* log() const = 0;  // may be null
};

}  // namespace cachalot

#endif  // IO_ENGINE_DRIVER_H_
