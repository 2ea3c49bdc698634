// SPDX-License-Identifier: Apache-2.0
// Speculative decoding: tokens a verified step yields.
#pragma once

#include "units/elementary.h"

namespace fareline {

// Returns the expected tokens of one step that verifies `draft` drafted tokens, each accepted with chance `acceptance`.
// Equation: (1 - a^(d + 1)) / (1 - a), and d + 1 at a = 1.
// Source: Leviathan, Kalman & Matias, Fast Inference from Transformers via Speculative Decoding, 2022, equation 1.
// Assumes: acceptances are independent with one rate; the model's own next token is always kept.
constexpr double tokens_of_verified_step(double draft, double acceptance) {
  if (acceptance >= 1) return draft + 1;
  return (1 - power(acceptance, draft + 1)) / (1 - acceptance);
}
static_assert(tokens_of_verified_step(4, 0) == 1);
static_assert(tokens_of_verified_step(4, 1) == 5);

}  // namespace fareline
