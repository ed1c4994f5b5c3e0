#ifndef ENGINE_WIRE_CONSENSUS_CODEC_H_
#define ENGINE_WIRE_CONSENSUS_CODEC_H_

#include "engine/saved_state.h"
#include "engine/wire/message.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"
#include "engine/wire/writer.h"

namespace cachalot::codec {

Offset<wire::Configuration> ToTable(Writer& writer,
                                    const Configuration& configuration);
Offset<wire::Entry> ToTable(Writer& writer, const Entry& entry);
Offset<wire::VoteRequest> ToTable(Writer& writer, const VoteRequest& request);
Offset<wire::VoteReply> ToTable(Writer& writer, const VoteReply& reply);
Offset<wire::Append> ToTable(Writer& writer, const Append& append);
Offset<wire::AppendReply> ToTable(Writer& writer, const AppendReply& reply);
Offset<wire::SnapshotChunk> ToTable(Writer& writer, const SnapshotChunk& chunk);
Offset<wire::SnapshotReply> ToTable(Writer& writer, const SnapshotReply& reply);
Offset<wire::TimeoutNow> ToTable(Writer& writer, const TimeoutNow& timeout);
Offset<wire::LeaveIntent> ToTable(Writer& writer, const LeaveIntent& intent);
Offset<wire::LeaveReply> ToTable(Writer& writer, const LeaveReply& reply);

Configuration FromTable(Reader& reader,
                        const wire::Configuration& configuration);
Entry FromTable(Reader& reader, const wire::Entry& entry);
VoteRequest FromTable(Reader& reader, const wire::VoteRequest& request);
VoteReply FromTable(Reader& reader, const wire::VoteReply& reply);
Append FromTable(Reader& reader, const wire::Append& append);
AppendReply FromTable(Reader& reader, const wire::AppendReply& reply);
SnapshotChunk FromTable(Reader& reader, const wire::SnapshotChunk& chunk);
SnapshotReply FromTable(Reader& reader, const wire::SnapshotReply& reply);
TimeoutNow FromTable(Reader& reader, const wire::TimeoutNow& timeout);
LeaveIntent FromTable(Reader& reader, const wire::LeaveIntent& intent);
LeaveReply FromTable(Reader& reader, const wire::LeaveReply& reply);

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_CONSENSUS_CODEC_H_
