// SPDX-License-Identifier: Apache-2.0
#include "perf/departures.h"

#include <algorithm>
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

Platform platform(const Trains& trains) {
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

Seconds mean_wait(const Trains& trains, const Platform& platform) {
  const Seconds half = trains.interval / 2;
  return trains.rate > Frequency{} ? half + platform.mean_left / trains.rate : half;
}

double wait_exceeds(const Trains& trains, const Platform& platform, Seconds time) {
  constexpr int points = 128;
  const std::vector<double>& p = platform.left_behind;
  double total = 0;
  for (int i = 0; i < points; ++i) {
    const Seconds until = trains.interval * ((i + 0.5) / points);
    // He waits longer where he takes a train that leaves after `time`.
    const double trains_gone = time < until ? 0 : std::floor((time - until) / trains.interval) + 1;
    if (trains_gone == 0) {
      total += 1;
      continue;
    }
    const double room = trains_gone * trains.seats;  // he is left behind by all of them if so many are before him
    const double mean = trains.rate * (trains.interval - until);
    // P(W + N >= room), N summed from its mode's far tail downwards: at_least[n] = P(N >= n).
    const auto most = static_cast<std::size_t>(mean + 12 * std::sqrt(mean + 1) + 20);
    std::vector<double> at_least(most + 2, 0);
    double chance = poisson(static_cast<double>(most), mean);
    for (std::size_t n = most + 1; n-- > 0;) {
      at_least[n] = at_least[n + 1] + chance;
      if (n > 0) chance = mean > 0 ? chance * static_cast<double>(n) / mean : (n == 1 ? 1 : 0);
    }
    double exceeds = 0;
    for (std::size_t w = 0; w < p.size(); ++w) {
      const double lacking = room - static_cast<double>(w);
      exceeds += p[w] * (lacking <= 0                          ? 1
                         : lacking > static_cast<double>(most) ? 0
                                                               : std::min(1.0, at_least[static_cast<std::size_t>(lacking)]));
    }
    total += exceeds;
  }
  return total / points;
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
