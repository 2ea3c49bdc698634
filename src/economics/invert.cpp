// SPDX-License-Identifier: Apache-2.0
#include "economics/invert.h"

#include <cmath>

#include "units/elementary.h"

namespace fareline {

Spread product(std::initializer_list<Range> factors) {
  double middle = 1, variance = 0;
  for (const Range& f : factors) {
    middle *= std::sqrt(f.low * f.high);
    const double half = natural_log(f.high / f.low) / 2;
    variance += half * half;
  }
  const double factor = exponential(std::sqrt(variance));
  return {.low = middle / factor, .middle = middle, .high = middle * factor};
}

Range inverse(const Range& range) { return {.low = 1 / range.high, .high = 1 / range.low}; }

double active_sold_at_rent(TokenPrice input, FlopRate peak, MoneyRate rental) {
  return input * unit::token / rental * peak / (2 * unit::flop);
}

double margin_of_input(TokenPrice input, double active, FlopRate peak, double mfu, MoneyRate rental) {
  return active_sold_at_rent(input, peak, rental) * mfu / active;
}

BytesPerToken kv_from_slope(TokenPrice below, TokenPrice above, double further, Bandwidth bandwidth, MoneyRate rental) {
  return (above - below) / rental * bandwidth / further;
}

BytesPerToken kv_from_output(TokenPrice output, double past, Bandwidth bandwidth, MoneyRate rental) {
  return kv_from_slope(TokenPrice{}, output, past, bandwidth, rental);
}

std::optional<FastMode> fast_mode(double price, double speed) {
  if (!(price > 1) || !(speed > 1)) return std::nullopt;
  return FastMode{.batch = price * speed, .growth = (speed - 1) / (1 - 1 / price)};
}

}  // namespace fareline
