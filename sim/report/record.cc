#include "sim/report/record.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/client/client.h"
#include "engine/consensus/consensus.h"
#include "engine/locks/lock_table.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "sim/world/clock.h"
#include "sim/world/describe.h"
#include "sim/world/network.h"
#include "sim/world/trace.h"

namespace cachalot::sim {
namespace {

MessageFamily FamilyOf(const Message& message) {
  return std::visit(
      [](const auto& m) {
        using M = std::decay_t<decltype(m)>;
        if constexpr (std::is_constructible_v<MembershipMessage, const M&> ||
                      std::is_constructible_v<BirthMessage, const M&>) {
          return MessageFamily::kMembership;
        } else if constexpr (std::is_constructible_v<ConsensusMessage,
                                                     const M&>) {
          return MessageFamily::kConsensus;
        } else {
          static_assert(std::is_constructible_v<ClientMessage, const M&>);
          return MessageFamily::kClient;
        }
      },
      message);
}

const char* RoleOf(const Node& node) {
  if (node.has_left()) return "left";
  if (node.identity().cluster.IsNone()) return "seeking";
  const Consensus& consensus = node.consensus();
  const bool is_idle = consensus.role() == Consensus::Role::kFollower &&
                       !consensus.IsVoter(node.id());
  return is_idle ? "member" : RoleName(consensus.role());
}

HostId HostAt(const World& world, const Address& address) {
  for (const HostId host : world.hosts()) {
    if (HostAddress(host) == address) return host;
  }
  return HostId();
}

Describer DescriberOf(const World& world) {
  return Describer(
      [&world](const Address& address) { return world.NameOf(address); });
}

uint64_t HashOf(const std::string& bytes) {
  TraceHash hash;
  hash.Add(bytes);
  return hash.value();
}

std::vector<LockInfo> AllLocks(const LockTable& table) {
  std::vector<LockInfo> locks;
  ListLocksRequest page;
  for (bool more = true; more; page.after = locks.back().key) {
    std::vector<LockInfo> next = table.List(page, table.time(), &more);
    std::move(next.begin(), next.end(), std::back_inserter(locks));
    if (locks.empty()) break;
  }
  return locks;
}

// Why the belief that was granted to `request` was lost in this step.
std::string LossOf(RequestId request, const Actions& actions) {
  for (const Action& action : actions) {
    const auto* notice = std::get_if<NotifyHolder>(&action);
    if (notice == nullptr || notice->request != request) continue;
    if (notice->belief == Belief::kLost) return LossReasonName(notice->reason);
  }
  return "released";
}

}  // namespace

const char* MessageFamilyName(MessageFamily family) {
  switch (family) {
    case MessageFamily::kMembership:
      return "membership";
    case MessageFamily::kConsensus:
      return "consensus";
    case MessageFamily::kClient:
      return "callers";
    case MessageFamily::kNoise:
      return "noise";
  }
  return "?";
}

Recording Recorder::Take() {
  Recording taken = recording_;
  for (const auto& [id, host] : hosts_of_) {
    taken.names.emplace_back(id.ToShortString(), host);
  }
  const RealInstant end = taken.end;
  const auto close = [end](auto& spans) {
    for (auto& item : spans) item.span.end = std::min(item.span.end, end);
  };
  close(taken.roles);
  close(taken.pauses);
  close(taken.cuts);
  close(taken.holds);
  close(taken.waits);
  return taken;
}

// --- Processes ---------------------------------------------------------------

void Recorder::Started(const World& world, HostId host) {
  processes_[host] = Process();
  NoteRole(world, host);
  UpdateCutsAndPauses(world, "");
}

void Recorder::Stopping(const World& world, HostId host) {
  Process& process = processes_[host];
  const RealInstant now = world.now();
  if (process.role.has_value()) recording_.roles[*process.role].span.end = now;
  if (process.pause.has_value()) {
    recording_.pauses[*process.pause].span.end = now;
  }
  for (const auto& [request, belief] : process.beliefs) {
    EndBelief(world, belief, "its process is gone");
  }
  for (const auto& [request, wait] : process.waits) {
    recording_.waits[wait].span.end = now;
    recording_.waits[wait].outcome = "its process is gone";
  }
  processes_.erase(host);
}

void Recorder::Intervened(const World& world, HostId host,
                          absl::string_view what) {
  recording_.interventions.push_back({world.now(), host, std::string(what)});
  UpdateCutsAndPauses(world, what);
}

void Recorder::UpdateCutsAndPauses(const World& world, absl::string_view why) {
  recording_.host_count = world.host_count();
  recording_.end = world.now();
  UpdateCuts(world, why);
  for (const auto& [host, process] : processes_) UpdatePause(world, host);
}

void Recorder::UpdateCuts(const World& world, absl::string_view why) {
  if (world.network().cuts() == cuts_) return;
  if (!cuts_.empty()) recording_.cuts.back().span.end = world.now();
  cuts_ = world.network().cuts();
  if (cuts_.empty()) return;
  CutSpan cut;
  cut.span.begin = world.now();
  cut.text = std::string(why);
  for (const auto& [from, to] : cuts_) {
    cut.links.emplace_back(HostAt(world, from), HostAt(world, to));
  }
  recording_.cuts.push_back(std::move(cut));
}

void Recorder::UpdatePause(const World& world, HostId host) {
  Process& process = processes_.at(host);
  if (world.IsPaused(host) == process.pause.has_value()) return;
  if (process.pause.has_value()) {
    recording_.pauses[*process.pause].span.end = world.now();
    process.pause.reset();
    return;
  }
  process.pause = recording_.pauses.size();
  recording_.pauses.push_back({{world.now()}, host});
}

// --- Steps -------------------------------------------------------------------

void Recorder::Stepping(const World& world, HostId host, const Event& event) {
  UpdateCutsAndPauses(world, "");
  RecordedStep step;
  step.at = world.now();
  step.host = host;
  recording_.steps.push_back(std::move(step));
  is_stepping_ = true;
  NoteArrival(world, event);
}

void Recorder::Noted(const World&, HostId, absl::string_view decision) {
  // Decisions of a process while it starts belong to no step.
  if (is_stepping_) step().decisions.emplace_back(decision);
}

void Recorder::Stepped(const World& world, HostId host, const Event& event,
                       const Actions& actions) {
  is_stepping_ = false;
  for (const Action& action : actions) NoteAction(world, host, action);
  NoteRole(world, host);
  NoteHolds(world, host);
  NoteWaits(world, host, event, actions);
  NoteBeliefs(world, host, actions);
}

void Recorder::NoteAction(const World& world, HostId host,
                          const Action& action) {
  // Comes with each answer to a keep-alive; NoteBeliefs() shows its effect.
  if (std::holds_alternative<AnnounceSession>(action)) return;
  RecordedAction recorded;
  if (const auto* datagram = std::get_if<SendDatagram>(&action)) {
    recorded.message = NoteSent(world, host, datagram->to,
                                /*is_datagram=*/true, datagram->bytes);
  }
  if (const auto* frame = std::get_if<SendFrame>(&action)) {
    recorded.message = NoteSent(world, host, frame->to,
                                /*is_datagram=*/false, frame->bytes);
  }
  if (const auto* answer = std::get_if<AnswerFrame>(&action)) {
    recorded.message = NoteSent(world, host, answer->to,
                                /*is_datagram=*/false, answer->bytes);
  }
  if (!recorded.message.has_value()) {
    recorded.text = DescriberOf(world).Describe(action);
  }
  step().actions.push_back(std::move(recorded));
}

void Recorder::NoteRole(const World& world, HostId host) {
  const Node& node = *world.node(host);
  hosts_of_[node.id()] = host;
  std::optional<size_t>& current = processes_.at(host).role;
  const char* const role = RoleOf(node);
  const Term term = node.consensus().term();
  if (current.has_value()) {
    RoleSpan& last = recording_.roles[*current];
    if (last.role == role && last.term == term) return;
    last.span.end = world.now();
  }
  current = recording_.roles.size();
  recording_.roles.push_back({{world.now()}, host, role, term});
}

// --- Locks -------------------------------------------------------------------

void Recorder::NoteHolds(const World& world, HostId host) {
  const Node& node = *world.node(host);
  if (node.identity().cluster.IsNone()) return;
  const auto [found, is_new] = clusters_.try_emplace(node.identity().cluster);
  Cluster& cluster = found->second;
  if (is_new) cluster.number = clusters_.size() - 1;
  if (node.consensus().applied() <= cluster.applied) return;
  cluster.applied = node.consensus().applied();

  std::vector<HoldSpan>& holds = recording_.holds;
  absl::btree_map<std::string, size_t> still;
  for (LockInfo& lock : AllLocks(node.table())) {
    const std::string token = lock.token.ToString();
    const auto held = cluster.holds.find(lock.key);
    if (held != cluster.holds.end() && holds[held->second].token == token) {
      still[lock.key] = held->second;
      continue;
    }
    const auto holder = hosts_of_.find(lock.holder.node);
    still[lock.key] = holds.size();
    holds.push_back({{world.now()},
                     std::move(lock.key),
                     cluster.number,
                     holder == hosts_of_.end() ? HostId() : holder->second,
                     token});
  }
  for (const auto& [key, index] : cluster.holds) {
    const auto kept = still.find(key);
    if (kept != still.end() && kept->second == index) continue;
    holds[index].span.end = world.now();
  }
  cluster.holds = std::move(still);
}

void Recorder::NoteBeliefs(const World& world, HostId host,
                           const Actions& actions) {
  absl::btree_map<RequestId, size_t>& open = processes_.at(host).beliefs;
  absl::btree_set<RequestId> still;
  for (const Client::Held& held : world.node(host)->client().held()) {
    still.insert(held.request);
    NoteBelief(world, host, held);
  }
  for (auto belief = open.begin(); belief != open.end();) {
    if (still.contains(belief->first)) {
      ++belief;
      continue;
    }
    EndBelief(world, belief->second, LossOf(belief->first, actions));
    belief = open.erase(belief);
  }
}

// The end of a belief is known when it begins. A paused holder learns late that
// its belief has ended, but by its clock it has.
void Recorder::NoteBelief(const World& world, HostId host,
                          const Client::Held& held) {
  const RealInstant until =
      world.clock(host).fast.When(held.belief_end.nanoseconds());
  const bool is_suspect = held.belief == Belief::kSuspect;
  absl::btree_map<RequestId, size_t>& open = processes_.at(host).beliefs;
  const auto found = open.find(held.request);
  if (found != open.end()) {
    BeliefRecord& last = recording_.beliefs[found->second];
    if (last.is_suspect == is_suspect) {
      last.span.end = until;
      return;
    }
    last.span.end = world.now();
  }
  open[held.request] = recording_.beliefs.size();
  recording_.beliefs.push_back({{world.now(), until},
                                held.key,
                                host,
                                held.token.ToString(),
                                is_suspect,
                                /*ended_by=*/""});
}

void Recorder::EndBelief(const World& world, size_t belief,
                         std::string ended_by) {
  BeliefRecord& record = recording_.beliefs[belief];
  record.span.end = std::min(record.span.end, world.now());
  record.ended_by = std::move(ended_by);
}

void Recorder::NoteWaits(const World& world, HostId host, const Event& event,
                         const Actions& actions) {
  Process& process = processes_.at(host);
  if (const auto* submitted = std::get_if<RequestSubmitted>(&event)) {
    if (const auto* acquire = std::get_if<AcquireRequest>(&submitted->body)) {
      process.waits[submitted->request] = recording_.waits.size();
      recording_.waits.push_back(
          {{world.now()}, acquire->key, host, submitted->request, ""});
    }
  }
  for (const Action& action : actions) {
    const auto* answer = std::get_if<AnswerRequest>(&action);
    if (answer == nullptr) continue;
    const auto found = process.waits.find(answer->request);
    if (found == process.waits.end()) continue;
    WaitSpan& wait = recording_.waits[found->second];
    wait.span.end = world.now();
    wait.outcome = OutcomeName(answer->answer.outcome);
    process.waits.erase(found);
  }
}

// --- Messages ----------------------------------------------------------------

void Recorder::NoteArrival(const World& world, const Event& event) {
  const HostId host = step().host;
  if (const auto* datagram = std::get_if<DatagramReceived>(&event)) {
    const Link link(HostAt(world, datagram->from), host);
    step().message = Match(link, /*is_datagram=*/true, datagram->bytes);
  }
  if (const auto* frame = std::get_if<FrameReceived>(&event)) {
    const Link link(HostAt(world, frame->from), host);
    step().message = Match(link, /*is_datagram=*/false, frame->bytes);
  }
  if (const auto* change = std::get_if<LinkChanged>(&event)) {
    // The frames of the broken stream are lost.
    if (!change->up) frames_[{host, HostAt(world, change->peer)}].clear();
  }
  if (!step().message.has_value()) {
    step().event = DescriberOf(world).Describe(event);
  }
}

std::optional<size_t> Recorder::Match(const Link& link, bool is_datagram,
                                      const std::string& bytes) {
  const uint64_t hash = HashOf(bytes);
  const std::optional<size_t> message =
      is_datagram ? MatchDatagram(link, hash) : MatchFrame(link, hash);
  if (message.has_value()) {
    recording_.messages[*message].taken.push_back(recording_.steps.size() - 1);
  }
  return message;
}

std::optional<size_t> Recorder::MatchFrame(const Link& link, uint64_t hash) {
  std::deque<Frame>& frames = frames_[link];
  const auto found =
      std::find_if(frames.begin(), frames.end(),
                   [hash](const Frame& frame) { return frame.hash == hash; });
  if (found == frames.end()) return std::nullopt;
  const size_t message = found->message;
  // Those before it can no longer arrive.
  frames.erase(frames.begin(), found + 1);
  return message;
}

std::optional<size_t> Recorder::MatchDatagram(const Link& link, uint64_t hash) {
  const auto found = datagrams_.find({link, hash});
  if (found == datagrams_.end()) return std::nullopt;
  Flight& flight = found->second;
  if (!flight.open.empty()) {
    flight.last_taken = flight.open.front();
    flight.open.pop_front();
  }
  return flight.last_taken;
}

std::optional<size_t> Recorder::NoteSent(const World& world, HostId from,
                                         const Address& to, bool is_datagram,
                                         const std::string& bytes) {
  RecordedMessage message;
  message.from = from;
  message.to = HostAt(world, to);
  if (message.to == HostId()) return std::nullopt;
  message.is_datagram = is_datagram;
  message.sent = recording_.steps.size() - 1;
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (envelope.ok()) {
    message.family = FamilyOf(envelope->message);
    message.text = Describer::Describe(envelope->message);
    message.kind = message.text.substr(0, message.text.find(' '));
  } else {
    message.kind = "noise";
    message.text = absl::StrCat(bytes.size(), " bytes of noise");
  }
  const size_t index = recording_.messages.size();
  const Link link(from, message.to);
  recording_.messages.push_back(std::move(message));
  if (is_datagram) {
    datagrams_[{link, HashOf(bytes)}].open.push_back(index);
  } else {
    frames_[link].push_back({HashOf(bytes), index});
  }
  return index;
}

}  // namespace cachalot::sim
