#ifndef ENGINE_CLIENT_CLIENT_H_
#define ENGINE_CLIENT_CLIENT_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/action.h"
#include "engine/command.h"
#include "engine/ids.h"
#include "engine/instant.h"
#include "engine/observer.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/wire/message.h"

namespace cachalot {

// How long a holder may believe in a lease of `ttl`, counted from the moment
// before it sent the request: so short that, with clocks within the rate bound,
// its belief ends before any leader's log can end the lease. README.md of this
// folder has the proof.
absl::Duration BeliefSpan(absl::Duration ttl, const LeaseOptions& options);

// This node's own callers: its session with the cluster, their requests until
// each is answered, once, and what it believes of the locks it was granted.
//
// Rules:
//  - Belief counts from the moment before the request or keep-alive that earned
//    it was sent, never from the arrival of the answer.
//  - A lock is held while both its own lease and the session's are believed.
//    What was lost stays lost: should the session turn out to have survived,
//    its locks are given back.
//  - Belief ends before a release is sent.
//  - A request keeps its number over all retries, so that it takes effect once.
//  - A caller that stops waiting is answered at once; if its request takes
//    effect later, that is undone in the background.
//
// Sends to the leader that the node names. Reads the fast clock only. Not
// thread-safe. A value: a copy is independent of the original.
class Client {
 public:
  // A grant that is believed in. Belief ends with the lock's own lease or with
  // that of the session, whichever is earlier. The session's end is the same
  // for all grants and moves with each keep-alive: a driver that stores the two
  // separately need not update every grant when it moves.
  struct Held {
    RequestId request;
    std::string key;
    FencingToken token;
    FastInstant lease_end;   // of belief in the lock's own lease
    FastInstant belief_end;  // min(lease_end, session_belief_end())
    Belief belief = Belief::kHeld;
  };

  // The results of a step, each list in order.
  struct Output {
    std::vector<LockCommand> commands;  // to the leader
    std::vector<Read> reads;            // to the leader
    std::vector<AnswerRequest> answers;
    std::vector<NotifyHolder> notices;

    bool empty() const {
      return commands.empty() && reads.empty() && answers.empty() &&
             notices.empty();
    }
    // Keeps the memory for the next step.
    void Clear() {
      commands.clear();
      reads.clear();
      answers.clear();
      notices.clear();
    }
  };

  Client(LeaseOptions options, NodeId self, std::string name,
         Observer* observer);

  // The node has a cluster: opens a session in it, in which tokens are above
  // `token_floor`.
  void Join(FastInstant now, FencingToken token_floor);
  // The node gave up its cluster to join another: every grant is lost, and
  // requests that can be repeated are sent again in the next session. The
  // node's id is `self` from here on.
  void Dissolve(FastInstant now, NodeId self);

  // Numbers sessions and reads after `number`: a node that restarts under its
  // old id must not use a session of the earlier process, nor take an answer to
  // that process for its own.
  void NumberFrom(uint64_t number) {
    session_.number = number;
    last_read_ = number;
  }

  void Submit(FastInstant now, RequestId request, const Request& body);
  void Withdraw(FastInstant now, RequestId request);
  // Releases everything and takes no more requests. Done when closed().
  void Leave(FastInstant now);
  bool closed() const { return state_ == State::kClosed; }

  // Where to send from here on; none: no leader is known.
  void NoteLeader(FastInstant now, NodeId leader);
  // Answers may have been lost: sends all that is open again.
  void NoteLinkDown(FastInstant now);
  void Receive(FastInstant now, const Reply& reply);
  void Receive(FastInstant now, const ReadResult& result);
  // The leader had too much to do and dropped what it was sent.
  void NoteBusy(FastInstant now);

  void FireTimers(FastInstant now);
  FastInstant NextDeadline() const;
  Output Take() { return std::exchange(output_, Output()); }
  // Or, to be moved from and cleared:
  Output& output() { return output_; }
  bool has_output() const { return !output_.empty(); }

  // --- Views ----------------------------------------------------------------

  // All grants that are not lost, ordered by when they were asked for. Slow:
  // for tests and the simulator.
  std::vector<Held> held() const;
  std::optional<Held> Find(RequestId request) const;
  size_t held_count() const { return grants_.size(); }
  bool has_session() const { return state_ == State::kOpen; }
  SessionId session() const { return session_; }
  // The highest token that it has heard of, whoever was granted it.
  FencingToken tokens_seen() const { return tokens_seen_; }
  FastInstant session_belief_end() const { return session_belief_end_; }
  // Until when the cluster opens no session, as far as this node was told; in
  // the past if it was told nothing.
  FastInstant quarantine_end() const { return quarantine_end_; }
  size_t requests_in_flight() const { return operations_.size(); }

  void CheckInvariants() const;
  uint64_t Fingerprint() const;

 private:
  enum class State : uint8_t {
    kNone,     // no cluster
    kOpening,  // OpenSession is sent until it is answered
    kOpen,
    kClosing,  // CloseSession is sent until it is answered
    kClosed,
  };

  // A command on its way, until its outcome is known.
  struct Operation {
    RequestId request;    // none (0): nobody waits for it
    LockCommand command;  // Acquire, Renew, Release, Withdraw or Revoke
    // The moment before it was sent for the first time; never if it was not
    // sent. Set once: belief counts from it (engine/client/README.md, lemma 3).
    FastInstant first_sent = FastInstant::Never();
    // When it is sent again, and how long after that the next time. The pause
    // doubles from LeaseOptions::retry_min to retry_max.
    FastInstant next_send;
    absl::Duration backoff;
    // When its caller is answered at the latest; never if nobody waits.
    FastInstant answer_by = FastInstant::Never();
    bool queued = false;     // Acquire: the leader said that it waits
    bool abandoned = false;  // Acquire: its caller no longer waits for it
    // Acquire: who held the lock when the leader was last asked, at
    // `holder_seen`.
    std::optional<LockInfo> holder;
    FastInstant holder_seen;
    // Renew: it renews a grant of which too little is left before the grant is
    // handed out; the caller of this Acquire is answered when it is done.
    std::optional<Acquire> confirms;
  };

  // A grant whose caller was told.
  struct Grant {
    RequestId request;  // the Acquire's; by_grant_
    std::string key;    // by_key_
    FencingToken token;
    absl::Duration ttl;  // of the grant, or of its last answered renewal
    // When belief in the lock's own lease ends. Never moves to an earlier time:
    // an answer to a renewal moves it. Belief in the lock ends here or with the
    // session's, whichever is earlier.
    FastInstant lease_end;
    // What the caller was last told. Held and suspect alternate; lost ends the
    // grant.
    Belief belief = Belief::kHeld;
    // When the lease is checked again; its place in checks_.
    FastInstant next_check;
    // Why its holder must release it (AcquireRequest::releases_itself); empty:
    // it is not revoked.
    std::string revoke_reason;
  };

  // A read on its way. Sent again as an Operation is.
  struct PendingRead {
    RequestId request;
    Read read;
    FastInstant next_send;
    absl::Duration backoff;
    FastInstant answer_by;
  };

  // Requests.
  void SubmitAcquire(FastInstant now, RequestId request,
                     const AcquireRequest& body);
  void SubmitRenew(FastInstant now, RequestId request,
                   const RenewRequest& body);
  void SubmitRelease(FastInstant now, RequestId request,
                     const ReleaseRequest& body);
  void SubmitRevoke(FastInstant now, RequestId request,
                    const RevokeRequest& body);
  void SubmitRead(FastInstant now, RequestId request, Read read);
  Sequence Begin(FastInstant now, RequestId request, LockCommand command,
                 FastInstant answer_by);
  void Answer(RequestId request, Outcome outcome, std::string text = {});
  void AnswerAll(Outcome outcome, absl::string_view text);
  void Abandon(FastInstant now, Sequence sequence);
  void GiveBack(FastInstant now, const std::string& key, FencingToken token);
  void OnDeadline(FastInstant now, Sequence sequence);
  void AnswerLate(FastInstant now, const Operation& operation);
  // When an Acquire that waits in the queue is sent again.
  FastInstant NextLook(FastInstant now, const Operation& operation) const;
  void Finish(Sequence sequence);
  void TryAgain(FastInstant now, RequestId request, Acquire&& acquire,
                FastInstant answer_by);

  // Sending.
  bool CanSend() const { return !leader_.IsNone(); }
  void SendDue(FastInstant now);
  void SendOperation(FastInstant now, Sequence sequence, Operation& operation);
  void SendSession(FastInstant now);
  void AskAgain(FastInstant now);
  Sequence FirstOutstanding() const;

  // Answers.
  void OnAnswered(FastInstant now, const Reply& reply);
  void OnGranted(FastInstant now, const Reply& reply);
  void OnConfirmed(FastInstant now, Sequence sequence, Outcome outcome);
  void OnMustRelease(FastInstant now, const Reply& reply);
  void TellRevoked(FastInstant now, Sequence sequence,
                   const std::string& reason);
  void OnKept(FastInstant now, const Reply& reply);
  void OnSessionGone(FastInstant now);

  // Belief.
  void Hold(FastInstant now, RequestId request, const Acquire& acquire,
            FencingToken token, FastInstant lease_end);
  FastInstant EarnedBefore(FastInstant first_sent, LogIndex grant) const;
  Held Describe(const Grant& grant) const;
  FastInstant BeliefEnd(const Grant& grant) const;
  // From when on the session is suspect, unless a keep-alive is answered.
  FastInstant SessionSuspectFrom() const;
  void TellLeaseMoved(const Grant& grant);
  // Tells the holder if belief in the grant has changed.
  void Reconsider(FastInstant now, Sequence sequence);
  void FireBelief(FastInstant now);
  // The session became suspect, or sure again: tells the holders, some at a
  // time.
  void NoteSessionBelief(FastInstant now);
  void TellHolders(FastInstant now);
  void Lose(Sequence sequence, LossReason reason, absl::string_view text = {});
  void LoseAll(LossReason reason);
  // Null if `token` is not believed to hold `key`.
  Grant* FindGrant(absl::string_view key, FencingToken token);

  absl::Duration KeepAliveInterval() const { return keep_alive_interval_; }
  void OpenAnother(FastInstant now);
  void NumberSession(FastInstant now);
  template <typename Make>
  void Note(const Make& text) const {
    NoteTo(observer_, text);
  }
  template <typename Make>
  void Observe(const Make& observation) const {
    ObserveTo(observer_, observation);
  }

  LeaseOptions options_;                // fixed
  absl::Duration keep_alive_interval_;  // a third of session_ttl; fixed
  NodeId self_;         // the owner of the sessions; Dissolve() changes it
  std::string name_;    // the member's, for people; fixed
  Observer* observer_;  // not owned; may be null
  // Where to send; none: nothing is sent. NoteLeader().
  NodeId leader_;
  // When all that is open was last sent again, or will be next. Keeps new
  // leaders and broken streams from causing that too often.
  FastInstant asked_again_;
  // The highest token of any cluster that this node has heard of. Never falls;
  // each OpenSession carries it.
  FencingToken tokens_seen_;

  // --- The session ----------------------------------------------------------

  // kNone to kOpening to kOpen, then back to kOpening when the session is gone;
  // Dissolve() leads to kNone, Leave() to kClosing and kClosed.
  State state_ = State::kNone;
  // The present session, or the last one. Its number rises by one with each
  // session that this process opens.
  SessionId session_;
  // The moment before its OpenSession was sent for the first time; never if it
  // was not sent. Set once for each session (engine/client/README.md, lemma 3).
  FastInstant session_first_sent_ = FastInstant::Never();
  // When belief in the session ends, and with it belief in every grant. Moves
  // with the answers to OpenSession and KeepAlive, never to an earlier time
  // while the session lives.
  FastInstant session_belief_end_;
  // Until when the cluster opens no session. For watching only.
  FastInstant quarantine_end_;
  // When the session's next command is due, and the pause after it.
  FastInstant session_next_send_ = FastInstant::Never();
  absl::Duration session_backoff_;
  // kClosing: the answer to CloseSession is waited for until then.
  FastInstant close_by_ = FastInstant::Never();
  // The number of the last keep-alive that was sent. Rises by one.
  uint64_t renewal_ = 0;
  // Keep-alives without an answer: (renewal, moment before it was sent), oldest
  // first; the last kKeepAlivesRemembered.
  std::deque<std::pair<uint64_t, FastInstant>> keep_alives_;
  // Answered keep-alives and the opening: (index of the entry, moment before it
  // was sent), in the order of the answers; the last kKeepAlivesRemembered. A
  // grant at a higher index was made after that moment
  // (engine/client/README.md, lemma 4).
  std::deque<std::pair<LogIndex, FastInstant>> kept_;

  // --- Requests -------------------------------------------------------------

  // The number of the last request. Rises by one and is never used again, also
  // in the next session.
  uint64_t last_sequence_ = 0;
  // The requests whose outcome is not known. Each keeps its place in memory,
  // since it is large.
  std::map<Sequence, Operation> operations_;
  // All of them except Acquires that are known to wait in a queue and are not
  // abandoned. Commands carry the first one as first_outstanding.
  absl::btree_set<Sequence> undecided_;
  // The Acquires whose callers are not answered yet, and the renewals that
  // confirm their grants.
  absl::btree_map<RequestId, Sequence> by_request_;
  // The AcquireRequests with releases_itself whose callers are not answered
  // yet, or hold the lock.
  absl::btree_set<RequestId> self_releasing_;
  // Reads without an answer, by their numbers.
  absl::btree_map<uint64_t, PendingRead> reads_;
  // The number of the last read. Rises by one.
  uint64_t last_read_ = 0;
  // Lower bounds of the next time at which an operation or a read is to be
  // sent, and answered for lateness. They may be earlier than necessary, never
  // later.
  FastInstant next_send_ = FastInstant::Never();
  FastInstant next_answer_by_ = FastInstant::Never();

  // --- Grants ---------------------------------------------------------------

  // Grants by the number of their Acquire, and when the lease of each is
  // checked again. The session's end is common to all and in none of the
  // checks: a process may hold 100,000 locks, and a keep-alive must not touch
  // each of them.
  absl::btree_map<Sequence, Grant> grants_;
  // Looked up and never walked.
  absl::flat_hash_map<std::string, Sequence> by_key_;
  absl::flat_hash_map<RequestId, Sequence> by_grant_;
  absl::btree_set<std::pair<FastInstant, Sequence>> checks_;
  // Whether less than a third of session_ttl is left until session_belief_end_,
  // as of the last NoteSessionBelief().
  bool session_is_suspect_ = false;
  // The holders of this grant and later ones have not been told yet whether the
  // session is suspect; nothing: all have been.
  std::optional<Sequence> untold_from_;
  // When the next of them are told; never if all have been.
  FastInstant tell_at_ = FastInstant::Never();

  // Gathered since the last Take().
  Output output_;
};

}  // namespace cachalot

#endif  // ENGINE_CLIENT_CLIENT_H_
