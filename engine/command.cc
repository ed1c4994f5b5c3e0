#include "engine/command.h"

namespace cachalot {

const char* ReplyKindName(Reply::Kind kind) {
  switch (kind) {
    case Reply::Kind::kOpened:
      return "opened";
    case Reply::Kind::kKept:
      return "kept";
    case Reply::Kind::kClosed:
      return "closed";
    case Reply::Kind::kAnswered:
      return "answered";
    case Reply::Kind::kQueued:
      return "queued";
    case Reply::Kind::kSessionGone:
      return "session gone";
    case Reply::Kind::kRevoked:
      return "revoked";
    case Reply::Kind::kMustRelease:
      return "must release";
    case Reply::Kind::kQuarantined:
      return "quarantined";
  }
  return "?";
}

}  // namespace cachalot
