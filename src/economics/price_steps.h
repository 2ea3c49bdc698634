// SPDX-License-Identifier: Apache-2.0
// Prices that step with the length of the prompt, over a cost that rises with it.
#pragma once

#include <functional>
#include <vector>

#include "units/quantity.h"

namespace fareline {

using CostAt = std::function<TokenPrice(double context)>;  // never falls

struct LengthPrice {
  double above = 0;  // tokens of prompt from which it holds
  TokenPrice price;
};

// Returns `count` prices that nowhere up to `longest` lie below the cost, and whose largest overcharge is as small as can be.
// Equation: r = (cost(longest) / cost(1))^(1/count), price_i = cost(1) r^i, above_i = the context at which cost = price_(i-1).
// Source: derived: with cost in [a, b], one price of several covers costs that lie a factor r apart, so count of them cover r^count.
// Assumes: cost never falls, and is positive; steps that nobody would fall into are left out.
std::vector<LengthPrice> price_steps(const CostAt& cost, double longest, int count);

// Returns the largest price over cost of `steps` on contexts from 1 to `longest`. Equation: max price_i / cost(above_i).
// Source: definition. Assumes: as price_steps.
double largest_overcharge(const CostAt& cost, const std::vector<LengthPrice>& steps);

// Returns the longest context, up to `longest`, whose cost is at most `price`; zero where none is.
// Equation: bisection. Source: definition. Assumes: cost never falls.
double covered_until(const CostAt& cost, TokenPrice price, double longest);

}  // namespace fareline
