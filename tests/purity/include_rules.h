#ifndef TESTS_PURITY_INCLUDE_RULES_H_
#define TESTS_PURITY_INCLUDE_RULES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cachalot::purity {

// What `text`, the file at `path`, includes or names although it may not; one
// line of words for each, with its line number.
//
// - engine/ includes itself and what is on an allow-list: no clock, thread,
//   socket, file, chance or hash order gets in unnoticed.
// - sim/ is as deterministic, but may print and read files.
// - Dependencies point one way: engine <- io | sim <- tools <- tests; io and
//   sim do not see each other, nor do the machines within engine/.
// - The rooms of sim/ depend one way: world <- judge <- clients <- run <-
// report;
//   explore includes judge and parts of world.
// - Programs include tools/base/; none includes both io/ and sim/.
// - io/ and tools/ wait by no wall clock.
std::vector<std::string> Violations(absl::string_view path,
                                    absl::string_view text);

}  // namespace cachalot::purity

#endif  // TESTS_PURITY_INCLUDE_RULES_H_
