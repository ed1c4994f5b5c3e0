// Reading a memory file must not crash on any bytes, and what it accepts must
// be what is written for a memory within the limits. Runs under libFuzzer
// (memory_file_fuzz) and as a plain test over generated inputs
// (memory_file_fuzz_test, see corpus_main.cc).

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "tests/engine/storage/memory_generator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cachalot::CheckMemoryHarmless("n",
                                {reinterpret_cast<const char*>(data), size});
  return 0;
}
