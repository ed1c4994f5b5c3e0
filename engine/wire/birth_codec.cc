#include "engine/wire/birth_codec.h"

#include "absl/time/time.h"
#include "engine/limits.h"
#include "engine/wire/consensus_codec.h"
#include "engine/wire/parts.h"

namespace cachalot::codec {

Offset<wire::BirthInvitation> ToTable(Writer& writer,
                                      const BirthInvitation& invitation) {
  const auto founders =
      ToTable(writer, Configuration{.voters = invitation.voters});
  return wire::CreateBirthInvitation(
      writer.builder(), invitation.attempt,
      UnlessNone(invitation.cluster, ToWire(invitation.cluster)),
      invitation.token_base.number(),
      absl::ToInt64Nanoseconds(invitation.quarantine), founders);
}

BirthInvitation FromTable(Reader& reader,
                          const wire::BirthInvitation& invitation) {
  BirthInvitation result = {
      .attempt = reader.Number(invitation.attempt()),
      .cluster = ToId<ClusterId>(invitation.cluster()),
      .token_base = reader.TokenFloor(invitation.token_base()),
      .quarantine =
          reader.Nanoseconds(invitation.quarantine_ns(), absl::ZeroDuration(),
                             limits::TtlMax(), "quarantine")};
  if (reader.Require(invitation.founders() != nullptr, "founders")) {
    result.voters = FromTable(reader, *invitation.founders()).voters;
  }
  return result;
}

Offset<wire::BirthAcceptance> ToTable(Writer& writer,
                                      const BirthAcceptance& acceptance) {
  return wire::CreateBirthAcceptance(
      writer.builder(),
      UnlessNone(acceptance.cluster, ToWire(acceptance.cluster)));
}

BirthAcceptance FromTable(Reader& /*reader*/,
                          const wire::BirthAcceptance& acceptance) {
  return {.cluster = ToId<ClusterId>(acceptance.cluster())};
}

}  // namespace cachalot::codec
