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
  bool is_local = false;  // `source` is on this machine

  // The sender listens where it speaks from, as far as one can see: the port
  // may differ, since a stream comes from a port that the system chose.
  bool IsPlausible() const {
    return source.ip == claimed.ip && !claimed.IsNone();
  }
  // Whether somebody may be reached at `address`, of which the sender speaks.
  // Nobody is at a wildcard. Loopback is each machine's own, so it is right
  // only in the mouth of a process on this one.
  bool MayName(const Address& address) const {
    return !address.IsWildcard() && (is_local || !address.IsLoopback());
  }
  // Where the sender listens, at the address from which it speaks.
  Address SourceListener() const {
    return {.ip = source.ip, .port = claimed.port};
  }
};

}  // namespace cachalot

#endif  // ENGINE_ORIGIN_H_
