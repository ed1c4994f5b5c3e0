#ifndef ENGINE_WIRE_PARTS_H_
#define ENGINE_WIRE_PARTS_H_

#include "engine/address.h"
#include "engine/ids.h"
#include "engine/wire/reader.h"
#include "engine/wire/wire_generated.h"

// Conversions of the small structs in messages, in both directions. A null
// pointer is a field that was left out: its value is none.
namespace cachalot::codec {

template <typename Kind>
wire::WideId ToWire(const WideId<Kind>& id) {
  return {id.high, id.low};
}
wire::SessionId ToWire(const SessionId& id);
wire::Address ToWire(const Address& address);

template <typename Id>
Id ToId(const wire::WideId* id) {
  return id == nullptr ? Id() : Id{.high = id->high(), .low = id->low()};
}
SessionId ToSession(Reader& reader, const wire::SessionId* id);
Address ToAddress(const wire::Address* address);

}  // namespace cachalot::codec

#endif  // ENGINE_WIRE_PARTS_H_
