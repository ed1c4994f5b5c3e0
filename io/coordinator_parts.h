#ifndef IO_COORDINATOR_PARTS_H_
#define IO_COORDINATOR_PARTS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "io/coordinator_options.h"
#include "io/driver.h"
#include "io/engine_driver.h"
#include "io/local/server.h"
#include "io/lock_service.h"
#include "io/log.h"
#include "io/seed_watch.h"

namespace cachalot {

// What a coordinator is made of, running. AsyncCoordinator stops it.
struct CoordinatorParts {
  std::shared_ptr<Logger> log;  // may be null
  std::shared_ptr<LockService> service;
  Driver* driver = nullptr;          // the service's; null of CreatePartsOver()
  std::unique_ptr<SeedWatch> seeds;  // null of CreatePartsOver()
  std::unique_ptr<LocalServer> local_server;  // may be null
};

enum class Threading {
  kOwnThread,  // the driver and the log have threads
  kNone,       // an embedder's event loop calls Driver::Process()
};

// Binds, finds the seeds, and starts.
// Errors: those of Coordinator::Create().
absl::StatusOr<std::unique_ptr<CoordinatorParts>> CreateParts(
    CoordinatorOptions options, Threading threading);

// The same with a driver that exists, and with that part of the options which
// is not the driver's.
absl::StatusOr<std::unique_ptr<CoordinatorParts>> CreatePartsOver(
    std::unique_ptr<EngineDriver> driver, std::shared_ptr<Logger> log,
    CoordinatorOptions options);

}  // namespace cachalot

#endif  // IO_COORDINATOR_PARTS_H_
