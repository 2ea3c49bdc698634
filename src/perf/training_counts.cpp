// SPDX-License-Identifier: Apache-2.0
#include "perf/training_counts.h"

#include <algorithm>
#include <cmath>

#include "perf/operators.h"

namespace fareline {
namespace {

double divide_up(double a, double b) { return std::ceil(a / b); }

double on_rank(const Matrix& m, const TrainingPlan& plan) {
  if (m.split == Split::replicated) return static_cast<double>(m.parameters());
  const double pieces = static_cast<double>(std::min<std::int64_t>(std::max<std::int64_t>(m.shards_most, 1), plan.tp));
  return static_cast<double>(m.parameters()) / pieces;
}

bool recurrent(const Attention& a) { return a.kind == AttentionKind::linear || a.kind == AttentionKind::mamba; }

}  // namespace

int expert_groups(const TrainingPlan& plan) { return std::max(1, (plan.ep + plan.tp - 1) / plan.tp); }

RankParameters rank_parameters(const Layer& layer, const TrainingPlan& plan) {
  RankParameters held;
  for (const Matrix& m : layer.matrices) {
    if (m.split == Split::experts) held.experts += static_cast<double>(m.parameters()) / (plan.tp * expert_groups(plan));
    else held.dense += on_rank(m, plan);
  }
  return held;
}

RankParameters edge_parameters(const Model& model, const TrainingPlan& plan, int stage) {
  RankParameters held;
  const bool first = stage == 0, last = stage == plan.pp - 1;
  if (first) held.dense += static_cast<double>(model.embedding.parameters()) / plan.tp;
  if (last && (!model.tied_embeddings || !first)) held.dense += static_cast<double>(model.lm_head.parameters()) / plan.tp;
  for (const Matrix& m : model.other)
    if (m.use == Use::lookup ? first : last)
      held.dense += m.use == Use::lookup ? static_cast<double>(m.parameters()) / plan.tp : on_rank(m, plan);
  return held;
}

ForwardFlops forward_flops(const Model& model, double sequence) {
  ForwardFlops flops;
  std::vector<double> times(model.kinds.size(), 0);
  for (const int kind : model.order) ++times[static_cast<std::size_t>(kind)];
  for (std::size_t k = 0; k < model.kinds.size(); ++k) {
    const Layer& l = model.kinds[k];
    for (const Matrix& m : l.matrices) {
      if (m.use != Use::tokens && m.use != Use::context_tokens) continue;
      const double active = m.split == Split::experts ? static_cast<double>(m.inputs * m.outputs) * l.feed_forward.active_experts
                                                      : static_cast<double>(m.parameters());
      flops.products += times[k] * 2 * active * unit::flop;
    }
    const Attention& a = l.attention;
    if (a.kind == AttentionKind::none) continue;
    if (recurrent(a)) {
      const Flops state = (a.kind == AttentionKind::mamba ? 6.0 : 8.0) * a.state_heads * a.state_rows * a.state_columns * unit::flop;
      flops.attention += times[k] * state;
      flops.causal_attention += times[k] * state;
      continue;
    }
    const Reach reach{.kind = a.kind, .window = static_cast<double>(a.window), .topk = static_cast<double>(a.topk),
                      .compress = static_cast<double>(a.compress)};
    const Flops pair = 2.0 * a.heads * (a.qk_dim + a.v_dim) * unit::flop;
    flops.attention += times[k] * attended(reach, sequence) * pair;
    flops.causal_attention += times[k] * attended_pairs(reach, 0, sequence) / sequence * pair;
    if (a.topk > 0 && a.index_heads > 0 && a.stores_index) {
      const Flops score = 2.0 * a.index_heads * a.index_dim * unit::flop;
      flops.attention += times[k] * sequence * score;
      flops.causal_attention += times[k] * (sequence + 1) / 2 * score;
    }
  }
  flops.head = 2 * static_cast<double>(model.lm_head.parameters()) * unit::flop;
  return flops;
}

Bytes layer_activations(const Model& model, const Layer& layer, const TrainingPlan& plan) {
  const double h = model.hidden, tokens = plan.micro_batch * plan.sequence / plan.cp;
  const double fed = plan.trained > 0 ? 1 : 0;  // what a product is fed is kept for its weights' gradient alone
  const Attention& a = layer.attention;
  const FeedForward& f = layer.feed_forward;
  double whole = layer.norms * h, cut = 0;  // 16-bit elements a token, uncut and cut over tensor parallelism
  double bytes = 0;                         // masks, scores: of a token on this rank
  if (a.kind != AttentionKind::none) {
    whole += fed * h;  // the input of q, k and v
    if (recurrent(a)) {
      cut += 2.0 * a.conv_channels + static_cast<double>(a.state_heads) * a.state_rows;
    } else {
      const double heads = divide_up(a.heads, plan.tp), kv_heads = std::max(1.0, divide_up(a.kv_heads, plan.tp));
      const double kv = a.kind == AttentionKind::mla ? heads * (a.qk_dim + a.v_dim) : kv_heads * (a.qk_dim + a.v_dim);
      bytes += 2 * (heads * a.qk_dim + kv + heads * a.v_dim);
      if (a.kind == AttentionKind::mla) whole += fed * (a.latent_dim + a.rope_dim);
      if (!plan.fused_attention) bytes += (plan.dropout ? 5 : 2) * heads * plan.sequence;
    }
  }
  if (f.intermediate > 0) {
    // What goes into the activation, and what comes out of it and into the last product.
    const double hidden = (f.matrices - 1 + fed) * f.intermediate;
    whole += fed * h;
    cut += (f.experts > 0 ? f.active_experts + f.shared_experts : 1.0) * hidden;
    if (f.experts > 0) cut += f.active_experts * 2 * h;  // copies of a token sent to its experts, and their results
  }
  const double spread = plan.sequence_parallel ? plan.tp : 1;
  if (plan.dropout) bytes += 2 * h / spread;
  return tokens * (2 * (whole / spread + cut / plan.tp) + bytes) * unit::B;
}

TrainingMemory training_memory(const Model& model, const System& system, const TrainingPlan& plan) {
  const double dense_ranks = static_cast<double>(plan.dp) * plan.cp, expert_ranks = std::max(1.0, dense_ranks / expert_groups(plan));
  const auto over = [&](const RankParameters& p, Sharding from) {
    const bool shared = plan.sharding >= from;
    return p.dense / (shared ? dense_ranks : 1) + p.experts / (shared ? expert_ranks : 1);
  };
  const double tokens = plan.micro_batch * plan.sequence / plan.cp;
  const double spread = plan.sequence_parallel ? plan.tp : 1;
  const Bytes boundary = 2 * tokens * model.hidden * model.residual_streams / spread * unit::B;
  const double in_flight = plan.pp > 1 ? schedule_row(plan.schedule).activations(
                                             {.stages = plan.pp, .micro_batches = plan.micro_batches, .chunks = plan.chunks})
                                       : 1;
  TrainingMemory fullest;
  const int layers = model.layers();
  for (const int stage : {0, plan.pp - 1}) {
    RankParameters held = edge_parameters(model, plan, stage);
    Bytes kept, widest, largest_gathered;
    for (int i = 0; i < layers; ++i) {
      if (static_cast<int>(static_cast<long>(i) * plan.pp / layers) != stage) continue;
      const Layer& l = model.kinds[static_cast<std::size_t>(model.order[static_cast<std::size_t>(i)])];
      const RankParameters p = rank_parameters(l, plan);
      held.dense += p.dense;
      held.experts += p.experts;
      largest_gathered = max(largest_gathered, 2 * (p.dense + p.experts) * unit::B);
      const Bytes all = layer_activations(model, l, plan);
      TrainingPlan fused = plan;
      fused.fused_attention = true;
      widest = max(widest, plan.recompute == Recompute::selective ? all - layer_activations(model, l, fused) : all);
      switch (plan.recompute) {
        case Recompute::none: kept += all; break;
        case Recompute::selective: kept += layer_activations(model, l, fused); break;
        case Recompute::full: kept += boundary; break;
        case Recompute::reversible: kept = 2 * boundary; break;
      }
    }
    const double copies = schedule_row(plan.schedule).copies;
    // Frozen weights need no 16-bit copy to be rounded from.
    const Bytes element = plan.trained > 0 ? 2 * unit::B : element_bytes(plan.multiply);
    TrainingMemory use{.parameters = copies * over(held, Sharding::parameters) * element,
                       .gradients = plan.trained * over(held, Sharding::gradients) * plan.gradient,
                       .optimiser = plan.trained * over(held, Sharding::optimiser) * optimiser_state,
                       .activations = (stage == 0 ? in_flight : std::min(in_flight, 1.0)) * kept,
                       .logits = {},
                       .usable = system.chip.hbm_usable.value};
    if (plan.sharding == Sharding::parameters && plan.dp * plan.cp > 1) use.parameters += 2 * largest_gathered;
    if (plan.recompute != Recompute::none) use.activations += widest;
    // Logits in 16 bits, and in 32 the copy that becomes the soft-max.
    if (stage == plan.pp - 1) use.logits = tokens * static_cast<double>(model.vocabulary) / plan.tp * 6 * unit::B;
    if (use.total() > fullest.total()) fullest = use;
  }
  return fullest;
}

}  // namespace fareline
