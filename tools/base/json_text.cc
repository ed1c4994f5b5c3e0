#include "tools/base/json_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "io/escape.h"

namespace cachalot::tools {
namespace {

std::string Base64Name(const std::string& name) {
  return absl::StrCat(name, "_base64");
}

}  // namespace

void AddText(Json& object, const std::string& name, absl::string_view text) {
  if (IsUtf8(text)) {
    object[name] = std::string(text);
    return;
  }
  object[name] = Escape(text);
  object[Base64Name(name)] = absl::Base64Escape(text);
}

std::string ReadText(const Json& object, const std::string& name) {
  const auto encoded = object.find(Base64Name(name));
  if (encoded != object.end() && encoded->is_string()) {
    std::string text;
    absl::Base64Unescape(encoded->get<std::string>(), &text);
    return text;
  }
  const auto plain = object.find(name);
  if (plain == object.end() || !plain->is_string()) return "";
  return plain->get<std::string>();
}

std::string ToLine(const Json& body) {
  // What is not UTF-8 in spite of AddText() must not throw.
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cachalot::tools
