#include "engine/check.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace cachalot::internal {

CheckFailure::CheckFailure(const char* file, int line, const char* condition) {
  stream_ << file << ":" << line << ": CHECK(" << condition << ") failed. ";
}

CheckFailure::~CheckFailure() {
  std::string message = stream_.str();
  message.push_back('\n');
  std::fputs(message.c_str(), stderr);
  std::fflush(stderr);
  std::abort();
}

}  // namespace cachalot::internal
