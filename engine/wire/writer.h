#ifndef ENGINE_WIRE_WRITER_H_
#define ENGINE_WIRE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "flatbuffers/flatbuffers.h"

// The parts of the codec. Each typed value X has a ToTable(Writer&, const X&)
// and a FromTable(Reader&, const wire::X&), in the same *_codec.cc: one for
// each machine.
namespace cachalot::codec {

template <typename T>
using Offset = flatbuffers::Offset<T>;
template <typename T>
using Vector = flatbuffers::Vector<T>;

// Memory for one FlatBuffer. A buffer of up to 1024 bytes, which suffices for
// most messages, is inside the object; larger ones come from the heap.
class WriterMemory : public flatbuffers::Allocator {
 public:
  uint8_t* allocate(size_t size) override;
  void deallocate(uint8_t* memory, size_t size) override;

 private:
  alignas(std::max_align_t) uint8_t inline_[1024];
  bool inline_is_used_ = false;
};

// Writes typed values as one FlatBuffer. Values that are empty or none are left
// out.
class Writer {
 public:
  // The buffer does not have to grow while the result stays below `size_hint`.
  explicit Writer(size_t size_hint);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  flatbuffers::FlatBufferBuilder& builder() { return builder_; }

  Offset<Vector<uint8_t>> Bytes(absl::string_view bytes) {
    if (bytes.empty()) return 0;
    return builder_.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()),
                                 bytes.size());
  }

  Offset<flatbuffers::String> Text(absl::string_view text) {
    if (text.empty()) return 0;
    return builder_.CreateString(text.data(), text.size());
  }

  Offset<Vector<Offset<flatbuffers::String>>> Texts(
      const std::vector<std::string>& texts) {
    if (texts.empty()) return 0;
    return builder_.CreateVectorOfStrings(texts);
  }

  // A table for each item, by its ToTable().
  template <typename Item>
  auto Tables(const std::vector<Item>& items) {
    using TableOffset = decltype(ToTable(*this, items.front()));
    std::vector<TableOffset> offsets;
    offsets.reserve(items.size());
    for (const Item& item : items) offsets.push_back(ToTable(*this, item));
    return Elements(offsets);
  }

  // A struct for each item, made by `to_struct`.
  template <typename Item, typename ToStruct>
  auto Structs(const std::vector<Item>& items, ToStruct to_struct) {
    using Struct = decltype(to_struct(items.front()));
    std::vector<Struct> structs;
    structs.reserve(items.size());
    for (const Item& item : items) structs.push_back(to_struct(item));
    return structs.empty() ? Offset<Vector<const Struct*>>(0)
                           : builder_.CreateVectorOfStructs(structs);
  }

  template <typename Element>
  Offset<Vector<Element>> Elements(const std::vector<Element>& elements) {
    if (elements.empty()) return 0;
    return builder_.CreateVector(elements);
  }

  // The whole buffer; valid as long as the writer lives.
  template <typename Root>
  absl::string_view Finish(Offset<Root> root, const char* identifier) {
    builder_.Finish(root, identifier);
    return {reinterpret_cast<const char*>(builder_.GetBufferPointer()),
            builder_.GetSize()};
  }

 private:
  WriterMemory memory_;
  flatbuffers::FlatBufferBuilder builder_;
};

// The field for `value`: a pointer to `as_struct`, or null if `value` is none,
// so that the field is left out. The result may point to a temporary: valid
// until the end of the statement.
template <typename Value, typename Struct>
const Struct* UnlessNone(const Value& value, const Struct& as_struct) {
  return value == Value() ? nullptr : &as_struct;
}

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_WRITER_H_
