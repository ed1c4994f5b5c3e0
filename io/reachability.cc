#include "io/reachability.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cachalot {
namespace {

constexpr absl::Duration RefusedMemory() { return absl::Minutes(1); }
// More of them say nothing new.
constexpr size_t kAccusationsMax = 64;

std::string ErrorInWords(int error) {
  char buffer[128] = {};
  return strerror_r(error, buffer, sizeof(buffer));
}

}  // namespace

void Reachability::Note(FastInstant now, const MemberHeard& heard) {
  if (!has_stream_) {
    // An answer on our own stream comes from where we opened it to.
    has_stream_ = heard.on_stream && heard.source.port != heard.address.port;
    if (!heard_since_.has_value()) heard_since_ = now;
    last_heard_ = now;
    last_heard_of_ = heard.id;
  }
  if (peers_.empty()) return;  // most often
  const auto found = peers_.find(heard.address);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  // Failures that lie before a silence were of another process, or of another
  // time. Two members that advertise one address are heard by turns.
  const absl::Duration silent =
      peer.heard.has_value() ? now - *peer.heard : absl::ZeroDuration();
  const bool is_another = peer.member != heard.id && silent > options_.patience;
  if (is_another || silent > options_.heard_max) {
    peer.streams.heard_since.reset();
    peer.datagrams.heard_since.reset();
  }
  peer.heard = now;
  peer.member = heard.id;
  peer.source = heard.source;
  peer.heard_on_stream = heard.on_stream;
  Judge(now, options_.connects_min, &peer.streams);
  Judge(now, options_.probes_min, &peer.datagrams);
}

void Reachability::Judge(FastInstant now, int failures_min,
                         WayToPeer* way) const {
  if (way->failures == 0) return;
  if (!way->heard_since.has_value()) {
    way->heard_since = now;
    way->is_bad = false;
    return;
  }
  way->is_bad = way->failures >= failures_min &&
                way->last_failure - *way->heard_since >= options_.patience;
}

void Reachability::Note(FastInstant now, const ProbeStarted& probe) {
  if (probe_.has_value()) {
    Fail(now, probe_->address, &Peer::datagrams, 0);
  }
  probe_ = probe;
}

void Reachability::Note(FastInstant /*now*/, const ProbeAnswered& answer) {
  if (!probe_.has_value() || probe_->target != answer.target) return;
  Succeed(probe_->address, answer.on_stream ? &Peer::streams : &Peer::datagrams,
          /*is_known=*/true);
  if (!answer.on_stream) probe_.reset();
}

void Reachability::Note(FastInstant now, const SelfAccused& accusation) {
  accusations_.push_back({.at = now, .by = accusation.by});
  if (accusations_.size() > kAccusationsMax) accusations_.pop_front();
}

void Reachability::Note(FastInstant now, const AddressRefused& refused) {
  const Address key = {.ip = refused.source.ip, .port = refused.address.port};
  if (refused_.size() >= options_.refused_max && !refused_.contains(key)) {
    return;
  }
  Refusal& refusal = refused_[key];
  std::string name = refused.name;
  // Not each message says it.
  if (name.empty() && refusal.what.id == refused.id) name = refusal.what.name;
  refusal = {.at = now, .what = refused};
  refusal.what.name = std::move(name);
}

void Reachability::NoteConnected(const Address& peer) {
  // Whoever is there may be somebody else.
  Succeed(peer, &Peer::streams, /*is_known=*/false);
}

void Reachability::NoteConnectFailed(FastInstant now, const Address& peer,
                                     int error) {
  Fail(now, peer, &Peer::streams, error);
}

Reachability::Peer* Reachability::FindOrAdd(const Address& address) {
  const auto found = peers_.find(address);
  if (found != peers_.end()) return &found->second;
  if (peers_.size() >= options_.peers_max && !MakeRoom()) return nullptr;
  return &peers_[address];
}

// Invented members are never heard: they do not push out those that are.
bool Reachability::MakeRoom() {
  const auto silent = std::find_if(
      peers_.begin(), peers_.end(),
      [](const auto& peer) { return !peer.second.heard.has_value(); });
  if (silent == peers_.end()) return false;
  peers_.erase(silent);
  return true;
}

void Reachability::Fail(FastInstant now, const Address& address,
                        WayToPeer Peer::*way, int error) {
  Peer* const peer = FindOrAdd(address);
  if (peer == nullptr) return;
  WayToPeer& failing = peer->*way;
  failing.failures = std::min(failing.failures + 1, 1 << 20);
  failing.last_failure = now;
  failing.error = error;
  failing.is_known = false;
}

void Reachability::Succeed(const Address& address, WayToPeer Peer::*way,
                           bool is_known) {
  const auto found = peers_.find(address);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.*way = WayToPeer{.is_known = is_known || (peer.*way).is_known};
  if (peer.streams.failures == 0 && peer.datagrams.failures == 0) {
    peers_.erase(found);
  }
}

std::vector<Reachability::Unreachable> Reachability::FindUnreachable(
    FastInstant now) const {
  std::vector<Unreachable> found;
  for (const auto& [address, peer] : peers_) {
    if (!peer.streams.is_bad && !peer.datagrams.is_bad) continue;
    if (now - *peer.heard > options_.heard_max) continue;
    found.push_back({.member = peer.member,
                     .address = address,
                     .source = peer.source,
                     .reason = absl::StrCat(DescribeFailures(peer),
                                            DescribeSource(peer, address))});
  }
  return found;
}

std::string Reachability::DescribeFailures(const Peer& peer) {
  const std::string error = ErrorInWords(peer.streams.error);
  if (peer.streams.is_bad && peer.datagrams.is_bad) {
    return absl::StrCat("streams to it cannot be opened (", error,
                        "), and there is no acknowledgement of datagrams");
  }
  if (peer.streams.is_bad) {
    return absl::StrCat("streams to it cannot be opened (", error, ")",
                        peer.datagrams.is_known
                            ? ", though datagrams reach it: is TCP blocked?"
                            : "");
  }
  return absl::StrCat("there is no acknowledgement of datagrams",
                      peer.streams.is_known
                          ? ", though streams reach it: is UDP blocked?"
                          : "");
}

std::string Reachability::DescribeSource(const Peer& peer,
                                         const Address& address) {
  const bool is_elsewhere =
      peer.source.ip != address.ip ||
      (!peer.heard_on_stream && peer.source.port != address.port);
  if (!is_elsewhere) return "";
  return absl::StrCat("; its packets come from ",
                      peer.heard_on_stream ? peer.source.HostToString()
                                           : peer.source.ToString(),
                      ": is it behind NAT, or is its --advertise wrong?");
}

std::vector<AddressRefused> Reachability::FindRefused(FastInstant now) const {
  std::vector<AddressRefused> found;
  for (const auto& [key, refusal] : refused_) {
    if (now - refusal.at <= RefusedMemory()) found.push_back(refusal.what);
  }
  return found;
}

std::optional<Reachability::Unreached> Reachability::FindUnreached(
    FastInstant now) const {
  const auto first = std::find_if(
      accusations_.begin(), accusations_.end(), [&](const Accusation& each) {
        return now - each.at <= options_.accusations_within;
      });
  const auto times = static_cast<size_t>(accusations_.end() - first);
  if (times < options_.accusations_min) return std::nullopt;
  // Many at once are about one silence.
  if (accusations_.back().at - first->at < options_.patience) {
    return std::nullopt;
  }
  return Unreached{.by = accusations_.back().by, .times = times};
}

std::optional<Reachability::Streamless> Reachability::FindStreamless(
    FastInstant now) const {
  if (has_stream_ || !heard_since_.has_value()) return std::nullopt;
  const absl::Duration time = last_heard_ - *heard_since_;
  if (time < options_.streamless_max) return std::nullopt;
  if (now - last_heard_ > options_.patience) return std::nullopt;
  return Streamless{.heard = last_heard_of_, .time = time};
}

void Reachability::Forget(FastInstant now) {
  for (auto it = peers_.begin(); it != peers_.end();) {
    for (WayToPeer* const way : {&it->second.streams, &it->second.datagrams}) {
      if (way->failures == 0) continue;
      if (now - way->last_failure > options_.memory) *way = WayToPeer();
    }
    const Peer& peer = it->second;
    const bool is_over =
        peer.streams.failures == 0 && peer.datagrams.failures == 0;
    it = is_over ? peers_.erase(it) : std::next(it);
  }
  for (auto it = refused_.begin(); it != refused_.end();) {
    it = now - it->second.at > RefusedMemory() ? refused_.erase(it)
                                               : std::next(it);
  }
  while (!accusations_.empty() &&
         now - accusations_.front().at > options_.accusations_within) {
    accusations_.pop_front();
  }
}

}  // namespace cachalot
