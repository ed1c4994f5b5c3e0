#ifndef TESTS_IO_SCRIPTED_NETWORK_H_
#define TESTS_IO_SCRIPTED_NETWORK_H_

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"
#include "io/local_network.h"
#include "io/socket.h"

namespace cachalot {

// A machine with these addresses, besides loopback. To others it sends from the
// last of them.
class ScriptedNetwork : public LocalNetwork {
 public:
  // "10.0.0.1" or "[fd00::1]".
  explicit ScriptedNetwork(std::initializer_list<absl::string_view> ips) {
    for (const absl::string_view ip : ips) {
      addresses_.push_back(*Address::Parse(absl::StrCat(ip, ":0")));
    }
  }

  bool IsLocal(const Address& address) const override {
    if (address.IsLoopback() || address.IsWildcard()) return true;
    return std::any_of(addresses_.begin(), addresses_.end(),
                       [&](const Address& a) { return a.ip == address.ip; });
  }
  Address SourceTowards(const Address& peer) const override {
    if (peer.IsLoopback()) return Address::V4(127, 0, 0, 1, 0);
    if (IsLocal(peer)) return Address{.ip = peer.ip, .port = 0};
    return addresses_.empty() ? Address() : addresses_.back();
  }
  std::vector<Address> Addresses() const override { return addresses_; }

 private:
  std::vector<Address> addresses_;
};

}  // namespace cachalot

#endif  // TESTS_IO_SCRIPTED_NETWORK_H_
