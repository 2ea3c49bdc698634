// SPDX-License-Identifier: Apache-2.0
// A plan compiled against a model, a system and a calibration: asked for one pass, it answers in under a microsecond.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <vector>

#include "catalog/calibration.h"
#include "catalog/chip.h"
#include "catalog/model.h"
#include "perf/operators.h"
#include "perf/plan.h"

namespace fareline {

// One pass: the calibrated time, the bound of physics under it, and what the time went to, on the slowest rank.
struct PassEstimate {
  Seconds time;                                  // from the first operator to the sampled token, through all stages
  Seconds floor;                                 // max(FLOP / peak, weights and KV / bandwidth, wire / link) of every stage, added
  Seconds stage_time, stage_floor;               // of the slowest stage: a pipeline takes a new micro-batch this often
  std::array<Seconds, binder_count> by_binder{}; // adds up to `time`
  Flops flops;                                   // of one chip of the slowest stage, as all below
  Bytes weights, kv, activations;
};

// One operator in one pass, opened for people.
struct OperatorEstimate {
  const Operator* definition = nullptr;
  int layers = 0;                                // layers it runs in
  Seconds time;                                  // of all of them
  Flops flops;
  Bytes weights, kv, activations;
  std::array<Seconds, binder_count> by_binder{};
};

class CompiledPlan {
 public:
  // Returns the time and cost of `pass`. Source: the rows of operators.h. Assumes: dp groups are evenly loaded; kernels of
  // one rank run one after the other; collectives hide behind compute by the calibration's share.
  PassEstimate estimate(const Pass& pass) const;
  // The same, operator by operator.
  std::vector<OperatorEstimate> explain(const Pass& pass) const;
  // Time of one run of the model's MTP module for every decoding sequence (one drafted token each); zero without a module.
  // Source: DeepSeek-V3 report, section 2.2. Assumes: the module runs once a drafted token, over the same layout.
  PassEstimate draft(const Pass& pass) const;

  const Plan& plan() const { return plan_; }
  const EngineOverhead& engine() const { return engine_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  friend std::expected<CompiledPlan, Infeasible> compile(const Model&, const System&, const Calibration&, const Plan&);
  struct Block { int first = 0, last = 0; };     // operators_[first, last)
  struct Cost;
  static void add_operator(const Operator& op, const PassShape& shape, Cost& total);
  Cost block_cost(const Block& block, const PassShape& shape) const;
  PassShape shape_of(const Pass& pass) const;
  PassEstimate run(const PassShape& shape, bool draft_only) const;

  Plan plan_;
  std::vector<Operator> operators_;
  std::vector<Block> kinds_;                     // one a distinct layer
  Block head_, tail_, hop_, draft_;
  std::vector<int> stage_layers_;                // [stage * kinds + kind]
  SecondsPerByte inverse_hbm_;                   // at the chip's peak
  EngineOverhead engine_;
  std::vector<std::string> notes_;
};

// Compiles `plan`. Returns why not where the plan cannot be divided as it asks; whether it fits in memory is memory.h's.
std::expected<CompiledPlan, Infeasible> compile(const Model& model, const System& system, const Calibration& calibration, const Plan& plan);

// Returns the format a matrix is kept in under the plan. Source: the plan, else the published configuration.
// Assumes: embeddings, LM head, router, norms stay as published.
Format kept_format(const Matrix& matrix, const Plan& plan);
// Returns the row of the peak table a product of weights in `weights` runs at: the weights' own where the chip has it and the
// activations allow, else the next wider, else bf16. Source: NVIDIA, cuBLAS and TensorRT-LLM documentation on weight-only formats;
// JAX documentation, jax.default_matmul_precision (a chip without FP32 multiplies it as bfloat16 by default).
// Assumes: narrower weights are widened in registers at no cost of their own.
Format multiply_rate(Format weights, std::optional<Format> activations, const Chip& chip);

// Returns the experts' share touched by at least one of `tokens` tokens. Equation: 1 - (1 + x v)^(-1/v), x = -T ln(1 - k/E),
// v = cv^2; 1 - (1 - k/E)^T at v = 0. Source: Greenwood & Yule 1920 (negative binomial). Assumes: gamma popularity.
double touched_share(double tokens, double experts, double active, double skew);

}  // namespace fareline
