// SPDX-License-Identifier: Apache-2.0
#include "perf/collectives.h"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/scenes.h"

namespace fareline {
namespace {

using namespace test;

constexpr Bandwidth up = 450 * unit::GB / unit::s, out = 50 * unit::GB / unit::s;

RankGroup group(int ranks, int in_domain, Seconds latency, Seconds peer = {}) {
  return {.ranks = ranks,
          .ranks_in_domain = in_domain,
          .direct = {latency, up},
          .phased = {2 * latency, up},
          .out = {3 * latency, out},
          .peer = peer};
}

using Collective = Seconds (*)(const RankGroup&, Bytes);
constexpr Collective sums_and_gathers[] = {all_reduce_time, all_gather_time, reduce_scatter_time};

TEST(Collectives, TakeNoTimeOnOneRank) {
  for (const Collective time : sums_and_gathers) EXPECT_EQ(time(group(1, 1, 5 * unit::us), 1 * unit::GB), Seconds{});
  EXPECT_EQ(all_to_all_time(group(1, 1, 5 * unit::us), 1 * unit::GB, Bytes{}), Seconds{});
  EXPECT_EQ(all_reduce_floor(1, 1 * unit::GB), Bytes{});
}

TEST(Collectives, TakeTheirHopsWhenNothingIsSent) {
  const Seconds latency = 2 * unit::us, peer = 0.5 * unit::us;
  for (const int p : {2, 4, 8})
    for (const Collective time : sums_and_gathers)
      EXPECT_NEAR(time(group(p, p, latency, peer), Bytes{}).in(unit::us), 2 + 0.5 * (p - 1), 1e-12);
  // Over four domains of one: the tree's two walks of log2(4) hops beat the ring's six.
  EXPECT_NEAR(all_reduce_time(group(4, 1, latency), Bytes{}).in(unit::us), 2 * 2 * 6, 1e-12);
}

TEST(AllReduce, TendsToTheRingsVolume) {
  for (const int p : {2, 3, 8, 72}) {
    const Bytes large = 1e15 * unit::B;
    EXPECT_NEAR(all_reduce_time(group(p, p, 5 * unit::us), large) / (2 * (p - 1.0) / p * large / up), 1, 1e-6) << p;
    EXPECT_NEAR(all_reduce_time(group(p, 1, 5 * unit::us), large) / (2 * (p - 1.0) / p * large / out), 1, 1e-6) << p;
    EXPECT_NEAR(all_gather_time(group(p, p, 5 * unit::us), large) / ((p - 1.0) / p * large / up), 1, 1e-6) << p;
  }
}

TEST(AllReduce, SendsSmallVectorsWhole) {
  // One-shot: one latency and p - 1 vectors, where two phases would take twice the latency.
  EXPECT_NEAR(all_reduce_time(group(8, 8, 5 * unit::us), 1024 * unit::B).in(unit::us), 5 + 7 * 1024 / 450e3, 1e-9);
}

TEST(Collectives, GrowWithSizeAndRanks) {
  EXPECT_TRUE(rc::check([] {
    const int p = 1 << *rc::gen::inRange(0, 7), domain = 1 << *rc::gen::inRange(0, 7);
    const Seconds latency = any_time(10 * unit::us), peer = any_time(1 * unit::us);
    const Bytes size = *rc::gen::inRange(0, 1'000'000'000) * unit::B;
    const RankGroup few = group(p, std::min(p, domain), latency, peer), many = group(2 * p, std::min(2 * p, domain), latency, peer);
    for (const Collective time : sums_and_gathers) {
      RC_ASSERT(time(few, 1.5 * size) >= time(few, size));
      RC_ASSERT(at_least(time(many, size), time(few, size)));
    }
  }));
}

TEST(Collectives, AreSlowerOverSeveralDomainsThanOverOne) {
  EXPECT_TRUE(rc::check([] {
    const int domain = 1 << *rc::gen::inRange(0, 5), domains = 1 << *rc::gen::inRange(1, 5), p = domain * domains;
    const Bytes size = *rc::gen::inRange(1, 1'000'000'000) * unit::B;
    for (const Collective time : sums_and_gathers) RC_ASSERT(at_least(time(group(p, domain, {}), size), time(group(p, p, {}), size)));
  }));
}

TEST(Collectives, AreNeverFasterThanTheirFloorOnAnySystem) {
  EXPECT_TRUE(rc::check([] {
    const System& system = all_systems()[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(all_systems().size())))];
    const Efficiency e = any_calibration().at(Kernel::all_reduce, Format::bf16);
    const int p = any_power(64), stride = any_power(16);
    if (p * stride > system.domain && !system.scale_out.bandwidth.stated()) return;
    if (p * stride > 1 && system.domain == 1 && !system.scale_out.bandwidth.stated()) return;
    const RankGroup real = rank_group(system, p, stride, e), best = ideal_rank_group(system, p, stride);
    const Bytes size = *rc::gen::inRange(1, 1'000'000'000) * unit::B;
    if (p == 1) return;
    const Bandwidth port = best.ranks_in_domain > 1 ? best.direct.bandwidth : best.out.bandwidth;
    RC_ASSERT(at_least(all_reduce_time(real, size), all_reduce_floor(p, size) / port));
    RC_ASSERT(at_least(all_reduce_time(real, size), all_reduce_time(best, size)));
    RC_ASSERT(at_least(all_gather_time(real, size), all_gather_time(best, size)));
    RC_ASSERT(at_least(point_to_point_time(real, size), point_to_point_time(best, size)));
    RC_ASSERT(at_least(all_to_all_time(real, size, 0.5 * size), all_to_all_time(best, size, 0.5 * size)));
  }));
}

TEST(ExpectedDistinct, IsTheMeanOfDrawsWithinItsConfidenceInterval) {
  std::mt19937_64 random(3);
  for (const auto& [bins, draws] : {std::array{8, 8}, {64, 8}, {4, 1}, {2, 9}, {16, 4}}) {
    const int trials = 20'000;
    double sum = 0, squares = 0;
    for (int t = 0; t < trials; ++t) {
      std::vector<char> hit(static_cast<std::size_t>(bins), 0);
      for (int d = 0; d < draws; ++d) hit[static_cast<std::size_t>(std::uniform_int_distribution(0, bins - 1)(random))] = 1;
      const double distinct = static_cast<double>(std::count(hit.begin(), hit.end(), 1));
      sum += distinct;
      squares += distinct * distinct;
    }
    const double mean = sum / trials;
    EXPECT_NEAR(expected_distinct(bins, draws), mean, 4 * std::sqrt((squares / trials - mean * mean) / trials) + 1e-12)
        << bins << ", " << draws;
  }
}

TEST(ExpectedDistinct, HasItsLimits) {
  EXPECT_EQ(expected_distinct(1, 8), 1);
  EXPECT_EQ(expected_distinct(1, 0), 0);
  EXPECT_NEAR(expected_distinct(64, 1), 1, 1e-12);
  EXPECT_NEAR(expected_distinct(64, 1e6), 64, 1e-9);
}

}  // namespace
}  // namespace fareline
