#ifndef ENGINE_CHECK_H_
#define ENGINE_CHECK_H_

#include <sstream>

namespace cachalot {

// CHECK(condition) << "why";
//
// Stops the process, in every build, when one of our own invariants is broken:
// going on would spread the damage. One condition per CHECK. Never used on
// what a peer, a file or a caller sent us.
#define CHECK(condition)                                                 \
  switch (0)                                                             \
  case 0:                                                                \
  default:                                                               \
    if (static_cast<bool>(condition)) {                                  \
    } else /* NOLINT */                                                  \
      ::cachalot::internal::CheckFailure(__FILE__, __LINE__, #condition) \
          .stream()

namespace internal {

// Collects the message and aborts when the statement ends.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure();

  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

}  // namespace internal
}  // namespace cachalot

#endif  // ENGINE_CHECK_H_
