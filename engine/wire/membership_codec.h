#ifndef ENGINE_WIRE_MEMBERSHIP_CODEC_H_
#define ENGINE_WIRE_MEMBERSHIP_CODEC_H_

#include "engine/wire/message.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"
#include "engine/wire/writer.h"

namespace cachalot::codec {

Offset<wire::MemberFact> ToTable(Writer& writer, const MemberFact& fact);
Offset<wire::Ping> ToTable(Writer& writer, const Ping& ping);
Offset<wire::PingRequest> ToTable(Writer& writer, const PingRequest& request);
Offset<wire::Ack> ToTable(Writer& writer, const Ack& ack);
Offset<wire::Nack> ToTable(Writer& writer, const Nack& nack);
Offset<wire::Gossip> ToTable(Writer& writer, const Gossip& gossip);
Offset<wire::PushPull> ToTable(Writer& writer, const PushPull& push_pull);

MemberFact FromTable(Reader& reader, const wire::MemberFact& fact);
Ping FromTable(Reader& reader, const wire::Ping& ping);
PingRequest FromTable(Reader& reader, const wire::PingRequest& request);
Ack FromTable(Reader& reader, const wire::Ack& ack);
Nack FromTable(Reader& reader, const wire::Nack& nack);
Gossip FromTable(Reader& reader, const wire::Gossip& gossip);
PushPull FromTable(Reader& reader, const wire::PushPull& push_pull);

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_MEMBERSHIP_CODEC_H_
