#include "tools/base/json_text.h"

#include <string>

#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

// As a program reads it that got the line.
std::string RoundTrip(const std::string& text) {
  Json body = Json::object();
  AddText(body, "key", text);
  return ReadText(Json::parse(ToLine(body)), "key");
}

TEST(JsonTextTest, EveryByteAndEveryPairOfBytesComesBack) {
  for (int first = 0; first < 256; ++first) {
    const std::string one(1, static_cast<char>(first));
    ASSERT_EQ(RoundTrip(one), one) << first;
    for (int second = 0; second < 256; ++second) {
      const std::string two = one + static_cast<char>(second);
      ASSERT_EQ(RoundTrip(two), two) << first << " " << second;
    }
  }
}

TEST(JsonTextTest, Utf8IsAPlainString) {
  for (const char* text : {"", "nightly", "Schl\xc3\xbcssel", "two\nlines",
                           "\xf0\x9f\x94\x91", "back\\slash"}) {
    Json body = Json::object();
    AddText(body, "key", text);
    EXPECT_EQ(body["key"], text);
    EXPECT_FALSE(body.contains("key_base64"));
  }
}

TEST(JsonTextTest, OtherBytesAreEscapedForPeopleAndEncodedForPrograms) {
  Json body = Json::object();
  AddText(body, "key", "a\xff");
  EXPECT_EQ(ToLine(body), R"({"key":"a\\xff","key_base64":"Yf8="})");
  // Which nobody confuses with the key that looks like it.
  Json other = Json::object();
  AddText(other, "key", "a\\xff");
  EXPECT_EQ(ToLine(other), R"({"key":"a\\xff"})");
}

TEST(JsonTextTest, OneLineWhateverTheText) {
  Json body = Json::object();
  AddText(body, "key", "a\nb\r\n\xe2\x80\xa8");
  EXPECT_EQ(ToLine(body).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace cachalot::tools
