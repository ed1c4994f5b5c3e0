#ifndef SIM_JUDGE_COMPLAINT_H_
#define SIM_JUDGE_COMPLAINT_H_

#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace cachalot::sim {

// What a checker answers: a sentence, if what it was fed breaks its property.
using Complaint = std::optional<std::string>;

// A sentence of whatever can be printed.
template <typename... Parts>
std::string Say(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// The first of two, if there is one.
inline Complaint Either(Complaint first, Complaint second) {
  return first.has_value() ? std::move(first) : std::move(second);
}

}  // namespace cachalot::sim

#endif  // SIM_JUDGE_COMPLAINT_H_
