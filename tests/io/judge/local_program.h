#ifndef TESTS_IO_JUDGE_LOCAL_PROGRAM_H_
#define TESTS_IO_JUDGE_LOCAL_PROGRAM_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "engine/ids.h"
#include "io/frame_reader.h"
#include "io/local/protocol.h"
#include "io/socket.h"
#include "sim/world/chance.h"
#include "tests/io/judge/judge.h"
#include "tests/io/judge/virtual_time.h"

namespace cachalot::io_judge {

// A lock of which somebody wrote down the token, for all to read.
struct KnownToken {
  ProcessId process;
  std::string key;
  FencingToken token;
};

// A program at a local socket that knows the protocol and no manners: it sends
// frames in pieces, two at a time, or half of one; reads late or never; uses
// what it was not given; and goes away without a word.
//
// Its end of the socket is read and written only when it acts, so that nothing
// moves but what the script moves.
class LocalProgram {
 public:
  // `board` is shared by all programs. None is owned.
  LocalProgram(Judge* judge, const VirtualTime* time, sim::Chance chance,
               int number, std::vector<std::string> keys,
               std::vector<KnownToken>* board);

  bool is_connected() const { return socket_.is_open(); }
  // To the agent that listens at `path`; nothing happens if none does. `poke`
  // is called when there is something for the agent to see.
  void Connect(const std::string& path, ProcessId process,
               std::function<void()> poke);
  // Does one thing. REQUIRES: is_connected().
  void Act();
  // Reads what has come, unless it is not in the mood.
  void ReadSome();
  // Sends all that is to be sent, and reads from now on.
  void Behave();
  // The program dies.
  void Close();

 private:
  struct Pending {
    CallId call;
    LocalOperation operation = LocalOperation::kStatus;
    std::string key;
    std::string owner;
    bool release_on_disconnect = false;
    bool keep_renewed = false;
    FencingToken token;
    RealInstant asked;
  };
  struct Lock {
    std::string key;
    std::string owner;
    FencingToken token;
    bool release_on_disconnect = false;
    bool keep_asked = false;  // not to be released at the end, after all
  };

  void Acquire(uint64_t id);
  void AcquireAgain();
  void Claim(LocalOperation operation);
  void ClaimStrangers(LocalOperation operation);
  void AskAbout(LocalOperation operation);
  void Withdraw();
  void Ask(LocalOperation operation);
  void SendGarbage();
  void Send(const LocalRequest& request, absl::string_view what);
  // Writes up to `count` bytes.
  void Write(size_t count);
  void Read();
  void Take(const LocalReply& reply);
  void TakeGrant(const Pending& pending, FencingToken token);
  void ExpectEnd();
  void End();
  absl::Duration DrawTtl();

  Judge* const judge_;
  const VirtualTime* const time_;
  sim::Chance chance_;
  const int number_;
  const std::vector<std::string> keys_;
  std::vector<KnownToken>* const board_;

  FileDescriptor socket_;
  ProcessId process_;
  std::function<void()> poke_;
  std::optional<FrameReader> reader_;
  std::string outbox_;
  uint64_t last_id_ = 0;
  uint64_t last_owner_ = 0;
  bool sent_garbage_ = false;
  int silent_acts_ = 0;  // for so many it reads nothing
  // By number; more than one where it was used again.
  absl::btree_map<uint64_t, std::vector<Pending>> pending_;
  std::vector<Lock> locks_;
};

}  // namespace cachalot::io_judge

#endif  // TESTS_IO_JUDGE_LOCAL_PROGRAM_H_
