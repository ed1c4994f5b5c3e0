#include "io/survival_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
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

// Names of so many are written out.
constexpr size_t kMissingNamedMax = 5;

std::string InWords(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(100)));
}

// "n2 (10.0.0.2:7946, silent for 5s), n3 (...)".
std::string DescribeMissing(const Outage& outage) {
  std::string text;
  size_t named = 0;
  for (const MissingVoter& voter : outage.missing) {
    if (!text.empty()) text += ", ";
    if (named++ == kMissingNamedMax) {
      absl::StrAppend(&text, outage.missing.size() - kMissingNamedMax, " more");
      break;
    }
    absl::StrAppend(
        &text,
        voter.name.empty() ? voter.id.ToShortString() : Escape(voter.name),
        " (", voter.address.ToString(), ", silent for ", InWords(voter.silent),
        ")");
  }
  return text;
}

}  // namespace

absl::string_view OutageKindName(Outage::Kind kind) {
  switch (kind) {
    case Outage::Kind::kNone:
      return "none";
    case Outage::Kind::kNoLeaderYet:
      return "no_leader_yet";
    case Outage::Kind::kElecting:
      return "electing";
    case Outage::Kind::kMajorityLost:
      return "majority_lost";
  }
  return "";
}

std::string DescribeOutage(const Outage& outage) {
  switch (outage.kind) {
    case Outage::Kind::kNone:
      return "";
    case Outage::Kind::kNoLeaderYet:
      return "no leader is known yet: this member has just founded or joined "
             "its cluster";
    case Outage::Kind::kElecting:
      return absl::StrCat("there has been no leader for ",
                          InWords(outage.leaderless),
                          ": the voters are electing one");
    case Outage::Kind::kMajorityLost:
      break;
  }
  return absl::StrCat(
      "the majority of the voters is lost: ", outage.missing.size(), " of ",
      outage.voters, outage.missing.size() == 1 ? " does" : " do",
      " not answer, and there has been no leader for ",
      InWords(outage.leaderless), "; missing: ", DescribeMissing(outage), ". ",
      outage.hears_nobody
          ? "This member hears no other: they are all gone, or it is cut off "
            "from them; look at its network first. "
          : "",
      "No lock is granted until a majority answers. Voters that are paused or "
      "cut off come back by themselves when they run and are reached again; "
      "one that was killed kept its state in memory and never comes back. If "
      "too few can come back, stop all members, then start them anew, the "
      "founders once with --force-bootstrap if they have state directories: "
      "that ends all locks");
}

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
