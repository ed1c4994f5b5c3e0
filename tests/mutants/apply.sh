#!/bin/bash
#
# apply.sh PATCH SOURCE OUTPUT: a copy of SOURCE with the planted bug in it.
# Fails, and names the patch, if it does not apply exactly or touches any other
# file than SOURCE.

set -euo pipefail

readonly patch="$1"
readonly source="$2"
readonly output="$3"

fail() {
  echo "${patch}: $*" >&2
  exit 1
}

touched="$(sed -n 's|^+++ b/||p' "${patch}")"
[[ "${touched}" == "${source}" ]] ||
  fail "must touch ${source} and nothing else, but touches: ${touched:-nothing}"
# What is in a sandbox is a link, and patch does not follow links.
cp "${source}" "${output}"
chmod u+w "${output}"
said="$(patch --fuzz=0 --batch --no-backup-if-mismatch --reject-file=- \
    "${output}" "${patch}" 2>&1)" ||
  fail "no longer applies to ${source}: ${said}"
