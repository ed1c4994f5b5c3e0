#ifndef TOOLS_BASE_JSON_TEXT_H_
#define TOOLS_BASE_JSON_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace cachalot::tools {

// In the order in which they are added: a reader finds what matters first.
using Json = nlohmann::ordered_json;

// Adds text that may hold any bytes (a key, an owner, a name) to an object,
// without loss: as the string `name`, if it is UTF-8, which is all that a JSON
// string can hold (RFC 8259). Otherwise `name` is Escape(text), for people, and
// `name`_base64 has the bytes (RFC 4648). A reader takes `name`_base64 if it is
// there, else `name`.
void AddText(Json& object, const std::string& name, absl::string_view text);

// The text that AddText() added; empty if there is none.
std::string ReadText(const Json& object, const std::string& name);

// `body` in one line, without the line break.
std::string ToLine(const Json& body);

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_JSON_TEXT_H_
