// SPDX-License-Identifier: Apache-2.0
// What a step costs, as a line over the context of its decoding sequences, so that a run of steps is a sum in closed form.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "perf/compiled_plan.h"
#include "sim/archive.h"

namespace fareline {

// Whose tokens one step of one micro-batch carries.
struct Batch {
  std::int64_t decoding = 0;                  // sequences
  std::int64_t chunks = 0, chunk_tokens = 0;  // pieces of prompts, and their tokens together
  std::int64_t pairs = 0;                     // of those tokens, each with all before it and itself
  friend bool operator==(const Batch&, const Batch&) = default;
};

struct StepCost {
  Seconds time;    // through all stages
  Seconds stage;   // until the pipeline takes the next micro-batch
  Flops flops;     // of one chip of the slowest stage, as `moved`: weights, KV and activations
  Bytes moved;
};

// Cost between two contexts, a mean over the decoding sequences: what it would be at none, and what a token adds.
struct CostLine {
  double from = 0, to = -1;
  StepCost at_none, per_token;
  StepCost at(double context) const {
    return {at_none.time + context * per_token.time, at_none.stage + context * per_token.stage, at_none.flops + context * per_token.flops,
            at_none.moved + context * per_token.moved};
  }
  // Time of `steps` steps, the first at mean context `context`, each one token further. Equation: n t(c) + t' n (n - 1)/2.
  Seconds time_of(double context, std::int64_t steps) const {
    const double n = static_cast<double>(steps);
    return n * (at_none.time + context * per_token.time) + n * (n - 1) / 2 * per_token.time;
  }
};

// Costs of the steps of one plan, remembered. What is remembered is part of a run's state: lines and single estimates differ in
// their last digits, and a run that goes on from a checkpoint must take the same.
class StepTimes {
 public:
  // Contexts run to `context_most`; `draft` tokens are verified beside each sequence's own.
  StepTimes(const CompiledPlan& plan, double context_most, int draft, bool drafted_by_mtp);

  // The line of a batch without chunks around `context`; nothing where cost is no line there.
  const CostLine* line(std::int64_t decoding, double context);
  // Cost of one step.
  StepCost at(const Batch& batch, double context);
  // The same straight from the plan. Equation: chunks of n tokens on average after c, with n c + n (n + 1)/2 = pairs / chunks.
  // Source: CompiledPlan::estimate, CompiledPlan::draft. Assumes: chunks of different lengths cost as equal ones with as many pairs.
  StepCost estimate(const Batch& batch, double context) const;

  void archive(Archive& archive);

 private:
  struct Curve {
    std::vector<CostLine> lines;              // in order, without gaps; empty: too crooked
    std::size_t last = 0;
  };
  struct Remembered {
    Batch batch;
    int seen = 0;
    std::unique_ptr<Curve> curve;
  };
  Curve draw(const Batch& batch) const;
  const CostLine* on(Curve& curve, double context) const;
  Remembered& place_of(const Batch& batch);

  const CompiledPlan* plan_;
  double context_most_;
  int draft_;
  bool drafted_by_mtp_;
  std::vector<std::unique_ptr<Curve>> decoding_;   // by sequences
  std::vector<Remembered> mixed_;                  // by a hash of the batch
};

}  // namespace fareline
