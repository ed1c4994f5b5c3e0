// Measures three real agents on loopback through their local sockets.
//
//   bazel run -c opt //tools:bench -- --clients=1,64,256 --seconds=3 --json
//   bazel run -c opt //tools:bench -- --workload=held --seconds=20 --json
//
// Each client takes a lock and releases it, again and again, over a connection
// that it shares with others; a figure counts pairs, from the request for the
// lock to the answer to its release.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/request.h"
#include "io/local/client.h"
#include "io/local/protocol.h"
#include "nlohmann/json.hpp"
#include "tools/base/exit_codes.h"
#include "tools/base/flags.h"
#include "tools/base/interrupt.h"
#include "tools/benchmark/held_workload.h"
#include "tools/benchmark/histogram.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Before anything is counted: caches, branch predictors, the first growth of
// queues.
constexpr absl::Duration WarmUp() { return absl::Milliseconds(500); }
constexpr absl::Duration Ttl() { return absl::Minutes(1); }
// An agent that is silent for so long has failed the measurement.
constexpr absl::Duration ReplyTimeout() { return absl::Seconds(10); }
constexpr int kAgents = 3;

struct Window {
  Clock::time_point begin;  // pairs that begin earlier do not count
  Clock::time_point end;    // no pair begins later
};

// Clients that share one connection to one agent. Each has one request in
// flight; what the connection has read at once is answered at once, in one
// write.
class Load {
 public:
  Load(std::unique_ptr<LocalClient> connection, std::vector<std::string> keys,
       Window window)
      : connection_(std::move(connection)), window_(window) {
    for (std::string& key : keys) clients_.push_back({.key = std::move(key)});
  }

  // Blocks until the window has passed and all locks are released.
  // Errors: an agent that goes away, is silent, or refuses.
  absl::Status Run() {
    for (size_t client = 0; client < clients_.size(); ++client) Begin(client);
    while (!in_flight_.empty()) {
      if (absl::Status status = connection_->Flush(); !status.ok()) {
        return status;
      }
      absl::StatusOr<LocalReply> reply = connection_->Receive(ReplyTimeout());
      if (!reply.ok()) return reply.status();
      while (reply.ok()) {
        if (absl::Status status = Take(*reply); !status.ok()) return status;
        reply = connection_->Receive(absl::ZeroDuration());
      }
    }
    return absl::OkStatus();
  }

  const Histogram& latencies() const { return latencies_; }

 private:
  struct Client {
    std::string key;
    Clock::time_point begun;
    bool holds = false;
  };

  void Begin(size_t client) {
    clients_[client].begun = Clock::now();
    if (clients_[client].begun >= window_.end) return;
    Send(client, {.operation = LocalOperation::kAcquire,
                  .key = clients_[client].key,
                  .ttl = Ttl()});
  }

  void Send(size_t client, LocalRequest request) {
    in_flight_[connection_->Send(std::move(request))] = client;
  }

  absl::Status Take(const LocalReply& reply) {
    const auto found = in_flight_.find(reply.id);
    if (found == in_flight_.end()) {
      return absl::InternalError("a reply to nothing");
    }
    const size_t client = found->second;
    in_flight_.erase(found);
    if (reply.answer.outcome != Outcome::kOk) {
      return absl::UnavailableError(absl::StrCat(
          "the agent answered: ", OutcomeName(reply.answer.outcome), " ",
          reply.answer.text));
    }
    Client& it = clients_[client];
    it.holds = !it.holds;
    if (it.holds) {
      Send(client, {.operation = LocalOperation::kRelease,
                    .key = it.key,
                    .token = reply.answer.token});
      return absl::OkStatus();
    }
    if (it.begun >= window_.begin) {
      latencies_.Record(absl::FromChrono(Clock::now() - it.begun));
    }
    Begin(client);
    return absl::OkStatus();
  }

  std::unique_ptr<LocalClient> connection_;
  Window window_;
  std::vector<Client> clients_;
  absl::flat_hash_map<uint64_t, size_t> in_flight_;  // request -> client
  Histogram latencies_;
};

struct Options {
  std::string workload = "uncontended";
  std::string via = "all";
  std::vector<int> clients = {1, 64, 256};
  std::vector<int> locks = {10'000, 50'000, 100'000};
  double seconds = 3;
  bool json = false;
};

// The agents that clients are spread over, the leader's first.
absl::StatusOr<std::vector<int>> ChooseAgents(const AgentCluster& cluster,
                                              const std::string& via) {
  const AgentCluster::Reply members = cluster.Ask(0, {"members"});
  std::vector<int> agents;
  for (const nlohmann::json& member : members.body["members"]) {
    const bool leads = member.value("role", "") == "leader";
    for (int i = 0; i < cluster.size(); ++i) {
      if (member.value("name", "") != AgentCluster::NameOf(i)) continue;
      if (via == "leader" && !leads) continue;
      if (via == "follower" && leads) continue;
      agents.insert(leads ? agents.begin() : agents.end(), i);
    }
  }
  if (agents.empty()) return absl::InternalError(members.text);
  return agents;
}

// Every client has a key of its own.
absl::StatusOr<std::vector<Load>> Uncontended(const AgentCluster& cluster,
                                              const std::vector<int>& agents,
                                              int clients, Window window) {
  std::vector<std::vector<std::string>> keys(agents.size());
  for (int i = 0; i < clients; ++i) {
    keys[static_cast<size_t>(i) % agents.size()].push_back(
        absl::StrCat("bench-", i));
  }
  std::vector<Load> loads;
  for (size_t i = 0; i < agents.size(); ++i) {
    if (keys[i].empty()) continue;
    absl::StatusOr<std::unique_ptr<LocalClient>> connection =
        LocalClient::Connect(cluster.SocketOf(agents[i]));
    if (!connection.ok()) return connection.status();
    loads.emplace_back(*std::move(connection), std::move(keys[i]), window);
  }
  return loads;
}

Clock::duration ToClock(absl::Duration duration) {
  return absl::ToChronoNanoseconds(duration);
}

absl::StatusOr<Histogram> Measure(const AgentCluster& cluster,
                                  const std::vector<int>& agents, int clients,
                                  absl::Duration duration) {
  const Clock::time_point begin = Clock::now() + ToClock(WarmUp());
  absl::StatusOr<std::vector<Load>> loads =
      Uncontended(cluster, agents, clients,
                  {.begin = begin, .end = begin + ToClock(duration)});
  if (!loads.ok()) return loads.status();
  std::vector<absl::Status> statuses(loads->size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < loads->size(); ++i) {
    threads.emplace_back([&, i] { statuses[i] = (*loads)[i].Run(); });
  }
  for (std::thread& thread : threads) thread.join();

  Histogram latencies;
  for (size_t i = 0; i < loads->size(); ++i) {
    if (!statuses[i].ok()) return statuses[i];
    latencies.Merge((*loads)[i].latencies());
  }
  return latencies;
}

void Print(const Options& options, int clients, const Histogram& latencies) {
  const double pairs_per_s =
      static_cast<double>(latencies.count()) / options.seconds;
  const auto in_us = [](absl::Duration duration) {
    return std::round(absl::ToDoubleMicroseconds(duration) * 10) / 10;
  };
  const double mean = in_us(latencies.Mean());
  const double p50 = in_us(latencies.Quantile(0.5));
  const double p99 = in_us(latencies.Quantile(0.99));
  if (options.json) {
    nlohmann::ordered_json line;
    line["workload"] = options.workload;
    line["via"] = options.via;
    line["clients"] = clients;
    line["pairs_per_s"] = std::round(pairs_per_s);
    line["mean_us"] = mean;
    line["p50_us"] = p50;
    line["p99_us"] = p99;
    std::printf("%s\n", line.dump().c_str());
  } else {
    std::printf("%-12s %7d %11.0f %9.1f %9.1f %9.1f\n",
                options.workload.c_str(), clients, pairs_per_s, mean, p50, p99);
  }
  std::fflush(stdout);
}

absl::Status Run(const Options& options) {
  absl::StatusOr<AgentCluster> cluster =
      AgentCluster::Create({.size = kAgents});
  if (!cluster.ok()) return cluster.status();
  if (absl::Status status = cluster->StartAll(); !status.ok()) return status;
  if (absl::Status status = cluster->AwaitVoters(0, absl::Seconds(30));
      !status.ok()) {
    return status;
  }
  const absl::StatusOr<std::vector<int>> agents =
      ChooseAgents(*cluster, options.via);
  if (!agents.ok()) return agents.status();

  if (!options.json) {
    std::printf("%-12s %7s %11s %9s %9s %9s\n", "workload", "clients",
                "pairs/s", "mean us", "p50 us", "p99 us");
  }
  for (const int clients : options.clients) {
    if (Interrupted()) return absl::CancelledError("interrupted");
    const absl::StatusOr<Histogram> latencies =
        Measure(*cluster, *agents, clients, absl::Seconds(options.seconds));
    if (!latencies.ok()) return latencies.status();
    Print(options, clients, *latencies);
  }
  return absl::OkStatus();
}

void PrintHeld(const Options& options, const HeldFigures& figures) {
  const auto in_ms = [](absl::Duration duration) {
    return std::round(absl::ToDoubleMilliseconds(duration) * 10) / 10;
  };
  if (options.json) {
    nlohmann::ordered_json line;
    line["workload"] = options.workload;
    line["held"] = figures.held;
    line["longest_stall_ms"] = in_ms(figures.longest_stall);
    line["holders_stall_ms"] = in_ms(figures.holders_stall);
    line["lost"] = figures.lost;
    line["taking_ms"] = in_ms(figures.taking);
    std::printf("%s\n", line.dump().c_str());
  } else {
    std::printf("%-12s %8d %17.1f %17.1f %6lu %10.1f\n",
                options.workload.c_str(), figures.held,
                in_ms(figures.longest_stall), in_ms(figures.holders_stall),
                static_cast<unsigned long>(figures.lost),
                in_ms(figures.taking));
  }
  std::fflush(stdout);
}

absl::Status RunHeld(const Options& options) {
  if (!options.json) {
    std::printf("%-12s %8s %17s %17s %6s %10s\n", "workload", "held",
                "longest stall ms", "holder's stall ms", "lost", "taking ms");
  }
  for (const int locks : options.locks) {
    if (Interrupted()) return absl::CancelledError("interrupted");
    const absl::StatusOr<HeldFigures> figures = MeasureHeld(
        locks, absl::Seconds(options.seconds), options.workload == "renewed");
    if (!figures.ok()) return figures.status();
    PrintHeld(options, *figures);
  }
  return absl::OkStatus();
}

ExitCode Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures lock and release on three agents on loopback.");
  app.add_option("--workload", options.workload,
                 "uncontended: every client has a key of its own; held: one "
                 "of three members in this process holds many locks for "
                 "--seconds; renewed: the same, and they renew themselves")
      ->check(CLI::IsMember({"uncontended", "held", "renewed"}));
  app.add_option("--locks", options.locks,
                 "held, renewed: how many, each in turn")
      ->delimiter(',')
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--via", options.via,
                 "the agents that clients are connected to; a single client "
                 "takes the leader's")
      ->check(CLI::IsMember({"all", "leader", "follower"}));
  app.add_option("--clients", options.clients,
                 "how many at a time, each in turn")
      ->delimiter(',')
      ->check(CLI::Range(1, 16384));
  app.add_option("--seconds", options.seconds, "of each measurement")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_flag("--json", options.json, "one line of JSON for each figure");
  app.footer("Example:\n  bench --clients=1,64,256 --seconds=3 --json\n");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return EndParsing(app, error, "bench");
  }
  CatchInterrupts();
  const bool is_uncontended = options.workload == "uncontended";
  const absl::Status status = is_uncontended ? Run(options) : RunHeld(options);
  return status.ok() ? ExitCode::kOk : Fail("bench", status);
}

}  // namespace
}  // namespace cachalot::tools

int main(int argc, char** argv) {
  return static_cast<int>(cachalot::tools::Main(argc, argv));
}
