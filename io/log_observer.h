#ifndef IO_LOG_OBSERVER_H_
#define IO_LOG_OBSERVER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "engine/survival.h"
#include "io/flap_filter.h"
#include "io/log.h"

namespace cachalot {

// Writes what a node does to the log, one record for each observation, with
// names instead of ids where they are known. Of the driver's thread.
class LogObserver : public Observer {
 public:
  // Neither is owned; `next`, which may be null, is told everything as well.
  LogObserver(Logger* log, Observer* next) : log_(log), next_(next) {}

  // Where to look up names; not owned. Until then ids are written.
  void set_node(const Node* node) { node_ = node; }

  bool WantsNotes() const override;
  void Note(absl::string_view decision) override;
  void Observe(const Observation& observation) override;

  // To be called each turn. Tells how many deaths the cluster survives, when
  // that has changed and stayed so for a second; after 5 s and then each
  // minute, that no cluster was found; and what FlapFilter held back.
  void Look(FastInstant now);

 private:
  void LookAtSurvival();
  void LookForCluster(FastInstant now);
  std::string NameOf(NodeId id) const;
  // "n1, n2, n3", escaped.
  static std::string TextsOf(const std::vector<std::string>& texts);
  std::string NamesOf(const std::vector<NodeId>& ids) const;

  void Tell(const LeaderLost& what) const;
  void Tell(const ElectionStarted& what) const;
  void Tell(const LeadershipWon& what) const;
  void Tell(const LeadershipLost& what) const;
  void Tell(const LeaderFollowed& what) const;
  void Tell(const VotersChanged& what) const;
  void Tell(const MemberChanged& what);
  void WriteMember(LogEvent event, const FlapFilter::News& news) const;
  std::string Describe(LogEvent event, const MemberChanged& what) const;
  // Of these PeerWatch speaks, if they are worth a word.
  void Tell(const MemberHeard&) const {}
  void Tell(const ProbeStarted&) const {}
  void Tell(const ProbeAnswered&) const {}
  void Tell(const SelfAccused&) const {}
  void Tell(const AddressRefused&) const {}
  void Tell(const Isolated& what) const;
  void Tell(const IsolationEnded& what) const;
  void Tell(const MajorityLost& what) const;
  void Tell(const MajorityBack& what) const;
  void Tell(const Stalled& what) const;
  void Tell(const ClusterFounded& what) const;
  void Tell(const ClusterJoined& what) const;
  void Tell(const ClusterDissolved& what) const;
  void Tell(const OtherNameMet& what) const;
  void Tell(const FoundersDiffer& what) const;
  void Tell(const QuarantineMet& what) const;
  void Tell(const SessionOpened& what) const;
  void Tell(const SessionLost& what) const;
  void Tell(const ExpiryProposed& what) const;

  Logger* const log_;
  Observer* const next_;
  const Node* node_ = nullptr;

  FlapFilter flaps_;
  FastInstant now_;  // of the last Look()
  FastInstant next_look_;
  std::optional<FastInstant> next_seeking_;  // unset: is in a cluster
  FastInstant seeking_since_;
  std::optional<Survival> survival_seen_;
  std::optional<Survival> survival_told_;
};

}  // namespace cachalot

#endif  // IO_LOG_OBSERVER_H_
