#include "io/service_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "io/escape.h"

namespace cachalot {
namespace {

std::string KeyInWords(absl::string_view key, absl::string_view owner) {
  if (owner.empty()) return Escape(key);
  return absl::StrCat(Escape(key), " (owner ", Escape(owner), ")");
}

int64_t Milliseconds(absl::Duration duration) {
  return absl::ToInt64Milliseconds(duration);
}

// Whether this process ended the grant by itself.
bool IsGivenUp(LossReason reason) {
  return reason == LossReason::kReleased || reason == LossReason::kWithdrawn ||
         reason == LossReason::kLeft;
}

void AddReason(LogText& text, LossReason reason, absl::string_view words) {
  absl::StrAppend(&text.message, ": ", LossReasonName(reason));
  if (!words.empty()) absl::StrAppend(&text.message, " (", Escape(words), ")");
  text.fields.push_back({"reason", std::string(LossReasonName(reason))});
}

}  // namespace

void LogStarted(Logger* log, const AgentStatus& status,
                absl::string_view local_socket) {
  LogTo(log, LogEvent::kStarted, [&] {
    std::string message = absl::StrCat(Escape(status.name), " listens on ",
                                       status.address.ToString());
    if (!local_socket.empty()) {
      absl::StrAppend(&message, " and ", Escape(local_socket));
    }
    return LogText{std::move(message),
                   {{"name", status.name},
                    {"id", status.id.ToString()},
                    {"address", status.address.ToString()},
                    {"local_socket", std::string(local_socket)}}};
  });
}

void LogStanding(Logger* log, const Standing& standing) {
  LogTo(log, LogEvent::kStanding, [&] {
    return LogText{std::string(StandingInWords(standing)),
                   {{"joined", standing.joined},
                    {"has_leader", standing.has_leader},
                    {"has_session", standing.has_session}}};
  });
}

void LogLeaving(Logger* log) {
  LogTo(log, LogEvent::kLeaving, [] { return LogText{"leaving", {}}; });
}

void LogLeft(Logger* log) {
  LogTo(log, LogEvent::kLeft, [] { return LogText{"left", {}}; });
}

void LogWaiting(Logger* log, const AcquireRequest& request) {
  if (request.wait <= absl::ZeroDuration()) return;
  LogTo(log, LogEvent::kLockWaiting, [&] {
    return LogText{
        absl::StrCat("asks for ", KeyInWords(request.key, request.owner),
                     ", waits for at most ",
                     absl::FormatDuration(request.wait)),
        {{"key", request.key},
         {"owner", request.owner},
         {"wait_ms", Milliseconds(request.wait)}}};
  });
}

void LogAcquired(Logger* log, absl::string_view key, absl::string_view owner,
                 const Answer& answer) {
  if (answer.outcome == Outcome::kOk) {
    LogTo(log, LogEvent::kLockGranted, [&] {
      return LogText{absl::StrCat("granted ", KeyInWords(key, owner),
                                  ", token ", answer.token.ToString()),
                     {{"key", std::string(key)},
                      {"owner", std::string(owner)},
                      {"token", answer.token.ToString()}}};
    });
    return;
  }
  LogTo(log, LogEvent::kLockRefused, [&] {
    const std::string holder =
        answer.holder.has_value() ? answer.holder->holder_name : "";
    std::string message = absl::StrCat("not granted ", KeyInWords(key, owner),
                                       ": ", OutcomeName(answer.outcome));
    if (!holder.empty()) {
      absl::StrAppend(&message, ", held by ", Escape(holder));
    }
    if (!answer.text.empty()) {
      absl::StrAppend(&message, ", ", Escape(answer.text));
    }
    return LogText{std::move(message),
                   {{"key", std::string(key)},
                    {"owner", std::string(owner)},
                    {"outcome", std::string(OutcomeName(answer.outcome))},
                    {"holder", holder}}};
  });
}

void LogRenewed(Logger* log, absl::string_view key, FencingToken token,
                absl::Duration ttl, const Answer& answer) {
  LogTo(log, LogEvent::kLockRenewed, [&] {
    const bool is_done = answer.outcome == Outcome::kOk;
    std::string message =
        absl::StrCat(is_done ? "renewed " : "not renewed ", Escape(key),
                     " for ", absl::FormatDuration(ttl));
    if (!is_done) {
      absl::StrAppend(&message, ": ", OutcomeName(answer.outcome));
    }
    return LogText{std::move(message),
                   {{"key", std::string(key)},
                    {"token", token.ToString()},
                    {"ttl_ms", Milliseconds(ttl)},
                    {"outcome", std::string(OutcomeName(answer.outcome))}}};
  });
}

void LogBelief(Logger* log, absl::string_view key, absl::string_view owner,
               FencingToken token, Belief belief, LossReason reason,
               absl::string_view words) {
  const auto text = [&](absl::string_view doing) {
    LogText made{absl::StrCat(doing, KeyInWords(key, owner), ", token ",
                              token.ToString()),
                 {{"key", std::string(key)},
                  {"owner", std::string(owner)},
                  {"token", token.ToString()}}};
    return made;
  };
  switch (belief) {
    case Belief::kHeld:
      LogTo(log, LogEvent::kLockCertain,
            [&] { return text("is certain again of "); });
      return;
    case Belief::kSuspect:
      LogTo(log, LogEvent::kLockSuspect, [&] {
        if (reason == LossReason::kNone) {
          LogText made = text("may soon lose ");
          made.fields.push_back(
              {"reason", std::string(LossReasonName(reason))});
          return made;
        }
        LogText made = text("must release ");
        AddReason(made, reason, words);
        return made;
      });
      return;
    case Belief::kLost: {
      const LogEvent event =
          IsGivenUp(reason) ? LogEvent::kLockReleased : LogEvent::kLockLost;
      LogTo(log, event, [&] {
        LogText made =
            text(event == LogEvent::kLockLost ? "lost " : "gave up ");
        AddReason(made, reason, words);
        return made;
      });
      return;
    }
  }
}

}  // namespace cachalot
