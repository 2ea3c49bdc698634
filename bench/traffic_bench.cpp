// SPDX-License-Identifier: Apache-2.0
// How fast traffic is read and made, beside the least each can take: looking for line ends alone, and drawing the numbers alone.
#include <cstring>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "sim/traffic_generated.h"
#include "sim/traffic_trace.h"

namespace {

using namespace fareline;

std::string azure_like(int rows) {
  std::string text = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  for (int i = 0; i < rows; ++i)
    text += fmt::format("2023-11-16 {:02}:{:02}:{:02}.{:07},{},{}\n", i / 100000, i / 2000 % 50, i / 40 % 50, i % 40 * 250000,
                        i * 37 % 4096, i % 500);
  return text;
}
std::string mooncake_like(int rows) {
  std::string text;
  for (int i = 0; i < rows; ++i) {
    text += fmt::format("{{\"timestamp\": {}, \"input_length\": 8192, \"output_length\": {}, \"hash_ids\": [0", i * 20, i % 500);
    for (int k = 1; k < 16; ++k) text += fmt::format(", {}", i * 16 + k);
    text += "]}\n";
  }
  return text;
}

void read(benchmark::State& state, const std::string& text, int rows) {
  for (auto _ : state) {
    auto trace = TraceTraffic::open("trace", std::make_unique<TextBytes>(text, 1u << 17));
    int read = 0;
    while ((*trace)->next()) ++read;
    if (read != rows) state.SkipWithError((*trace)->failed() ? (*trace)->failed()->line().c_str() : "rows are missing");
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
constexpr int rows = 200'000;

void azure(benchmark::State& state) { read(state, azure_like(rows), rows); }
void mooncake(benchmark::State& state) { read(state, mooncake_like(rows), rows); }
void line_ends_alone(benchmark::State& state) {
  const std::string text = azure_like(rows);
  for (auto _ : state) {
    long lines = 0;
    for (const char* at = text.data();
         (at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(text.data() + text.size() - at)))); ++at)
      ++lines;
    benchmark::DoNotOptimize(lines);
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void made(benchmark::State& state, const char* arrivals, const char* lengths) {
  for (auto _ : state) {
    GeneratedTraffic traffic({.arrivals = *read_arrival_law(arrivals), .rate = 40 / unit::s, .prompt = *read_length_law(lengths),
                              .output = *read_length_law(lengths), .requests = rows, .seed = 1});
    while (const auto request = traffic.next()) benchmark::DoNotOptimize(request->prompt);
  }
  state.SetItemsProcessed(state.iterations() * rows);
}
void poisson_of_fixed_lengths(benchmark::State& state) { made(state, "poisson", "1000"); }
void poisson_of_lognormal_lengths(benchmark::State& state) { made(state, "poisson", "lognormal:1024,0.8"); }
void diurnal_of_fixed_lengths(benchmark::State& state) { made(state, "diurnal:0.5,24h", "1000"); }
void gaps_alone(benchmark::State& state) {
  for (auto _ : state)
    for (std::uint64_t i = 0; i < rows; ++i) benchmark::DoNotOptimize(Draws(1, Purpose::arrival, i).exponential_gap());
  state.SetItemsProcessed(state.iterations() * rows);
}

BENCHMARK(line_ends_alone)->Unit(benchmark::kMillisecond);
BENCHMARK(azure)->Unit(benchmark::kMillisecond);
BENCHMARK(mooncake)->Unit(benchmark::kMillisecond);
BENCHMARK(gaps_alone)->Unit(benchmark::kMillisecond);
BENCHMARK(poisson_of_fixed_lengths)->Unit(benchmark::kMillisecond);
BENCHMARK(poisson_of_lognormal_lengths)->Unit(benchmark::kMillisecond);
BENCHMARK(diurnal_of_fixed_lengths)->Unit(benchmark::kMillisecond);

}  // namespace
