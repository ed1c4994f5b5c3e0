#include "engine/address.h"

#include <optional>

#include "gtest/gtest.h"

namespace cachalot {
namespace {

TEST(AddressTest, ReadsAndPrintsIpv4) {
  const std::optional<Address> address = Address::Parse("127.0.0.1:7946");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(*address, Address::V4(127, 0, 0, 1, 7946));
  EXPECT_TRUE(address->IsV4());
  EXPECT_EQ(address->ToString(), "127.0.0.1:7946");
}

TEST(AddressTest, ReadsAndPrintsIpv6InItsShortestForm) {
  const struct {
    const char* given;
    const char* printed;
  } kCases[] = {
      {"[::1]:7946", "[::1]:7946"},
      {"[::]:1", "[::]:1"},
      {"[1::]:1", "[1::]:1"},
      {"[2001:db8:0:0:1:0:0:1]:80", "[2001:db8::1:0:0:1]:80"},
      {"[2001:DB8::1]:80", "[2001:db8::1]:80"},
      {"[1:2:3:4:5:6:7:8]:65535", "[1:2:3:4:5:6:7:8]:65535"},
      {"[1:0:3:4:5:6:7:8]:1", "[1:0:3:4:5:6:7:8]:1"},
      {"[0:0:0:4::]:1", "[0:0:0:4::]:1"},
  };
  for (const auto& [given, printed] : kCases) {
    const std::optional<Address> address = Address::Parse(given);
    ASSERT_TRUE(address.has_value()) << given;
    EXPECT_FALSE(address->IsV4()) << given;
    EXPECT_EQ(address->ToString(), printed);
    EXPECT_EQ(Address::Parse(printed), address);
  }
}

TEST(AddressTest, ShowsMappedIpv4AsIpv4) {
  const std::optional<Address> address = Address::Parse("[::ffff:7f00:1]:7946");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->ToString(), "127.0.0.1:7946");
}

TEST(AddressTest, RefusesWhatIsNotAnAddress) {
  for (const char* text : {"",
                           ":",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0:1",
                           "127.0.0.256:1",
                           "127.0.0.1.1:1",
                           "1.2.3.-4:1",
                           "1.2.3.4:+5",
                           "1.2.3.4: 5",
                           " 1.2.3.4:5",
                           "localhost:1",
                           "::1:7946",
                           "[::1]",
                           "[::1]7946",
                           "[1:2:3:4:5:6:7]:1",
                           "[1:2:3:4:5:6:7:8:9]:1",
                           "[1::2::3]:1",
                           "[12345::]:1",
                           "[g::]:1",
                           "[:1]:1",
                           "[]:1",
                           "[1:2:3:4:5:6:7::8]:1"}) {
    EXPECT_EQ(Address::Parse(text), std::nullopt) << text;
  }
}

TEST(AddressTest, IsNoneWithoutAPort) {
  EXPECT_TRUE(Address().IsNone());
  EXPECT_TRUE(Address::V4(1, 2, 3, 4, 0).IsNone());
  EXPECT_FALSE(Address::V4(0, 0, 0, 0, 1).IsNone());
}

}  // namespace
}  // namespace cachalot
