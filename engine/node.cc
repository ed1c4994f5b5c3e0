#include "engine/node.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/check.h"
#include "engine/limits.h"
#include "engine/overloaded.h"
#include "engine/wire/codec.h"

// The step, and what the machines tell each other in it. How a node comes to
// have a cluster is in node_birth.cc, what a leader does besides ordering
// entries in node_duties.cc, how callers reach the leader in node_callers.cc,
// what can be seen of a node in node_views.cc.

namespace cachalot {
namespace {

// A step this long after the deadline, or longer, means that the process was
// stopped or starved, and that messages may be waiting which would have kept
// timers from firing.
constexpr absl::Duration StallMin() { return absl::Milliseconds(100); }
// A late step within this time after a stall is not another stall: the node is
// merely slow, and has read by now the messages that were waiting. With the
// default options this is longer than consensus and membership put off their
// timers after a stall.
constexpr absl::Duration StallMemory() { return absl::Seconds(2); }
// If the driver does not end the turn, the node sends what it has gathered
// after this time.
constexpr absl::Duration TurnMax() { return absl::Milliseconds(1); }

Membership MakeMembership(const NodeOptions& options, NodeId self,
                          const std::vector<Address>& seeds, uint64_t seed,
                          const Now& now) {
  return Membership(options.membership, self, options.address, options.name,
                    seeds, Random(seed, "membership"), now.slow,
                    options.observer);
}

// So many replies fit a frame: each has at most a key, a name, a label and a
// reason.
constexpr size_t kRepliesPerFrame = 2048;
constexpr size_t kReadsPerFrame = 1024;  // two keys each

// Calls `take` with the items, in order, in as few parts as their sizes allow.
template <typename Item, typename SizeOf, typename Take>
void ForEachPart(absl::Span<Item> items, const SizeOf& size_of, size_t part_max,
                 const Take& take) {
  size_t first = 0;
  size_t size = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const size_t item_size = static_cast<size_t>(size_of(items[i]));
    if (i > first && size + item_size > part_max) {
      take(items.subspan(first, i - first));
      first = i;
      size = 0;
    }
    size += item_size;
  }
  if (first < items.size()) take(items.subspan(first));
}

// Leaves its memory to what `items` are part of: the next turn needs it again.
template <typename Item>
std::vector<Item> MoveOut(absl::Span<Item> items) {
  return std::vector<Item>(std::make_move_iterator(items.begin()),
                           std::make_move_iterator(items.end()));
}

NodeId DrawNodeId(Random& random) {
  return NodeId{.high = random.Next(), .low = random.Next() | 1};
}

absl::StatusOr<LockTable> TableOf(const Snapshot& snapshot) {
  absl::StatusOr<LockTable> table = LockTable::Decode(snapshot.table.view());
  if (!table.ok()) return table;
  // It could not apply the entries that follow the snapshot.
  if (table->applied() > snapshot.index || table->time() > snapshot.time) {
    return absl::InvalidArgumentError("lock table: ahead of its snapshot");
  }
  return table;
}

// Every part of a saved state that comes from a disk is checked before use.
absl::Status Validate(const SavedState& saved) {
  if (saved.identity.node.IsNone()) {
    return absl::InvalidArgumentError("the saved state names no node");
  }
  if (saved.snapshot.has_value() &&
      saved.first != saved.snapshot->index.Next()) {
    return absl::InvalidArgumentError(
        "the saved log does not go on from the saved snapshot");
  }
  Term term = saved.snapshot.has_value() ? saved.snapshot->term : Term();
  ClusterTime time =
      saved.snapshot.has_value() ? saved.snapshot->time : ClusterTime();
  for (const Entry& entry : saved.entries) {
    if (entry.term < term || entry.time < time) {
      return absl::InvalidArgumentError("terms or times fall in the saved log");
    }
    term = entry.term;
    time = entry.time;
    if (entry.kind == EntryKind::kConfiguration) {
      const auto configuration = DecodeConfiguration(entry.payload.view());
      if (!configuration.ok()) return configuration.status();
    }
  }
  return absl::OkStatus();
}

// A holder is told that its lock is lost before another caller of this process
// may be told that it has the lock. Notices about a grant of this step come
// after the grant. The notices about one grant keep their order.
void TellCallers(absl::Span<AnswerRequest> answers,
                 absl::Span<NotifyHolder> notices, Actions& actions) {
  absl::InlinedVector<RequestId, 16> granted;
  for (const AnswerRequest& answer : answers) {
    if (!answer.answer.token.IsNone()) granted.push_back(answer.request);
  }
  std::sort(granted.begin(), granted.end());
  const auto comes_first = [&granted](const NotifyHolder& notice) {
    return !std::binary_search(granted.begin(), granted.end(), notice.request);
  };
  actions.reserve(actions.size() + answers.size() + notices.size());
  std::vector<NotifyHolder> later;
  for (NotifyHolder& notice : notices) {
    if (comes_first(notice)) {
      actions.push_back(std::move(notice));
    } else {
      later.push_back(std::move(notice));
    }
  }
  std::move(answers.begin(), answers.end(), std::back_inserter(actions));
  std::move(later.begin(), later.end(), std::back_inserter(actions));
}

}  // namespace

// --- Creation ---------------------------------------------------------------

absl::StatusOr<Node> Node::Create(NodeOptions options, const Now& now,
                                  std::optional<SavedState> saved) {
  if (absl::Status status = cachalot::Validate(options); !status.ok()) {
    return status;
  }
  if (!saved.has_value() || saved->identity.cluster.IsNone()) {
    Random random(options.seed, "identity");
    Identity identity{.node = DrawNodeId(random)};
    Node node(std::move(options), now, identity);
    node.birth_ = node.MakeBirth(node.ListeningTime());
    node.IntroduceSeeker();
    node.deadline_ = node.FindDeadline();
    return node;
  }
  if (absl::Status status = Validate(*saved); !status.ok()) return status;
  LockTable table;
  if (saved->snapshot.has_value() && saved->snapshot->index != LogIndex()) {
    absl::StatusOr<LockTable> decoded = TableOf(*saved->snapshot);
    if (!decoded.ok()) return decoded.status();
    table = *std::move(decoded);
  }
  Node node(std::move(options), now, saved->identity);
  node.table_ = std::move(table);
  node.consensus_.Restore(now.slow, *saved);
  node.ComeBackToCluster();
  node.identity_saved_ = true;
  node.tokens_seen_ = std::max(node.tokens_seen_, saved->identity.token_base);
  // The other voters may still listen where they did.
  for (const Voter& voter : node.consensus_.configuration().voters) {
    if (voter.id != node.identity_.node) {
      node.options_.seeds.push_back(voter.address);
    }
  }
  node.membership_.SetSeeds(now.slow, node.options_.seeds);
  // A number that no earlier process of this node has used. Without a memory
  // only the wall clock can tell.
  node.client_.NumberFrom(node.options_.memory.has_value()
                              ? node.memory_.starts << 20
                              : node.options_.token_base >> 10);
  node.client_.Join(now.fast, node.TokenFloor());
  node.deadline_ = node.FindDeadline();
  return node;
}

Node::Node(NodeOptions options, const Now& now, Identity identity)
    : options_(std::move(options)),
      random_(options_.seed, "node"),
      identity_(identity),
      now_(now),
      membership_(MakeMembership(options_, identity_.node, options_.seeds,
                                 options_.seed, now)),
      consensus_(options_.consensus, identity_.node,
                 Random(options_.seed, "consensus"), now.slow,
                 options_.observer),
      client_(options_.lease, identity_.node, options_.name, options_.observer),
      next_join_ask_(now.slow),
      next_founder_ask_(now.slow),
      majority_(options_.consensus),
      next_guess_(now.slow),
      expiry_not_before_(now.slow),
      next_voter_review_(now.slow),
      next_leave_intent_(now.slow),
      stall_remembered_until_(now.slow),
      introductions_since_(now.slow),
      cluster_name_(HashClusterName(options_.cluster)) {
  for (Address& address : options_.local_addresses) address.port = 0;
  std::sort(options_.local_addresses.begin(), options_.local_addresses.end());
  std::sort(options_.founders.begin(), options_.founders.end());
  if (!options_.memory.has_value()) return;
  memory_ = *options_.memory;
  tokens_seen_ = memory_.tokens_seen;
  AddRememberedSeeds();
  membership_.SetSeeds(now.slow, options_.seeds);
}

// The members of the cluster that it remembers may still listen where they did.
void Node::AddRememberedSeeds() {
  std::vector<Address>& seeds = options_.seeds;
  for (const Address& peer : memory_.peers) {
    if (seeds.size() == limits::kSeedsMax) return;
    const bool is_known =
        peer == options_.address ||
        std::find(seeds.begin(), seeds.end(), peer) != seeds.end();
    if (!is_known) seeds.push_back(peer);
  }
}

// --- The step ---------------------------------------------------------------

Actions Node::Step(const Now& now, const Event& event) {
  CHECK(now_.slow <= now.slow) << "the slow clock went backwards";
  CHECK(now_.fast <= now.fast) << "the fast clock went backwards";
  if (phase_ == Phase::kLeft) return StepAfterLeaving(now, event);
  Outbox& out = outbox_;
  FireTimers(now, out);                                       // 1. time
  std::visit([&](const auto& e) { Handle(e, out); }, event);  // 2. news
  Settle(out);                                                // 3. effects
  Emit(out);                                                  // 4. orders
  deadline_ = FindDeadline();
  CHECK(!deadline_.IsDue(now_)) << "the driver would spin";
  if (actions_.empty()) return {};
  Actions actions = std::move(actions_);
  actions_.clear();
  return actions;
}

// After leaving, events have no effect, but callers are answered.
Actions Node::StepAfterLeaving(const Now& now, const Event& event) {
  now_ = now;
  Actions actions;
  if (const auto* submitted = std::get_if<RequestSubmitted>(&event)) {
    Answer answer;
    answer.outcome = Outcome::kLeaving;
    answer.text = "this node has left the cluster";
    actions.push_back(AnswerRequest{.request = submitted->request,
                                    .answer = std::move(answer)});
  }
  return actions;
}

void Node::FireTimers(const Now& now, Outbox& out) {
  now_ = now;
  const SlowInstant due = deadline_.slow;
  if (due <= now.slow && now.slow - due >= StallMin()) {
    ++stats_.stalls;
    majority_.NoteStall(now.slow - due);
    // Otherwise a node that is always late would put off its timers for ever.
    if (due > stall_remembered_until_) NoteStall(now.slow - due);
  }
  if (deadline_.IsDue(now)) {
    client_.FireTimers(now.fast);  // belief ends before anything else happens
    membership_.FireTimers(now.slow, out);
    consensus_.FireTimers(now.slow, out);
  }
  if (phase_ == Phase::kLeaving) FireLeave(out);
  if (flush_by_ <= now.slow) Flush(out);
}

// Messages that would have kept timers from firing, keep-alives among them, may
// be waiting in our sockets. They are to be read before timers fire
// (engine/consensus/README.md, rule 20).
void Node::NoteStall(absl::Duration lateness) {
  stall_remembered_until_ = now_.slow + std::max(lateness, StallMemory());
  Observe([&] { return Stalled{.late = lateness}; });
  consensus_.NoteStall(now_.slow, lateness);
  membership_.NoteStall(now_.slow, lateness);
  expiry_not_before_ = std::max(expiry_not_before_, now_.slow + lateness);
}

Deadline Node::FindDeadline() const {
  Deadline deadline;
  if (phase_ == Phase::kLeft) return deadline;
  deadline.fast = client_.NextDeadline();
  deadline.slow = std::min({membership_.NextDeadline(),
                            consensus_.NextDeadline(), majority_.NextDeadline(),
                            unbind_at_, leave_by_, flush_by_, NextExpiry()});
  if (phase_ == Phase::kSeeking) {
    deadline.slow = std::min(deadline.slow, birth_.NextDeadline());
    if (birth_.takes_part() && !membership_.others().empty()) {
      deadline.slow = std::min(deadline.slow, next_founder_ask_);
    }
  }
  // Without a cluster they are remembered as soon as there is one.
  if (peers_have_changed_ && next_peers_ > now_.slow) {
    deadline.slow = std::min(deadline.slow, next_peers_);
  }
  if (consensus_.leads()) {
    deadline.slow = std::min(deadline.slow, next_voter_review_);
  }
  if (phase_ == Phase::kLeaving && client_.closed()) {
    deadline.slow = std::min(deadline.slow, next_leave_intent_);
  }
  const bool guesses =
      !identity_.cluster.IsNone() && consensus_.leader().IsNone();
  if (guesses) deadline.slow = std::min(deadline.slow, next_guess_);
  return deadline;
}

// Passes the results of each machine to the next, in one fixed order.
void Node::Settle(Outbox& out) {
  for (const Membership::Change& change : membership_.TakeChanges()) {
    if (change.fact.state != MemberState::kAlive) birth_.Forget(change.fact.id);
    peers_have_changed_ = true;
    const bool is_gone = change.fact.state >= MemberState::kFailed;
    if (is_gone && change.fact.id == leader_guess_) next_guess_ = now_.slow;
    next_voter_review_ = now_.slow;
  }
  FireBirth(out);
  if (consensus_.arrived_snapshot() != nullptr) TakeSnapshot(out);
  ApplyCommitted();
  AnswerReads(out);
  // The last lock may have been given back just now.
  if (phase_ == Phase::kLeaving) FireLeave(out);
  ReviewVoters();
  ProposeExpiry();
  UpdateLeader();
  AnnounceSessionEnd();
  DrainClient();
  NoteLeadership();
  WatchMajority(out);
  NoteMemory();
  Announce();
  const bool has_proposals =
      !proposals_.empty() &&
      (!consensus_.leads() || consensus_.commit() > LogIndex());
  const bool has_work = has_proposals || !forward_.commands.empty() ||
                        !forward_.reads.empty() || !replies_.empty() ||
                        consensus_.NeedsFlush();
  if (!has_work) {
    flush_by_ = SlowInstant::Never();
  } else if (flush_by_ == SlowInstant::Never()) {
    flush_by_ = now_.slow + TurnMax();
  }
}

void Node::TakeSnapshot(Outbox& out) {
  absl::StatusOr<LockTable> table = TableOf(*consensus_.arrived_snapshot());
  if (!table.ok()) {
    Note([&] {
      return absl::StrCat("snapshot does not decode: ",
                          table.status().message());
    });
    consensus_.RejectSnapshot();
    return;
  }
  table_ = *std::move(table);
  consensus_.InstallSnapshot(now_.slow, out);
}

// Applies committed entries to the table. Only the leader sends the replies.
void Node::ApplyCommitted() {
  while (const Entry* entry = consensus_.NextCommitted()) {
    const LogIndex index = consensus_.applied().Next();
    if (entry->kind == EntryKind::kCommands) {
      // An entry that does not decode has no effect on any node.
      absl::StatusOr<std::vector<LockCommand>> commands =
          DecodeCommands(entry->payload.view());
      if (!commands.ok()) {
        ++stats_.undecodable;
        commands = std::vector<LockCommand>();
      }
      std::vector<Reply> replies;
      if (consensus_.leads()) {
        replies = table_.Apply(index, entry->time, *commands);
      } else {
        table_.ApplyWithoutReplies(index, entry->time, *commands);
      }
      consensus_.AdvanceApplied();
      Deliver(std::move(replies));
    } else {
      consensus_.AdvanceApplied();
      next_voter_review_ = now_.slow;
    }
  }
  if (consensus_.wants_snapshot() || consensus_.wants_compaction()) {
    if (consensus_.applied() > LogIndex()) {
      consensus_.StoreSnapshot(now_.slow, table_.Encode());
    }
  }
}

void Node::Deliver(std::vector<Reply> replies) {
  for (Reply& reply : replies) {
    if (reply.session.node == identity_.node) {
      client_.Receive(now_.fast, reply);
    } else {
      replies_[reply.session.node].replies.push_back(std::move(reply));
    }
  }
}

// Runs before DrainClient(): a driver learns the session's end before it hands
// out what was granted in the session.
void Node::AnnounceSessionEnd() {
  if (!client_.has_session()) return;
  const AnnounceSession session = {.session = client_.session(),
                                   .belief_end = client_.session_belief_end()};
  if (session.session == session_announced_.session &&
      session.belief_end == session_announced_.belief_end) {
    return;
  }
  session_announced_ = session;
  actions_.push_back(session);
}

void Node::DrainClient() {
  if (!client_.has_output()) return;
  Client::Output& output = client_.output();
  TellCallers(absl::MakeSpan(output.answers), absl::MakeSpan(output.notices),
              actions_);
  std::vector<LockCommand>& commands =
      consensus_.leads() ? proposals_ : forward_.commands;
  for (LockCommand& command : output.commands) {
    commands.push_back(std::move(command));
  }
  for (Read& read : output.reads) {
    if (consensus_.leads()) {
      reads_[++last_read_] = {identity_.node, std::move(read)};
      consensus_.RequestRead(last_read_);
    } else {
      forward_.reads.push_back(std::move(read));
    }
  }
  output.Clear();
}

void Node::Announce() {
  AnnounceStanding standing;
  standing.joined = !identity_.cluster.IsNone();
  standing.has_leader = !leader().IsNone();
  standing.has_session = client_.has_session();
  if (standing.joined == standing_.joined &&
      standing.has_leader == standing_.has_leader &&
      standing.has_session == standing_.has_session) {
    return;
  }
  standing_ = standing;
  actions_.push_back(standing);
}

// --- Events -----------------------------------------------------------------

void Node::Handle(const TurnEnded&, Outbox& out) { Flush(out); }

void Node::Handle(const DatagramReceived& event, Outbox& out) {
  Receive(event.bytes, {.source = event.from, .on_stream = false}, out);
}

void Node::Handle(const FrameReceived& event, Outbox& out) {
  Receive(event.bytes, {.source = event.from, .on_stream = true}, out);
}

void Node::Handle(const LinkChanged& event, Outbox& /*out*/) {
  if (event.up) {
    broken_links_.erase(event.peer);
    return;
  }
  NodeId peer;
  for (const auto& [id, fact] : membership_.others()) {
    if (fact.address == event.peer &&
        broken_links_.size() < limits::kMembersMax) {
      broken_links_.insert(event.peer);
    }
    if (fact.address == event.peer && fact.state <= MemberState::kSuspect) {
      peer = id;
    }
  }
  if (peer.IsNone()) return;
  consensus_.NoteLinkDown(peer);
  const NodeId leader = consensus_.leader();
  if (peer == (leader.IsNone() ? leader_guess_ : leader)) {
    client_.NoteLinkDown(now_.fast);
  }
}

void Node::Handle(const SeedsResolved& event, Outbox& /*out*/) {
  options_.seeds = event.seeds;
  if (options_.seeds.size() > limits::kSeedsMax) {
    options_.seeds.resize(limits::kSeedsMax);
  }
  if (identity_.cluster.IsNone()) AddRememberedSeeds();
  membership_.SetSeeds(now_.slow, options_.seeds);
  if (event.is_self_only) FoundAfterAll();
}

void Node::Handle(const StateSaved& event, Outbox& out) {
  consensus_.NoteSaved(now_.slow, event.save, out);
  while (!withheld_.empty() && withheld_.front().after <= event.save) {
    Emit(std::move(withheld_.front()));
    withheld_.pop_front();
  }
}

void Node::Handle(const RequestSubmitted& event, Outbox& /*out*/) {
  client_.Submit(now_.fast, event.request, event.body);
}

void Node::Handle(const RequestWithdrawn& event, Outbox& /*out*/) {
  client_.Withdraw(now_.fast, event.request);
}

void Node::Handle(const LeaveRequested&, Outbox& out) {
  if (phase_ == Phase::kLeaving) return;
  Note([&] { return "asked to leave"; });
  phase_ = Phase::kLeaving;
  birth_ = Birth();
  leave_by_ = now_.slow + options_.lease.leave_timeout;
  client_.Leave(now_.fast);
  FireLeave(out);
}

// --- Messages ---------------------------------------------------------------

void Node::Receive(absl::string_view bytes, Origin origin, Outbox& out) {
  absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (!envelope.ok()) {
    ++(absl::IsUnimplemented(envelope.status()) ? stats_.other_version
                                                : stats_.undecodable);
    return;
  }
  origin.claimed = envelope->from_address;
  origin.is_local = IsOfThisMachine(origin.source);
  if (envelope->cluster_name != cluster_name_) {
    return RefuseOtherName(*envelope, origin, out);
  }
  if (!origin.claimed.IsNone() && !origin.MayName(origin.claimed)) {
    return RefuseAddress(*envelope, origin);
  }
  if (!Admit(*envelope, origin, out)) return;
  ++stats_.admitted;
  if (majority_.is_watching()) NoteHeard(envelope->from);
  Observe([&] {
    return MemberHeard{.id = envelope->from,
                       .source = origin.source,
                       .address = origin.claimed,
                       .on_stream = origin.on_stream};
  });
  Dispatch(*std::move(envelope), origin, out);
}

bool Node::IsOfThisMachine(const Address& address) const {
  if (address.IsLoopback() || address.ip == options_.address.ip) return true;
  return std::binary_search(options_.local_addresses.begin(),
                            options_.local_addresses.end(),
                            Address{.ip = address.ip});
}

// The sender is on another machine and says that it listens at a loopback
// address. It can reach us, but what we sent to that address would reach a
// process on our own machine.
void Node::RefuseAddress(const Envelope& envelope, const Origin& origin) {
  ++stats_.misadvertised;
  Observe([&] {
    AddressRefused refused = {.id = envelope.from,
                              .address = origin.claimed,
                              .reported_by = envelope.from,
                              .source = origin.source};
    if (const auto* list = std::get_if<PushPull>(&envelope.message)) {
      for (const MemberFact& fact : list->members) {
        if (fact.id == envelope.from) refused.name = fact.name;
      }
    }
    return refused;
  });
}

void Node::Dispatch(Envelope envelope, const Origin& origin, Outbox& out) {
  const NodeId from = envelope.from;
  const auto to_membership = [&](auto m) {
    membership_.Receive(now_.slow, from, origin, std::move(m), out);
  };
  const auto to_consensus = [&](auto m) {
    consensus_.Receive(now_.slow, from, std::move(m), out);
  };
  std::visit(
      Overloaded{
          [&](Ping&& m) { to_membership(std::move(m)); },
          [&](PingRequest&& m) { to_membership(std::move(m)); },
          [&](Ack&& m) { to_membership(std::move(m)); },
          [&](Nack&& m) { to_membership(std::move(m)); },
          [&](Gossip&& m) { to_membership(std::move(m)); },
          [&](PushPull&& m) { to_membership(std::move(m)); },
          [&](VoteRequest&& m) { to_consensus(std::move(m)); },
          [&](VoteReply&& m) { to_consensus(std::move(m)); },
          [&](Append&& m) { to_consensus(std::move(m)); },
          [&](AppendReply&& m) { to_consensus(std::move(m)); },
          [&](SnapshotChunk&& m) { to_consensus(std::move(m)); },
          [&](SnapshotReply&& m) { to_consensus(std::move(m)); },
          [&](TimeoutNow&& m) { to_consensus(std::move(m)); },
          [&](LeaveIntent&& m) { OnLeaveIntent(from, m, out); },
          [&](LeaveReply&& m) { to_consensus(std::move(m)); },
          [&](Forward&& m) { OnForward(from, std::move(m), out); },
          [&](Replies&& m) { OnReplies(from, m); },
          [&](Redirect&& m) { OnRedirect(from, m); },
          [&](BirthInvitation&& m) { birth_.Receive(now_.slow, from, m, out); },
          [&](BirthAcceptance&& m) { birth_.Receive(from, m); }},
      std::move(envelope.message));
}

// --- The end of a turn ------------------------------------------------------

void Node::Flush(Outbox& out) {
  flush_by_ = SlowInstant::Never();
  if (!consensus_.leads()) {
    FlushForward(out);
    proposals_.clear();
  } else if (consensus_.commit() > LogIndex()) {
    FlushProposals();
    proposals_.clear();
  }  // else they wait: nothing follows a birth's first entries (B4)
  forward_.commands.clear();
  forward_.reads.clear();
  std::optional<SaveState> save = consensus_.Flush(now_.slow, out);
  if (save.has_value()) {
    if (!identity_.cluster.IsNone() && !std::exchange(identity_saved_, true)) {
      save->change.identity = identity_;
    }
    if (!std::exchange(memory_is_saved_, true)) save->change.memory = memory_;
    actions_.push_back(*std::move(save));
  }
  for (auto& [peer, gathered] : replies_) {
    const NodeId node = peer;
    if (gathered.replies.size() <= kRepliesPerFrame) {
      out.Send({.to = node, .message = std::move(gathered)});
      continue;
    }
    ForEachPart(
        absl::MakeSpan(gathered.replies), [](const Reply&) { return 1; },
        kRepliesPerFrame,
        [&](absl::Span<Reply> part) {
          out.Send({.to = node, .message = Replies{.replies = MoveOut(part)}});
        });
  }
  replies_.clear();
}

void Node::FlushForward(Outbox& out) {
  const NodeId leader =
      consensus_.leader().IsNone() ? leader_guess_ : consensus_.leader();
  // Without one the requests are dropped here; the client sends them again when
  // their retries are due.
  if (leader.IsNone()) return;
  if (forward_.commands.empty() && forward_.reads.empty()) return;
  NoteAsked(leader);
  ForEachPart(
      absl::MakeSpan(forward_.commands),
      [](const LockCommand& command) { return EncodedSizeMax(command); },
      limits::kEntryBytesMax,
      [&](absl::Span<LockCommand> part) {
        out.Send({.to = leader, .message = Forward{.commands = MoveOut(part)}});
      });
  ForEachPart(
      absl::MakeSpan(forward_.reads), [](const Read&) { return 1; },
      kReadsPerFrame,
      [&](absl::Span<Read> part) {
        out.Send({.to = leader, .message = Forward{.reads = MoveOut(part)}});
      });
}

void Node::FlushProposals() {
  // All of a turn in one entry, unless it would grow too large.
  ForEachPart(
      absl::MakeSpan(proposals_),
      [](const LockCommand& command) { return EncodedSizeMax(command); },
      limits::kEntryBytesMax - kEnvelopeBytesMax,
      [&](absl::Span<LockCommand> batch) {
        consensus_.Propose(now_.slow, EncodeCommands(batch));
      });
}

// --- Actions ----------------------------------------------------------------

// Withholds each promise until its save is done (engine/consensus/README.md,
// rule 11).
void Node::Emit(Outbox& out) {
  for (Outgoing& outgoing : out.sends) {
    if (outgoing.after > consensus_.saved()) {
      withheld_.push_back(std::move(outgoing));
    } else {
      Emit(std::move(outgoing));
    }
  }
  out.sends.clear();
}

void Node::Emit(Outgoing outgoing) {
  const Address address = outgoing.address.IsNone()
                              ? AddressOf(outgoing.to).value_or(Address())
                              : outgoing.address;
  if (address.IsNone()) {
    ++stats_.unroutable;
    return;
  }
  if (auto* list = std::get_if<PushPull>(&outgoing.message)) {
    list->cluster_name = options_.cluster;
  }
  std::string bytes = Encode(Envelope{.cluster_name = cluster_name_,
                                      .cluster = identity_.cluster,
                                      .from = identity_.node,
                                      .to = outgoing.to,
                                      .from_address = options_.address,
                                      .message = std::move(outgoing.message)});
  switch (outgoing.channel) {
    case Outgoing::Channel::kDatagram:
      actions_.push_back(
          SendDatagram{.to = address, .bytes = std::move(bytes)});
      return;
    case Outgoing::Channel::kStream:
      actions_.push_back(SendFrame{.to = address, .bytes = std::move(bytes)});
      return;
    case Outgoing::Channel::kSameStream:
      actions_.push_back(AnswerFrame{.to = address, .bytes = std::move(bytes)});
      return;
  }
}

std::optional<Address> Node::AddressOf(NodeId id) const {
  if (id == identity_.node) return options_.address;
  if (std::optional<Address> known = consensus_.AddressOf(id)) return known;
  const auto member = membership_.others().find(id);
  if (member == membership_.others().end()) return std::nullopt;
  return member->second.address;
}

}  // namespace cachalot
