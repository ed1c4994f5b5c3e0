#include "engine/wire/reader.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/limits.h"

namespace cachalot::codec {

absl::Status Reader::status() const {
  if (ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(broken_field_, ": missing or beyond its limit"));
}

std::string Reader::Bytes(const Vector<uint8_t>* bytes, size_t size_max,
                          const char* field) {
  if (bytes == nullptr) return {};
  return Copy(bytes->data(), bytes->size(), size_max, field);
}

std::string Reader::Text(const flatbuffers::String* text, size_t size_max,
                         const char* field) {
  if (text == nullptr) return {};
  return Copy(text->Data(), text->size(), size_max, field);
}

std::vector<std::string> Reader::Texts(
    const Vector<Offset<flatbuffers::String>>* texts, size_t count_max,
    size_t size_max, const char* field) {
  std::vector<std::string> values;
  if (texts == nullptr) return values;
  if (!Require(texts->size() <= count_max, field)) return values;
  values.reserve(texts->size());
  for (flatbuffers::uoffset_t i = 0; ok() && i < texts->size(); ++i) {
    values.push_back(Text(texts->Get(i), size_max, field));
  }
  return values;
}

std::string Reader::Key(const Vector<uint8_t>* key) {
  std::string bytes = Bytes(key, limits::kKeyBytesMax, "key");
  Require(!bytes.empty(), "key");
  return bytes;
}

absl::Duration Reader::Nanoseconds(int64_t value, absl::Duration low,
                                   absl::Duration high, const char* field) {
  const absl::Duration duration = absl::Nanoseconds(value);
  return Require(low <= duration && duration <= high, field) ? duration : low;
}

absl::Duration Reader::Ttl(int64_t value) {
  return Nanoseconds(value, limits::TtlMin(), limits::TtlMax(), "ttl");
}

ClusterTime Reader::Time(uint64_t nanoseconds) {
  // Half of the range, 292 years, so that differences fit a signed number.
  constexpr uint64_t kMax = INT64_MAX;
  return ClusterTime(Require(nanoseconds <= kMax, "time") ? nanoseconds : 0);
}

bool Reader::TakeBytes(size_t size) {
  if (!Require(size <= unread_, "shared parts")) return false;
  unread_ -= size;
  return true;
}

std::string Reader::Copy(const uint8_t* data, size_t size, size_t size_max,
                         const char* field) {
  if (!Require(size <= size_max, field) || !TakeBytes(size)) return {};
  return std::string(reinterpret_cast<const char*>(data), size);
}

}  // namespace cachalot::codec
