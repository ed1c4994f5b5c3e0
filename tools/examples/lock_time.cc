#include "tools/examples/lock_time.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cachalot::tools {

namespace {

// "07" -> 7; nothing unless `text` is one or two digits that name a number
// below `limit`.
std::optional<int> TwoDigits(absl::string_view text, int limit) {
  int number = 0;
  if (text.empty() || text.size() > 2) return std::nullopt;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      return std::nullopt;
    }
  }
  if (!absl::SimpleAtoi(text, &number) || number >= limit) return std::nullopt;
  return number;
}

// "14:30" or "14:30:15", on the day of `now`.
std::optional<absl::Time> TimeOfDay(absl::string_view text, absl::Time now,
                                    absl::TimeZone zone) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  if (parts.size() != 2 && parts.size() != 3) return std::nullopt;
  const std::optional<int> hour = TwoDigits(parts[0], 24);
  const std::optional<int> minute = TwoDigits(parts[1], 60);
  const std::optional<int> second =
      parts.size() == 3 ? TwoDigits(parts[2], 60) : 0;
  if (!hour.has_value() || !minute.has_value() || !second.has_value()) {
    return std::nullopt;
  }
  const absl::CivilDay today = absl::ToCivilDay(now, zone);
  return absl::FromCivil(
      absl::CivilSecond(today.year(), today.month(), today.day(), *hour,
                        *minute, *second),
      zone);
}

// "+1m30s".
std::optional<absl::Duration> After(absl::string_view text) {
  absl::Duration wait;
  if (!absl::ConsumePrefix(&text, "+")) return std::nullopt;
  if (!absl::ParseDuration(text, &wait)) return std::nullopt;
  if (wait == absl::InfiniteDuration()) return std::nullopt;
  return wait;
}

// "2026-11-23T14:30:00+01:00".
std::optional<absl::Time> Rfc3339(absl::string_view text) {
  absl::Time time;
  // ParseTime also reads "infinite-future" and forgives spaces.
  if (text.empty() ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text[0]))) {
    return std::nullopt;
  }
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) {
    return std::nullopt;
  }
  return time;
}

}  // namespace

absl::StatusOr<LockTime> ParseLockTime(absl::string_view text, absl::Time now,
                                       absl::TimeZone zone) {
  const std::optional<absl::Duration> after = After(text);
  std::optional<absl::Time> time;
  if (after.has_value()) time = now + *after;
  if (!time.has_value()) time = TimeOfDay(text, now, zone);
  if (!time.has_value()) time = Rfc3339(text);
  if (!time.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text,
                     "\" is not a time; write 14:30, 14:30:15, "
                     "2026-11-23T14:30:00Z or +30s"));
  }
  if (*time < now) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is in the past: it was ",
        absl::FormatDuration(absl::Trunc(now - *time, absl::Seconds(1))),
        " ago"));
  }
  return LockTime{.time = *time, .after = after};
}

}  // namespace cachalot::tools
