#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/world/choices.h"
#include "tests/fuzz/brief_run.h"
#include "tests/fuzz/corpus.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t size_max, unsigned int seed);

namespace cachalot {
namespace {

constexpr uint64_t kSeeds = 6;
constexpr unsigned int kMutantsEach = 3;

std::string MutantOf(const std::string& text, unsigned int seed) {
  constexpr size_t kRoom = 4096;
  std::vector<uint8_t> bytes(text.begin(), text.end());
  bytes.resize(text.size() + kRoom);
  const size_t size =
      LLVMFuzzerCustomMutator(bytes.data(), text.size(), bytes.size(), seed);
  return std::string(bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace

// The empty log, the logs of a few seeds, and mutations of those.
std::vector<std::string> Corpus() {
  std::vector<std::string> inputs = {""};
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    sim::ChoiceSource choices(seed, /*records=*/true);
    sim::RunBriefly(&choices);
    const std::string text = choices.TakeLog().ToText();
    inputs.push_back(text);
    for (unsigned int mutant = 1; mutant <= kMutantsEach; ++mutant) {
      inputs.push_back(MutantOf(text, mutant));
    }
  }
  return inputs;
}

}  // namespace cachalot
