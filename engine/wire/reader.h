#ifndef ENGINE_WIRE_READER_H_
#define ENGINE_WIRE_READER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/cluster_time.h"
#include "engine/ids.h"
#include "engine/limits.h"
#include "engine/wire/writer.h"
#include "flatbuffers/flatbuffers.h"

namespace cachalot::codec {

// Indexes, sequences and other numbers that count up from 1 are far below this
// in any real cluster. Greater ones are errors, since sums of them could
// overflow.
inline constexpr uint64_t kOrdinalMax = (uint64_t{1} << 48) - 1;
// The same for numbers from which no others are computed, so that their range
// may be larger: terms, and the numbers of sessions, probes and reads.
inline constexpr uint64_t kNumberMax = uint64_t{1} << 62;

// Turns verified bytes into typed values and checks them against the limits.
//
// It remembers the first error; values that are read after it have no meaning.
// So a message is read in one expression, and ok() is checked once, at the end.
class Reader {
 public:
  // `size` is the size of the bytes that are read. In a FlatBuffer several
  // fields may refer to the same part. Our writer never does that, so a message
  // that decodes to more bytes than it has was made to exhaust memory: an
  // error.
  explicit Reader(size_t size) : unread_(size) {}

  bool ok() const { return broken_field_ == nullptr; }
  // InvalidArgument, naming the first field that broke a limit, if one did.
  absl::Status status() const;

  // Unless `condition` holds, `field` breaks a limit. Returns `condition`.
  bool Require(bool condition, const char* field) {
    if (!condition && broken_field_ == nullptr) broken_field_ = field;
    return condition;
  }

  std::string Bytes(const Vector<uint8_t>* bytes, size_t size_max,
                    const char* field);
  std::string Text(const flatbuffers::String* text, size_t size_max,
                   const char* field);
  // At most `count_max` texts, each of at most `size_max` bytes.
  std::vector<std::string> Texts(
      const Vector<Offset<flatbuffers::String>>* texts, size_t count_max,
      size_t size_max, const char* field);
  // A lock's key: not empty.
  std::string Key(const Vector<uint8_t>* key);

  absl::Duration Nanoseconds(int64_t value, absl::Duration low,
                             absl::Duration high, const char* field);
  absl::Duration Ttl(int64_t value);
  ClusterTime Time(uint64_t nanoseconds);

  // A StrongId that counts up.
  template <typename Id>
  Id Ordinal(uint64_t value) {
    if constexpr (std::is_same_v<Id, Term>) {
      return Id(Number(value));
    } else {
      return Id(Ordinal(value));
    }
  }
  FencingToken Token(uint64_t number) {
    return FencingToken(UpTo(FencingToken::kMax, number));
  }
  // A token above which others are to begin.
  FencingToken TokenFloor(uint64_t number) {
    return FencingToken(UpTo(limits::kTokenFloorMax, number));
  }
  uint64_t Ordinal(uint64_t value) { return UpTo(kOrdinalMax, value); }
  uint64_t Number(uint64_t value) { return UpTo(kNumberMax, value); }
  uint64_t UpTo(uint64_t value_max, uint64_t value) {
    return Require(value <= value_max, "number") ? value : 0;
  }

  // REQUIRES: `Ours` and `Theirs` list the same values in the same order.
  template <typename Ours, typename Theirs>
  Ours Enum(Theirs value, Theirs value_max, const char* field) {
    return static_cast<Ours>(Require(value <= value_max, field) ? value
                                                                : Theirs{});
  }

  // A value for each table, by its FromTable().
  template <typename Table>
  auto Tables(const Vector<Offset<Table>>* tables, size_t count_max,
              const char* field) {
    std::vector<decltype(FromTable(*this, *tables->Get(0)))> values;
    if (tables == nullptr) return values;
    if (!Require(tables->size() <= count_max, field)) return values;
    values.reserve(tables->size());
    for (flatbuffers::uoffset_t i = 0; ok() && i < tables->size(); ++i) {
      values.push_back(FromTable(*this, *tables->Get(i)));
    }
    return values;
  }

  // A value for each struct, made by `from_struct`. The verifier does not check
  // the alignment of structs in a vector, so each is copied before it is read.
  template <typename Struct, typename FromStruct>
  auto Structs(const Vector<const Struct*>* structs, size_t count_max,
               const char* field, FromStruct from_struct) {
    std::vector<decltype(from_struct(Struct()))> values;
    if (structs == nullptr) return values;
    if (!Require(structs->size() <= count_max, field)) return values;
    if (!TakeBytes(structs->size() * sizeof(Struct))) return values;
    values.reserve(structs->size());
    for (size_t i = 0; i < structs->size(); ++i) {
      Struct aligned;
      std::memcpy(&aligned, structs->Data() + i * sizeof(Struct),
                  sizeof(Struct));
      values.push_back(from_struct(aligned));
    }
    return values;
  }

 private:
  // Counts `size` bytes as read; an error if fewer are left.
  bool TakeBytes(size_t size);
  std::string Copy(const uint8_t* data, size_t size, size_t size_max,
                   const char* field);

  // How many bytes may still be read. Falls.
  size_t unread_;
  // The first field that broke a limit; null: none did. Set once.
  const char* broken_field_ = nullptr;
};

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_READER_H_
