#!/bin/bash
#
# compare_builds.sh NAME=PROGRAM...: hash_seeds in several builds, each with and
# without address space layout randomisation. One seed must be one run in all of
# them: the first program is what the others are compared with.

set -uo pipefail

readonly first_seed=1 last_seed=40
readonly outputs="${TEST_UNDECLARED_OUTPUTS_DIR:-${TEST_TMPDIR}}"
declare -A program
names=()
ways=(random)
failures=0

# with WAY COMMAND...: "random" is the kernel's habit, "fixed" turns it off.
with() {
  local way="$1"
  shift
  if [[ "${way}" == fixed ]]; then
    set -- setarch --addr-no-randomize "$@"
  fi
  # Containers may not trace, which looking for leaks needs.
  ASAN_OPTIONS=detect_leaks=0 "$@"
}

lines_of() {  # NAME WAY: the file of its hashes
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

# tell_apart NAME WAY SEED: where two runs of one seed part.
tell_apart() {
  local ours="${outputs}/seed_$3.$1.$2.txt"
  local theirs="${outputs}/seed_$3.${names[0]}.random.txt"
  with "$2" "${program[$1]}" "$3" > "${ours}"
  with random "${program[${names[0]}]}" "$3" > "${theirs}"
  echo "seed $3 is another run in $1 (${2}) than in ${names[0]} (random):"
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
      tell_apart "${name}" "${way}" "${line%% *}"
      failures=$((failures + 1))
    done
  done
}

for argument in "$@"; do
  names+=("${argument%%=*}")
  program["${argument%%=*}"]="${argument#*=}"
done
# Some containers forbid it, and there is nothing that a test could do.
if with fixed true 2> /dev/null; then
  ways+=(fixed)
else
  echo "this machine does not let layouts be fixed: setarch -R is refused"
fi
run_all
print_table
compare
exit $((failures > 0))
