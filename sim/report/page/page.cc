#include "sim/report/page/page.h"

#include <string>
#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "sim/report/page/assets.h"
#include "sim/report/page/data.h"

namespace cachalot::sim {
namespace {

std::string PageScript() {
  std::string script;
  for (const char* const* part = kPageScripts; *part != nullptr; ++part) {
    script += *part;
  }
  return script;
}

}  // namespace

void WritePage(const Recording& recording, std::ostream& out) {
  const std::string data = PageData(recording);
  const std::string script = PageScript();
  // page.html with each {{part}} filled in.
  absl::string_view rest = kPageHtml;
  const std::pair<absl::string_view, absl::string_view> parts[] = {
      {"{{style}}", kPageCss}, {"{{run}}", data}, {"{{script}}", script}};
  for (const auto& [name, text] : parts) {
    const std::pair<absl::string_view, absl::string_view> around =
        absl::StrSplit(rest, absl::MaxSplits(name, 1));
    out << around.first << text;
    rest = around.second;
  }
  out << rest;
}

}  // namespace cachalot::sim
