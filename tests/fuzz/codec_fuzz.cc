// The codec must not crash on any bytes, and must refuse messages that exceed
// the limits. Runs under libFuzzer (codec_fuzz) and as a plain test over
// generated inputs (codec_fuzz_test, see corpus_main.cc).

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "tests/engine/wire/hostile.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cachalot::CheckHarmless({reinterpret_cast<const char*>(data), size});
  return 0;
}
