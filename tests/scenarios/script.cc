#include "tests/scenarios/script.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "engine/client/client.h"
#include "engine/cluster_time.h"
#include "engine/consensus/consensus.h"
#include "engine/instant.h"
#include "engine/locks/lock_table.h"
#include "engine/node.h"
#include "engine/options.h"
#include "sim/world/choices.h"
#include "sim/world/clock.h"
#include "sim/world/describe.h"
#include "sim/world/network.h"
#include "sim/world/trace.h"

namespace cachalot::sim {
namespace {

// The decisions that every trace shows: those that contain one of these texts.
constexpr absl::string_view kShownDecisions[] = {
    "leader of term",   "candidate in term", "step down",      "voters are {",
    "found cluster",    "join cluster",      "arrived,",       "propose expiry",
    "old news",         "session is gone",   "asked to leave", "gives way",
    "gave way",         "dissolve",          "older cluster",  "hand over",
    "everybody leaves",
};

// A longer log must be shrunk first: nobody could understand it.
constexpr size_t kChosenMax = 10000;

constexpr uint64_t kRepetitionsMax = 1000;

absl::Status UnknownDirective(const std::vector<std::string>& words) {
  return absl::InvalidArgumentError(
      absl::StrCat("not a directive: ", absl::StrJoin(words, " ")));
}

absl::Status Failed(absl::string_view what) {
  return absl::FailedPreconditionError(what);
}

std::optional<HostId> ParseHost(const std::string& word) {
  uint64_t number = 0;
  if (!absl::StartsWith(word, "n")) return std::nullopt;
  if (!absl::SimpleAtoi(word.substr(1), &number)) return std::nullopt;
  if (number == 0) return std::nullopt;
  return HostId(number);
}

bool Has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The value of "name=value" among `words`.
std::string Option(const std::vector<std::string>& words,
                   const std::string& name, const std::string& otherwise) {
  for (const std::string& word : words) {
    if (absl::StartsWith(word, name + "=")) {
      return word.substr(name.size() + 1);
    }
  }
  return otherwise;
}

uint64_t Number(const std::string& text) {
  uint64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

absl::Duration Span(const std::string& text) {
  absl::Duration duration;
  return absl::ParseDuration(text, &duration) ? duration : absl::ZeroDuration();
}

}  // namespace

absl::Status Script::Run(absl::string_view line, std::string* trace) {
  const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  absl::Status status = RunDirective(words);
  *trace = Named(std::exchange(trace_, std::ostringstream()).str());
  if (!status.ok()) return status;
  if (judge_ != nullptr && !judge_->violations().empty()) {
    return Failed(judge_->violations().front().sentence);
  }
  return absl::OkStatus();
}

absl::Status Script::RunDirective(const Words& words) {
  if (words.empty()) return absl::OkStatus();
  if (words[0] == "repeat") return BeginRepetition(words);
  if (words[0] == "end" && words.size() == 1) return EndRepetition();
  if (repetition_.has_value()) {
    repetition_->lines.push_back(words);
    return absl::OkStatus();
  }
  if (words[0] == "tell" && words.size() > 1) {
    shown_too_.push_back(absl::StrJoin(words.begin() + 1, words.end(), " "));
    return absl::OkStatus();
  }
  if (words[0] == "cluster") return BuildCluster(words);
  if (words[0] == "choose") return Choose(words);
  if (words[0] == "replay") return RunReplay(words);
  if (world_ == nullptr) return Failed("begin with a cluster");
  if (words[0] == "expect") {
    return Expect(Words(words.begin() + 1, words.end()));
  }
  if (words[0] == "ask" && words.size() > 1) {
    return Ask(Words(words.begin() + 1, words.end()), /*waits=*/false);
  }
  for (const char* name :
       {"try", "renew", "release", "locks", "members", "waiters", "revoke"}) {
    if (words[0] == name) return Ask(words, /*waits=*/true);
  }
  if (words[0] == "lock") return Ask(words, /*waits=*/false);
  return DoToWorld(words);
}

absl::Status Script::End() const {
  if (repetition_.has_value()) {
    return Failed("a repetition without its end: write \"end\" below it");
  }
  if (chosen_.size() == 0) return absl::OkStatus();
  return Failed("choices that nothing replays: write \"replay\" below them");
}

// --- Repetitions -------------------------------------------------------------

absl::Status Script::BeginRepetition(const Words& words) {
  if (repetition_.has_value()) {
    return absl::InvalidArgumentError(
        "a repetition within a repetition: write \"end\" above it");
  }
  const uint64_t count = words.size() > 1 ? Number(words[1]) : 0;
  const bool is_quiet = words.size() == 3 && words[2] == "quiet";
  if (count == 0 || count > kRepetitionsMax ||
      (words.size() != 2 && !is_quiet)) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a repetition: write \"repeat COUNT\" or \"repeat "
                     "COUNT quiet\", with a count of 1 to ",
                     kRepetitionsMax));
  }
  repetition_ = Repetition{.count = count, .is_quiet = is_quiet, .lines = {}};
  return absl::OkStatus();
}

absl::Status Script::EndRepetition() {
  if (!repetition_.has_value()) {
    return absl::InvalidArgumentError("\"end\" without \"repeat\"");
  }
  const Repetition repetition = *std::exchange(repetition_, std::nullopt);
  is_quiet_ = repetition.is_quiet;
  absl::Status status;
  for (uint64_t i = 1; i <= repetition.count && status.ok(); ++i) {
    for (const Words& words : repetition.lines) {
      status = RunDirective(words);
      if (status.ok()) continue;
      status =
          absl::Status(status.code(), absl::StrCat("repetition ", i, ": ",
                                                   absl::StrJoin(words, " "),
                                                   ": ", status.message()));
      break;
    }
  }
  is_quiet_ = false;
  return status;
}

// --- Runs of the simulator ---------------------------------------------------

absl::Status Script::Choose(const Words& words) {
  const absl::StatusOr<ChoiceLog> line =
      ChoiceLog::Parse(absl::StrJoin(words.begin() + 1, words.end(), " "));
  // A value of 0 is the default, so Parse() drops it.
  if (!line.ok() || line->size() != 1) {
    return absl::InvalidArgumentError(
        "not a choice: write \"choose <stream> <number> <index> = <value>\", "
        "with a value above 0");
  }
  const auto& [place, value] = *line->choices().begin();
  if (chosen_.choices().contains(place)) {
    return absl::InvalidArgumentError("chosen before: leave one of them out");
  }
  if (chosen_.size() == kChosenMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kChosenMax,
                     " choices: let `simulate --choices=FILE --shrink` leave "
                     "out what does not matter"));
  }
  chosen_.Set(place, value);
  return absl::OkStatus();
}

absl::Status Script::RunReplay(const Words& words) {
  ReplayOptions options = replay_;
  for (size_t i = 1; i < words.size(); ++i) {
    absl::string_view harm = words[i];
    const bool is_harm = absl::ConsumePrefix(&harm, "harm=") &&
                         absl::ParseDuration(harm, &options.harm_max) &&
                         options.harm_max > absl::ZeroDuration();
    if (!is_harm) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a replay: ", words[i],
                       ": write \"replay\" or, for example, \"replay "
                       "harm=5s\""));
    }
  }
  if (chosen_.size() == 0) {
    return absl::InvalidArgumentError(
        "nothing to replay: write the log above it, each line after "
        "\"choose\"");
  }
  const absl::StatusOr<std::string> told =
      Replay(std::exchange(chosen_, ChoiceLog()), options);
  if (!told.ok()) return told.status();
  trace_ << *told;
  return absl::OkStatus();
}

// --- The world ---------------------------------------------------------------

absl::Status Script::BuildCluster(const Words& words) {
  if (words.size() < 2) return UnknownDirective(words);
  const uint64_t count = Number(words[1]);
  WorldOptions options;
  options.network.delay = {absl::Microseconds(200), absl::Milliseconds(2)};
  const uint64_t seed = Number(Option(words, "seed", "1"));
  choices_ = std::make_unique<ChoiceSource>(seed);
  world_ = std::make_unique<World>(options, choices_.get());
  judge_ = std::make_unique<Judge>(JudgeOptions());
  world_->AddWatcher(judge_.get());
  world_->AddWatcher(this, /*listens=*/true);

  NodeOptions& node = host_options_.node;
  node.lease.session_ttl = Span(Option(words, "session_ttl", "5s"));
  node.consensus.voters_max =
      static_cast<int>(Number(Option(words, "voters", "5")));
  node.consensus.compact_after_entries =
      Number(Option(words, "compact", "16384"));
  node.consensus.compact_keep_entries =
      std::min<uint64_t>(1024, node.consensus.compact_after_entries / 4);
  node.consensus.replace_voter_after = absl::Seconds(2);
  node.birth_delay = absl::Milliseconds(100);
  host_options_.keeps_disk = Has(words, "disk");
  if (host_options_.keeps_disk) {
    host_options_.save_delay = {absl::Microseconds(50), absl::Milliseconds(1)};
  }
  for (uint64_t i = 1; i <= count; ++i) {
    HostOptions host = host_options_;
    host.node.bootstrap = i == 1;
    host.node.is_own_seed = i == 1;
    // The first machine has no seeds; it is the seed of the others.
    if (i != 1) host.node.seeds = {HostAddress(HostId(1))};
    host.clock = {Clock(static_cast<int64_t>(i) * 1000000007, 0),
                  Clock(static_cast<int64_t>(i) * 2000000011, 0)};
    world_->Start(world_->AddHost(std::move(host)));
  }
  return absl::OkStatus();
}

absl::Status Script::AddOne(const Words& words) {
  HostOptions host = host_options_;
  host.node.bootstrap = Has(words, "founding");
  host.node.is_own_seed = Has(words, "founding");
  if (!Has(words, "founding") || Has(words, "n1")) {
    host.node.seeds = {HostAddress(HostId(1))};
  }
  world_->Start(world_->AddHost(std::move(host)));
  return absl::OkStatus();
}

absl::Status Script::DoToWorld(const Words& words) {
  if (words[0] == "run" && words.size() == 2) {
    RunFor(Span(words[1]));
    return absl::OkStatus();
  }
  if (words[0] == "partition") return Partition(words);
  if (words[0] == "heal") {
    world_->network().MendAll(world_->now());
    return absl::OkStatus();
  }
  if (words[0] == "add") return AddOne(words);
  if (words[0] == "oneway" && words.size() == 4) {
    const std::optional<HostId> from = ParseHost(words[1]);
    const std::optional<HostId> to = ParseHost(words[3]);
    if (!from.has_value() || !to.has_value()) return UnknownDirective(words);
    world_->network().Cut(HostAddress(*from), HostAddress(*to));
    return absl::OkStatus();
  }
  return DoToHost(words);
}

absl::Status Script::Partition(const Words& words) {
  std::map<HostId, int> side_of;
  int side = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "|") {
      ++side;
      continue;
    }
    const std::optional<HostId> host = ParseHost(words[i]);
    if (!host.has_value()) return UnknownDirective(words);
    side_of[*host] = side;
  }
  for (const auto& [a, side_a] : side_of) {
    for (const auto& [b, side_b] : side_of) {
      if (side_a == side_b) continue;
      world_->network().Cut(HostAddress(a), HostAddress(b));
    }
  }
  return absl::OkStatus();
}

absl::Status Script::DoToHost(const Words& words) {
  if (words.size() < 2) return UnknownDirective(words);
  const std::optional<HostId> host = ParseHost(words[1]);
  if (!host.has_value()) return UnknownDirective(words);
  if (words[0] == "crash") {
    world_->Crash(*host);
  } else if (words[0] == "wipe") {
    world_->WipeDisk(*host);
  } else if (words[0] == "restart") {
    if (!Has(words, "founding")) {
      NodeOptions& options = world_->node_options(*host);
      options.is_own_seed = false;
      options.seeds = {HostAddress(*host == HostId(1) ? HostId(2) : HostId(1))};
    }
    world_->Start(*host);
  } else if (words[0] == "pause") {
    world_->Pause(*host);
  } else if (words[0] == "resume") {
    world_->Resume(*host);
  } else if (words[0] == "slow" && words.size() == 3) {
    world_->SlowDown(*host, {Span(words[2]), Span(words[2])});
  } else if (words[0] == "leave") {
    world_->Leave(*host);
  } else if (words[0] == "withdraw") {
    world_->Withdraw(*host, asked_[*host].request);
  } else if (words[0] == "many" && words.size() >= 3) {
    return AskMany(*host, Number(words[2]), Span(Option(words, "ttl", "1h")));
  } else {
    return UnknownDirective(words);
  }
  return absl::OkStatus();
}

// --- Callers -----------------------------------------------------------------

absl::Status Script::Ask(const Words& words, bool waits) {
  if (words.size() < 2) return UnknownDirective(words);
  const std::optional<HostId> host = ParseHost(words[1]);
  if (!host.has_value()) return UnknownDirective(words);
  const std::string key = words.size() > 2 ? words[2] : "";
  const absl::Duration ttl = Span(Option(words, "ttl", "5s"));
  const FencingToken token = tokens_[{*host, key}];
  if (words[0] == "try") {
    Submit(*host, AcquireRequest{.key = key, .ttl = ttl});
  } else if (words[0] == "lock") {
    const absl::Duration wait = Span(Option(words, "wait", "10s"));
    Submit(*host, AcquireRequest{.key = key, .ttl = ttl, .wait = wait});
  } else if (words[0] == "renew") {
    Submit(*host, RenewRequest{.key = key, .token = token, .ttl = ttl});
  } else if (words[0] == "release") {
    Submit(*host, ReleaseRequest{.key = key, .token = token});
  } else if (words[0] == "locks") {
    Submit(*host, ListLocksRequest{});
  } else if (words[0] == "members") {
    Submit(*host, ListMembersRequest{});
  } else if (words[0] == "waiters") {
    Submit(*host, ListWaitersRequest{.key = key});
  } else if (words[0] == "revoke" && words.size() > 4 &&
             words[3] == "because") {
    Submit(*host, RevokeRequest{.key = key,
                                .reason = absl::StrJoin(words.begin() + 4,
                                                        words.end(), " ")});
  } else {
    return UnknownDirective(words);
  }
  if (waits && !RunUntilAnswered(*host)) return Failed("no answer within 30 s");
  return absl::OkStatus();
}

absl::Status Script::AskMany(HostId host, uint64_t count, absl::Duration ttl) {
  const bool was_quiet = std::exchange(is_quiet_, true);
  for (uint64_t i = 0; i < count; ++i) {
    Submit(host, AcquireRequest{.key = absl::StrCat("bulk-", i), .ttl = ttl});
  }
  const bool answered = RunUntilAnswered(host);
  is_quiet_ = was_quiet;
  if (!answered) return Failed("no answer within 30 s");
  return absl::OkStatus();
}

void Script::Submit(HostId host, Request request) {
  std::string key;
  if (const auto* acquire = std::get_if<AcquireRequest>(&request)) {
    key = acquire->key;
  }
  const std::string what = Describer::Describe(request);
  const RequestId id = world_->Submit(host, std::move(request));
  asked_[host] = Asked{.request = id, .answer = std::nullopt};
  if (!key.empty()) keys_[id] = key;
  Write(world_->now(), HostName(host), absl::StrCat("< ", what));
}

bool Script::RunUntilAnswered(HostId host) {
  const RealInstant end = world_->now() + absl::Seconds(30);
  while (!asked_[host].answer.has_value() && world_->NextDue() <= end) {
    world_->RunNext();
    for (const Notice& notice : world_->TakeNotices()) HandleNotice(notice);
  }
  return asked_[host].answer.has_value();
}

void Script::RunFor(absl::Duration duration) {
  const RealInstant end = world_->now() + duration;
  while (world_->NextDue() <= end) {
    world_->RunNext();
    for (const Notice& notice : world_->TakeNotices()) HandleNotice(notice);
  }
  world_->PassTime(end);
}

void Script::HandleNotice(const Notice& notice) {
  const std::string who = HostName(notice.host);
  if (const auto* answer = std::get_if<AnswerRequest>(&notice.what)) {
    Write(world_->now(), who,
          absl::StrCat("> ", Describer::Describe(answer->answer)));
    Asked& asked = asked_[notice.host];
    if (asked.request == answer->request) asked.answer = answer->answer;
    const auto key = keys_.find(answer->request);
    if (key == keys_.end() || answer->answer.outcome != Outcome::kOk) return;
    tokens_[{notice.host, key->second}] = answer->answer.token;
    granted_[notice.host] = answer->answer.token;
  }
  if (const auto* change = std::get_if<NotifyHolder>(&notice.what)) {
    Write(
        world_->now(), who,
        absl::StrCat(
            "> belief in ", change->key, ": ", BeliefName(change->belief),
            change->belief == Belief::kLost
                ? absl::StrCat(", ", LossReasonName(change->reason))
                : "",
            change->text.empty() ? "" : absl::StrCat(" (", change->text, ")")));
  }
}

// --- Watching ----------------------------------------------------------------

void Script::Started(const World& world, HostId host) {
  NoteName(world, host);
  if (world.now() > RealInstant()) {
    Write(world.now(), HostName(host), "* starts");
  }
}

void Script::Stepped(const World& world, HostId host, const Event&,
                     const Actions&) {
  NoteName(world, host);
}

// The second node on machine n3 is called n3', the third n3''.
void Script::NoteName(const World& world, HostId host) {
  const NodeId id = world.node(host)->id();
  if (names_.contains(id)) return;
  const auto earlier = static_cast<size_t>(
      std::count_if(names_.begin(), names_.end(), [&](const auto& named) {
        return absl::StrReplaceAll(named.second, {{"'", ""}}) == HostName(host);
      }));
  names_[id] = HostName(host) + std::string(earlier, '\'');
}

void Script::Stopping(const World& world, HostId host) {
  Write(world.now(), HostName(host), "* stops");
}

void Script::Noted(const World& world, HostId host,
                   absl::string_view decision) {
  const auto is_in_it = [&](absl::string_view words) {
    return absl::StrContains(decision, words);
  };
  if (std::none_of(std::begin(kShownDecisions), std::end(kShownDecisions),
                   is_in_it) &&
      std::none_of(shown_too_.begin(), shown_too_.end(), is_in_it)) {
    return;
  }
  Write(world.now(), HostName(host), absl::StrCat("| ", decision));
}

void Script::Write(RealInstant at, absl::string_view who,
                   absl::string_view what) {
  if (is_quiet_) return;
  trace_ << "[" << TimeText(at) << "] " << who << " " << what << "\n";
}

// Replaces random ids by names.
std::string Script::Named(std::string text) const {
  for (const auto& [id, name] : names_) {
    text = absl::StrReplaceAll(text, {{id.ToShortString(), name}});
  }
  if (judge_ == nullptr) return text;
  for (const ClusterId& cluster : judge_->clusters()) {
    text = absl::StrReplaceAll(text, {{cluster.ToShortString(), "C"}});
  }
  return text;
}

std::string Script::WhoIs(NodeId node) const {
  const auto found = names_.find(node);
  return found == names_.end() ? node.ToShortString() : found->second;
}

// --- Expecting ---------------------------------------------------------------

absl::Status Script::Expect(const Words& words) {
  if (words.size() < 2) return UnknownDirective(words);
  const std::optional<ClusterId> cluster = LatestCluster();
  if (words[0] == "holder" && words.size() == 3) {
    return ExpectHolder(words[1], words[2]);
  }
  if (words[0] == "holder" && words.size() == 5) {
    const std::optional<HostId> host = ParseHost(words[3]);
    if (!host.has_value()) return UnknownDirective(words);
    const std::optional<Answer>& answer = asked_[*host].answer;
    if (!answer.has_value() || !answer->holder.has_value()) {
      return Failed("no answer that names a holder");
    }
    const std::string holder = WhoIs(answer->holder->holder.node);
    if (holder == words[4]) return absl::OkStatus();
    return Failed(absl::StrCat("held by ", holder));
  }
  if (words[0] == "one") {
    if (judge_->clusters().size() == 1) return absl::OkStatus();
    return Failed(absl::StrCat("clusters: ", judge_->clusters().size()));
  }
  if (words[0] == "voters" && cluster.has_value()) {
    const size_t voters = judge_->configuration(*cluster).voters.size();
    if (voters == Number(words[1])) return absl::OkStatus();
    return Failed(absl::StrCat("voters: ", voters));
  }
  if (words[0] == "leader") {
    for (const HostId id : world_->hosts()) {
      const Node* node = world_->node(id);
      if (node == nullptr || !node->consensus().leads()) continue;
      if (words[1] == "somebody") return absl::OkStatus();
      if (words[1] == HostName(id)) return absl::OkStatus();
    }
    return Failed("another leader, or none");
  }
  if (words[0] == "token" && words.size() == 4) {
    const FencingToken higher = granted_[*ParseHost(words[1])];
    const FencingToken lower = granted_[*ParseHost(words[3])];
    if (lower < higher) return absl::OkStatus();
    return Failed(
        absl::StrCat(higher.ToString(), " is not above ", lower.ToString()));
  }
  const std::string& name = words[0] == "no" ? words[2] : words[1];
  const std::optional<HostId> host = ParseHost(
      words[0] == "answer" || words[0] == "no" || words[0] == "snapshot"
          ? name
          : words[0]);
  if (!host.has_value()) return UnknownDirective(words);
  return ExpectOfHost(*host, words);
}

absl::Status Script::ExpectOfHost(HostId host, const Words& words) {
  const std::optional<Answer>& answer = asked_[host].answer;
  if (words[0] == "no") {
    if (!answer.has_value()) return absl::OkStatus();
    return Failed(absl::StrCat("answered: ", OutcomeName(answer->outcome)));
  }
  if (words[0] == "answer" && words.size() == 3) {
    if (!answer.has_value()) return Failed("no answer");
    if (words[2] == OutcomeName(answer->outcome)) return absl::OkStatus();
    return Failed(absl::StrCat("answered: ", OutcomeName(answer->outcome)));
  }
  if (words[0] == "snapshot") {
    const Node* node = world_->node(host);
    const bool installed =
        node != nullptr && node->consensus().counters().snapshots_installed > 0;
    return installed ? absl::OkStatus() : Failed("it installed no snapshot");
  }
  if (words[1] == "left" && words.size() == 2) {
    if (world_->node(host) == nullptr) return absl::OkStatus();
    return Failed("it still runs");
  }
  if (words[1] == "believes" && words.size() == 3) {
    if (Believes(host, words[2])) return absl::OkStatus();
    return Failed("it does not believe in it");
  }
  if (words[1] == "does" && words.size() == 5) {
    if (!Believes(host, words[4])) return absl::OkStatus();
    return Failed("it believes in it");
  }
  return UnknownDirective(words);
}

absl::Status Script::ExpectHolder(const std::string& key,
                                  const std::string& who) {
  std::string holder = "nobody";
  const std::optional<ClusterId> cluster = LatestCluster();
  if (cluster.has_value()) {
    const std::optional<LockInfo> lock =
        judge_->table(*cluster).Find(key, ClusterTime());
    if (lock.has_value()) holder = WhoIs(lock->holder.node);
  }
  if (holder == who) return absl::OkStatus();
  return Failed(absl::StrCat("held by ", holder));
}

bool Script::Believes(HostId host, const std::string& key) const {
  const Node* node = world_->node(host);
  if (node == nullptr) return false;
  const FastInstant now = world_->Read(host).fast;
  for (const Client::Held& held : node->client().held()) {
    if (held.key == key && held.belief_end > now) return true;
  }
  return false;
}

std::optional<ClusterId> Script::LatestCluster() const {
  if (judge_->clusters().empty()) return std::nullopt;
  return judge_->clusters().back();
}

}  // namespace cachalot::sim
