#include "engine/wire/membership_codec.h"

#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/wire/parts.h"

namespace cachalot::codec {
namespace {

// The highest probe interval that the options allow (MembershipOptions).
constexpr absl::Duration kProbeTimeoutMax = absl::Minutes(1);

std::vector<MemberFact> ReadFacts(
    Reader& reader, const Vector<Offset<wire::MemberFact>>* facts) {
  return reader.Tables(facts, limits::kMembersMax, "facts");
}

}  // namespace

Offset<wire::MemberFact> ToTable(Writer& writer, const MemberFact& fact) {
  const auto name = writer.Text(fact.name);
  // Zeros are written too, so that all facts share one vtable and each takes
  // no more than EncodedSizeMax() says.
  writer.builder().ForceDefaults(true);
  const auto table = wire::CreateMemberFact(
      writer.builder(), UnlessNone(fact.id, ToWire(fact.id)),
      UnlessNone(fact.address, ToWire(fact.address)), fact.incarnation, name,
      static_cast<wire::MemberState>(fact.state));
  writer.builder().ForceDefaults(false);
  return table;
}

MemberFact FromTable(Reader& reader, const wire::MemberFact& fact) {
  return {.id = ToId<NodeId>(fact.id()),
          .address = ToAddress(fact.address()),
          .name = reader.Text(fact.name(), limits::kNameBytesMax, "name"),
          .incarnation = reader.Ordinal(fact.incarnation()),
          .state = reader.Enum<MemberState>(fact.state(),
                                            wire::MemberState::MAX, "state")};
}

Offset<wire::Ping> ToTable(Writer& writer, const Ping& ping) {
  const auto facts = writer.Tables(ping.facts);
  return wire::CreatePing(writer.builder(), ping.probe, facts);
}

Ping FromTable(Reader& reader, const wire::Ping& ping) {
  return {.probe = reader.Number(ping.probe()),
          .facts = ReadFacts(reader, ping.facts())};
}

Offset<wire::PingRequest> ToTable(Writer& writer, const PingRequest& request) {
  const auto facts = writer.Tables(request.facts);
  return wire::CreatePingRequest(
      writer.builder(), request.probe,
      UnlessNone(request.target, ToWire(request.target)),
      UnlessNone(request.target_address, ToWire(request.target_address)),
      absl::ToInt64Nanoseconds(request.timeout), facts);
}

PingRequest FromTable(Reader& reader, const wire::PingRequest& request) {
  return {
      .probe = reader.Number(request.probe()),
      .target = ToId<NodeId>(request.target()),
      .target_address = ToAddress(request.target_address()),
      .timeout = reader.Nanoseconds(request.timeout_ns(), absl::ZeroDuration(),
                                    kProbeTimeoutMax, "timeout"),
      .facts = ReadFacts(reader, request.facts())};
}

Offset<wire::Ack> ToTable(Writer& writer, const Ack& ack) {
  const auto facts = writer.Tables(ack.facts);
  return wire::CreateAck(writer.builder(), ack.probe, facts);
}

Ack FromTable(Reader& reader, const wire::Ack& ack) {
  return {.probe = reader.Number(ack.probe()),
          .facts = ReadFacts(reader, ack.facts())};
}

Offset<wire::Nack> ToTable(Writer& writer, const Nack& nack) {
  const auto facts = writer.Tables(nack.facts);
  return wire::CreateNack(writer.builder(), nack.probe, facts);
}

Nack FromTable(Reader& reader, const wire::Nack& nack) {
  return {.probe = reader.Number(nack.probe()),
          .facts = ReadFacts(reader, nack.facts())};
}

Offset<wire::Gossip> ToTable(Writer& writer, const Gossip& gossip) {
  const auto facts = writer.Tables(gossip.facts);
  return wire::CreateGossip(writer.builder(), facts);
}

Gossip FromTable(Reader& reader, const wire::Gossip& gossip) {
  return {.facts = ReadFacts(reader, gossip.facts())};
}

Offset<wire::PushPull> ToTable(Writer& writer, const PushPull& push_pull) {
  const auto members = writer.Tables(push_pull.members);
  const auto founders = writer.Texts(push_pull.founders);
  const auto name = writer.Text(push_pull.cluster_name);
  const wire::WideId ended = ToWire(push_pull.ended);
  return wire::CreatePushPull(
      writer.builder(), push_pull.is_reply, push_pull.is_join,
      push_pull.token_base.number(), founders, members, push_pull.is_led, name,
      push_pull.is_first, UnlessNone(push_pull.ended, ended));
}

PushPull FromTable(Reader& reader, const wire::PushPull& push_pull) {
  return {.is_reply = push_pull.is_reply(),
          .is_join = push_pull.is_join(),
          .token_base = reader.Token(push_pull.token_base()),
          .is_led = push_pull.is_led(),
          .founders = reader.Texts(push_pull.founders(), limits::kVotersMax,
                                   limits::kNameBytesMax, "founders"),
          .is_first = push_pull.is_first(),
          .ended = ToId<ClusterId>(push_pull.ended()),
          .members = ReadFacts(reader, push_pull.members()),
          .cluster_name = reader.Text(push_pull.cluster_name(),
                                      limits::kNameBytesMax, "cluster_name")};
}

}  // namespace cachalot::codec
