#include "io/local/protocol.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/address.h"
#include "engine/limits.h"
#include "flatbuffers/flatbuffers.h"
#include "io/local/local_generated.h"

namespace cachalot {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::Vector;

// --- Out --------------------------------------------------------------------

// Memory for one message, on the stack unless the message is large.
class StackMemory : public flatbuffers::Allocator {
 public:
  static constexpr size_t kSize = 1024;

  uint8_t* allocate(size_t size) override;
  void deallocate(uint8_t* memory, size_t size) override;

 private:
  alignas(std::max_align_t) uint8_t bytes_[kSize];
  bool is_used_ = false;
};

// Not inline, so that the compiler inlines the builder's small functions
// instead.
ABSL_ATTRIBUTE_NOINLINE uint8_t* StackMemory::allocate(size_t size) {
  if (is_used_ || size > kSize) return new uint8_t[size];
  is_used_ = true;
  return bytes_;
}

ABSL_ATTRIBUTE_NOINLINE void StackMemory::deallocate(uint8_t* memory,
                                                     size_t /*size*/) {
  if (memory == bytes_) {
    is_used_ = false;
  } else {
    delete[] memory;
  }
}

// What is empty is left out.
Offset<Vector<uint8_t>> ToWire(FlatBufferBuilder& builder,
                               absl::string_view bytes) {
  if (bytes.empty()) return 0;
  return builder.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()),
                              bytes.size());
}

Offset<flatbuffers::String> TextToWire(FlatBufferBuilder& builder,
                                       const std::string& text) {
  if (text.empty()) return 0;
  return builder.CreateString(text);
}

template <typename Kind>
local::wire::WideId ToWire(const WideId<Kind>& id) {
  return {id.high, id.low};
}

local::wire::Address ToWire(const Address& address) {
  uint64_t halves[2] = {0, 0};
  for (size_t i = 0; i < address.ip.size(); ++i) {
    halves[i / 8] = halves[i / 8] << 8 | address.ip[i];
  }
  return {halves[0], halves[1], address.port};
}

Offset<local::wire::Lock> ToWire(FlatBufferBuilder& builder,
                                 const LockInfo& lock) {
  const auto key = ToWire(builder, lock.key);
  const auto holder_name = TextToWire(builder, lock.holder_name);
  const auto owner = TextToWire(builder, lock.owner);
  const auto reason = TextToWire(builder, lock.revoke_reason);
  const local::wire::WideId node = ToWire(lock.holder.node);
  return local::wire::CreateLock(
      builder, key, lock.token.number(), &node, lock.holder.number, holder_name,
      owner, absl::ToInt64Nanoseconds(lock.lease_remaining),
      absl::ToInt64Nanoseconds(lock.session_remaining), lock.waiters, reason);
}

Offset<local::wire::Waiter> ToWire(FlatBufferBuilder& builder,
                                   const WaiterInfo& waiter) {
  const auto name = TextToWire(builder, waiter.name);
  const auto owner = TextToWire(builder, waiter.owner);
  const local::wire::WideId node = ToWire(waiter.session.node);
  return local::wire::CreateWaiter(builder, &node, waiter.session.number, name,
                                   owner);
}

Offset<local::wire::Member> ToWire(FlatBufferBuilder& builder,
                                   const MemberInfo& member) {
  const auto name = TextToWire(builder, member.name);
  const local::wire::WideId id = ToWire(member.id);
  const local::wire::Address address = ToWire(member.address);
  return local::wire::CreateMember(builder, &id, name, &address,
                                   static_cast<uint8_t>(member.state),
                                   static_cast<uint8_t>(member.role));
}

Offset<local::wire::Survival> ToWire(FlatBufferBuilder& builder,
                                     const Survival& survival) {
  std::vector<Offset<local::wire::Voter>> voters;
  for (const Survival::Voter& voter : survival.voters) {
    const auto name = TextToWire(builder, voter.name);
    const local::wire::WideId id = ToWire(voter.id);
    const local::wire::Address address = ToWire(voter.address);
    voters.push_back(
        local::wire::CreateVoter(builder, &id, name, &address, voter.is_alive));
  }
  return local::wire::CreateSurvival(builder, builder.CreateVector(voters),
                                     survival.has_majority, survival.deaths);
}

Offset<local::wire::Outage> ToWire(FlatBufferBuilder& builder,
                                   const Outage& outage) {
  std::vector<Offset<local::wire::MissingVoter>> missing;
  for (const MissingVoter& voter : outage.missing) {
    const auto name = TextToWire(builder, voter.name);
    const local::wire::WideId id = ToWire(voter.id);
    const local::wire::Address address = ToWire(voter.address);
    missing.push_back(local::wire::CreateMissingVoter(
        builder, &id, name, &address, absl::ToInt64Nanoseconds(voter.silent)));
  }
  return local::wire::CreateOutage(builder, static_cast<uint8_t>(outage.kind),
                                   absl::ToInt64Nanoseconds(outage.leaderless),
                                   outage.hears_nobody, outage.voters,
                                   builder.CreateVector(missing));
}

Offset<local::wire::Status> ToWire(FlatBufferBuilder& builder,
                                   const AgentStatus& status) {
  const auto name = TextToWire(builder, status.name);
  const auto survival = ToWire(builder, status.survival);
  const auto outage = ToWire(builder, status.outage);
  const auto cluster_name = TextToWire(builder, status.cluster_name);
  const auto problems = builder.CreateVectorOfStrings(status.problems);
  const local::wire::WideId id = ToWire(status.id);
  const local::wire::WideId cluster = ToWire(status.cluster);
  const local::wire::WideId leader = ToWire(status.leader);
  const local::wire::Address address = ToWire(status.address);
  const auto state_dir = TextToWire(builder, status.memory.state_dir);
  const local::wire::WideId remembered = ToWire(status.memory.cluster);
  std::vector<local::wire::Address> seed_list;
  for (const Address& seed : status.seeds) seed_list.push_back(ToWire(seed));
  const auto seeds = builder.CreateVectorOfStructs(seed_list);
  local::wire::StatusBuilder out(builder);
  out.add_id(&id);
  out.add_name(name);
  out.add_address(&address);
  out.add_cluster(&cluster);
  out.add_token_base(status.token_base.number());
  out.add_joined(status.standing.joined);
  out.add_has_leader(status.standing.has_leader);
  out.add_has_session(status.standing.has_session);
  out.add_role(static_cast<uint8_t>(status.role));
  out.add_term(status.term.value());
  out.add_leader(&leader);
  out.add_commit(status.commit.value());
  out.add_applied(status.applied.value());
  out.add_members_alive(status.members_alive);
  out.add_locks(status.locks);
  out.add_elections_won(status.elections_won);
  out.add_snapshots_sent(status.snapshots_sent);
  out.add_snapshots_installed(status.snapshots_installed);
  out.add_undecodable(status.undecodable);
  out.add_other_version(status.other_version);
  out.add_other_cluster(status.other_cluster);
  out.add_other_name(status.other_name);
  out.add_cluster_name(cluster_name);
  out.add_misaddressed(status.misaddressed);
  out.add_streams_malformed(status.streams_malformed);
  out.add_frames_received(status.frames_received);
  out.add_datagrams_received(status.datagrams_received);
  out.add_local_malformed(status.local_malformed);
  out.add_strangers_refused(status.strangers_refused);
  out.add_members_refused(status.members_refused);
  out.add_streams_closed(status.streams_closed);
  out.add_streams_refused(status.streams_refused);
  out.add_links_stuck(status.links_stuck);
  out.add_impersonations(status.impersonations);
  out.add_unasked(status.unasked);
  out.add_longest_turn_ns(absl::ToInt64Nanoseconds(status.longest_turn));
  out.add_survival(survival);
  out.add_outage(outage);
  out.add_problems(problems);
  out.add_state_dir(state_dir);
  out.add_remembered(&remembered);
  out.add_has_left(status.memory.has_left);
  out.add_seeds(seeds);
  out.add_quarantine_ns(absl::ToInt64Nanoseconds(status.quarantine));
  return out.Finish();
}

// Valid as long as the builder.
template <typename Body>
absl::string_view Finish(FlatBufferBuilder& builder, local::wire::Body kind,
                         Offset<Body> body) {
  local::wire::FinishMessageBuffer(
      builder, local::wire::CreateMessage(builder, kind, body.Union()));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()),
          builder.GetSize()};
}

// --- In ---------------------------------------------------------------------

// Reads fields of verified bytes; the first that breaks a limit is kept.
class FieldReader {
 public:
  absl::Status status() const {
    return breach_ == nullptr ? absl::OkStatus()
                              : absl::InvalidArgumentError(
                                    absl::StrCat("local message: ", breach_));
  }
  bool Require(bool condition, const char* field) {
    if (!condition && breach_ == nullptr) breach_ = field;
    return condition;
  }

  std::string Text(const flatbuffers::String* text, size_t size_max,
                   const char* field) {
    if (text == nullptr || !Require(text->size() <= size_max, field)) return {};
    return text->str();
  }
  std::string Bytes(const Vector<uint8_t>* bytes, size_t size_max,
                    const char* field) {
    if (bytes == nullptr) return {};
    if (!Require(bytes->size() <= size_max, field)) return {};
    return std::string(reinterpret_cast<const char*>(bytes->data()),
                       bytes->size());
  }
  template <typename Enum>
  Enum Value(uint8_t value, Enum last, const char* field) {
    const bool is_known = Require(value <= static_cast<uint8_t>(last), field);
    return is_known ? static_cast<Enum>(value) : Enum{};
  }
  // Items read by `read`, at most `count_max`.
  template <typename Table, typename Read>
  auto Items(const Vector<Offset<Table>>* tables, size_t count_max,
             const char* field, Read read) {
    std::vector<decltype(read(*tables->Get(0)))> items;
    if (tables == nullptr) return items;
    if (!Require(tables->size() <= count_max, field)) return items;
    items.reserve(tables->size());
    for (const Table* table : *tables) items.push_back(read(*table));
    return items;
  }

 private:
  const char* breach_ = nullptr;
};

// Longer texts are for nobody.
constexpr size_t kTextBytesMax = 4096;
constexpr int kTableDepthMax = 8;
constexpr size_t kProblemsMax = 1024;  // seeds and peers
// What the requests' limits allow, and what is so far beyond them that it is
// said to be so: a key that is a little too long is the engine's to refuse,
// with a better text.
constexpr size_t kKeyBytesMax = 64 * limits::kKeyBytesMax;
constexpr size_t kOwnerBytesMax = 64 * limits::kOwnerBytesMax;

template <typename Id>
Id ToId(const local::wire::WideId* id) {
  return id == nullptr ? Id() : Id{.high = id->high(), .low = id->low()};
}

FencingToken ToToken(FieldReader& reader, uint64_t number) {
  if (!reader.Require(number <= FencingToken::kMax, "token")) return {};
  return FencingToken(number);
}

Address ToAddress(const local::wire::Address* address) {
  Address result;
  if (address == nullptr) return result;
  const uint64_t halves[2] = {address->ip_high(), address->ip_low()};
  for (size_t i = 0; i < result.ip.size(); ++i) {
    result.ip[i] = static_cast<uint8_t>(halves[i / 8] >> (8 * (7 - i % 8)));
  }
  result.port = address->port();
  return result;
}

std::vector<Address> ToAddresses(
    FieldReader& reader, const Vector<const local::wire::Address*>* structs,
    const char* field) {
  std::vector<Address> addresses;
  if (structs == nullptr) return addresses;
  if (!reader.Require(structs->size() <= limits::kSeedsMax, field)) {
    return addresses;
  }
  for (flatbuffers::uoffset_t i = 0; i < structs->size(); ++i) {
    addresses.push_back(ToAddress(structs->Get(i)));
  }
  return addresses;
}

LockInfo ToLock(FieldReader& reader, const local::wire::Lock& lock) {
  const absl::Duration lease = absl::Nanoseconds(lock.lease_remaining_ns());
  const absl::Duration session = absl::Nanoseconds(lock.session_remaining_ns());
  return {.key = reader.Bytes(lock.key(), kKeyBytesMax, "key"),
          .token = ToToken(reader, lock.token()),
          .holder = {.node = ToId<NodeId>(lock.session_node()),
                     .number = lock.session_number()},
          .holder_name = reader.Text(lock.holder_name(), kTextBytesMax, "name"),
          .owner = reader.Text(lock.owner(), kOwnerBytesMax, "owner"),
          .remaining = std::min(lease, session),
          .lease_remaining = lease,
          .session_remaining = session,
          .waiters = lock.waiters(),
          .revoke_reason =
              reader.Text(lock.revoke_reason(), kTextBytesMax, "reason")};
}

WaiterInfo ToWaiter(FieldReader& reader, const local::wire::Waiter& waiter) {
  return {.session = {.node = ToId<NodeId>(waiter.session_node()),
                      .number = waiter.session_number()},
          .name = reader.Text(waiter.name(), kTextBytesMax, "name"),
          .owner = reader.Text(waiter.owner(), kOwnerBytesMax, "owner")};
}

MemberInfo ToMember(FieldReader& reader, const local::wire::Member& member) {
  return {.id = ToId<NodeId>(member.id()),
          .name = reader.Text(member.name(), kTextBytesMax, "name"),
          .address = ToAddress(member.address()),
          .state = reader.Value(member.state(), MemberState::kLeft, "state"),
          .role = reader.Value(member.role(), MemberRole::kLeader, "role")};
}

Survival ToSurvival(FieldReader& reader,
                    const local::wire::Survival* survival) {
  if (survival == nullptr) return {};
  return {.voters = reader.Items(
              survival->voters(), 2 * limits::kVotersMax, "voters",
              [&reader](const local::wire::Voter& voter) -> Survival::Voter {
                return {
                    .id = ToId<NodeId>(voter.id()),
                    .name = reader.Text(voter.name(), kTextBytesMax, "name"),
                    .address = ToAddress(voter.address()),
                    .is_alive = voter.is_alive()};
              }),
          .has_majority = survival->has_majority(),
          .deaths = survival->deaths()};
}

Outage ToOutage(FieldReader& reader, const local::wire::Outage* outage) {
  if (outage == nullptr) return {};
  return {
      .kind =
          reader.Value(outage->kind(), Outage::Kind::kMajorityLost, "outage"),
      .leaderless = absl::Nanoseconds(outage->leaderless_ns()),
      .hears_nobody = outage->hears_nobody(),
      .voters = outage->voters(),
      .missing = reader.Items(
          outage->missing(), 2 * limits::kVotersMax, "missing",
          [&reader](const local::wire::MissingVoter& voter) -> MissingVoter {
            return {.id = ToId<NodeId>(voter.id()),
                    .name = reader.Text(voter.name(), kTextBytesMax, "name"),
                    .address = ToAddress(voter.address()),
                    .silent = absl::Nanoseconds(voter.silent_ns())};
          })};
}

MemoryStatus ToMemory(FieldReader& reader, const local::wire::Status& status) {
  return {
      .state_dir = reader.Text(status.state_dir(), kTextBytesMax, "state_dir"),
      .cluster = ToId<ClusterId>(status.remembered()),
      .has_left = status.has_left()};
}

AgentStatus ToStatus(FieldReader& reader, const local::wire::Status& status) {
  return {.id = ToId<NodeId>(status.id()),
          .name = reader.Text(status.name(), kTextBytesMax, "name"),
          .address = ToAddress(status.address()),
          .cluster = ToId<ClusterId>(status.cluster()),
          .cluster_name =
              reader.Text(status.cluster_name(), kTextBytesMax, "cluster_name"),
          .token_base = ToToken(reader, status.token_base()),
          .standing = {.joined = status.joined(),
                       .has_leader = status.has_leader(),
                       .has_session = status.has_session()},
          .role = reader.Value(status.role(), MemberRole::kLeader, "role"),
          .term = Term(status.term()),
          .leader = ToId<NodeId>(status.leader()),
          .commit = LogIndex(status.commit()),
          .applied = LogIndex(status.applied()),
          .members_alive = status.members_alive(),
          .memory = ToMemory(reader, status),
          .seeds = ToAddresses(reader, status.seeds(), "seeds"),
          .quarantine = absl::Nanoseconds(status.quarantine_ns()),
          .survival = ToSurvival(reader, status.survival()),
          .outage = ToOutage(reader, status.outage()),
          .locks = status.locks(),
          .elections_won = status.elections_won(),
          .snapshots_sent = status.snapshots_sent(),
          .snapshots_installed = status.snapshots_installed(),
          .undecodable = status.undecodable(),
          .other_version = status.other_version(),
          .other_cluster = status.other_cluster(),
          .other_name = status.other_name(),
          .misaddressed = status.misaddressed(),
          .impersonations = status.impersonations(),
          .unasked = status.unasked(),
          .streams_malformed = status.streams_malformed(),
          .strangers_refused = status.strangers_refused(),
          .members_refused = status.members_refused(),
          .streams_closed = status.streams_closed(),
          .streams_refused = status.streams_refused(),
          .links_stuck = status.links_stuck(),
          .frames_received = status.frames_received(),
          .datagrams_received = status.datagrams_received(),
          .longest_turn = absl::Nanoseconds(status.longest_turn_ns()),
          .local_malformed = status.local_malformed(),
          .problems = reader.Items(status.problems(), kProblemsMax, "problems",
                                   [&](const flatbuffers::String& problem) {
                                     return reader.Text(&problem, kTextBytesMax,
                                                        "problem");
                                   })};
}

// Null if `bytes` are no message of ours.
const local::wire::Message* Verify(absl::string_view bytes) {
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()),
                                 bytes.size(), kTableDepthMax);
  if (!local::wire::VerifyMessageBuffer(verifier)) return nullptr;
  return local::wire::GetMessage(bytes.data());
}

}  // namespace

std::string EncodeLocal(const LocalRequest& request) {
  StackMemory memory;
  FlatBufferBuilder builder(StackMemory::kSize, &memory);
  const auto key = ToWire(builder, request.key);
  const auto owner = TextToWire(builder, request.owner);
  const auto prefix = ToWire(builder, request.list.prefix);
  const auto after = ToWire(builder, request.list.after);
  const auto reason = TextToWire(builder, request.reason);
  local::wire::RequestBuilder body(builder);
  body.add_id(request.id);
  body.add_operation(static_cast<local::wire::Operation>(request.operation));
  body.add_key(key);
  body.add_owner(owner);
  body.add_ttl_ns(absl::ToInt64Nanoseconds(request.ttl));
  body.add_wait_ns(absl::ToInt64Nanoseconds(request.wait));
  body.add_token(request.token.number());
  body.add_release_on_disconnect(request.release_on_disconnect);
  body.add_is_local(request.is_local);
  body.add_prefix(prefix);
  body.add_after(after);
  body.add_limit(request.list.limit);
  body.add_withdrawn(request.withdrawn);
  body.add_keep_renewed(request.keep_renewed);
  body.add_releases_itself(request.releases_itself);
  body.add_reason(reason);
  body.add_skip(request.skip);
  return std::string(
      Finish(builder, local::wire::Body::Request, body.Finish()));
}

std::string EncodeLocal(const LocalReply& reply) {
  std::string encoded;
  EncodeLocal(reply, [&encoded](absl::string_view bytes) {
    encoded.assign(bytes.data(), bytes.size());
  });
  return encoded;
}

void EncodeLocal(const LocalReply& reply,
                 absl::FunctionRef<void(absl::string_view)> take) {
  StackMemory memory;
  FlatBufferBuilder builder(StackMemory::kSize, &memory);
  const Answer& answer = reply.answer;
  const auto text = TextToWire(builder, answer.text);
  Offset<local::wire::Lock> holder;
  if (answer.holder.has_value()) holder = ToWire(builder, *answer.holder);
  std::vector<Offset<local::wire::Lock>> locks;
  for (const LockInfo& lock : answer.locks) {
    locks.push_back(ToWire(builder, lock));
  }
  std::vector<Offset<local::wire::Member>> members;
  for (const MemberInfo& member : answer.members) {
    members.push_back(ToWire(builder, member));
  }
  Offset<local::wire::Status> status;
  if (reply.status.has_value()) status = ToWire(builder, *reply.status);
  const auto lock_list = locks.empty() ? 0 : builder.CreateVector(locks);
  std::vector<Offset<local::wire::Waiter>> waiters;
  for (const WaiterInfo& waiter : answer.waiters) {
    waiters.push_back(ToWire(builder, waiter));
  }
  const auto waiter_list = waiters.empty() ? 0 : builder.CreateVector(waiters);
  const auto member_list = members.empty() ? 0 : builder.CreateVector(members);
  local::wire::ReplyBuilder body(builder);
  body.add_id(reply.id);
  body.add_outcome(static_cast<uint8_t>(answer.outcome));
  body.add_text(text);
  body.add_token(answer.token.number());
  body.add_holder(holder);
  body.add_locks(lock_list);
  body.add_more(answer.more);
  body.add_members(member_list);
  body.add_waiters(waiter_list);
  body.add_status(status);
  body.add_belief_ns(absl::ToInt64Nanoseconds(reply.belief));
  body.add_loss(static_cast<uint8_t>(reply.loss));
  take(Finish(builder, local::wire::Body::Reply, body.Finish()));
}

namespace {

absl::Status Decode(absl::string_view bytes, LocalRequest& request) {
  const local::wire::Message* message = Verify(bytes);
  const local::wire::Request* body =
      message == nullptr ? nullptr : message->body_as_Request();
  if (body == nullptr) return absl::InvalidArgumentError("not a request");
  FieldReader reader;
  request.id = body->id();
  request.operation =
      reader.Value(static_cast<uint8_t>(body->operation()),
                   LocalOperation::kAwaitRevocation, "operation");
  // Most requests lack most of these.
  const auto read_bytes = [&reader](const Vector<uint8_t>* bytes,
                                    const char* field, std::string& into) {
    if (bytes != nullptr) into = reader.Bytes(bytes, kKeyBytesMax, field);
  };
  const auto read_text = [&reader](const flatbuffers::String* text,
                                   size_t size_max, const char* field,
                                   std::string& into) {
    if (text != nullptr) into = reader.Text(text, size_max, field);
  };
  read_bytes(body->key(), "key", request.key);
  read_text(body->owner(), kOwnerBytesMax, "owner", request.owner);
  request.token = ToToken(reader, body->token());
  read_text(body->reason(), kTextBytesMax, "reason", request.reason);
  read_bytes(body->prefix(), "prefix", request.list.prefix);
  read_bytes(body->after(), "after", request.list.after);
  request.ttl = absl::Nanoseconds(body->ttl_ns());
  request.wait = absl::Nanoseconds(std::clamp<int64_t>(
      body->wait_ns(), 0, absl::ToInt64Nanoseconds(limits::WaitMax())));
  request.release_on_disconnect = body->release_on_disconnect();
  request.keep_renewed = body->keep_renewed();
  request.releases_itself = body->releases_itself();
  request.withdrawn = body->withdrawn();
  request.list.limit = body->limit();
  request.skip = body->skip();
  request.is_local = body->is_local();
  return reader.status();
}

}  // namespace

absl::StatusOr<LocalRequest> DecodeLocalRequest(absl::string_view bytes) {
  // Decoded in its place, and returned without being moved.
  absl::StatusOr<LocalRequest> request;
  request.emplace();
  if (absl::Status status = Decode(bytes, *request); !status.ok()) {
    request = std::move(status);
  }
  return request;
}

absl::StatusOr<LocalReply> DecodeLocalReply(absl::string_view bytes) {
  const local::wire::Message* message = Verify(bytes);
  const local::wire::Reply* body =
      message == nullptr ? nullptr : message->body_as_Reply();
  if (body == nullptr) return absl::InvalidArgumentError("not a reply");
  FieldReader reader;
  LocalReply reply = {.id = body->id()};
  Answer& answer = reply.answer;
  answer.outcome = reader.Value(body->outcome(), Outcome::kUnknown, "outcome");
  answer.text = reader.Text(body->text(), kTextBytesMax, "text");
  answer.token = ToToken(reader, body->token());
  if (body->holder() != nullptr)
    answer.holder = ToLock(reader, *body->holder());
  answer.locks = reader.Items(
      body->locks(), limits::kListLocksMax, "locks",
      [&](const local::wire::Lock& lock) { return ToLock(reader, lock); });
  answer.more = body->more();
  answer.members = reader.Items(
      body->members(), limits::kMembersMax, "members",
      [&](const local::wire::Member& m) { return ToMember(reader, m); });
  answer.waiters = reader.Items(
      body->waiters(), limits::kListWaitersMax, "waiters",
      [&](const local::wire::Waiter& w) { return ToWaiter(reader, w); });
  if (body->status() != nullptr) {
    reply.status = ToStatus(reader, *body->status());
  }
  reply.belief = absl::Nanoseconds(body->belief_ns());
  reply.loss = reader.Value(body->loss(), LossReason::kClosed, "loss");
  const absl::Status status = reader.status();
  if (!status.ok()) return status;
  return reply;
}

}  // namespace cachalot
