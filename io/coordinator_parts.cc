#include "io/coordinator_parts.h"

#include <errno.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/locks/token_counter.h"
#include "io/endpoints.h"
#include "io/escape.h"
#include "io/kept_memory.h"
#include "io/local/path.h"
#include "io/local_network.h"
#include "io/log_event.h"
#include "io/resolver.h"
#include "io/seeds.h"
#include "io/service_log.h"
#include "io/socket.h"

namespace cachalot {
namespace {

absl::StatusOr<uint64_t> DrawSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
    return SystemError("getrandom", errno);
  }
  return seed;
}

absl::Status RequireSeeds(const CoordinatorOptions& options) {
  if (!options.seeds.empty() || options.bootstrap || options.force_bootstrap ||
      !options.founders.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no seeds: name a member of the cluster, or this process itself (\"",
      options.bind, "\") to found one"));
}

DriverOptions ToDriverOptions(const CoordinatorOptions& options, uint64_t seed,
                              const Endpoints& endpoints,
                              const SeedAddresses& seeds, KeptMemory kept) {
  DriverOptions driver;
  driver.node = {
      .seed = seed,
      .name = options.name,
      .cluster = options.cluster,
      .address = endpoints.advertise,
      .local_addresses = SystemNetwork().Addresses(),
      .seeds = seeds.others,
      .founders = options.founders,
      // Beside a memory of a cluster it says less.
      .bootstrap = options.bootstrap && !options.force_bootstrap,
      .force_bootstrap = options.force_bootstrap,
      .is_own_seed = seeds.is_self_only,
      .memory = std::move(kept.memory),
      .birth_delay = options.birth_delay,
      // Tokens of a cluster that is born later are higher; wall time enters
      // nowhere else.
      .token_base = TokenCounter::BaseAt(absl::GetCurrentTimeNanos(), seed),
      .membership = options.membership,
      .consensus = options.consensus,
      .lease = options.lease,
      .observer = options.observer};
  driver.transport.bind = endpoints.bind;
  driver.transport.seed = seed;
  driver.memory_writer = std::move(kept.writer);
  return driver;
}

// Whether it is to found a cluster, alone or with others, if it finds none.
bool IsFounder(const NodeOptions& node, bool remembers_cluster) {
  if (remembers_cluster) return false;
  if (node.founders.empty()) {
    return node.bootstrap || node.force_bootstrap || node.is_own_seed;
  }
  return absl::c_linear_search(node.founders, node.name);
}

void LogAddresses(Logger* log, const Endpoints& endpoints) {
  for (const std::string& warning : endpoints.warnings) {
    LogTo(log, LogEvent::kAddressDoubtful, [&] {
      return LogText{Escape(warning), {{"reason", warning}}};
    });
  }
}

// Null if nobody listens.
absl::StatusOr<std::shared_ptr<Logger>> CreateLogger(LogFunction write,
                                                     LogLevel level,
                                                     Threading threading) {
  if (write == nullptr) return nullptr;
  if (threading == Threading::kNone) {
    return Logger::CreateWithoutThread(level, std::move(write));
  }
  return Logger::Create(level, std::move(write));
}

// Null if the options name no socket.
absl::StatusOr<std::unique_ptr<LocalServer>> CreateLocalServer(
    const CoordinatorOptions& options, LockService* service) {
  if (options.local_socket.empty()) return nullptr;
  LocalServerOptions local = {.path = options.local_socket};
  if (!options.local_socket_group.empty()) {
    const absl::StatusOr<gid_t> group = FindGroup(options.local_socket_group);
    if (!group.ok()) return group.status();
    local.group = *group;
  }
  return LocalServer::Create(std::move(local), service);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorParts>> CreateParts(
    CoordinatorOptions options, Threading threading) {
  const absl::Status has_seeds = RequireSeeds(options);
  if (!has_seeds.ok()) return has_seeds;
  if (options.lookup == nullptr) options.lookup = LookUpHost;
  const absl::StatusOr<BindAddress> bind =
      ResolveBind(options.bind, options.lookup);
  if (!bind.ok()) return bind.status();
  const absl::StatusOr<uint64_t> seed = DrawSeed();
  if (!seed.ok()) return seed.status();
  absl::StatusOr<std::unique_ptr<SeedWatch>> seeds = SeedWatch::Create(
      options.seeds, options.lookup, options.seed_timing, *seed);
  if (!seeds.ok()) return seeds.status();
  const absl::StatusOr<Endpoints> endpoints = ResolveEndpoints(
      *bind, options.advertise, (*seeds)->first(), options.lookup);
  if (!endpoints.ok()) return endpoints.status();
  const SeedAddresses sorted =
      SortSeeds((*seeds)->first(), endpoints->own(), SystemNetwork());
  absl::StatusOr<std::shared_ptr<Logger>> log =
      CreateLogger(std::move(options.log), options.log_level, threading);
  if (!log.ok()) return log.status();
  absl::StatusOr<KeptMemory> kept =
      OpenMemory({.state_dir = options.state_dir,
                  .cluster = options.cluster,
                  .bootstrap = options.bootstrap,
                  .force_bootstrap = options.force_bootstrap},
                 *log);
  if (!kept.ok()) return kept.status();
  const bool remembers_cluster =
      kept->remembers_cluster() && !options.force_bootstrap;
  DriverOptions driver_options =
      ToDriverOptions(options, *seed, *endpoints, sorted, *std::move(kept));
  driver_options.has_thread = threading == Threading::kOwnThread;
  driver_options.log = *log;
  LogAddresses(log->get(), *endpoints);
  absl::StatusOr<std::unique_ptr<Driver>> created =
      Driver::Create(std::move(driver_options));
  if (!created.ok()) return created.status();
  Driver* const driver = created->get();
  const bool is_founder =
      IsFounder(driver->node().options(), remembers_cluster);
  const bool may_found =
      options.founders.empty() && !is_founder && !remembers_cluster;
  absl::StatusOr<std::unique_ptr<CoordinatorParts>> parts =
      CreatePartsOver(*std::move(created), *log, std::move(options));
  if (!parts.ok()) return parts.status();
  LockService* const service = (*parts)->service.get();
  (*parts)->driver = driver;
  (*parts)->seeds = *std::move(seeds);
  (*parts)->seeds->Serve(
      {.service = service,
       .log = log->get(),
       .own = {.bind = endpoints->bind, .advertise = service->address()},
       .seeds = sorted.others,
       .is_founder = is_founder,
       .may_found = may_found,
       .remembers_cluster = remembers_cluster});
  return parts;
}

absl::StatusOr<std::unique_ptr<CoordinatorParts>> CreatePartsOver(
    std::unique_ptr<EngineDriver> driver, std::shared_ptr<Logger> log,
    CoordinatorOptions options) {
  auto parts = std::make_unique<CoordinatorParts>();
  parts->log = std::move(log);
  parts->service =
      LockService::Create(std::move(driver),
                          {.on_standing = std::move(options.on_standing),
                           .on_left = std::move(options.on_left)},
                          options.limits);
  parts->service->SetStateDir(options.state_dir);
  absl::StatusOr<std::unique_ptr<LocalServer>> server =
      CreateLocalServer(options, parts->service.get());
  if (!server.ok()) return server.status();
  parts->local_server = *std::move(server);
  LogStarted(parts->log.get(), parts->service->Status(), options.local_socket);
  const absl::Status started = parts->service->Start();
  if (!started.ok()) return started;
  return parts;
}

}  // namespace cachalot
