// SPDX-License-Identifier: Apache-2.0
#include "economics/price_steps.h"

#include <algorithm>
#include <cmath>

#include "units/elementary.h"

namespace fareline {

double covered_until(const CostAt& cost, TokenPrice price, double longest) {
  if (cost(longest) <= price) return longest;
  if (!(cost(1) <= price)) return 0;
  double low = 1, high = longest;
  for (int i = 0; i < 100 && high / low > 1 + 1e-15; ++i) {
    const double middle = std::sqrt(low * high);
    (cost(middle) <= price ? low : high) = middle;
  }
  return low;
}

std::vector<LengthPrice> price_steps(const CostAt& cost, double longest, int count) {
  const TokenPrice least = cost(1), most = cost(longest);
  std::vector<LengthPrice> steps;
  double from = 0;
  for (int i = 1; i <= count; ++i) {
    // The last is the cost itself, not its power: nothing may lie below.
    const TokenPrice price = i == count ? most : least * power(most / least, static_cast<double>(i) / count);
    const double until = i == count ? longest : covered_until(cost, price, longest);
    if (until <= from) continue;
    steps.push_back({.above = from, .price = price});
    from = until;
    if (until >= longest) break;
  }
  return steps;
}

double largest_overcharge(const CostAt& cost, const std::vector<LengthPrice>& steps) {
  double most = 0;
  for (const LengthPrice& step : steps) most = std::max(most, step.price / cost(std::max(1.0, step.above)));
  return most;
}

}  // namespace fareline
