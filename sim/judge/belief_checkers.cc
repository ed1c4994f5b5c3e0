#include "sim/judge/belief_checkers.h"

#include <algorithm>

namespace cachalot::sim {
namespace {

// Clocks are read in whole nanoseconds and lose a part of one each time that
// their rate is changed.
constexpr absl::Duration Rounding() { return absl::Microseconds(1); }

Complaint CheckReason(const NotifyHolder& notice, FastInstant until,
                      const LossFacts& facts) {
  const auto unless = [&notice](bool is_true, const char* but) -> Complaint {
    if (is_true) return std::nullopt;
    return Say(notice.key, " (token ", notice.token, ") was lost as ",
               notice.reason, ", but ", but);
  };
  switch (notice.reason) {
    case LossReason::kReleased:
      return unless(facts.was_released, "nobody released it");
    case LossReason::kExpired:
      return unless(until <= facts.now, "its belief had not ended");
    case LossReason::kRevoked:
      if (!notice.text.empty()) {
        return unless(!facts.is_granted || notice.text == facts.revoke_reason,
                      "it was not revoked for the reason that was told");
      }
      return unless(!facts.is_granted, "the cluster has it granted yet");
    case LossReason::kLeft:
      return unless(facts.has_left, "its node was not asked to leave");
    case LossReason::kDissolved:
      return unless(facts.dissolved, "its node has its cluster yet");
    case LossReason::kWithdrawn:
      return unless(false, "its caller had been given it");
    case LossReason::kClosed:
      return unless(false, "that is for the embedder's API to say");
    case LossReason::kNone:
      return unless(false, "that is no reason");
  }
  return std::nullopt;
}

}  // namespace

// --- LeaseEnds ---------------------------------------------------------------

void LeaseEnds::ObserveLease(const SessionId& session,
                             const FencingToken& token, absl::Duration ttl,
                             RealInstant stamped) {
  const RealInstant end = EndOf(ttl, stamped);
  if (token.IsNone()) {
    RealInstant& known = sessions_[session];
    known = std::max(known, end);
    return;
  }
  GrantLease& grant = grants_[token];
  grant = {session, std::max(grant.end, end)};
}

RealInstant LeaseEnds::EndOf(absl::Duration ttl, RealInstant stamped) const {
  constexpr int64_t kMillion = 1'000'000;
  return stamped + ttl * kMillion / (kMillion + rate_bound_ppm_) + Rounding();
}

Complaint LeaseEnds::CheckBelief(absl::string_view key,
                                 const SessionId& session,
                                 const FencingToken& token,
                                 RealInstant until) const {
  const auto own = sessions_.find(session);
  const auto grant = grants_.find(token);
  if (own == sessions_.end() || grant == grants_.end()) {
    return Say(key, " (token ", token, ") is believed in until ", until,
               ", but the table does not grant it");
  }
  if (grant->second.session != session) {
    return Say(key, " (token ", token, ") is believed in by session ", session,
               ", but was granted to ", grant->second.session);
  }
  const RealInstant end = std::min(own->second, grant->second.end);
  if (until <= end) return std::nullopt;
  return Say(key, " (token ", token, ") is believed in until ", until,
             ", but its lease may end at ", end);
}

// --- CallersBeliefs ----------------------------------------------------------

Complaint CallersBeliefs::ObserveGrant(RequestId request, absl::string_view key,
                                       const FencingToken& token,
                                       const SessionId& session) {
  const auto [found, is_new] = held_.try_emplace(
      request,
      Held{.key = std::string(key), .token = token, .session = session});
  if (is_new) return std::nullopt;
  return Say("request ", request, " was granted ", found->second.key,
             " a second time");
}

Complaint CallersBeliefs::ObserveNotice(const NotifyHolder& notice,
                                        const LossFacts& facts) {
  const auto found = held_.find(notice.request);
  if (found == held_.end() || found->second.token != notice.token) {
    return Say("request ", notice.request, " was told that ", notice.key,
               " (token ", notice.token, ") is ", notice.belief,
               ", but did not have it");
  }
  Held& held = found->second;
  if (notice.belief == Belief::kLost) {
    const FastInstant until = held.until;
    held_.erase(found);
    return CheckReason(notice, until, facts);
  }
  const bool says_more =
      notice.lease_moved || notice.reason != LossReason::kNone;
  if (held.belief == notice.belief && !says_more) {
    return Say(notice.key, " was told twice to be ", notice.belief);
  }
  held.belief = notice.belief;
  return std::nullopt;
}

Complaint CallersBeliefs::ObserveBelief(RequestId request,
                                        const FencingToken& token,
                                        const SessionId& session,
                                        FastInstant until, FastInstant now) {
  const auto found = held_.find(request);
  if (found == held_.end() || found->second.token != token) {
    return Say("the node believes in token ", token,
               ", of which its caller was not told, or told that it is lost");
  }
  if (found->second.session != session) {
    return Say("the node believes in token ", token, ", which session ",
               found->second.session, " was granted, in session ", session);
  }
  if (std::min(until, found->second.until) <= now) {
    return Say("the node believes in token ", token, " at ", now,
               ", though its belief had ended at ",
               std::min(until, found->second.until));
  }
  found->second.until = until;
  return std::nullopt;
}

}  // namespace cachalot::sim
