#ifndef SIM_WORLD_HOST_H_
#define SIM_WORLD_HOST_H_

#include <cstdint>
#include <string>

#include "engine/address.h"
#include "engine/strong_id.h"

namespace cachalot::sim {

// A simulated machine: an address, clocks, a disk, and at most one process at a
// time. Machines are numbered from 1; machine 1 is called "n1".
using HostId = StrongId<struct HostKind>;

std::string HostName(HostId host);
Address HostAddress(HostId host);

// The machines 1 to `count`, for a range-based for loop.
class HostRange {
 public:
  class Iterator {
   public:
    explicit Iterator(HostId host) : host_(host) {}

    HostId operator*() const { return host_; }
    Iterator& operator++() {
      host_ = host_.Next();
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    HostId host_;
  };

  explicit HostRange(uint64_t count) : count_(count) {}

  Iterator begin() const { return Iterator(HostId(1)); }
  Iterator end() const { return Iterator(HostId(count_ + 1)); }

 private:
  uint64_t count_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_HOST_H_
