#include "tools/install/command_page.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cachalot::tools {
namespace {

// Those that --help shows.
std::vector<const CLI::Option*> VisibleOptions(const CLI::App& app) {
  return app.get_options(
      [](const CLI::Option* option) { return !option->get_group().empty(); });
}

std::vector<const CLI::App*> VisibleCommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) {
    return !command->get_name().empty() && !command->get_group().empty();
  });
}

// `text` for roff: nothing in it is a request or an escape.
std::string Escaped(absl::string_view text) {
  std::string escaped =
      absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}});
  return absl::StrReplaceAll(escaped, {{"\n.", "\n\\&."}});
}

// In the manner of --help: lines that are indented keep their layout.
std::string Paragraphs(absl::string_view text) {
  std::string page;
  bool is_literal = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const bool is_indented = absl::StartsWith(line, " ");
    if (is_indented != is_literal) {
      absl::StrAppend(&page, is_indented ? ".RS\n.nf\n" : ".fi\n.RE\n");
      is_literal = is_indented;
    }
    if (absl::StripAsciiWhitespace(line).empty()) {
      absl::StrAppend(&page, ".PP\n");
    } else {
      absl::StrAppend(&page, "\\&", Escaped(absl::StripAsciiWhitespace(line)),
                      "\n");
    }
  }
  if (is_literal) absl::StrAppend(&page, ".fi\n.RE\n");
  return page;
}

std::string OptionEntry(const CLI::Option& option) {
  const CLI::Formatter formatter;
  const bool is_positional = !option.nonpositional();
  return absl::StrCat(
      ".TP\n.B ", Escaped(formatter.make_option_name(&option, is_positional)),
      Escaped(formatter.make_option_opts(&option)), "\n\\&",
      Escaped(option.get_description()), "\n");
}

std::string OptionEntries(const CLI::App& app) {
  std::string entries;
  for (const CLI::Option* option : VisibleOptions(app)) {
    absl::StrAppend(&entries, OptionEntry(*option));
  }
  return entries;
}

// " [OPTIONS] KEY [COMMAND...]", as --help has it.
std::string Operands(const CLI::App& app) {
  const CLI::Formatter formatter;
  std::string operands = VisibleOptions(app).empty() ? "" : " [OPTIONS]";
  for (const CLI::Option* option : VisibleOptions(app)) {
    if (option->nonpositional()) continue;
    absl::StrAppend(&operands, " ", formatter.make_option_usage(option));
  }
  if (!VisibleCommands(app).empty()) absl::StrAppend(&operands, " COMMAND");
  return operands;
}

// "--wait", "-w": what may be typed.
std::vector<std::string> Flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : VisibleOptions(app)) {
    for (const std::string& name : option->get_lnames()) {
      flags.push_back(absl::StrCat("--", name));
    }
    for (const std::string& name : option->get_snames()) {
      flags.push_back(absl::StrCat("-", name));
    }
  }
  return flags;
}

}  // namespace

std::string ToManPage(const CLI::App& app, absl::string_view program,
                      absl::string_view release) {
  const std::string described = app.get_description();
  absl::string_view description = described;
  absl::ConsumePrefix(&description, absl::StrCat(program, ": "));
  std::string page = absl::StrCat(
      ".TH ", absl::AsciiStrToUpper(program), " 1 \"\" \"", release, "\"\n",
      ".SH NAME\n", program, " \\- ", Escaped(description), "\n",
      ".SH SYNOPSIS\n\\fB", program, "\\fR", Escaped(Operands(app)), "\n",
      ".SH OPTIONS\n", OptionEntries(app));
  const std::vector<const CLI::App*> commands = VisibleCommands(app);
  if (!commands.empty()) absl::StrAppend(&page, ".SH COMMANDS\n");
  for (const CLI::App* command : commands) {
    absl::StrAppend(&page, ".SS ", program, " ", command->get_name(),
                    Escaped(Operands(*command)), "\n",
                    Paragraphs(command->get_description()),
                    OptionEntries(*command), ".PP\n",
                    Paragraphs(command->get_footer()));
  }
  absl::StrAppend(&page, ".SH EXAMPLES AND EXIT STATUS\n",
                  Paragraphs(app.get_footer()));
  return page;
}

std::string ToBashCompletion(const CLI::App& app, absl::string_view program) {
  std::vector<std::string> names;
  std::string cases;
  for (const CLI::App* command : VisibleCommands(app)) {
    names.push_back(command->get_name());
    absl::StrAppend(&cases, "      ", command->get_name(), ") words=\"",
                    absl::StrJoin(Flags(*command), " "), "\"; break ;;\n");
  }
  std::vector<std::string> at_top = names;
  for (const std::string& flag : Flags(app)) at_top.push_back(flag);
  const std::string choose =
      cases.empty() ? ""
                    : absl::StrCat(
                          "  local i\n"
                          "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
                          "    case \"${COMP_WORDS[i]}\" in\n",
                          cases, "    esac\n  done\n");
  return absl::StrCat(
      "# Completes the command line of ", program, " in bash.\n_", program,
      "_words() {\n  local words=\"", absl::StrJoin(at_top, " "), "\"\n",
      choose,
      "  COMPREPLY=($(compgen -W \"${words}\" -- \"${COMP_WORDS[COMP_CWORD]}\""
      "))\n}\ncomplete -o default -F _",
      program, "_words ", program, "\n");
}

void AddPageFlags(CLI::App& app, absl::string_view program,
                  absl::string_view release) {
  // Thrown within parse(), like the answer to --version, which needs no command
  // either.
  app.add_flag_callback("--man-page",
                        [&app, program = std::string(program),
                         release = std::string(release)] {
                          throw CLI::CallForVersion(
                              ToManPage(app, program, release), 0);
                        })
      ->group("");
  app.add_flag_callback("--bash-completion",
                        [&app, program = std::string(program)] {
                          throw CLI::CallForVersion(
                              ToBashCompletion(app, program), 0);
                        })
      ->group("");
}

}  // namespace cachalot::tools
