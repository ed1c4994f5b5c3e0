#ifndef IO_LOCK_SCOPE_H_
#define IO_LOCK_SCOPE_H_

#include <cstdint>

namespace cachalot {

// By which way a lock was asked for. An owner of one scope is not the owner of
// the same name in the other.
enum class LockScope : uint8_t {
  kEmbedder,     // the program that this member runs in
  kLocalSocket,  // programs at its local socket
};

}  // namespace cachalot

#endif  // IO_LOCK_SCOPE_H_
