#ifndef SIM_CLIENTS_LINEARIZABILITY_H_
#define SIM_CLIENTS_LINEARIZABILITY_H_

#include <cstdint>

#include "sim/clients/history.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// Checks whether a history is linearizable (Herlihy and Wing, 1990): whether
// one lock for each key, held by one client at a time, could have given all
// answers if each operation takes effect at one instant between its call and
// its return.
//
// The model of the lock, in the order of those instants:
//  - A try or lock with the answer ok finds the lock free. Its token is higher
//    than all tokens granted before.
//  - An operation with the answer held, or a renewal with the answer ok, finds
//    the lock held under the token in the answer. A list finds the state that
//    it returns.
//  - A release with the answer ok frees the lock. A release with another
//  answer,
//    or without one, may free it at any time after its call, or never.
//  - A lease ends no earlier than its holder's belief: at the release, or at
//  the
//    `called` time of kLost.
//  - A client that got no ok, or that had to ask twice, may have been granted
//  the
//    lock without learning it, and have lost it again, at any time after its
//    call. So an answer may name a holder that was never told of its grant, if
//    somebody had asked for the lock.
struct HistoryRules {
  // If false, clocks may leave their bound: a lock may become free at any time,
  // and only the order of tokens is checked.
  bool leases_hold = true;
};

// Takes O(n log n) time. Checks each key on its own, which is enough (Horn and
// Kroening, 2015). Tokens give the order of grants, so it remains to check that
// each grant can begin after the one before it has ended. A complaint names
// operations that contradict each other.
Complaint CheckHistory(const History& history, const HistoryRules& rules);

// The two parts of CheckHistory(). The first checks each answer: each token is
// granted once; only its owner renews, releases or loses it; and each refused
// renewal and each withdrawn request has a cause.
Complaint CheckAnswers(const History& history);
// The second checks that there is an order. REQUIRES: CheckAnswers() passed.
Complaint CheckOrder(const History& history, const HistoryRules& rules);

enum class Verdict : uint8_t { kPossible, kImpossible, kUndecided };

// The same as CheckOrder(), by a search through all orders (Wing and Gong,
// 1993; Lowe, 2017) that remembers failed sets of operations. Exponential;
// kUndecided after `tries_max` sets. It exists to test CheckOrder(). It does
// not sort grants by token, it only requires that tokens rise.
Verdict SearchOrder(const History& history, const HistoryRules& rules,
                    uint64_t tries_max);

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_LINEARIZABILITY_H_
