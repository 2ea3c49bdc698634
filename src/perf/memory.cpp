// SPDX-License-Identifier: Apache-2.0
#include "perf/memory.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "perf/compiled_plan.h"

namespace fareline {
namespace {

// A sampled token's logit: as computed (2 B), in FP32 (4 B), and the position it sorts to (8 B); sequences sampled at once.
// Source: vLLM documentation, V1 sampler, and max_num_seqs, 1024 on chips of 70 GiB or more; the two reproduce "torch peak memory
// increase" of the runs in llm-d-incubation/llm-d-planner@875a4fd:accuracy/accuracy_report.md to 4% (1.89 GiB for Llama-3.1-8B,
// 2.21 GiB for Qwen2.5-7B, 3.63 GiB for gemma-7b, at any tensor parallelism).
// Assumes: top-k or top-p sampling, which sorts; every rank holds the whole vocabulary's logits.
constexpr Bytes logit = (2 + 4 + 8) * unit::B;
constexpr double sequences_sampled = 1024;
// What no tensor accounts for: the driver's context of the kernels, and what communicators hold beside NCCL's channels.
// Source: "non-torch forward increase" of the same report: 0.25 GiB on one rank, 2.06 to 2.17 GiB on two to four (H100, vLLM 0.19).
// Assumes: other chips and engines take as much.
constexpr Bytes runtime = 0.25 * unit::GiB, communicators = 1.75 * unit::GiB;

// Bytes of a matrix on the fullest rank.
Bytes matrix_bytes(const Matrix& m, const Plan& plan) {
  const Bytes element = element_bytes(kept_format(m, plan));
  const double one = static_cast<double>(m.inputs) * static_cast<double>(m.outputs);
  if (m.split == Split::experts) {
    const double here = std::ceil(static_cast<double>(m.copies) / plan.ep);
    return here * one / plan.expert_tp() * element;
  }
  const bool feed_forward = m.part == Part::dense_mlp || m.part == Part::shared_experts;
  const int ranks = feed_forward ? plan.tp * plan.cp : plan.tp;
  const double cut = m.split == Split::replicated
                         ? 1
                         : static_cast<double>(std::min<std::int64_t>(std::max<std::int64_t>(m.shards_most, 1), ranks));
  return static_cast<double>(m.copies) * one / cut * element;
}

Bytes layer_bytes(const Layer& layer, const Plan& plan) {
  Bytes total;
  for (const Matrix& m : layer.matrices) total += matrix_bytes(m, plan);
  return total;
}

double width_here(const Attention& a, const Plan& plan) {
  if (a.kind == AttentionKind::mla || a.kv_heads == 0) return 1;
  return std::ceil(static_cast<double>(a.kv_heads) / plan.tp) / a.kv_heads;
}

// KV and index bytes of one layer and sequence on one chip.
Bytes kept_bytes(const Attention& a, Format kv, double context, const Plan& plan) {
  return kept_elements(a, context) * width_here(a, plan) / plan.cp * element_bytes(kv) +
         index_elements(a, context) / plan.cp * index_element;
}

}  // namespace

MemoryUse memory_use(const Model& model, const System& system, const Plan& plan, double context) {
  const Format kv = plan.kv.value_or(model.precision.kv);
  const double paged = std::ceil(context / plan.page_tokens) * plan.page_tokens;
  const std::size_t kinds = model.kinds.size();
  std::vector<Bytes> weights(kinds), kept(kinds), states(kinds);
  for (std::size_t k = 0; k < kinds; ++k) {
    const Layer& layer = model.kinds[k];
    weights[k] = layer_bytes(layer, plan);
    kept[k] = kept_bytes(layer.attention, kv, paged, plan);
    states[k] = state_elements(layer.attention) / plan.tp * state_element;
  }
  std::vector<Bytes> stage_weights(static_cast<std::size_t>(plan.pp)), stage_kept(stage_weights.size()), stage_state(stage_weights.size());
  const int layers = model.layers();
  for (int i = 0; i < layers; ++i) {
    const auto stage = static_cast<std::size_t>(static_cast<long>(i) * plan.pp / layers);
    const auto kind = static_cast<std::size_t>(model.order[static_cast<std::size_t>(i)]);
    stage_weights[stage] += weights[kind];
    stage_kept[stage] += kept[kind];
    stage_state[stage] += states[kind];
  }
  stage_weights.front() += matrix_bytes(model.embedding, plan);
  if (!model.tied_embeddings || plan.pp > 1) stage_weights.back() += matrix_bytes(model.lm_head, plan);
  for (const Matrix& m : model.other) stage_weights.back() += matrix_bytes(m, plan);
  if (plan.mtp)
    for (const Layer& layer : model.mtp) stage_weights.back() += layer_bytes(layer, plan);

  MemoryUse use;
  use.physical = system.chip.hbm_capacity.value;
  use.usable = system.chip.hbm_usable.stated() ? system.chip.hbm_usable.value : system.chip.hbm_capacity.value;
  use.budget = plan.memory_fraction * use.usable;
  use.weights = *std::max_element(stage_weights.begin(), stage_weights.end());
  // A stage's share of the sequences is that of the whole replica: every sequence has its KV in every stage.
  std::size_t fullest = 0;
  for (std::size_t s = 1; s < stage_kept.size(); ++s)
    if (stage_kept[s] + stage_state[s] > stage_kept[fullest] + stage_state[fullest]) fullest = s;
  use.sequence = stage_kept[fullest] + stage_state[fullest];
  use.state = stage_state[fullest];

  double widest = 0, routed = 0;
  for (const Layer& layer : model.kinds) {
    const FeedForward& f = layer.feed_forward;
    if (f.experts > 0) {
      const double inputs = f.expert_hidden > 0 ? f.expert_hidden : model.hidden,
                   width = static_cast<double>(f.intermediate) / plan.expert_tp();
      routed = std::max(routed,
                        static_cast<double>(f.active_experts) * plan.dp / plan.ep * (std::max((f.matrices - 1) * width, inputs) + width));
    } else {
      widest = std::max(widest, f.matrices * static_cast<double>(f.intermediate) / (plan.tp * plan.cp));
    }
  }
  const double tokens = plan.token_budget, stream = static_cast<double>(model.hidden) * model.residual_streams;
  const Bytes forward = tokens * (4 * stream + widest) * stream_element;
  const Bytes sampling =
      tokens * 3 * stream * stream_element + std::min(tokens, sequences_sampled) * static_cast<double>(model.vocabulary) * logit;
  use.activations = max(forward, sampling) + tokens * routed * stream_element;
  // NCCL keeps 4 MiB a channel and peer, 16 to 24 channels. Source: NVIDIA, NCCL documentation, NCCL_BUFFSIZE (default 4 MiB).
  const int peers = std::min(plan.replica_chips() - 1, 7);
  use.collectives = peers * 16 * 4 * unit::MiB + (plan.stage_chips() > 1 ? communicators : Bytes{});
  use.reserve = plan.reserve + runtime;
  return use;
}

double most_sequences(const MemoryUse& use, const Plan& plan) {
  const Bytes left = use.left();
  if (left < Bytes{}) return -1;
  if (!(use.sequence > Bytes{})) return 0x1p40;  // nothing is kept: compute alone bounds the batch
  return std::floor(left / use.sequence) * plan.dp;
}

Infeasible out_of_memory(const MemoryUse& use, double sequences) {
  return {Infeasible::Constraint::memory, (use.budget - use.left() + sequences * use.sequence).in(unit::B), use.budget.in(unit::B)};
}

double kv_capacity_tokens(const Model& model, const MemoryUse& use, const Plan& plan) {
  const Format kv = plan.kv.value_or(model.precision.kv);
  std::vector<Bytes> stage(static_cast<std::size_t>(plan.pp));
  const int layers = model.layers();
  for (int i = 0; i < layers; ++i) {
    const Attention& a = model.kinds[static_cast<std::size_t>(model.order[static_cast<std::size_t>(i)])].attention;
    // What one more token adds where the context is already long.
    const double far = 0x1p24;
    stage[static_cast<std::size_t>(static_cast<long>(i) * plan.pp / layers)] +=
        (kept_bytes(a, kv, far * 2, plan) - kept_bytes(a, kv, far, plan)) / far;
  }
  const Bytes token = *std::max_element(stage.begin(), stage.end());
  if (!(token > Bytes{}) || use.left() < Bytes{}) return 0;
  return std::floor(use.left() / token / plan.page_tokens) * plan.page_tokens * plan.dp;
}

Bytes sequence_bytes(const Model& model, Format kv, double context) {
  Bytes total;
  for (const int kind : model.order) {
    const Attention& a = model.kinds[static_cast<std::size_t>(kind)].attention;
    total += kept_elements(a, context) * element_bytes(kv) + index_elements(a, context) * index_element + state_elements(a) * state_element;
  }
  return total;
}

}  // namespace fareline
