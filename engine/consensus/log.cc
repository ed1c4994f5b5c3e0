#include "engine/consensus/log.h"

#include <algorithm>
#include <utility>

#include "engine/check.h"

namespace cachalot {

Term Log::last_term() const {
  return entries_.empty() ? base_term_ : entries_.back().term;
}

ClusterTime Log::last_time() const {
  return entries_.empty() ? base_time_ : entries_.back().time;
}

const Entry* Log::Find(LogIndex index) const {
  if (index <= base_index_ || index > last_index()) return nullptr;
  return &entries_[Offset(index)];
}

Term Log::TermAt(LogIndex index) const {
  if (index == base_index_) return base_term_;
  const Entry* entry = Find(index);
  CHECK(entry != nullptr) << index << " is not kept";
  return entry->term;
}

ClusterTime Log::TimeAt(LogIndex index) const {
  if (index == base_index_) return base_time_;
  const Entry* entry = Find(index);
  CHECK(entry != nullptr) << index << " is not kept";
  return entry->time;
}

bool Log::Matches(LogIndex index, Term term) const {
  return index >= base_index_ && index <= last_index() && TermAt(index) == term;
}

LogIndex Log::LastNotAbove(LogIndex index, Term term) const {
  LogIndex i = std::min(index, last_index());
  while (i > base_index_ && TermAt(i) > term) i = i.Previous();
  return i;
}

const Configuration& Log::configuration() const {
  return configurations_.rbegin()->second;
}

LogIndex Log::configuration_index() const {
  return configurations_.rbegin()->first;
}

const Configuration& Log::ConfigurationAt(LogIndex index) const {
  auto after = configurations_.upper_bound(index);
  CHECK(after != configurations_.begin()) << index << " is below the base";
  return std::prev(after)->second;
}

bool Log::VotesSince(LogIndex index, NodeId id) const {
  const auto after = configurations_.upper_bound(index);
  CHECK(after != configurations_.begin()) << index << " is below the base";
  return std::any_of(std::prev(after), configurations_.end(),
                     [id](const auto& at) { return at.second.Contains(id); });
}

void Log::Append(Entry entry, const Configuration* configuration) {
  CHECK(entry.term >= last_term());
  CHECK(entry.time >= last_time());
  const bool is_configuration = entry.kind == EntryKind::kConfiguration;
  CHECK(is_configuration == (configuration != nullptr));
  bytes_ += entry.payload.size();
  entries_.push_back(std::move(entry));
  if (configuration != nullptr) configurations_[last_index()] = *configuration;
}

void Log::Truncate(LogIndex from) {
  CHECK(from > base_index_);
  while (last_index() >= from) {
    bytes_ -= entries_.back().payload.size();
    entries_.pop_back();
  }
  configurations_.erase(configurations_.lower_bound(from),
                        configurations_.end());
}

void Log::Compact(LogIndex index) {
  CHECK(index >= base_index_);
  CHECK(index <= last_index());
  if (index == base_index_) return;
  base_term_ = TermAt(index);
  base_time_ = TimeAt(index);
  Configuration in_force = ConfigurationAt(index);
  const auto kept =
      entries_.begin() + static_cast<ptrdiff_t>(Offset(index) + 1);
  for (auto entry = entries_.begin(); entry != kept; ++entry) {
    bytes_ -= entry->payload.size();
  }
  entries_.erase(entries_.begin(), kept);
  base_index_ = index;
  configurations_.erase(configurations_.begin(),
                        configurations_.upper_bound(index));
  configurations_[index] = std::move(in_force);
}

void Log::Reset(const Snapshot& snapshot) {
  base_index_ = snapshot.index;
  base_term_ = snapshot.term;
  base_time_ = snapshot.time;
  entries_.clear();
  bytes_ = 0;
  configurations_.clear();
  configurations_[snapshot.index] = snapshot.configuration;
}

}  // namespace cachalot
