// SPDX-License-Identifier: Apache-2.0
// The 99th percentile of the wait for trains of 2,000 seats at 99% load, beside a loop that only adds as many numbers as one sum
// over everybody left behind holds.
#include <benchmark/benchmark.h>

#include "perf/departures.h"

namespace {

using namespace fareline;

const Trains trains{.interval = 20 * unit::ms, .seats = 2000, .rate = 0.99 * 2000 / (20 * unit::ms)};

void who_is_left_behind(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(platform(trains));
}
BENCHMARK(who_is_left_behind)->Unit(benchmark::kMillisecond);

void percentile_of_the_wait(benchmark::State& state) {
  const Platform steady = platform(trains);
  for (auto _ : state) benchmark::DoNotOptimize(wait_percentile(trains, steady, 0.99));
}
BENCHMARK(percentile_of_the_wait)->Unit(benchmark::kMillisecond);

void adding_everybody_up(benchmark::State& state) {
  const Platform steady = platform(trains);
  for (auto _ : state) {
    double sum = 0;
    for (const double chance : steady.left_behind) benchmark::DoNotOptimize(sum += chance);
  }
}
BENCHMARK(adding_everybody_up)->Unit(benchmark::kMillisecond);

}  // namespace
