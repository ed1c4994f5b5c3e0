#include "tests/engine/consensus/lone_consensus.h"

#include "engine/check.h"
#include "engine/random.h"
#include "tests/engine/consensus/parts.h"

namespace cachalot {

ConsensusOptions LoneConsensus::Options() {
  ConsensusOptions options;
  options.heartbeat_interval = absl::Milliseconds(50);
  options.election_timeout = absl::Milliseconds(250);
  options.appends_in_flight_max = 4;
  options.compact_after_entries = 8;
  options.compact_keep_entries = 4;
  return options;
}

LoneConsensus::LoneConsensus(uint64_t node, ConsensusOptions options)
    : node_(node), options_(options), machine_(Make()) {}

Consensus LoneConsensus::Make() {
  Consensus machine(options_, IdOf(node_), Random(++restarts_), now_, nullptr);
  machine.SetOpening("opening");
  return machine;
}

// --- Beginnings -------------------------------------------------------------

void LoneConsensus::Restore(uint64_t term, const Configuration& founders,
                            const std::vector<Entry>& entries, uint64_t vote) {
  Snapshot birth;
  birth.configuration = founders;
  disk_.Apply({.snapshot = birth,
               .first = LogIndex(1),
               .entries = entries,
               .term = Term(term),
               .vote = vote == 0 ? NodeId() : IdOf(vote)});
  machine_.Restore(now_, disk_);
}

void LoneConsensus::Lead(const std::vector<uint64_t>& founders) {
  Outbox out;
  machine_.Found(now_, VotersOf(founders), out);
  Collect(std::move(out));
  SaveAll();
  for (const uint64_t founder : founders) {
    if (founder == node_ || machine_.leads()) continue;
    Receive(founder, VoteReply{.term = machine_.term(), .granted = true});
  }
  CHECK(machine_.leads());
  SaveAll();
}

void LoneConsensus::WinElection(const std::vector<uint64_t>& others) {
  PassToDeadline();
  CHECK(machine_.role() == Consensus::Role::kPreCandidate);
  for (const bool is_pre_vote : {true, false}) {
    const Term term = is_pre_vote ? machine_.term().Next() : machine_.term();
    for (const uint64_t other : others) {
      Receive(
          other,
          VoteReply{.term = term, .granted = true, .is_pre_vote = is_pre_vote});
    }
    SaveAll();
  }
  CHECK(machine_.leads());
}

void LoneConsensus::CrashAndRestore() {
  orders_.clear();
  withheld_.clear();
  sent_.clear();
  applied_.clear();
  machine_ = Make();
  machine_.Restore(now_, disk_);
}

// --- What happens to it -----------------------------------------------------

void LoneConsensus::Pass(absl::Duration time) {
  now_ = now_ + time;
  Outbox out;
  machine_.FireTimers(now_, out);
  Collect(std::move(out));
}

void LoneConsensus::PassToDeadline() {
  CHECK(machine_.NextDeadline() != SlowInstant::Never());
  Pass(machine_.NextDeadline() - now_);
}

void LoneConsensus::Receive(uint64_t from, const ConsensusMessage& message) {
  Outbox out;
  machine_.Receive(now_, IdOf(from), message, out);
  Collect(std::move(out));
}

void LoneConsensus::Propose(const std::string& payload) {
  const bool is_taken = machine_.Propose(now_, payload);
  CHECK(is_taken);
}

void LoneConsensus::Flush() {
  Outbox out;
  std::optional<SaveState> order = machine_.Flush(now_, out);
  if (order.has_value()) orders_.push_back(*std::move(order));
  Collect(std::move(out));
}

void LoneConsensus::SaveNext() {
  CHECK(!orders_.empty());
  const SaveState order = std::move(orders_.front());
  orders_.pop_front();
  disk_.Apply(order.change);
  Outbox out;
  machine_.NoteSaved(now_, order.save, out);
  while (!withheld_.empty() && withheld_.front().after <= order.save) {
    sent_.push_back(std::move(withheld_.front()));
    withheld_.pop_front();
  }
  Collect(std::move(out));
}

void LoneConsensus::SaveAll() {
  Flush();
  while (!orders_.empty()) {
    SaveNext();
    Flush();
  }
}

void LoneConsensus::Apply() {
  if (machine_.arrived_snapshot() != nullptr) {
    Outbox out;
    machine_.InstallSnapshot(now_, out);
    Collect(std::move(out));
  }
  while (const Entry* entry = machine_.NextCommitted()) {
    if (entry->kind == EntryKind::kCommands) {
      applied_.emplace_back(entry->payload.view());
    }
    machine_.AdvanceApplied();
  }
}

void LoneConsensus::Acknowledge(uint64_t from, LogIndex index,
                                std::optional<uint64_t> read_round) {
  Receive(from,
          AppendReply{.term = machine_.term(),
                      .accepted = true,
                      .index = index,
                      .read_round = read_round.value_or(rounds_[IdOf(from)])});
}

void LoneConsensus::AcknowledgeAll(const std::vector<uint64_t>& from) {
  for (const uint64_t node : from) Acknowledge(node, machine_.last_index());
}

// --- Results ----------------------------------------------------------------

void LoneConsensus::Collect(Outbox out) {
  for (Outgoing& outgoing : out.sends) {
    if (const auto* append = std::get_if<Append>(&outgoing.message)) {
      rounds_[outgoing.to] = append->read_round;
    }
    if (outgoing.after > machine_.saved()) {
      withheld_.push_back(std::move(outgoing));
    } else {
      sent_.push_back(std::move(outgoing));
    }
  }
  machine_.CheckInvariants();
}

std::vector<std::string> LoneConsensus::Payloads() const {
  std::vector<std::string> payloads;
  for (LogIndex i = machine_.first_index(); i <= machine_.last_index();
       i = i.Next()) {
    const Entry& entry = *machine_.Find(i);
    const bool is_command = entry.kind == EntryKind::kCommands;
    payloads.push_back(is_command ? std::string(entry.payload.view()) : "");
  }
  return payloads;
}

LoneConsensus LeaderOfThree() {
  LoneConsensus lone;
  lone.Lead({1, 2, 3});
  lone.AcknowledgeAll({2, 3});
  lone.Apply();
  lone.SaveAll();
  lone.Ignore();
  return lone;
}

}  // namespace cachalot
