#include "tests/purity/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace cachalot::purity {

namespace {

namespace fs = std::filesystem;

bool BelongsToATool(const std::string& name) {
  return name == ".git" || name == ".cache" || absl::StartsWith(name, "bazel-");
}

void Collect(const fs::path& folder, const fs::path& root,
             std::vector<std::string>& files) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (BelongsToATool(entry.path().filename().string())) continue;
    if (entry.is_directory()) {
      Collect(entry.path(), root, files);
    } else {
      files.push_back(entry.path().lexically_relative(root).string());
    }
  }
}

}  // namespace

SourceTree SourceTree::Find() {
  std::error_code error;
  const fs::path workspace = fs::canonical("WORKSPACE", error);
  CHECK(!error) << "WORKSPACE is not among the runfiles: " << error.message();
  return SourceTree(workspace.parent_path().string());
}

std::vector<std::string> SourceTree::Files(absl::string_view folder) const {
  std::vector<std::string> files;
  Collect(fs::path(root_) / std::string(folder), root_, files);
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> SourceTree::TopLevel() const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(root_)) {
    const std::string name = entry.path().filename().string();
    if (!BelongsToATool(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string SourceTree::Read(const std::string& path) const {
  std::ifstream file(Absolute(path), std::ios::binary);
  CHECK(file.good()) << "cannot read " << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string SourceTree::Absolute(const std::string& path) const {
  return absl::StrCat(root_, "/", path);
}

bool IsCpp(absl::string_view path) {
  return absl::EndsWith(path, ".h") || absl::EndsWith(path, ".cc");
}

}  // namespace cachalot::purity
