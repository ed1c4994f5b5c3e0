#include "io/embedded_coordinator.h"

#include <utility>

#include "io/coordinator_parts.h"
#include "io/driver.h"
#include "io/log.h"

namespace cachalot {

absl::StatusOr<std::unique_ptr<EmbeddedCoordinator>>
EmbeddedCoordinator::Create(CoordinatorOptions options) {
  absl::StatusOr<std::unique_ptr<CoordinatorParts>> parts =
      CreateParts(std::move(options), Threading::kNone);
  if (!parts.ok()) return parts.status();
  return std::unique_ptr<EmbeddedCoordinator>(
      new EmbeddedCoordinator(*std::move(parts)));
}

EmbeddedCoordinator::EmbeddedCoordinator(
    std::unique_ptr<CoordinatorParts> parts)
    : AsyncCoordinator(std::move(parts)) {}

int EmbeddedCoordinator::fd() const { return parts().driver->fd(); }

void EmbeddedCoordinator::Process() {
  parts().driver->Process();
  if (parts().log != nullptr) parts().log->WriteQueued();
}

}  // namespace cachalot
