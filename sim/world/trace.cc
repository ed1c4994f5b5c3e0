#include "sim/world/trace.h"

#include <array>
#include <cstring>
#include <string>
#include <variant>

#include "absl/numeric/int128.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "engine/ids.h"
#include "engine/member.h"
#include "engine/overloaded.h"
#include "engine/request.h"
#include "engine/saved_state.h"

namespace cachalot::sim {
namespace {

uint64_t Mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25u;
  return hash ^ (hash >> 32);
}

// Mixes two words in one round: their product, folded (as in wyhash).
uint64_t Mix(uint64_t hash, uint64_t first, uint64_t second) {
  const absl::uint128 product =
      absl::uint128(first ^ 0x9fb21c651e98df25u) * (second ^ hash);
  return absl::Uint128High64(product) ^ absl::Uint128Low64(product);
}

// The word that begins at `bytes`.
uint64_t WordAt(const char* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

void Add(TraceHash& hash, absl::Duration duration) {
  hash.Add(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
}

void Add(TraceHash& hash, const FencingToken& token) {
  hash.Add(token.number());
}

void Add(TraceHash& hash, const Address& address) {
  hash.Add(absl::string_view(reinterpret_cast<const char*>(address.ip.data()),
                             address.ip.size()));
  hash.Add(address.port);
}

void Add(TraceHash& hash, const AcquireRequest& request) {
  hash.Add(request.key);
  Add(hash, request.ttl);
  Add(hash, request.wait);
}

void Add(TraceHash& hash, const RenewRequest& request) {
  hash.Add(request.key);
  Add(hash, request.token);
  Add(hash, request.ttl);
}

void Add(TraceHash& hash, const ReleaseRequest& request) {
  hash.Add(request.key);
  Add(hash, request.token);
}

void Add(TraceHash& hash, const ListLocksRequest& request) {
  hash.Add(request.prefix);
  hash.Add(request.after);
}

void Add(TraceHash&, const ListMembersRequest&) {}

void Add(TraceHash& hash, const RevokeRequest& request) {
  hash.Add(request.key);
  Add(hash, request.token);
  hash.Add(request.reason);
}

void Add(TraceHash& hash, const ListWaitersRequest& request) {
  hash.Add(request.key);
  hash.Add(uint64_t{request.skip});
}

void Add(TraceHash& hash, const NodeId& id) {
  hash.Add(id.high);
  hash.Add(id.low);
}

void Add(TraceHash& hash, const StateChange& change) {
  if (change.identity.has_value()) Add(hash, change.identity->node);
  if (change.snapshot.has_value()) {
    hash.Add(change.snapshot->index.value());
    hash.Add(change.snapshot->table.view());
  }
  hash.Add(change.first.value());
  for (const Entry& entry : change.entries) {
    hash.Add(entry.term.value());
    hash.Add(entry.time.nanoseconds());
    hash.Add(entry.payload.view());
  }
  if (change.term.has_value()) hash.Add(change.term->value());
  Add(hash, change.vote);
}

void Add(TraceHash& hash, const Answer& answer) {
  hash.Add(static_cast<uint64_t>(answer.outcome));
  Add(hash, answer.token);
  for (const LockInfo& lock : answer.locks) {
    hash.Add(lock.key);
    Add(hash, lock.token);
    Add(hash, lock.lease_remaining);
    Add(hash, lock.session_remaining);
  }
  for (const WaiterInfo& waiter : answer.waiters) {
    hash.Add(waiter.session.number);
    hash.Add(waiter.owner);
  }
  for (const MemberInfo& member : answer.members) {
    Add(hash, member.id);
    hash.Add(static_cast<uint64_t>(member.role));
  }
}

}  // namespace

void TraceHash::Add(uint64_t number) { value_ = Mix(value_, number); }

void TraceHash::Add(absl::string_view bytes) {
  Add(bytes.size());
  constexpr size_t kWord = sizeof(uint64_t);
  uint64_t hash = value_;
  for (; bytes.size() >= 2 * kWord; bytes.remove_prefix(2 * kWord)) {
    hash = Mix(hash, WordAt(bytes.data()), WordAt(bytes.data() + kWord));
  }
  if (!bytes.empty()) {
    std::array<char, 2 * kWord> rest = {};
    std::memcpy(rest.data(), bytes.data(), bytes.size());
    hash = Mix(hash, WordAt(rest.data()), WordAt(rest.data() + kWord));
  }
  value_ = hash;
}

void TraceHash::Add(const Event& event) {
  Add(event.index());
  std::visit(
      Overloaded{
          [](const TimeAdvanced&) {},
          [](const TurnEnded&) {},
          [this](const DatagramReceived& received) { Add(received.bytes); },
          [this](const FrameReceived& received) { Add(received.bytes); },
          [this](const LinkChanged& change) {
            sim::Add(*this, change.peer);
            Add(static_cast<uint64_t>(change.up));
          },
          [this](const SeedsResolved& resolved) {
            for (const Address& seed : resolved.seeds) sim::Add(*this, seed);
          },
          [this](const StateSaved& saved) { Add(saved.save.value()); },
          [this](const RequestSubmitted& submitted) {
            Add(submitted.request.value());
            Add(submitted.body.index());
            std::visit([this](const auto& body) { sim::Add(*this, body); },
                       submitted.body);
          },
          [this](const RequestWithdrawn& withdrawn) {
            Add(withdrawn.request.value());
          },
          [](const LeaveRequested&) {},
      },
      event);
}

void TraceHash::Add(const Actions& actions) {
  for (const Action& action : actions) {
    // Depends only on the answers to keep-alives, which are in the hash.
    if (std::holds_alternative<AnnounceSession>(action)) continue;
    Add(action.index());
    std::visit(Overloaded{
                   [this](const SendDatagram& send) {
                     sim::Add(*this, send.to);
                     Add(send.bytes);
                   },
                   [this](const SendFrame& send) {
                     sim::Add(*this, send.to);
                     Add(send.bytes);
                   },
                   [this](const AnswerFrame& send) {
                     sim::Add(*this, send.to);
                     Add(send.bytes);
                   },
                   [this](const SaveState& order) {
                     Add(order.save.value());
                     sim::Add(*this, order.change);
                   },
                   [this](const AnswerRequest& answer) {
                     Add(answer.request.value());
                     sim::Add(*this, answer.answer);
                   },
                   [this](const NotifyHolder& notice) {
                     Add(notice.request.value());
                     Add(static_cast<uint64_t>(notice.belief));
                     Add(static_cast<uint64_t>(notice.reason));
                   },
                   [this](const AnnounceStanding& standing) {
                     Add((standing.joined ? 4u : 0u) +
                         (standing.has_leader ? 2u : 0u) +
                         (standing.has_session ? 1u : 0u));
                   },
                   [](const LeaveCompleted&) {},
                   [](const AnnounceSession&) {},
               },
               action);
  }
}

std::string TimeText(RealInstant at) {
  const int64_t milliseconds = at.nanoseconds() / 1000000;
  if (milliseconds < 10000) return absl::StrFormat("%5dms", milliseconds);
  return absl::StrFormat("%2d.%03ds", milliseconds / 1000, milliseconds % 1000);
}

void Trace::Line(RealInstant at, absl::string_view who,
                 absl::string_view what) {
  if (!is_on()) return;
  *out_ << "[" << TimeText(at) << "] " << who << " " << what << "\n";
}

void Trace::Decision(absl::string_view what) {
  if (!is_on()) return;
  *out_ << "          | " << what << "\n";
}

}  // namespace cachalot::sim
