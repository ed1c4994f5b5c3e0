#ifndef ENGINE_OBSERVER_H_
#define ENGINE_OBSERVER_H_

#include "absl/strings/string_view.h"

namespace cachalot {

// Watches a node think. It returns nothing, so it cannot change a run; with
// none set, no text is made.
class Observer {
 public:
  virtual ~Observer() = default;

  // One decision and its reason, in the words of the glossary in
  // engine/README.md: "heard no leader for 250ms -> candidate in term 2".
  virtual void Note(absl::string_view decision) = 0;
};

}  // namespace cachalot

#endif  // ENGINE_OBSERVER_H_
