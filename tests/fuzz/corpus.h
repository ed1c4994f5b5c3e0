#ifndef TESTS_FUZZ_CORPUS_H_
#define TESTS_FUZZ_CORPUS_H_

#include <string>
#include <vector>

namespace cachalot {

// The initial inputs of one fuzz target. Each *_fuzz.cc has a *_corpus.cc that
// defines this function.
std::vector<std::string> Corpus();

}  // namespace cachalot

#endif  // TESTS_FUZZ_CORPUS_H_
