#!/bin/bash
# One seed gives the same trace in two processes, byte for byte. Two processes,
# because their memory layouts differ, and with them the iteration order of hashed
# containers.
set -euo pipefail

simulate=tools/simulate
for seed in 3 4 5 11; do
  "$simulate" --seed="$seed" --trace >"$TEST_TMPDIR/once"
  "$simulate" --seed="$seed" --trace >"$TEST_TMPDIR/again"
  if ! cmp "$TEST_TMPDIR/once" "$TEST_TMPDIR/again"; then
    echo "seed $seed: the traces of two processes differ" >&2
    diff "$TEST_TMPDIR/once" "$TEST_TMPDIR/again" | head -20 >&2
    exit 1
  fi
  # Tracing does not change the run.
  told=$(grep -o 'hash [0-9a-f]*' "$TEST_TMPDIR/once")
  untold=$("$simulate" --seed="$seed" | grep -o 'hash [0-9a-f]*')
  if [[ "$told" != "$untold" ]]; then
    echo "seed $seed: the trace changes the run" >&2
    exit 1
  fi
done

# The number of worker processes does not change the runs.
hash_of() { "$simulate" --seeds=1..12 --jobs="$1" | grep 'hash of all'; }
if [[ "$(hash_of 1)" != "$(hash_of 3)" ]]; then
  echo "the number of jobs changes the runs" >&2
  exit 1
fi
