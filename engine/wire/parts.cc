#include "engine/wire/parts.h"

#include <algorithm>

namespace cachalot::codec {

wire::SessionId ToWire(const SessionId& id) {
  return {ToWire(id.node), id.number};
}

wire::Address ToWire(const Address& address) {
  return {flatbuffers::make_span(address.ip), address.port};
}

SessionId ToSession(Reader& reader, const wire::SessionId* id) {
  if (id == nullptr) return {};
  return {.node = ToId<NodeId>(&id->node()),
          .number = reader.Number(id->number())};
}

Address ToAddress(const wire::Address* address) {
  Address result;
  if (address == nullptr) return result;
  std::copy(address->ip()->begin(), address->ip()->end(), result.ip.begin());
  result.port = address->port();
  return result;
}

}  // namespace cachalot::codec
