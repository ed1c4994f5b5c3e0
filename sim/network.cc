#include "sim/network.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cachalot::sim {
namespace {

// What the kernel does not lose on the way to its own machine.
constexpr absl::Duration kLoopbackDelay = absl::Microseconds(20);

// The number of a machine, as it is written in the last two bytes of its
// address.
uint64_t NumberOf(const Address& address) {
  return uint64_t{address.ip[14]} << 8 | address.ip[15];
}

// 1002 for the link from machine 1 to machine 2.
uint64_t LinkNumber(const Address& from, const Address& to) {
  return NumberOf(from) * 1000 + NumberOf(to);
}

}  // namespace

Network::Network(NetworkOptions options, ChoiceSource* choices)
    : options_(options), choices_(choices) {}

size_t Network::HashOfLink::operator()(const Link& link) const {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;  // spreads the numbers
  return static_cast<size_t>(LinkNumber(link.first, link.second) * kGolden);
}

Network::LinkChances& Network::ChancesOf(const Link& link) {
  const auto found = chances_.find(link);
  if (found != chances_.end()) return found->second;
  const uint64_t number = LinkNumber(link.first, link.second);
  return chances_
      .insert({link,
               {.datagrams = Chance(choices_, "datagram", number),
                .frames = Chance(choices_, "frame", number),
                .streams = Chance(choices_, "stream", number)}})
      .first->second;
}

Chance& Network::StreamChance(const Link& link) {
  Chance& chance = ChancesOf(link).streams;
  chance.BeginItem();
  return chance;
}

// --- Datagrams ---------------------------------------------------------------

void Network::SendDatagram(RealInstant now, const Address& from,
                           const Address& to, std::string bytes) {
  ++counters_.datagrams_sent;
  const Link link(from, to);
  if (from == to) {
    agenda_.Add(now + kLoopbackDelay, DatagramDue{link, std::move(bytes)});
    return;
  }
  Chance& chance = ChancesOf(link).datagrams;
  chance.BeginItem();
  const absl::Duration delay = chance.Draw(options_.delay);
  if (chance.Happens(options_.loss)) {
    ++counters_.datagrams_lost;
    return;
  }
  if (chance.Happens(options_.duplication)) {
    ++counters_.datagrams_duplicated;
    agenda_.Add(now + chance.Draw(options_.delay), DatagramDue{link, bytes});
  }
  agenda_.Add(now + delay, DatagramDue{link, std::move(bytes)});
}

std::optional<Network::Arrival> Network::Happen(RealInstant, DatagramDue due) {
  const auto& [from, to] = due.link;
  if (IsCut(from, to)) {
    ++counters_.datagrams_cut;
    return std::nullopt;
  }
  if (!listening_.contains(to)) {
    ++counters_.datagrams_unheard;
    return std::nullopt;
  }
  ++counters_.datagrams_delivered;
  return Arrival{to, DatagramReceived{from, std::move(due.bytes)}};
}

// --- Streams -----------------------------------------------------------------

void Network::SendFrame(RealInstant now, const Address& from, const Address& to,
                        std::string bytes) {
  ++counters_.frames_sent;
  const StreamId id = StreamFor(now, {from, to});
  Stream& stream = streams_.at(id);
  if (stream.state == StreamState::kBroken) {
    ++counters_.frames_lost;
    return;
  }
  Chance& chance = ChancesOf(stream.link).frames;
  chance.BeginItem();
  RealInstant at =
      now + (from == to ? kLoopbackDelay : chance.Draw(options_.delay));
  if (!stream.frames.empty()) at = std::max(at, stream.frames.back().at);
  stream.frames.push_back({at, std::move(bytes)});
  if (IsCutEitherWay(stream.link)) Doubt(now, id, stream);
  if (from != to && chance.Happens(options_.reset)) {
    ++counters_.streams_reset;
    Break(now, id, stream);
    return;
  }
  PlanHead(now, id, stream);
}

// Opens one if there is none.
Network::StreamId Network::StreamFor(RealInstant now, const Link& link) {
  const auto found = current_.find(link);
  if (found != current_.end()) return found->second;
  const StreamId id = next_stream_++;
  streams_[id].link = link;
  current_[link] = id;
  Chance& chance = StreamChance(link);
  // SYN and SYN-ACK.
  const absl::Duration round_trip =
      chance.Draw(options_.delay) + chance.Draw(options_.delay);
  agenda_.Add(now + round_trip, ConnectDue{id});
  return id;
}

std::optional<Network::Arrival> Network::Happen(RealInstant now,
                                                ConnectDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  if (stream.state != StreamState::kConnecting) return std::nullopt;
  if (IsCutEitherWay(stream.link)) {
    Doubt(now, due.stream, stream);
    stream.is_stalled = true;
    return std::nullopt;
  }
  if (!listening_.contains(stream.link.second)) {
    Break(now, due.stream, stream);
    return std::nullopt;
  }
  ++counters_.streams_opened;
  stream.state = StreamState::kOpen;
  PlanHead(now, due.stream, stream);
  if (stream.is_orphan) return std::nullopt;
  return Arrival{stream.link.first, LinkChanged{stream.link.second, true}};
}

// At most one frame of a stream is on the agenda: its first.
void Network::PlanHead(RealInstant now, StreamId id, Stream& stream) {
  if (stream.state != StreamState::kOpen) return;
  if (stream.head_is_planned || stream.is_stalled) return;
  if (stream.frames.empty()) return;
  stream.head_is_planned = true;
  agenda_.Add(std::max(now, stream.frames.front().at), FrameDue{id});
}

std::optional<Network::Arrival> Network::Happen(RealInstant now, FrameDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  stream.head_is_planned = false;
  if (stream.state != StreamState::kOpen) return std::nullopt;
  if (stream.frames.empty()) return std::nullopt;
  const auto [from, to] = stream.link;
  if (IsCut(from, to)) {
    ++counters_.streams_stalled;
    stream.is_stalled = true;
    Doubt(now, due.stream, stream);
    return std::nullopt;
  }
  if (stream.is_headless) {
    Break(now, due.stream, stream);
    return std::nullopt;
  }
  ++counters_.frames_delivered;
  Arrival arrival{to,
                  FrameReceived{from, std::move(stream.frames.front().bytes)}};
  stream.frames.pop_front();
  PlanHead(now, due.stream, stream);
  if (stream.is_orphan && stream.frames.empty()) Forget(due.stream);
  return arrival;
}

// The sender hears nothing back: it will give up unless the link is mended.
void Network::Doubt(RealInstant now, StreamId id, Stream& stream) {
  if (stream.is_doubted) return;
  stream.is_doubted = true;
  Chance& chance = StreamChance(stream.link);
  agenda_.Add(now + chance.Between(options_.give_up_min, options_.give_up_max),
              GiveUpDue{id});
}

std::optional<Network::Arrival> Network::Happen(RealInstant now,
                                                GiveUpDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  Stream& stream = found->second;
  stream.is_doubted = false;
  if (stream.state == StreamState::kBroken) return std::nullopt;
  if (!IsCutEitherWay(stream.link)) return std::nullopt;
  Break(now, due.stream, stream);
  return std::nullopt;
}

void Network::Break(RealInstant now, StreamId id, Stream& stream) {
  if (stream.state == StreamState::kBroken) return;
  ++counters_.streams_broken;
  LoseFrames(stream, 0);
  stream.state = StreamState::kBroken;
  if (stream.is_orphan) {
    Forget(id);
    return;
  }
  agenda_.Add(now + StreamChance(stream.link).Draw(options_.delay),
              BreakDue{id});
}

std::optional<Network::Arrival> Network::Happen(RealInstant, BreakDue due) {
  const auto found = streams_.find(due.stream);
  if (found == streams_.end()) return std::nullopt;
  const Link link = found->second.link;
  Forget(due.stream);
  return Arrival{link.first, LinkChanged{link.second, false}};
}

void Network::LoseFrames(Stream& stream, size_t kept) {
  counters_.frames_lost += stream.frames.size() - kept;
  stream.frames.resize(kept);
}

void Network::Forget(StreamId id) {
  const auto found = streams_.find(id);
  const auto current = current_.find(found->second.link);
  if (current != current_.end() && current->second == id) {
    current_.erase(current);
  }
  streams_.erase(found);
}

void Network::Reset(RealInstant now, const Address& from, const Address& to) {
  const auto found = current_.find({from, to});
  if (found == current_.end()) return;
  ++counters_.streams_reset;
  Break(now, found->second, streams_.at(found->second));
}

// --- Processes ---------------------------------------------------------------

void Network::Open(const Address& address) { listening_.insert(address); }

void Network::Crash(RealInstant now, const Address& address) {
  Close(now, address, /*in_order=*/false);
}

void Network::Exit(RealInstant now, const Address& address) {
  Close(now, address, /*in_order=*/true);
}

void Network::Close(RealInstant now, const Address& address, bool in_order) {
  listening_.erase(address);
  std::vector<StreamId> concerned;
  for (const auto& [id, stream] : streams_) {
    const auto& [from, to] = stream.link;
    if (from == address || to == address) concerned.push_back(id);
  }
  for (const StreamId id : concerned) {
    const auto found = streams_.find(id);
    if (found->second.link.first == address) {
      Orphan(id, found->second, in_order);
    } else if (found->second.state == StreamState::kOpen) {
      Behead(now, id, found->second);
    }
  }
}

// The dead process's kernel says so, at once if it can be heard.
void Network::Behead(RealInstant now, StreamId id, Stream& stream) {
  if (IsCutEitherWay(stream.link)) {
    stream.is_headless = true;
  } else {
    Break(now, id, stream);
  }
}

// What the dead process handed to its kernel may still go out.
void Network::Orphan(StreamId id, Stream& stream, bool in_order) {
  if (stream.is_orphan) return;
  stream.is_orphan = true;
  if (!in_order) {
    // The dullest is that all of it does.
    const uint64_t lost =
        StreamChance(stream.link).Below(stream.frames.size() + 1);
    LoseFrames(stream, stream.frames.size() - static_cast<size_t>(lost));
  }
  current_.erase(stream.link);
  if (stream.frames.empty() || stream.state == StreamState::kBroken) Forget(id);
}

// --- Cuts --------------------------------------------------------------------

void Network::Cut(const Address& from, const Address& to) {
  if (from != to) cuts_.insert({from, to});
}

void Network::Mend(RealInstant now, const Address& from, const Address& to) {
  if (cuts_.erase({from, to}) == 0) return;
  for (auto& [id, stream] : streams_) {
    if (!stream.is_stalled || IsCutEitherWay(stream.link)) continue;
    stream.is_stalled = false;
    const RealInstant at = Resume(now, stream);
    if (stream.state == StreamState::kConnecting) {
      agenda_.Add(at, ConnectDue{id});
    } else {
      PlanHead(now, id, stream);
    }
  }
}

// Nothing on the stream arrives before it has been sent again.
RealInstant Network::Resume(RealInstant now, Stream& stream) {
  const RealInstant at =
      now + StreamChance(stream.link)
                .Between(absl::ZeroDuration(), options_.resend_max);
  for (Frame& frame : stream.frames) frame.at = std::max(frame.at, at);
  return at;
}

void Network::MendAll(RealInstant now) {
  const std::vector<Link> cuts(cuts_.begin(), cuts_.end());
  for (const auto& [from, to] : cuts) Mend(now, from, to);
}

bool Network::IsCut(const Address& from, const Address& to) const {
  return !cuts_.empty() && cuts_.contains({from, to});
}

bool Network::IsCutEitherWay(const Link& link) const {
  return IsCut(link.first, link.second) || IsCut(link.second, link.first);
}

std::optional<Network::Arrival> Network::HappenNext(RealInstant now) {
  return std::visit([&](auto&& due) { return Happen(now, std::move(due)); },
                    agenda_.TakeNext());
}

}  // namespace cachalot::sim
