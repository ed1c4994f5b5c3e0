#include "engine/wire/writer.h"

namespace cachalot::codec {

// All of this is out of line, so that the builder's small functions are not.
uint8_t* WriterMemory::allocate(size_t size) {
  if (is_taken_ || size > sizeof(at_hand_)) return new uint8_t[size];
  is_taken_ = true;
  return at_hand_;
}

void WriterMemory::deallocate(uint8_t* memory, size_t /*size*/) {
  if (memory == at_hand_) {
    is_taken_ = false;
  } else {
    delete[] memory;
  }
}

Writer::Writer(size_t size_hint) : builder_(size_hint, &memory_) {}

Writer::~Writer() = default;

}  // namespace cachalot::codec
