#ifndef IO_BACKGROUND_LOOKUP_H_
#define IO_BACKGROUND_LOOKUP_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "io/host_port.h"
#include "io/resolver.h"

namespace cachalot {

// Resolves `name` on a thread of its own, which nobody can stop and nobody
// waits for: a lookup that hangs costs that thread and no more. `done` is
// called on it, and must own what it uses.
//
// Errors: ResourceExhausted (no thread; `done` is not called).
absl::Status ResolveInBackground(
    HostPort name, EmptyHost empty_host, HostLookup lookup,
    std::function<void(absl::StatusOr<std::vector<Address>>)> done);

// Resolve() that ends after `timeout`. Errors: also Unavailable (no answer by
// then).
absl::StatusOr<std::vector<Address>> ResolveWithin(const HostPort& name,
                                                   EmptyHost empty_host,
                                                   const HostLookup& lookup,
                                                   absl::Duration timeout);

}  // namespace cachalot

#endif  // IO_BACKGROUND_LOOKUP_H_
