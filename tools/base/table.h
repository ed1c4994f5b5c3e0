#ifndef TOOLS_BASE_TABLE_H_
#define TOOLS_BASE_TABLE_H_

#include <string>
#include <vector>

namespace cachalot::tools {

// Rows of words under a header, in aligned columns, for people to read. Text
// from others is to be escaped (io/escape.h) before it is added.
class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // REQUIRES: as many cells as the header has.
  void Add(std::vector<std::string> row);

  // Each row on its line, the header first; columns two spaces apart, no
  // spaces at the ends of lines.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cachalot::tools

#endif  // TOOLS_BASE_TABLE_H_
