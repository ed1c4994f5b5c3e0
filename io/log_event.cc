#include "io/log_event.h"

#include <cstddef>

namespace cachalot {
namespace {

using enum LogEvent;
using enum LogLevel;

constexpr LogEventInfo kEvents[] = {
    {kStarted, kInfo, "started", "name, id, address, local_socket"},
    {kStanding, kInfo, "standing", "joined, has_leader, has_session"},
    {kLeaving, kInfo, "leaving", ""},
    {kLeft, kInfo, "left", ""},
    {kStalled, kWarning, "stalled", "late_ms"},
    {kLinesLost, kWarning, "lines_lost", "lines, reason"},
    {kDecision, kDebug, "decision", ""},
    {kStillSeeking, kWarning, "still_seeking", "seeds, met, seeking_ms"},
    {kMemoryRead, kInfo, "memory_read", "state_dir, starts, cluster, has_left"},
    {kMemoryNone, kInfo, "memory_none", ""},
    {kMemoryForced, kWarning, "memory_forced",
     "state_dir, cluster, tokens_seen"},
    {kMemoryUnsaved, kError, "memory_unsaved", "reason, failures, unsaved_ms"},
    {kMemorySaved, kInfo, "memory_saved", "failures, unsaved_ms"},

    {kClusterFounded, kInfo, "cluster_founded",
     "cluster, token_base, voters, quarantine_ms"},
    {kClusterJoined, kInfo, "cluster_joined", "cluster, token_base"},
    {kClusterDissolved, kWarning, "cluster_dissolved",
     "cluster, other_cluster, reason"},
    {kOtherClusterName, kWarning, "other_cluster_name",
     "address, name, other_name"},
    {kFoundersDiffer, kWarning, "founders_differ",
     "member, member_id, address, founders, other_founders"},
    {kQuarantined, kInfo, "quarantined", "remaining_ms"},
    {kLeaderLost, kInfo, "leader_lost", "term, leader, leader_id, silent_ms"},
    {kElectionStarted, kInfo, "election_started", "term, reason"},
    {kLeadershipWon, kInfo, "leadership_won", "term"},
    {kLeadershipLost, kWarning, "leadership_lost", "term, reason, other"},
    {kLeaderChanged, kInfo, "leader_changed", "term, leader, leader_id"},
    {kVotersChanged, kInfo, "voters_changed", "voters, outgoing"},
    {kSurvivalChanged, kInfo, "survival_changed",
     "has_majority, deaths, voters, voters_alive"},
    {kMajorityLost, kError, "majority_lost",
     "leaderless_ms, hears_nobody, voters, missing, missing_ids, addresses, "
     "silent_ms"},
    {kMajorityBack, kInfo, "majority_back", "lost_ms"},

    {kMemberJoined, kInfo, "member_joined",
     "member, member_id, address, reported_by, repeats"},
    {kMemberSuspected, kInfo, "member_suspected",
     "member, member_id, address, reported_by, repeats"},
    {kMemberFailed, kWarning, "member_failed",
     "member, member_id, address, reported_by, repeats"},
    {kMemberRecovered, kInfo, "member_recovered",
     "member, member_id, address, reported_by, repeats"},
    {kMemberLeft, kInfo, "member_left",
     "member, member_id, address, reported_by, repeats"},
    {kIsolated, kWarning, "isolated", "silent_ms"},
    {kReconnected, kInfo, "reconnected", "member, member_id"},

    {kSessionOpened, kInfo, "session_opened", "session"},
    {kSessionLost, kWarning, "session_lost", "session, reason"},
    {kHoldersExpired, kInfo, "holders_expired", "sessions, nodes, locks"},
    {kLockWaiting, kDebug, "lock_waiting", "key, owner, wait_ms"},
    {kLockGranted, kDebug, "lock_granted", "key, owner, token"},
    {kLockRefused, kDebug, "lock_refused", "key, owner, outcome, holder"},
    {kLockRenewed, kDebug, "lock_renewed", "key, token, ttl_ms, outcome"},
    {kLockReleased, kDebug, "lock_released", "key, owner, token, reason"},
    {kLockSuspect, kDebug, "lock_suspect", "key, owner, token, reason"},
    {kLockCertain, kDebug, "lock_certain", "key, owner, token"},
    {kLockLost, kWarning, "lock_lost", "key, owner, token, reason"},

    {kSeedUnresolved, kWarning, "seed_unresolved", "seed, reason"},
    {kPeerUnreachable, kWarning, "peer_unreachable",
     "member, member_id, source, reason, address, repeats, others"},
    {kAddressChanged, kInfo, "address_changed", "host, addresses"},
    {kAddressDoubtful, kWarning, "address_doubtful", "reason"},
    {kStrangerRefused, kWarning, "stranger_refused",
     "reason, address, repeats, others"},
    {kDescriptorsShort, kWarning, "descriptors_short",
     "reason, repeats, others"},
    {kLocalClientRefused, kWarning, "local_client_refused", "reason"},
};

}  // namespace

absl::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

absl::Span<const LogEventInfo> LogEvents() { return kEvents; }

const LogEventInfo& InfoOf(LogEvent event) {
  return kEvents[static_cast<size_t>(event)];
}

absl::string_view LogEventName(LogEvent event) { return InfoOf(event).name; }

std::ostream& operator<<(std::ostream& out, LogEvent event) {
  return out << LogEventName(event);
}

}  // namespace cachalot
