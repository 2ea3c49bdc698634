// SPDX-License-Identifier: Apache-2.0
#include "perf/departures.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "units/elementary.h"

namespace fareline {
namespace {

// ln n!: a product below 32, Stirling's series above (Abramowitz & Stegun 6.1.41, below 1e-14 there).
double log_factorial(double n) {
  if (n < 32) {
    double product = 1;
    for (double i = 2; i <= n; ++i) product *= i;
    return natural_log(product);
  }
  const double r = 1 / (n * n);
  return (n + 0.5) * natural_log(n) - n + 0.91893853320467274178 + (1.0 / 12 - r * (1.0 / 360 - r / 1260)) / n;
}

double poisson(double n, double mean) {
  if (mean <= 0) return n == 0 ? 1 : 0;
  return exponential(n * natural_log(mean) - mean - log_factorial(n));
}

constexpr int most_terms = 4096;
// What a sum's rest may be, as a share. Source: a thousandth of the ten digits that answers are held to.
// Assumes: rounding of a few thousand terms stays below it.
constexpr double negligible = 1e-13;

// a_j for j = 1, 2, ...; a_0 is not used. Ends where what is left is negligible.
std::vector<double> jumps(double seats, double mean, bool& complete) {
  std::vector<double> a{0};
  complete = false;
  for (int k = 1; k <= most_terms; ++k) {
    double chance = poisson(k * seats + 1, k * mean) / k;
    if (chance * seats < negligible && k * (seats - mean) > 1 && chance / (1 - mean / seats) < negligible) {
      complete = true;
      return a;
    }
    for (std::size_t j = 1; chance > negligible * negligible; ++j) {
      if (j == a.size()) a.push_back(0);
      a[j] += chance;
      chance *= k * mean / (k * seats + static_cast<double>(j) + 1);
    }
  }
  return a;
}

}  // namespace

Seconds memory_drain_time(Bytes capacity, Bandwidth bandwidth) { return capacity / bandwidth; }

Seconds worst_latency(Seconds interval) { return 2 * interval; }

TokenRate pass_throughput(double batch, Seconds interval) { return batch * unit::token / interval; }

namespace {

Platform who_is_left(const Trains& trains) {
  const double seats = trains.seats, mean = trains.rate * trains.interval;
  Platform steady;
  if (mean <= 0) {
    steady.left_behind = {1};
    return steady;
  }
  bool complete = false;
  const std::vector<double> a = jumps(seats, mean, complete);
  if (!complete) {
    steady.approximate = true;
    steady.mean_left = std::max(0.0, mean / (2 * (seats - mean)) - 0.5);
    const double stay = steady.mean_left / (1 + steady.mean_left);
    for (double p = 1 - stay; p > 1e-9 && steady.left_behind.size() < 200000; p *= stay) steady.left_behind.push_back(p);
    return steady;
  }
  double sum = 0;
  for (const double jump : a) sum += jump;
  std::vector<double>& p = steady.left_behind;
  p.push_back(exponential(-sum));
  double all = p[0];
  while (1 - all > 1e-12 && p.size() < 50000) {
    const std::size_t n = p.size();
    double next = 0;
    for (std::size_t j = 1; j <= n && j < a.size(); ++j) next += static_cast<double>(j) * a[j] * p[n - j];
    next /= static_cast<double>(n);
    p.push_back(next);
    all += next;
    if (next < 1e-16 && n > a.size()) break;
  }
  for (std::size_t j = 1; j < a.size(); ++j) steady.mean_left += static_cast<double>(j) * a[j];
  return steady;
}

}  // namespace

Platform platform(const Trains& trains) {
  Platform steady = who_is_left(trains);
  steady.at_least = steady.left_behind;
  for (std::size_t n = steady.at_least.size(); n-- > 1;) steady.at_least[n - 1] += steady.at_least[n];
  return steady;
}

Seconds mean_wait(const Trains& trains, const Platform& platform) {
  const Seconds half = trains.interval / 2;
  return trains.rate > Frequency{} ? half + platform.mean_left / trains.rate : half;
}

namespace {

// Chance that who comes `until` before the next train is left behind by it and the `trains_gone - 1` that follow it: P(W + N >= room).
double left_by(const Trains& trains, const Platform& platform, double trains_gone, Seconds until) {
  if (trains_gone == 0) return 1;
  const std::vector<double>& p = platform.left_behind;
  const double room = trains_gone * trains.seats;
  const double mean = trains.rate * (trains.interval - until), reach = 12 * std::sqrt(mean + 1);
  const double most = std::floor(mean + reach + 20), least = std::max(0.0, std::floor(mean - reach));
  // Fewer than `least` never come, more than `most` neither: between, P(N >= n) meets P(W = room - n), from the far tail downwards.
  const auto waiting = [&](double n) { return n >= 0 && n < static_cast<double>(p.size()) ? p[static_cast<std::size_t>(n)] : 0; };
  double chance = poisson(most, mean), at_least = 0, exceeds = 0;
  for (double n = most; n > least; --n) {
    at_least += chance;
    exceeds += waiting(room - n) * std::min(1.0, at_least);
    chance = mean > 0 ? chance * n / mean : 0;
  }
  const double sure = room - least;
  if (sure <= 0) return 1;
  return exceeds + (sure < static_cast<double>(p.size()) ? platform.at_least[static_cast<std::size_t>(sure)] : 0);
}

// Four points of Gauss and Legendre on [-1, 1], the positive ones, and their weights.
// Source: Abramowitz & Stegun, table 25.4. Assumes: nothing.
constexpr double nodes[] = {0.339981043584856, 0.861136311594053}, weights[] = {0.652145154862546, 0.347854845137454};
constexpr int panels = 8;

}  // namespace

double wait_exceeds(const Trains& trains, const Platform& platform, Seconds time) {
  const double passed = time / trains.interval, whole = std::floor(passed);
  // Who comes less than the rest before the next train has seen one more leave.
  const double rest = passed - whole;
  double total = 0;
  for (const auto& [from, to, gone] : {std::array{0.0, rest, whole + 1}, std::array{rest, 1.0, whole}})
    for (int panel = 0; panel < panels; ++panel) {
      const double half = (to - from) / (2 * panels), middle = from + (2 * panel + 1) * half;
      for (int i = 0; i < 2; ++i)
        for (const double sign : {-1.0, 1.0})
          total += half * weights[i] * left_by(trains, platform, gone, (middle + sign * nodes[i] * half) * trains.interval);
    }
  return total;
}

Seconds wait_percentile(const Trains& trains, const Platform& platform, double share) {
  Seconds low{}, high = trains.interval;
  while (wait_exceeds(trains, platform, high) > 1 - share && high < 1e6 * trains.interval) high *= 2;
  for (int i = 0; i < 30; ++i) {
    const Seconds middle = (low + high) / 2;
    (wait_exceeds(trains, platform, middle) > 1 - share ? low : high) = middle;
  }
  return high;
}

}  // namespace fareline
