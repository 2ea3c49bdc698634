// SPDX-License-Identifier: Apache-2.0
// What prices of tokens give away, each number within the assumptions it takes.
#pragma once

#include <initializer_list>
#include <optional>

#include "units/quantity.h"

namespace fareline {

// A positive number known to lie between two ends with a chance of 80%; its logarithm is taken as normal.
struct Range {
  double low = 1, high = 1;
};
struct Spread {
  double low = 1, middle = 1, high = 1;
};

// Returns the 80% range of a product of numbers known apart, as factors.
// Equation: middle = prod sqrt(low high); ln(high/middle) = sqrt(sum (ln(high/low) / 2)^2).
// Source: variances of logarithms of independent factors add. Assumes: each range is of a log-normal number, none depends on another.
Spread product(std::initializer_list<Range> factors);
// The range of its inverse.
Range inverse(const Range& range);

// Returns the active parameters at which a prompt's token costs `input`, a chip's peak fully used and sold at its rent.
// Equation: p C / (2 rent); times the share of the peak reached, over the price's margin, it is the model's.
// Source: the lecture at 1:48:11 (prefill is bound by compute); 2 FLOP a parameter, Kaplan et al. 2020, section 2.1.
// Assumes: no attention FLOP; the rent is all of the cost.
double active_sold_at_rent(TokenPrice input, FlopRate peak, MoneyRate rental);

// Returns the price of a prompt's token over the rent it takes. Equation: p C u / (2 N rent). Source: active_sold_at_rent, solved.
// Assumes: as there.
double margin_of_input(TokenPrice input, double active, FlopRate peak, double mfu, MoneyRate rental);

// Returns the KV bytes of a token which `further` tokens of past make an output token dearer by, read at peak bandwidth and sold at its
// rent. Equation: (p_above - p_below) BW / (rent further). Source: the lecture at 05:26, as a price.
// Assumes: both prices are of the same batch, and nothing but the past differs.
BytesPerToken kv_from_slope(TokenPrice below, TokenPrice above, double further, Bandwidth bandwidth, MoneyRate rental);

// Returns the KV bytes of a token if reading `past` of them were all that an output token pays for. Equation: p BW / (rent past).
// Source: as kv_from_slope. Assumes: as there; weights and multiplies cost nothing.
BytesPerToken kv_from_output(TokenPrice output, double past, Bandwidth bandwidth, MoneyRate rental);

// What a fast mode's price and speed say of its normal mode.
struct FastMode {
  double batch = 1;    // normal over fast
  double growth = 0;   // time of what grows with the batch, over the time of what does not, in normal mode; infinite: nothing is fixed
};

// Returns the batches' ratio and the share of a step that grows with the batch.
// Equation: B1/B2 = price speed; (1 + g) / (1 + g / (B1/B2)) = speed, g = (speed - 1) / (1 - 1/price).
// Source: the lecture at 01:02 and 13:40: a step takes t = w + v B, a token costs t / B. Assumes: the same chips serve both modes, at the
// same margin. Nothing where the fast mode is no dearer, or no faster.
std::optional<FastMode> fast_mode(double price, double speed);

}  // namespace fareline
