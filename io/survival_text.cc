#include "io/survival_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "io/escape.h"

namespace cachalot {
namespace {

std::string NamesOf(const Survival& survival, bool alive) {
  std::string names;
  for (const Survival::Voter& voter : survival.voters) {
    if (voter.is_alive != alive) continue;
    if (!names.empty()) names += ", ";
    names += voter.name.empty() ? voter.id.ToShortString() : Escape(voter.name);
  }
  return names;
}

}  // namespace

std::string DescribeSurvival(const Survival& survival) {
  if (survival.voters.empty()) return "no voters are known yet";
  const size_t count = survival.voters.size();
  const uint64_t alive = survival.alive_count();
  const std::string ratio =
      absl::StrCat(alive, " of ", count, count == 1 ? " voter" : " voters",
                   alive == 1 ? " is alive" : " are alive");
  if (!survival.has_majority) {
    return absl::StrCat("has no majority: ", ratio, ", not ",
                        NamesOf(survival, /*alive=*/false));
  }
  std::string words =
      absl::StrCat("survives ", survival.deaths,
                   survival.deaths == 1 ? " more death: " : " more deaths: ");
  if (count == 1) {
    absl::StrAppend(&words, "its only voter is ",
                    NamesOf(survival, /*alive=*/true));
  } else if (alive == count) {
    absl::StrAppend(&words, "its voters are ",
                    NamesOf(survival, /*alive=*/true));
  } else {
    absl::StrAppend(&words, ratio, ", not ",
                    NamesOf(survival, /*alive=*/false));
  }
  return words;
}

}  // namespace cachalot
