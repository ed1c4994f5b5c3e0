#!/bin/bash
# Opens pages of runs in headless Chromium; see page_test.py.
set -euo pipefail

folder="$TEST_TMPDIR/pages"
mkdir -p "$folder"
tests/sim/report/write_runs "$folder"
tools/simulate --seed=2 --html="$folder/passing.html"
# Debian's Python, which is the one that has Debian's Selenium.
exec /usr/bin/python3 tests/sim/report/page_test.py "$folder"
