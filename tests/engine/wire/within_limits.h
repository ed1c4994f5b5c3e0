#ifndef TESTS_ENGINE_WIRE_WITHIN_LIMITS_H_
#define TESTS_ENGINE_WIRE_WITHIN_LIMITS_H_

#include <vector>

#include "engine/command.h"
#include "engine/saved_state.h"
#include "engine/wire/message.h"

namespace cachalot {

// Whether every part is held to engine/limits.h: said a second time, apart from
// the codec, to judge it.
bool WithinLimits(const Message& message);
bool WithinLimits(const std::vector<LockCommand>& commands);
bool WithinLimits(const Configuration& configuration);

}  // namespace cachalot

#endif  // TESTS_ENGINE_WIRE_WITHIN_LIMITS_H_
