#ifndef ENGINE_ORIGIN_H_
#define ENGINE_ORIGIN_H_

#include "engine/address.h"

namespace cachalot {

// Where a message came from. `source` is what the driver saw: the source of the
// datagram, or the other end of the stream. `claimed` is what the message says.
//
// Anybody can write any address into a message, and into the source of a
// datagram. Only the source of a stream is proven, by its handshake.
struct Origin {
  Address source;
  Address claimed;  // where the sender says that it listens
  bool on_stream = false;

  // The sender listens where it speaks from, as far as one can see: the port
  // may differ, since a stream comes from a port that the system chose.
  bool IsPlausible() const {
    return source.ip == claimed.ip && !claimed.IsNone();
  }
  // Where the sender listens, at the address from which it speaks.
  Address SourceListener() const {
    return {.ip = source.ip, .port = claimed.port};
  }
};

}  // namespace cachalot

#endif  // ENGINE_ORIGIN_H_
