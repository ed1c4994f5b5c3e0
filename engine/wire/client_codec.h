#ifndef ENGINE_WIRE_CLIENT_CODEC_H_
#define ENGINE_WIRE_CLIENT_CODEC_H_

#include "engine/command.h"
#include "engine/member.h"
#include "engine/request.h"
#include "engine/wire/message.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"
#include "engine/wire/writer.h"

namespace cachalot::codec {

Offset<wire::Read> ToTable(Writer& writer, const Read& read);
Offset<wire::LockInfo> ToTable(Writer& writer, const LockInfo& lock);
Offset<wire::WaiterInfo> ToTable(Writer& writer, const WaiterInfo& waiter);
Offset<wire::MemberInfo> ToTable(Writer& writer, const MemberInfo& member);
Offset<wire::ReadResult> ToTable(Writer& writer, const ReadResult& result);
Offset<wire::Forward> ToTable(Writer& writer, const Forward& forward);
Offset<wire::Reply> ToTable(Writer& writer, const Reply& reply);
Offset<wire::Replies> ToTable(Writer& writer, const Replies& replies);
Offset<wire::Redirect> ToTable(Writer& writer, const Redirect& redirect);

Read FromTable(Reader& reader, const wire::Read& read);
LockInfo FromTable(Reader& reader, const wire::LockInfo& lock);
WaiterInfo FromTable(Reader& reader, const wire::WaiterInfo& waiter);
MemberInfo FromTable(Reader& reader, const wire::MemberInfo& member);
ReadResult FromTable(Reader& reader, const wire::ReadResult& result);
Forward FromTable(Reader& reader, const wire::Forward& forward);
Reply FromTable(Reader& reader, const wire::Reply& reply);
Replies FromTable(Reader& reader, const wire::Replies& replies);
Redirect FromTable(Reader& reader, const wire::Redirect& redirect);

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_CLIENT_CODEC_H_
