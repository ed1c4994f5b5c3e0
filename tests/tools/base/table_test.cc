#include "tools/base/table.h"

#include "gtest/gtest.h"

namespace cachalot::tools {
namespace {

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"KEY", "HOLDER", "LEFT"});
  table.Add({"demo", "n1", "12s"});
  table.Add({"a-longer-key", "n2", "1m30s"});
  EXPECT_EQ(table.ToString(),
            "KEY           HOLDER  LEFT\n"
            "demo          n1      12s\n"
            "a-longer-key  n2      1m30s\n");
}

TEST(TableTest, ColumnsAreCountedAsATerminalShowsThem) {
  Table table({"KEY", "LEFT"});
  table.Add({"Schl\xc3\xbcssel", "12s"});
  table.Add({"\xe9\x8d\xb5", "12s"});
  EXPECT_EQ(table.ToString(),
            "KEY        LEFT\n"
            "Schl\xc3\xbcssel  12s\n"
            "\xe9\x8d\xb5         12s\n");
}

TEST(TableTest, EmptyCellsLeaveNoSpacesAtTheEnd) {
  Table table({"KEY", "OWNER"});
  table.Add({"demo", ""});
  EXPECT_EQ(table.ToString(), "KEY   OWNER\ndemo\n");
}

}  // namespace
}  // namespace cachalot::tools
