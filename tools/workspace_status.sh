#!/bin/bash
#
# What Bazel asks before each build (--workspace_status_command): the commit
# that this tree is, for tests that draw their seeds from it. A tree that is not
# exactly a commit, or no checkout at all, is "none": it has the same seeds each
# time, so that they do not change under whoever is at work.

set -uo pipefail
export GIT_OPTIONAL_LOCKS=0  # never in the way of somebody else's git

# is_commit: whether this folder is the top of a checkout without changes.
is_commit() {
  # A source archive may have been unpacked within another project's checkout.
  [[ -e .git ]] && git diff --quiet HEAD -- 2>/dev/null
}

commit=none
is_commit && commit="$(git rev-parse --verify HEAD)"
echo "STABLE_COMMIT ${commit}"
