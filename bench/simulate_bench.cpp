// SPDX-License-Identifier: Apache-2.0
// Simulated requests a second on one core: 1,000-token prompts, 256-token answers, Poisson at 80% of what one replica can serve.
// The limit is what the events alone would cost: one push and pop of a heap each, timed in the same run. Baseline: every step an
// event of the same engine; and eight runs by one thread, beside the same by two. Published simulators, measured on a 2-core virtual
// machine by this project: Vidur 560 requests a second (microsoft/vidur), SplitwiseSim 322 (Mutinifni/splitwise-sim), BLIS 2,900
// (inference-sim/inference-sim).
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "catalog/catalog.h"
#include "sim/event_queue.h"
#include "sim/fleet.h"
#include "sim/traffic_random.h"

namespace {

using namespace fareline;

class PoissonTraffic : public Traffic {
 public:
  PoissonTraffic(std::uint64_t count, Frequency rate, bool blocks) : count_(count), rate_(rate), blocks_(blocks) {}
  std::optional<Request> next() override {
    if (sent_ == count_) return std::nullopt;
    Draws draws(1, Purpose::arrival, sent_);
    at_ += draws.exponential_gap() / rate_;
    Request r{.id = sent_++, .arrival = at_, .prompt = 1000, .output = 256};
    if (blocks_) r.blocks = {scrambled(draws.bits() % 200), scrambled(sent_) | 1};  // one block shared by some, one its own
    return r;
  }

 private:
  std::uint64_t count_, sent_ = 0;
  Frequency rate_;
  Seconds at_;
  bool blocks_;
};

const CompiledPlan& plan() {
  static const CompiledPlan compiled = [] {
    const Catalogue& c = Catalogue::built_in();
    return *compile(*c.model("meta-llama/Llama-3.1-8B-Instruct"), *c.system("hgx-h100"), *c.calibration("hopper-vllm"), {});
  }();
  return compiled;
}

// 80% of the rate at which the queue never empties.
Frequency rate_of(const Fleet& fleet) {
  PoissonTraffic flood(20'000, 1e6 / unit::s, fleet.cache.on);
  Observer nobody_listens;
  const Totals totals = *run(fleet, flood, nobody_listens);
  return 0.8 * 20'000 / totals.now;
}

// Seconds one push and one pop of a heap of a hundred events take here.
double heap_operation() {
  EventHeap heap;
  std::uint64_t n = 0;
  const auto push = [&] { heap.push({.at = static_cast<double>(scrambled(++n) >> 40) * unit::us, .sequence = n}); };
  for (int i = 0; i < 100; ++i) push();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1'000'000; ++i) push(), benchmark::DoNotOptimize(heap.pop());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / 1e6;
}

void simulate(benchmark::State& state, bool cache, bool every_step) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  Fleet fleet{.pools = {{.plan = &plan(), .pages = 28'000, .page = 2 * unit::MiB}}};
  fleet.cache.on = cache;
  fleet.every_step = every_step;
  const Frequency rate = rate_of(fleet);
  Totals totals;
  for (auto _ : state) {
    PoissonTraffic traffic(count, rate, cache);
    Observer nobody_listens;
    totals = *run(fleet, traffic, nobody_listens);
  }
  const double requests = static_cast<double>(count) * static_cast<double>(state.iterations());
  const double events = static_cast<double>(totals.events) * static_cast<double>(state.iterations());
  state.counters["requests/s"] = benchmark::Counter(requests, benchmark::Counter::kIsRate);
  state.counters["events/s"] = benchmark::Counter(events, benchmark::Counter::kIsRate);
  state.counters["of_the_limit"] = benchmark::Counter(events * heap_operation(), benchmark::Counter::kIsRate);
  state.counters["steps/request"] = static_cast<double>(totals.steps) / static_cast<double>(count);
  state.counters["in_system_most"] = static_cast<double>(totals.in_system_most);
}

// Eight runs at eight loads, as a sweep makes them, dealt out to threads as they come free.
void dealt_out(benchmark::State& state) {
  constexpr std::uint64_t runs = 8, requests = 100'000;
  const Fleet fleet{.pools = {{.plan = &plan(), .pages = 28'000, .page = 2 * unit::MiB}}};
  const Frequency rate = rate_of(fleet);
  for (auto _ : state) {
    std::atomic<std::uint64_t> next = 0;
    const auto work = [&] {
      for (std::uint64_t i = next++; i < runs; i = next++) {
        PoissonTraffic traffic(requests, rate * (static_cast<double>(i + 1) / runs), false);
        Observer nobody_listens;
        benchmark::DoNotOptimize(run(fleet, traffic, nobody_listens));
      }
    };
    std::vector<std::jthread> others;
    for (std::int64_t t = 1; t < state.range(0); ++t) others.emplace_back(work);
    work();
  }
  state.counters["requests/s"] =
      benchmark::Counter(static_cast<double>(runs * requests) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void skipping(benchmark::State& state) { simulate(state, false, false); }
void skipping_cached(benchmark::State& state) { simulate(state, true, false); }
void stepping(benchmark::State& state) { simulate(state, false, true); }

BENCHMARK(skipping)->Name("one replica at 80% load")->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(skipping_cached)->Name("the same with a prefix cache")->Arg(300'000)->Unit(benchmark::kMillisecond);
BENCHMARK(dealt_out)->Name("eight runs by so many threads")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(stepping)->Name("baseline: every step an event")->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
