// GoogleTest's main for properties that RapidCheck tries. Its chance comes from
// a fixed seed, so that a test says the same each time it runs. One that fails
// prints an RC_PARAMS="reproduce=..." with which the test's binary, run
// directly, tries the failing case and nothing else; RC_PARAMS="seed=N
// max_success=M" tries others.

#include <cstdlib>

#include "gtest/gtest.h"

int main(int argc, char** argv) {
  setenv("RC_PARAMS", "seed=20260101", /*replace=*/0);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
