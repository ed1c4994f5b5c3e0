#include "io/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

namespace cachalot {
namespace {

FileDescriptor OpenReserve() {
  return FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

FileDescriptor AcceptOne(int listener, SocketAddress* from) {
  sockaddr* const name = from == nullptr ? nullptr : from->get();
  socklen_t* const length = from == nullptr ? nullptr : &from->length;
  if (from != nullptr) from->length = sizeof(from->storage);
  return FileDescriptor(
      accept4(listener, name, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

bool IsOutOfDescriptors(int error) {
  return error == EMFILE || error == ENFILE;
}

bool IsOutOfMemory(int error) { return error == ENOBUFS || error == ENOMEM; }

}  // namespace

Acceptor::Acceptor(int listener)
    : listener_(listener), reserve_(OpenReserve()) {}

Acceptor::Outcome Acceptor::Accept(FileDescriptor* socket,
                                   SocketAddress* from) {
  *socket = AcceptOne(listener_, from);
  if (socket->is_open()) return Outcome::kAccepted;
  if (IsOutOfMemory(errno)) return Outcome::kStuck;
  if (!IsOutOfDescriptors(errno)) return Outcome::kNobody;
  if (!reserve_.is_open()) reserve_ = OpenReserve();
  if (!reserve_.is_open()) return Outcome::kStuck;
  reserve_.Close();
  FileDescriptor refused = AcceptOne(listener_, nullptr);
  // Without a descriptor the kernel does not look whether anybody waits.
  const bool is_refused = refused.is_open();
  const bool is_stuck = !is_refused && IsOutOfDescriptors(errno);
  refused.Close();
  reserve_ = OpenReserve();
  if (is_refused) return Outcome::kRefused;
  return is_stuck ? Outcome::kStuck : Outcome::kNobody;
}

}  // namespace cachalot
