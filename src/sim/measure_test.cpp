// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sim/measure_means.h"
#include "sim/measure_series.h"
#include "sim/measure_sketch.h"
#include "sim/traffic_random.h"

namespace fareline {
namespace {

RC_GTEST_PROP(DurationSketch, IsWithinItsErrorOfTheSortedList, ()) {
  const auto count = *rc::gen::inRange(1, 2000);
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const auto sigma = *rc::gen::inRange(0, 8);
  DurationSketch sketch;
  std::vector<double> all;
  for (int i = 0; i < count; ++i) {
    const double x = exponential(sigma * Draws(seed, Purpose::think, static_cast<std::uint64_t>(i)).normal());
    all.push_back(x);
    sketch.add(x * unit::s);
  }
  std::sort(all.begin(), all.end());
  for (const double rank : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = all[static_cast<std::size_t>(std::ceil(rank * count)) - 1];
    RC_ASSERT(std::abs(sketch.percentile(rank).in(unit::s) - exact) <= exact * 0x1p-9);
  }
  RC_ASSERT(sketch.least().in(unit::s) == all.front());
  RC_ASSERT(sketch.most().in(unit::s) == all.back());
}

TEST(DurationSketch, CountsWeightsAsSoManyTimes) {
  DurationSketch sketch;
  sketch.add(1.0 * unit::s, 98);
  sketch.add(2.0 * unit::s);
  sketch.add(Seconds{});
  EXPECT_EQ(sketch.count(), 100u);
  EXPECT_EQ(sketch.percentile(0.01), Seconds{});
  EXPECT_NEAR(sketch.percentile(0.5).in(unit::s), 1, 0x1p-9);
  EXPECT_EQ(sketch.percentile(1), 2.0 * unit::s);
  EXPECT_NEAR(sketch.mean().in(unit::s), 1, 1e-12);
  EXPECT_EQ(DurationSketch().percentile(0.5), Seconds{});
}

TEST(StudentT, IsTheTables) {
  // Abramowitz & Stegun, table 26.10, A = 0.95: 2.131 at 15, 2.040 at 31, 2.000 at 60.
  EXPECT_NEAR(student_t(15), 2.131, 0.001);
  EXPECT_NEAR(student_t(31), 2.040, 0.001);
  EXPECT_NEAR(student_t(60), 2.000, 0.001);
}

TEST(BatchMeans, CoverTheTruthAsOftenAsTheySay) {
  // Successive values with correlation 0.9: an interval from single values would be four times too narrow.
  int covered = 0;
  constexpr int runs = 400;
  for (std::uint64_t run = 0; run < runs; ++run) {
    BatchMeans means;
    Draws draws(run, Purpose::think, 0);
    double x = draws.normal();
    for (int i = 0; i < 20000; ++i) {
      x = 0.9 * x + std::sqrt(1 - 0.81) * draws.normal();
      means.add((10 + x) * unit::s);
    }
    ASSERT_TRUE(means.known());
    const Interval interval = means.interval();
    covered += interval.low <= 10.0 * unit::s && 10.0 * unit::s <= interval.high;
  }
  EXPECT_NEAR(covered / double(runs), 0.95, 4 * std::sqrt(0.95 * 0.05 / runs));
}

RC_GTEST_PROP(TimeSeries, LosesNothingHoweverLongTheRun, ()) {
  TimeSeries series;
  Seconds now{}, waiting{}, running{};
  std::uint64_t finished = 0;
  double used = 0;
  for (const auto step : *rc::gen::container<std::vector<std::uint32_t>>(200, rc::gen::inRange<std::uint32_t>(0, 100000))) {
    const Level level{.waiting = step % 7, .running = step % 11, .pages_used = step % 1000, .up = 1};
    const Seconds next = now + step * 1e-3 * unit::s;
    series.hold(level, next);
    waiting += static_cast<double>(level.waiting) * (next - now);
    running += static_cast<double>(level.running) * (next - now);
    used += static_cast<double>(level.pages_used) * (next - now).in(unit::s);
    now = next;
    series.finish(now, 3, 2);
    ++finished;
  }
  Stretch sum;
  for (const Stretch& stretch : series.stretches()) {
    RC_ASSERT(stretch.covered <= series.length() * (1 + 1e-12));
    sum.covered += stretch.covered, sum.waiting += stretch.waiting, sum.running += stretch.running;
    sum.used += stretch.used, sum.finished += stretch.finished;
  }
  const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-9 * (1 + std::abs(b)); };
  RC_ASSERT(near(sum.covered.in(unit::s), now.in(unit::s)));
  RC_ASSERT(near(sum.waiting.in(unit::s), waiting.in(unit::s)));
  RC_ASSERT(near(sum.running.in(unit::s), running.in(unit::s)));
  RC_ASSERT(near(sum.used, used));
  RC_ASSERT(sum.finished == finished);
  RC_ASSERT(series.stretches().size() <= TimeSeries::most_stretches);
}

}  // namespace
}  // namespace fareline
