#ifndef SIM_WORLD_DESCRIBE_H_
#define SIM_WORLD_DESCRIBE_H_

#include <functional>
#include <string>
#include <utility>

#include "engine/action.h"
#include "engine/address.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "engine/wire/message.h"

namespace cachalot::sim {

// Describes events, actions and messages in a few words, for the trace. `Names`
// gives the name of the machine at an address ("n2").
class Describer {
 public:
  using Names = std::function<std::string(const Address&)>;
  explicit Describer(Names names) : names_(std::move(names)) {}

  // Empty for events that need no line: TimeAdvanced and TurnEnded.
  std::string Describe(const Event& event) const;
  std::string Describe(const Action& action) const;

  static std::string Describe(const Message& message);
  static std::string Describe(const Request& request);
  static std::string Describe(const Answer& answer);

 private:
  std::string Bytes(const std::string& bytes) const;

  Names names_;
};

}  // namespace cachalot::sim

#endif  // SIM_WORLD_DESCRIBE_H_
