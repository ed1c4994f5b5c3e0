#ifndef ENGINE_OUTBOX_H_
#define ENGINE_OUTBOX_H_

#include <utility>
#include <vector>

#include "engine/address.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// A message that a machine sends within a step, still typed. Node turns it into
// an action: it finds the address, encodes, and withholds promises.
struct Outgoing {
  enum class Channel {
    kDatagram,
    kStream,      // the one to `address`, opened if there is none
    kSameStream,  // only the one on which a message came from `address`
  };

  NodeId to;        // none: whoever listens at `address` (PushPull only)
  Address address;  // none: wherever `to` is known to be
  Channel channel = Channel::kStream;
  Message message;
  // The message promises what this order saves (engine/consensus/README.md,
  // rule 11): it is sent when the save is done. Zero: at once.
  SaveId after;
};

// The messages of one step, in order.
class Outbox {
 public:
  void Send(Outgoing outgoing) { sends.push_back(std::move(outgoing)); }

  std::vector<Outgoing> sends;
};

}  // namespace cachalot

#endif  // ENGINE_OUTBOX_H_
