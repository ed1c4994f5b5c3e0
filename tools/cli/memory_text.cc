#include "tools/cli/memory_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/address.h"
#include "io/escape.h"
#include "tools/base/words.h"

namespace cachalot::tools {
namespace {

std::string WhereItLooks(const AgentStatus& status) {
  if (status.seeds.empty()) {
    return "it looks nowhere, since it knows no address of another member";
  }
  return absl::StrCat("it looks at ",
                      absl::StrJoin(status.seeds, ", ",
                                    [](std::string* text, const Address& seed) {
                                      absl::StrAppend(text, seed.ToString());
                                    }));
}

}  // namespace

std::string MemoryInWords(const AgentStatus& status) {
  if (status.memory.state_dir.empty()) return "none: it has no --state-dir";
  const std::string remembered =
      status.memory.cluster.IsNone()
          ? "no cluster"
          : absl::StrCat("cluster ", status.memory.cluster.ToString(),
                         status.memory.has_left ? ", which it left" : "");
  return absl::StrCat(remembered, ", in ", Escape(status.memory.state_dir));
}

std::string WhatToDo(const AgentStatus& status) {
  if (status.quarantine > absl::ZeroDuration()) {
    return absl::StrCat(
        "wait for ", Words(status.quarantine),
        ": the cluster is new, and holders of an earlier one may still believe "
        "in their locks",
        status.memory.state_dir.empty()
            ? "; a --state-dir, or --bootstrap at the very first start, avoids "
              "this"
            : "");
  }
  if (status.standing.joined) return "";
  const std::string looks = WhereItLooks(status);
  if (status.memory.state_dir.empty() || status.memory.cluster.IsNone())
    return looks;
  return absl::StrCat(
      looks, "; it remembers cluster ", status.memory.cluster.ToShortString(),
      " and founds no other: start members of that one, or name one with "
      "--join; if none will ever come back, start once with "
      "--force-bootstrap: all --founders, or one agent if there are none");
}

}  // namespace cachalot::tools
