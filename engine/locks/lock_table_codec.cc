// LockTable::Encode() and LockTable::Decode(): the table as a FlatBuffer, by
// the schema of engine/locks/lock_table.fbs. What is decoded may come from
// anybody.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/locks/lock_table.h"
#include "engine/locks/lock_table_generated.h"
#include "flatbuffers/flatbuffers.h"

namespace cachalot {
namespace {

using Bytes = flatbuffers::Vector<uint8_t>;

// The largest buffer that FlatBuffers can address.
constexpr size_t kEncodedBytesMax = FLATBUFFERS_MAX_BUFFER_SIZE - 1;

saved::SessionId Save(const SessionId& id) {
  return {id.node.high, id.node.low, id.number};
}

SessionId Load(const saved::SessionId& id) {
  return {NodeId{id.node_high(), id.node_low()}, id.number()};
}

// None if no token is so high: nothing that a table decodes may have it.
FencingToken LoadToken(uint64_t number) {
  return number <= FencingToken::kMax ? FencingToken(number) : FencingToken();
}

// A missing vector is an empty string.
std::string Load(const Bytes* bytes) {
  if (bytes == nullptr) return std::string();
  return std::string(bytes->begin(), bytes->end());
}

template <typename Vector>
size_t SizeOf(const Vector* vector) {
  return vector == nullptr ? 0 : vector->size();
}

// The Verifier of FlatBuffers 2.0.8 checks the alignment of fields, but not
// that of structs in a vector.
template <typename Struct>
bool IsAligned(const flatbuffers::Vector<const Struct*>* vector) {
  return SizeOf(vector) == 0 ||
         reinterpret_cast<uintptr_t>(vector->Data()) % alignof(Struct) == 0;
}

bool IsTtl(absl::Duration ttl) {
  return limits::TtlMin() <= ttl && ttl <= limits::TtlMax();
}

// Whether the table itself can decide a request with this outcome. The others
// are the client's.
bool IsOutcomeOfTable(uint8_t outcome) {
  switch (static_cast<Outcome>(outcome)) {
    case Outcome::kOk:
    case Outcome::kHeld:
    case Outcome::kNotHeld:
    case Outcome::kWithdrawn:
    case Outcome::kInvalid:
    case Outcome::kBusy:
      return true;
    case Outcome::kTimedOut:
    case Outcome::kUnavailable:
    case Outcome::kLeaving:
    case Outcome::kUnknown:
      return false;
  }
  return false;
}

// A copy of `bytes` that is aligned for every type of the schema.
std::vector<uint64_t> Align(absl::string_view bytes) {
  std::vector<uint64_t> aligned(bytes.size() / sizeof(uint64_t) + 1);
  bytes.copy(reinterpret_cast<char*>(aligned.data()), bytes.size());
  return aligned;
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("lock table: ", what));
}

}  // namespace

class LockTable::Encoder {
 public:
  explicit Encoder(const LockTable& table)
      : table_(table), builder_(GuessBytes(table.lock_count())) {}

  std::string Run() {
    const auto sessions = builder_.CreateVector(Sessions());
    const auto closed = builder_.CreateVectorOfStructs(Closed());
    GatherLocks();
    const auto locks = builder_.CreateVectorOfStructs(locks_);
    const auto waiters = builder_.CreateVectorOfStructs(waiters_);
    const auto texts = Save(texts_);
    saved::FinishLockTableBuffer(
        builder_, saved::CreateLockTable(builder_, table_.last_token().number(),
                                         table_.applied_.value(),
                                         table_.time_.nanoseconds(), sessions,
                                         closed, locks, waiters, texts,
                                         table_.opens_at_.nanoseconds()));
    return std::string(
        reinterpret_cast<const char*>(builder_.GetBufferPointer()),
        builder_.GetSize());
  }

 private:
  template <typename T>
  using Offset = flatbuffers::Offset<T>;

  // The usual size of a lock's key and owner together.
  static constexpr size_t kGuessedTextBytes = 40;
  // How many locks ahead GatherLocks() prefetches.
  static constexpr size_t kPrefetchDistance = 8;

  // The sessions, by id. Fills places_.
  std::vector<Offset<saved::Session>> Sessions() {
    std::vector<Offset<saved::Session>> sessions;
    for (const auto& [id, slot] : table_.sessions_.by_id()) {
      const auto place = static_cast<size_t>(slot);
      if (place >= places_.size()) places_.resize(place + 1);
      places_[place] = static_cast<uint32_t>(sessions.size());
      sessions.push_back(Save(table_.sessions_[slot]));
    }
    return sessions;
  }

  std::vector<saved::ClosedSession> Closed() const {
    std::vector<saved::ClosedSession> closed;
    for (const auto& [node, last] : table_.closed_.by_node()) {
      closed.emplace_back(cachalot::Save(SessionId{node, last.number}),
                          last.time.nanoseconds());
    }
    return closed;
  }

  // Large enough for most tables: a builder that has to grow copies its bytes.
  static size_t GuessBytes(size_t locks) {
    return 4096 + locks * (sizeof(saved::Lock) + kGuessedTextBytes);
  }

  // Locks that follow each other by key are far apart in memory, and with many
  // of them cache misses take most of the time: so each is prefetched early.
  void GatherLocks() {
    std::vector<std::pair<const char*, const Lock*>> locks;
    locks.reserve(table_.locks_.size());
    for (const auto& [key, slot] : table_.locks_.by_key()) {
      locks.emplace_back(key.data(), &table_.locks_[slot]);
    }
    locks_.reserve(locks.size());
    texts_.reserve(locks.size() * kGuessedTextBytes);
    for (size_t i = 0; i < locks.size(); ++i) {
      if (i + kPrefetchDistance < locks.size()) {
        Prefetch(locks[i + kPrefetchDistance]);
      }
      Gather(*locks[i].second);
    }
  }

  static void Prefetch(const std::pair<const char*, const Lock*>& lock) {
    __builtin_prefetch(lock.first);
    constexpr size_t kCacheLine = 64;
    const char* const bytes = reinterpret_cast<const char*>(lock.second);
    for (size_t i = 0; i < sizeof(Lock); i += kCacheLine) {
      __builtin_prefetch(bytes + i);
    }
  }

  // Adds the lock, its texts and its waiters, in the order of lock_table.fbs.
  void Gather(const Lock& lock) {
    AddText(lock.key);
    const saved::Claim holder = Gather(lock.holder);
    AddText(lock.revoke_reason);
    locks_.emplace_back(lock.token.number(), lock.granted_at.value(),
                        lock.deadline.nanoseconds(), holder, SizeOf(lock.key),
                        SizeOf(lock.revoke_reason),
                        static_cast<uint32_t>(lock.queue.size()));
    for (const auto& [ticket, claim] : lock.queue) {
      waiters_.push_back(Gather(claim));
    }
  }

  saved::Claim Gather(const Claim& claim) {
    AddText(claim.owner);
    return {claim.acquire.value(), absl::ToInt64Nanoseconds(claim.ttl),
            places_[static_cast<size_t>(claim.session)], SizeOf(claim.owner)};
  }

  void AddText(const std::string& text) { texts_.append(text); }
  static uint32_t SizeOf(const std::string& text) {
    return static_cast<uint32_t>(text.size());
  }

  Offset<saved::Session> Save(const Session& session) {
    std::vector<saved::Memo> memos;
    std::vector<Offset<saved::HolderSeen>> holders;
    const Memos& all = session.memos;
    for (Sequence next = all.first(); next < all.end(); next = next.Next()) {
      const auto* decided = std::get_if<Decided>(&all.Find(next));
      if (decided == nullptr) continue;
      memos.emplace_back(
          next.value(), decided->token.number(), decided->granted_at.value(),
          static_cast<uint8_t>(decided->outcome),
          static_cast<uint8_t>(decided->limit), decided->holder != nullptr);
      if (decided->holder != nullptr) holders.push_back(Save(*decided->holder));
    }
    const saved::SessionId id = cachalot::Save(session.id);
    const auto name = Save(session.name);
    const auto saved_memos = builder_.CreateVectorOfStructs(memos);
    const auto saved_holders = builder_.CreateVector(holders);
    return saved::CreateSession(
        builder_, &id, name, absl::ToInt64Nanoseconds(session.ttl),
        session.renewal, session.deadline.nanoseconds(), session.grace_used,
        all.first().value(), saved_memos, saved_holders);
  }

  Offset<saved::HolderSeen> Save(const HolderSeen& holder) {
    const saved::SessionId id = cachalot::Save(holder.session);
    const auto name = Save(holder.name);
    const auto owner = Save(holder.owner);
    return saved::CreateHolderSeen(
        builder_, &id, name, owner,
        absl::ToInt64Nanoseconds(holder.lease_remaining),
        absl::ToInt64Nanoseconds(holder.session_remaining));
  }

  Offset<Bytes> Save(const std::string& bytes) {
    if (bytes.empty()) return 0;
    return builder_.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()),
                                 bytes.size());
  }

  const LockTable& table_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<uint32_t> places_;  // by slot: the place in LockTable.sessions
  std::vector<saved::Lock> locks_;
  std::vector<saved::Claim> waiters_;
  std::string texts_;
};

// Fills an empty table. Checks the limits, and what the parts of the table
// require when they are filled (no CHECK of theirs may fail); Audit() checks at
// the end whether the parts agree.
class LockTable::Decoder {
 public:
  absl::StatusOr<LockTable> Run(const saved::LockTable& saved) {
    if (saved.last_token() > TokenCounter::kLastMax)
      return Bad("no such token");
    table_.tokens_ = TokenCounter::At(FencingToken(saved.last_token()));
    table_.applied_ = LogIndex(saved.applied());
    table_.time_ = ClusterTime(saved.time_ns());
    table_.opens_at_ = ClusterTime(saved.opens_at_ns());
    // As for times in entries (Reader::Time()).
    if (saved.opens_at_ns() > INT64_MAX) return Bad("no such time");
    absl::Status status = LoadSessions(saved);
    if (status.ok()) status = LoadClosed(saved);
    if (status.ok()) status = LoadLocks(saved);
    if (!status.ok()) return status;
    const absl::Status audit = table_.Audit();
    if (!audit.ok()) return Bad(audit.message());
    return std::move(table_);
  }

 private:
  absl::Status LoadSessions(const saved::LockTable& saved) {
    if (SizeOf(saved.sessions()) > limits::kSessionsMax) {
      return Bad("too many sessions");
    }
    if (saved.sessions() == nullptr) return absl::OkStatus();
    for (const saved::Session* session : *saved.sessions()) {
      const absl::Status status = LoadSession(*session);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status LoadSession(const saved::Session& saved) {
    if (saved.id() == nullptr) return Bad("a session without id");
    Session session{.id = Load(*saved.id()),
                    .name = Load(saved.name()),
                    .ttl = absl::Nanoseconds(saved.ttl_ns()),
                    .renewal = saved.renewal(),
                    .deadline = ClusterTime(saved.deadline_ns()),
                    .grace_used = saved.grace_used()};
    const auto& by_id = table_.sessions_.by_id();
    if (session.id.IsNone() ||
        (!by_id.empty() && session.id <= by_id.rbegin()->first)) {
      return Bad("sessions out of order");
    }
    if (session.name.size() > limits::kNameBytesMax || !IsTtl(session.ttl)) {
      return Bad("a session beyond the limits");
    }
    const absl::Status status = LoadMemos(saved, session.memos);
    if (!status.ok()) return status;
    places_.push_back(table_.sessions_.Add(std::move(session)));
    return absl::OkStatus();
  }

  absl::Status LoadMemos(const saved::Session& saved, Memos& memos) {
    memos.ForgetBelow(Sequence(saved.first_outstanding()));
    if (!IsAligned(saved.memos())) return Bad("memos are not aligned");
    size_t holders = 0;
    for (size_t i = 0; i < SizeOf(saved.memos()); ++i) {
      const saved::Memo& memo =
          *saved.memos()->Get(static_cast<flatbuffers::uoffset_t>(i));
      const Sequence sequence(memo.sequence());
      if (sequence < memos.end() || !memos.HasRoomFor(sequence)) {
        return Bad("memos out of order");
      }
      if (!IsOutcomeOfTable(memo.outcome())) return Bad("an unknown outcome");
      if (memo.limit() > static_cast<uint8_t>(Limit::kRequestsPerSession)) {
        return Bad("an unknown limit");
      }
      Decided decided{.outcome = static_cast<Outcome>(memo.outcome()),
                      .token = LoadToken(memo.token()),
                      .granted_at = LogIndex(memo.granted_at()),
                      .limit = static_cast<Limit>(memo.limit())};
      const bool may_have_holder =
          decided.outcome == Outcome::kHeld || decided.outcome == Outcome::kOk;
      const bool must_have_holder = decided.outcome == Outcome::kHeld;
      if (memo.has_holder() ? !may_have_holder : must_have_holder) {
        return Bad(
            "a refusal without holder, or a holder with another outcome");
      }
      if ((decided.outcome == Outcome::kBusy) !=
          (decided.limit != Limit::kNone)) {
        return Bad("a limit that was not reached");
      }
      if (memo.has_holder()) {
        if (holders == SizeOf(saved.holders_seen())) {
          return Bad("a refusal without holder");
        }
        decided.holder =
            LoadHolder(*saved.holders_seen()->Get(
                           static_cast<flatbuffers::uoffset_t>(holders++)),
                       decided.token);
        if (decided.holder == nullptr) return Bad("a holder beyond the limits");
      }
      memos.Put(sequence, std::move(decided));
    }
    if (holders != SizeOf(saved.holders_seen())) {
      return Bad("a holder without its memo");
    }
    return absl::OkStatus();
  }

  // Null if it breaks a limit.
  std::shared_ptr<const HolderSeen> LoadHolder(const saved::HolderSeen& saved,
                                               FencingToken token) {
    if (saved.session() == nullptr ||
        SizeOf(saved.name()) > limits::kNameBytesMax ||
        SizeOf(saved.owner()) > limits::kOwnerBytesMax) {
      return nullptr;
    }
    return std::make_shared<const HolderSeen>(HolderSeen{
        .session = Load(*saved.session()),
        .name = Load(saved.name()),
        .owner = Load(saved.owner()),
        .token = token,
        .lease_remaining = absl::Nanoseconds(saved.lease_remaining_ns()),
        .session_remaining = absl::Nanoseconds(saved.session_remaining_ns())});
  }

  absl::Status LoadClosed(const saved::LockTable& saved) {
    if (!IsAligned(saved.closed())) {
      return Bad("closed sessions are not aligned");
    }
    for (size_t i = 0; i < SizeOf(saved.closed()); ++i) {
      const saved::ClosedSession& closed =
          *saved.closed()->Get(static_cast<flatbuffers::uoffset_t>(i));
      table_.closed_.Add(Load(closed.session()), ClusterTime(closed.time_ns()));
      // Add() had no effect, or dropped an older record.
      if (table_.closed_.by_node().size() != i + 1) {
        return Bad("closed sessions that no table keeps together");
      }
    }
    return absl::OkStatus();
  }

  absl::Status LoadLocks(const saved::LockTable& saved) {
    if (SizeOf(saved.locks()) > limits::kLocksMax) {
      return Bad("too many locks");
    }
    if (!IsAligned(saved.locks()) || !IsAligned(saved.waiters())) {
      return Bad("locks are not aligned");
    }
    waiters_ = saved.waiters();
    if (saved.texts() != nullptr) {
      texts_ = absl::string_view(
          reinterpret_cast<const char*>(saved.texts()->data()),
          saved.texts()->size());
    }
    for (size_t i = 0; i < SizeOf(saved.locks()); ++i) {
      const absl::Status status =
          LoadLock(*saved.locks()->Get(static_cast<flatbuffers::uoffset_t>(i)));
      if (!status.ok()) return status;
    }
    if (!texts_.empty()) return Bad("more texts than its locks have");
    if (waiters_read_ != SizeOf(waiters_)) {
      return Bad("more waiters than its locks have");
    }
    return absl::OkStatus();
  }

  absl::Status LoadLock(const saved::Lock& saved) {
    const std::optional<std::string> key =
        TakeText(saved.key_bytes(), limits::kKeyBytesMax);
    const Locks::ByKey& by_key = table_.locks_.by_key();
    if (!key.has_value() || key->empty() ||
        (!by_key.empty() && *key <= by_key.rbegin()->first)) {
      return Bad("keys out of order");
    }
    std::optional<Claim> holder = LoadClaim(saved.holder());
    if (!holder.has_value()) return Bad("a lock without holder");
    std::optional<std::string> reason =
        TakeText(saved.reason_bytes(), limits::kReasonBytesMax);
    if (!reason.has_value()) return Bad("a reason beyond the limits");
    const FencingToken token = LoadToken(saved.token());
    if (token.IsNone()) return Bad("a lock without token");
    const LockSlot slot = table_.locks_.FindOrAdd(*key);
    const SessionSlot session = holder->session;
    table_.sessions_.held(session).emplace(token, slot);
    table_.locks_.Grant(slot, token, LogIndex(saved.granted_at()),
                        *std::move(holder), ClusterTime(saved.deadline_ns()));
    if (!reason->empty()) {
      table_.sessions_.revoked(session).insert(token);
      table_.locks_.Revoke(slot, *std::move(reason));
    }
    return LoadQueue(slot, saved.waiters());
  }

  absl::Status LoadQueue(LockSlot slot, size_t count) {
    if (count > limits::kWaitersPerLockMax ||
        count > SizeOf(waiters_) - waiters_read_) {
      return Bad("too many waiters");
    }
    for (; count > 0; --count) {
      std::optional<Claim> claim = LoadClaim(
          *waiters_->Get(static_cast<flatbuffers::uoffset_t>(waiters_read_++)));
      if (!claim.has_value()) return Bad("a waiter beyond the limits");
      Memos& memos = table_.sessions_.memos(claim->session);
      const Sequence acquire = claim->acquire;
      const bool fits = memos.IsForgotten(acquire) || memos.HasRoomFor(acquire);
      if (!fits || !std::holds_alternative<Unseen>(memos.Find(acquire))) {
        return Bad("a waiter whose request is decided");
      }
      const Ticket ticket = table_.locks_.Enqueue(slot, *std::move(claim));
      memos.Put(acquire, Waiting{slot, ticket});
    }
    return absl::OkStatus();
  }

  std::optional<Claim> LoadClaim(const saved::Claim& saved) {
    std::optional<std::string> owner =
        TakeText(saved.owner_bytes(), limits::kOwnerBytesMax);
    if (!owner.has_value() || saved.session() >= places_.size()) {
      return std::nullopt;
    }
    Claim claim{.session = places_[saved.session()],
                .acquire = Sequence(saved.acquire()),
                .ttl = absl::Nanoseconds(saved.ttl_ns()),
                .owner = *std::move(owner)};
    if (!IsTtl(claim.ttl)) return std::nullopt;
    return claim;
  }

  // The next `size` bytes of the texts; nothing if fewer are left, or `size` is
  // above `max`.
  std::optional<std::string> TakeText(size_t size, size_t max) {
    if (size > max || size > texts_.size()) return std::nullopt;
    std::string text(texts_.substr(0, size));
    texts_.remove_prefix(size);
    return text;
  }

  LockTable table_;
  std::vector<SessionSlot> places_;  // by place in LockTable.sessions
  // All waiters, and how many of them the locks so far have taken.
  const flatbuffers::Vector<const saved::Claim*>* waiters_ = nullptr;
  size_t waiters_read_ = 0;
  absl::string_view texts_;  // the rest, not taken yet
};

std::string LockTable::Encode() const { return Encoder(*this).Run(); }

absl::StatusOr<LockTable> LockTable::Decode(absl::string_view bytes) {
  if (bytes.size() > kEncodedBytesMax) return Bad("too long");
  // FlatBuffers reads numbers in place, so they must be aligned: `bytes` may
  // not be, the copy is.
  const std::vector<uint64_t> aligned = Align(bytes);
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier::Options options;
  // A valid buffer has fewer tables than bytes. Without this limit a short
  // buffer that refers to one table many times would take very long to verify.
  options.max_tables = static_cast<flatbuffers::uoffset_t>(bytes.size());
  flatbuffers::Verifier verifier(data, bytes.size(), options);
  if (!saved::VerifyLockTableBuffer(verifier)) return Bad("not a table");
  return Decoder().Run(*saved::GetLockTable(data));
}

}  // namespace cachalot
