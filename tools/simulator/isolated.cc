#include "tools/simulator/isolated.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace cachalot::tools {
namespace {

struct Pipe {
  int reader = -1;
  int writer = -1;
};

[[noreturn]] void Die(const char* call) {
  std::perror(call);
  std::exit(2);
}

Pipe MakePipe() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) Die("pipe");
  return {ends[0], ends[1]};
}

void WriteAll(int fd, const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count =
        write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) _exit(2);
    if (count > 0) written += static_cast<size_t>(count);
  }
}

// False once the other end is closed.
bool ReadSome(int fd, std::string* text) {
  std::array<char, 65536> buffer;
  const ssize_t count = read(fd, buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR;
  text->append(buffer.data(), static_cast<size_t>(count));
  return count > 0;
}

// Reads both pipes to their ends.
void ReadBoth(int first, std::string* first_text, int second,
              std::string* second_text) {
  std::array<pollfd, 2> waited = {pollfd{first, POLLIN, 0},
                                  pollfd{second, POLLIN, 0}};
  const std::array<std::string*, 2> texts = {first_text, second_text};
  while (waited[0].fd >= 0 || waited[1].fd >= 0) {
    if (poll(waited.data(), waited.size(), -1) < 0) continue;
    for (size_t i = 0; i < waited.size(); ++i) {
      if (waited[i].fd < 0 || waited[i].revents == 0) continue;
      if (!ReadSome(waited[i].fd, texts[i])) waited[i].fd = -1;
    }
  }
}

// In the child: the pipe for the result, and the function to call on abort.
int result_writer = -1;
const std::function<std::string()>* on_abort_of_child = nullptr;

// The signal comes from abort() in a CHECK and interrupts nothing, so this may
// allocate.
void HandleAbort(int) { WriteAll(result_writer, (*on_abort_of_child)()); }

[[noreturn]] void BeChild(const std::function<std::string()>& run,
                          const std::function<std::string()>& on_abort,
                          const Pipe& results, const Pipe& errors) {
  close(results.reader);
  close(errors.reader);
  dup2(errors.writer, STDERR_FILENO);
  result_writer = results.writer;
  on_abort_of_child = &on_abort;
  std::signal(SIGABRT, HandleAbort);
  WriteAll(results.writer, run());
  _exit(0);
}

}  // namespace

Isolated RunIsolated(const std::function<std::string()>& run,
                     const std::function<std::string()>& on_abort) {
  const Pipe results = MakePipe();
  const Pipe errors = MakePipe();
  const pid_t child = fork();
  if (child < 0) Die("fork");
  if (child == 0) BeChild(run, on_abort, results, errors);
  close(results.writer);
  close(errors.writer);
  Isolated isolated;
  ReadBoth(results.reader, &isolated.result, errors.reader, &isolated.errors);
  close(results.reader);
  close(errors.reader);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  isolated.died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  if (WIFSIGNALED(status)) isolated.signal = WTERMSIG(status);
  return isolated;
}

}  // namespace cachalot::tools
