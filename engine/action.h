#ifndef ENGINE_ACTION_H_
#define ENGINE_ACTION_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/request.h"
#include "engine/saved_state.h"

namespace cachalot {

// Everything that a node can ask its driver to do: orders, in the imperative.

// Best effort: may be lost, doubled, late.
struct SendDatagram {
  Address to;
  std::string bytes;  // at most limits::kDatagramBytesMax
};

// On the stream towards `to`, opening it if there is none. Ordered, or lost
// with the stream.
struct SendFrame {
  Address to;
  std::string bytes;  // at most limits::kFrameBytesMax
};

// Sent on the stream on which a frame came from `to` (FrameReceived::from), and
// on no other. If that stream is closed the frame is dropped; the node is not
// told.
struct AnswerFrame {
  Address to;
  std::string bytes;  // at most limits::kFrameBytesMax
};

// Save this, and report StateSaved when it is on stable storage. Numbered
// without gaps from 1 and saved in order. The node withholds every message that
// promises it until then, so the driver has nothing else to delay.
struct SaveState {
  SaveId save;
  StateChange change;
};

// The one answer to a RequestSubmitted.
struct AnswerRequest {
  RequestId request;
  Answer answer;
};

// The lease on a granted lock is running out (kSuspect), or was renewed after
// all (kHeld), or is over (kLost, final; `reason` says why). kSuspect with
// kRevoked: an administrator takes the lock, and its holder must release it.
struct NotifyHolder {
  RequestId request;  // the AcquireRequest that was granted
  std::string key;
  FencingToken token;
  Belief belief = Belief::kLost;
  LossReason reason = LossReason::kNone;  // with kLost; see above
  std::string text;  // with kRevoked: what the administrator gave as reason
  // A renewal that was answered kUnknown took effect and moved the lease's end.
  // `belief` may be the same as before.
  bool lease_moved = false;
  // Until when the holder may believe in the lock's own lease, on the node's
  // fast clock; has no meaning with kLost. A lease never becomes shorter: of
  // all ends that are told of one grant, here and in answers, the latest
  // counts, whatever the order in which they arrive.
  FastInstant lease_end;
};

// A new session is open, or the end of belief in the session has moved: only to
// a later time while the session is the same. A holder may believe in a lock
// until then or until the end of the lock's own lease, whichever is earlier.
// Comes before the answer to anything that was granted in that session. When
// the session ends, NotifyHolder tells each holder.
struct AnnounceSession {
  SessionId session;
  FastInstant belief_end;  // on the node's fast clock
};

// The node joined or lost its cluster, its leader or its session. For waiting
// callers and status lines.
struct AnnounceStanding {
  bool joined = false;       // has a cluster
  bool has_leader = false;   // and knows its leader
  bool has_session = false;  // and can take locks
};

// The others have been told that this node leaves; the process may exit.
struct LeaveCompleted {};

using Action = std::variant<SendDatagram, SendFrame, AnswerFrame, SaveState,
                            AnswerRequest, NotifyHolder, AnnounceStanding,
                            LeaveCompleted, AnnounceSession>;
using Actions = absl::InlinedVector<Action, 4>;

}  // namespace cachalot

#endif  // ENGINE_ACTION_H_
