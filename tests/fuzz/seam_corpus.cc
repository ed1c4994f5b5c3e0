#include <string>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "tests/fuzz/corpus.h"

namespace cachalot {

// Random tapes. Each byte is a decision, so most of them have an effect.
std::vector<std::string> Corpus() {
  constexpr uint64_t kTapes = 250;
  std::vector<std::string> inputs = {""};
  for (uint64_t number = 0; number < kTapes; ++number) {
    Random random(/*seed=*/1, "seam", number);
    std::string tape(static_cast<size_t>(random.Between(200, 3000)), '\0');
    for (char& byte : tape) byte = static_cast<char>(random.Next());
    inputs.push_back(std::move(tape));
  }
  return inputs;
}

}  // namespace cachalot
