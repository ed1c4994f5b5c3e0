#include "io/frame_writer.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace cachalot {
namespace {

// Copying so much costs less than a part of its own in a gathered write.
constexpr size_t kCopiedFrameBytesMax = 4096;
constexpr size_t kOpenChunkBytesMax = size_t{64} << 10;
constexpr size_t kPartsPerWriteMax = 64;

std::array<char, 4> EncodeLength(size_t length) {
  std::array<char, 4> bytes;
  for (char& byte : bytes) {
    byte = static_cast<char>(length & 0xff);
    length >>= 8;
  }
  return bytes;
}

}  // namespace

void FrameWriter::Add(std::string frame) {
  if (frame.size() <= kCopiedFrameBytesMax) return Copy(frame);
  BeginFrame(frame.size());
  chunks_.push_back(std::move(frame));
  tail_is_open_ = false;
}

void FrameWriter::Copy(absl::string_view frame) {
  BeginFrame(frame.size()).append(frame.data(), frame.size());
}

std::string& FrameWriter::BeginFrame(size_t length) {
  const std::array<char, 4> bytes = EncodeLength(length);
  bytes_ += bytes.size() + length;
  if (!tail_is_open_ || chunks_.back().size() > kOpenChunkBytesMax) {
    chunks_.emplace_back();
    tail_is_open_ = true;
  }
  return chunks_.back().append(bytes.data(), bytes.size());
}

FrameWriter::Progress FrameWriter::WriteTo(int socket) {
  while (bytes_ > 0) {
    std::array<iovec, kPartsPerWriteMax> parts;
    const size_t count = std::min(parts.size(), chunks_.size());
    for (size_t i = 0; i < count; ++i) {
      parts[i] = {.iov_base = chunks_[i].data(), .iov_len = chunks_[i].size()};
    }
    parts[0].iov_base = chunks_[0].data() + head_written_;
    parts[0].iov_len -= head_written_;
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t written = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      const bool is_full = errno == EAGAIN || errno == EWOULDBLOCK;
      return is_full ? Progress::kBlocked : Progress::kBroken;
    }
    Consume(static_cast<size_t>(written));
  }
  return Progress::kDrained;
}

void FrameWriter::Consume(size_t count) {
  bytes_ -= count;
  head_written_ += count;
  if (bytes_ == 0 && tail_is_open_ && chunks_.size() == 1) {
    // The usual case; the chunk's memory is kept for the next turn.
    chunks_.front().clear();
    head_written_ = 0;
    return;
  }
  while (!chunks_.empty() && head_written_ >= chunks_.front().size()) {
    head_written_ -= chunks_.front().size();
    chunks_.pop_front();
  }
  if (chunks_.empty()) tail_is_open_ = false;
}

void FrameWriter::Clear() {
  chunks_.clear();
  head_written_ = 0;
  tail_is_open_ = false;
  bytes_ = 0;
}

}  // namespace cachalot
