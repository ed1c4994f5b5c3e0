#include "tools/base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace cachalot::tools {

namespace {

// A pipe that poll(2) calls writable takes so much without blocking (PIPE_BUF).
constexpr size_t kPieceBytesMax = 4096;

absl::Status Failed(absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat("cannot write to standard output: ", why));
}

absl::Status Failed(int error_number) {
  char buffer[128];
  return Failed(strerror_r(error_number, buffer, sizeof buffer));
}

}  // namespace

void ReserveStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free: this one.
    const int opened = open("/dev/null", O_RDONLY);
    CHECK(opened == fd || opened < 0) << "opened " << opened;
  }
}

absl::Status WriteOutput(absl::string_view text, const WaitDeadline& deadline) {
  if (std::fflush(stdout) != 0) return Failed(errno);
  while (!text.empty()) {
    pollfd poll_fd = {.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    const int ready = poll(&poll_fd, 1, deadline.PollTimeout());
    if (ready < 0 && errno != EINTR) return Failed(errno);
    if (ready <= 0) {
      if (deadline.has_passed()) return Failed("nobody reads it");
      continue;
    }
    const ssize_t count = write(STDOUT_FILENO, text.data(),
                                std::min(text.size(), kPieceBytesMax));
    if (count < 0 && errno != EINTR && errno != EAGAIN) return Failed(errno);
    if (count > 0) text.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

}  // namespace cachalot::tools
