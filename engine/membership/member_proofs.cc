#include "engine/membership/member_proofs.h"

#include "absl/strings/string_view.h"

namespace cachalot {

bool MemberProofs::MayIntroduce(const Address& source) const {
  const auto found = unproven_.find(source.ip);
  return found == unproven_.end() || found->second < kUnprovenMax;
}

void MemberProofs::Add(NodeId member, const Address& source, bool is_newcomer) {
  const Record record = {.introduced_by = source.ip,
                         .is_newcomer = is_newcomer};
  if (members_.try_emplace(member, record).second) ++unproven_[source.ip];
}

bool MemberProofs::Prove(SlowInstant now, NodeId member) {
  const auto found = members_.find(member);
  if (found == members_.end()) return false;
  Record& record = found->second;
  if (record.proven_since != SlowInstant::Never()) return false;
  StopCounting(record);
  record.proven_since = now;
  return record.is_newcomer;
}

void MemberProofs::Demote(SlowInstant now, NodeId member) {
  const auto found = members_.find(member);
  if (found == members_.end()) return;
  if (found->second.proven_since == SlowInstant::Never()) return;
  found->second.proven_since = now;
}

void MemberProofs::Remove(NodeId member) {
  const auto found = members_.find(member);
  if (found == members_.end()) return;
  StopCounting(found->second);
  members_.erase(found);
}

SlowInstant MemberProofs::ProvenSince(NodeId member) const {
  const auto found = members_.find(member);
  return found == members_.end() ? SlowInstant::Never()
                                 : found->second.proven_since;
}

size_t MemberProofs::unproven() const {
  size_t sum = 0;
  for (const auto& [source, count] : unproven_) sum += count;
  return sum;
}

void MemberProofs::StopCounting(const Record& record) {
  if (record.proven_since != SlowInstant::Never()) return;
  const auto found = unproven_.find(record.introduced_by);
  if (--found->second == 0) unproven_.erase(found);
}

void MemberProofs::AddTo(Fingerprint& hash) const {
  for (const auto& [id, record] : members_) {
    hash.Add(id).Add(record.proven_since).Add(uint64_t{record.is_newcomer});
    hash.Add(absl::string_view(
        reinterpret_cast<const char*>(record.introduced_by.data()),
        record.introduced_by.size()));
  }
}

}  // namespace cachalot
