// SPDX-License-Identifier: Apache-2.0
#include "economics/capacity.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fareline {
namespace {

MemoryMarket rack() {
  return {.chips = 72,
          .capacity = 192 * unit::GB,
          .bandwidth = 8 * unit::TB / unit::s,
          .peak = 5e15 * unit::flop / unit::s,
          .weights = 700 * unit::GB,
          .sequence = 1 * unit::GB,
          .active = 37e9,
          .rate = 3 * unit::usd / unit::hour,
          .memory_share = 0.1,
          .pace = 20 * unit::ms};
}

// 1 TB over 64 x 4 chips: the lecture at 1:06:25.
TEST(WeightsPerChip, AreAllOfThemOverExpertsAndStages) {
  EXPECT_EQ(weights_per_chip({.weights = 1 * unit::TB, .experts = 64, .stages = 4}).in(unit::GB), 3.90625);
}

// The lecture at 1:11:16.
TEST(KvPerChip, DoesNotChangeWithStagesThatAreKeptFull) {
  EXPECT_TRUE(rc::check([] {
    const double stages = 1 << *rc::gen::inRange(0, 6);
    const MemorySplit one{.sequence = *rc::gen::inRange(1, 1000) * unit::MB, .experts = 64, .in_flight = 2000.0};
    MemorySplit many = one;
    many.stages = many.micro_batches = stages;
    RC_ASSERT(kv_per_chip(many) == kv_per_chip(one));
    RC_ASSERT(weights_per_chip(many) * stages == weights_per_chip(one));
  }));
}

TEST(AtMemory, HoldsMoreTheMoreThereIsAndNeverBreaksThePace) {
  EXPECT_TRUE(rc::check([] {
    MemoryMarket m = rack();
    m.pace = *rc::gen::inRange(1, 100) * unit::ms;
    const double scale = *rc::gen::inRange(5, 200) / 100.0, more = scale * 1.5;
    const MemoryPoint a = at_memory(m, scale), b = at_memory(m, more);
    RC_ASSERT(b.sequences >= a.sequences);
    RC_ASSERT(!a.fits || a.step <= m.pace * (1 + 1e-12));
    m.memory_share = 0;  // memory for nothing: a token is never dearer with more of it
    if (a.fits) RC_ASSERT(at_memory(m, more).price <= at_memory(m, scale).price * (1 + 1e-12));
  }));
}

TEST(AtMemory, DoesNotFitWithoutRoomForASequenceBesideTheWeights) {
  MemoryMarket m = rack();
  EXPECT_FALSE(at_memory(m, 700.5 / (72 * 192)).fits);
  EXPECT_TRUE(at_memory(m, 701.5 / (72 * 192)).fits);
}

TEST(AtMemory, CostsTheRateWhereNothingIsScaled) { EXPECT_EQ(at_memory(rack(), 1).rate, rack().rate); }

TEST(MemoryShare, IsAtMostAll) {
  EXPECT_NEAR(memory_share(15 * unit::usd / unit::GB, 192 * unit::GB, 40'000 * unit::usd), 0.072, 1e-12);
  EXPECT_EQ(memory_share(1000 * unit::usd / unit::GB, 192 * unit::GB, 40'000 * unit::usd), 1);
}

}  // namespace
}  // namespace fareline
