#ifndef ENGINE_LOCKS_TOKEN_COUNTER_H_
#define ENGINE_LOCKS_TOKEN_COUNTER_H_

#include <cstdint>

#include "engine/check.h"
#include "engine/ids.h"

namespace cachalot {

// Chooses the fencing tokens of one cluster. A token has two parts: above, a
// counter of units of 65.5 us, which begins at the wall clock of the cluster's
// birth and rises by one with each grant; below, 16 bits that the founder drew
// and that stay as they are. So tokens rise whatever the wall clock does from
// then on, and two clusters that were born apart give no token twice unless
// they drew the same bits.
//
// About 10^14 grants from a birth in this century to the highest floor that a
// node may name (limits::kTokenFloorMax), and as many from there.
class TokenCounter {
 public:
  static constexpr uint64_t kStep = uint64_t{1} << 16;
  // No table that comes from elsewhere may be beyond it, so that none can use
  // up the tokens.
  static constexpr uint64_t kLastMax = FencingToken::kMax - (uint64_t{1} << 61);

  // The last token; before the first grant, the one at which tokens begin.
  FencingToken last() const { return last_; }

  FencingToken Next() {
    CHECK(last_.number() <= FencingToken::kMax - kStep) << "no token is left";
    last_ = FencingToken(last_.number() + kStep);
    return last_;
  }

  // What Next() returns from here on is above `floor`. Never lowers it. The
  // first call decides the lower bits. A floor beyond limits::kTokenFloorMax
  // did not come from one of us: it has no effect.
  void RaiseAbove(FencingToken floor);

  // Where the tokens of a cluster begin that is born now, for
  // NodeOptions::token_base. `wall_ns`: since 1970; what is out of range is cut
  // to it. `chance`: its lower 16 bits are taken.
  static uint64_t BaseAt(int64_t wall_ns, uint64_t chance);

  // Goes on where another stopped.
  static TokenCounter At(FencingToken last) {
    TokenCounter counter;
    counter.last_ = last;
    return counter;
  }

 private:
  FencingToken last_;
};

}  // namespace cachalot

#endif  // ENGINE_LOCKS_TOKEN_COUNTER_H_
