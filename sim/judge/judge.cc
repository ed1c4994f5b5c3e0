#include "sim/judge/judge.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/limits.h"
#include "engine/majority_watch.h"
#include "engine/member.h"
#include "engine/membership/membership.h"
#include "engine/node.h"
#include "engine/options.h"
#include "engine/overloaded.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "sim/judge/convergence.h"
#include "sim/world/network.h"

// The events and actions of nodes, and what their callers believe. The log is
// judged in judge_log.cc.

namespace cachalot::sim {
namespace {

// How long a caller waits for its answer at most.
absl::Duration PatienceFor(const Request& request, const NodeOptions& options) {
  const auto* acquire = std::get_if<AcquireRequest>(&request);
  const bool waits = acquire != nullptr && acquire->wait > absl::ZeroDuration();
  return waits ? std::min(acquire->wait, limits::WaitMax())
               : options.lease.request_timeout;
}

bool IsPromise(const std::string& sent) {
  static const size_t kVote = Message(VoteReply()).index();
  static const size_t kAppend = Message(AppendReply()).index();
  static const size_t kSnapshot = Message(SnapshotReply()).index();
  const size_t kind = KindOfEncoded(sent);
  return kind == kVote || kind == kAppend || kind == kSnapshot;
}

}  // namespace

void Judge::Started(const World& world, HostId host) {
  ++counters_.processes;
  const Node& node = *world.node(host);
  Process process;
  process.node = process.saves_as = node.id();
  const std::optional<SavedState> kept = world.disk(host).Kept();
  const bool goes_on = kept.has_value() && kept->identity.node == node.id();
  saved_[node.id()] = goes_on ? SavedLog(*kept) : SavedLog();
  process.is_saved_as = goes_on;
  if (goes_on) {
    LogIndex index = kept->first;
    for (const Entry& entry : kept->entries) {
      process.appended[index] = entry;
      index = index.Next();
    }
  }
  const Consensus& consensus = node.consensus();
  process.applied = consensus.applied();
  process.commit = consensus.commit();
  process.last = process.commit;
  process.configuration_index = consensus.log().configuration_index();
  process.session_end = node.client().session_belief_end();
  if (goes_on) {
    process.term.Observe(kept->term.value());
    process.vote.Observe(kept->term, kept->vote);
  }
  processes_[host] = std::move(process);
  if (goes_on && !kept->vote.IsNone()) {
    Complaint complaint = votes_.ObserveVote(node.id(), kept->term, kept->vote);
    if (complaint.has_value()) Complain(world, host, *std::move(complaint));
  }
}

void Judge::Observed(const World&, HostId host,
                     const Observation& observation) {
  const bool is_lost = std::holds_alternative<MajorityLost>(observation);
  if (!is_lost && !std::holds_alternative<MajorityBack>(observation)) return;
  const auto found = processes_.find(host);
  if (found != processes_.end()) {
    found->second.majority_news.push_back(is_lost);
  }
}

void Judge::Stopping(const World&, HostId host) {
  const auto found = processes_.find(host);
  // It started before this judge watched.
  if (found == processes_.end()) return;
  endings_[found->second.node] = {found->second.fate, host};
  processes_.erase(found);
}

// The log before answers and notices: these may depend on an entry that the
// same step has committed.
void Judge::Stepped(const World& world, HostId host, const Event& event,
                    const Actions& actions) {
  ++counters_.steps;
  const Node& node = *world.node(host);
  Process& process = processes_.at(host);
  Step step = {.world = world,
               .host = host,
               .node = node,
               .event = event,
               .process = process,
               .cluster = process.cluster};
  if (node.id() != process.node) NoteNewName(step);
  process.cluster = node.identity().cluster;
  NoteEvent(step);
  for (const Action& action : actions) {
    if (const auto* order = std::get_if<SaveState>(&action)) {
      NoteOrder(step, *order);
      const std::optional<Snapshot>& snapshot = order->change.snapshot;
      if (snapshot.has_value()) step.snapshots.push_back(&*snapshot);
    }
  }
  if (!process.cluster.IsNone()) NoteLog(step, ClusterOf(node));
  for (const Action& action : actions) NoteAction(step, action);
  Check(step, process.term.Observe(node.consensus().term().value()));
  Check(step,
        process.vote.Observe(node.consensus().term(), node.consensus().vote()));
  Check(step,
        process.incarnation.Observe(node.membership().self().incarnation));
  CheckAnnounced(step);
  NoteMajority(step);
  const bool is_thorough = world.steps() % options_.invariants_every == 0;
  const FastInstant session_end = node.client().session_belief_end();
  if (session_end != process.session_end) step.beliefs_grew = true;
  process.session_end = session_end;
  // A renewal that was answered kUnknown may yet succeed.
  process.has_late_renewals &= !process.beliefs.held().empty();
  step.beliefs_grew |= process.has_late_renewals;
  if (step.beliefs_grew || is_thorough) NoteBeliefs(step);
  for (const std::string& key : step.granted) CheckSole(step, key);
  if (is_thorough) {
    NoteMembers(step);
    Check(step, process.answers.CheckDeadlines(world.reading().fast));
    node.CheckInvariants();
  }
}

Judge::Cluster::Cluster(const JudgeOptions& options)
    : time(options.clocks_in_bound
               ? std::optional<int64_t>(options.rate_bound_ppm)
               : std::nullopt),
      leases(options.rate_bound_ppm) {}

Judge::Cluster& Judge::ClusterOf(const Node& node) {
  const Identity& identity = node.identity();
  const auto [found, is_new] =
      clusters_.try_emplace(identity.cluster, options_);
  if (is_new) cluster_order_.push_back(identity.cluster);
  return found->second;
}

void Judge::Complain(const World& world, HostId host, std::string sentence) {
  violations_.push_back(
      {std::move(sentence), host, world.steps(), world.now()});
}

void Judge::Fail(const Step& step, const std::string& sentence) {
  Complain(step.world, step.host, sentence);
}

// The node gave up its cluster for an older one, which it joins under a new id.
void Judge::NoteNewName(Step& step) {
  ++counters_.dissolutions;
  step.dissolved = true;
  Named& named = step.process;
  endings_[named.node] = {Fate::kStartedOver, step.host};
  named = Named();
  named.node = step.node.id();
}

// --- Events ------------------------------------------------------------------

void Judge::NoteEvent(const Step& step) {
  if (const auto* submitted = std::get_if<RequestSubmitted>(&step.event)) {
    NoteRequest(step, *submitted);
  }
  if (const auto* saved = std::get_if<StateSaved>(&step.event)) {
    NoteSaved(step, saved->save);
  }
  if (std::holds_alternative<LeaveRequested>(step.event)) {
    const absl::Duration timeout = step.node.options().lease.leave_timeout;
    const Now& now = step.world.reading();
    if (!step.process.leaves) {
      step.process.leave_by = {now.slow + timeout, now.fast + timeout};
    }
    step.process.leaves = true;
  }
}

void Judge::NoteRequest(const Step& step, const RequestSubmitted& submitted) {
  Process& process = step.process;
  process.answers.ObserveRequest(
      submitted.request, step.world.reading().fast +
                             PatienceFor(submitted.body, step.node.options()));
  if (const auto* acquire = std::get_if<AcquireRequest>(&submitted.body)) {
    process.acquires[submitted.request] = acquire->key;
  }
  const auto* list = std::get_if<ListLocksRequest>(&submitted.body);
  const auto cluster = clusters_.find(process.cluster);
  if (list != nullptr && cluster != clusters_.end()) {
    Reading& reading = process.readings[submitted.request];
    reading = {*list, cluster->first, cluster->second.log.last()};
    const Consensus& consensus = step.node.consensus();
    if (consensus.leads()) reading.led = consensus.term();
  }
  if (std::holds_alternative<RenewRequest>(submitted.body)) {
    process.renewals.insert(submitted.request);
  }
}

void Judge::NoteSaved(const Step& step, SaveId save) {
  Process& process = step.process;
  while (!process.unsaved.empty() && process.unsaved.front().save <= save) {
    const StateChange& change = process.unsaved.front().change;
    if (change.identity.has_value()) {
      process.saves_as = change.identity->node;
      // Without its cluster the next process would not go on with it.
      process.is_saved_as = !change.identity->cluster.IsNone();
    }
    saved_[process.saves_as].Apply(change);
    if (change.term.has_value() && !change.vote.IsNone()) {
      Check(step,
            votes_.ObserveVote(process.saves_as, *change.term, change.vote));
    }
    process.unsaved.pop_front();
  }
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

void Judge::NoteMembers(const Step& step) {
  for (const auto& [id, member] : step.node.membership().others()) {
    Check(step, step.process.news.ObserveMember(id, member.incarnation,
                                                member.state));
  }
}

// --- Actions -----------------------------------------------------------------

void Judge::NoteAction(Step& step, const Action& action) {
  std::visit(Overloaded{
                 [&](const SendDatagram&) {},
                 [&](const SendFrame& send) { NoteBytes(step, send.bytes); },
                 [&](const AnswerFrame& send) { NoteBytes(step, send.bytes); },
                 [&](const SaveState&) {},  // noted before
                 [&](const AnswerRequest& answer) { NoteAnswer(step, answer); },
                 [&](const NotifyHolder& notice) { NoteNotice(step, notice); },
                 [&](const AnnounceStanding&) {},
                 [&](const LeaveCompleted&) { NoteDeparture(step); },
                 [&](const AnnounceSession& session) {
                   step.process.announced = session;
                 },
             },
             action);
}

// Drivers know the end of the session's belief by AnnounceSession alone.
void Judge::CheckAnnounced(const Step& step) {
  const Client& client = step.node.client();
  if (!client.has_session()) return;
  const AnnounceSession& announced = step.process.announced;
  if (announced.session == client.session() &&
      announced.belief_end == client.session_belief_end()) {
    return;
  }
  Complain(step.world, step.host,
           Say("believes in session ", client.session().number, " until ",
               client.session_belief_end().nanoseconds(),
               ", and has announced session ", announced.session.number,
               " until ", announced.belief_end.nanoseconds()));
}

void Judge::NoteBytes(const Step& step, const std::string& bytes) {
  if (bytes.size() > kPromiseBytesMax) return;
  const bool is_due = ++counters_.frames % options_.frames_every == 0;
  if (!is_due && !IsPromise(bytes)) return;
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (!envelope.ok()) {
    Complain(step.world, step.host,
             absl::StrCat("a node sent what does not decode: ",
                          envelope.status().message()));
    return;
  }
  if (const auto* vote = std::get_if<VoteReply>(&envelope->message)) {
    NotePromise(step, envelope->to, *vote);
  }
  if (const auto* reply = std::get_if<AppendReply>(&envelope->message)) {
    NotePromise(step, *reply);
  }
  if (const auto* reply = std::get_if<SnapshotReply>(&envelope->message)) {
    NotePromise(step, *reply);
  }
}

void Judge::NotePromise(const Step& step, NodeId to, const VoteReply& reply) {
  if (!reply.granted || reply.is_pre_vote) return;
  ++counters_.votes;
  CheckName(step);
  const NodeId voter = step.process.node;
  Check(step, CheckVotePromise(saved_[voter], to, reply));
  Check(step, votes_.ObserveVote(voter, reply.term, to));
}

void Judge::NotePromise(const Step& step, const AppendReply& reply) {
  if (!reply.accepted) return;
  CheckName(step);
  const Consensus& consensus = step.node.consensus();
  std::optional<Term> own;
  if (consensus.term() == reply.term &&
      reply.index >= consensus.first_index() &&
      reply.index <= consensus.last_index()) {
    own = consensus.TermAt(reply.index);
  }
  Check(step, CheckAppendPromise(saved_[step.process.node], reply, own));
}

// A part of a snapshot promises nothing. The snapshot is complete and installed
// if the node's commit index has reached it.
void Judge::NotePromise(const Step& step, const SnapshotReply& reply) {
  if (reply.received == 0) return;
  if (step.node.consensus().commit() < reply.index) return;
  CheckName(step);
  Check(step, CheckSnapshotPromise(saved_[step.process.node], reply));
}

// A node whose id is not saved would come back under another and not keep the
// promise.
void Judge::CheckName(const Step& step) {
  ++counters_.promises;
  const Process& process = step.process;
  if (process.is_saved_as && process.saves_as == process.node) return;
  Complain(step.world, step.host,
           Say(process.node, " made a promise before its id was saved"));
}

void Judge::NoteAnswer(Step& step, const AnswerRequest& answer) {
  Process& process = step.process;
  Check(step, process.answers.ObserveAnswer(answer.request));
  if (process.renewals.erase(answer.request) == 1) {
    step.beliefs_grew = true;
    process.has_late_renewals |= answer.answer.outcome == Outcome::kUnknown;
  }
  const auto reading = process.readings.extract(answer.request);
  if (!reading.empty()) NoteReading(step, reading.mapped(), answer.answer);
  const auto found = process.acquires.find(answer.request);
  if (found == process.acquires.end()) return;
  std::string key = std::move(found->second);
  process.acquires.erase(found);
  if (answer.answer.outcome != Outcome::kOk) return;
  ++counters_.grants_told;
  const FencingToken& token = answer.answer.token;
  Check(step,
        observed_tokens_.ObserveGrant(NameOfLock(key, process.cluster), token,
                                      step.world.read_at(), step.world.now()));
  if (options_.clocks_in_bound) {
    Check(step, process.tokens.ObserveGrant(key, token, step.world.read_at(),
                                            step.world.now()));
  }
  Check(step, process.beliefs.ObserveGrant(answer.request, key, token,
                                           step.node.client().session()));
  step.granted.push_back(std::move(key));
  step.beliefs_grew = true;
}

// Two clusters that were founded apart each have a lock of that key, until the
// younger one is given up.
std::string Judge::NameOfLock(const std::string& key, ClusterId cluster) const {
  if (!options_.clusters_apart) return key;
  return absl::StrCat(key, "@", cluster.ToShortString());
}

void Judge::NoteReading(const Step& step, const Reading& reading,
                        const Answer& answer) {
  if (answer.outcome != Outcome::kOk || reading.cluster != step.cluster) return;
  ++counters_.reads_told;
  const Cluster& cluster = clusters_.at(reading.cluster);
  const Consensus& consensus = step.node.consensus();
  if (consensus.leads() && reading.led == consensus.term()) {
    Check(step, CheckReadIndex(reading.asked, consensus.applied()));
  }
  bool more = false;
  Check(step, cluster.reads.CheckAnswer(
                  reading.asked, answer,
                  cluster.table.List(reading.request, ClusterTime(), &more)));
}

void Judge::NoteNotice(const Step& step, const NotifyHolder& notice) {
  LossFacts facts = {.now = step.world.Read(step.host).fast,
                     .has_left = step.process.leaves,
                     .dissolved = step.dissolved};
  if (const auto* submitted = std::get_if<RequestSubmitted>(&step.event)) {
    const auto* release = std::get_if<ReleaseRequest>(&submitted->body);
    facts.was_released = release != nullptr && release->key == notice.key &&
                         release->token == notice.token;
  }
  const auto cluster = clusters_.find(step.cluster);
  facts.is_granted = cluster != clusters_.end() &&
                     cluster->second.model.HolderOf(notice.key) == notice.token;
  if (facts.is_granted) {
    facts.revoke_reason = cluster->second.model.RevokeReasonOf(notice.key);
  }
  Check(step, step.process.beliefs.ObserveNotice(notice, facts));
  if (notice.belief == Belief::kSuspect) ++counters_.suspicions;
  if (notice.belief != Belief::kLost) return;
  ++counters_.losses;
  if (notice.reason == LossReason::kExpired) ++counters_.losses_by_expiry;
  if (notice.reason == LossReason::kRevoked) ++counters_.losses_by_revocation;
}

// Late by either clock: the session and the vote use different ones.
void Judge::NoteDeparture(const Step& step) {
  const Process& process = step.process;
  ++counters_.departures;
  Departure departure = {.is_late =
                             process.leave_by.IsDue(step.world.reading())};
  if (departure.is_late) ++counters_.late_departures;
  for (const auto& [id, fact] : step.node.membership().others()) {
    if (fact.state > MemberState::kSuspect) continue;
    for (const auto& [host, other] : processes_) {
      const bool stays =
          other.node == id && !other.leaves && other.cluster == process.cluster;
      departure.somebody_stays |= stays;
    }
  }
  const auto cluster = clusters_.find(step.cluster);
  if (cluster != clusters_.end()) {
    // Its own session, not that of an earlier process that died.
    departure.has_session =
        cluster->second.model.HasSession(step.node.client().session());
    const Configuration& agreed = cluster->second.configurations.last();
    departure.is_voter =
        agreed.Contains(process.node) ||
        Configuration{.voters = agreed.outgoing}.Contains(process.node);
  }
  step.process.fate = FateOf(departure);
  Check(step, CheckDeparture(departure));
}

// --- The majority ------------------------------------------------------------

void Judge::NoteMajority(const Step& step) {
  Process& process = step.process;
  const std::vector<bool> news = std::exchange(process.majority_news, {});
  // How long a node waits is by its own clock.
  if (!options_.clocks_in_bound) return;
  const Node& node = step.node;
  const bool follows = !node.consensus().leader().IsNone();
  const bool is_led = process.cluster.IsNone() || !node.leader().IsNone();
  process.has_followed = follows || (process.has_followed && !is_led);
  MajorityReports& reports = process.majority;
  MajorityReports::Facts facts;
  if (!is_led || !news.empty()) facts = FindMajorityFacts(step);
  for (const bool is_lost : news) {
    if (is_lost) ++counters_.majorities_lost;
    Check(step, is_lost ? reports.ObserveLost(facts) : reports.ObserveBack());
  }
  Check(step,
        is_led ? reports.ObserveLeader() : reports.ObserveLeaderless(facts));
}

MajorityReports::Facts Judge::FindMajorityFacts(const Step& step) const {
  const World& world = step.world;
  const Consensus& consensus = step.node.consensus();
  const Configuration& own = consensus.configuration();
  const bool is_part =
      step.process.has_followed ||
      (own.Contains(step.process.node) && consensus.last_index() > LogIndex());
  MajorityReports::Facts facts = {
      .now = world.now(),
      .patience = MajorityWatch::Patience(step.node.options().consensus)};
  for (const std::vector<Voter>* voters : {&own.voters, &own.outgoing}) {
    if (voters->empty()) continue;
    std::vector<MajorityReports::Voter>& list = facts.lists.emplace_back();
    for (const Voter& voter : *voters) {
      MajorityReports::Voter& seen = list.emplace_back();
      seen.id = voter.id;
      for (const auto& [host, other] : processes_) {
        const bool is_it = other.node == voter.id &&
                           other.cluster == step.process.cluster &&
                           !world.node(host)->has_left();
        if (!is_it) continue;
        seen.runs = true;
        seen.is_reached = IsReached(step, host);
      }
    }
  }
  facts.must_report = is_part && !facts.lists.empty() &&
                      !world.IsSlow(step.host) && !world.network().HasClogs();
  return facts;
}

bool Judge::IsReached(const Step& step, HostId voter) const {
  const World& world = step.world;
  const Network& network = world.network();
  for (const HostId host : {step.host, voter}) {
    if (world.IsPaused(host) || world.IsSlow(host) ||
        world.SpeaksOtherVersion(host)) {
      return false;
    }
  }
  const Address own = HostAddress(step.host);
  const Address other = HostAddress(voter);
  return !network.IsCut(own, other) && !network.IsCut(other, own) &&
         !network.HasClogs();
}

// --- Beliefs -----------------------------------------------------------------

// A belief grows only by an answer to a keep-alive or a renewal, and is checked
// then.
void Judge::NoteBeliefs(const Step& step) {
  Process& process = step.process;
  const Client& client = step.node.client();
  const std::vector<Client::Held> all = client.held();
  if (all.size() != process.beliefs.held().size()) {
    Complain(step.world, step.host,
             Say("the node believes in ", all.size(), " locks, its callers in ",
                 process.beliefs.held().size()));
  }
  const auto cluster = clusters_.find(process.cluster);
  for (const Client::Held& held : all) {
    ++counters_.beliefs;
    Check(step, process.beliefs.ObserveBelief(held.request, held.token,
                                              client.session(), held.belief_end,
                                              step.world.reading().fast));
    if (!options_.clocks_in_bound || cluster == clusters_.end()) continue;
    const RealInstant until = EndOf(step.world, step.host, held.belief_end);
    if (until <= step.world.now()) continue;
    Check(step, cluster->second.leases.CheckBelief(held.key, client.session(),
                                                   held.token, until));
  }
}

// A belief begins: nobody else may believe in the same lock at this instant,
// also no paused process. Beliefs that begin later are checked when they begin.
// Only within one cluster: two that were founded apart do not know each other.
void Judge::CheckSole(const Step& step, const std::string& key) {
  if (!options_.clocks_in_bound) return;
  std::vector<BeliefSpan> beliefs;
  for (const auto& [host, process] : processes_) {
    if (process.cluster != step.process.cluster) continue;
    for (const auto& [request, held] : process.beliefs.held()) {
      if (held.key != key) continue;
      beliefs.push_back(
          {HostName(host), held.token, EndOf(step.world, host, held.until)});
    }
  }
  Check(step, CheckSoleBelief(key, step.world.now(), beliefs));
}

RealInstant Judge::EndOf(const World& world, HostId host,
                         FastInstant until) const {
  return world.clock(host).fast.When(until.nanoseconds());
}

// --- Views -------------------------------------------------------------------

std::string Judge::Unsettled(const World& world) const {
  std::string apart = FindDisagreement(world);
  if (!apart.empty()) return apart;
  std::optional<ClusterId> cluster;
  for (const auto& [host, process] : processes_) {
    if (process.cluster.IsNone()) continue;
    if (process.cluster != cluster.value_or(process.cluster)) {
      return Say(HostName(host), " is in another cluster");
    }
    cluster = process.cluster;
  }
  if (!cluster.has_value()) return "";
  return FindLeftover(world, clusters_.at(*cluster).model);
}

Judge::Ending Judge::EndingOf(NodeId node) const {
  const auto found = endings_.find(node);
  return found == endings_.end() ? Ending() : found->second;
}

size_t Judge::unanswered() const {
  size_t count = 0;
  for (const auto& [host, process] : processes_) {
    count += process.answers.open();
  }
  return count;
}

std::vector<ClusterId> Judge::clusters() const { return cluster_order_; }

LogIndex Judge::committed(ClusterId cluster) const {
  return clusters_.at(cluster).log.last();
}

const Configuration& Judge::configuration(ClusterId cluster) const {
  return clusters_.at(cluster).configurations.last();
}

const LockTable& Judge::table(ClusterId cluster) const {
  return clusters_.at(cluster).table;
}

}  // namespace cachalot::sim
