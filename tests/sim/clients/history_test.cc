#include "sim/clients/history.h"

#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/ids.h"
#include "engine/request.h"
#include "gtest/gtest.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

constexpr const char* kGoodLine =
    R"({"client":"n1.1/0","op":"try","key":"k","call_ns":1,"return_ns":2,)"
    R"("result":"ok","token":"1007"})";

RealInstant At(int64_t milliseconds) {
  return RealInstant() + absl::Milliseconds(milliseconds);
}

FencingToken Token(uint64_t index) { return FencingToken(1000 + index); }

Operation Granted() {
  return Operation{.client = "n1.1/0",
                   .kind = OperationKind::kLock,
                   .key = "key-1",
                   .called = At(12),
                   .returned = At(15),
                   .outcome = Outcome::kOk,
                   .token = Token(7)};
}

// `kGoodLine`, with the first `from` in it replaced.
std::string Line(const std::string& from, const std::string& to) {
  std::string line = kGoodLine;
  return line.replace(line.find(from), from.size(), to);
}

TEST(HistoryTest, WritesOneObjectInEachLine) {
  Operation lost = Granted();
  lost.kind = OperationKind::kLost;
  lost.outcome = Outcome::kUnknown;
  lost.returned = RealInstant::Never();
  const std::string lines = ToJsonLines({Granted(), lost});
  EXPECT_EQ(
      lines,
      R"({"client":"n1.1/0","op":"lock","key":"key-1","call_ns":12000000,)"
      R"("return_ns":15000000,"result":"ok","token":"1007"})"
      "\n"
      R"({"client":"n1.1/0","op":"lost","key":"key-1","call_ns":12000000,)"
      R"("return_ns":null,"result":"unknown","token":"1007"})"
      "\n");
}

TEST(HistoryTest, PrintsAnOperation) {
  std::ostringstream out;
  out << Granted();
  EXPECT_EQ(out.str(), "n1.1/0's lock of key-1 [12ms, 15ms] -> ok 1007");
}

TEST(HistoryTest, CountsOperationsByResult) {
  Operation lost = Granted();
  lost.kind = OperationKind::kLost;
  lost.loss = LossReason::kExpired;
  const History history = {Granted(), Operation(), Granted(), lost};
  EXPECT_EQ(CountResults(history), "lost expired 1, ok 2, unknown 1");
  EXPECT_EQ(CountResults({}), "");
}

TEST(HistoryTest, ReadsBackEveryOperation) {
  History history;
  for (const Outcome outcome :
       {Outcome::kOk, Outcome::kHeld, Outcome::kTimedOut, Outcome::kNotHeld,
        Outcome::kWithdrawn, Outcome::kInvalid, Outcome::kBusy,
        Outcome::kUnavailable, Outcome::kLeaving, Outcome::kUnknown}) {
    history.push_back(Granted());
    history.back().outcome = outcome;
  }
  for (const OperationKind kind :
       {OperationKind::kTry, OperationKind::kRenew, OperationKind::kRelease,
        OperationKind::kList, OperationKind::kWithdraw,
        OperationKind::kRevoke}) {
    history.push_back(Granted());
    history.back().kind = kind;
  }
  for (const LossReason loss :
       {LossReason::kNone, LossReason::kReleased, LossReason::kExpired,
        LossReason::kRevoked, LossReason::kWithdrawn, LossReason::kLeft,
        LossReason::kDissolved}) {
    history.push_back(Granted());
    history.back().kind = OperationKind::kLost;
    history.back().outcome = Outcome::kUnknown;
    history.back().loss = loss;
  }
  history.push_back(Operation{.client = "n2.1/0", .key = "key-1"});
  // A client that died and whose clock stood still.
  history.push_back(Granted());
  history.back().kind = OperationKind::kLost;
  history.back().outcome = Outcome::kUnknown;
  history.back().called = history.back().returned = RealInstant::Never();
  const std::string lines = ToJsonLines(history);
  const absl::StatusOr<History> read = ReadHistory(lines);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, history);
}

TEST(HistoryTest, SkipsEmptyLines) {
  const std::string line = kGoodLine;
  EXPECT_EQ(ReadHistory(line + "\n\n" + line + "\n").value().size(), 2);
  EXPECT_EQ(ReadHistory("").value().size(), 0);
}

struct Bad {
  std::string line;
  std::string complaint;
};

class BadLineTest : public testing::TestWithParam<Bad> {};

TEST_P(BadLineTest, IsRefusedWithItsNumber) {
  const std::string text = std::string(kGoodLine) + "\n" + GetParam().line;
  const absl::Status status = ReadHistory(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "line 2: " + GetParam().complaint);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadLineTest,
    testing::Values(
        Bad{"try", "not JSON"}, Bad{"[1]", "not an object"},
        Bad{std::string(5000, '['), "not JSON"}, Bad{"\xff", "not JSON"},
        Bad{R"({"client":"n1"})", "no op"},
        Bad{Line("{", R"({"x":1,)"), "unknown fields"},
        Bad{Line("{", R"({"token":"",)"), "a field is given twice"},
        Bad{Line(R"("n1.1/0")", "1"), "client: not a string"},
        Bad{Line(R"("k")", "null"), "key: not a string"},
        Bad{Line("try", "steal"), "op: unknown"},
        Bad{Line(R"("ok")", R"("fine")"), "result: unknown"},
        Bad{Line("try", "lost"), "result: not a loss reason"},
        Bad{Line(":1,", ":-1,"),
            "call_ns: not a whole number from 0 to 2^63 - 2"},
        Bad{Line(":1,", ":1.5,"),
            "call_ns: not a whole number from 0 to 2^63 - 2"},
        Bad{Line(":1,", ":null,"), "call_ns is null, and nothing was lost"},
        Bad{Line(":2,", ":9223372036854775807,"),
            "return_ns: not a whole number from 0 to 2^63 - 2"},
        Bad{Line(":2,", ":18446744073709551616,"),
            "return_ns: not a whole number from 0 to 2^63 - 2"},
        Bad{Line(":2,", ":0,"), "it returned before it was called"},
        Bad{Line(":2,", ":null,"), "a result, but return_ns is null"},
        Bad{Line("1007", ""), "token: none is given"},
        Bad{Line("1007", "1.7"), "token: not a number from 1 to 2^63 - 1"},
        Bad{Line("1007", "-7"), "token: not a number from 1 to 2^63 - 1"},
        Bad{Line("1007", "01007"), "token: not a number from 1 to 2^63 - 1"},
        Bad{Line("1007", "0"), "token: not a number from 1 to 2^63 - 1"}));

}  // namespace
}  // namespace cachalot::sim
