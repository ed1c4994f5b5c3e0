#include "tools/install/command_page.h"

#include <string>

#include "CLI/CLI.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

// A command line with one of each.
class CommandPageTest : public testing::Test {
 protected:
  CommandPageTest() : app_("tool: does \\n and 'more'") {
    app_.footer("Example:\n  tool go --fast\n.dots are no requests");
    CLI::App& go = *app_.add_subcommand("go", "goes there");
    go.add_flag("-f,--fast", fast_, "hurries");
    go.add_option("PLACE", place_, "where to")->required();
    app_.add_subcommand("secret", "is not shown")->group("");
    app_.add_flag("--hidden", hidden_, "is not shown")->group("");
  }

  CLI::App app_;
  bool fast_ = false;
  bool hidden_ = false;
  std::string place_;
};

TEST_F(CommandPageTest, TheManPageHasCommandsOptionsAndOperands) {
  const std::string page = ToManPage(app_, "tool", "suite 1.2");
  EXPECT_THAT(page, HasSubstr(".TH TOOL 1 \"\" \"suite 1.2\""));
  EXPECT_THAT(page, HasSubstr("\n\\fBtool\\fR [OPTIONS] COMMAND\n"));
  EXPECT_THAT(page, HasSubstr(".SS tool go [OPTIONS] PLACE"));
  EXPECT_THAT(page, HasSubstr("\\-f,\\-\\-fast"));
  EXPECT_THAT(page, HasSubstr("hurries"));
  EXPECT_THAT(page, HasSubstr("where to"));
}

TEST_F(CommandPageTest, TextIsNoRequestOfRoff) {
  const std::string page = ToManPage(app_, "tool", "suite 1.2");
  EXPECT_THAT(page, HasSubstr("tool \\- does \\en and \\(aqmore\\(aq\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.dots are no requests"));
}

TEST_F(CommandPageTest, WhatHelpHidesIsOnNoPage) {
  for (const std::string& page :
       {ToManPage(app_, "tool", ""), ToBashCompletion(app_, "tool")}) {
    EXPECT_THAT(page, Not(HasSubstr("secret")));
    EXPECT_THAT(page, Not(HasSubstr("hidden")));
  }
}

TEST_F(CommandPageTest, TheCompletionHasEachCommandsOptions) {
  const std::string completion = ToBashCompletion(app_, "tool");
  EXPECT_THAT(completion, HasSubstr("words=\"go --help -h\""));
  EXPECT_THAT(completion, HasSubstr("go) words=\"--help -h --fast -f\""));
}

TEST_F(CommandPageTest, TheFlagsPrintThemInsteadOfRunning) {
  app_.require_subcommand(1);
  AddPageFlags(app_, "tool", "suite 1.2");
  for (const char* flag : {"--man-page", "--bash-completion"}) {
    EXPECT_THROW(app_.parse(flag), CLI::CallForVersion) << flag;
  }
  EXPECT_THAT(app_.help(), Not(HasSubstr("man-page")));
}

}  // namespace
}  // namespace cachalot::tools
