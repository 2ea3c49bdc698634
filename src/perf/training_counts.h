// SPDX-License-Identifier: Apache-2.0
// What a step of training counts: parameters on a rank, FLOP of a token, activations a layer keeps.
#pragma once

#include "catalog/model.h"
#include "perf/training.h"

namespace fareline {

// Traffic of elementwise kernels backwards over forwards.
// Source: count: the gradient of what was written is read beside what was read, and the gradient of that written: 3 vectors for 2.
// Assumes: as many vectors read as written.
inline constexpr double elementwise_backward = 1.5;
// Bytes the loss moves of one logit, forwards and backwards.
// Source: count: 16-bit logits in, FP32 copy out, read for the maximum, and soft-max out; soft-max in, 16-bit gradient out.
// Assumes: kernels of Megatron-LM's vocabulary-parallel cross-entropy.
inline constexpr double loss_forward = 14, loss_backward = 6;

// Attention groups that one set of experts serves. Equation: ceil(ep / tp).
// Source: the plan's nesting, perf/plan.h. Assumes: experts are dealt over tensor-parallel ranks first.
int expert_groups(const TrainingPlan& plan);

struct RankParameters {
  double dense = 0, experts = 0;
};
// Returns the parameters of one layer on one rank. Source: the splits of catalog/model.h. Assumes: as perf/compile.cpp.
RankParameters rank_parameters(const Layer& layer, const TrainingPlan& plan);
// Returns those outside of layers on a rank of the first or the last stage. Source: as above. Assumes: tied embeddings are kept on both.
RankParameters edge_parameters(const Model& model, const TrainingPlan& plan, int stage);

// FLOP of one token forwards.
struct ForwardFlops {
  Flops products, head;
  Flops attention;         // over the full square of the sequence
  Flops causal_attention;  // what has to be computed
};
// Returns the FLOP of a token in sequences of `sequence` tokens. Equation: 2 a multiplied parameter; attention 2 h (d_qk + d_v) s.
// Source: Chowdhery et al. 2022, arXiv:2204.02311, appendix B. Assumes: a token meets its active experts; windows as wide as they are.
ForwardFlops forward_flops(const Model& model, double sequence);

// Returns the activations a layer keeps of `tokens` tokens of a micro-batch on one rank, nothing computed again.
// Equation: 2 B (norms h + products' inputs where weights are trained + q, k, v and attention's output + MLP's hidden), masks 1 B; with
// scores 5 B a pair and head (2 without dropout).
// Source: Korthikanti et al. 2022, arXiv:2205.05198, section 4. Assumes: 16 bits.
Bytes layer_activations(const Model& model, const Layer& layer, const TrainingPlan& plan);

}  // namespace fareline
