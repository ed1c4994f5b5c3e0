// Properties of what membership is made of: the order of facts, the news that
// is sent, and how long things last.

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/membership/gossip.h"
#include "engine/membership/member_list.h"
#include "engine/membership/suspicion.h"
#include "engine/membership/timing.h"
#include "engine/options.h"
#include "engine/wire/message.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace cachalot {
namespace {

constexpr uint64_t kMembers = 4;

NodeId IdOf(uint64_t member) { return {.high = 1, .low = member}; }

// In [low, high].
uint64_t Between(uint64_t low, uint64_t high) {
  return *rc::gen::inRange<uint64_t>(low, high + 1);
}

// As a member and its accusers would say it: name and address are the owner's,
// of one incarnation, and who has left says nothing more.
MemberFact DrawFact() {
  const uint64_t member = Between(1, kMembers);
  const uint64_t incarnation = Between(1, 4);
  MemberFact fact{.id = IdOf(member), .incarnation = incarnation};
  fact.address = Address::V4(10, 0, static_cast<uint8_t>(incarnation),
                             static_cast<uint8_t>(member), 7946);
  const MemberState last_state =
      incarnation == 4 ? MemberState::kLeft : MemberState::kFailed;
  fact.state =
      static_cast<MemberState>(Between(0, static_cast<uint64_t>(last_state)));
  return fact;
}

std::vector<MemberFact> DrawFacts(uint64_t count_max) {
  std::vector<MemberFact> facts(Between(0, count_max));
  for (MemberFact& fact : facts) fact = DrawFact();
  return facts;
}

void Merge(MemberList& list, const MemberFact& news) {
  const MemberFact* known = list.Find(news.id);
  if (known == nullptr || Supersedes(news, *known)) {
    list.Set(SlowInstant(), news);
  }
  list.CheckInvariants();
}

MemberList Merged(const std::vector<MemberFact>& facts) {
  MemberList list(kMembers);
  for (const MemberFact& fact : facts) Merge(list, fact);
  return list;
}

// Commutative, associative and idempotent at once: any order, with any of it
// told again, comes to the same.
RC_GTEST_PROP(MemberListProperty, TheOrderAndTheNumberOfTellingsDoNotMatter,
              ()) {
  const std::vector<MemberFact> facts = DrawFacts(12);
  std::vector<MemberFact> told = facts;
  for (uint64_t again = facts.empty() ? 0 : Between(0, 6); again > 0; --again) {
    told.push_back(facts[Between(0, facts.size() - 1)]);
  }
  for (uint64_t i = told.size(); i > 1; --i) {
    std::swap(told[i - 1], told[Between(0, i - 1)]);
  }
  RC_ASSERT(Merged(facts).members() == Merged(told).members());
}

// Two lists that are merged into each other come to what one list of all is.
RC_GTEST_PROP(MemberListProperty, WholeListsMergeAsTheirFactsDo, ()) {
  const std::vector<MemberFact> ours = DrawFacts(8);
  const std::vector<MemberFact> theirs = DrawFacts(8);
  std::vector<MemberFact> all = ours;
  all.insert(all.end(), theirs.begin(), theirs.end());
  MemberList merged = Merged(ours);
  const MemberList other = Merged(theirs);
  for (const auto& [id, fact] : other.members()) Merge(merged, fact);
  RC_ASSERT(merged.members() == Merged(all).members());
}

RC_GTEST_PROP(MemberListProperty, KnowledgeRisesAndOldNewsChangesNothing, ()) {
  MemberList list(kMembers);
  std::map<NodeId, std::pair<uint64_t, MemberState>> highest;
  for (const MemberFact& fact : DrawFacts(20)) {
    Merge(list, fact);
    const auto said = std::make_pair(fact.incarnation, fact.state);
    highest[fact.id] = std::max(highest[fact.id], said);
    const MemberFact& known = *list.Find(fact.id);
    RC_ASSERT(std::make_pair(known.incarnation, known.state) ==
              highest[fact.id]);
  }
}

RC_GTEST_PROP(MemberListProperty, NewsThatSupersedesIsNotSuperseded, ()) {
  MemberFact a = DrawFact();
  MemberFact b = DrawFact();
  MemberFact c = DrawFact();
  a.id = b.id = c.id = IdOf(1);
  RC_ASSERT(!Supersedes(a, a));
  RC_ASSERT(!(Supersedes(a, b) && Supersedes(b, a)));
  if (Supersedes(a, b) && Supersedes(b, c)) RC_ASSERT(Supersedes(a, c));
}

// --- Gossip ------------------------------------------------------------------

RC_GTEST_PROP(GossipQueueProperty, KeepsToItsLimits, ()) {
  GossipQueue queue(IdOf(1));
  std::map<NodeId, MemberFact> newest;
  std::map<NodeId, int> sends;  // of the newest fact
  const int sends_max = static_cast<int>(Between(1, 4));
  for (uint64_t steps = Between(1, 30); steps > 0; --steps) {
    if (Between(0, 2) == 0) {
      const MemberFact fact = DrawFact();
      queue.Put(fact);
      newest[fact.id] = fact;
      sends[fact.id] = 0;
      continue;
    }
    const NodeId receiver = IdOf(Between(1, kMembers));
    const size_t bytes_max = Between(0, 600);
    std::vector<MemberFact> facts;
    queue.Take(receiver, sends_max, bytes_max, facts);
    RC_ASSERT(facts.empty() || EncodedSizeMax(facts) <= bytes_max);
    for (const MemberFact& fact : facts) {
      RC_ASSERT(fact == newest.at(fact.id));
      RC_ASSERT(++sends[fact.id] <= sends_max);
      RC_ASSERT(!(fact.id == receiver && fact.state == MemberState::kAlive));
    }
    for (size_t i = 1; i < facts.size(); ++i) {
      RC_ASSERT(!(facts[i].id == IdOf(1)));  // our own goes first
    }
    RC_ASSERT(queue.size() <= kMembers);
  }
}

RC_GTEST_PROP(GossipQueueProperty, EndsAfterEachFactWasSentItsTimes, ()) {
  GossipQueue queue(IdOf(1));
  const int sends_max = static_cast<int>(Between(1, 5));
  std::map<NodeId, MemberFact> newest;
  for (const MemberFact& fact : DrawFacts(10)) {
    queue.Put(fact);
    newest[fact.id] = fact;
  }
  for (int round = 0; round < sends_max; ++round) {
    std::vector<MemberFact> facts;
    queue.Take(IdOf(99), sends_max, 100000, facts);
    RC_ASSERT(facts.size() == newest.size());
  }
  RC_ASSERT(queue.empty());
}

// --- How long ----------------------------------------------------------------

RC_GTEST_PROP(SuspicionProperty, ConfirmationsShortenItAndNeverBelowTheMinimum,
              ()) {
  const auto milliseconds = [](uint64_t n) {
    return absl::Milliseconds(static_cast<int64_t>(n));
  };
  Suspicion::Terms terms;
  terms.min = milliseconds(Between(0, 5000));
  terms.max = terms.min + milliseconds(Between(0, 20000));
  terms.confirmations_wanted = static_cast<int>(Between(0, 3));
  const SlowInstant start = SlowInstant() + milliseconds(Between(0, 100000));
  Suspicion suspicion(start, terms, IdOf(1));
  if (terms.confirmations_wanted > 0) {
    RC_ASSERT(suspicion.deadline() == start + terms.max);
  }
  for (uint64_t steps = Between(0, 8); steps > 0; --steps) {
    const SlowInstant before = suspicion.deadline();
    suspicion.Confirm(IdOf(Between(1, 5)));
    RC_ASSERT(suspicion.deadline() <= before);
    RC_ASSERT(suspicion.deadline() >= start + terms.min);
  }
  suspicion.ConfirmFully();
  RC_ASSERT(suspicion.deadline() == start + terms.min);
  const SlowInstant held = start + milliseconds(Between(0, 30000));
  suspicion.HoldUntil(held);
  RC_ASSERT(suspicion.deadline() == std::max(held, start + terms.min));
}

RC_GTEST_PROP(SuspicionProperty, TheFirstAccuserConfirmsNothing, ()) {
  const Suspicion::Terms terms = {.min = absl::Seconds(1),
                                  .max = absl::Seconds(6),
                                  .confirmations_wanted = 3};
  Suspicion suspicion(SlowInstant(), terms, IdOf(1));
  const uint64_t second = Between(2, 9);
  suspicion.Confirm(IdOf(second));
  const SlowInstant once = suspicion.deadline();
  for (uint64_t times = Between(1, 5); times > 0; --times) {
    suspicion.Confirm(IdOf(Between(0, 1) == 0 ? 1 : second));
  }
  RC_ASSERT(suspicion.deadline() == once);
}

RC_GTEST_PROP(TimingProperty, NothingGetsShorterInALargerCluster, ()) {
  const MembershipOptions options;
  const size_t fewer = Between(1, 4000);
  const size_t more = fewer + Between(0, 96);
  RC_ASSERT(Log2Ceiling(fewer) <= Log2Ceiling(more));
  RC_ASSERT((size_t{1} << Log2Ceiling(fewer)) >= fewer);
  RC_ASSERT(GossipSendsMax(fewer) <= GossipSendsMax(more));
  RC_ASSERT(ConfirmationsWanted(fewer) <= ConfirmationsWanted(more));
  RC_ASSERT(DenialTime(options, fewer) <= DenialTime(options, more));
  RC_ASSERT(SuspicionMin(options, fewer) <= SuspicionMin(options, more));
  RC_ASSERT(SuspicionMin(options, fewer) > DenialTime(options, fewer));
  RC_ASSERT(PushPullInterval(options, fewer) <=
            PushPullInterval(options, more));
}

}  // namespace
}  // namespace cachalot
