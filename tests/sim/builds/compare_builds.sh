#!/bin/bash
#
# compare_builds.sh NAME=PROGRAM...: runs hash_seeds of several builds, each with and
# without address space layout randomisation, and compares them with the first. A
# seed must give the same run in all of them.

set -uo pipefail

readonly first_seed=1 last_seed=40
readonly outputs="${TEST_UNDECLARED_OUTPUTS_DIR:-${TEST_TMPDIR}}"
declare -A program
names=()
ways=(random)
failures=0

# with WAY COMMAND...: "random" is the kernel's default, "fixed" disables it.
with() {
  local way="$1"
  shift
  if [[ "${way}" == fixed ]]; then
    set -- setarch --addr-no-randomize "$@"
  fi
  # The leak checker needs ptrace, which containers may not allow.
  ASAN_OPTIONS=detect_leaks=0 "$@"
}

lines_of() {  # NAME WAY: the file with its hashes
  echo "${TEST_TMPDIR}/$1.$2"
}

run_all() {
  local name way
  for name in "${names[@]}"; do
    for way in "${ways[@]}"; do
      if ! with "${way}" "${program[${name}]}" "${first_seed}" "${last_seed}" \
          > "$(lines_of "${name}" "${way}")"; then
        echo "${name}, ${way}: died"
        failures=$((failures + 1))
      fi
    done
  done
}

print_table() {
  local name way
  printf '%-12s %-8s %6s  %s\n' build layout seeds "hash of all"
  for name in "${names[@]}"; do
    for way in "${ways[@]}"; do
      local lines
      lines="$(lines_of "${name}" "${way}")"
      printf '%-12s %-8s %6d  %.16s\n' "${name}" "${way}" \
        "$(wc -l < "${lines}")" "$(sha256sum < "${lines}")"
    done
  done
}

# show_difference NAME WAY SEED: the first difference of two runs of a seed.
show_difference() {
  local ours="${outputs}/seed_$3.$1.$2.txt"
  local theirs="${outputs}/seed_$3.${names[0]}.random.txt"
  with "$2" "${program[$1]}" "$3" > "${ours}"
  with random "${program[${names[0]}]}" "$3" > "${theirs}"
  echo "seed $3 differs between $1 (${2}) and ${names[0]} (random):"
  cmp "${theirs}" "${ours}"
  diff "${theirs}" "${ours}" | head -n 10
}

compare() {
  local expected name way line
  expected="$(lines_of "${names[0]}" random)"
  if [[ "$(wc -l < "${expected}")" != $((last_seed - first_seed + 1)) ]]; then
    echo "${names[0]} did not run every seed"
    failures=$((failures + 1))
  fi
  for name in "${names[@]}"; do
    for way in "${ways[@]}"; do
      line="$(diff "${expected}" "$(lines_of "${name}" "${way}")" |
          sed -n 's/^[<>] //p' | sort -n | head -n 1)"
      [[ -n "${line}" ]] || continue
      show_difference "${name}" "${way}" "${line%% *}"
      failures=$((failures + 1))
    done
  done
}

for argument in "$@"; do
  names+=("${argument%%=*}")
  program["${argument%%=*}"]="${argument#*=}"
done
# Some containers forbid it; then only random layouts are tested.
if with fixed true 2> /dev/null; then
  ways+=(fixed)
else
  echo "cannot disable address randomisation here: setarch -R is refused"
fi
run_all
print_table
compare
exit $((failures > 0))
