#include "sim/clients/resource.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace cachalot::sim {
namespace {

// While a process is paused, its visits check this often whether it runs again.
constexpr absl::Duration Nap() { return absl::Milliseconds(10); }

}  // namespace

std::optional<uint64_t> Resource::Read(const FencingToken& token) {
  if (!Admit(token)) return std::nullopt;
  return value_;
}

bool Resource::Write(const FencingToken& token, uint64_t value) {
  if (!Admit(token)) return false;
  value_ = value;
  return true;
}

bool Resource::Admit(const FencingToken& token) {
  if (token < highest_) return false;
  highest_ = token;
  return true;
}

Complaint ResourceChecker::ObserveRead(absl::string_view client,
                                       const FencingToken& token) {
  return NoteAccess(client, token);
}

Complaint ResourceChecker::ObserveWrite(absl::string_view client,
                                        const FencingToken& token,
                                        uint64_t value) {
  Complaint complaint = NoteAccess(client, token);
  if (complaint.has_value()) return complaint;
  ++writes_;
  std::string writer = absl::StrCat(client, " under ", token.ToString());
  if (value != writes_) {
    return absl::StrCat("an update was lost: ", writer, " wrote ", value,
                        " in the place of ", writes_ - 1, ", which ",
                        last_writer_, " had written");
  }
  last_writer_ = std::move(writer);
  return std::nullopt;
}

Complaint ResourceChecker::CheckTotal(uint64_t value) const {
  if (value == writes_) return std::nullopt;
  return absl::StrCat("the resource was written ", writes_,
                      " times, each adding one, but stands at ", value);
}

Complaint ResourceChecker::NoteAccess(absl::string_view client,
                                      const FencingToken& token) {
  if (token < highest_) {
    return absl::StrCat(client, " was let in under ", token.ToString(),
                        " after ", holders_[highest_], " under ",
                        highest_.ToString());
  }
  highest_ = token;
  const auto [holder, is_first] = holders_.emplace(token, client);
  if (is_first || holder->second == client) return std::nullopt;
  return absl::StrCat("two holders have the token ", token.ToString(), ": ",
                      holder->second, " and ", client);
}

Chance& Resources::ChanceOf(uint64_t stream) {
  return chances_.try_emplace(stream, choices_, "visit", stream).first->second;
}

void Resources::Use(RealInstant now, const Holder& holder) {
  Chance& chance = ChanceOf(holder.stream);
  chance.BeginItem();
  if (!chance.Happens(options_.uses)) return;
  Visit visit{.holder = holder};
  const absl::Duration travel = chance.Draw(options_.travel);
  visit.back = chance.Draw(options_.travel);
  visit.think = chance.Draw(options_.think);
  visit.there = chance.Draw(options_.travel);
  if (chance.Happens(options_.loss)) {
    visit.lost = chance.Pick(
        std::vector<Stage>{Stage::kReading, Stage::kAnswered, Stage::kWriting});
  }
  const auto [open, is_new] =
      visiting_.try_emplace(holder.client, holder.token);
  if (!is_new && open->second == holder.token) return;
  open->second = holder.token;
  Advance(now + travel, Stage::kReading, std::move(visit));
}

void Resources::Advance(RealInstant at, Stage stage, Visit visit) {
  visit.stage = stage;
  if (visit.lost == stage) {
    ++counters_.lost;
    return;
  }
  agenda_.Add(at, std::move(visit));
}

std::optional<Holder> Resources::RunNext(World& world) {
  Visit visit = agenda_.TakeNext();
  switch (visit.stage) {
    case Stage::kReading:
      return ArriveToRead(world, std::move(visit));
    case Stage::kAnswered:
    case Stage::kThinking:
      ContinueInProcess(world, std::move(visit));
      return std::nullopt;
    case Stage::kWriting:
      return ArriveToWrite(world, visit);
  }
  return std::nullopt;
}

std::optional<Holder> Resources::ArriveToRead(World& world, Visit visit) {
  Place& place = places_[visit.holder.lock];
  const std::optional<uint64_t> value = place.resource.Read(visit.holder.token);
  TraceAccess(world, visit, "read", value.has_value());
  if (!value.has_value()) {
    ++counters_.reads_refused;
    return visit.holder;
  }
  ++counters_.reads;
  Note(visit.holder.lock,
       place.checker.ObserveRead(visit.holder.client, visit.holder.token));
  visit.value = *value;
  const RealInstant back_at = world.now() + visit.back;
  Advance(back_at, Stage::kAnswered, std::move(visit));
  return std::nullopt;
}

// The part of a visit that happens in the holder's process, if it still runs.
void Resources::ContinueInProcess(const World& world, Visit visit) {
  const Holder& holder = visit.holder;
  if (world.node(holder.host) == nullptr) return;
  if (process(holder.host) != holder.process) return;
  const RealInstant now = world.now();
  if (world.IsPaused(holder.host)) {
    agenda_.Add(now + Nap(), std::move(visit));
  } else if (visit.stage == Stage::kAnswered) {
    const RealInstant done_at = now + visit.think;
    visit.stage = Stage::kThinking;
    agenda_.Add(done_at, std::move(visit));
  } else {
    const RealInstant there_at = now + visit.there;
    Advance(there_at, Stage::kWriting, std::move(visit));
  }
}

std::optional<Holder> Resources::ArriveToWrite(World& world,
                                               const Visit& visit) {
  const Holder& holder = visit.holder;
  Place& place = places_[holder.lock];
  const uint64_t value = visit.value + 1;
  const bool is_accepted = place.resource.Write(holder.token, value);
  TraceAccess(world, visit, "write", is_accepted);
  const auto open = visiting_.find(holder.client);
  if (open != visiting_.end() && open->second == holder.token) {
    visiting_.erase(open);
  }
  if (!is_accepted) {
    ++counters_.writes_refused;
    return holder;
  }
  ++counters_.writes;
  Note(holder.lock,
       place.checker.ObserveWrite(holder.client, holder.token, value));
  return std::nullopt;
}

void Resources::TraceAccess(World& world, const Visit& visit,
                            absl::string_view what, bool accepted) {
  if (!world.trace().is_on()) return;
  world.trace().Line(
      world.now(), visit.holder.lock,
      absl::StrCat(what, " by ", visit.holder.client, " under ",
                   visit.holder.token.ToString(),
                   accepted ? "" : ": refused, the token is old"));
}

void Resources::Note(const std::string& lock, const Complaint& complaint) {
  if (!complaint.has_value() || damage_.has_value()) return;
  damage_ = absl::StrCat("what ", lock, " protects: ", *complaint);
}

Complaint Resources::CheckTotals() const {
  for (const auto& [lock, place] : places_) {
    Complaint complaint = place.checker.CheckTotal(place.resource.value());
    if (complaint.has_value()) {
      return absl::StrCat("what ", lock, " protects: ", *complaint);
    }
  }
  return std::nullopt;
}

}  // namespace cachalot::sim
