// SPDX-License-Identifier: Apache-2.0
// One batch prefilled and decoded together: the cleanest test of a pass, because nobody queues. Apart from the calibration it is
// predicted by, so that a fit can try one after the other.
#pragma once

#include <expected>
#include <string>

#include "catalog/catalog.h"
#include "perf/plan.h"
#include "truth/validate.h"

namespace fareline {

struct BatchCase {
  Model model;
  System found;     // as the row found it: the cores it ran on, the memory as fast as it was then
  System best;      // the fastest it was stated or seen to be: what bounds it
  Plan plan;
  double sequences = 0, prompt = 0, output = 0;  // tokens: means
  int chips = 1;
};

// Returns the case of a setup whose load is a batch, or why there is none.
std::expected<BatchCase, std::string> batch_case(const Catalogue& catalogue, const ServingSetup& setup);

// Returns the prediction: one pass over all prompts, then a decode pass at the mean context for every further token.
// Source: count. Assumes: a batch's decode time is linear in the context, so that the mean context stands for all steps.
std::expected<ServingPrediction, std::string> predict(const BatchCase& batch, const Calibration& calibration, bool counts_prompt);

// What a row's layout is to perf, and why a plan cannot be, in words shared by its like.
Plan plan_of(const ServingSetup& setup, const PoolLayout& pool);
std::string reason(const Infeasible& infeasible);

inline Predicted<Seconds> banded(Seconds value, Seconds floor, Band band) {
  return {value, floor, max(floor, value * band.low), value * band.high};
}
inline Predicted<TokenRate> banded(TokenRate value, TokenRate ceiling, Band band) {
  return {value, ceiling, value * band.low, min(ceiling, value * band.high)};
}

}  // namespace fareline
