#ifndef TESTS_FUZZ_CORPUS_H_
#define TESTS_FUZZ_CORPUS_H_

#include <string>
#include <vector>

namespace cachalot {

// What one fuzz target is fed to begin with: beside each *_fuzz.cc stands a
// *_corpus.cc that defines this.
std::vector<std::string> Corpus();

}  // namespace cachalot

#endif  // TESTS_FUZZ_CORPUS_H_
