#!/bin/bash
#
# Tests compare_builds.sh with fake programs.

set -uo pipefail

readonly compare_builds="${PWD}/tests/sim/builds/compare_builds.sh"
readonly programs="${TEST_TMPDIR}/programs"
failures=0
mkdir "${programs}"

# program NAME ODD_SEED: a program whose hash differs for that seed.
program() {
  cat > "${programs}/$1" << END
#!/bin/bash
hash() { [[ \$1 == $2 ]] && echo 0000000000000bad || echo 00000000000600d; }
if [[ \$# == 1 ]]; then
  echo "seed \$1 begins"; echo "and goes on to \$(hash "\$1")"; exit
fi
for seed in \$(seq "\$1" "\$2"); do echo "\${seed} \$(hash "\${seed}") 10"; done
END
  chmod +x "${programs}/$1"
}

# compare NAME=PROGRAM...: leaves `code` and `said`.
compare() {
  said="$("${compare_builds}" "$@" 2>&1)"
  code=$?
}

expect() {  # WHAT TEXT PATTERN
  if [[ "$2" != $3 ]]; then
    echo "${FUNCNAME[1]}: $1 is \"$2\", not like \"$3\""
    failures=$((failures + 1))
  fi
}

passes_builds_that_agree() {
  compare "one=${programs}/one" "two=${programs}/two"
  expect "exit code" "${code}" 0
  expect "the table" "${said}" "*one*random*40*two*random*40*"
}

names_the_build_and_the_seed_that_differ() {
  program odd 17
  compare "one=${programs}/one" "odd=${programs}/odd"
  expect "exit code" "${code}" 1
  expect "what it said" "${said}" \
    "*seed 17 differs between odd (random) and one (random)*and goes on to 0*bad*"
}

fails_a_build_that_dies() {
  printf '#!/bin/bash\nexit 134\n' > "${programs}/dying"
  chmod +x "${programs}/dying"
  compare "one=${programs}/one" "dying=${programs}/dying"
  expect "exit code" "${code}" 1
  expect "what it said" "${said}" "*dying, random: died*"
}

fails_when_nothing_was_run() {
  printf '#!/bin/bash\n' > "${programs}/idle"
  chmod +x "${programs}/idle"
  compare "idle=${programs}/idle"
  expect "exit code" "${code}" 1
}

program one none
program two none
for behaviour in \
    passes_builds_that_agree \
    names_the_build_and_the_seed_that_differ \
    fails_a_build_that_dies \
    fails_when_nothing_was_run; do
  echo "${behaviour}"
  "${behaviour}"
done
exit $((failures > 0))
