#include "sim/explore/turn_cache.h"

#include <utility>

#include "engine/fingerprint.h"

namespace cachalot::sim {

std::shared_ptr<const Turn> TurnCache::Take(const Machine& machine,
                                            const Now& now,
                                            const Stimulus& stimulus) {
  if (turns_max_ == 0) {
    return std::make_shared<const Turn>(machine.Take(now, stimulus));
  }
  Fingerprint key;
  key.Add(machine.fingerprint()).Add(FingerprintOf(stimulus));
  key.Add(now.slow).Add(now.fast);
  const auto found = turns_.find(key.value());
  if (found != turns_.end()) {
    ++found_;
    return found->second;
  }
  ++taken_;
  if (turns_.size() >= turns_max_) turns_.clear();
  auto turn = std::make_shared<const Turn>(machine.Take(now, stimulus));
  turns_.emplace(key.value(), turn);
  return turn;
}

}  // namespace cachalot::sim
