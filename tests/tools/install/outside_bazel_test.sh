#!/bin/bash
#
# A workspace of somebody else's, which depends on this one by one load and one
# call. It has an engine/ids.h and an io/log.h of its own.
#
#   tools/bazel test //tests/tools/install:outside_bazel_test
#
# Compiled objects are kept between runs in $CACHALOT_OUTSIDE_CACHE, if set
# (--test_env).

set -euo pipefail

readonly tree="$(dirname "$(readlink -f WORKSPACE)")"
readonly outside="${PWD}/tests/tools/install/outside.cc"
readonly work="${TEST_TMPDIR}/elsewhere"

mkdir -p "${work}/engine" "${work}/io" && cd "${work}"
cat > WORKSPACE <<TEXT
workspace(name = "outside")

local_repository(
    name = "cachalot",
    path = "${tree}",
)

load("@cachalot//tools/deps:deps.bzl", "cachalot_deps")

cachalot_deps()
TEXT
cat > BUILD <<'TEXT'
cc_binary(
    name = "outside",
    srcs = [
        "engine/ids.h",
        "io/log.h",
        "outside.cc",
    ],
    deps = ["@cachalot//:cachalot"],
)
TEXT
echo '#error "not this one"' > engine/ids.h
cp engine/ids.h io/log.h
cp "${outside}" outside.cc
printf 'build --cxxopt=-std=c++20\nbuild --nosandbox_debug\n' > .bazelrc
[[ -z "${CACHALOT_OUTSIDE_CACHE:-}" ]] ||
  echo "build --disk_cache=${CACHALOT_OUTSIDE_CACHE}" >> .bazelrc

run_bazel() {
  HOME="${TEST_TMPDIR}" "${tree}/tools/bazel" \
    --output_user_root="${TEST_TMPDIR}/bazel" "$@"
}
trap 'run_bazel shutdown' EXIT
run_bazel build //:outside
output="$(bazel-bin/outside)"
[[ "${output}" == "locked with cachalot "* ]] || {
  echo "FAILED: ${output}"
  exit 1
}
