// Runs a fuzz target without a fuzzer.
//
//   x_fuzz_test                runs its Corpus(), as `bazel test` does
//   x_fuzz_test FILE...        runs files: replays the findings of a fuzzer
//   x_fuzz_test --write DIR    writes the corpus, for a fuzzer to start from

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/fuzz/corpus.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()),
                         input.size());
}

bool RunFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    return false;
  }
  Run({std::istreambuf_iterator<char>(file), {}});
  return true;
}

bool WriteCorpus(const std::string& directory) {
  const std::vector<std::string> inputs = cachalot::Corpus();
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::ofstream file(absl::StrCat(directory, "/generated-", i),
                       std::ios::binary);
    file << inputs[i];
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write to %s\n", directory.c_str());
      return false;
    }
  }
  std::printf("%zu inputs written\n", inputs.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && absl::string_view(argv[1]) == "--write") {
    return WriteCorpus(argv[2]) ? 0 : 1;
  }
  bool ok = true;
  for (int i = 1; i < argc; ++i) ok = RunFile(argv[i]) && ok;
  if (argc > 1) return ok ? 0 : 1;
  const std::vector<std::string> inputs = cachalot::Corpus();
  for (const std::string& input : inputs) Run(input);
  std::printf("%zu inputs passed\n", inputs.size());
  return 0;
}
