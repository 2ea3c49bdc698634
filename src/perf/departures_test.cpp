// SPDX-License-Identifier: Apache-2.0
#include "perf/departures.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace fareline {
namespace {

Trains trains(double seats, double load) {
  return {.interval = 20 * unit::ms, .seats = seats, .rate = load * seats / (20 * unit::ms)};
}

TEST(Departures, AreThoseOfTheLecture) {
  EXPECT_NEAR(memory_drain_time(288 * unit::GB, 20 * unit::TB / unit::s).in(unit::ms), 14.4, 1e-9);
  EXPECT_EQ(worst_latency(20 * unit::ms).in(unit::ms), 40);
  EXPECT_NEAR(pass_throughput(2000, unit::s / 64) / (unit::token / unit::s), 128000, 1e-6);
}

// One seat is the queue M/D/1 seen at scheduled departures: P(nobody left) = (1 - rho) e^rho; the mean left is rho^2 / (2 (1 - rho)).
// Source: Gross & Harris, Fundamentals of Queueing Theory, section 5.1.
TEST(Platform, OfOneSeatIsTheQueueOfDeterministicService) {
  for (const double rho : {0.1, 0.5, 0.8}) {
    const Platform steady = platform(trains(1, rho));
    EXPECT_NEAR(steady.left_behind[0], (1 - rho) * std::exp(rho), 1e-9) << rho;
    EXPECT_NEAR(steady.mean_left, rho * rho / (2 * (1 - rho)), 1e-8) << rho;
  }
}

// The chain itself, iterated until it stands still: slow and obvious.
TEST(Platform, IsTheChainsOwnSteadyState) {
  for (const auto& [seats, load] : {std::pair{4, 0.7}, {10, 0.9}, {32, 0.85}}) {
    const double mean = seats * load;
    const std::size_t size = 600;
    std::vector<double> arrivals(300), p(size, 0);
    for (std::size_t n = 0; n < arrivals.size(); ++n)
      arrivals[n] = std::exp(static_cast<double>(n) * std::log(mean) - mean - std::lgamma(static_cast<double>(n) + 1));
    p[0] = 1;
    for (int step = 0; step < 1500; ++step) {
      std::vector<double> next(size, 0);
      for (std::size_t w = 0; w < size; ++w) {
        if (p[w] < 1e-18) continue;
        for (std::size_t n = 0; n < arrivals.size(); ++n) {
          const auto left = w + n > static_cast<std::size_t>(seats) ? w + n - static_cast<std::size_t>(seats) : 0;
          next[std::min(left, size - 1)] += p[w] * arrivals[n];
        }
      }
      p = next;
    }
    const Platform steady = platform(trains(seats, load));
    ASSERT_FALSE(steady.approximate);
    double mean_left = 0;
    for (std::size_t w = 0; w < size; ++w) mean_left += static_cast<double>(w) * p[w];
    EXPECT_NEAR(steady.mean_left, mean_left, 1e-6) << seats;
    for (std::size_t w = 0; w < 20; ++w) EXPECT_NEAR(steady.left_behind[w], p[w], 1e-8) << seats << " " << w;
  }
}

// Passengers one by one, through 20,000 trains; the trains' times and the order are all that is assumed.
TEST(Waits, AreThoseOfASimulation) {
  for (const auto& [seats, load] : {std::pair{8.0, 0.8}, {64.0, 0.95}, {500.0, 0.98}}) {
    const Trains t = trains(seats, load);
    const double interval = t.interval.in(unit::s);
    std::mt19937_64 random(7);
    std::exponential_distribution<double> gap(t.rate * unit::s);
    std::vector<double> arrivals, waits;
    for (double at = gap(random); at < 20000 * interval; at += gap(random)) arrivals.push_back(at);
    std::size_t boarded = 0;
    for (int train = 1; train <= 20000; ++train)
      for (int seat = 0; seat < static_cast<int>(seats) && boarded < arrivals.size() && arrivals[boarded] < train * interval;
           ++seat, ++boarded)
        waits.push_back(train * interval - arrivals[boarded]);
    double mean = 0;
    for (const double wait : waits) mean += wait / static_cast<double>(waits.size());
    std::sort(waits.begin(), waits.end());
    const Platform steady = platform(t);
    EXPECT_NEAR(mean_wait(t, steady).in(unit::s) / mean, 1, 0.04) << seats;
    for (const double share : {0.5, 0.9, 0.99}) {
      const double measured = waits[static_cast<std::size_t>(share * static_cast<double>(waits.size()))];
      EXPECT_NEAR(wait_percentile(t, steady, share).in(unit::s) / measured, 1, 0.06) << seats << " " << share;
    }
  }
}

// What the average over u says, point by point and person by person.
double exceeds_slowly(const Trains& t, const Platform& steady, Seconds time) {
  constexpr int points = 1024;
  std::vector<double> fewer{0};  // chance that fewer than so many were left behind
  for (const double chance : steady.left_behind) fewer.push_back(fewer.back() + chance);
  double total = 0;
  for (int i = 0; i < points; ++i) {
    const double until = (i + 0.5) / points, passed = time / t.interval;
    const double gone = passed < until ? 0 : std::floor(passed - until) + 1, mean = t.rate * t.interval * (1 - until);
    double chance = std::exp(-mean), exceeds = 1;  // P(W + N < room), N from none upwards
    for (double n = 0; n < gone * t.seats; ++n) {
      exceeds -= chance * fewer[std::min(fewer.size() - 1, static_cast<std::size_t>(gone * t.seats - n))];
      chance *= mean / (n + 1);
    }
    total += gone == 0 ? 1 : exceeds;
  }
  return total / points;
}

TEST(Waits, AreTheSumOverEveryPointAndPerson) {
  for (const auto& [seats, load] : {std::pair{1.0, 0.6}, {8.0, 0.9}, {40.0, 0.97}, {200.0, 0.5}}) {
    const Trains t = trains(seats, load);
    const Platform steady = platform(t);
    for (const double intervals : {0.0, 0.25, 0.9375, 1.0, 1.375, 3.25})
      EXPECT_NEAR(wait_exceeds(t, steady, intervals * t.interval), exceeds_slowly(t, steady, intervals * t.interval), 1e-6)
          << seats << " " << load << " " << intervals;
  }
}

TEST(Waits, OfEmptyTrainsAreUniform) {
  const Trains t = trains(100, 0.1);
  const Platform steady = platform(t);
  EXPECT_NEAR(mean_wait(t, steady).in(unit::ms), 10, 1e-9);
  EXPECT_NEAR(wait_percentile(t, steady, 0.9).in(unit::ms), 18, 0.2);
  EXPECT_LT(wait_exceeds(t, steady, t.interval), 1e-9);
}

TEST(Waits, StayFiniteNextToFull) {
  const Trains t = trains(2, 0.9999);
  const Platform steady = platform(t);
  EXPECT_TRUE(steady.approximate);
  EXPECT_NEAR(steady.mean_left, 0.9999 / (2 * 0.0001) - 0.5, 1);
}

RC_GTEST_PROP(Waits, grow_with_load_and_shrink_with_larger_trains_at_the_same_load, ()) {
  const double seats = *rc::gen::inRange(1, 200), load = *rc::gen::inRange(1, 90) / 100.0;
  const Trains t = trains(seats, load), busier = trains(seats, load + 0.05), larger = trains(2 * seats, load);
  const Seconds here = mean_wait(t, platform(t));
  RC_ASSERT(here >= t.interval / 2);
  RC_ASSERT(mean_wait(busier, platform(busier)) >= here * (1 - 1e-9));
  RC_ASSERT(mean_wait(larger, platform(larger)) <= here * (1 + 1e-9));
}

}  // namespace
}  // namespace fareline
