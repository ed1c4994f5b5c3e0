#ifndef TESTS_PURITY_SOURCE_TREE_H_
#define TESTS_PURITY_SOURCE_TREE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cachalot::purity {

// The repository's own files, read as text by the tests that watch its form.
//
// Tests see the tree through the file WORKSPACE in their runfiles, which links
// to the real one: a list of files in BUILD would miss the file that nobody
// listed. Such tests are tagged `external`, so that Bazel runs them each time.
class SourceTree {
 public:
  // CHECKs that the tree is found.
  static SourceTree Find();

  // Files below `folder` ("" for all of them), relative to the top, sorted;
  // without what git and Bazel keep there.
  std::vector<std::string> Files(absl::string_view folder) const;
  // Names directly below the top, sorted; without git's and Bazel's.
  std::vector<std::string> TopLevel() const;
  // CHECKs that it can be read.
  std::string Read(const std::string& path) const;
  std::string Absolute(const std::string& path) const;

 private:
  explicit SourceTree(std::string root) : root_(std::move(root)) {}

  std::string root_;
};

// Whether `path` is C++ that we wrote.
bool IsCpp(absl::string_view path);

}  // namespace cachalot::purity

#endif  // TESTS_PURITY_SOURCE_TREE_H_
