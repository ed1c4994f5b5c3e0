#ifndef IO_FRAME_READER_H_
#define IO_FRAME_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cachalot {

// Cuts a stream of bytes into frames: four bytes of length, the lowest first,
// then as many bytes. Whatever the pieces in which they arrive.
//
// A frame is a string of its own, whose bytes are aligned to eight: what
// FlatBuffers' scalars ask for.
class FrameReader {
 public:
  // A longer frame, or an empty one, is an error.
  explicit FrameReader(size_t frame_bytes_max)
      : frame_bytes_max_(frame_bytes_max) {}

  // Takes in `bytes` and appends the frames that they complete. False if a
  // length is out of bounds: there is no telling where the next frame begins,
  // so the stream is of no more use. The memory of `spare`'s strings is used
  // for frames that are complete, before any other; null: there is none.
  [[nodiscard]] bool Read(absl::string_view bytes,
                          std::vector<std::string>* frames,
                          std::vector<std::string>* spare = nullptr);

  // What the frame that is not complete yet takes in memory; zero if there is
  // none.
  size_t bytes_kept() const { return body_.empty() ? 0 : body_.capacity(); }
  bool is_between_frames() const {
    return length_bytes_read_ == 0 && body_.empty();
  }

 private:
  // Each takes what it needs off the front of `bytes`; true if it is complete.
  bool ReadLength(absl::string_view* bytes);
  bool ReadBody(absl::string_view* bytes);

  size_t frame_bytes_max_;
  std::array<uint8_t, 4> length_bytes_{};
  size_t length_bytes_read_ = 0;
  size_t length_ = 0;
  // Grows with what arrives, not with what a length announces: a stranger can
  // make us keep no more than twice what it sends.
  std::string body_;
};

}  // namespace cachalot

#endif  // IO_FRAME_READER_H_
