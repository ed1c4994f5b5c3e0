#!/bin/bash
# What no seed can mean is refused, with the exit code that --help promises:
# nobody believes to have run a seed that was not run.
set -euo pipefail

simulate=tools/simulate
failed=0
for arguments in --seed=-1 --seed=18446744073709551616 --seed=abc --seed= \
  "--seed=1 --seeds=1..2" --seeds=2..1 --no-such-flag; do
  status=0
  # Words of one command line.
  # shellcheck disable=SC2086
  "$simulate" $arguments >"$TEST_TMPDIR/out" 2>"$TEST_TMPDIR/err" || status=$?
  if [[ $status != 2 || ! -s "$TEST_TMPDIR/err" ]]; then
    echo "$arguments: exit code $status, and it says:" >&2
    cat "$TEST_TMPDIR/err" >&2
    failed=1
  fi
done
exit "$failed"
