#include "engine/membership/rota.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_set.h"
#include "engine/ids.h"
#include "engine/random.h"
#include "gtest/gtest.h"

namespace cachalot {
namespace {

NodeId Id(uint64_t number) { return {.high = 0, .low = number}; }

Rota RotaOf(uint64_t count, Random& random) {
  Rota rota;
  for (uint64_t i = 1; i <= count; ++i) rota.Add(Id(i), random);
  return rota;
}

std::vector<NodeId> Round(Rota& rota, Random& random) {
  std::vector<NodeId> round;
  for (size_t i = 0; i < rota.size(); ++i) {
    round.push_back(*rota.Next(random));
  }
  return round;
}

TEST(RotaTest, IsEmptyAtFirst) {
  Random random(1);
  EXPECT_EQ(Rota().Next(random), std::nullopt);
}

TEST(RotaTest, VisitsEveryoneOncePerRound) {
  Random random(1);
  Rota rota = RotaOf(20, random);
  for (int i = 0; i < 5; ++i) {
    const std::vector<NodeId> round = Round(rota, random);
    EXPECT_EQ(absl::btree_set<NodeId>(round.begin(), round.end()).size(), 20u);
  }
}

TEST(RotaTest, DrawsANewOrderEachRound) {
  Random random(1);
  Rota rota = RotaOf(20, random);
  EXPECT_NE(Round(rota, random), Round(rota, random));
}

TEST(RotaTest, DoesNotVisitTheRemoved) {
  Random random(1);
  Rota rota = RotaOf(5, random);
  const NodeId visited = *rota.Next(random);
  const NodeId removed = visited == Id(3) ? Id(4) : Id(3);
  rota.Remove(removed);
  rota.Remove(visited);

  EXPECT_EQ(rota.Sorted().size(), 3u);
  absl::btree_set<NodeId> rest;
  for (int i = 0; i < 3; ++i) rest.insert(*rota.Next(random));
  EXPECT_EQ(rest.size(), 3u);
  EXPECT_FALSE(rest.contains(removed));
  EXPECT_FALSE(rest.contains(visited));
}

TEST(RotaTest, NewcomersDoNotMakeAnybodyMissATurn) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    Rota rota = RotaOf(4, random);
    absl::btree_set<NodeId> visited;
    visited.insert(*rota.Next(random));
    visited.insert(*rota.Next(random));
    rota.Add(Id(5), random);
    // Two are left of the first four; the newcomer may stand before them.
    for (int i = 0; i < 3; ++i) visited.insert(*rota.Next(random));
    for (uint64_t i = 1; i <= 4; ++i) EXPECT_TRUE(visited.contains(Id(i)));
  }
}

TEST(RotaTest, NewcomersGetEveryPlace) {
  absl::btree_set<size_t> places;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    Rota rota = RotaOf(4, random);
    rota.Add(Id(5), random);
    size_t place = 0;
    while (*rota.Next(random) != Id(5)) ++place;
    places.insert(place);
  }
  EXPECT_EQ(places.size(), 5u);
}

}  // namespace
}  // namespace cachalot
