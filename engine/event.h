#ifndef ENGINE_EVENT_H_
#define ENGINE_EVENT_H_

#include <string>
#include <variant>
#include <vector>

#include "engine/address.h"
#include "engine/ids.h"
#include "engine/request.h"

namespace cachalot {

// Everything that a driver can tell a node: facts, in the past tense.

// Only time has passed: the node's deadline has come.
struct TimeAdvanced {};

// The driver has handed over all events that had arrived and is about to sleep.
// The node now sends what it has gathered: one order to save, and one append to
// each follower. Comes after every batch of other events.
struct TurnEnded {};

// Unverified bytes that anybody may have sent. The address is where they seem
// to come from.
struct DatagramReceived {
  Address from;
  std::string bytes;
};

// One frame of a stream, whole: unverified bytes. Frames of one stream come in
// the order in which they were sent; a stream may break and lose its tail.
struct FrameReceived {
  Address from;
  std::string bytes;
};

// The stream towards `peer` came up, or broke: what had been sent on it and
// was not yet delivered may be lost.
struct LinkChanged {
  Address peer;
  bool up = false;
};

// The seeds' names were resolved, or resolved anew. Replaces the list.
struct SeedsResolved {
  std::vector<Address> seeds;
  // The names resolve to this node alone and never resolved to another. A node
  // that was only to join then founds a cluster, as if it had been started with
  // NodeOptions::is_own_seed.
  bool is_self_only = false;
};

// Every SaveState up to and including `save` is on stable storage.
struct StateSaved {
  SaveId save;
};

// A caller asks. Answered by exactly one AnswerRequest.
struct RequestSubmitted {
  RequestId request;
  Request body;
};

// The caller is gone or no longer interested. An AcquireRequest without an
// answer is answered kWithdrawn, and a grant that still arrives is released.
// Other requests go on and are answered as usual.
struct RequestWithdrawn {
  RequestId request;
};

// The node is to release its locks, give up its vote and tell the others. Ends
// with LeaveCompleted.
struct LeaveRequested {};

using Event =
    std::variant<TimeAdvanced, TurnEnded, DatagramReceived, FrameReceived,
                 LinkChanged, SeedsResolved, StateSaved, RequestSubmitted,
                 RequestWithdrawn, LeaveRequested>;

}  // namespace cachalot

#endif  // ENGINE_EVENT_H_
