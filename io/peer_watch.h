#ifndef IO_PEER_WATCH_H_
#define IO_PEER_WATCH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/node.h"
#include "engine/observer.h"
#include "io/log.h"
#include "io/reachability.h"

namespace cachalot {

// Says which members are heard but cannot be reached, which are refused for
// their addresses, and whether others seem not to reach this node: in the log,
// once a minute for each, and for status. Of the driver's thread.
class PeerWatch : public Observer {
 public:
  // None is owned. `log` and `next`, which is told everything as well, may be
  // null. `now` is the reading of the turn.
  PeerWatch(Logger* log, Observer* next, const Now* now)
      : log_(log), next_(next), now_(now), peers_log_(log) {}

  // Who is watched; not owned. To be called before Look() and Problems().
  void set_node(const Node* node) { node_ = node; }

  bool WantsNotes() const override {
    return next_ != nullptr && next_->WantsNotes();
  }
  void Note(absl::string_view decision) override { next_->Note(decision); }
  void Observe(const Observation& observation) override;

  void OnConnected(const Address& peer) { reachability_.NoteConnected(peer); }
  void OnConnectFailed(const Address& peer, int error) {
    reachability_.NoteConnectFailed(now_->fast, peer, error);
  }

  // To be called now and then.
  void Look();
  // What is wrong at present, a sentence each. Text from others is not escaped.
  std::vector<std::string> Problems() const;

 private:
  struct Problem {
    Address key;    // limits how often it is logged
    NodeId member;  // none: this node itself
    std::string name;
    Address source;
    std::string text;    // the whole sentence
    std::string reason;  // its last part
  };

  std::vector<Problem> FindProblems() const;
  Problem Describe(const Reachability::Unreachable& peer) const;
  Problem Describe(const AddressRefused& refused) const;
  Problem Describe(const Reachability::Unreached& unreached) const;
  Problem Describe(const Reachability::Streamless& streamless) const;
  // Nothing if members of other machines can reach this node, or there are
  // none.
  std::optional<Problem> FindOwnLoopback() const;
  void Write(const Problem& problem);
  std::string NameOf(NodeId id) const;

  Logger* const log_;
  Observer* const next_;
  const Now* const now_;
  const Node* node_ = nullptr;
  Reachability reachability_;
  RateLimitedLog peers_log_;
  FastInstant next_look_;
  // When each was last written.
  absl::btree_map<Address, FastInstant> written_;
};

}  // namespace cachalot

#endif  // IO_PEER_WATCH_H_
