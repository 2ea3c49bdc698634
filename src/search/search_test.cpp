// SPDX-License-Identifier: Apache-2.0
#include "search/search.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "search/floor.h"
#include "tests/scenes.h"
#include "units/elementary.h"

namespace fareline {
namespace {

using test::any_between;

template <class T>
T any_of_these(std::initializer_list<T> these) {
  return *(these.begin() + *rc::gen::inRange(0, static_cast<int>(these.size())));
}

// One or two of `these`, in order.
std::vector<int> some_of(std::vector<int> these) {
  const auto first = static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(these.size())));
  const auto second = static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(these.size())));
  std::vector<int> some{these[std::min(first, second)]};
  if (first != second) some.push_back(these[std::max(first, second)]);
  return some;
}

Workload any_workload() {
  return {.prompt = {.longest = static_cast<double>(*rc::gen::inRange(1, 12'000)), .shortest = any_of_these({1.0, 1.0, 0.5})},
          .output = {.longest = static_cast<double>(*rc::gen::inRange(1, 2'000))},
          .cached = any_of_these({0.0, 0.5, 0.9})};
}

Offer any_offer(const Workload& workload, const Speculation& speculation, const Model& model) {
  const test::Scene scene = test::any_scene();
  Situation s{.model = model, .system = scene.system, .calibration = scene.calibration, .workload = workload,
              .speculation = speculation, .chip_rate = any_between(0.1, 10) * unit::usd / unit::hour};
  s.plan.weights = scene.plan.weights;
  s.plan.kv = scene.plan.kv;
  s.plan.expert_skew = scene.plan.expert_skew;
  s.storage = {.price = any_of_these({0.0, 0.05}) * unit::usd / (unit::GB * unit::hour), .hold = 300 * unit::s};
  s.tier = "dram";
  return {.situation = std::move(s), .formats_changed = *rc::gen::inRange(0, 2)};
}

struct Question {
  Space space;
  Promise promise;
  Aim aim{};
};

Question any_question() {
  const Model& model = test::all_models()[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(test::all_models().size())))];
  const Workload workload = any_workload();
  const double draft = any_of_these({0.0, 0.0, 2.0});
  const Speculation speculation{.draft = draft, .yield = draft > 0 ? any_between(1, 3) : 1};
  Question q;
  for (int offers = *rc::gen::inRange(1, 3); offers > 0; --offers) q.space.offers.push_back(any_offer(workload, speculation, model));
  q.space.tp = some_of({1, 2, 4, 8});
  q.space.dp = some_of({1, 1, 2, 4});
  q.space.pp = some_of({1, 1, 2});
  q.space.cp = some_of({1, 1, 1, 2});
  q.space.ep = {};
  q.space.token_budgets = some_of({512, 2048, 8192});
  q.space.least_chips = any_of_these({1, 1, 8});
  q.space.most_chips = any_of_these({8, 16, 24});
  q.space.crowds = {1, 4, 32, 200};
  const int load = *rc::gen::inRange(0, 4);
  if (load >= 2) q.space.demand.rate = power(10, any_between(-2, 1.5)) / unit::s;
  else if (load == 1) q.space.demand.concurrency = any_of_these({1.0, 7.0, 60.0});
  if (*rc::gen::inRange(0, 3) > 0) q.promise.ttft = power(10, any_between(-1, 1.5)) * unit::s;
  if (*rc::gen::inRange(0, 3) > 0) q.promise.tpot = power(10, any_between(-2.3, -0.3)) * unit::s;
  if (*rc::gen::inRange(0, 4) == 0) q.promise.budget = any_between(1, 100) * unit::usd / unit::hour;
  if (*rc::gen::inRange(0, 4) == 0) q.promise.power = any_between(1, 20) * unit::kW;
  q.aim = any_of_these({Aim::price, Aim::price, Aim::chips, Aim::power, Aim::tpot, Aim::ttft});
  return q;
}

// Every plan of the space asked one after the other: the best of each layout, best first. What search() must return.
std::vector<Found> slow_search(const Question& q, double& considered) {
  const Space& space = q.space;
  std::vector<Found> all;
  considered = 0;
  std::size_t order = 0;
  for (const Layout& layout : layouts_of(space)) {
    std::optional<Found> best;
    Situation s = space.offers[static_cast<std::size_t>(layout.offer)].situation;
    const int chips = layout.plan.replica_chips();
    for (int replicas = 1; replicas * chips <= space.most_chips; ++replicas) {
      if (replicas * chips < space.least_chips) continue;
      if (space.demand.concurrency > 0 && replicas > space.demand.concurrency) continue;
      if (!space.demand.stated() && (replicas - 1) * chips >= space.least_chips) continue;
      std::vector<Demand> loads{space.demand};
      if (!space.demand.stated()) {
        loads.clear();
        for (const double crowd : space.crowds) loads.push_back({.concurrency = crowd * replicas});
      }
      for (const int budget : space.token_budgets)
        for (const Demand& load : loads) {
          ++considered;
          s.plan = layout.plan;
          s.plan.replicas = replicas;
          s.plan.token_budget = budget;
          s.demand = load;
          const auto served = serve(s);
          if (!served) continue;
          if (q.promise.ttft && served->serving.ttft.value > *q.promise.ttft) continue;
          if (q.promise.tpot && served->serving.tpot.value > *q.promise.tpot) continue;
          if (q.promise.budget && served->chips * s.chip_rate > *q.promise.budget * (1 + 1e-12)) continue;
          if (q.promise.power && served->chips * 1.3 * s.system.chip.tdp.value > *q.promise.power * (1 + 1e-12)) continue;
          const double score = q.aim == Aim::price   ? served->prices.blended.coherent()
                               : q.aim == Aim::chips ? served->chips
                               : q.aim == Aim::power ? (served->chips * 1.3 * s.system.chip.tdp.value).coherent()
                               : q.aim == Aim::tpot  ? served->serving.tpot.value.coherent()
                                                     : served->serving.ttft.value.coherent();
          if (!best || score < best->score)
            best = Found{
                .offer = layout.offer, .plan = s.plan, .demand = load, .score = score, .complexity = layout.complexity, .order = order};
        }
    }
    ++order;
    if (best) all.push_back(*best);
  }
  std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.score < b.score; });
  return all;
}

bool same(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)); }

TEST(Search, FindsWhatEveryPlanTriedOneByOneFinds) {
  int feasible = 0;
  double spared = 0, spaces = 0;
  EXPECT_TRUE(rc::check([&] {
    for (int i = 0; i < 10; ++i) {  // a thousand spaces
      const Question q = any_question();
      double considered = 0;
      const std::vector<Found> slow = slow_search(q, considered);
      Workers workers;
      const int keep = any_of_these({1, 3, 10});
      const Searched fast = search(q.space, q.promise, q.aim, keep, workers);
      const std::size_t expected = std::min(slow.size(), static_cast<std::size_t>(keep));
      RC_ASSERT(fast.best.size() == expected);
      for (std::size_t k = 0; k < expected; ++k) RC_ASSERT(same(fast.best[k].score, slow[k].score));
      RC_ASSERT(fast.counts.considered == considered);
      RC_ASSERT(fast.counts.estimated + fast.counts.bounded + fast.counts.impossible == considered);
      RC_ASSERT(fast.counts.bounded >= 0);
      feasible += expected > 0;
      spared += considered > 0 ? fast.counts.bounded / considered : 0;
      spaces += considered > 0;
    }
  }));
  EXPECT_GT(feasible, 200);
  EXPECT_GT(spared / spaces, 0.2);
}

// Runs its jobs backwards, and on as many threads.
class Backwards : public Workers {
 public:
  void run(std::size_t jobs, const std::function<void(std::size_t)>& job) override {
    std::vector<std::thread> threads;
    for (std::size_t i = jobs; i-- > 0;) threads.emplace_back(job, i);
    for (std::thread& t : threads) t.join();
  }
};

TEST(Search, AnswersTheSameWhateverTheThreads) {
  EXPECT_TRUE(rc::check([&] {
    if (*rc::gen::inRange(0, 5) > 0) return;
    const Question q = any_question();
    Workers one;
    Backwards many;
    const Searched a = search(q.space, q.promise, q.aim, 5, one), b = search(q.space, q.promise, q.aim, 5, many);
    RC_ASSERT(a.best.size() == b.best.size());
    for (std::size_t k = 0; k < a.best.size(); ++k) {
      RC_ASSERT(a.best[k].order == b.best[k].order);
      RC_ASSERT(a.best[k].score == b.best[k].score);
      RC_ASSERT(a.best[k].plan.replicas == b.best[k].plan.replicas);
      RC_ASSERT(a.best[k].plan.token_budget == b.best[k].plan.token_budget);
    }
    RC_ASSERT(a.counts.estimated == b.counts.estimated);
  }));
}

TEST(ServingFloor, LiesUnderEveryEstimate) {
  int served = 0;
  EXPECT_TRUE(rc::check([&] {
    const test::Scene scene = test::any_scene();
    Plan plan = scene.plan;
    plan.replicas = 1;
    const auto compiled = compile(scene.model, scene.system, scene.calibration, plan);
    if (!compiled) return;
    const Workload w = any_workload();
    const double draft = any_of_these({0.0, 0.0, 3.0});
    const Speculation speculation{.draft = draft, .yield = draft > 0 ? any_between(1, 4) : 1};
    const MemoryUse memory = memory_use(scene.model, scene.system, plan, kept_context(w));
    const ServingFloor floor(scene.model, *compiled, w, speculation);
    const bool open = *rc::gen::inRange(0, 2) == 0;
    const auto s = open ? open_loop(*compiled, memory, w, speculation, power(10, any_between(-2, 2)) / unit::s)
                        : closed_loop(*compiled, memory, w, speculation, any_of_these({1.0, 2.0, 9.0, 70.0, 900.0}));
    if (!s) return;
    ++served;
    const auto under = [](Seconds least, Seconds value) { return least <= value * (1 + 1e-8); };
    RC_ASSERT(under(floor.first(), s->ttft.value));
    const double batch = std::max(s->decoding, 1e-9), larger = batch * any_between(1, 3);
    if (w.output.mean() > 1) RC_ASSERT(under(floor.tpot(batch), s->tpot.value));
    const double others = open ? 1 : std::max(0.0, 1 - 1 / s->admitted);
    RC_ASSERT(under(floor.request(larger, others), 1 / s->rate));
    if (!open) RC_ASSERT(under(floor.answer() / s->admitted, 1 / s->rate));
    RC_ASSERT(s->decoding <= floor.largest_batch(s->tpot.value * (1 + 1e-8), s->resident_limit) * (1 + 1e-8));
    // One chip's floor lies under that of any number of them.
    Plan lone = plan;
    lone.tp = lone.ep = lone.pp = lone.dp = lone.cp = 1;
    const auto alone = compile(scene.model, scene.system, scene.calibration, lone);
    RC_ASSERT(alone.has_value());
    RC_ASSERT(under(ServingFloor(scene.model, *alone, w, speculation).request(1e9, others), plan.replica_chips() / s->rate));
  }));
  EXPECT_GT(served, 10);
}

}  // namespace
}  // namespace fareline
