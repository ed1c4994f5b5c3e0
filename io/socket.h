#ifndef IO_SOCKET_H_
#define IO_SOCKET_H_

#include <sys/socket.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"

namespace cachalot {

// Owns a file descriptor; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { Close(); }

  void Close();
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// An Address as the kernel wants it.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// The family to open a socket with that listens at or connects to `address`.
int FamilyOf(const Address& address);

// `address` for a socket of `family`. An IPv6 socket reaches IPv4 through
// mapped addresses.
SocketAddress ToSocketAddress(const Address& address, int family);
// Neither IPv4 nor IPv6: the address is none.
Address FromSocketAddress(const SocketAddress& address);
// Where `fd` is bound.
Address LocalAddress(int fd);

// A status for what the kernel refused: "bind 127.0.0.1:7946: Address already
// in use". `doing` is the first part.
absl::Status SystemError(absl::string_view doing, int error_number);

// A datagram socket and a listener, both on one port and non-blocking.
struct BoundSockets {
  FileDescriptor datagrams;
  FileDescriptor listener;
  Address address;  // with the port that was found if none was asked for
};

// Binds both to `address`; port 0: to the same unused port. [::] takes IPv4
// too.
//
// Errors: AlreadyExists (the port is taken), InvalidArgument (not an address of
// this machine), PermissionDenied (the port is privileged), Internal.
absl::StatusOr<BoundSockets> BindSockets(const Address& address);

}  // namespace cachalot

#endif  // IO_SOCKET_H_
