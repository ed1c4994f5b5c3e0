#include "engine/storage/memory_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/address.h"
#include "engine/check.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/wire/checksum.h"

namespace cachalot {
namespace {

// Readable, so that a person who looks at the file knows what it is.
constexpr absl::string_view kMagic = "Cachalot memory\n";
constexpr size_t kChecksumBytes = 8;
constexpr size_t kFormatBytes = 4;
constexpr size_t kPeerBytes = 18;
constexpr uint8_t kHasLeft = 1;
constexpr uint8_t kIsOver = 2;

class ByteWriter {
 public:
  // Least significant byte first.
  void Number(uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      bytes_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
    }
  }
  void Text(absl::string_view text) { bytes_.append(text.begin(), text.end()); }
  void IpOf(const Address& address) {
    for (const uint8_t byte : address.ip) Number(byte, 1);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

// What is read after the end is zero, and makes is_whole() false.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  uint64_t Number(size_t size) {
    const absl::string_view taken = Text(size);
    uint64_t value = 0;
    for (size_t i = taken.size(); i > 0; --i) {
      value = value << 8 | static_cast<uint8_t>(taken[i - 1]);
    }
    return value;
  }
  absl::string_view Text(size_t size) {
    if (size > rest_.size()) {
      is_whole_ = false;
      return "";
    }
    const absl::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  Address ReadAddress() {
    Address address;
    for (uint8_t& byte : address.ip) byte = static_cast<uint8_t>(Number(1));
    address.port = static_cast<uint16_t>(Number(2));
    return address;
  }
  // All of it was read, and nothing is left.
  bool IsDone() const { return is_whole_ && rest_.empty(); }

 private:
  absl::string_view rest_;
  bool is_whole_ = true;
};

absl::Status Damaged(absl::string_view how) {
  return absl::DataLossError(absl::StrCat("is damaged: ", how));
}

bool IsValid(const Memory& memory) {
  return memory.starts >= 1 && memory.starts <= kStartsMax &&
         memory.peers.size() <= limits::kSeedsMax &&
         std::none_of(memory.peers.begin(), memory.peers.end(),
                      [](const Address& peer) { return peer.IsNone(); });
}

// Of what is the same in every format: the first bytes and the last.
absl::Status CheckFrame(absl::string_view bytes) {
  if (bytes.empty()) return Damaged("it is empty");
  // A part of the magic may be all that is left of the file.
  const absl::string_view start = bytes.substr(0, kMagic.size());
  if (!absl::StartsWith(kMagic, start)) {
    return absl::InvalidArgumentError(
        "is not a file in which a node keeps what it remembers of its cluster");
  }
  if (bytes.size() > kMemoryFileBytesMax) {
    return Damaged(
        absl::StrCat("it has more than ", kMemoryFileBytesMax, " bytes"));
  }
  if (bytes.size() < kMagic.size() + kFormatBytes + kChecksumBytes) {
    return Damaged("its end is missing");
  }
  const absl::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  const uint64_t checksum =
      ByteReader(bytes.substr(body.size())).Number(kChecksumBytes);
  if (Checksum(body) != checksum) return Damaged("its checksum is wrong");
  return absl::OkStatus();
}

}  // namespace

std::string EncodeMemory(absl::string_view cluster_name, const Memory& memory) {
  CHECK(!cluster_name.empty());
  CHECK(cluster_name.size() <= limits::kNameBytesMax);
  CHECK(IsValid(memory));
  ByteWriter writer;
  writer.Text(kMagic);
  writer.Number(kMemoryFormat, kFormatBytes);
  writer.Number(cluster_name.size(), 1);
  writer.Number(
      (memory.has_left ? kHasLeft : 0u) | (memory.is_over ? kIsOver : 0u), 1);
  writer.Number(memory.peers.size(), 2);
  writer.Number(memory.starts, 8);
  writer.Number(memory.cluster.high, 8);
  writer.Number(memory.cluster.low, 8);
  writer.Number(memory.tokens_seen.number(), 8);
  writer.Text(cluster_name);
  for (const Address& peer : memory.peers) {
    writer.IpOf(peer);
    writer.Number(peer.port, 2);
  }
  writer.Number(Checksum(writer.bytes()), kChecksumBytes);
  return std::move(writer.bytes());
}

absl::StatusOr<Memory> DecodeMemory(absl::string_view cluster_name,
                                    absl::string_view bytes) {
  const absl::Status frame = CheckFrame(bytes);
  if (!frame.ok()) return frame;
  ByteReader reader(bytes.substr(
      kMagic.size(), bytes.size() - kMagic.size() - kChecksumBytes));
  const uint64_t format = reader.Number(kFormatBytes);
  if (format > kMemoryFormat) {
    return absl::UnimplementedError(
        absl::StrCat("has format ", format, ", and this version reads format ",
                     kMemoryFormat, ": a later version of Cachalot wrote it"));
  }
  const uint64_t name_size = reader.Number(1);
  const uint64_t flags = reader.Number(1);
  const uint64_t peers = reader.Number(2);
  Memory memory;
  memory.has_left = (flags & kHasLeft) != 0;
  memory.is_over = (flags & kIsOver) != 0;
  memory.starts = reader.Number(8);
  memory.cluster.high = reader.Number(8);
  memory.cluster.low = reader.Number(8);
  const uint64_t token = reader.Number(8);
  const absl::string_view name = reader.Text(name_size);
  for (uint64_t i = 0; i < std::min<uint64_t>(peers, limits::kSeedsMax); ++i) {
    memory.peers.push_back(reader.ReadAddress());
  }
  if (format != kMemoryFormat || name.empty() ||
      name.size() > limits::kNameBytesMax || flags > (kHasLeft | kIsOver) ||
      token > FencingToken::kMax || !reader.IsDone() || !IsValid(memory)) {
    return Damaged("its checksum is right, but its numbers make no sense");
  }
  memory.tokens_seen = FencingToken(token);
  if (name != cluster_name) {
    return absl::FailedPreconditionError(
        absl::StrCat("is of the cluster \"", absl::CHexEscape(name),
                     "\", and this process is of the cluster \"",
                     absl::CHexEscape(cluster_name), "\""));
  }
  return memory;
}

}  // namespace cachalot
