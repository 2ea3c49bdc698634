// SPDX-License-Identifier: Apache-2.0
#include "economics/lifetime.h"

#include <cmath>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fareline {
namespace {

constexpr Tokens trillion = 1e12 * unit::token;

const ScalingLaw& law_named(std::string_view name) {
  for (const ScalingLaw& law : scaling_laws())
    if (law.name == name) return law;
  return scaling_laws()[0];
}

// An optimiser that knows the cost alone: a grid over ln N, then golden sections.
CheapestLife by_search(const ScalingLaw& law, const Life& life, double worth, double target) {
  const auto cost = [&](double log_size) {
    const auto at = life_of(law, life, std::exp(log_size), worth, target);
    return at ? at->total.coherent() : std::numeric_limits<double>::infinity();
  };
  double best = 0;
  for (double x = 0; x < 60; x += 0.01)
    if (cost(x) < cost(best)) best = x;
  double low = best - 0.01, high = best + 0.01;
  const double golden = (std::sqrt(5.0) - 1) / 2;
  for (int i = 0; i < 100; ++i) {
    const double a = high - golden * (high - low), b = low + golden * (high - low);
    if (cost(a) <= cost(b)) high = b;
    else low = a;
  }
  return *life_of(law, life, std::exp((low + high) / 2), worth, target);
}

TEST(CheapestLife, IsWhatAnIndependentOptimiserFinds) {
  EXPECT_TRUE(rc::check([] {
    const ScalingLaw& law = scaling_laws()[*rc::gen::inRange<std::size_t>(0, scaling_laws().size())];
    const Life life{.inference = std::pow(10.0, *rc::gen::inRange(100, 160) / 10.0) * unit::token,
                    .inference_efficiency = *rc::gen::inRange(1, 11) / 10.0,
                    .rl_share = *rc::gen::inRange(0, 11) / 10.0};
    const double worth = *rc::gen::inRange(10, 60) / 10.0, target = law.irreducible + *rc::gen::inRange(10, 80) / 100.0;
    const auto found = cheapest_life(law, life, worth, target);
    RC_ASSERT(found.has_value());
    const CheapestLife searched = by_search(law, life, worth, target);
    RC_ASSERT(std::abs(found->parameters / searched.parameters - 1) < 1e-6);
    RC_ASSERT(std::abs(found->tokens / searched.tokens - 1) < 1e-6);
    RC_ASSERT(std::abs(found->total / searched.total - 1) < 1e-12);
    RC_ASSERT(found->total <= searched.total * (1 + 1e-13));
  }));
}

TEST(CheapestLife, IsComputeOptimalWhereNobodyIsServed) {
  for (const ScalingLaw& law : scaling_laws()) {
    const double n = 7e10;
    const Tokens d = optimal_tokens(law, n);
    const auto found = cheapest_life(law, {}, 1, loss(law, n, d));
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->parameters / n, 1, 1e-9);
    EXPECT_NEAR(found->tokens / d, 1, 1e-9);
  }
}

TEST(CheapestLife, IsASmallerModelTrainedLongerTheMoreItServes) {
  EXPECT_TRUE(rc::check([] {
    const ScalingLaw& law = scaling_laws()[*rc::gen::inRange<std::size_t>(0, scaling_laws().size())];
    const double target = law.irreducible + 0.2, few = std::pow(10.0, *rc::gen::inRange(10, 16)), more = few * *rc::gen::inRange(2, 10);
    const auto a = cheapest_life(law, {.inference = few * unit::token}, 1, target),
               b = cheapest_life(law, {.inference = more * unit::token}, 1, target);
    RC_ASSERT(b->parameters < a->parameters);
    RC_ASSERT(b->tokens > a->tokens);
    RC_ASSERT(b->total > a->total);
  }));
}

TEST(CheapestLife, IsNoneBelowTheIrreducibleLoss) {
  for (const ScalingLaw& law : scaling_laws()) EXPECT_FALSE(cheapest_life(law, {.inference = trillion}, 1, law.irreducible));
}

TEST(OptimalParameters, MinimiseTheLossOfACompute) {
  for (const ScalingLaw& law : scaling_laws()) {
    const double c = 5.76e23, n = optimal_parameters(law, c * unit::flop);
    const auto at = [&](double size) { return loss(law, size, c * unit::flop / (size * training_flop) * unit::token); };
    EXPECT_LT(at(n), at(1.001 * n));
    EXPECT_LT(at(n), at(0.999 * n));
    EXPECT_NEAR(optimal_tokens(law, n).in(unit::token), c * unit::flop / (n * training_flop), 1e-9 * c / n);
  }
}

// a and b of Hoffmann et al. 2022, table 2, approach 3: 0.46 and 0.54.
TEST(OptimalParameters, GrowWithTheExponentsOfTable2) {
  const ScalingLaw& law = law_named("chinchilla");
  const double grown = optimal_parameters(law, 1e25 * unit::flop) / optimal_parameters(law, 1e21 * unit::flop);
  EXPECT_NEAR(std::log10(grown) / 4, 0.46, 0.005);
  EXPECT_NEAR(1 - std::log10(grown) / 4, 0.54, 0.005);
}

// Besiroglu et al. 2024, section 3: their fit agrees with 20 tokens a parameter at Chinchilla's compute; that of approach 3 asks for
// far more.
TEST(OptimalParameters, AreTwentyTokensEachUnderTheRefit) {
  const auto ratio = [](std::string_view name) {
    const double n = optimal_parameters(law_named(name), 5.76e23 * unit::flop);
    return optimal_tokens(law_named(name), n).in(unit::token) / n;
  };
  EXPECT_NEAR(ratio("besiroglu"), chinchilla_tokens, 5);
  EXPECT_GT(ratio("chinchilla"), 2 * chinchilla_tokens);
}

// Hoffmann et al. 2022, table 3: parameters, FLOP, tokens.
TEST(Chinchilla, Table3IsSixTimesParametersTimesTokensAndTwentyTokensAParameter) {
  const double rows[][3] = {{4e8, 1.92e19, 8e9},       {1e9, 1.21e20, 20.2e9},     {1e10, 1.23e22, 205.1e9},
                            {6.7e10, 5.76e23, 1.5e12}, {1.75e11, 3.85e24, 3.7e12}, {2.8e11, 9.9e24, 5.9e12},
                            {5.2e11, 3.43e25, 11e12},  {1e12, 1.27e26, 21.2e12},   {1e13, 1.3e28, 216.2e12}};
  for (const auto& [n, flop, tokens] : rows) {
    EXPECT_NEAR(n * tokens * training_flop / (flop * unit::flop), 1, 0.05) << n;
    EXPECT_NEAR(tokens / (chinchilla_tokens * n), 1, 0.12) << n;
  }
}

TEST(EqualCosts, AreEqual) {
  EXPECT_TRUE(rc::check([] {
    const Life life{.inference = *rc::gen::inRange(1, 1000) * trillion,
                    .inference_efficiency = *rc::gen::inRange(1, 11) / 10.0,
                    .rl_trained = *rc::gen::inRange(0, 11) / 10.0,
                    .rl_efficiency = *rc::gen::inRange(1, 11) / 10.0};
    const double n = 1e11;
    const EqualCosts e = equal_costs(life, n);
    RC_ASSERT(std::abs(rl_token_cost(life) * e.rl / e.pretraining - 1) < 1e-12);
    RC_ASSERT(std::abs(2 * n * life.inference.in(unit::token) / life.inference_efficiency / e.each.in(unit::flop)-1) < 1e-12);
  }));
}

// a/x + b x at x and beside it.
TEST(EqualCosts, AreLeastForOneThatFallsAndOneThatRises) {
  EXPECT_EQ(equal_costs_minimum(4, 1), 2);
  EXPECT_TRUE(rc::check([] {
    const double a = *rc::gen::inRange(1, 1000), b = *rc::gen::inRange(1, 1000), x = equal_costs_minimum(a, b);
    for (const double beside : {0.99 * x, 1.01 * x}) RC_ASSERT(a / x + b * x < a / beside + b * beside);
  }));
}

// The lecture at 1:25:54: 2/6/0.3.
TEST(RlTokenCost, IsThatOfTheLecture) {
  EXPECT_NEAR(rl_token_cost({.rl_efficiency = 0.3}), 1.11111, 1e-5);
  EXPECT_EQ(rl_token_cost({.rl_trained = 1}), 1);
}

TEST(EffectiveParameters, AreTheActiveOnesOfADenseModel) {
  EXPECT_EQ(effective_parameters(5e9, 1, 0.3), 5e9);
  EXPECT_NEAR(effective_parameters(370e6, 64, 0.302), 1.3e9, 0.01e9);  // the lecture at 29:44
}

}  // namespace
}  // namespace fareline
