#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "engine/storage/memory_file.h"
#include "tests/engine/storage/memory_generator.h"
#include "tests/engine/wire/hostile.h"
#include "tests/fuzz/corpus.h"

namespace cachalot {

// Memories of the target's cluster and of others; each valid and mutated.
std::vector<std::string> Corpus() {
  std::vector<std::string> inputs = {"", EncodeMemory("n", Memory())};
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const NamedMemory drawn = DrawMemory(seed);
    inputs.push_back(EncodeMemory("n", drawn.memory));
    inputs.push_back(EncodeMemory(drawn.cluster_name, drawn.memory));
  }
  Random random(/*seed=*/1, "corpus");
  const size_t count = inputs.size();
  for (size_t i = 0; i < count; ++i) {
    for (int mutation = 0; mutation < 50; ++mutation) {
      std::string input = inputs[i];
      Mutate(random, input);
      inputs.push_back(std::move(input));
    }
  }
  return inputs;
}

}  // namespace cachalot
