#ifndef IO_ACCEPTOR_H_
#define IO_ACCEPTOR_H_

#include "io/socket.h"

namespace cachalot {

// Takes connections from a listener, and lets nobody spin when the process or
// the machine has no descriptor left: a connection that cannot be taken stays
// in the kernel's queue, and level-triggered epoll reports the listener for
// ever. One descriptor is kept in reserve, to take such a connection and close
// it.
class Acceptor {
 public:
  enum class Outcome {
    kAccepted,
    kNobody,   // nobody waits
    kRefused,  // somebody waited, and was closed: no descriptor is left
    // Not even that could be done: the listener is to be left alone for a
    // while.
    kStuck,
  };

  // `listener` is not owned; it is non-blocking.
  explicit Acceptor(int listener);

  // `from` may be null.
  Outcome Accept(FileDescriptor* socket, SocketAddress* from);

 private:
  const int listener_;
  FileDescriptor reserve_;
};

}  // namespace cachalot

#endif  // IO_ACCEPTOR_H_
