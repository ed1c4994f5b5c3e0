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

  // The sender says that it listens at the address from which it sends. The
  // port may differ, since a stream comes from a port that the system chose.
  bool IsPlausible() const {
    return source.ip == claimed.ip && !claimed.IsNone();
  }
  // Whether this node may believe that a member listens at `address`, as the
  // sender says. Nobody is reached at a wildcard. Loopback means another
  // machine to each, so only a process on this machine may name a loopback
  // address.
  bool MayName(const Address& address) const {
    return !address.IsWildcard() && (is_local || !address.IsLoopback());
  }
  // The address from which the sender sends, with the port at which it listens.
  Address SourceListener() const {
    return {.ip = source.ip, .port = claimed.port};
  }
};

}  // namespace cachalot

#endif  // ENGINE_ORIGIN_H_
