#ifndef TESTS_ENGINE_NARROW_MESSAGE_H_
#define TESTS_ENGINE_NARROW_MESSAGE_H_

#include <type_traits>
#include <variant>

#include "engine/check.h"
#include "engine/wire/message.h"

namespace cachalot {

// `message` as one of the messages of one machine, such as ConsensusMessage:
// what a test may do that sends a machine's own messages back to it. REQUIRES:
// it is one of them.
template <typename Narrower>
Narrower Narrow(const Message& message) {
  return std::visit(
      [](const auto& kind) -> Narrower {
        if constexpr (std::is_constructible_v<Narrower, decltype(kind)>) {
          return kind;
        } else {
          CHECK(false) << "a machine sent another machine's message";
          return Narrower();
        }
      },
      message);
}

}  // namespace cachalot

#endif  // TESTS_ENGINE_NARROW_MESSAGE_H_
