#!/bin/bash
#
# Tests run_seeds.sh with a fake simulator, which records its arguments and fails
# the given seeds.

set -uo pipefail

readonly run_seeds="${PWD}/tests/sim/run_seeds.sh"
readonly simulate="${TEST_TMPDIR}/simulate"
readonly outputs="${TEST_TMPDIR}/outputs"
failures=0

cat > "${simulate}" << 'END'
#!/bin/bash
echo "$*" >> "${CALLS}"
case "$1" in
  --seeds=*)
    for seed in ${FAILING}; do
      echo "seed ${seed} FAILED: n1: two leaders" >&2
    done
    [[ -z "${FAILING}" ]] ;;
  --seed=*)
    [[ "$2" != --trace ]] || echo "the story of ${1#*=}"
    [[ "$3" != --scenario=* ]] || echo "choose little" > "${3#*=}"
    [[ "$3" != --record=* ]] || echo "many choices" > "${3#*=}"
    [[ "$4" != --html=* ]] || echo "a page" > "${4#*=}"
    exit 1 ;;
esac
END
chmod +x "${simulate}"

# run [NAME=VALUE...] -- ARGUMENT...: leaves `code`, `said` and `calls`.
run() {
  local -a settings=()
  while [[ "$1" != -- ]]; do settings+=("$1"); shift; done
  shift
  rm -rf "${outputs}" "${TEST_TMPDIR}/calls"
  mkdir "${outputs}"
  said="$(env -i PATH="${PATH}" TEST_TMPDIR="${TEST_TMPDIR}" FAILING="" \
      TEST_UNDECLARED_OUTPUTS_DIR="${outputs}" CALLS="${TEST_TMPDIR}/calls" \
      "${settings[@]}" "${run_seeds}" "${simulate}" "$@" 2>&1)"
  code=$?
  calls="$(cat "${TEST_TMPDIR}/calls" 2> /dev/null)"
}

expect() {  # WHAT TEXT PATTERN
  if [[ "$2" != $3 ]]; then
    echo "${FUNCNAME[1]}: $1 is \"$2\", not like \"$3\""
    failures=$((failures + 1))
  fi
}

commit() {  # TEXT: writes a commit file
  echo "$1" > "${TEST_TMPDIR}/commit"
  echo "--commit=${TEST_TMPDIR}/commit"
}

runs_each_seed_once_over_shards_and_runs() {
  local all="" shard round range
  for round in 1 2; do
    for shard in 0 1 2; do
      run TEST_SHARD_INDEX="${shard}" TEST_TOTAL_SHARDS=3 \
          TEST_RANDOM_SEED="${round}" -- --after=1000 --each=10
      range="${calls#--seeds=}"
      range="${range%% *}"
      all+=" $(seq -s ' ' "${range%..*}" "${range#*..}")"
    done
  done
  expect "the seeds" "${all# }" "$(seq -s ' ' 1001 1060)"
}

tells_bazel_that_it_supports_shards() {
  run TEST_SHARD_STATUS_FILE="${TEST_TMPDIR}/sharded" -- --each=1
  [[ -e "${TEST_TMPDIR}/sharded" ]]
  expect "the status file's absence" $? 0
}

derives_the_seeds_from_the_commit() {
  run -- "$(commit 0000000afff3fff5)" --each=20
  expect "calls" "${calls}" "--seeds=655361..655380 --jobs=1"
  run -- "$(commit ffffffff0123)" --each=20
  expect "calls" "${calls}" "--seeds=281474976645121..281474976645140 --jobs=1"
}

runs_the_same_seeds_without_a_commit() {
  run -- "$(commit none)" --each=20
  expect "calls" "${calls}" "--seeds=65537..65556 --jobs=1"
}

passes_when_every_seed_passes() {
  run -- --each=5
  expect "exit code" "${code}" 0
  expect "outputs" "$(ls "${outputs}")" ""
}

fails_and_records_failed_seeds() {
  run FAILING="3 4" -- --each=5
  expect "exit code" "${code}" 1
  expect "what it said" "${said}" "*seed 3 FAILED: n1: two leaders*"
  expect "the trace of 3" "$(< "${outputs}/seed_3/trace.txt")" "the story of 3"
  expect "the trace of 4" "$(< "${outputs}/seed_4/trace.txt")" "the story of 4"
  expect "the choices" "$(< "${outputs}/seed_3/choices.txt")" "many choices"
  expect "the page" "$(< "${outputs}/seed_3/page.html")" "a page"
  expect "the scenario" "$(< "${outputs}/seed_3/scenario.txt")" "choose little"
}

records_a_few_of_many_failures() {
  run FAILING="$(seq -s ' ' 1 50)" -- --each=50
  expect "folders" "$(ls "${outputs}" | tr '\n' ' ')" "seed_1 seed_2 seed_3 "
}

refuses_unknown_arguments() {
  run -- --every=5
  expect "exit code" "${code}" 2
  expect "calls" "${calls}" ""
}

for behaviour in \
    runs_each_seed_once_over_shards_and_runs \
    tells_bazel_that_it_supports_shards \
    derives_the_seeds_from_the_commit \
    runs_the_same_seeds_without_a_commit \
    passes_when_every_seed_passes \
    fails_and_records_failed_seeds \
    records_a_few_of_many_failures \
    refuses_unknown_arguments; do
  echo "${behaviour}"
  "${behaviour}"
done
exit $((failures > 0))
