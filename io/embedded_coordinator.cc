#include "io/embedded_coordinator.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/event.h"
#include "io/coordinator_parts.h"
#include "io/driver.h"
#include "io/host_port.h"
#include "io/local_network.h"
#include "io/lock_service.h"
#include "io/log.h"
#include "io/seed_watch.h"
#include "io/seeds.h"

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

absl::Status EmbeddedCoordinator::SetSeeds(
    const std::vector<std::string>& seeds) {
  if (service()->is_forked()) return service()->ClosedError();
  const absl::StatusOr<std::vector<HostPort>> parsed = ParseSeeds(seeds);
  if (!parsed.ok()) return parsed.status();
  if (parsed->empty()) return absl::InvalidArgumentError("no seeds");
  std::vector<SeedLookup> found;
  for (const HostPort& seed : *parsed) {
    if (!seed.literal.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", seed.text,
                       "\": a name; give the numeric addresses that it has"));
    }
    found.push_back(
        {.name = seed, .addresses = {*seed.literal}, .is_answered = true});
  }
  const SeedAddresses sorted =
      SortSeeds(found, parts().seeds->own(), SystemNetwork());
  const bool is_posted =
      service()->Post([service = service().get(), others = sorted.others] {
        service->Learn(SeedsResolved{.seeds = others});
      });
  return is_posted ? absl::OkStatus() : service()->ClosedError();
}

int EmbeddedCoordinator::fd() const { return parts().driver->fd(); }

void EmbeddedCoordinator::Process() {
  parts().driver->Process();
  if (parts().log != nullptr) parts().log->WriteQueued();
}

}  // namespace cachalot
