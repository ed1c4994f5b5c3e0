#include "sim/world/agenda.h"

#include <string>

#include "gtest/gtest.h"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

RealInstant At(int64_t nanoseconds) {
  return RealInstant::FromNanoseconds(nanoseconds);
}

TEST(AgendaTest, GivesTheEarliestFirst) {
  Agenda<std::string> agenda;
  agenda.Add(At(30), "c");
  agenda.Add(At(10), "a");
  agenda.Add(At(20), "b");
  EXPECT_EQ(agenda.NextDue(), At(10));
  EXPECT_EQ(agenda.TakeNext(), "a");
  EXPECT_EQ(agenda.TakeNext(), "b");
  EXPECT_EQ(agenda.TakeNext(), "c");
}

TEST(AgendaTest, BreaksTiesByTheOrderOfAdding) {
  Agenda<int> agenda;
  for (int i = 0; i < 100; ++i) agenda.Add(At(5), i);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(agenda.TakeNext(), i);
}

TEST(AgendaTest, IsNeverDueWhenEmpty) {
  EXPECT_EQ(Agenda<int>().NextDue(), RealInstant::Never());
}

TEST(AgendaTest, ACopyIsIndependent) {
  Agenda<int> agenda;
  agenda.Add(At(1), 1);
  Agenda<int> copy = agenda;
  EXPECT_EQ(agenda.TakeNext(), 1);
  EXPECT_EQ(copy.size(), 1u);
}

}  // namespace
}  // namespace cachalot::sim
