// SPDX-License-Identifier: Apache-2.0
#include "economics/training_run.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace fareline {
namespace {

Interruptions dalys(double hours, double write = 5) {
  return {.between = hours * unit::hour, .write = write * unit::minute, .restart = 10 * unit::minute};
}

TEST(CheckpointInterval, IsDalysInHisThreeExamples) {
  // Daly 2006, captions of figures 3 to 5: 117, 57 and 9.1 minutes.
  EXPECT_NEAR(checkpoint_interval(dalys(24)).in(unit::minute), 117, 0.5);
  EXPECT_NEAR(checkpoint_interval(dalys(6)).in(unit::minute), 57, 0.5);
  EXPECT_NEAR(checkpoint_interval(dalys(0.25)).in(unit::minute), 9.1, 0.05);
}

TEST(CheckpointInterval, TendsToYoungsWhereFailuresAreRare) {
  const Interruptions rare = dalys(1e6);
  EXPECT_NEAR(checkpoint_interval(rare) / (std::sqrt(2 * rare.write.coherent() * rare.between.coherent()) * unit::s), 1, 0.002);
}

RC_GTEST_PROP(CheckpointInterval, IsWithinAThousandthOfTheLeastWallTime, ()) {
  const Interruptions run = dalys(*rc::gen::inRange(2, 1000), *rc::gen::inRange(1, 100) / 10.0);
  const Seconds chosen = wall_time(run, unit::year, checkpoint_interval(run));
  for (double scale = 0.5; scale < 2; scale *= 1.01)
    RC_ASSERT(chosen <= 1.001 * wall_time(run, unit::year, scale * checkpoint_interval(run)));
}

RC_GTEST_PROP(WallTime, GrowsWithEveryInterruption, ()) {
  const Interruptions run = dalys(*rc::gen::inRange(1, 1000));
  const Seconds interval = *rc::gen::inRange(1, 300) * unit::minute, wall = wall_time(run, unit::year, interval);
  RC_ASSERT(wall > unit::year);
  for (Interruptions worse : {Interruptions{0.9 * run.between, run.write, run.restart}, {run.between, 1.1 * run.write, run.restart},
                              {run.between, run.write, 1.1 * run.restart}})
    RC_ASSERT(wall_time(worse, unit::year, interval) > wall);
}

TEST(WallTime, IsTheUsefulTimeAndItsCheckpointsWithoutFailures) {
  const Interruptions never = dalys(1e9);
  EXPECT_NEAR(wall_time(never, 100 * unit::hour, unit::hour) / (100 * (unit::hour + never.write)), 1, 1e-6);
}

// A run lived through failure by failure.
Seconds lived(const Interruptions& run, Seconds useful, Seconds interval, std::mt19937_64& random) {
  const auto next_failure = [&] {
    const double u = (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53;
    return -std::log(u) * run.between;
  };
  Seconds wall, done, left = next_failure();
  while (done < useful) {
    Seconds segment = interval + run.write;
    while (left < segment) {  // lost; restarts until one goes through
      wall += left;
      left = next_failure();
      while (left < run.restart) {
        wall += left;
        left = next_failure();
      }
      wall += run.restart;
      left -= run.restart;
    }
    wall += segment;
    left -= segment;
    done += interval;
  }
  return wall;
}

TEST(WallTime, IsWhatARunLivesThrough) {
  const Interruptions run = dalys(3);
  std::mt19937_64 random(1);
  const Seconds useful = 1000 * unit::hour;
  Seconds sum;
  constexpr int runs = 200;
  for (int i = 0; i < runs; ++i) sum += lived(run, useful, unit::hour, random);
  EXPECT_NEAR(sum / runs / wall_time(run, useful, unit::hour), 1, 0.01);
}

TEST(ChipBetweenFailures, StopsSixteenThousandChipsEveryThreeHours) {
  // Llama 3: "one failure every three hours" of 16,384.
  EXPECT_NEAR((chip_between_failures / 16384).in(unit::hour), 3.1, 0.05);
}

TEST(RunCost, AddsUpOverChipsAndTime) {
  const RunCost cost = run_cost(16, 10 * unit::hour, 2 * unit::usd / unit::hour, 1 * unit::kW, 1.25, 0.1 * unit::usd / unit::kWh);
  EXPECT_NEAR(cost.rent.in(unit::usd), 320, 1e-9);
  EXPECT_NEAR(cost.energy.in(unit::kWh), 200, 1e-9);
  EXPECT_NEAR(cost.electricity.in(unit::usd), 20, 1e-9);
}

}  // namespace
}  // namespace fareline
