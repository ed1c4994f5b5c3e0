#ifndef IO_FRAME_WRITER_H_
#define IO_FRAME_WRITER_H_

#include <cstddef>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"

namespace cachalot {

// Frames on their way into a stream (FrameReader has the form): gathered
// through a turn, then written with one system call. Small frames are copied
// together; large ones are kept as they came.
class FrameWriter {
 public:
  enum class Progress {
    kDrained,  // everything is with the kernel
    kBlocked,  // the kernel takes no more for now
    kBroken,   // the stream is
  };

  void Add(std::string frame);
  // The same, from memory that is not kept.
  void Copy(absl::string_view frame);
  // Writes as much as `socket` takes. Raises no SIGPIPE.
  [[nodiscard]] Progress WriteTo(int socket);
  void Clear();

  bool empty() const { return bytes_ == 0; }
  // That wait, lengths included.
  size_t bytes() const { return bytes_; }

 private:
  // Adds the length to a chunk that has room; the frame may follow.
  std::string& BeginFrame(size_t length);
  // Drops what the kernel has taken.
  void Consume(size_t count);

  std::deque<std::string> chunks_;
  size_t head_written_ = 0;    // of the first chunk
  bool tail_is_open_ = false;  // small frames may be added to the last chunk
  size_t bytes_ = 0;
};

}  // namespace cachalot

#endif  // IO_FRAME_WRITER_H_
