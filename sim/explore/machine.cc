#include "sim/explore/machine.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/address.h"
#include "engine/check.h"
#include "engine/consensus/consensus.h"
#include "engine/fingerprint.h"
#include "engine/locks/lock_table.h"
#include "engine/overloaded.h"
#include "engine/request.h"
#include "engine/wire/codec.h"
#include "engine/wire/message.h"
#include "sim/judge/checkers.h"

namespace cachalot::sim {
namespace {

// Small worlds have fewer machines.
constexpr uint64_t kHostsMax = 9;

using Hash = Fingerprint;

void AddTo(Hash& hash, const Entry& entry) {
  hash.Add(entry.term).Add(entry.time);
  hash.Add(static_cast<uint64_t>(entry.kind)).Add(entry.payload.view());
}

uint64_t HashOf(const Entry& entry) {
  Hash hash;
  AddTo(hash, entry);
  return hash.value();
}

void AddTo(Hash& hash, const Identity& identity) {
  hash.Add(identity.node).Add(identity.cluster).Add(identity.token_base);
  hash.Add(identity.quarantine);
}

void AddTo(Hash& hash, const std::optional<Snapshot>& snapshot) {
  hash.Add(uint64_t{snapshot.has_value()});
  if (!snapshot.has_value()) return;
  hash.Add(snapshot->index).Add(snapshot->term).Add(snapshot->time);
  hash.Add(snapshot->table.view());
  for (const auto* voters :
       {&snapshot->configuration.voters, &snapshot->configuration.outgoing}) {
    hash.Add(uint64_t{voters->size()});
    for (const Voter& voter : *voters) hash.Add(voter.id);
  }
}

void AddTo(Hash& hash, const std::vector<Entry>& entries) {
  hash.Add(uint64_t{entries.size()});
  for (const Entry& entry : entries) AddTo(hash, entry);
}

void AddTo(Hash& hash, const SavedState& disk) {
  AddTo(hash, disk.identity);
  hash.Add(disk.term).Add(disk.vote).Add(disk.first);
  AddTo(hash, disk.snapshot);
  AddTo(hash, disk.entries);
}

void AddTo(Hash& hash, const SaveState& order) {
  const StateChange& change = order.change;
  hash.Add(order.save).Add(uint64_t{change.identity.has_value()});
  if (change.identity.has_value()) AddTo(hash, *change.identity);
  AddTo(hash, change.snapshot);
  hash.Add(uint64_t{change.drops_log}).Add(change.first);
  AddTo(hash, change.entries);
  hash.Add(uint64_t{change.term.has_value()});
  if (change.term.has_value()) hash.Add(*change.term).Add(change.vote);
}

void AddTo(Hash& hash, const Event& event) {
  hash.Add(uint64_t{event.index()});
  std::visit(
      Overloaded{
          [&](const RequestSubmitted& e) {
            hash.Add(e.request).Add(uint64_t{e.body.index()});
            if (const auto* acquire = std::get_if<AcquireRequest>(&e.body)) {
              hash.Add(acquire->key).Add(acquire->ttl).Add(acquire->wait);
            }
            if (const auto* renew = std::get_if<RenewRequest>(&e.body)) {
              hash.Add(renew->key).Add(renew->token).Add(renew->ttl);
            }
            if (const auto* release = std::get_if<ReleaseRequest>(&e.body)) {
              hash.Add(release->key).Add(release->token);
            }
          },
          [&](const RequestWithdrawn& e) { hash.Add(e.request); },
          [&](const LinkChanged& e) {
            hash.Add(e.peer.ToString()).Add(uint64_t{e.up});
          },
          [&](const auto&) {},
      },
      event);
}

HostId HostAt(const Address& address) {
  for (uint64_t i = 1; i <= kHostsMax; ++i) {
    if (HostAddress(HostId(i)) == address) return HostId(i);
  }
  return HostId();
}

// A vote, or the acceptance of an append, must be saved before it is sent.
Complaint CheckPromise(const Node& node, const SavedState& disk,
                       const std::string& bytes) {
  if (bytes.size() > kPromiseBytesMax) return std::nullopt;
  const absl::StatusOr<Envelope> envelope = Decode(bytes);
  if (!envelope.ok()) {
    return absl::StrCat("a node sent what does not decode: ",
                        envelope.status().message());
  }
  const bool is_own = disk.identity.node == node.id();
  const SavedLog saved = is_own ? SavedLog(disk) : SavedLog();
  if (const auto* vote = std::get_if<VoteReply>(&envelope->message)) {
    return CheckVotePromise(saved, envelope->to, *vote);
  }
  if (const auto* reply = std::get_if<AppendReply>(&envelope->message)) {
    return CheckAppendPromise(saved, *reply);
  }
  return std::nullopt;
}

}  // namespace

Packet::Packet(HostId from, HostId to, bool is_frame, std::string bytes)
    : from(from), to(to), is_frame(is_frame), bytes(std::move(bytes)) {
  Hash hash;
  hash.Add(from).Add(to).Add(uint64_t{is_frame}).Add(this->bytes);
  fingerprint = hash.value();
}

uint64_t FingerprintOf(const Stimulus& stimulus) {
  Hash hash;
  hash.Add(uint64_t{stimulus.index()});
  std::visit(Overloaded{
                 [&](const Started&) {},
                 [&](const Crashed& crash) { hash.Add(crash.saves_kept); },
                 [&](const PacketArrived& arrived) {
                   hash.Add(arrived.packet->fingerprint);
                 },
                 [&](const SaveDone&) {},
                 [&](const EventGiven& told) { AddTo(hash, told.event); },
             },
             stimulus);
  return hash.value();
}

Machine::Machine(HostId id, MachineOptions options, SavedState disk)
    : id_(id),
      options_(std::make_shared<const MachineOptions>(std::move(options))),
      disk_(std::move(disk)) {
  CHECK(id.value() <= kHostsMax);
}

uint64_t Machine::fingerprint() const {
  if (!fingerprint_.has_value()) fingerprint_ = ComputeFingerprint();
  return *fingerprint_;
}

Turn Machine::Take(const Now& now, const Stimulus& stimulus) const {
  Turn turn;
  Machine next = *this;
  next.fingerprint_.reset();
  const auto tell = [&](const Event& event) {
    next.Step(now, event, turn);
    next.Step(now, TurnEnded(), turn);
  };
  std::visit(Overloaded{
                 [&](const Started&) {
                   next.Start(now);
                   tell(TimeAdvanced());
                 },
                 [&](const Crashed& crash) { next.Crash(crash.saves_kept); },
                 [&](const PacketArrived& arrived) {
                   const Packet& packet = *arrived.packet;
                   const Address from = HostAddress(packet.from);
                   if (packet.is_frame) {
                     tell(FrameReceived{from, packet.bytes});
                   } else {
                     tell(DatagramReceived{from, packet.bytes});
                   }
                 },
                 [&](const SaveDone&) {
                   const SaveId save = next.saves_.front().save;
                   next.FinishSave();
                   tell(StateSaved{save});
                 },
                 [&](const EventGiven& told) { tell(told.event); },
             },
             stimulus);
  while (options_->saves_at_once && !next.saves_.empty()) {
    const SaveId save = next.saves_.front().save;
    next.FinishSave();
    tell(StateSaved{save});
  }
  next.NoteChanges(*this, turn);
  turn.machine = std::make_shared<const Machine>(std::move(next));
  return turn;
}

Deadline Machine::NextDeadline() const {
  return is_up() ? node_->NextDeadline() : Deadline();
}

void Machine::Start(const Now& now) {
  CHECK(!is_up());
  ++processes_;
  NodeOptions options = options_->node;
  options.seed = (options.seed * 10 + id_.value()) * 1000 + processes_;
  options.name = HostName(id_);
  options.address = HostAddress(id_);
  options.token_base = uint64_t{1000 + processes_} << 30;
  std::optional<SavedState> found;
  if (!disk_.identity.node.IsNone()) found = disk_;
  absl::StatusOr<Node> node =
      Node::Create(std::move(options), now, std::move(found));
  CHECK(node.ok()) << node.status().ToString();
  node_ = *std::move(node);
}

void Machine::Crash(uint64_t saves_kept) {
  CHECK(is_up());
  for (; saves_kept > 0; --saves_kept) FinishSave();
  saves_.clear();
  node_.reset();
  if (!options_->keeps_disk) disk_ = SavedState();
}

void Machine::FinishSave() {
  CHECK(!saves_.empty());
  disk_.Apply(saves_.front().change);
  saves_.pop_front();
}

void Machine::Step(const Now& now, const Event& event, Turn& turn) {
  CHECK(is_up());
  for (Action& action : node_->Step(now, event)) {
    Perform(std::move(action), turn);
  }
}

void Machine::Perform(Action action, Turn& turn) {
  std::visit(
      Overloaded{
          [&](SendDatagram&& send) {
            Send(send.to, /*is_frame=*/false, std::move(send.bytes), turn);
          },
          [&](SendFrame&& send) {
            Send(send.to, /*is_frame=*/true, std::move(send.bytes), turn);
          },
          [&](AnswerFrame&& answer) {
            Send(answer.to, /*is_frame=*/true, std::move(answer.bytes), turn);
          },
          [&](SaveState&& order) { saves_.push_back(std::move(order)); },
          [&](AnswerRequest&& answer) {
            turn.answers.push_back(std::move(answer));
          },
          [&](NotifyHolder&& notice) {
            turn.notices.push_back(std::move(notice));
          },
          [&](AnnounceStanding&&) {},
          [&](LeaveCompleted&&) {},
          [&](AnnounceSession&&) {},
      },
      std::move(action));
}

void Machine::Send(const Address& to, bool is_frame, std::string bytes,
                   Turn& turn) {
  if (is_frame && !turn.complaint.has_value()) {
    turn.complaint = CheckPromise(*node_, disk_, bytes);
  }
  const HostId host = HostAt(to);
  if (host == HostId()) return;  // nobody has that address
  turn.sent.push_back(
      std::make_shared<const Packet>(id_, host, is_frame, std::move(bytes)));
}

// Notes for the judge what has changed since `before`.
void Machine::NoteChanges(const Machine& before, Turn& turn) const {
  if (!is_up()) return;
  node_->CheckInvariants();
  const Consensus& consensus = node_->consensus();
  const bool knows_before = before.is_up() && before.node().id() == node_->id();
  const Consensus* was = knows_before ? &before.node().consensus() : nullptr;
  const bool led =
      was != nullptr && was->leads() && was->term() == consensus.term();
  if (consensus.leads() && !led) turn.leads = consensus.term();
  LogIndex index = was != nullptr ? was->commit() : LogIndex();
  while (index < consensus.commit()) {
    index = index.Next();
    const Entry* entry = consensus.Find(index);
    if (entry != nullptr) turn.commits.emplace_back(index, HashOf(*entry));
  }
  const LogIndex applied = was != nullptr ? was->applied() : LogIndex();
  if (consensus.applied() != applied) {
    turn.table = {consensus.applied(), node_->table().Fingerprint()};
  }
}

uint64_t Machine::ComputeFingerprint() const {
  Hash hash;
  hash.Add(id_).Add(processes_).Add(uint64_t{is_up()});
  if (is_up()) hash.Add(node_->Fingerprint());
  AddTo(hash, disk_);
  hash.Add(uint64_t{saves_.size()});
  for (const SaveState& order : saves_) AddTo(hash, order);
  return hash.value();
}

}  // namespace cachalot::sim
