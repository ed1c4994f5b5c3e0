#include "engine/wire/writer.h"

namespace cachalot::codec {

// These are not inline, so that the compiler inlines the builder's small
// functions instead.
uint8_t* WriterMemory::allocate(size_t size) {
  if (inline_is_used_ || size > sizeof(inline_)) return new uint8_t[size];
  inline_is_used_ = true;
  return inline_;
}

void WriterMemory::deallocate(uint8_t* memory, size_t /*size*/) {
  if (memory == inline_) {
    inline_is_used_ = false;
  } else {
    delete[] memory;
  }
}

Writer::Writer(size_t size_hint) : builder_(size_hint, &memory_) {}

Writer::~Writer() = default;

}  // namespace cachalot::codec
