#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace cachalot {
namespace {

// Of the kernel's ephemeral range, about 28,000 ports; that so many in a row
// are taken for datagrams only is not a matter of chance.
constexpr int kEphemeralTries = 64;
constexpr int kListenBacklog = 1024;
// Gossip of a large cluster comes in bursts.
constexpr int kDatagramBufferBytes = 4 << 20;

void SetOption(int fd, int level, int option, int value) {
  // Only preferences are set in this way: one that the kernel refuses changes
  // speed, not meaning.
  static_cast<void>(setsockopt(fd, level, option, &value, sizeof(value)));
}

absl::Status BindError(const Address& address, int error_number) {
  const std::string text = address.ToString();
  switch (error_number) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat(
          "port ", address.port, " of ", text,
          " is taken: stop the process that uses it, or choose another port"));
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(absl::StrCat(
          text,
          " is not an address of this machine: bind one that is, or "
          "\":PORT\" for all of them"));
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat("no permission to use port ", address.port,
                       ": choose one above 1023"));
    case EAFNOSUPPORT:
      return absl::InvalidArgumentError(
          absl::StrCat("this machine does not speak the protocol of ", text));
    default:
      return SystemError(absl::StrCat("bind ", text), error_number);
  }
}

absl::StatusOr<FileDescriptor> Bind(const Address& address, int type) {
  const int family = FamilyOf(address);
  FileDescriptor fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return BindError(address, errno);
  if (family == AF_INET6) {
    SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY,
              address.IsWildcard() ? 0 : 1);
  }
  // For the listener it means only that connections of an earlier process that
  // linger in TIME_WAIT are no obstacle (socket(7)). For datagrams it would
  // let two processes share the port.
  if (type == SOCK_STREAM) SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (type == SOCK_DGRAM) {
    SetOption(fd.get(), SOL_SOCKET, SO_RCVBUF, kDatagramBufferBytes);
  }
  const SocketAddress name = ToSocketAddress(address, family);
  if (bind(fd.get(), name.get(), name.length) != 0) {
    return BindError(address, errno);
  }
  if (type == SOCK_STREAM && listen(fd.get(), kListenBacklog) != 0) {
    return BindError(address, errno);
  }
  return fd;
}

absl::StatusOr<BoundSockets> BindOnce(const Address& address) {
  BoundSockets sockets;
  absl::StatusOr<FileDescriptor> listener = Bind(address, SOCK_STREAM);
  if (!listener.ok()) return listener.status();
  sockets.listener = *std::move(listener);
  sockets.address = address;
  sockets.address.port = LocalAddress(sockets.listener.get()).port;
  absl::StatusOr<FileDescriptor> datagrams = Bind(sockets.address, SOCK_DGRAM);
  if (!datagrams.ok()) return datagrams.status();
  sockets.datagrams = *std::move(datagrams);
  return sockets;
}

}  // namespace

void FileDescriptor::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int FamilyOf(const Address& address) {
  return address.IsV4() ? AF_INET : AF_INET6;
}

SocketAddress ToSocketAddress(const Address& address, int family) {
  SocketAddress result;
  if (family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    memcpy(&v4->sin_addr, address.ip.data() + 12, 4);
    result.length = sizeof(sockaddr_in);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    memcpy(&v6->sin6_addr, address.ip.data(), 16);
    result.length = sizeof(sockaddr_in6);
  }
  return result;
}

Address FromSocketAddress(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    uint8_t ip[4];
    memcpy(ip, &v4->sin_addr, sizeof(ip));
    return Address::V4(ip[0], ip[1], ip[2], ip[3], ntohs(v4->sin_port));
  }
  Address result;
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    memcpy(result.ip.data(), &v6->sin6_addr, 16);
    result.port = ntohs(v6->sin6_port);
  }
  return result;
}

Address LocalAddress(int fd) {
  SocketAddress name;
  name.length = sizeof(name.storage);
  if (getsockname(fd, name.get(), &name.length) != 0) return Address();
  return FromSocketAddress(name);
}

absl::Status SystemError(absl::string_view doing, int error_number) {
  char buffer[128];
  return absl::InternalError(absl::StrCat(
      doing, ": ", strerror_r(error_number, buffer, sizeof(buffer))));
}

absl::StatusOr<BoundSockets> BindSockets(const Address& address) {
  absl::StatusOr<BoundSockets> sockets = BindOnce(address);
  if (address.port != 0) return sockets;
  // The port that the listener was given may be taken for datagrams.
  for (int i = 1;
       i < kEphemeralTries && absl::IsAlreadyExists(sockets.status()); ++i) {
    sockets = BindOnce(address);
  }
  return sockets;
}

}  // namespace cachalot
