#include "sim/world/fault.h"

namespace cachalot::sim {

const char* FaultName(Fault fault) {
  static constexpr std::array<const char*, kFaultCount> kNames = {
      "partition",
      "one-way cut",
      "many-sided cut",
      "flapping",
      "clog",
      "swizzle",
      "reset",
      "crash",
      "crash in a save",
      "failed save",
      "wipe",
      "pause",
      "suspend",
      "slow node",
      "rolling restart",
      "slow disk",
      "clock rates",
      "clock jump",
      "other version",
      "leave",
      "join",
      "loss",
      "duplication",
      "reordering",
      "corruption",
      "frame corruption",
      "stream reset",
      "straggler",
      "stale reading",
      "name conflict",
      "dead seed"};
  return kNames[static_cast<size_t>(fault)];
}

void FaultCounts::Add(const FaultCounts& other) {
  for (size_t i = 0; i < kFaultCount; ++i) {
    counts_[i].attempted += other.counts_[i].attempted;
    counts_[i].applied += other.counts_[i].applied;
    counts_[i].observed += other.counts_[i].observed;
  }
}

}  // namespace cachalot::sim
