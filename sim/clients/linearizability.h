#ifndef SIM_CLIENTS_LINEARIZABILITY_H_
#define SIM_CLIENTS_LINEARIZABILITY_H_

#include <cstdint>

#include "sim/clients/history.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// Whether what clients saw can be explained by one lock for each key, that is
// had by one client at a time and takes each operation at one instant between
// its call and its return (Herlihy and Wing, 1990).
//
// The lock, in the order of those instants:
//  - a try or lock that is answered ok finds it free; its token is above all
//    that were granted before;
//  - what is answered held, and a renewal that is answered ok, finds it held
//    under that very token; a list finds what it says;
//  - a release that is answered ok frees it; one that is not answered, or
//    otherwise, may free it at any time after its call, or never;
//  - it may come free by itself no earlier than its holder's belief ended: at
//    its release, or at what kLost gives as its call;
//  - who was not answered ok, or had to ask twice, may have been granted it
//    unseen, and lost it again, at any time after the call. So a holder that is
//    named but was never told is a real one if somebody had asked.
struct HistoryRules {
  // If not, clocks may leave their bound: locks come free at any time, and only
  // the order of tokens is left to judge.
  bool leases_hold = true;
};

// Linear, but for sorting. Each key is judged by itself, which is enough
// (Horn and Kroening, 2015). Tokens give the order of the grants; so it only
// has to be asked whether each grant can begin after the one before has ended.
// A complaint names operations that contradict each other.
Complaint CheckHistory(const History& history, const HistoryRules& rules);

// The two parts of it. What an answer may say at all: each token is granted
// once, is renewed, released and lost by whom it was granted to, and nobody is
// told of an end, or a withdrawal, that has no cause.
Complaint CheckAnswers(const History& history);
// And whether there is an order. REQUIRES: CheckAnswers() had nothing to say.
Complaint CheckOrder(const History& history, const HistoryRules& rules);

enum class Verdict : uint8_t { kPossible, kImpossible, kUndecided };

// The same as CheckOrder() by trying all orders (Wing and Gong, 1993; Lowe,
// 2017), with the sets that led nowhere remembered. Exponential, and undecided
// after `tries_max` sets: it is there to check the checker. Knows no tokens'
// order but that they rise.
Verdict SearchOrder(const History& history, const HistoryRules& rules,
                    uint64_t tries_max);

}  // namespace cachalot::sim

#endif  // SIM_CLIENTS_LINEARIZABILITY_H_
