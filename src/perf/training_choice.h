// SPDX-License-Identifier: Apache-2.0
// The layout of a training run, where it is left open: the fastest that fits.
#pragma once

#include <expected>

#include "perf/training.h"

namespace fareline {

// What of a plan is open. `chips` and `sequences` of a step are given; dp and micro_batches follow from the rest.
struct TrainingSearch {
  int chips = 1;
  double sequences = 1;  // of a step, all replicas
  bool tp = false, pp = false, micro_batch = false, chunks = false, recompute = false;
};

struct TrainingChoice {
  TrainingPlan plan;
  TrainingStep step;
  int tried = 0;
  bool fits = false;  // in memory; where nothing does, the choice is the one that takes least
};

// Returns the plan with the least time a step among those that fit in memory, starting from `plan`, whose other parts stay.
// Equation: arg min of training_step over powers of two of tp up to the domain, divisors of pp, powers of two of the micro-batch,
// chunks that divide a stage's layers, and recomputation. Source: Narayanan et al. 2021, arXiv:2104.04473, section 3 (which does it by
// hand). Assumes: micro-batches that a schedule refuses are no choice.
std::expected<TrainingChoice, Infeasible> fastest_training(const Model& model, const System& system, const Calibration& calibration,
                                                           const TrainingPlan& plan, const TrainingSearch& search);

}  // namespace fareline
