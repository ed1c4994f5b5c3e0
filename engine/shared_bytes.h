#ifndef ENGINE_SHARED_BYTES_H_
#define ENGINE_SHARED_BYTES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace cachalot {

// Bytes that no longer change and are owned by whoever still needs them: the
// log, a message on its way out and an order to save share one copy.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}

  absl::string_view view() const {
    return bytes_ == nullptr ? absl::string_view() : *bytes_;
  }
  size_t size() const { return view().size(); }
  bool empty() const { return view().empty(); }

  friend bool operator==(const SharedBytes& a, const SharedBytes& b) {
    return a.view() == b.view();
  }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace cachalot

#endif  // ENGINE_SHARED_BYTES_H_
