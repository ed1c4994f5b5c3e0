#ifndef ENGINE_MEMBERSHIP_MEMBERSHIP_H_
#define ENGINE_MEMBERSHIP_MEMBERSHIP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/member.h"
#include "engine/membership/answer_limit.h"
#include "engine/membership/gossip.h"
#include "engine/membership/member_list.h"
#include "engine/membership/member_proofs.h"
#include "engine/membership/probe.h"
#include "engine/membership/relays.h"
#include "engine/membership/rota.h"
#include "engine/membership/suspicion.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/origin.h"
#include "engine/outbox.h"
#include "engine/random.h"
#include "engine/request.h"
#include "engine/wire/message.h"

namespace cachalot {

// Who is in the cluster and who seems alive: SWIM with Lifeguard, and rules by
// which a node that cannot receive, is slow or is cut off accuses nobody (R1 to
// R8 of README.md in this folder).
//
// Its results are hints: safety must not depend on them (R11). Each member
// decides by itself that another has failed, after a suspicion that the accused
// had time to deny. What others say shortens that time to its minimum, but not
// further. Only a member itself says that it has left or is alive again.
//
// Not thread-safe. A value: a copy is independent of the original. No message
// makes a CHECK fail.
class Membership {
 public:
  struct Change {
    MemberFact fact;  // the member as it is now
    MemberState was;  // kLeft for one that was not known before
    bool is_new = false;
  };

  // What this node tells others about its own cluster; Node sets it.
  struct Introduction {
    FencingToken token_base;
    bool is_led = false;
    std::vector<std::string> founders;
    bool is_first = false;
    ClusterId ended;
  };

  // What was dropped, and why. Never falls.
  struct Stats {
    uint64_t implausible = 0;  // facts without id or address, or far ahead
    uint64_t refused = 0;      // members beyond limits::kMembersMax
    uint64_t misplaced = 0;    // members at addresses that the sender may not
                               // name (Origin::MayName())
    uint64_t invented = 0;     // members beyond MemberProofs::kUnprovenMax
    uint64_t unserved = 0;     // requests to ping beyond Relays::kMax, or to
                               // ping somebody unknown
    uint64_t misdirected = 0;  // lists not sent: the datagram came from another
                               // address than its sender claims
    uint64_t denials = 0;      // times that this node was accused and denied it
    uint64_t unsure = 0;       // probes whose silence may be this node's fault

    friend bool operator==(const Stats&, const Stats&) = default;
  };

  // `observer` is not owned, may be null, and outlives every copy.
  Membership(MembershipOptions options, NodeId self, Address address,
             std::string name, std::vector<Address> seeds, Random random,
             SlowInstant now, Observer* observer);

  void Introduce(const Introduction& introduction);
  void SetSeeds(SlowInstant now, std::vector<Address> seeds);
  // `from` is the sender of the envelope. The node has checked that it is in
  // our cluster or, like us, in none. Answers go to where the message came
  // from, on its stream if it came on one; never to an address that it only
  // names.
  void Receive(SlowInstant now, NodeId from, const Origin& origin,
               const MembershipMessage& message, Outbox& out);
  void FireTimers(SlowInstant now, Outbox& out);
  // Later than the last `now` once FireTimers() was called with it.
  SlowInstant NextDeadline() const { return deadline_; }
  // The node was stepped `lateness` after its deadline (R4).
  void NoteStall(SlowInstant now, absl::Duration lateness);
  // Says goodbye to everybody: our own fact becomes kLeft.
  void Leave(SlowInstant now, Outbox& out);

  // Sends `id`, which may be unknown, something that it answers.
  void Ask(NodeId id, const Address& address, Outbox& out);

  // Since the last call, in order.
  std::vector<Change> TakeChanges();

  // Everybody known but ourselves, ordered by id: alive, suspect, failed, left.
  const absl::btree_map<NodeId, MemberFact>& others() const {
    return list_.members();
  }
  const MemberFact& self() const { return self_; }
  // Since when a member has been failed or left; never if it is present.
  SlowInstant GoneSince(NodeId id) const { return list_.GoneSince(id); }
  // All known members and this node, as an introduction.
  PushPull WholeList() const;
  // Since when `id` has been present and has shown that it exists
  // (MemberProofs). Never if it has not.
  SlowInstant ProvenSince(NodeId id) const { return proofs_.ProvenSince(id); }
  // Ranks `id` after all others that are proven now.
  void Demote(SlowInstant now, NodeId id) { proofs_.Demote(now, id); }

  // --- For watching only ----------------------------------------------------

  // This node hears nobody, so its list may be out of date.
  bool isolated() const { return isolated_since_.has_value(); }
  // Lifeguard's local health: 0 is well, 7 is worst.
  int health() const { return health_; }
  const Stats& stats() const { return stats_; }

  // CHECKs what must hold between steps; too slow for production.
  void CheckInvariants() const;
  // A hash of the whole state, the same in every build.
  uint64_t Fingerprint() const;

 private:
  // One received message, and the facts with which its sender is corrected.
  struct Receipt {
    SlowInstant now;
    NodeId from;
    Origin origin;
    bool is_whole_list = false;
    // A list on a stream that came while this node knew nobody: it may
    // introduce more than MemberProofs::kUnprovenMax members.
    bool is_welcome = false;
    std::vector<MemberFact> corrections;
  };

  // --- Hearing --------------------------------------------------------------
  void NoteHeard(SlowInstant now, NodeId from);
  void TakePing(const Ping& ping, Receipt& receipt, Outbox& out);
  void TakePingRequest(const PingRequest& request, Receipt& receipt,
                       Outbox& out);
  void TakeAck(const Ack& ack, Receipt& receipt, Outbox& out);
  void TakeNack(const Nack& nack, Receipt& receipt);
  void TakePushPull(const PushPull& message, Receipt& receipt, Outbox& out);
  void AnswerSender(Receipt& receipt, Outbox& out);
  void Answer(const Receipt& receipt, Message message, Outbox& out);
  void NoteSpeaker(const Receipt& receipt);

  // --- Believing ------------------------------------------------------------
  void LearnAll(const std::vector<MemberFact>& facts, Receipt& receipt);
  void Learn(const MemberFact& news, Receipt& receipt);
  void LearnOfSelf(const MemberFact& news, Receipt& receipt);
  void RefuseAddress(const MemberFact& news, const Receipt& receipt);
  void Meet(const MemberFact& news, const Receipt& receipt);
  void HearFailed(const MemberFact& news, const Receipt& receipt);
  void Prove(SlowInstant now, NodeId id);
  void FailPredecessorsAt(SlowInstant now, const MemberFact& newcomer);
  bool MakeRoom();
  void Adopt(SlowInstant now, const MemberFact& news, NodeId heard_from);
  void NotePresence(SlowInstant now, const MemberFact& member);
  void NoteSuspicion(SlowInstant now, const MemberFact& member,
                     NodeId heard_from);

  // --- Probing and suspecting -----------------------------------------------
  void FireProbe(SlowInstant now, Outbox& out);
  void StartProbe(SlowInstant now, Outbox& out);
  void AskHelpers(SlowInstant now, Outbox& out);
  void ConcludeProbe(SlowInstant now);
  void Accuse(SlowInstant now, NodeId target);
  void FireRelays(SlowInstant now, Outbox& out);
  void FireSuspicions(SlowInstant now);
  void FireIsolation(SlowInstant now);
  void EndIsolation(SlowInstant now, NodeId heard);
  void WorsenHealth();
  SlowInstant IsolationDeadline() const;
  SlowInstant FindDeadline() const;

  // --- Telling --------------------------------------------------------------
  void Spread(SlowInstant now, const MemberFact& fact);
  void FireGossip(SlowInstant now, Outbox& out);
  void SendGossip(Outbox& out);
  void FireJoin(SlowInstant now, Outbox& out);
  void FirePushPull(SlowInstant now, Outbox& out);
  void FireReconnect(SlowInstant now, Outbox& out);
  void ReapGone(SlowInstant now);
  void ReapGhosts(SlowInstant now);
  std::vector<Address> LostAddresses() const;
  std::vector<Address> LostSeeds() const;
  std::vector<MemberFact> FactsFor(NodeId receiver);
  void SendTo(NodeId to, const Address& address, Outgoing::Channel channel,
              Message message, Outbox& out) const;
  void SendIntroduction(const Address& address, bool is_join,
                        Outbox& out) const;

  // --- Small things ---------------------------------------------------------
  static constexpr int kHealthWorst = 7;  // Lifeguard's S - 1
  bool has_left() const { return self_.state == MemberState::kLeft; }
  bool is_alone() const { return list_.present() == 0; }
  // Ourselves included.
  size_t members() const { return list_.present() + 1; }
  uint64_t NextNumber();
  absl::Duration AtHealth(absl::Duration d) const { return d * (health_ + 1); }
  absl::Duration JitterUpTo(absl::Duration max);
  std::vector<NodeId> PresentMembers() const;
  std::string NameOf(NodeId id) const;
  std::string NamesOf(const std::vector<NodeId>& ids) const;
  // `text` is called only if somebody watches.
  template <typename Text>
  void Note(const Text& text) const {
    NoteTo(observer_, text);
  }
  template <typename Make>
  void Observe(const Make& observation) const {
    ObserveTo(observer_, observation);
  }

  MembershipOptions options_;  // fixed
  // What this node says of itself: alive, or left once Leave() was called. Its
  // incarnation never falls; LearnOfSelf() raises it above each accusation.
  MemberFact self_;
  // Where to ask for a cluster, never this node's own address. At most
  // limits::kSeedsMax. SetSeeds().
  std::vector<Address> seeds_;
  Random random_;       // for the order of members, seeds' retries and jitter
  Observer* observer_;  // not owned; may be null
  Introduction introduction_;  // Introduce()

  // --- What is believed of the others ---------------------------------------

  // Everybody else that is known. Adopt() adds and changes.
  MemberList list_;
  // One for each suspect in list_. FireSuspicions() turns those that are due
  // into "failed".
  absl::btree_map<NodeId, Suspicion> suspicions_;
  // One for each that is present.
  MemberProofs proofs_;
  // Members that failed without ever having proven that they exist, and since
  // when. ReapGhosts() forgets them.
  absl::btree_map<NodeId, SlowInstant> ghosts_;
  // The news that is still to be spread. Of each member it has the fact that is
  // in list_ or self_. Spread() adds.
  GossipQueue gossip_;
  // Both hold exactly the members that are present.
  Rota probe_rota_;
  Rota gossip_rota_;

  // --- Probing --------------------------------------------------------------

  // The present round; its target is present.
  std::optional<Probe> probe_;
  // Pings that this node sends for others.
  Relays relays_;
  // How often others may still be corrected.
  AnswerLimit answers_;
  // The number of the last probe or relayed ping. Even, rises by two; one above
  // is the number of the ping on a stream.
  uint64_t last_number_ = 0;

  // --- What this node thinks of itself (R4) ---------------------------------

  // Lifeguard's local health multiplier, [0, kHealthWorst]: periods and
  // timeouts are health_ + 1 times as long. WorsenHealth() adds one, an
  // answered probe takes one away.
  int health_ = 0;
  // Having heard nobody for so long, this node is isolated. max(2 *
  // probe_interval, pause_tolerance); does not change.
  absl::Duration isolation_after_;
  // When any message of another member last came.
  SlowInstant last_heard_;
  // While set, no suspicion runs out.
  std::optional<SlowInstant> isolated_since_;
  // An accusation came in this call: Receive() sends the denial before it
  // returns. False between calls.
  bool denies_ = false;

  // --- Timers, each set again when it fires ---------------------------------

  SlowInstant probe_at_;   // the next round; used while there is none
  SlowInstant gossip_at_;  // used while there is news and a member to tell
  SlowInstant join_at_;    // all seeds are asked; used while alone
  // The longest pause until the seeds are asked again: doubles from
  // join_retry_min to join_retry_max.
  absl::Duration join_retry_;
  SlowInstant push_pull_at_;  // a whole list is exchanged with one member
  SlowInstant reconnect_at_;  // one failed member's address is asked

  // The earliest of all these deadlines. Computed after each change, since it
  // is read more often.
  SlowInstant deadline_;

  // Since the last TakeChanges().
  std::vector<Change> changes_;
  Stats stats_;
};

}  // namespace cachalot

#endif  // ENGINE_MEMBERSHIP_MEMBERSHIP_H_
