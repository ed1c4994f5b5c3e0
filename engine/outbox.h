#ifndef ENGINE_OUTBOX_H_
#define ENGINE_OUTBOX_H_

#include <utility>
#include <vector>

#include "engine/address.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// What the machines put out within one step, typed and in order. Node turns it
// into actions: it finds addresses, encodes, and withholds promises.
struct Outgoing {
  enum class Channel {
    kDatagram,
    kStream,      // the one to `address`, opened if there is none
    kSameStream,  // back on the stream on which `address` spoke, or not at all
  };

  NodeId to;        // none: whoever listens at `address` (PushPull only)
  Address address;  // none: wherever `to` is known to be
  Channel channel = Channel::kStream;
  Message message;
  // A promise: sent when this order to save is done. Zero: at once.
  SaveId after;
};

class Outbox {
 public:
  void Send(Outgoing outgoing) { sends.push_back(std::move(outgoing)); }

  std::vector<Outgoing> sends;
};

}  // namespace cachalot

#endif  // ENGINE_OUTBOX_H_
