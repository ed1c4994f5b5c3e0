#ifndef TESTS_ENGINE_LOCKS_PRINT_REPLY_H_
#define TESTS_ENGINE_LOCKS_PRINT_REPLY_H_

#include <ostream>

#include "engine/command.h"
#include "engine/request.h"

namespace cachalot {

// Found by GoogleTest, so that a failure shows words.
inline void PrintTo(const Reply& reply, std::ostream* out) {
  *out << "{" << ReplyKindName(reply.kind) << " " << reply.session
       << " sequence=" << reply.sequence << " renewal=" << reply.renewal
       << " outcome=" << reply.outcome << " token=" << reply.token
       << " index=" << reply.index << " granted_at=" << reply.granted_at
       << " key=" << reply.key << " lease=" << reply.lease_remaining
       << " session=" << reply.session_remaining << " holder=" << reply.holder
       << " '" << reply.holder_name << "' '" << reply.owner
       << "' limit=" << static_cast<int>(reply.limit) << " '" << reply.text
       << "'}";
}

inline void PrintTo(const LockInfo& lock, std::ostream* out) {
  *out << "{" << lock.key << " token=" << lock.token << " " << lock.holder
       << " '" << lock.holder_name << "' '" << lock.owner
       << "' lease=" << lock.lease_remaining
       << " session=" << lock.session_remaining << " waiters=" << lock.waiters
       << " revoked='" << lock.revoke_reason << "'"
       << "}";
}

}  // namespace cachalot

#endif  // TESTS_ENGINE_LOCKS_PRINT_REPLY_H_
