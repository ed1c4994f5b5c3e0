#include "io/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace cachalot {

size_t DescriptorsMax() {
  constexpr rlim_t kLeast = 16;
  constexpr rlim_t kMost = 1'000'000;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kLeast;
  return static_cast<size_t>(std::clamp(limit.rlim_cur, kLeast, kMost));
}

}  // namespace cachalot
