#ifndef IO_DESCRIPTORS_H_
#define IO_DESCRIPTORS_H_

#include <cstddef>

namespace cachalot {

// How many descriptors each kind of connection may take of those that this
// process may open. Nobody can use up another's share, whoever connects how
// often: local programs cannot shut out peers, nor strangers local programs,
// and a quarter is left to the rest of the process.
struct DescriptorShares {
  size_t links = 0;     // streams to peers
  size_t incoming = 0;  // streams from peers
  size_t local = 0;     // programs at the local socket
};

// REQUIRES: `descriptors_max` is the process's limit, at least 16.
constexpr DescriptorShares ShareDescriptors(size_t descriptors_max) {
  const size_t quarter = descriptors_max / 4;
  return {.links = quarter, .incoming = quarter, .local = quarter};
}

// This process's soft limit (RLIMIT_NOFILE) as it is now, between 16 and a
// million.
size_t DescriptorsMax();

}  // namespace cachalot

#endif  // IO_DESCRIPTORS_H_
