#include "tests/engine/wire/within_limits.h"

#include <algorithm>
#include <string>
#include <variant>

#include "absl/algorithm/container.h"
#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/overloaded.h"

namespace cachalot {
namespace {

bool IsKey(const std::string& key) {
  return !key.empty() && key.size() <= limits::kKeyBytesMax;
}

bool IsTtl(absl::Duration ttl) {
  return limits::TtlMin() <= ttl && ttl <= limits::TtlMax();
}

bool IsRemaining(absl::Duration remaining) {
  return -limits::WaitMax() <= remaining && remaining <= limits::WaitMax();
}

bool IsName(const std::string& name) {
  return name.size() <= limits::kNameBytesMax;
}

bool IsOwner(const std::string& owner) {
  return owner.size() <= limits::kOwnerBytesMax;
}

bool IsReason(const std::string& reason) {
  return reason.size() <= limits::kReasonBytesMax;
}

bool Fits(const MemberFact& fact) {
  return IsName(fact.name) && fact.state <= MemberState::kLeft;
}

bool Fits(const MemberInfo& member) {
  return IsName(member.name) && member.state <= MemberState::kLeft &&
         member.role <= MemberRole::kLeader;
}

bool Fits(const Entry& entry) {
  return entry.kind <= EntryKind::kConfiguration &&
         entry.payload.size() <= limits::kEntryBytesMax &&
         entry.time.nanoseconds() <= INT64_MAX;
}

bool Fits(const LockInfo& lock) {
  return IsKey(lock.key) && IsName(lock.holder_name) && IsOwner(lock.owner) &&
         IsRemaining(lock.lease_remaining) &&
         IsRemaining(lock.session_remaining) && IsReason(lock.revoke_reason) &&
         lock.remaining ==
             std::min(lock.lease_remaining, lock.session_remaining);
}

bool Fits(const Expire::OfLock& lock) { return IsKey(lock.key); }

bool Fits(const WaiterInfo& waiter) {
  return IsName(waiter.name) && IsOwner(waiter.owner);
}

bool Fits(const Read& read) {
  return std::visit(
      Overloaded{
          [](const ListLocksRequest& locks) {
            return locks.prefix.size() <= limits::kKeyBytesMax &&
                   locks.after.size() <= limits::kKeyBytesMax;
          },
          [](const ListMembersRequest&) { return true; },
          [](const ListWaitersRequest& waiters) { return IsKey(waiters.key); }},
      read.what);
}

bool Fits(const Reply& reply) {
  return reply.kind <= Reply::Kind::kQuarantined &&
         reply.limit <= Limit::kRequestsPerSession && IsReason(reply.text) &&
         reply.outcome <= Outcome::kUnknown &&
         reply.key.size() <= limits::kKeyBytesMax &&
         IsName(reply.holder_name) && IsOwner(reply.owner) &&
         IsRemaining(reply.lease_remaining) &&
         IsRemaining(reply.session_remaining);
}

bool Fits(const ReadResult& result);
bool Fits(const LockCommand& command);

template <typename Item>
bool AllFit(const std::vector<Item>& items, size_t count_max) {
  return items.size() <= count_max &&
         absl::c_all_of(items, [](const Item& item) { return Fits(item); });
}

bool Fits(const ReadResult& result) {
  return AllFit(result.locks, limits::kListLocksMax) &&
         AllFit(result.members, limits::kMembersMax) &&
         AllFit(result.waiters, limits::kListWaitersMax) &&
         (!result.holder.has_value() || Fits(*result.holder));
}

bool Fits(const LockCommand& command) {
  return std::visit(
      Overloaded{[](const OpenSession& open) {
                   return IsTtl(open.ttl) && IsName(open.name);
                 },
                 [](const KeepAlive&) { return true; },
                 [](const CloseSession&) { return true; },
                 [](const Acquire& acquire) {
                   return IsKey(acquire.key) && IsTtl(acquire.ttl) &&
                          IsOwner(acquire.owner);
                 },
                 [](const Renew& renew) {
                   return IsKey(renew.key) && IsTtl(renew.ttl);
                 },
                 [](const Release& release) { return IsKey(release.key); },
                 [](const Withdraw& withdraw) { return IsKey(withdraw.key); },
                 [](const Revoke& revoke) {
                   return IsKey(revoke.key) && IsReason(revoke.reason);
                 },
                 [](const Expire& expire) {
                   return expire.sessions.size() <= limits::kSessionsMax &&
                          AllFit(expire.locks, limits::kLocksMax);
                 },
                 [](const BeginTerm& begin) {
                   return absl::ZeroDuration() <= begin.grace &&
                          begin.grace <= limits::TtlMax() &&
                          absl::ZeroDuration() <= begin.quarantine &&
                          begin.quarantine <= limits::TtlMax();
                 }},
      command);
}

bool Rise(const std::vector<Voter>& voters) {
  for (size_t i = 1; i < voters.size(); ++i) {
    if (voters[i - 1].id >= voters[i].id) return false;
  }
  return voters.size() <= limits::kVotersMax;
}

bool FactsFit(const std::vector<MemberFact>& facts) {
  return AllFit(facts, limits::kMembersMax);
}

bool Fits(const Append& append) {
  size_t size = 0;
  for (const Entry& entry : append.entries) size += entry.payload.size();
  return AllFit(append.entries, limits::kAppendEntriesMax) &&
         size <= limits::kAppendBytesMax;
}

bool Fits(const SnapshotChunk& chunk) {
  return WithinLimits(chunk.configuration) &&
         chunk.total <= limits::kSnapshotBytesMax &&
         chunk.offset <= chunk.total &&
         chunk.bytes.size() <= chunk.total - chunk.offset &&
         chunk.bytes.size() <= limits::kSnapshotChunkBytes;
}

}  // namespace

bool WithinLimits(const Message& message) {
  return std::visit(
      Overloaded{
          [](const Ping& ping) { return FactsFit(ping.facts); },
          [](const PingRequest& request) {
            return FactsFit(request.facts) &&
                   absl::ZeroDuration() <= request.timeout &&
                   request.timeout <= absl::Minutes(1);
          },
          [](const Ack& ack) { return FactsFit(ack.facts); },
          [](const Nack& nack) { return FactsFit(nack.facts); },
          [](const Gossip& gossip) { return FactsFit(gossip.facts); },
          [](const PushPull& push_pull) {
            return FactsFit(push_pull.members) &&
                   push_pull.founders.size() <= limits::kVotersMax &&
                   absl::c_all_of(push_pull.founders, IsName);
          },
          [](const BirthInvitation& invitation) {
            return Rise(invitation.voters) &&
                   invitation.token_base.number() <= limits::kTokenFloorMax &&
                   absl::ZeroDuration() <= invitation.quarantine &&
                   invitation.quarantine <= limits::TtlMax();
          },
          [](const BirthAcceptance&) { return true; },
          [](const Append& append) { return Fits(append); },
          [](const SnapshotChunk& chunk) { return Fits(chunk); },
          [](const SnapshotReply& reply) {
            return reply.received <= limits::kSnapshotBytesMax;
          },
          [](const Forward& forward) {
            return WithinLimits(forward.commands) &&
                   AllFit(forward.reads, limits::kRequestsPerSessionMax);
          },
          [](const Replies& replies) {
            return AllFit(replies.replies, limits::kProposalsPerTurnMax) &&
                   AllFit(replies.reads, limits::kRequestsPerSessionMax);
          },
          // Numbers and flags alone.
          [](const VoteRequest&) { return true; },
          [](const VoteReply&) { return true; },
          [](const AppendReply&) { return true; },
          [](const TimeoutNow&) { return true; },
          [](const LeaveIntent&) { return true; },
          [](const LeaveReply&) { return true; },
          [](const Redirect&) { return true; }},
      message);
}

bool WithinLimits(const std::vector<LockCommand>& commands) {
  return AllFit(commands, limits::kProposalsPerTurnMax);
}

bool WithinLimits(const Configuration& configuration) {
  return Rise(configuration.voters) && Rise(configuration.outgoing);
}

}  // namespace cachalot
