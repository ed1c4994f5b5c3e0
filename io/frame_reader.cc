#include "io/frame_reader.h"

#include <algorithm>
#include <utility>

namespace cachalot {
namespace {

// Most frames are shorter; longer ones grow as they come.
constexpr size_t kReserveMax = size_t{64} << 10;

}  // namespace

bool FrameReader::Read(absl::string_view bytes,
                       std::vector<std::string>* frames,
                       std::vector<std::string>* spare) {
  while (!bytes.empty()) {
    if (length_bytes_read_ < length_bytes_.size()) {
      if (!ReadLength(&bytes)) return true;
      if (length_ == 0 || length_ > frame_bytes_max_) return false;
      const bool is_whole = length_ <= bytes.size();
      if (is_whole && spare != nullptr && !spare->empty()) {
        body_ = std::move(spare->back());
        body_.clear();
        spare->pop_back();
      }
      body_.reserve(std::min({length_, kReserveMax, bytes.size()}));
    }
    if (!ReadBody(&bytes)) return true;
    frames->push_back(std::exchange(body_, std::string()));
    length_bytes_read_ = 0;
  }
  return true;
}

bool FrameReader::ReadLength(absl::string_view* bytes) {
  while (length_bytes_read_ < length_bytes_.size()) {
    if (bytes->empty()) return false;
    length_bytes_[length_bytes_read_++] = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
  }
  length_ = 0;
  for (size_t i = length_bytes_.size(); i-- > 0;) {
    length_ = length_ << 8 | length_bytes_[i];
  }
  return true;
}

bool FrameReader::ReadBody(absl::string_view* bytes) {
  const size_t taken = std::min(length_ - body_.size(), bytes->size());
  body_.append(bytes->data(), taken);
  bytes->remove_prefix(taken);
  return body_.size() == length_;
}

}  // namespace cachalot
