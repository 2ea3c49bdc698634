// SPDX-License-Identifier: Apache-2.0
// Plans a second: estimated one by one, and gone through by branch and bound. What others do, measured by their authors or by this
// project: calculon 8,112 executions of Turing-NLG in 34 s, 240 a second (calculon-ai/calculon, on a 2-core virtual machine);
// aiconfigurator up to 30 s a question (ai-dynamo/aiconfigurator, README).
#include <array>

#include <benchmark/benchmark.h>

#include "catalog/catalog.h"
#include "search/search.h"

namespace {

using namespace fareline;

// DeepSeek-V3 on three systems, prompts of 4,096 tokens half of them cached, answers of 512, 50 requests a second, up to 512 chips.
Space deepseek_space() {
  const Catalogue& c = Catalogue::built_in();
  Space space{.token_budgets = {2048, 8192, 16384}, .most_chips = 512, .demand = {.rate = 50 / unit::s}};
  for (const char* name : {"hgx-h200", "gb200-nvl72", "mi355x-8"}) {
    const System system = *c.system(name);
    Situation s{.model = *c.model("deepseek-ai/DeepSeek-V3"), .system = system, .calibration = *c.calibration_for(system.chip, "vllm"),
                .workload = {.prompt = {.longest = 4096}, .output = {.longest = 512}, .cached = 0.5},
                .chip_rate = c.default_rental(system.chip.name)->rate, .tier = "dram"};
    s.plan.expert_skew = 0.5;
    s.storage.hold = 300 * unit::s;
    space.offers.push_back({.situation = std::move(s)});
  }
  return space;
}

constexpr Promise promise{.ttft = 2 * unit::s, .tpot = 30 * unit::ms};

void whole_question(benchmark::State& state) {
  const Space space = deepseek_space();
  Workers workers;
  PlanCounts counts;
  for (auto _ : state) {
    const Searched found = search(space, promise, Aim::price, 8, workers);
    benchmark::DoNotOptimize(found.best.data());
    counts = found.counts;
  }
  state.counters["considered"] = counts.considered;
  state.counters["estimated"] = counts.estimated;
  state.counters["plans/s"] = benchmark::Counter(counts.considered, benchmark::Counter::kIsIterationInvariantRate);
}

// Every layout compiled and one step of it estimated.
void layouts_estimated(benchmark::State& state) {
  const Space space = deepseek_space();
  const std::vector<Layout> layouts = layouts_of(space);
  std::size_t i = 0;
  for (auto _ : state) {
    const Layout& layout = layouts[i++ % layouts.size()];
    const Situation& s = space.offers[static_cast<std::size_t>(layout.offer)].situation;
    const auto plan = compile(s.model, s.system, s.calibration, layout.plan);
    if (plan) benchmark::DoNotOptimize(plan->estimate({.decode_sequences = 256, .decode_context = 4096}));
  }
  state.counters["plans/s"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}

// One layout, step after step under another batch.
void batches_estimated(benchmark::State& state) {
  const Space space = deepseek_space();
  const Situation& s = space.offers[0].situation;
  Plan plan = s.plan;
  plan.tp = plan.ep = 16;
  const auto compiled = compile(s.model, s.system, s.calibration, plan);
  int i = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(compiled->estimate({.decode_sequences = 1.0 + i++ % 512, .decode_context = 4096}));
  state.counters["plans/s"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}

// The steady state at a rate: what an exact answer takes for every plan that no bound excludes.
void steady_states(benchmark::State& state) {
  const Space space = deepseek_space();
  const Situation& s = space.offers[0].situation;
  Plan plan = s.plan;
  plan.tp = plan.ep = 16;
  const auto compiled = compile(s.model, s.system, s.calibration, plan);
  const MemoryUse memory = memory_use(s.model, s.system, plan, kept_context(s.workload));
  int i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(serve_replicas(s, *compiled, memory, space.demand, 16 + i++ % 16));
  state.counters["plans/s"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(batches_estimated)->Name("a step estimated, batch after batch");
BENCHMARK(layouts_estimated)->Name("a layout compiled and estimated (calculon 240/s)");
BENCHMARK(steady_states)->Name("a steady state at a rate");
BENCHMARK(whole_question)->Name("DeepSeek-V3, three systems, to 512 chips (aiconfigurator 30 s)")->Unit(benchmark::kMillisecond);

}  // namespace
