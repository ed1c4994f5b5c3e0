#!/bin/bash
#
# A workspace of somebody else's, which depends on this one by one load and one
# call. It has an engine/ids.h and an io/log.h of its own.
#
#   outside_bazel_test.sh compile   its program, with our public headers
#   outside_bazel_test.sh run       all of the library too, and runs the program
#
# With $CACHALOT_OUTSIDE_CACHE set (--test_env), compiled objects are kept there
# between runs.

set -euo pipefail

readonly what="$1"
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
cc_library(
    name = "program",
    srcs = [
        "engine/ids.h",
        "io/log.h",
        "outside.cc",
    ],
    deps = ["@cachalot//:cachalot"],
)

cc_binary(
    name = "outside",
    deps = [":program"],
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
case "${what}" in
  compile)
    # The library itself is analysed: its labels and visibility are in order.
    run_bazel build --nobuild //:outside
    run_bazel build --output_groups=compilation_outputs //:program
    ;;
  run)
    run_bazel build //:outside
    output="$(bazel-bin/outside)"
    [[ "${output}" == "locked with cachalot "* ]] || {
      echo "FAILED: ${output}"
      exit 1
    }
    ;;
esac
