#!/bin/bash
# Arguments that are not seeds are refused with exit code 2, as --help says, so that
# nobody believes that such a seed was run.
set -euo pipefail

simulate=tools/simulate
failed=0
for arguments in --seed=-1 --seed=18446744073709551616 --seed=abc --seed= \
  "--seed=1 --seeds=1..2" --seeds=2..1 --no-such-flag; do
  status=0
  # Unquoted: may be several arguments.
  # shellcheck disable=SC2086
  "$simulate" $arguments >"$TEST_TMPDIR/out" 2>"$TEST_TMPDIR/err" || status=$?
  if [[ $status != 2 || ! -s "$TEST_TMPDIR/err" ]]; then
    echo "$arguments: exit code $status, stderr:" >&2
    cat "$TEST_TMPDIR/err" >&2
    failed=1
  fi
done
exit "$failed"
