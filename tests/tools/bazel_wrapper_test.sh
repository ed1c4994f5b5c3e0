#!/bin/bash
#
# tools/bazel against a made-up machine: dpkg-query, apt-get, sudo, id and the
# real Bazel are scripts in a folder of ours, which is all of PATH but coreutils.

set -uo pipefail

readonly wrapper="${PWD}/tools/bazel"
failures=0

# command NAME BODY: puts a command on the made-up machine.
command_that() {
  printf '#!/bin/bash\n%s\n' "$2" > "${machine}/$1"
  chmod +x "${machine}/$1"
}

# A machine on which everything is installed, and nobody may become root.
new_machine() {
  machine="$(mktemp -d "${TEST_TMPDIR}/machine.XXXX")"
  local tool
  for tool in bash cut env getent; do
    ln -s "$(command -v "${tool}")" "${machine}/${tool}"
  done
  command_that dpkg-query 'for p in "${@:3}"; do printf "%s:installed " "$p"; done'
  command_that id 'echo 1000'
  command_that sudo 'exit 1'
  command_that apt-get 'echo "apt-get $*" >> "${0%/*}/apt-log"; exit "${APT_EXIT:-0}"'
  command_that real-bazel 'echo "bazel ran: $* HOME=${HOME}"'
  : > "${machine}/apt-log"
}

without_package() {
  command_that dpkg-query \
    'for p in "${@:3}"; do [[ $p == '"$1"' ]] || printf "%s:installed " "$p"; done; exit 1'
}

# run [NAME=VALUE...] ARGUMENT...: leaves `stdout`, `stderr` and `code`.
run() {
  stdout="$(env -i PATH="${machine}" HOME=/nowhere \
      BAZEL_REAL="${machine}/real-bazel" "${settings[@]}" \
      "${wrapper}" "$@" 2> "${machine}/stderr")"
  code=$?
  stderr="$(<"${machine}/stderr")"
}

expect() {  # WHAT TEXT PATTERN
  if [[ "$2" != $3 ]]; then
    echo "${FUNCNAME[1]}: $1 is \"$2\", not like \"$3\""
    failures=$((failures + 1))
  fi
}

asks_only_dpkg_while_nothing_is_missing() {
  run test //...
  expect "exit code" "${code}" 0
  expect "stdout" "${stdout}" "bazel ran: test //... HOME=/nowhere"
  expect "stderr" "${stderr}" ""
  expect "apt" "$(<"${machine}/apt-log")" ""
}

installs_what_is_missing_as_root() {
  without_package libabsl-dev
  command_that id 'echo 0'
  run build //...
  expect "exit code" "${code}" 0
  expect "stdout" "${stdout}" "bazel ran:*"
  expect "stderr" "${stderr}" "*installing missing packages: libabsl-dev*"
  expect "apt" "$(<"${machine}/apt-log")" \
    "*update*install -y --no-install-recommends libabsl-dev"
}

goes_on_without_a_network_when_apt_has_lists() {
  without_package libabsl-dev
  command_that id 'echo 0'
  command_that apt-get '[[ "$*" != *update ]]'
  run build //...
  expect "exit code" "${code}" 0
  expect "stderr" "${stderr}" "*apt-get update failed*"
}

names_the_command_to_type_where_it_may_not_install() {
  without_package libgtest-dev
  run build //...
  expect "exit code" "${code}" 1
  expect "stdout" "${stdout}" ""
  expect "stderr" "${stderr}" \
    "*apt-get update && apt-get install -y --no-install-recommends libgtest-dev"
}

uses_sudo_that_asks_for_no_password() {
  without_package libgtest-dev
  command_that sudo 'shift; exec "$@"'
  ln -s /bin/true "${machine}/true"
  run build //...
  expect "exit code" "${code}" 0
  expect "apt" "$(<"${machine}/apt-log")" "*libgtest-dev"
}

a_program_needs_nothing_that_only_tests_need() {
  without_package chromium
  run run -c opt //tools:demo -- --any //tests/flag
  expect "exit code" "${code}" 0
  expect "stdout" "${stdout}" "bazel ran: run -c opt //tools:demo*"
  run test //tools:demo
  expect "exit code" "${code}" 1
  run build //tools:demo //tests/io:clock_test
  expect "exit code" "${code}" 1
  run build --config=clang //tools:demo
  expect "exit code" "${code}" 1
  run run //tools:mutants
  expect "exit code" "${code}" 1
  expect "stderr" "${stderr}" "*chromium*"
  new_machine
  without_package libabsl-dev
  run run //tools:demo
  expect "exit code" "${code}" 1
  expect "stderr" "${stderr}" "*install*libabsl-dev"
}

fails_when_the_installation_fails() {
  without_package libgtest-dev
  command_that id 'echo 0'
  settings=(APT_EXIT=100)
  run build //...
  expect "exit code" "${code}" 1
  expect "stdout" "${stdout}" ""
  expect "stderr" "${stderr}" "*could not install*"
}

finds_a_home_when_there_is_none() {
  command_that id 'echo 4242'  # a user without an entry, as in containers
  stdout="$(env -i PATH="${machine}" BAZEL_REAL="${machine}/real-bazel" \
      "${wrapper}" version 2>&1)"
  expect "stdout" "${stdout}" "bazel ran: version HOME=/tmp"
}

for behaviour in \
    asks_only_dpkg_while_nothing_is_missing \
    installs_what_is_missing_as_root \
    goes_on_without_a_network_when_apt_has_lists \
    names_the_command_to_type_where_it_may_not_install \
    uses_sudo_that_asks_for_no_password \
    a_program_needs_nothing_that_only_tests_need \
    fails_when_the_installation_fails \
    finds_a_home_when_there_is_none; do
  new_machine
  settings=()
  echo "${behaviour}"
  "${behaviour}"
done
exit $((failures > 0))
