// cachalot: runs an agent, and talks to one.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "io/escape.h"
#include "tools/agent.h"
#include "tools/agent_flags.h"
#include "tools/ask.h"
#include "tools/client_commands.h"
#include "tools/exit_codes.h"
#include "tools/flags.h"
#include "tools/lock_commands.h"
#include "tools/output.h"
#include "tools/version.h"

namespace cachalot::tools {
namespace {

// All that the command line can say. CLI11 fills it; the chosen command's
// callback reads it and sets `exit_code`.
struct CommandLine {
  AgentOptions agent;
  ClientOptions client;
  LockArguments lock;
  absl::Duration wait = absl::Seconds(30);  // of `lock` alone
  ListArguments list;
  ExitCode exit_code = ExitCode::kOk;
};

CLI::App& AddCommand(CLI::App& app, const std::string& name,
                     const std::string& description,
                     const std::string& example) {
  CLI::App& command = *app.add_subcommand(name, description);
  command.footer(
      absl::StrCat("Example:\n  ", example, "\n\n", ExitCodesHelp()));
  return command;
}

// What all commands have that talk to an agent.
CLI::App& AddClientCommand(CLI::App& app, ClientOptions& options,
                           const std::string& name,
                           const std::string& description,
                           const std::string& example) {
  CLI::App& command = AddCommand(app, name, description, example);
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
  command.add_flag("--json", options.json, "answer in one line of JSON");
  AddDuration(command, "--timeout", options.timeout,
              "how long the agent may take");
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

void AddOwner(CLI::App& command, LockArguments& lock,
              const std::string& description) {
  command.add_option("--owner", lock.owner, description)->type_name("LABEL");
}

// What proves that renew and release come from the holder.
void AddProof(CLI::App& command, LockArguments& lock) {
  command
      .add_option("--token", lock.token,
                  "the grant's token, as lock and try print it "
                  "[$CACHALOT_TOKEN]")
      ->type_name("TOKEN");
  AddOwner(command, lock,
           "instead of a token: the label that the lock was taken with "
           "[$CACHALOT_OWNER]");
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
      .add_option("--bootstrap-expect", options.bootstrap_expect,
                  "found a cluster when so many agents have met that all "
                  "expect so many")
      ->type_name("N");
  command
      .add_option("--socket", options.socket,
                  "the local socket [PORT.sock in /run/cachalot if root runs "
                  "the agent, else in /run/user/UID/cachalot or ~/.cachalot]")
      ->type_name("PATH");
  CLI::Option* group =
      command
          .add_option("--socket-group", options.socket_group,
                      "members of this group may use the local socket, besides "
                      "this user and root")
          ->type_name("GROUP");
  command
      .add_option("--socket-mode", options.socket_mode,
                  "0600, or 0660 with --socket-group, which it is by itself")
      ->check([group](const std::string& mode) -> std::string {
        if (mode != "0600" && mode != "0660") return "must be 0600 or 0660";
        return "";
      })
      ->type_name("MODE");
  AddLogFlags(command, options);
  AddProtocolFlags(command, options);
  command.callback([&line] { line.exit_code = RunAgent(line.agent); });
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
  wait.callback([&line] {
    line.lock.wait = line.wait;
    line.exit_code = Acquire(line.client, line.lock);
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
  release.callback(
      [&line] { line.exit_code = Release(line.client, line.lock); });
}

void AddListCommands(CLI::App& app, CommandLine& line) {
  CLI::App& locks = AddClientCommand(app, line.client, "locks",
                                     "list the locks that are held; each is "
                                     "free when its lease ends, or the session "
                                     "of its holder's agent, whichever is "
                                     "first; holders renew the one, agents the "
                                     "other",
                                     "cachalot locks --prefix nightly-");
  locks.add_option("--prefix", line.list.prefix, "only keys that begin so")
      ->type_name("TEXT");
  AddEscaped(locks, {&line.list.prefix}, "TEXT is");
  locks.add_flag("--local", line.list.local,
                 "what this agent knows, without asking the leader");
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
  ReserveStandardStreams();
  CommandLine line;
  CLI::App app("cachalot: locks that are safe across a cluster.");
  app.footer(absl::StrCat(
      "Example:\n"
      "  cachalot agent --bind localhost:7946 --join localhost:7946 &\n"
      "  cachalot lock nightly-backup --ttl 1m\n"
      "  cachalot locks\n\n",
      ExitCodesHelp()));
  app.set_version_flag("--version", VersionLine("cachalot"));
  app.require_subcommand(1);
  AddAgent(app, line);
  AddLockCommands(app, line);
  AddListCommands(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_help = app.exit(error) == 0;
    return static_cast<int>(is_help ? ExitCode::kOk : ExitCode::kInvalid);
  }
  return static_cast<int>(line.exit_code);
}

}  // namespace
}  // namespace cachalot::tools

int main(int argc, char** argv) { return cachalot::tools::Main(argc, argv); }
