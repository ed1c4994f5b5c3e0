#ifndef ENGINE_OBSERVER_H_
#define ENGINE_OBSERVER_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/request.h"
#include "engine/survival.h"

namespace cachalot {

// --- What an operator asks about, as facts -----------------------------------

// A follower or a learner has not heard its leader for too long and no longer
// follows it.
struct LeaderLost {
  NodeId leader;
  Term term;              // the leader's
  absl::Duration silent;  // since it was last heard
};

// This node asks for votes.
struct ElectionStarted {
  enum class Reason : uint8_t {
    kNoLeader,  // and a majority would vote for it
    kFounding,  // of a cluster
    kHandover,  // a leader that is no voter any more asked it to
  };
  Term term;
  Reason reason = Reason::kNoLeader;
};

struct LeadershipWon {
  Term term;
};

struct LeadershipLost {
  enum class Reason : uint8_t {
    kNoQuorum,    // too few followers answered within the election time-out
    kHigherTerm,  // another node stands for election, or leads
    kNoVoter,     // this node is no voter any more
  };
  Term term;
  Reason reason = Reason::kHigherTerm;
  NodeId by;  // kHigherTerm: who was met; kNoVoter: the heir
};

// Another node leads.
struct LeaderFollowed {
  NodeId leader;
  Term term;
};

// This node's log has another list of voters at its end. While `outgoing` is
// not empty a change is under way, and needs a majority of both.
struct VotersChanged {
  std::vector<NodeId> voters;
  std::vector<NodeId> outgoing;
};

struct MemberChanged {
  NodeId id;
  std::string name;  // any bytes
  Address address;
  MemberState state = MemberState::kAlive;
  MemberState was = MemberState::kAlive;
  bool is_new = false;  // `was` means nothing
  NodeId reported_by;   // this node, that member, or a third
};

// A message of our cluster was taken in.
struct MemberHeard {
  NodeId id;
  Address source;   // where it came from
  Address address;  // where its sender says that it listens
  bool on_stream = false;
};

// A member is asked by datagram whether it is there.
struct ProbeStarted {
  NodeId target;
  Address address;
};
// It answered by itself, in time.
struct ProbeAnswered {
  NodeId target;
  bool on_stream =
      false;  // the datagram, or the answer to it, was late or lost
};

// A member called this node suspect, failed or left. This node denies it.
struct SelfAccused {
  NodeId by;
};

// A member was refused, since this node could not reach it at its address: a
// loopback address that another machine reported, or a wildcard.
struct AddressRefused {
  NodeId id;
  std::string name;  // any bytes; empty if it is not known
  Address address;
  NodeId reported_by;  // that member, or another
  Address source;      // where the message came from
};

// This node hears nobody, and so cannot tell who is gone.
struct Isolated {
  absl::Duration silent;
};
struct IsolationEnded {
  NodeId heard;
};

// No majority of the voters answers any more, and none has for longer than
// elections take: `outage` says which.
struct MajorityLost {
  Outage outage;
};
// A majority answers again, or a leader is known.
struct MajorityBack {
  absl::Duration lost;  // since MajorityLost was observed
};

// The driver stepped this node long after its deadline.
struct Stalled {
  absl::Duration late;  // after the deadline
};

struct ClusterFounded {
  ClusterId cluster;
  FencingToken token_base;
  // For so long nothing is granted: holders of an earlier cluster may still
  // believe in their locks.
  absl::Duration quarantine;
  std::vector<NodeId> voters;
};
// Another founder has another list of founders. Both wait for each other's list
// to be the same.
struct FoundersDiffer {
  NodeId id;
  std::string name;  // any bytes
  Address address;
  std::vector<std::string> theirs;  // any bytes
  std::vector<std::string> ours;
};
struct ClusterJoined {
  ClusterId cluster;
  FencingToken token_base;
};
// A process at `address` belongs to a cluster of another name. Nothing is taken
// from it.
struct OtherNameMet {
  Address address;
  std::string theirs;  // empty: it did not say; not escaped
  std::string ours;
};
// This node gave its cluster up and looks for another, under another id.
struct ClusterDissolved {
  enum class Reason : uint8_t {
    kNobodyLeads,  // in the time in which a leader must have shown up
    kOtherIsOlder,
    kOtherHasLeader,
  };
  ClusterId cluster;
  Reason reason = Reason::kNobodyLeads;
  ClusterId other;  // none: kNobodyLeads
};

struct SessionOpened {
  SessionId session;
};
// The cluster opens no session yet.
struct QuarantineMet {
  absl::Duration remaining;
};
// All locks of this node are lost with it.
struct SessionLost {
  SessionId session;
  LossReason reason = LossReason::kNone;
};

// This node leads and has proposed that these expire. What is renewed before
// the entry is applied does not expire.
struct ExpiryProposed {
  std::vector<SessionId> sessions;
  uint64_t locks = 0;  // whose own leases ended
};

using Observation =
    std::variant<LeaderLost, ElectionStarted, LeadershipWon, LeadershipLost,
                 LeaderFollowed, VotersChanged, MemberChanged, MemberHeard,
                 ProbeStarted, ProbeAnswered, SelfAccused, AddressRefused,
                 Isolated, IsolationEnded, MajorityLost, MajorityBack, Stalled,
                 ClusterFounded, ClusterJoined, ClusterDissolved, OtherNameMet,
                 SessionOpened, SessionLost, ExpiryProposed, FoundersDiffer,
                 QuarantineMet>;

// Watches a node. It returns nothing that the node reads, so it cannot change a
// run. Called during a step: it must not call the node.
class Observer {
 public:
  virtual ~Observer() = default;

  // Whether Note() is to be called. It does not change.
  virtual bool WantsNotes() const { return true; }
  // One decision and its reason, in the words of the glossary in
  // engine/README.md: "heard no leader for 250ms -> candidate in term 2". Names
  // in it are not escaped.
  virtual void Note(absl::string_view decision) = 0;

  virtual void Observe(const Observation& /*observation*/) {}
};

// A function that makes text or an observation. It is called only if there is
// an observer, so a run without one does not pay for it.
template <typename Make, typename Made>
concept MakerOf = std::invocable<const Make&> &&
    std::convertible_to<std::invoke_result_t<const Make&>, Made>;

template <typename Make>
requires MakerOf<Make, absl::string_view>
void NoteTo(Observer* observer, const Make& make) {
  if (observer != nullptr && observer->WantsNotes()) observer->Note(make());
}

template <typename Make>
requires MakerOf<Make, Observation>
void ObserveTo(Observer* observer, const Make& make) {
  if (observer != nullptr) observer->Observe(make());
}

}  // namespace cachalot

#endif  // ENGINE_OBSERVER_H_
