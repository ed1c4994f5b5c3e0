// cachalot: runs an agent, and talks to one.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "io/escape.h"
#include "tools/base/exit_codes.h"
#include "tools/base/flags.h"
#include "tools/base/output.h"
#include "tools/base/version.h"
#include "tools/cli/agent.h"
#include "tools/cli/agent_flags.h"
#include "tools/cli/ask.h"
#include "tools/cli/client_commands.h"
#include "tools/cli/hold_lock.h"
#include "tools/cli/lock_commands.h"
#include "tools/cli/run_command.h"
#include "tools/cli/watchdog.h"
#include "tools/install/command_page.h"

namespace cachalot::tools {
namespace {

// All that the command line can say. CLI11 fills it; the chosen command's
// callback reads it and sets `exit_code`.
struct CommandLine {
  AgentOptions agent;
  ClientOptions client;
  LockArguments lock;
  absl::Duration wait = absl::Seconds(30);  // of `lock` alone
  bool hold = false;                        // of `lock` alone
  RunArguments run;
  ListArguments list;
  bool force = false;  // of `release`
  std::string reason;
  ExitCode exit_code = ExitCode::kOk;
  std::optional<int> run_exit_code;  // of `run`: whatever its command returns
};

CLI::App& AddCommand(CLI::App& app, const std::string& name,
                     const std::string& description, const std::string& example,
                     absl::string_view exit_codes = ExitCodesHelp()) {
  CLI::App& command = *app.add_subcommand(name, description);
  command.footer(absl::StrCat("Example:\n  ", example, "\n\n", exit_codes));
  return command;
}

// Which agent, and for how long it is waited for.
void AddAgentOptions(CLI::App& command, ClientOptions& options) {
  CLI::Option* agent =
      command
          .add_option("--agent", options.socket,
                      "the agent's local socket [$CACHALOT_AGENT, or where "
                      "agents of yours and of root listen]")
          ->type_name("PATH");
  command
      .add_option("--port", options.port,
                  "the agent's port, if its socket is where it is by default; "
                  "instead of --agent and $CACHALOT_AGENT [7946]")
      ->check(CLI::Range(1, 65535))
      ->excludes(agent)
      ->type_name("PORT");
  command
      .add_option("--agent-user", options.agent_user,
                  "trust an agent of this user, too, besides root's and yours")
      ->type_name("USER");
  AddDuration(command, "--timeout", options.timeout,
              "how long the agent may take");
}

// What all commands have that print what an agent answers.
CLI::App& AddClientCommand(CLI::App& app, ClientOptions& options,
                           const std::string& name,
                           const std::string& description,
                           const std::string& example) {
  CLI::App& command = AddCommand(app, name, description, example);
  AddAgentOptions(command, options);
  command.add_flag("--json", options.json, "answer in one line of JSON");
  return command;
}

// Adds the flag that says that `texts` are escaped as all output is.
void AddEscaped(CLI::App& command, std::vector<std::string*> texts,
                const std::string& what_is) {
  const std::string description =
      absl::StrCat(what_is,
                   " written as this program prints them: \\\\ is a "
                   "backslash, \\xNN a byte in hexadecimal");
  const CLI::Option* escaped = command.add_flag("--escaped", description);
  command.parse_complete_callback([escaped, texts = std::move(texts)] {
    if (escaped->count() == 0) return;
    for (std::string* text : texts) {
      std::optional<std::string> bytes = Unescape(*text);
      if (!bytes.has_value()) {
        throw CLI::ValidationError(
            "--escaped", absl::StrCat("\"", *text,
                                      "\" has a backslash that starts neither "
                                      "\\\\ nor \\xNN"));
      }
      *text = *std::move(bytes);
    }
  });
}

void AddKey(CLI::App& command, LockArguments& lock) {
  command.add_option("key", lock.key, "the lock's name, 1 to 1024 bytes")
      ->required()
      ->type_name("");
  AddEscaped(command, {&lock.key, &lock.owner}, "KEY and LABEL are");
}

CLI::Option* AddOwner(CLI::App& command, LockArguments& lock,
                      const std::string& description) {
  return command.add_option("--owner", lock.owner, description)
      ->type_name("LABEL");
}

// For a proof that is given: "" is what a script passes that has none. It must
// not count as left out, or the environment would prove what is not the
// script's.
std::string RefuseEmpty(const std::string& text) {
  return text.empty() ? "it is empty: was the lock taken?" : "";
}

// What proves that renew and release come from the holder.
void AddProof(CLI::App& command, LockArguments& lock) {
  command
      .add_option("--token", lock.token,
                  "the grant's token, as lock and try print it "
                  "[$CACHALOT_TOKEN]")
      ->check(RefuseEmpty)
      ->type_name("TOKEN");
  AddOwner(command, lock,
           "instead of a token: the label that the lock was taken with "
           "[$CACHALOT_OWNER]")
      ->check(RefuseEmpty)
      ->excludes("--token");
}

void AddAcquire(CLI::App& command, LockArguments& lock) {
  AddKey(command, lock);
  AddDuration(command, "--ttl", lock.ttl, "the lease");
  AddOwner(command, lock,
           "a label that is shown to others; whoever gives the same may renew "
           "and release the lock, so make it unique [$CACHALOT_OWNER]");
  command
      .add_flag("--print-token", lock.print_token,
                "print the token and nothing else, for scripts")
      ->excludes("--json");
}

// For administrators: `release` of a lock that somebody else holds.
void AddForce(CLI::App& release, CommandLine& line) {
  CLI::Option* const force = release.add_flag(
      "--force", line.force,
      "take the lock from whoever holds it, or from the grant of --token: the "
      "holder is told and gives it back; one that cannot be reached keeps it "
      "until its lease or session ends");
  CLI::Option* const reason =
      release
          .add_option("--reason", line.reason,
                      "why, for the holder; 1 to 256 bytes")
          ->type_name("TEXT");
  force->needs(reason);
  reason->needs(force);
  force->excludes(release.get_option("--owner"));
  release.callback([&line] {
    line.exit_code = line.force ? Revoke(line.client, {.key = line.lock.key,
                                                       .token = line.lock.token,
                                                       .reason = line.reason})
                                : Release(line.client, line.lock);
  });
}

void AddAgent(CLI::App& app, CommandLine& line) {
  AgentOptions& options = line.agent;
  CLI::App& command =
      AddCommand(app, "agent", "run a member of the cluster until Ctrl+C",
                 "cachalot agent --bind localhost:7947 --join localhost:7946");
  command.add_option("--bind", options.bind, "where to listen; port 0: any")
      ->required()
      ->type_name("HOST:PORT");
  command
      .add_option("--join", options.join,
                  "where members may be found; the own address alone founds a "
                  "cluster")
      ->type_name("HOST:PORT...");
  command
      .add_option("--advertise", options.advertise,
                  "where others reach this agent, if not at --bind")
      ->type_name("HOST:PORT");
  command.add_option("--name", options.name, "for people [the address]")
      ->type_name("NAME");
  command
      .add_option("--cluster", options.cluster,
                  "the cluster's name; agents of other names are refused "
                  "[cachalot]")
      ->type_name("NAME");
  command
      .add_option("--founders", options.founders,
                  "the names of the agents that found the cluster together, "
                  "the same list at each of them")
      ->delimiter(',')
      ->type_name("NAME,...");
  command.add_flag("--bootstrap", options.bootstrap,
                   "this is the cluster's first start: found it at once");
  command
      .add_option("--state-dir", options.state_dir,
                  "where to keep what must not be forgotten of the cluster; "
                  "empty: nowhere [AGENT in /var/lib/cachalot/CLUSTER if root "
                  "runs the agent, else in "
                  "$XDG_STATE_HOME/cachalot/CLUSTER; AGENT is the name or the "
                  "port]")
      ->expected(0, 1)  // so that "--state-dir=" is an empty one
      ->type_name("DIR");
  command.add_flag("--force-bootstrap", options.force_bootstrap,
                   "the remembered cluster is gone for good: found another; "
                   "for one start, of all founders or of one agent");
  command
      .add_option("--socket", options.socket,
                  "the local socket [PORT.sock in /run/cachalot if root runs "
                  "the agent, else in /run/user/UID/cachalot or ~/.cachalot]")
      ->type_name("PATH");
  command
      .add_option("--socket-group", options.socket_group,
                  "members of this group may use the local socket, besides "
                  "this user and root")
      ->type_name("GROUP");
  command
      .add_option("--socket-mode", options.socket_mode,
                  "0600, or 0660 with --socket-group, which it is by itself")
      ->check([](const std::string& mode) -> std::string {
        if (mode != "0600" && mode != "0660") return "must be 0600 or 0660";
        return "";
      })
      ->type_name("MODE");
  AddLogFlags(command, options);
  AddProtocolFlags(command, options);
  command.callback([&line] { line.exit_code = RunAgent(line.agent); });
}

void AddRun(CLI::App& app, CommandLine& line) {
  RunArguments& run = line.run;
  CLI::App& command = AddCommand(
      app, "run", "run a command while holding a lock",
      "cachalot run nightly --wait 5m -- ./backup --all", RunExitCodesHelp());
  command.description(
      "run a command while holding a lock\n\n"
      "The lock is kept renewed for as long as the command, or anything that "
      "it "
      "started,\nruns; when the last of them is gone, however that came, it is "
      "free at once. Should\nthe lock be about to be lost, because the agent "
      "is "
      "stopped, dead or cut off, the\ncommand is ended before another can have "
      "it. The command finds CACHALOT_KEY,\nCACHALOT_TOKEN and "
      "CACHALOT_AGENT in its environment.\n");
  AddAgentOptions(command, line.client);
  AddDuration(command, "--wait", run.lock.wait,
              "how long to wait for the lock");
  AddDuration(command, "--ttl", run.lock.ttl, "the lease, renewed meanwhile");
  AddOwner(command, run.lock, "a label that is shown to others");
  AddChoice<OnLost>(command, "--on-lost", run.on_lost,
                    {{"term", OnLost::kTerminate},
                     {"kill", OnLost::kKill},
                     {"warn", OnLost::kWarn}},
                    "when the lock is about to be lost: term (SIGTERM, then "
                    "SIGKILL), kill (SIGKILL) or warn (say so) [term]");
  AddDuration(
      command, "--grace", run.grace,
      "between SIGTERM and SIGKILL; at most a third of a lease that runs out");
  AddKey(command, run.lock);
  command.add_option("command", run.command, "what to run, after --")
      ->required()
      ->type_name("");
  command.callback(
      [&line] { line.run_exit_code = Run(line.client, line.run); });
}

void AddLockCommands(CLI::App& app, CommandLine& line) {
  LockArguments& lock = line.lock;

  CLI::App& try_lock = AddClientCommand(
      app, line.client, "try", "take a lock if it is free",
      "token=$(cachalot try nightly --ttl 1m --print-token) || exit\n"
      "  ./backup\n"
      "  cachalot release nightly --token \"$token\"");
  AddAcquire(try_lock, lock);
  try_lock.callback(
      [&line] { line.exit_code = Acquire(line.client, line.lock); });

  CLI::App& wait =
      AddClientCommand(app, line.client, "lock", "take a lock, waiting for it",
                       "token=$(cachalot lock nightly --wait 5m --ttl 1m "
                       "--print-token) || exit\n"
                       "  ./backup\n"
                       "  cachalot release nightly --token \"$token\"");
  AddAcquire(wait, lock);
  AddDuration(wait, "--wait", line.wait, "how long to wait for it");
  wait.add_flag(
      "--hold", line.hold,
      "hold the lock, renewed, until standard input ends, if that is a "
      "pipe or a terminal, or a signal comes; exit code 76 says that "
      "it was lost");
  wait.callback([&line] {
    line.lock.wait = line.wait;
    line.exit_code = line.hold ? Hold(line.client, line.lock)
                               : Acquire(line.client, line.lock);
  });

  CLI::App& renew =
      AddClientCommand(app, line.client, "renew", "extend the lease of a lock",
                       "cachalot renew nightly --token \"$token\" --ttl 1m");
  AddKey(renew, lock);
  AddDuration(renew, "--ttl", lock.ttl, "the lease, from now");
  AddProof(renew, lock);
  renew.callback([&line] { line.exit_code = Renew(line.client, line.lock); });

  CLI::App& release =
      AddClientCommand(app, line.client, "release", "give up a lock",
                       "cachalot release nightly --token \"$token\"");
  AddKey(release, lock);
  AddProof(release, lock);
  AddForce(release, line);
}

void AddListCommands(CLI::App& app, CommandLine& line) {
  CLI::App& locks =
      AddClientCommand(app, line.client, "locks",
                       "list the locks that are held; each is "
                       "free when its lease ends, or the session "
                       "of its holder's agent, whichever is "
                       "first; holders renew the one, agents the "
                       "other",
                       "cachalot locks --prefix nightly-\n"
                       "  cachalot locks --waiters nightly-backup");
  locks.add_option("--prefix", line.list.prefix, "only keys that begin so")
      ->type_name("TEXT");
  CLI::Option* const waiters =
      locks
          .add_option("--waiters", line.list.waiters,
                      "who waits for this key instead, the next one first")
          ->check([](const std::string& key) -> std::string {
            return key.empty() ? "a key has 1 to 1024 bytes" : "";
          })
          ->excludes("--prefix")
          ->type_name("KEY");
  AddEscaped(locks, {&line.list.prefix, &line.list.waiters}, "TEXT or KEY is");
  locks
      .add_flag("--local", line.list.local,
                "what this agent knows, without asking the leader")
      ->excludes(waiters);
  locks.callback(
      [&line] { line.exit_code = ListLocks(line.client, line.list); });

  CLI::App& members = AddClientCommand(
      app, line.client, "members",
      "list the members that are there or whose votes are needed",
      "cachalot members --json");
  members.add_flag("--all", line.list.all, "also those who failed or left");
  members.add_flag("--local", line.list.local,
                   "what this agent knows, without asking the leader");
  members.callback(
      [&line] { line.exit_code = ListMembers(line.client, line.list); });

  CLI::App& status = AddClientCommand(app, line.client, "status",
                                      "show where the agent stands",
                                      "cachalot status --port 7947");
  status.callback([&line] { line.exit_code = ShowStatus(line.client); });

  CLI::App& leave = AddClientCommand(
      app, line.client, "leave",
      "make the agent release its locks, leave the cluster and end",
      "cachalot leave --port 7947");
  leave.callback([&line] { line.exit_code = Leave(line.client); });
}

int Main(int argc, char** argv) {
#ifdef NDEBUG
  // Debian builds Abseil with it, and it costs each lock a search.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  ReserveStandardStreams();
  CommandLine line;
  CLI::App app("cachalot: locks that are safe across a cluster.");
  app.footer(absl::StrCat(
      "Example:\n"
      "  cachalot agent --bind localhost:7946 --join localhost:7946 &\n"
      "  cachalot run nightly-backup -- ./backup\n"
      "  cachalot locks\n\n",
      ExitCodesHelp()));
  app.set_version_flag("--version", VersionLine("cachalot"));
  app.require_subcommand(1);
  AddAgent(app, line);
  AddRun(app, line);
  AddLockCommands(app, line);
  AddListCommands(app, line);
  AddPageFlags(app, "cachalot", VersionLine("cachalot"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const ExitCode code = EndParsing(app, error, kProgram);
    const bool has_extras =
        error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
    if (has_extras && app.got_subcommand("run")) {
      Complain("write -- before the command: cachalot run KEY -- COMMAND...");
    }
    return static_cast<int>(code);
  }
  return line.run_exit_code.value_or(static_cast<int>(line.exit_code));
}

}  // namespace
}  // namespace cachalot::tools

int main(int argc, char** argv) { return cachalot::tools::Main(argc, argv); }
