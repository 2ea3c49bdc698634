// SPDX-License-Identifier: Apache-2.0
// A step of training: forwards, backwards, what is computed again, what is exchanged and what waits, and the memory it takes.
#pragma once

#include <array>
#include <expected>
#include <string_view>

#include "catalog/calibration.h"
#include "catalog/chip.h"
#include "catalog/model.h"
#include "perf/plan.h"
#include "perf/schedule.h"

namespace fareline {

// What of the forward pass is computed again before the backward one.
enum class Recompute : unsigned char {
  none,        // all activations are kept
  selective,   // attention's core is computed again: scores, soft-max, weighted sum
  full,        // a layer keeps its input alone
  reversible,  // a layer's input is computed from its output: nothing is kept but the last one
};
inline constexpr std::array<std::string_view, 4> recompute_names{"none", "selective", "full", "reversible"};

// What the data-parallel ranks share out between them instead of each keeping a copy.
enum class Sharding : unsigned char { none, optimiser, gradients, parameters };
inline constexpr std::array<std::string_view, 4> sharding_names{"none", "optimiser", "gradients", "parameters"};

struct TrainingPlan {
  int tp = 1, pp = 1, dp = 1, cp = 1;  // tp x pp x dp x cp chips
  int ep = 1;                          // experts are dealt over so many of a stage's tp x cp x dp ranks
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int chunks = 1;                      // of layers a device, interleaved
  int micro_batch = 1;                 // sequences that go through a stage together
  int micro_batches = 1;               // that each replica takes in one step
  double sequence = 2048;              // tokens
  bool sequence_parallel = false;      // norms and what lies between products are cut over tp, too
  bool fused_attention = true;         // scores stay on chip; else they are written and read
  bool dropout = false;
  Recompute recompute = Recompute::none;
  Sharding sharding = Sharding::optimiser;
  Format multiply = Format::bf16;      // of the products
  double trained = 1;                  // share of the products' weights that are trained: 0 where adapters are
  Bytes gradient = 4 * unit::B;        // of an element as it is accumulated and exchanged
  double expert_skew = 0;
  double data_overlap = 0;             // of the exchange between replicas, share hidden behind compute
  double tensor_overlap = 0;           // of the exchange inside a layer
  double hop_overlap = 0;              // of what goes from stage to stage
  int chips() const { return tp * pp * dp * cp; }
  double batch() const { return static_cast<double>(dp) * micro_batch * micro_batches; }
};

// What the time of a step goes to.
enum class StepPart : unsigned char {
  products, attention, elementwise, recompute, tensor, experts, context, hops, imbalance, bubble, data, optimiser,
};
inline constexpr int step_part_count = 12;
struct StepPartRow {
  StepPart part;
  std::string_view name, summary;
};
inline constexpr std::array<StepPartRow, step_part_count> step_parts{{
    {StepPart::products, "products", "matrix products, forwards and backwards"},
    {StepPart::attention, "attention", "attention and other token mixing, forwards and backwards"},
    {StepPart::elementwise, "elementwise", "norms, activations, residuals, the loss"},
    {StepPart::recompute, "recompute", "forward work done again"},
    {StepPart::tensor, "tensor", "exchange between tensor-parallel ranks"},
    {StepPart::experts, "experts", "tokens to their experts and back"},
    {StepPart::context, "context", "keys and values between context-parallel ranks"},
    {StepPart::hops, "hops", "from stage to stage"},
    {StepPart::imbalance, "imbalance", "the slowest stage against the mean"},
    {StepPart::bubble, "bubble", "stages that wait for their first or after their last micro-batch"},
    {StepPart::data, "data", "gradients and parameters between replicas, not hidden behind compute"},
    {StepPart::optimiser, "optimiser", "reading and writing the optimiser's state"},
}};

// Bytes of the fullest chip.
struct TrainingMemory {
  Bytes parameters, gradients, optimiser, activations, logits;
  Bytes usable;
  Bytes total() const { return parameters + gradients + optimiser + activations + logits; }
};

struct TrainingStep {
  Seconds time, floor;                              // of one step
  std::array<Seconds, step_part_count> by_part{};   // adds up to `time`
  Flops model_flops, executed_flops;                // of all chips: 3 forward passes; and what is computed again
  double mfu = 0, hfu = 0;                          // of the chips' 16-bit peak, or of 8 bits where products are so
  double tokens = 0;
  TrainingMemory memory;
};

// Elements of the optimiser's state, a parameter: master copy, first and second moment, in FP32.
// Source: Rajbhandari et al. 2020, ZeRO, arXiv:1910.02054, section 3.1 (K = 12). Assumes: Adam in mixed precision.
inline constexpr Bytes optimiser_state = 12 * unit::B;
// Bytes the optimiser moves of one parameter: gradient, and state, in; state and the 16-bit parameter out.
// Source: count: 4 + 12 + 12 + 2. Assumes: one fused kernel.
inline constexpr Bytes optimiser_traffic = 30 * unit::B;
// FLOP of attention's backward pass over its forward one, where scores are computed again on chip.
// Source: Dao 2023, FlashAttention-2, arXiv:2307.08691, section 2.3.2: five products against two. Assumes: two and five alike.
inline constexpr double fused_attention_backward = 2.5;
// FLOP/s of fused attention backwards over forwards.
// Source: Dao 2023, arXiv:2307.08691, section 1: forwards reach 30 to 50% of the peak, backwards 25 to 35%: the middles.
// Assumes: the same ratio on every chip.
inline constexpr double fused_attention_backward_pace = 0.75;

// Returns the share of a collective inside layers or between stages that a calibration has hide behind compute.
// Equation: 1 - serial_share where it was fitted on training; else the engine's collective_overlap.
// Source: the fields of catalog/calibration.h. Assumes: as there: serial_share is what does not hide.
double hidden_share(const Calibration& calibration, Kernel kernel);

// Returns one step of training. Equation: m (F + B + R) of the slowest stage + bubble of the schedule + exchange of gradients +
// optimiser; B = products' gradients of inputs and of weights, 2 F; attention 2 F, fused 2.5 F; elementwise 1.5 F (a gradient is read
// beside what was read forwards); R as recomputed. FLOP of the model: 3 forward passes, attention over the full square of the sequence.
// Source: Narayanan et al. 2021, arXiv:2104.04473, sections 2 and 3; Korthikanti et al. 2022, arXiv:2205.05198, sections 4 and 5;
// Chowdhery et al. 2022, arXiv:2204.02311, appendix B (MFU). Kernels: perf/operators.h; collectives: perf/collectives.h.
// Assumes: replicas and ranks alike; layers are dealt evenly over stages; a step's exchange starts when its micro-batches are through.
std::expected<TrainingStep, Infeasible> training_step(const Model& model, const System& system, const Calibration& calibration,
                                                      const TrainingPlan& plan);

// Returns what the fullest chip holds. Equation: a parameter 2 B, its gradient `gradient`, its state 12 B, each over the ranks that share
// it; activations: layers in flight x tokens x (2 B x (norms' and products' inputs, q, k, v) + masks), scores where not fused.
// Source: Korthikanti et al. 2022, arXiv:2205.05198, equations 1 to 6; Rajbhandari et al. 2020, arXiv:1910.02054, section 3.
// Assumes: 16-bit activations; buffers of the framework are left out.
TrainingMemory training_memory(const Model& model, const System& system, const TrainingPlan& plan);

}  // namespace fareline
