#ifndef ENGINE_STRONG_ID_H_
#define ENGINE_STRONG_ID_H_

#include <compare>
#include <cstdint>
#include <ostream>
#include <utility>

namespace cachalot {

// A number that means one thing. `Kind` is a tag: two kinds do not mix.
template <typename Kind>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr StrongId Next() const { return StrongId(value_ + 1); }
  // REQUIRES: not zero.
  constexpr StrongId Previous() const { return StrongId(value_ - 1); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend std::ostream& operator<<(std::ostream& out, StrongId id) {
    return out << id.value_;
  }
  template <typename H>
  friend H AbslHashValue(H state, StrongId id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  uint64_t value_ = 0;
};

}  // namespace cachalot

#endif  // ENGINE_STRONG_ID_H_
