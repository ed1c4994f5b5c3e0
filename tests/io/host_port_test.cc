#include "io/host_port.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

TEST(HostPortTest, ReadsNamesAndAddresses) {
  const struct {
    const char* text;
    const char* host;
    uint16_t port;
    bool is_literal;
  } kCases[] = {
      {"localhost:7946", "localhost", 7946, false},
      {"n-1.my_zone.example.org:1", "n-1.my_zone.example.org", 1, false},
      {"example.org.:65535", "example.org.", 65535, false},
      {"xn--mnchen-3ya.example:7946", "xn--mnchen-3ya.example", 7946, false},
      {"3f2a:7946", "3f2a", 7946, false},
      {"10.0.0.1:0", "10.0.0.1", 0, true},
      {"0.0.0.0:7946", "0.0.0.0", 7946, true},
      {"[::1]:7946", "::1", 7946, true},
      {"[::]:7946", "::", 7946, true},
      {"[fd00::1]:7946", "fd00::1", 7946, true},
      {"[::ffff:10.0.0.1]:7946", "::ffff:10.0.0.1", 7946, true},
      {":7946", "", 7946, false},
  };
  for (const auto& test_case : kCases) {
    const absl::StatusOr<HostPort> read = ParseHostPort(test_case.text);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->text, test_case.text);
    EXPECT_EQ(read->host, test_case.host);
    EXPECT_EQ(read->port, test_case.port);
    EXPECT_EQ(read->literal.has_value(), test_case.is_literal)
        << test_case.text;
    if (read->literal.has_value()) {
      EXPECT_EQ(read->literal->port, test_case.port);
    }
  }
  EXPECT_EQ(ParseHostPort("[::ffff:10.0.0.1]:7946")->literal,
            Address::V4(10, 0, 0, 1, 7946));
  EXPECT_EQ(ParseHostPort("[fd00::1]:7946")->literal,
            Address::Parse("[fd00::1]:7946"));
}

TEST(HostPortTest, SaysWhatIsWrongAndWhatToWrite) {
  const std::string long_label(64, 'a');
  const std::string long_name =
      absl::StrCat(std::string(63, 'a'), ".", std::string(63, 'b'), ".",
                   std::string(63, 'c'), ".", std::string(63, 'd'), ":7946");
  const struct {
    std::string text;
    const char* problem;
    const char* advice;
  } kCases[] = {
      {"", "no port", "HOST:PORT"},
      {"localhost", "no port", "HOST:PORT"},
      {"10.0.0.1", "no port", "HOST:PORT"},
      {"[::1]", "no port", "HOST:PORT"},
      {"localhost:", "port is not a number", "HOST:PORT"},
      {"localhost:http", "port is not a number", "HOST:PORT"},
      {"localhost:65536", "port is not a number", "65535"},
      {"localhost:-1", "port is not a number", "HOST:PORT"},
      {"localhost:+1", "port is not a number", "HOST:PORT"},
      {"localhost:000001", "port is not a number", "HOST:PORT"},
      {"::1:7946", "needs brackets", "[::1]:7946"},
      {"::1", "needs brackets", "[::1]:7946"},
      {"fe80::1%eth0:7946", "needs brackets", "[::1]:7946"},
      {"[::1:7946", "needs brackets", "[::1]:7946"},
      {"a:b:7946", "needs brackets", "HOST:PORT"},
      {"[]:7946", "nothing between the brackets", "HOST:PORT"},
      {"[localhost]:7946", "no IPv6 address", "brackets are for IPv6"},
      {"[10.0.0.1]:7946", "no IPv6 address", "brackets are for IPv6"},
      {"[fe80::1%lo]:7946", "zones", "fd00::"},
      {"[fd00::1%eth0]:7946", "zones", "not supported"},
      {"[fe80::1]:7946", "link-local", "fd00::"},
      {"[febf::1]:7946", "link-local", "IPv4"},
      {"[ff02::1]:7946", "many machines", "address of one"},
      {"224.0.0.1:7946", "many machines", "address of one"},
      {"255.255.255.255:7946", "many machines", "address of one"},
      {" localhost:7946", "a space", "HOST:PORT"},
      {"local host:7946", "a space", "HOST:PORT"},
      {"localhost:7946 ", "a space", "HOST:PORT"},
      {"localhost:7946\n", "a space", "HOST:PORT"},
      {"a:1,b:2", "needs brackets", "HOST:PORT"},
      {"a,b:2", "','", "HOST:PORT"},
      {std::string("localhost\0x:1", 13), "zero byte", "HOST:PORT"},
      {"local\x1bhost:7946", "control character", "HOST:PORT"},
      {"http://localhost:7946", "URL", "HOST:PORT"},
      {"tcp://10.0.0.1:7946", "URL", "HOST:PORT"},
      {"user@host:7946", "'@'", "HOST:PORT"},
      {"host/path:7946", "'/'", "HOST:PORT"},
      {"*:7946", "\"*\" is no host", ":7946"},
      {"m\xc3\xbcnchen.example:7946", "ASCII", "xn--"},
      {"256.0.0.1:7946", "no IPv4 address", "10.0.0.1:7946"},
      {"10.0.0:7946", "no IPv4 address", "10.0.0.1:7946"},
      {"010.0.0.1:7946", "no IPv4 address", "10.0.0.1:7946"},
      {"10.0.0.1.:7946", "no IPv4 address", "10.0.0.1:7946"},
      {"2130706433:7946", "no IPv4 address", "10.0.0.1:7946"},
      {"a..b:7946", "a dot too many", "HOST:PORT"},
      {".a:7946", "a dot too many", "HOST:PORT"},
      {absl::StrCat(long_label, ":7946"), "63 characters", "HOST:PORT"},
      {long_name, "253 characters", "HOST:PORT"},
  };
  for (const auto& test_case : kCases) {
    const absl::Status status = ParseHostPort(test_case.text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test_case.text;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.problem))
        << status;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.advice))
        << status;
  }
}

TEST(HostPortTest, QuotesSafelyAndNotWithoutEnd) {
  const absl::Status forged = ParseHostPort("a\x1b[31m\nb:1").status();
  EXPECT_FALSE(absl::StrContains(forged.message(), "\x1b")) << forged;
  EXPECT_FALSE(absl::StrContains(forged.message(), "\n")) << forged;
  const absl::Status huge =
      ParseHostPort(std::string(size_t{1} << 20, 'a')).status();
  EXPECT_LT(huge.message().size(), 1000u);
}

}  // namespace
}  // namespace cachalot
