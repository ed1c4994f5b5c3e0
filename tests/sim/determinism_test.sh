#!/bin/bash
# One seed in two processes gives one trace, to the last byte. Two processes,
# since much that must not matter differs between them: where memory lies, and
# with it the order in which hashed containers would be walked.
set -euo pipefail

simulate=tools/simulate
for seed in 3 4 5 11; do
  "$simulate" --seed="$seed" --trace >"$TEST_TMPDIR/once"
  "$simulate" --seed="$seed" --trace >"$TEST_TMPDIR/again"
  if ! cmp "$TEST_TMPDIR/once" "$TEST_TMPDIR/again"; then
    echo "seed $seed: two processes, two traces" >&2
    diff "$TEST_TMPDIR/once" "$TEST_TMPDIR/again" | head -20 >&2
    exit 1
  fi
  # Watching does not change what happens.
  told=$(grep -o 'hash [0-9a-f]*' "$TEST_TMPDIR/once")
  untold=$("$simulate" --seed="$seed" | grep -o 'hash [0-9a-f]*')
  if [[ "$told" != "$untold" ]]; then
    echo "seed $seed: the trace changes the run" >&2
    exit 1
  fi
done

# However many processes share the work.
hash_of() { "$simulate" --seeds=1..12 --jobs="$1" | grep 'hash of all'; }
if [[ "$(hash_of 1)" != "$(hash_of 3)" ]]; then
  echo "the number of jobs changes the runs" >&2
  exit 1
fi
