#ifndef TESTS_ENGINE_WIRE_HOSTILE_H_
#define TESTS_ENGINE_WIRE_HOSTILE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "engine/random.h"

namespace cachalot {

// `body` with the checksum that Decode() asks for: what gets past it and is
// left to the verifier and the limits.
std::string Seal(absl::string_view body);
// Encode()'s result without its checksum.
absl::string_view Unsealed(absl::string_view bytes);

// Decodes `bytes` in every way there is and CHECKs that each result is an error
// or a value within the limits that survives a round trip.
void CheckHarmless(absl::string_view bytes);

// Changes a few bytes of `bytes`, as damage or malice might.
void Mutate(Random& random, std::string& bytes);

}  // namespace cachalot

#endif  // TESTS_ENGINE_WIRE_HOSTILE_H_
