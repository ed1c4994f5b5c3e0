#ifndef ENGINE_WIRE_BIRTH_CODEC_H_
#define ENGINE_WIRE_BIRTH_CODEC_H_

#include "engine/wire/message.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"
#include "engine/wire/writer.h"

// The messages of births (engine/birth), as tables and back.
namespace cachalot::codec {

Offset<wire::BirthInvitation> ToTable(Writer& writer,
                                      const BirthInvitation& invitation);
Offset<wire::BirthAcceptance> ToTable(Writer& writer,
                                      const BirthAcceptance& acceptance);

BirthInvitation FromTable(Reader& reader,
                          const wire::BirthInvitation& invitation);
BirthAcceptance FromTable(Reader& reader,
                          const wire::BirthAcceptance& acceptance);

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_BIRTH_CODEC_H_
