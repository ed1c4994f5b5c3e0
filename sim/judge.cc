#include "sim/judge.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/locks/command.h"
#include "engine/membership/membership.h"
#include "engine/node.h"
#include "engine/overloaded.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"

namespace cachalot::sim {
namespace {

// Votes and answers to appends are short; nothing longer is worth decoding.
constexpr size_t kPromiseBytesMax = 512;

}  // namespace

void Judge::Started(const World& world, HostId host) {
  const Node& node = *world.node(host);
  Process process;
  process.node = node.id();
  const std::optional<SavedState> kept = world.disk(host).Kept();
  const bool goes_on = kept.has_value() && kept->identity.node == node.id();
  saved_[node.id()] = goes_on ? SavedLog(*kept) : SavedLog();
  if (goes_on) {
    LogIndex index = kept->first;
    for (const Entry& entry : kept->entries) {
      process.appended[index] = entry;
      index = index.Next();
    }
  }
  process.saves_as = node.id();
  // Neither is promised to outlive the process, unless it was saved.
  incarnations_.Forget(node.id());
  terms_.Forget(node.id());
  process.applied = node.consensus().applied();
  process.commit = node.consensus().commit();
  process.last = process.commit;
  processes_[host] = std::move(process);
}

void Judge::Stopping(const World&, HostId host) { processes_.erase(host); }

void Judge::Stepped(const World& world, HostId host, const Event& event,
                    const Actions& actions) {
  const Node& node = *world.node(host);
  const Step step = {world, host, node, processes_.at(host)};
  if (node.id() != step.process.node) NoteNewName(step);
  NoteEvent(step, event);
  for (const Action& action : actions) NoteAction(step, action);
  Check(step, terms_.Is(node.id(), node.consensus().term().value()));
  Check(step,
        incarnations_.Is(node.id(), node.membership().self().incarnation));
  if (!node.identity().cluster.IsNone()) NoteLog(step, ClusterOf(node));
  if (world.steps() % options_.invariants_every == 0) node.CheckInvariants();
}

Judge::Cluster& Judge::ClusterOf(const Node& node) {
  const Identity& identity = node.identity();
  const auto [found, is_new] = clusters_.try_emplace(
      identity.cluster, identity.epoch, options_.rate_bound_ppm);
  if (is_new) cluster_order_.push_back(identity.cluster);
  return found->second;
}

void Judge::Complain(const World& world, HostId host, std::string sentence) {
  violations_.push_back(
      {std::move(sentence), host, world.steps(), world.now()});
}

void Judge::Check(const Step& step, Complaint complaint) {
  if (complaint.has_value()) {
    Complain(step.world, step.host, *std::move(complaint));
  }
}

// The node's cluster gave way to another, in which it begins as a stranger.
void Judge::NoteNewName(const Step& step) {
  Process& process = step.process;
  process.node = step.node.id();
  process.commit = LogIndex();
  process.applied = LogIndex();
  process.last = LogIndex();
  process.last_term = Term();
  process.configuration = Configuration();
  process.appended.clear();
}

// --- Events ------------------------------------------------------------------

void Judge::NoteEvent(const Step& step, const Event& event) {
  Process& process = step.process;
  if (const auto* submitted = std::get_if<RequestSubmitted>(&event)) {
    process.answers.Asked(submitted->request);
    if (const auto* acquire = std::get_if<AcquireRequest>(&submitted->body)) {
      process.acquires[submitted->request] = acquire->key;
    }
  }
  if (const auto* saved = std::get_if<StateSaved>(&event)) {
    NoteSaved(step, saved->save);
  }
}

void Judge::NoteSaved(const Step& step, SaveId save) {
  std::deque<SaveState>& unsaved = step.process.unsaved;
  while (!unsaved.empty() && unsaved.front().save <= save) {
    const StateChange& change = unsaved.front().change;
    if (change.identity.has_value()) {
      step.process.saves_as = change.identity->node;
    }
    saved_[step.process.saves_as].Apply(change);
    unsaved.pop_front();
  }
}

// --- Actions -----------------------------------------------------------------

void Judge::NoteAction(const Step& step, const Action& action) {
  std::visit(Overloaded{
                 [&](const SendDatagram&) {},
                 [&](const SendFrame& send) { NoteBytes(step, send.bytes); },
                 [&](const SaveState& order) { NoteOrder(step, order); },
                 [&](const AnswerRequest& answer) { NoteAnswer(step, answer); },
                 [&](const NotifyHolder&) {},
                 [&](const AnnounceStanding&) {},
                 [&](const LeaveCompleted&) {},
             },
             action);
}

void Judge::NoteOrder(const Step& step, const SaveState& order) {
  Process& process = step.process;
  process.unsaved.push_back(order);
  LogIndex index = order.change.first;
  for (const Entry& entry : order.change.entries) {
    if (index > process.commit) process.appended[index] = entry;
    index = index.Next();
  }
}

void Judge::NoteBytes(const Step& step, const std::string& bytes) {
  if (bytes.size() > kPromiseBytesMax) return;
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (!envelope.ok()) {
    Complain(step.world, step.host,
             absl::StrCat("a node sent what does not decode: ",
                          envelope.status().message()));
    return;
  }
  const SavedLog& saved = saved_[step.process.node];
  if (const auto* vote = std::get_if<VoteReply>(&envelope->message)) {
    Check(step, CheckVotePromise(saved, envelope->to, *vote));
  }
  if (const auto* reply = std::get_if<AppendReply>(&envelope->message)) {
    Check(step, CheckAppendPromise(saved, *reply));
  }
}

void Judge::NoteAnswer(const Step& step, const AnswerRequest& answer) {
  Process& process = step.process;
  Check(step, process.answers.Answered(answer.request));
  const auto found = process.acquires.find(answer.request);
  if (found == process.acquires.end()) return;
  const std::string key = std::move(found->second);
  process.acquires.erase(found);
  if (answer.answer.outcome == Outcome::kOk) {
    NoteGrant(step, key, answer.answer.token);
  }
}

// A belief begins. Whoever else believes in the same lock at this instant,
// paused or not, is one too many; beliefs that begin later are judged then.
// Only within one cluster: two that were founded apart know nothing of each
// other.
void Judge::NoteGrant(const Step& step, const std::string& key,
                      const FencingToken& token) {
  ++grants_;
  Check(step, observed_tokens_.Granted(key, token));
  std::vector<BeliefSpan> beliefs;
  for (uint64_t i = 1; i <= step.world.host_count(); ++i) {
    const HostId host(i);
    const Node* node = step.world.node(host);
    if (node == nullptr) continue;
    if (node->identity().cluster != step.node.identity().cluster) continue;
    for (const Client::Held& held : node->client().held()) {
      if (held.key != key) continue;
      beliefs.push_back(
          {HostName(host), held.token,
           step.world.clock(host).fast.When(held.belief_end.nanoseconds())});
    }
  }
  Check(step, CheckSoleBelief(key, step.world.now(), beliefs));
}

// --- The log -----------------------------------------------------------------

void Judge::NoteLog(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  if (consensus.role() == Consensus::Role::kLeader) {
    Check(step, cluster.leaders.Leads(consensus.term(), step.node.id()));
  }
  NoteStamps(step, cluster);
  NoteCommits(step, cluster);
  CompareTables(step, cluster);
}

void Judge::NoteStamps(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  Process& process = step.process;
  const LogIndex last = consensus.last_index();
  const Term last_term = consensus.TermAt(last);
  if (last == process.last && last_term == process.last_term) return;
  const bool is_longer = last > process.last &&
                         process.last >= consensus.first_index() &&
                         consensus.TermAt(process.last) == process.last_term;
  LogIndex index = is_longer ? process.last.Next() : process.commit.Next();
  index = std::max(index, consensus.first_index());
  for (; index <= last; index = index.Next()) {
    cluster.time.Stamped(index, consensus.TermAt(index), step.world.now());
  }
  process.last = last;
  process.last_term = last_term;
}

void Judge::NoteCommits(const Step& step, Cluster& cluster) {
  const Consensus& consensus = step.node.consensus();
  Process& process = step.process;
  const LogIndex commit = consensus.commit();
  if (commit < process.commit) {
    Complain(step.world, step.host, "the commit index fell");
  }
  const bool leads = consensus.role() == Consensus::Role::kLeader;
  if (leads && commit > process.commit) {
    const Term term = consensus.TermAt(commit);
    // The configuration may have changed within the step, by what was
    // committed or by what followed from it: one of the two must have agreed.
    const Complaint complaint =
        CheckCommitQuorum(process.configuration, commit, term, saved_);
    if (complaint.has_value()) {
      Check(step,
            CheckCommitQuorum(consensus.configuration(), commit, term, saved_));
    }
  }
  while (process.commit < commit) {
    process.commit = process.commit.Next();
    NoteCommit(step, cluster, process.commit);
  }
  process.appended.erase(process.appended.begin(),
                         process.appended.upper_bound(commit));
  if (leads) process.configuration = consensus.configuration();
}

void Judge::NoteCommit(const Step& step, Cluster& cluster, LogIndex index) {
  const Entry* entry = step.node.consensus().Find(index);
  if (entry == nullptr) {
    // Others committed it, and a snapshot brought it here.
    if (index <= cluster.log.last()) return;
    // Compacted in the very step that committed it.
    const auto found = step.process.appended.find(index);
    if (found == step.process.appended.end()) {
      Complain(step.world, step.host,
               absl::StrCat("a snapshot covers entry ", index.value(),
                            ", which nobody committed"));
      return;
    }
    entry = &found->second;
  }
  bool is_first = false;
  Check(step, cluster.log.Commits(index, *entry, &is_first));
  if (!is_first) return;
  Check(step, cluster.time.Committed(index, *entry));
  Apply(step, cluster, index, *entry);
}

void Judge::Apply(const Step& step, Cluster& cluster, LogIndex index,
                  const Entry& entry) {
  if (entry.kind == EntryKind::kConfiguration) {
    absl::StatusOr<Configuration> configuration =
        DecodeConfiguration(entry.payload.view());
    CHECK(configuration.ok()) << configuration.status().ToString();
    cluster.configuration = *std::move(configuration);
  } else {
    const absl::StatusOr<std::vector<LockCommand>> commands =
        DecodeCommands(entry.payload.view());
    CHECK(commands.ok()) << commands.status().ToString();
    const std::vector<Reply> replies =
        cluster.table.Apply(index, entry.time, *commands);
    Check(step, cluster.order.Applied(*commands, replies));
  }
  if (index.value() % options_.tables_every == 0) {
    Check(step, cluster.tables.Has(index, cluster.table.Fingerprint()));
  }
}

void Judge::CompareTables(const Step& step, Cluster& cluster) {
  const LogIndex applied = step.node.consensus().applied();
  if (applied == step.process.applied) return;
  step.process.applied = applied;
  if (applied.value() % options_.tables_every != 0) return;
  Check(step, cluster.tables.Has(applied, step.node.table().Fingerprint()));
}

// --- Views -------------------------------------------------------------------

size_t Judge::unanswered() const {
  size_t count = 0;
  for (const auto& [host, process] : processes_) {
    count += process.answers.open().size();
  }
  return count;
}

std::vector<ClusterId> Judge::clusters() const { return cluster_order_; }

LogIndex Judge::committed(ClusterId cluster) const {
  return clusters_.at(cluster).log.last();
}

const Configuration& Judge::configuration(ClusterId cluster) const {
  return clusters_.at(cluster).configuration;
}

const LockTable& Judge::table(ClusterId cluster) const {
  return clusters_.at(cluster).table;
}

}  // namespace cachalot::sim
