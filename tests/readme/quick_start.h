#ifndef TESTS_README_QUICK_START_H_
#define TESTS_README_QUICK_START_H_

#include <string>

// The README's main().
int QuickStart();
// Where it listens, in place of the README's address.
std::string OwnAddress();

#endif  // TESTS_README_QUICK_START_H_
