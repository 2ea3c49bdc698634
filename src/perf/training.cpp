// SPDX-License-Identifier: Apache-2.0
#include "perf/training.h"

#include <algorithm>
#include <cmath>

#include "perf/compiled_plan.h"
#include "perf/kernel_operators.h"
#include "perf/rank_operators.h"
#include "perf/training_counts.h"

namespace fareline {
namespace {

using Parts = std::array<Seconds, step_part_count>;

Seconds& at(Parts& parts, StepPart part) { return parts[static_cast<std::size_t>(part)]; }
Seconds sum(const Parts& parts) {
  Seconds total;
  for (const Seconds part : parts) total += part;
  return total;
}

// What one layer, or what stands before the first or after the last, takes of one micro-batch.
struct Cost {
  Parts forward{}, backward{};
  Seconds weight_gradient;  // of backward
  Seconds core;             // of forward: attention
  void add(const Cost& other, double times) {
    for (std::size_t i = 0; i < forward.size(); ++i) {
      forward[i] += times * other.forward[i];
      backward[i] += times * other.backward[i];
    }
    weight_gradient += times * other.weight_gradient;
    core += times * other.core;
  }
};

struct Trainer {
  const Model& model;
  const System& system;
  const Calibration& calibration;
  const TrainingPlan& plan;
  const RankOperators& operators;
  int expert_groups = 1;  // of attention under one set of experts
  KernelPace stream = kernel_pace(calibration.at(Kernel::elementwise, Format::bf16), system.chip, Format::bf16, calibration.engine);
  KernelPace product = kernel_pace(calibration.at(Kernel::gemm, Format::bf16), system.chip,
                                   multiply_rate(Format::bf16, std::nullopt, system.chip), calibration.engine);

  KernelPace scores_pace =
      kernel_pace(calibration.at(Kernel::attention_prefill, Format::bf16), system.chip, Format::bf16, calibration.engine);

  double tokens() const { return plan.micro_batch * plan.sequence / plan.cp; }

  PassShape shape(bool recurrent) const {
    PassShape shape;
    shape.attention_tokens = shape.sampled_tokens = tokens();
    shape.context_tokens = plan.micro_batch * plan.sequence;
    shape.stage_tokens = expert_groups * tokens();
    shape.prefill_sequences = plan.micro_batch;
    shape.prefill_tokens = recurrent ? plan.sequence / plan.cp : plan.sequence;
    return shape;
  }

  static Seconds streamed(const KernelPace& pace, Bytes bytes, double launches) {
    const KernelWork work{.launches = launches, .activations = bytes};
    return kernel_time(pace, work).total(work);
  }
  Seconds streamed(Bytes bytes, double launches = 1) const { return streamed(stream, bytes, launches); }

  // Forwards and backwards over a collective or exchange of calibrated kind.
  Seconds exchanged(const Operator& op, const KernelWork& work) const {
    return exchange_time(op.kind, op.group, work) + work.items * op.pace.item_time;
  }

  // Scores of the full square, written, read by the soft-max and dropout, and multiplied again.
  void add_scores(const Attention& a, Cost& cost) const {
    const double heads = std::ceil(static_cast<double>(a.heads) / plan.tp),
                 pairs = plan.micro_batch * plan.sequence * plan.sequence / plan.cp;
    const Bytes scores = heads * pairs * stream_element, mask = heads * pairs * unit::B;
    const Bytes vectors = tokens() * heads * (a.qk_dim + a.v_dim) * stream_element;
    const auto batched = [&](double width) {
      const Flops flop = 2 * heads * pairs * width * unit::flop;
      const KernelWork work{.launches = 1, .flops = flop, .executed = flop, .activations = scores + vectors};
      return kernel_time(product, work).total(work);
    };
    const Seconds products = batched(a.qk_dim) + batched(a.v_dim);
    const Bytes dropped = plan.dropout ? 2 * scores + mask : Bytes{};
    const double launches = plan.dropout ? 2 : 1;
    const Seconds forward = products + streamed(scores_pace, 2 * scores + dropped, launches);
    cost.core += forward;
    at(cost.forward, StepPart::attention) += forward;
    at(cost.backward, StepPart::attention) += 2 * products + streamed(scores_pace, 3 * scores + dropped, launches);
  }

  // One operator, forwards and backwards.
  void add(const Operator& op, const Attention* attention, Cost& cost) const {
    const bool recurrent = op.kind == OperatorKind::recurrent_prefill;
    Operator here = op;
    here.context_shards = plan.cp;
    const KernelWork work = work_of(here, shape(recurrent));
    if (work.launches <= 0) return;
    const auto both = [&](StepPart part, Seconds forward, Seconds backward) {
      at(cost.forward, part) += forward;
      at(cost.backward, part) += backward;
    };
    switch (op.kind) {
      case OperatorKind::matrix_product:
      case OperatorKind::expert_products: {
        const double copies = op.kind == OperatorKind::expert_products ? op.experts / op.expert_ranks : 1;
        const Seconds inputs = kernel_time(op.pace, work).total(work);
        KernelWork gradient = work;  // of the weights: added to what earlier micro-batches left
        gradient.weights = copies * op.flop.in(2 * unit::flop) * 2 * plan.gradient;
        const Seconds weights = plan.trained * kernel_time(op.pace, gradient).total(gradient);
        both(StepPart::products, inputs, inputs + weights);
        cost.weight_gradient += weights;
        return;
      }
      case OperatorKind::attention_prefill:
        if (!plan.fused_attention && attention) return add_scores(*attention, cost);
        [[fallthrough]];
      case OperatorKind::latent_prefill:
      case OperatorKind::index_prefill:
      case OperatorKind::recurrent_prefill: {
        const Seconds forward = kernel_time(op.pace, work).total(work);
        both(StepPart::attention, forward, fused_attention_backward / fused_attention_backward_pace * forward);
        cost.core += forward;
        return;
      }
      case OperatorKind::embedding:
      case OperatorKind::elementwise: {
        const bool cut = plan.sequence_parallel && (op.label() == "norms" || op.label() == "final norm");
        KernelWork mine = work;
        mine.activations = work.activations / (cut ? plan.tp : 1);
        const Seconds forward = kernel_time(op.pace, mine).total(mine);
        both(StepPart::elementwise, forward, elementwise_backward * forward);
        return;
      }
      case OperatorKind::all_reduce:
      case OperatorKind::all_gather:
      case OperatorKind::reduce_scatter: {
        if (op.label() == "gather logits") return;  // the loss is taken where the logits are
        const Seconds time = (1 - plan.tensor_overlap) * exchanged(op, work);
        return both(StepPart::tensor, time, time);
      }
      case OperatorKind::dispatch:
      case OperatorKind::combine: {
        const Seconds time = (1 - plan.tensor_overlap) * exchanged(op, work);
        return both(StepPart::experts, time, time);
      }
      default: return;  // decode's, sampling's, and hops, which are counted between stages
    }
  }

  Cost layer(std::size_t kind) const {
    const Layer& l = model.kinds[kind];
    Cost cost;
    for (const Operator& op : operators.layers[kind]) add(op, &l.attention, cost);
    if (plan.dropout) {
      const Seconds masks = streamed(2 * tokens() * model.hidden / (plan.sequence_parallel ? plan.tp : 1) * unit::B);
      at(cost.forward, StepPart::elementwise) += masks;
      at(cost.backward, StepPart::elementwise) += masks;
    }
    if (plan.cp > 1 && l.attention.heads > 0) {
      const Attention& a = l.attention;
      const double width = a.kind == AttentionKind::mla
                               ? a.latent_dim + a.rope_dim
                               : std::ceil(static_cast<double>(a.kv_heads) / plan.tp) * (a.qk_dim + a.v_dim);
      const RankGroup group = rank_group(system, plan.cp, plan.tp, calibration.at(Kernel::all_gather, Format::bf16));
      const Seconds gather = (1 - plan.tensor_overlap) * all_gather_time(group, plan.micro_batch * plan.sequence * width * stream_element);
      at(cost.forward, StepPart::context) += gather;
      at(cost.backward, StepPart::context) += 2 * gather;  // gathered again, and gradients brought back
    }
    return cost;
  }

  Cost edge(const std::vector<Operator>& some) const {
    Cost cost;
    for (const Operator& op : some) add(op, nullptr, cost);
    return cost;
  }

  Cost loss() const {
    Cost cost = edge(operators.after);
    const Bytes logits = tokens() * static_cast<double>(model.vocabulary) / plan.tp * unit::B;
    at(cost.forward, StepPart::elementwise) += streamed(loss_forward * logits, 3);
    at(cost.backward, StepPart::elementwise) += streamed(loss_backward * logits, 1);
    return cost;
  }

  Seconds hop() const {
    if (plan.pp <= 1) return {};
    const RankGroup link =
        rank_group(system, 2, plan.tp * plan.cp * plan.dp, calibration.at(Kernel::point_to_point, Format::bf16));
    const Bytes stream_bytes = tokens() * model.hidden * model.residual_streams * stream_element;
    Seconds time = point_to_point_time(link, stream_bytes / plan.tp);
    if (plan.tp > 1 && !plan.sequence_parallel)
      time += all_gather_time(rank_group(system, plan.tp, 1, calibration.at(Kernel::all_gather, Format::bf16)), stream_bytes);
    return (1 - plan.hop_overlap) * time;
  }

  RankGroup data_group(Kernel kernel, bool experts) const {
    const int inner = experts ? expert_groups : 1;
    return rank_group(system, std::max(1, plan.dp * plan.cp / inner), plan.tp * inner, calibration.at(kernel, Format::bf16));
  }

  // Exchange of `elements` between replicas: gradients out, parameters back.
  Seconds gathered(double elements, bool experts) const {
    return all_gather_time(data_group(Kernel::all_gather, experts), elements * stream_element);
  }
  Seconds scattered(double elements, bool experts) const {
    return reduce_scatter_time(data_group(Kernel::reduce_scatter, experts), elements * plan.trained * plan.gradient);
  }
  Seconds summed(double elements, bool experts) const {
    return all_reduce_time(data_group(Kernel::all_reduce, experts), elements * plan.trained * plan.gradient);
  }

  // What replicas exchange a step, of the parameters of one stage; layer by layer where each layer's are shared out.
  Seconds data_exchange(const std::vector<std::pair<RankParameters, double>>& held) const {
    Seconds time;
    const auto of = [&](double elements, bool experts) {
      if (elements <= 0 || plan.dp * plan.cp <= 1) return Seconds{};
      switch (plan.sharding) {
        case Sharding::none: return summed(elements, experts);
        case Sharding::parameters:
          return static_cast<double>(plan.micro_batches) * (2 * gathered(elements, experts) + scattered(elements, experts));
        default: return scattered(elements, experts) + plan.trained * gathered(elements, experts);
      }
    };
    if (plan.sharding == Sharding::parameters) {
      for (const auto& [layer, times] : held) time += times * (of(layer.dense, false) + of(layer.experts, true));
      return time;
    }
    RankParameters all;
    for (const auto& [layer, times] : held) {
      all.dense += times * layer.dense;
      all.experts += times * layer.experts;
    }
    return of(all.dense, false) + of(all.experts, true);
  }
};

}  // namespace

double hidden_share(const Calibration& calibration, Kernel kernel) {
  return calibration.stack == "training" ? 1 - calibration.at(kernel, Format::bf16).serial_share : calibration.engine.collective_overlap;
}

std::expected<TrainingStep, Infeasible> training_step(const Model& model, const System& system, const Calibration& calibration,
                                                      const TrainingPlan& plan) {
  const int ranks = plan.tp * plan.cp * plan.dp;
  if (ranks % plan.ep != 0)
    return std::unexpected(Infeasible{Infeasible::Constraint::ranks, static_cast<double>(plan.ep), static_cast<double>(ranks)});
  const int groups = expert_groups(plan);
  if (plan.chips() > system.domain && !system.scale_out.bandwidth.stated())
    return std::unexpected(
        Infeasible{Infeasible::Constraint::domain, static_cast<double>(plan.chips()), static_cast<double>(system.domain)});
  const auto operators = rank_operators(model, system, calibration, {.tp = plan.tp, .ep = plan.ep, .pp = plan.pp, .dp = groups,
                                                             .weights = plan.multiply, .experts = plan.multiply, .kv = Format::bf16,
                                                             .expert_skew = plan.expert_skew});
  if (!operators) return std::unexpected(operators.error());
  const Trainer trainer{.model = model, .system = system, .calibration = calibration, .plan = plan, .operators = *operators,
                        .expert_groups = groups};
  std::vector<Cost> kinds;
  for (std::size_t k = 0; k < model.kinds.size(); ++k) kinds.push_back(trainer.layer(k));
  const Cost before = trainer.edge(operators->before), after = trainer.loss();
  const double m = plan.micro_batches, hops = plan.schedule == ScheduleKind::interleaved ? 2.0 * plan.chunks : 2;
  const Seconds hop = hops * trainer.hop();

  TrainingStep step;
  PieceTimes mean{};
  Seconds slowest, all_stages, exchange;
  for (int stage = 0; stage < plan.pp; ++stage) {
    Cost layers;
    std::vector<std::pair<RankParameters, double>> held;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      const int count = operators->count(stage, k);
      if (count == 0) continue;
      layers.add(kinds[k], count);
      held.emplace_back(rank_parameters(model.kinds[k], plan), count);
    }
    Seconds again;
    if (plan.recompute == Recompute::selective) again = layers.core;
    if (plan.recompute == Recompute::full || plan.recompute == Recompute::reversible) again = sum(layers.forward);
    Cost cost = layers;
    if (stage == 0) cost.add(before, 1);
    if (stage == plan.pp - 1) cost.add(after, 1);
    if (stage == 0 || stage == plan.pp - 1) held.emplace_back(edge_parameters(model, plan, stage), 1);
    const Seconds forward = sum(cost.forward) + hop / 2, backward = sum(cost.backward) + again + hop / 2;
    for (std::size_t i = 0; i < step.by_part.size(); ++i) step.by_part[i] += m / plan.pp * (cost.forward[i] + cost.backward[i]);
    at(step.by_part, StepPart::recompute) += m / plan.pp * again;
    at(step.by_part, StepPart::hops) += m / plan.pp * hop;
    mean.forward += forward / plan.pp;
    mean.input_gradient += (backward - cost.weight_gradient) / plan.pp;
    mean.weight_gradient += cost.weight_gradient / plan.pp;
    slowest = max(slowest, forward + backward);
    all_stages += forward + backward;
    exchange = max(exchange, trainer.data_exchange(held));
  }
  mean.overlapped = mean.forward + mean.input_gradient + mean.weight_gradient;
  at(step.by_part, StepPart::imbalance) = m * (slowest - all_stages / plan.pp);
  if (plan.pp > 1)
    at(step.by_part, StepPart::bubble) = max(Seconds{}, schedule_row(plan.schedule).bubble(
        {.stages = plan.pp, .micro_batches = plan.micro_batches, .chunks = plan.chunks}, mean));
  // Behind a micro-batch's compute, or all of it where parameters come layer by layer.
  const Seconds compute = (plan.sharding == Sharding::parameters ? m : 1.0) * slowest;
  at(step.by_part, StepPart::data) = exchange - min(plan.data_overlap * exchange, compute);
  step.memory = training_memory(model, system, plan);
  const double owned = step.memory.optimiser / optimiser_state;
  at(step.by_part, StepPart::optimiser) = trainer.streamed(owned * optimiser_traffic);
  step.time = sum(step.by_part);

  step.tokens = plan.batch() * plan.sequence;
  const ForwardFlops forward = forward_flops(model, plan.sequence);
  const double gradients = 2 + plan.trained;  // passes a product makes
  step.model_flops = step.tokens * (gradients * (forward.products + forward.head) + 3 * forward.attention);
  step.executed_flops = step.model_flops;
  if (plan.recompute == Recompute::selective) step.executed_flops += step.tokens * forward.attention;
  if (plan.recompute == Recompute::full || plan.recompute == Recompute::reversible)
    step.executed_flops += step.tokens * (forward.products + forward.attention);
  const auto peak_of = [&](Format f) { return system.chip.peak[static_cast<std::size_t>(f)].value; };
  const FlopRate peak = static_cast<double>(plan.chips()) * peak_of(multiply_rate(plan.multiply, std::nullopt, system.chip));
  const FlopRate peak16 = static_cast<double>(plan.chips()) * peak_of(multiply_rate(Format::bf16, std::nullopt, system.chip));
  step.floor = step.tokens * (gradients * (forward.products + forward.head) / peak + 3 * forward.causal_attention / peak);
  step.mfu = step.model_flops / peak16 / step.time;
  step.hfu = step.executed_flops / peak16 / step.time;
  return step;
}

}  // namespace fareline
