#ifndef ENGINE_VERSION_H_
#define ENGINE_VERSION_H_

namespace cachalot {

// Of the library and its programs. Processes work together if their wire
// versions, kProtocolVersion of engine/wire/codec.h, are the same.
inline constexpr char kVersion[] = "0.9.0";

}  // namespace cachalot

#endif  // ENGINE_VERSION_H_
