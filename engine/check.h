#ifndef ENGINE_CHECK_H_
#define ENGINE_CHECK_H_

#include <sstream>

namespace cachalot {

// CHECK(condition) << "why";
//
// Stops the process, in every build, when one of our own invariants is broken:
// going on would spread the damage. One condition per CHECK. Never used on
// what a peer, a file or a caller sent us.
#define CHECK(condition)                                                       \
  static_cast<bool>(condition)                                                 \
      ? static_cast<void>(0)                                                   \
      : ::cachalot::internal::Voidify() &                                      \
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

// Makes both arms of the macro's choice void; binds weaker than <<.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace internal
}  // namespace cachalot

#endif  // ENGINE_CHECK_H_
