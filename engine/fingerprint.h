#ifndef ENGINE_FINGERPRINT_H_
#define ENGINE_FINGERPRINT_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/random.h"
#include "engine/strong_id.h"

namespace cachalot {

// A 64-bit hash of whatever is added, in order; the same in every build. Not
// cryptographic.
class Fingerprint {
 public:
  Fingerprint& Add(uint64_t value) {
    // One round of splitmix64 on the running value.
    uint64_t z = value_ ^ (value + 0x9e3779b97f4a7c15u + (value_ << 6));
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    value_ = z ^ (z >> 31);
    return *this;
  }
  Fingerprint& Add(absl::string_view bytes) {
    return Add(uint64_t{bytes.size()}).Add(StableHash(bytes));
  }
  Fingerprint& Add(absl::Duration duration) {
    return Add(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
  }
  Fingerprint& Add(ClusterTime time) { return Add(time.nanoseconds()); }
  template <typename Kind>
  Fingerprint& Add(StrongId<Kind> id) {
    return Add(id.value());
  }
  template <typename Kind>
  Fingerprint& Add(const WideId<Kind>& id) {
    return Add(id.high).Add(id.low);
  }
  template <typename Clock>
  Fingerprint& Add(BasicInstant<Clock> instant) {
    return Add(static_cast<uint64_t>(instant.nanoseconds()));
  }
  // Adds the number that it would draw next. `random` itself does not change.
  Fingerprint& Add(const Random& random) { return Add(Random(random).Next()); }
  Fingerprint& Add(const SessionId& id) { return Add(id.node).Add(id.number); }
  Fingerprint& Add(const FencingToken& token) { return Add(token.number()); }

  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace cachalot

#endif  // ENGINE_FINGERPRINT_H_
