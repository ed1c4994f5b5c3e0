// Properties of what consensus is made of: the log, quorums, and what is kept.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/consensus/log.h"
#include "engine/consensus/progress.h"
#include "engine/consensus/quorum.h"
#include "engine/ids.h"
#include "engine/saved_state.h"
#include "engine/wire/codec.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"
#include "tests/engine/consensus/parts.h"

namespace cachalot {
namespace {

// In [low, high].
uint64_t Between(uint64_t low, uint64_t high) {
  return *rc::gen::inRange<uint64_t>(low, high + 1);
}

// --- The log beside a list ---------------------------------------------------

// Every entry since the first, with its configuration, and how many of them are
// compacted away.
struct LogModel {
  struct Item {
    Entry entry;
    Configuration configuration;  // in force from it on
  };
  std::vector<Item> items;
  uint64_t base = 0;

  uint64_t last() const { return items.size(); }
  Term TermAt(uint64_t index) const {
    return index == 0 ? Term() : items[index - 1].entry.term;
  }
  Configuration ConfigurationAt(uint64_t index) const {
    return index == 0 ? Configuration() : items[index - 1].configuration;
  }
};

Entry DrawEntry(const LogModel& model) {
  const Term term(model.TermAt(model.last()).value() + Between(0, 2));
  const uint64_t time =
      model.items.empty() ? 0 : model.items.back().entry.time.nanoseconds();
  if (Between(0, 3) > 0) {
    return CommandEntry(term.value(), std::string(Between(0, 5), 'x'),
                        time + Between(0, 9));
  }
  const uint64_t voters = Between(1, 7);
  std::vector<uint64_t> list;
  for (uint64_t node = 1; node <= 3; ++node) {
    if ((voters >> (node - 1) & 1) != 0) list.push_back(node);
  }
  return ConfigurationEntry(term.value(), Voting(list), time + Between(0, 9));
}

// What both were told, as one would order it to be kept.
StateChange AppendToBoth(Log& log, LogModel& model) {
  StateChange change;
  change.first = log.last_index().Next();
  for (uint64_t count = Between(1, 3); count > 0; --count) {
    const Entry entry = DrawEntry(model);
    Configuration configuration = model.ConfigurationAt(model.last());
    if (entry.kind == EntryKind::kConfiguration) {
      configuration = DecodeConfiguration(entry.payload.view()).value();
      log.Append(entry, &configuration);
    } else {
      log.Append(entry);
    }
    model.items.push_back({entry, configuration});
    change.entries.push_back(entry);
  }
  return change;
}

void TruncateBoth(Log& log, LogModel& model) {
  const uint64_t from = Between(model.base + 1, model.last() + 1);
  log.Truncate(LogIndex(from));
  model.items.resize(from - 1);
}

StateChange CompactBoth(Log& log, LogModel& model) {
  const uint64_t index = Between(model.base, model.last());
  StateChange change;
  change.snapshot = Snapshot{.index = LogIndex(index),
                             .term = model.TermAt(index),
                             .configuration = model.ConfigurationAt(index)};
  log.Compact(LogIndex(index));
  model.base = index;
  return change;
}

void AssertSame(const Log& log, const LogModel& model) {
  RC_ASSERT(log.base_index() == LogIndex(model.base));
  RC_ASSERT(log.last_index() == LogIndex(model.last()));
  RC_ASSERT(log.last_term() == model.TermAt(model.last()));
  RC_ASSERT(log.configuration() == model.ConfigurationAt(model.last()));
  RC_ASSERT(log.Find(LogIndex(model.base)) == nullptr);
  RC_ASSERT(log.Find(LogIndex(model.last() + 1)) == nullptr);
  uint64_t bytes = 0;
  for (uint64_t i = model.base; i <= model.last(); ++i) {
    RC_ASSERT(log.TermAt(LogIndex(i)) == model.TermAt(i));
    RC_ASSERT(log.ConfigurationAt(LogIndex(i)) == model.ConfigurationAt(i));
    if (i == model.base) continue;
    RC_ASSERT(*log.Find(LogIndex(i)) == model.items[i - 1].entry);
    bytes += model.items[i - 1].entry.payload.size();
  }
  RC_ASSERT(log.bytes() == bytes);
}

void AssertHint(const Log& log, const LogModel& model) {
  const uint64_t index = Between(model.base, model.last() + 3);
  const Term term(Between(0, model.TermAt(model.last()).value() + 1));
  uint64_t expected = std::min(index, model.last());
  while (expected > model.base && model.TermAt(expected) > term) --expected;
  RC_ASSERT(log.LastNotAbove(LogIndex(index), term) == LogIndex(expected));
}

RC_GTEST_PROP(LogProperty, DoesWhatAListDoes, ()) {
  Log log;
  LogModel model;
  for (uint64_t steps = Between(1, 25); steps > 0; --steps) {
    switch (Between(0, 4)) {
      case 0:
        TruncateBoth(log, model);
        break;
      case 1:
        CompactBoth(log, model);
        break;
      default:
        AppendToBoth(log, model);
    }
    AssertSame(log, model);
    AssertHint(log, model);
  }
}

// --- What is kept ------------------------------------------------------------

void AssertKept(const SavedState& saved, const Log& log) {
  RC_ASSERT(saved.first <= log.last_index().Next());
  for (uint64_t i = log.first_index().value(); i <= log.last_index().value();
       ++i) {
    if (LogIndex(i) < saved.first) continue;
    const size_t place = i - saved.first.value();
    RC_ASSERT(place < saved.entries.size());
    RC_ASSERT(saved.entries[place] == *log.Find(LogIndex(i)));
  }
  RC_ASSERT(saved.first.value() + saved.entries.size() ==
            log.last_index().value() + 1);
}

// An append after a truncation says where it stands, so that a disk needs to be
// told of nothing else.
RC_GTEST_PROP(SavedStateProperty, FollowsTheLogThroughEveryChange, ()) {
  Log log;
  LogModel model;
  SavedState saved;
  for (uint64_t steps = Between(1, 25); steps > 0; --steps) {
    if (Between(0, 3) == 0) {
      const StateChange change = CompactBoth(log, model);
      saved.Apply(change);
      RC_ASSERT(saved.first == log.first_index());
    } else {
      if (Between(0, 2) == 0) TruncateBoth(log, model);
      saved.Apply(AppendToBoth(log, model));
    }
    AssertKept(saved, log);
  }
}

RC_GTEST_PROP(SavedStateProperty, TheSameOrderTwiceInARowIsTheSame, ()) {
  Log log;
  LogModel model;
  SavedState once;
  SavedState twice;
  for (uint64_t steps = Between(1, 12); steps > 0; --steps) {
    StateChange change =
        Between(0, 2) == 0 ? CompactBoth(log, model) : AppendToBoth(log, model);
    if (Between(0, 1) == 0) change.term = Term(Between(1, 9));
    change.vote = IdOf(Between(1, 3));
    once.Apply(change);
    twice.Apply(change);
    twice.Apply(change);
    RC_ASSERT(once.first == twice.first);
    RC_ASSERT(once.entries == twice.entries);
    RC_ASSERT(once.snapshot == twice.snapshot);
    RC_ASSERT(once.term == twice.term);
    RC_ASSERT(once.vote == twice.vote);
  }
}

RC_GTEST_PROP(SavedStateProperty, ANewIdentityForgetsAllElse, ()) {
  Log log;
  LogModel model;
  SavedState saved;
  for (uint64_t steps = Between(1, 6); steps > 0; --steps) {
    saved.Apply(AppendToBoth(log, model));
  }
  StateChange change;
  change.identity = Identity{.node = IdOf(Between(1, 9))};
  saved.Apply(change);
  RC_ASSERT(saved.identity == *change.identity);
  RC_ASSERT(saved.entries.empty());
  RC_ASSERT(saved.first == LogIndex(1));
  RC_ASSERT(!saved.snapshot.has_value());
}

// --- Quorums -----------------------------------------------------------------

// Of the nodes 1 to 9.
std::vector<Voter> DrawVoters(uint64_t count_min) {
  const uint64_t set = Between(count_min, 511);
  std::vector<uint64_t> nodes;
  for (uint64_t node = 1; node <= 9; ++node) {
    if ((set >> (node - 1) & 1) != 0) nodes.push_back(node);
  }
  return VotersOf(nodes);
}

Configuration DrawConfiguration() {
  Configuration configuration{.voters = DrawVoters(1)};
  if (Between(0, 1) == 0) configuration.outgoing = DrawVoters(0);
  return configuration;
}

// By counting each way to choose voters that have reached a value.
RC_GTEST_PROP(QuorumProperty, TheValueIsTheHighestThatSomeQuorumHasReached,
              ()) {
  const Configuration configuration = DrawConfiguration();
  std::vector<uint64_t> values = *rc::gen::container<std::vector<uint64_t>>(
      10, rc::gen::inRange<uint64_t>(0, 6));
  const auto value_of = [&](NodeId id) { return values[id.low]; };
  uint64_t expected = 0;
  for (uint32_t set = 0; set < 1024; ++set) {
    const auto is_in = [set](NodeId id) { return (set >> id.low & 1) != 0; };
    if (!HasQuorum(configuration, is_in)) continue;
    uint64_t least = UINT64_MAX;
    for (const auto* list : {&configuration.voters, &configuration.outgoing}) {
      for (const Voter& voter : *list) {
        if (is_in(voter.id)) least = std::min(least, value_of(voter.id));
      }
    }
    expected = std::max(expected, least);
  }
  RC_ASSERT(QuorumValue<uint64_t>(configuration, value_of) == expected);
}

RC_GTEST_PROP(QuorumProperty, TwoQuorumsShareAVoter,
              (uint32_t one, uint32_t other)) {
  const Configuration configuration = DrawConfiguration();
  other &= ~one;  // nothing in common
  const bool first = HasQuorum(
      configuration, [one](NodeId id) { return (one >> id.low & 1) != 0; });
  const bool second = HasQuorum(
      configuration, [other](NodeId id) { return (other >> id.low & 1) != 0; });
  RC_ASSERT(!(first && second));
}

RC_GTEST_PROP(QuorumProperty, TheValueDoesNotFallWhenAVoterAdvances, ()) {
  const Configuration configuration = DrawConfiguration();
  std::vector<uint64_t> values = *rc::gen::container<std::vector<uint64_t>>(
      10, rc::gen::inRange<uint64_t>(0, 6));
  const auto value_of = [&](NodeId id) { return values[id.low]; };
  const uint64_t before = QuorumValue<uint64_t>(configuration, value_of);
  values[Between(1, 9)] += Between(1, 3);
  RC_ASSERT(QuorumValue<uint64_t>(configuration, value_of) >= before);
}

// --- A follower's progress ---------------------------------------------------

RC_GTEST_PROP(ProgressProperty, EveryChangeOfModeBeginsBehindTheMatch, ()) {
  Progress progress;
  for (uint64_t steps = Between(1, 10); steps > 0; --steps) {
    progress.match = LogIndex(progress.match.value() + Between(0, 5));
    progress.next = LogIndex(progress.match.value() + Between(1, 9));
    progress.in_flight.push_back(progress.next);
    progress.awaits_answer = true;
    progress.snapshot_received = Between(0, 9);
    switch (Between(0, 2)) {
      case 0:
        progress.BecomeProbe();
        RC_ASSERT(progress.mode == Progress::Mode::kProbe);
        break;
      case 1:
        progress.BecomeReplicate();
        RC_ASSERT(progress.mode == Progress::Mode::kReplicate);
        break;
      default:
        progress.BecomeSnapshot();
        RC_ASSERT(progress.mode == Progress::Mode::kSnapshot);
    }
    RC_ASSERT(progress.next == progress.match.Next());
    RC_ASSERT(progress.in_flight.empty());
    RC_ASSERT(!progress.awaits_answer);
    RC_ASSERT(progress.snapshot_received == 0u);
  }
}

}  // namespace
}  // namespace cachalot
