#include "sim/clients/history.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace cachalot::sim {
namespace {

using nlohmann::json;

constexpr std::array kKinds = {
    OperationKind::kTry,     OperationKind::kLock,   OperationKind::kRenew,
    OperationKind::kRelease, OperationKind::kList,   OperationKind::kWithdraw,
    OperationKind::kLost,    OperationKind::kRevoke,
};
constexpr std::array kOutcomes = {
    Outcome::kOk,      Outcome::kHeld,        Outcome::kTimedOut,
    Outcome::kNotHeld, Outcome::kWithdrawn,   Outcome::kInvalid,
    Outcome::kBusy,    Outcome::kUnavailable, Outcome::kLeaving,
    Outcome::kUnknown,
};
constexpr std::array kLosses = {
    LossReason::kNone,      LossReason::kReleased,  LossReason::kExpired,
    LossReason::kRevoked,   LossReason::kWithdrawn, LossReason::kLeft,
    LossReason::kDissolved, LossReason::kClosed,
};
constexpr const char* kFields[] = {"client",    "op",     "key",  "call_ns",
                                   "return_ns", "result", "token"};

const char* LossName(LossReason loss) {
  return loss == LossReason::kNone ? "unknown" : LossReasonName(loss);
}

const char* ResultName(const Operation& operation) {
  return operation.kind == OperationKind::kLost
             ? LossName(operation.loss)
             : OutcomeName(operation.outcome);
}

nlohmann::ordered_json ToJson(RealInstant at) {
  if (at == RealInstant::Never()) return nullptr;
  return at.nanoseconds();
}

std::string ToJsonLine(const Operation& operation) {
  const nlohmann::ordered_json line = {
      {"client", operation.client},
      {"op", OperationName(operation.kind)},
      {"key", operation.key},
      {"call_ns", ToJson(operation.called)},
      {"return_ns", ToJson(operation.returned)},
      {"result", ResultName(operation)},
      {"token", operation.token.IsNone() ? "" : operation.token.ToString()},
  };
  return line.dump();
}

// The value in `all` whose name is `name`.
template <typename Values, typename NameOf>
std::optional<typename Values::value_type> FindNamed(const Values& all,
                                                     const std::string& name,
                                                     NameOf name_of) {
  const auto found = std::find_if(all.begin(), all.end(), [&](auto value) {
    return name == name_of(value);
  });
  if (found == all.end()) return std::nullopt;
  return *found;
}

// Parses one line. Keeps the first error.
class LineReader {
 public:
  Operation Read(absl::string_view line);
  const std::string& error() const { return error_; }

 private:
  void Fail(absl::string_view what) {
    if (error_.empty()) error_ = std::string(what);
  }
  void Parse(absl::string_view line);
  std::string Text(const char* field);
  RealInstant Instant(const char* field);
  FencingToken Token(const std::string& text);
  void ReadResult(Operation& operation);
  void CheckTogether(const Operation& operation);

  json fields_;
  std::string error_;
};

Operation LineReader::Read(absl::string_view line) {
  Operation operation;
  Parse(line);
  if (!error_.empty()) return operation;
  operation.client = Text("client");
  operation.key = Text("key");
  operation.called = Instant("call_ns");
  operation.returned = Instant("return_ns");
  operation.token = Token(Text("token"));
  const auto kind = FindNamed(kKinds, Text("op"), OperationName);
  if (!kind.has_value()) Fail("op: unknown");
  operation.kind = kind.value_or(OperationKind::kTry);
  ReadResult(operation);
  CheckTogether(operation);
  return operation;
}

void LineReader::Parse(absl::string_view line) {
  // nlohmann silently keeps the last of two fields with the same name.
  size_t names = 0;
  const auto count = [&names](int, json::parse_event_t event, json&) {
    if (event == json::parse_event_t::key) ++names;
    return true;
  };
  fields_ = json::parse(line.begin(), line.end(), count,
                        /*allow_exceptions=*/false);
  if (fields_.is_discarded()) return Fail("not JSON");
  if (!fields_.is_object()) return Fail("not an object");
  for (const char* field : kFields) {
    if (!fields_.contains(field)) return Fail(absl::StrCat("no ", field));
  }
  if (fields_.size() != std::size(kFields)) return Fail("unknown fields");
  if (names != std::size(kFields)) Fail("a field is given twice");
}

std::string LineReader::Text(const char* field) {
  const json& value = fields_[field];
  if (value.is_string()) return value.get<std::string>();
  Fail(absl::StrCat(field, ": not a string"));
  return "";
}

RealInstant LineReader::Instant(const char* field) {
  // A larger number would wrap, or be read as Never().
  constexpr uint64_t kEnd =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const json& value = fields_[field];
  if (value.is_null()) return RealInstant::Never();
  if (value.is_number_unsigned() && value.get<uint64_t>() < kEnd) {
    return RealInstant::FromNanoseconds(
        static_cast<int64_t>(value.get<uint64_t>()));
  }
  Fail(absl::StrCat(field, ": not a whole number from 0 to 2^63 - 2"));
  return RealInstant();
}

FencingToken LineReader::Token(const std::string& text) {
  if (text.empty()) return FencingToken();
  const std::optional<FencingToken> token = FencingToken::Parse(text);
  // Parse() accepts other spellings too, but we write one only.
  if (token.has_value() && !token->IsNone() && token->ToString() == text) {
    return *token;
  }
  Fail("token: not a number from 1 to 2^63 - 1");
  return FencingToken();
}

void LineReader::ReadResult(Operation& operation) {
  const std::string name = Text("result");
  if (operation.kind == OperationKind::kLost) {
    const auto loss = FindNamed(kLosses, name, LossName);
    if (!loss.has_value()) return Fail("result: not a loss reason");
    operation.loss = *loss;
    return;
  }
  const auto outcome = FindNamed(kOutcomes, name, OutcomeName);
  if (!outcome.has_value()) return Fail("result: unknown");
  operation.outcome = *outcome;
}

void LineReader::CheckTogether(const Operation& operation) {
  if (operation.called == RealInstant::Never() &&
      operation.kind != OperationKind::kLost) {
    Fail("call_ns is null, and nothing was lost");
  }
  if (operation.returned < operation.called) {
    Fail("it returned before it was called");
  }
  const bool is_answered = operation.returned != RealInstant::Never();
  if (!is_answered && std::string(ResultName(operation)) != "unknown") {
    Fail("a result, but return_ns is null");
  }
  if (operation.NeedsToken() && operation.token.IsNone()) {
    Fail("token: none is given");
  }
}

}  // namespace

const char* OperationName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kTry:
      return "try";
    case OperationKind::kLock:
      return "lock";
    case OperationKind::kRenew:
      return "renew";
    case OperationKind::kRelease:
      return "release";
    case OperationKind::kList:
      return "list";
    case OperationKind::kWithdraw:
      return "withdraw";
    case OperationKind::kRevoke:
      return "revoke";
    case OperationKind::kLost:
      return "lost";
  }
  return "?";
}

bool Operation::NeedsToken() const {
  switch (kind) {
    case OperationKind::kTry:
    case OperationKind::kLock:
      return outcome == Outcome::kOk || outcome == Outcome::kHeld;
    case OperationKind::kRenew:
    case OperationKind::kRelease:
    case OperationKind::kLost:
      return true;
    case OperationKind::kRevoke:
      return outcome == Outcome::kOk;
    case OperationKind::kList:
    case OperationKind::kWithdraw:
      return false;
  }
  return false;
}

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  out << operation.client << "'s " << OperationName(operation.kind) << " of "
      << operation.key << " [" << operation.called << ", " << operation.returned
      << "] -> " << ResultName(operation);
  if (!operation.token.IsNone()) out << " " << operation.token;
  return out;
}

std::string CountResults(const History& history) {
  std::map<std::string, size_t> counts;
  for (const Operation& operation : history) {
    const bool is_loss = operation.kind == OperationKind::kLost;
    ++counts[absl::StrCat(is_loss ? "lost " : "", ResultName(operation))];
  }
  return absl::StrJoin(counts, ", ", absl::PairFormatter(" "));
}

std::string ToJsonLines(const History& history) {
  std::string lines;
  for (const Operation& operation : history) {
    absl::StrAppend(&lines, ToJsonLine(operation), "\n");
  }
  return lines;
}

absl::StatusOr<History> ReadHistory(absl::string_view text) {
  History history;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    LineReader reader;
    Operation operation = reader.Read(line);
    if (!reader.error().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": ", reader.error()));
    }
    history.push_back(std::move(operation));
  }
  return history;
}

}  // namespace cachalot::sim
