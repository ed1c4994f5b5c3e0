#!/bin/bash
#
# run_seeds.sh SIMULATE [--after=SEED | --commit=FILE] [--each=COUNT]
#
# Runs the seeds of one shard: COUNT seeds that no other shard and no other run
# (--runs_per_test) has. They follow SEED, or a number derived from the commit in
# FILE. For failed seeds, writes traces, pages, choices and scenarios to the test's
# outputs.

set -uo pipefail

# How many failed seeds to record: further ones usually have the same cause.
readonly looked_at_max=3
# For each of them, so that the test ends in time.
readonly shrinking_s_max=200
# The distance between the seeds of two commits; no test runs as many seeds.
readonly seeds_per_commit=65536

# seeds_of_commit FILE: the seed before the first one of that commit. Without a
# commit it is that of commit 1; lower seeds are left to people.
seeds_of_commit() {
  local commit
  commit="$(< "$1")"
  [[ "${commit}" =~ ^[0-9a-f]{8} ]] || commit=00000001
  echo $((16#${commit:0:8} * seeds_per_commit))
}

# record SEED: writes the trace, page and choices of a failed seed, and a small set
# of choices that still fails, as a scenario. A seed that kills the process gives no
# choices; a seed that takes too long to shrink gives no scenario.
record() {
  local folder="${TEST_UNDECLARED_OUTPUTS_DIR:-${TEST_TMPDIR}}/seed_$1"
  mkdir -p "${folder}"
  "${simulate}" --seed="$1" --trace --record="${folder}/choices.txt" \
    --html="${folder}/page.html" > "${folder}/trace.txt" 2>&1
  timeout "${shrinking_s_max}" "${simulate}" --seed="$1" --shrink \
    --scenario="${folder}/scenario.txt" > "${folder}/shrunk.txt" 2>&1
  echo "seed $1: see test.outputs of this shard, seed_$1"
}

main() {
  simulate="$1"
  local after=0 each=100 argument
  for argument in "${@:2}"; do
    case "${argument}" in
      --after=*) after="${argument#*=}" ;;
      --commit=*) after="$(seeds_of_commit "${argument#*=}")" ;;
      --each=*) each="${argument#*=}" ;;
      *) echo "unknown argument: ${argument}" >&2; return 2 ;;
    esac
  done

  # Bazel sets these if the test is sharded; it numbers runs from 1.
  local shard="${TEST_SHARD_INDEX:-0}" shards="${TEST_TOTAL_SHARDS:-1}"
  local run="${TEST_RANDOM_SEED:-1}"
  [[ -z "${TEST_SHARD_STATUS_FILE:-}" ]] || touch "${TEST_SHARD_STATUS_FILE}"
  local first=$((after + ((run - 1) * shards + shard) * each + 1))
  local seeds="--seeds=${first}..$((first + each - 1))"

  local log="${TEST_TMPDIR}/log"
  echo "to run these seeds: tools/bazel run -c opt //tools:simulate -- ${seeds}"
  "${simulate}" "${seeds}" --jobs=1 2>&1 | tee "${log}"
  local status="${PIPESTATUS[0]}"

  local seed
  sed -n 's/^seed \([0-9]*\) FAILED.*/\1/p' "${log}" |
    head -n "${looked_at_max}" |
    while read -r seed; do record "${seed}"; done
  return "${status}"
}

main "$@"
