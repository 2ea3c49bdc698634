// SPDX-License-Identifier: Apache-2.0
#include "economics/price_steps.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "units/elementary.h"

namespace fareline {
namespace {

constexpr TokenPrice dollar = 1 * unit::usd / unit::Mtok;

// The lecture's curve: flat until the fetch of KV takes longer than the multiplies, then a slope.
CostAt hinge(double at) {
  return [at](double context) { return std::max(1.0, context / at) * dollar; };
}

// From 1 to 4 dollars in two steps: 2 and 4, the second from twice the hinge on; each at most twice the cost.
TEST(PriceSteps, OfAHingeAreItsGeometricMeans) {
  const auto steps = price_steps(hinge(200e3), 800e3, 2);
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].above, 0);
  EXPECT_NEAR(steps[0].price / dollar, 2, 1e-12);
  EXPECT_NEAR(steps[1].above, 400e3, 1e-3);
  EXPECT_NEAR(steps[1].price / dollar, 4, 1e-12);
  EXPECT_NEAR(largest_overcharge(hinge(200e3), steps), 2, 1e-9);
}

TEST(PriceSteps, OfAFlatCostAreOne) {
  const auto steps = price_steps(hinge(1e9), 1e6, 5);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].price / dollar, 1);
}

CostAt any_cost() {
  const double hinge = *rc::gen::inRange(10, 1000000), bend = *rc::gen::inRange(1, 30) / 10.0, jump = *rc::gen::inRange(10, 1000000);
  return [=](double context) { return (1 + power(context / hinge, bend) + (context > jump ? 1 : 0)) * dollar; };
}

RC_GTEST_PROP(PriceSteps, are_never_below_cost_and_rise, ()) {
  const CostAt cost = any_cost();
  const int count = *rc::gen::inRange(1, 9);
  const double longest = *rc::gen::inRange(2, 10000000);
  const auto steps = price_steps(cost, longest, count);
  RC_ASSERT(!steps.empty() && static_cast<int>(steps.size()) <= count && steps.front().above == 0);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (i) RC_ASSERT(steps[i].above > steps[i - 1].above && steps[i].price > steps[i - 1].price);
    const double until = i + 1 < steps.size() ? steps[i + 1].above : longest;
    for (const double share : {0.0, 0.3, 0.9, 1.0})
      RC_ASSERT(cost(std::max(1.0, steps[i].above + share * (until - steps[i].above))) <= steps[i].price * (1 + 1e-12));
  }
}

// Any other two prices that cover the cost overcharge somebody more: tried on a grid of thresholds.
RC_GTEST_PROP(PriceSteps, overcharge_least, ()) {
  const double at = *rc::gen::inRange(10, 100000), longest = *rc::gen::inRange(200000, 10000000);
  const CostAt cost = hinge(at);
  const double best = largest_overcharge(cost, price_steps(cost, longest, 2));
  for (int i = 1; i < 100; ++i) {
    const double threshold = power(longest, i / 100.0);
    const std::vector<LengthPrice> other{{.above = 0, .price = cost(threshold)}, {.above = threshold, .price = cost(longest)}};
    RC_ASSERT(best <= largest_overcharge(cost, other) * (1 + 1e-9));
  }
}

TEST(CoveredUntil, IsWhereTheCostReachesThePrice) {
  EXPECT_NEAR(covered_until(hinge(1000), 3 * dollar, 1e6), 3000, 1e-6);
  EXPECT_EQ(covered_until(hinge(1000), 3 * dollar, 2000), 2000);
  EXPECT_EQ(covered_until(hinge(1000), 0.5 * dollar, 1e6), 0);
}

}  // namespace
}  // namespace fareline
