// SPDX-License-Identifier: Apache-2.0
// Nanoseconds an estimate, beside the bare formula it is built on. What others take for the same question, measured on a 2-core
// virtual machine by this project: LLM-Viewer 90 us (hahnyuan/LLM-Viewer), llm-analysis 700 us (cli99/llm-analysis), calculon 2 ms
// (calculon-ai/calculon), GenZ 160 ms (abhibambhaniya/GenZ-LLM-Analyzer).
#include <algorithm>
#include <string>

#include <benchmark/benchmark.h>

#include "catalog/catalog.h"
#include "economics/money.h"
#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "perf/serving.h"

namespace {

using namespace fareline;

struct Scene {
  Model model;
  System system;
  Calibration calibration;
  Plan plan;
};

Scene llama_tp8() {
  const Catalogue& c = Catalogue::built_in();
  return {.model = *c.model("meta-llama/Meta-Llama-3.1-70B"),
          .system = *c.system("hgx-h100"),
          .calibration = *c.calibration("default"),
          .plan = {.tp = 8}};
}

Scene deepseek_ep64() {
  const Catalogue& c = Catalogue::built_in();
  return {.model = *c.model("deepseek-ai/DeepSeek-V3"), .system = *c.system("gb200-nvl72"), .calibration = *c.calibration("default"),
          .plan = {.ep = 64, .dp = 64, .expert_skew = 0.5}};
}

// Batch and context change from one estimate to the next, so that nothing can be carried over.
Pass decode_pass(int i) { return {.decode_sequences = 1.0 + i % 512, .decode_context = 1000.0 + 13 * (i % 1024)}; }

template <Scene (*scene)()>
void decode_estimate(benchmark::State& state) {
  const Scene s = scene();
  const CompiledPlan plan = *compile(s.model, s.system, s.calibration, s.plan);
  int i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(plan.estimate(decode_pass(i++)));
}

template <Scene (*scene)()>
void compile_and_estimate(benchmark::State& state) {
  const Scene s = scene();
  int i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(compile(s.model, s.system, s.calibration, s.plan)->estimate(decode_pass(i++)));
}

// The lower limit: max(bytes / bandwidth, FLOP / peak) of the whole model, with counts known beforehand.
void two_rooflines(benchmark::State& state) {
  const Scene s = llama_tp8();
  const double parameters = static_cast<double>(count_parameters(s.model).active) / s.plan.tp;
  const Bytes weights = parameters * element_bytes(Format::bf16),
              token = kv_bytes_per_token(s.model, element_bytes(Format::bf16)) / s.plan.tp;
  const Bandwidth hbm = s.system.chip.hbm_bandwidth.value;
  const FlopRate peak = s.system.chip.peak[static_cast<std::size_t>(Format::bf16)].value;
  int i = 0;
  for (auto _ : state) {
    const Pass pass = decode_pass(i++);
    benchmark::DoNotOptimize(max((weights + pass.decode_sequences * pass.decode_context * token) / hbm,
                                 2 * parameters * pass.decode_sequences * unit::flop / peak));
  }
}

template <Scene (*scene)()>
void steady_state_of_users(benchmark::State& state) {
  const Scene s = scene();
  const CompiledPlan plan = *compile(s.model, s.system, s.calibration, s.plan);
  const Workload workload{.prompt = {.longest = 4096}, .output = {.longest = 512}};
  const MemoryUse memory = memory_use(s.model, s.system, s.plan, workload.prompt.mean() + workload.output.mean());
  int i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(closed_loop(plan, memory, workload, Speculation{}, 1.0 + i++ % 64));
}

BENCHMARK(two_rooflines)->Name("baseline: two rooflines of the whole model");
BENCHMARK(decode_estimate<llama_tp8>)->Name("decode estimate, Llama-3.1-70B TP8 (LLM-Viewer 90 us)");
BENCHMARK(decode_estimate<deepseek_ep64>)->Name("decode estimate, DeepSeek-V3 EP64 (GenZ 160 ms)");
BENCHMARK(compile_and_estimate<llama_tp8>)->Name("compile and estimate, Llama-3.1-70B TP8 (llm-analysis 700 us)");
BENCHMARK(compile_and_estimate<deepseek_ep64>)->Name("compile and estimate, DeepSeek-V3 EP64 (calculon 2 ms)");
BENCHMARK(steady_state_of_users<llama_tp8>)->Name("closed loop, Llama-3.1-70B TP8");
BENCHMARK(steady_state_of_users<deepseek_ep64>)->Name("closed loop, DeepSeek-V3 EP64");

}  // namespace
