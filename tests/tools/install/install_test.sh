#!/bin/bash
#
# Installs, and then builds and runs programs of others that know nothing but
# the installed tree: with g++ and pkg-config, and with CMake.

set -euo pipefail

readonly install="${PWD}/tools/install/install"
readonly outside="${PWD}/tests/tools/install/outside.cc"
readonly cmake_lists="${PWD}/tests/tools/install/outside_cmake.txt"
readonly prefix="${TEST_TMPDIR}/prefix"
readonly work="${TEST_TMPDIR}/elsewhere"

fail() {
  echo "FAILED: $*"
  exit 1
}

# expect_output PATTERN COMMAND...
expect_output() {
  local pattern="$1" output
  shift
  output="$("$@" 2>&1)" || fail "$* says: ${output}"
  # shellcheck disable=SC2053
  [[ "${output}" == ${pattern} ]] || fail "$* says: ${output}"
}

refuses_what_it_does_not_know() {
  local code=0 output
  output="$("${install}" --prefix=relative/path 2>&1)" || code=$?
  [[ ${code} == 2 && "${output}" == *"must be absolute"* ]] || fail "${output}"
  code=0
  output="$("${install}" 2>&1)" || code=$?
  [[ ${code} == 2 && "${output}" == *"--prefix=DIR"* ]] || fail "${output}"
}

installs_twice_with_the_same_result() {
  expect_output "cachalot *.*.* is in ${prefix}" "${install}" --prefix="${prefix}"
  local before
  before="$(cd "${prefix}" && find . | sort)"
  "${install}" --prefix "${prefix}" > /dev/null
  [[ "$(cd "${prefix}" && find . | sort)" == "${before}" ]] ||
    fail "installed twice, there are other files"
}

headers_name_nothing_but_each_other() {
  local line
  line="$(grep -rnE '#include "(io|engine|sim|tools)/' "${prefix}/include")" &&
    fail "${line}"
  line="$(grep -rnE '^#(ifndef|define) (IO|ENGINE)_' "${prefix}/include")" &&
    fail "${line}"
  return 0
}

# The installed headers that a program read: those, the system's and its own.
reads_only_the_prefix() {  # DEPENDENCY_FILE
  local path
  for path in $(sed -e 's/^[^:]*://' -e 's/\\$//' "$1"); do
    [[ "${path}" == "${prefix}"/* || "${path}" == /usr/* ||
       "${path}" == outside.cc ]] || fail "${path} was read"
  done
}

builds_with_pkg_config() {
  mkdir -p "${work}/plain" && cd "${work}/plain"
  cp "${outside}" outside.cc
  export PKG_CONFIG_PATH="${prefix}/lib/pkgconfig"
  # Words, each of which is an argument.
  # shellcheck disable=SC2046
  g++ -Wall -Wextra -Werror -MD -MF outside.d -c outside.cc \
      $(pkg-config --cflags cachalot) || fail "does not compile"
  reads_only_the_prefix outside.d
  local libs
  libs="$(pkg-config --libs cachalot)"
  # shellcheck disable=SC2086
  g++ outside.o -o shared ${libs} || fail "does not link"
  # shellcheck disable=SC2086
  g++ outside.o -o static ${libs/-lcachalot/-l:libcachalot.a} ||
    fail "does not link with the archive"
  expect_output "locked with cachalot *, wire version *" \
    env LD_LIBRARY_PATH="${prefix}/lib" ./shared
  expect_output "locked with cachalot *, wire version *" ./static
}

builds_with_cmake() {
  mkdir -p "${work}/cmake" && cd "${work}/cmake"
  cp "${outside}" outside.cc
  cp "${cmake_lists}" CMakeLists.txt
  cmake -S . -B build -DCMAKE_PREFIX_PATH="${prefix}" > cmake.log 2>&1 ||
    fail "$(cat cmake.log)"
  cmake --build build > cmake.log 2>&1 || fail "$(cat cmake.log)"
  expect_output "locked with cachalot *" build/shared
  expect_output "locked with cachalot *" build/static
}

cmake_refuses_another_minor_version() {
  cd "${work}/cmake"
  sed -i 's/find_package(cachalot/& 0.1/' CMakeLists.txt
  local output
  output="$(cmake -S . -B other -DCMAKE_PREFIX_PATH="${prefix}" 2>&1)" &&
    fail "0.1 is found: ${output}"
  [[ "${output}" == *cachalot* ]] || fail "${output}"
}

programs_are_there_with_their_pages() {
  local program page
  for program in cachalot simulate; do
    expect_output "${program} *.*.* (wire version *)" \
      "${prefix}/bin/${program}" --version
    page="$(<"${prefix}/share/man/man1/${program}.1")"
    [[ "${page}" == ".TH ${program^^} 1"*".SH SYNOPSIS"*".SH OPTIONS"* ]] ||
      fail "the manual page of ${program} is: ${page}"
    bash -n "${prefix}/share/bash-completion/completions/${program}" ||
      fail "the completion of ${program} is no program"
  done
}

# complete WORD...: what bash offers for the last one.
complete_words() {
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  "_${1}_words"
  echo "${COMPREPLY[*]}"
}

completes_commands_and_their_options() {
  # shellcheck disable=SC1091
  source "${prefix}/share/bash-completion/completions/cachalot"
  source "${prefix}/share/bash-completion/completions/simulate"
  [[ "$(complete_words cachalot rene)" == renew ]] || fail "no renew"
  [[ "$(complete_words cachalot run --on-l)" == --on-lost ]] || fail "no --on-lost"
  [[ "$(complete_words cachalot locks --on-l)" == "" ]] ||
    fail "locks has --on-lost"
  [[ "$(complete_words simulate --see)" == "--seeds --seed" ]] ||
    fail "no --seeds: $(complete_words simulate --see)"
}

refuses_what_it_does_not_know
installs_twice_with_the_same_result
headers_name_nothing_but_each_other
programs_are_there_with_their_pages
completes_commands_and_their_options
builds_with_pkg_config
builds_with_cmake
cmake_refuses_another_minor_version
echo "PASSED"
