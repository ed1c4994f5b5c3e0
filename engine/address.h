#ifndef ENGINE_ADDRESS_H_
#define ENGINE_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace cachalot {

// Where a node listens, for datagrams and for streams alike: an IP address and
// a port. IPv4 is kept in its IPv6-mapped form (RFC 4291, 2.5.5.2). Names are
// resolved by the driver; the engine sees numbers only.
struct Address {
  std::array<uint8_t, 16> ip{};
  uint16_t port = 0;

  static Address V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
  // Reads "127.0.0.1:7946" and "[::1]:7946"; nothing if `text` is neither.
  static std::optional<Address> Parse(absl::string_view text);

  bool IsNone() const { return port == 0; }
  bool IsV4() const;
  // True of 0.0.0.0 and of [::], where nobody is reached.
  bool IsWildcard() const;
  // True of 127.0.0.0/8 and of [::1]: on each machine they mean itself.
  bool IsLoopback() const;
  std::string ToString() const;
  // Without the port: "127.0.0.1", "[::1]".
  std::string HostToString() const;

  friend constexpr auto operator<=>(const Address&, const Address&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Address& address) {
    return out << address.ToString();
  }
};

}  // namespace cachalot

#endif  // ENGINE_ADDRESS_H_
