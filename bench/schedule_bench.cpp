// SPDX-License-Identifier: Apache-2.0
// Pipeline schedules of 1,000 stages and 10,000 micro-batches, 20 to 60 million pieces of work, beside a loop that only adds as many
// durations up.
#include <string>

#include <benchmark/benchmark.h>

#include "perf/schedule.h"

namespace {

using namespace fareline;

constexpr PipelineShape shape{.stages = 1000, .micro_batches = 10000, .chunks = 2};
constexpr PieceTimes times{unit::s, unit::s, unit::s, 3 * unit::s, {}};

void schedule(benchmark::State& state) {
  const ScheduleRow& row = schedules()[static_cast<std::size_t>(state.range(0))];
  for (auto _ : state) benchmark::DoNotOptimize(simulate(row.kind, shape, times));
  state.SetLabel(std::string(row.name));
}
BENCHMARK(schedule)->DenseRange(0, 6)->Unit(benchmark::kMillisecond);

void adding_20_million_durations(benchmark::State& state) {
  for (auto _ : state) {
    double time = 0;
    for (int i = 0; i < 20'000'000; ++i) benchmark::DoNotOptimize(time += 1);
  }
}
BENCHMARK(adding_20_million_durations)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
