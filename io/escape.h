#ifndef IO_ESCAPE_H_
#define IO_ESCAPE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cachalot {

// Text from others (keys, owners, names, reasons, addresses) as it may be
// printed on a terminal or in a log: one line, no control or formatting
// characters, and reversible.
//
// Printable ASCII and printable UTF-8 stay as they are. A backslash becomes \\;
// each byte of anything else becomes \xNN, among it spaces at either end, so
// that what is copied from a table is the whole of it.
std::string Escape(absl::string_view text);

// The inverse. Nothing if `text` has a backslash that starts neither \\ nor
// \xNN.
std::optional<std::string> Unescape(absl::string_view text);

// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong
// forms, nothing above U+10FFFF).
bool IsUtf8(absl::string_view text);

// How many columns `text`, which Escape() returned, takes on a terminal.
size_t DisplayWidth(absl::string_view text);

}  // namespace cachalot

#endif  // IO_ESCAPE_H_
