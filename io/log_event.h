#ifndef IO_LOG_EVENT_H_
#define IO_LOG_EVENT_H_

#include <cstdint>
#include <ostream>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cachalot {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warning", "error".
absl::string_view LogLevelName(LogLevel level);

// Everything that the log tells of. tools/README.md says for each what an
// operator does about it; a test compares the two lists.
enum class LogEvent : uint8_t {
  // This process.
  kStarted,
  kStanding,
  kLeaving,
  kLeft,
  kStalled,
  kLinesLost,
  kDecision,
  kStillSeeking,
  kMemoryRead,
  kMemoryNone,
  kMemoryForced,
  kMemoryUnsaved,
  kMemorySaved,
  // Its cluster.
  kClusterFounded,
  kClusterJoined,
  kClusterDissolved,
  kOtherClusterName,
  kFoundersDiffer,
  kQuarantined,
  kLeaderLost,
  kElectionStarted,
  kLeadershipWon,
  kLeadershipLost,
  kLeaderChanged,
  kVotersChanged,
  kSurvivalChanged,
  kMajorityLost,
  kMajorityBack,
  // The members.
  kMemberJoined,
  kMemberSuspected,
  kMemberFailed,
  kMemberRecovered,
  kMemberLeft,
  kIsolated,
  kReconnected,
  // Sessions and locks.
  kSessionOpened,
  kSessionLost,
  kHoldersExpired,
  kLockWaiting,
  kLockGranted,
  kLockRefused,
  kLockRenewed,
  kLockReleased,
  kLockSuspect,
  kLockCertain,
  kLockLost,
  // The network.
  kSeedUnresolved,
  kPeerUnreachable,
  kAddressChanged,
  kAddressDoubtful,
  kStrangerRefused,
  kDescriptorsShort,
  kLocalClientRefused,
};

struct LogEventInfo {
  LogEvent event;
  LogLevel level;
  // Stable: scripts and alerts may match it.
  absl::string_view name;
  // The names of the fields that its records have, separated by ", ".
  absl::string_view fields;
};

// In the order of the enum.
absl::Span<const LogEventInfo> LogEvents();
const LogEventInfo& InfoOf(LogEvent event);
absl::string_view LogEventName(LogEvent event);
std::ostream& operator<<(std::ostream& out, LogEvent event);

}  // namespace cachalot

#endif  // IO_LOG_EVENT_H_
