#include "io/resolver.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

Address Only(absl::string_view text) {
  const auto addresses = Resolve(text, EmptyHost::kThisMachine);
  EXPECT_TRUE(addresses.ok()) << addresses.status();
  return addresses.ok() ? addresses->front() : Address();
}

TEST(ResolverTest, ReadsNumbers) {
  EXPECT_EQ(Only("10.1.2.3:7946"), Address::V4(10, 1, 2, 3, 7946));
  EXPECT_EQ(Only("[::1]:7946"), Address::Parse("[::1]:7946"));
  EXPECT_EQ(Only("127.0.0.1:0"), Address::V4(127, 0, 0, 1, 0));
}

TEST(ResolverTest, ReadsNamesWithIpv4First) {
  EXPECT_EQ(Only("localhost:7946"), Address::V4(127, 0, 0, 1, 7946));
}

TEST(ResolverTest, AnEmptyHostIsWhatTheCallerSays) {
  const auto every = Resolve(":7946", EmptyHost::kEveryAddress);
  ASSERT_TRUE(every.ok());
  EXPECT_EQ(every->front(), Address::Parse("[::]:7946"));
  EXPECT_EQ(every->back(), Address::V4(0, 0, 0, 0, 7946));
  EXPECT_EQ(Only(":7946"), Address::V4(127, 0, 0, 1, 7946));
}

TEST(ResolverTest, SaysWhatIsWrongWithTheForm) {
  const struct {
    const char* text;
    const char* problem;
  } kCases[] = {
      {"", "no port"},
      {"localhost", "no port"},
      {"localhost:", "not a number"},
      {"localhost:http", "not a number"},
      {"localhost:65536", "not a number"},
      {"localhost:-1", "not a number"},
      {"localhost:+1", "not a number"},
      {"::1:7946", "needs brackets"},
      {"[]:7946", "nothing between the brackets"},
  };
  for (const auto& test_case : kCases) {
    const absl::Status status =
        Resolve(test_case.text, EmptyHost::kThisMachine).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test_case.text;
    EXPECT_TRUE(absl::StrContains(status.message(), test_case.problem))
        << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "HOST:PORT")) << status;
  }
}

TEST(ResolverTest, ZeroBytesAreNotTheEndOfAName) {
  const absl::Status status =
      Resolve(absl::string_view("localhost\0x:1", 13), EmptyHost::kThisMachine)
          .status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST(ResolverTest, NamesTheHostThatIsNotKnown) {
  // ".invalid" is never given to anybody (RFC 6761).
  const absl::Status status =
      Resolve("cachalot.invalid:7946", EmptyHost::kThisMachine).status();
  // Without a network the name service may not answer at all.
  EXPECT_TRUE(absl::IsNotFound(status) || absl::IsUnavailable(status))
      << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "cachalot.invalid"))
      << status;
}

}  // namespace
}  // namespace cachalot
