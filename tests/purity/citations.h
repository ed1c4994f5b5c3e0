#ifndef TESTS_PURITY_CITATIONS_H_
#define TESTS_PURITY_CITATIONS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cachalot::purity {

// The repository's files by their paths from the top.
using Files = std::map<std::string, std::string>;

// Comments cite documents by their names, and rules by their numbers. What is
// cited has to be in the tree:
//
//   a path that ends in .md       that file, from the top or from the folder of
//   or README.md                  the one that cites it
//   another name that does        a file of that name, wherever it is
//   rule 7, rules 2 and 3         a heading of engine/consensus/README.md
//   lemma 1                       a heading of engine/client/README.md
//   R4, R3a                       a rule of engine/membership/README.md
//   D1                            a rule of engine/README.md
//
// Of C++ the comments are read, of Markdown everything, of other text what
// stands in comments. The path of a citation that leads nowhere and the
// citation, for each.
std::vector<std::string> LostCitations(const Files& files);

// What a README with rules says of the code is true of it:
//
//   - Code: `A::B`, `C` in `path`    B and C are words of that file
//   - Tests: `Suite.Name`            there is such a test
//   - Judges: `Name`                 a word of a header in sim/
//   - Planted bugs: `name`           tests/mutants/name.patch is there
//
// and each `path/to/file.cc` in backquotes is a file. One complaint for each
// that is not.
std::vector<std::string> LostReferences(const Files& files,
                                        const std::string& readme);

// The planted bugs of engine/ that none of its READMEs names in backquotes.
std::vector<std::string> UnnamedBugs(const Files& files);

// The text of the comments of C++, without their slashes, a line each.
std::string CommentsOfCpp(absl::string_view code);

}  // namespace cachalot::purity

#endif  // TESTS_PURITY_CITATIONS_H_
