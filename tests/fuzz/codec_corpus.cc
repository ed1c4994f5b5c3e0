#include <string>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "engine/wire/codec.h"
#include "tests/engine/wire/hostile.h"
#include "tests/engine/wire/message_generator.h"
#include "tests/fuzz/corpus.h"

namespace cachalot {

// Every kind of message, with and without its checksum, and every kind of
// payload; each valid and mutated.
std::vector<std::string> Corpus() {
  MessageGenerator generator(/*seed=*/1);
  std::vector<std::string> inputs = {""};
  for (size_t kind = 0; kind < kMessageKinds; ++kind) {
    inputs.push_back(Encode(generator.DrawEnvelope(kind)));
    inputs.emplace_back(Unsealed(inputs.back()));
  }
  for (size_t kind = 0; kind < kCommandKinds; ++kind) {
    inputs.push_back(EncodeCommands({generator.DrawCommand(kind)}));
  }
  inputs.push_back(EncodeConfiguration(generator.DrawConfiguration()));

  Random random(/*seed=*/1, "corpus");
  const size_t count = inputs.size();
  for (size_t i = 0; i < count; ++i) {
    for (int mutation = 0; mutation < 20; ++mutation) {
      std::string input = inputs[i];
      Mutate(random, input);
      inputs.push_back(std::move(input));
    }
  }
  return inputs;
}

}  // namespace cachalot
