// SPDX-License-Identifier: Apache-2.0
#include "perf/compiled_plan.h"

#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/scenes.h"
#include "units/elementary.h"

namespace fareline {
namespace {

using namespace test;

Seconds sum(const std::array<Seconds, binder_count>& parts) {
  Seconds total;
  for (const Seconds part : parts) total += part;
  return total;
}

TEST(Estimate, NeverUndercutsItsFloor) {
  int feasible = 0;
  EXPECT_TRUE(rc::check([&] {
    const Scene s = any_scene();
    const auto plan = compile(s.model, s.system, s.calibration, s.plan);
    if (!plan) return;
    ++feasible;
    const Pass pass = any_pass();
    for (const PassEstimate& e : {plan->estimate(pass), plan->draft(pass)}) {
      RC_ASSERT(at_least(e.time, e.floor));
      RC_ASSERT(at_least(e.stage_time, e.stage_floor));
      RC_ASSERT(at_least(e.floor, e.stage_floor));
      RC_ASSERT(std::isfinite(e.time.coherent()));
      RC_ASSERT(std::abs(sum(e.by_binder) / e.time - 1) < 1e-9 || e.time == Seconds{});
      for (const Seconds part : e.by_binder) RC_ASSERT(part >= -1e-12 * e.time);
    }
    RC_ASSERT(plan->estimate(pass).floor > Seconds{});
  }));
  EXPECT_GT(feasible, 20);
}

// A product of one row streams its weights and hides its FLOP; from the second row on it is cut into tiles.
TEST(Products, OfFewRowsAreStreamedAndNotTiled) {
  const Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-8B");
  const System cpu = *Catalogue::built_in().system("cpu-zen4-2core");
  Calibration c = *Catalogue::built_in().calibration("ideal");
  c.engine = {};
  for (Efficiency& e : c.kernels[static_cast<std::size_t>(Kernel::gemm)]) e = {.serial_share = 1, .tile = 4, .tiled_from = 2};
  const auto plan = compile(model, cpu, c, {});
  ASSERT_TRUE(plan.has_value());
  const auto products = [&](double rows) {
    Seconds time;
    Flops flops;
    Bytes bytes;
    for (const OperatorEstimate& op : plan->explain({.decode_sequences = rows, .decode_context = 16}))
      if (op.definition->kind == OperatorKind::matrix_product) {
        time += op.time;
        flops += op.flops;
        bytes += op.weights + op.activations;
      }
    return std::array{time, flops / cpu.chip.peak[static_cast<std::size_t>(Format::bf16)].value, bytes / cpu.chip.hbm_bandwidth.value};
  };
  const auto [one, one_flops, one_bytes] = products(1);
  EXPECT_NEAR(one / one_bytes, 1, 1e-9) << "one row: the bytes alone";
  const auto [two, two_flops, two_bytes] = products(2);
  EXPECT_NEAR(two / (two_bytes + 2 * two_flops), 1, 1e-9) << "two rows: bytes, and the FLOP of a tile of four on top";
}

TEST(Attention, OfOneQueryWorksOffWhatFillsNoVector) {
  const Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-8B");
  const System cpu = *Catalogue::built_in().system("cpu-zen4-2core");
  const auto attention = [&](double vector, double share) {
    Calibration c = *Catalogue::built_in().calibration("ideal");
    c.engine = {};
    for (Efficiency& e : c.kernels[static_cast<std::size_t>(Kernel::attention_decode)])
      e = {.peak_share = share, .vector_dims = vector, .tail_dims = 1000};
    const auto plan = compile(model, cpu, c, {});  // what it explains points into it
    for (const OperatorEstimate& op : plan->explain({.decode_sequences = 1, .decode_context = 4095}))
      if (op.definition->kind == OperatorKind::attention_decode)
        return op.by_binder[static_cast<std::size_t>(Binder::flops)];
    return Seconds{};
  };
  // 32 layers of 32 heads, 4096 entries, 2 x 128 dimensions, 2 FLOP each; vectors of 80 leave 48 of 128.
  const Flops whole = 32 * 32 * 4096.0 * 2 * 256 * unit::flop;
  const FlopRate peak = cpu.chip.peak[static_cast<std::size_t>(Format::bf16)].value;
  EXPECT_NEAR(attention(80, 0.5) / (80.0 / 128 * (whole / (0.5 * peak)) + 48.0 / 128 * 1000 * (whole / peak)), 1, 1e-9);
  EXPECT_NEAR(attention(80, 0.1) / (80.0 / 128 * (whole / (0.1 * peak)) + 48.0 / 128 * 1000 * (whole / peak)), 1, 1e-9)
      << "a tail costs what it costs, however well vectors do";
  EXPECT_LT(attention(64, 0.01), attention(80, 0.01));
}

TEST(Estimate, IsTheSumOfItsOperators) {
  EXPECT_TRUE(rc::check([] {
    Scene s = any_scene();
    s.plan.pp = 1;
    s.calibration.engine = {};
    const auto plan = compile(s.model, s.system, s.calibration, s.plan);
    if (!plan) return;
    const Pass pass = any_pass();
    const PassEstimate whole = plan->estimate(pass);
    Seconds time;
    Flops flops;
    Bytes weights, kv, activations;
    for (const OperatorEstimate& op : plan->explain(pass)) {
      time += op.time;
      flops += op.flops;
      weights += op.weights;
      kv += op.kv;
      activations += op.activations;
    }
    RC_ASSERT(std::abs(time / whole.time - 1) < 1e-9);
    RC_ASSERT(std::abs(flops / whole.flops - 1) < 1e-9);
    RC_ASSERT(std::abs(weights / whole.weights - 1) < 1e-9);
    RC_ASSERT(std::abs((kv + activations) / (whole.kv + whole.activations) - 1) < 1e-9);
  }));
}

TEST(Estimate, GrowsWithBatchAndContextWhereNothingIsChunked) {
  EXPECT_TRUE(rc::check([] {
    const Scene s = any_scene();
    for (const Layer& layer : s.model.kinds)
      if (layer.attention.kind == AttentionKind::chunked) return;  // a full chunk of 8192 falls back to its mean of 4096
    const auto plan = compile(s.model, s.system, s.calibration, s.plan);
    if (!plan) return;
    const Pass pass = any_pass();
    Pass longer = pass, larger = pass;
    longer.decode_context += 1000;
    longer.prefill_context += 1000;
    larger.decode_sequences *= 2;
    larger.prefill_sequences *= 2;
    const PassEstimate e = plan->estimate(pass), l = plan->estimate(longer), b = plan->estimate(larger);
    RC_ASSERT(at_least(l.time, e.time));
    RC_ASSERT(at_least(l.floor, e.floor));
    RC_ASSERT(at_least(b.floor, e.floor));
  }));
}

TEST(Estimate, OfTheBlackboardIsItsFloorAndOfIdealKernelsInTurnALittleMore) {
  const Model llama = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-70B");
  const System system = *Catalogue::built_in().system("hgx-h100");
  const Pass pass{.decode_sequences = 1};
  const PassEstimate blackboard = compile(llama, system, ideal(), {.tp = 8})->estimate(pass);
  EXPECT_EQ(blackboard.time, blackboard.floor);
  Calibration in_turn = ideal();
  in_turn.engine = {};
  const PassEstimate e = compile(llama, system, in_turn, {.tp = 8})->estimate(pass);
  EXPECT_EQ(e.floor, blackboard.floor);
  const Seconds wire = e.by_binder[static_cast<std::size_t>(Binder::collectives)];  // 161 hops, which the floor hides behind weights
  EXPECT_GT(e.time - wire, e.floor);
  EXPECT_LT(e.time - wire, 1.005 * e.floor);  // one token's activations are what is left
}

TEST(Compile, RefusesWhatDoesNotDivideAndSaysBy) {
  const Model llama = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-70B");
  const System system = *Catalogue::built_in().system("hgx-h100");
  const auto refused = compile(llama, system, ideal(), {.tp = 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().constraint, Infeasible::Constraint::heads);
  EXPECT_EQ(refused.error().needed, 3);
  EXPECT_EQ(refused.error().available, 64);
  const auto stages = compile(llama, system, ideal(), {.pp = 81});
  ASSERT_FALSE(stages);
  EXPECT_EQ(stages.error().constraint, Infeasible::Constraint::layers);
  const Model deepseek = *Catalogue::built_in().model("deepseek-ai/DeepSeek-V3");
  const auto experts = compile(deepseek, *Catalogue::built_in().system("gb200-nvl72"), ideal(), {.ep = 72, .dp = 72});
  ASSERT_FALSE(experts);
  EXPECT_EQ(experts.error().constraint, Infeasible::Constraint::experts);
  EXPECT_EQ(experts.error().available, 256);
}

TEST(MultiplyRate, IsNeverAFormatTheChipLacks) {
  for (const System& system : all_systems())
    for (const FormatRow& weights : formats)
      for (const FormatRow& activations : formats) {
        const Format rate = multiply_rate(weights.format, activations.format, system.chip);
        EXPECT_GT(system.chip.peak[static_cast<std::size_t>(rate)].value, FlopRate{})
            << system.name << ": " << weights.name << " times " << activations.name << " at " << name(rate);
      }
}

// Experts touched in one trial: every token picks `active` of `experts` without replacement, with chances in proportion to `weight`.
double touched_in_a_trial(std::mt19937_64& random, int tokens, int active, const std::vector<double>& weight) {
  std::vector<char> touched(weight.size(), 0);
  for (int t = 0; t < tokens; ++t) {
    std::vector<double> left = weight;
    for (int k = 0; k < active; ++k) {
      std::discrete_distribution<int> pick(left.begin(), left.end());
      const auto expert = static_cast<std::size_t>(pick(random));
      touched[expert] = 1;
      left[expert] = 0;
    }
  }
  return static_cast<double>(std::count(touched.begin(), touched.end(), 1)) / static_cast<double>(weight.size());
}

struct Interval {
  double mean, half_width;  // of the mean, at 4 standard errors: missed by chance once in 16,000
};

template <class Trial>
Interval monte_carlo(int trials, Trial trial) {
  double sum = 0, squares = 0;
  for (int i = 0; i < trials; ++i) {
    const double x = trial();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / trials, variance = std::max(0.0, squares / trials - mean * mean);
  return {mean, 4 * std::sqrt(variance / trials) + 1e-12};
}

TEST(TouchedShare, IsTheMeanOfUniformRoutingWithinItsConfidenceInterval) {
  std::mt19937_64 random(7);
  for (const auto& [experts, active, tokens] : {std::array{256, 8, 1}, {256, 8, 10}, {256, 8, 64}, {64, 6, 30}, {8, 2, 3}, {128, 4, 200}}) {
    const std::vector<double> even(static_cast<std::size_t>(experts), 1.0);
    const Interval drawn = monte_carlo(400, [&] { return touched_in_a_trial(random, tokens, active, even); });
    EXPECT_NEAR(touched_share(tokens, experts, active, 0), drawn.mean, drawn.half_width) << experts << " experts, " << tokens << " tokens";
  }
}

TEST(TouchedShare, IsTheMeanUnderGammaPopularityWithinItsConfidenceInterval) {
  std::mt19937_64 random(11);
  for (const double skew : {0.3, 0.7, 1.5}) {
    std::gamma_distribution<double> popularity(1 / (skew * skew), skew * skew);
    for (const int tokens : {4, 40, 400}) {
      const double hits = -tokens * std::log(1 - 8.0 / 256);
      const Interval drawn =
          monte_carlo(200'000, [&] { return std::poisson_distribution<int>(hits * popularity(random))(random) > 0 ? 1.0 : 0.0; });
      EXPECT_NEAR(touched_share(tokens, 256, 8, skew), drawn.mean, drawn.half_width) << skew << ", " << tokens;
    }
  }
}

TEST(TouchedShare, IsWithinAFewPercentOfSkewedRoutingWithoutReplacement) {
  // The formula lets a token draw an expert twice; routers do not, which touches slightly more.
  std::mt19937_64 random(13);
  const double skew = 0.5;
  std::gamma_distribution<double> popularity(1 / (skew * skew), skew * skew);
  for (const int tokens : {4, 32, 128}) {
    const Interval drawn = monte_carlo(200, [&] {
      std::vector<double> weight(256);
      for (double& w : weight) w = popularity(random);
      return touched_in_a_trial(random, tokens, 8, weight);
    });
    EXPECT_NEAR(touched_share(tokens, 256, 8, skew) / drawn.mean, 1, 0.03) << tokens;
  }
}

TEST(TouchedShare, HasItsLimits) {
  EXPECT_EQ(touched_share(0, 256, 8, 0), 0);
  EXPECT_NEAR(touched_share(1, 256, 8, 0), 8.0 / 256, 1e-15);
  EXPECT_NEAR(touched_share(1e6, 256, 8, 0), 1, 1e-12);
  EXPECT_EQ(touched_share(5, 8, 8, 0.5), 1);
  EXPECT_LT(touched_share(64, 256, 8, 1), touched_share(64, 256, 8, 0.5));
  EXPECT_LT(touched_share(64, 256, 8, 0.5), touched_share(64, 256, 8, 0));
  EXPECT_NEAR(touched_share(64, 256, 8, 1e-4), touched_share(64, 256, 8, 0), 1e-6);
}

TEST(Experts, TheSlowestRankSetsTheTimeAndSkewSlowsIt) {
  const Model deepseek = *Catalogue::built_in().model("deepseek-ai/DeepSeek-V3");
  const System system = *Catalogue::built_in().system("gb200-nvl72");
  Calibration calibration = ideal();
  const Pass pass{.decode_sequences = 64 * 128, .decode_context = 1};
  Plan plan{.ep = 64, .dp = 64};
  Seconds before{};
  for (const double skew : {0.0, 0.5, 1.0}) {
    plan.expert_skew = skew;
    const CompiledPlan compiled = *compile(deepseek, system, calibration, plan);
    for (const OperatorEstimate& op : compiled.explain(pass))
      if (op.definition->kind == OperatorKind::expert_products) {
        EXPECT_GT(op.time, before);
        before = op.time;
      }
  }
}

}  // namespace
}  // namespace fareline
