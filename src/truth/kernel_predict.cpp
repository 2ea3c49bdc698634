// SPDX-License-Identifier: Apache-2.0
#include "truth/kernel_predict.h"

#include <algorithm>
#include <cmath>

#include "perf/compiled_plan.h"
#include "perf/kernel_operators.h"
#include "units/elementary.h"

namespace fareline {
namespace {

// Numbers in [0, 1) from a fixed seed. Source: Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators (SplitMix64).
class Draws {
 public:
  double next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_ = 20;
};

Routing balanced_routing(double tokens, double experts, double active, int ranks, double tile) {
  const double here = experts / ranks, pairs = tokens * active / ranks;
  const double touched = std::min(here, pairs);
  return {.touched = touched, .pairs = pairs, .tiled = touched * std::ceil(pairs / touched / tile) * tile};
}

// One layer's mixer as a plan of one rank runs it: products, positions, attention, the indexer.
std::vector<Operator> mixer_operators(const Model& model, const MixerRun& run, Format kv, const System& system,
                                      const Calibration& calibration) {
  Model mixer = model;
  for (Layer& layer : mixer.kinds) {
    layer.feed_forward = {};
    std::erase_if(layer.matrices, [](const Matrix& m) { return m.part != Part::attention && m.part != Part::indexer; });
    layer.attention.stores_index = run.selects;
    if (!run.selects) std::erase_if(layer.matrices, [](const Matrix& m) { return m.part == Part::indexer; });
  }
  const auto plan = compile(mixer, system, calibration, {.tp = std::max(1, mixer.kinds.back().attention.heads / std::max(1, run.heads)),
                                                         .weights = run.weights, .kv = kv});
  std::vector<Operator> operators;
  if (!plan) return operators;
  const Pass pass{.decode_sequences = run.fresh > 0 ? 0 : run.sequences, .decode_context = run.before,
                  .prefill_sequences = run.fresh > 0 ? run.sequences : 0, .prefill_tokens = run.fresh, .prefill_context = run.before};
  bool of_layer = false;
  for (const OperatorEstimate& line : plan->explain(pass)) {
    const Operator& op = *line.definition;
    if (op.label() == "norms") {
      if (of_layer) break;  // the next layer's
      of_layer = true;
      continue;
    }
    if (op.use == Use::last_tokens) break;
    if (of_layer && !op.exchanges()) operators.push_back(op);
  }
  return operators;
}

}  // namespace

Routing drawn_routing(double tokens, double experts, double active, int ranks, double exponent, double tile) {
  const bool many = tokens * active > experts;
  const double low = many ? 1 : 0.01, high = many ? std::max(1.0, 0.8 * tokens) : 2;
  const auto count = static_cast<std::size_t>(experts);
  const std::size_t here = std::max<std::size_t>(1, count / static_cast<std::size_t>(ranks));
  const double a = power(low, 1 - exponent), b = power(high, 1 - exponent);
  constexpr int drawings = 5;
  Draws draws;
  std::vector<double> loads(count);
  Routing mean;
  for (int drawing = 0; drawing < drawings; ++drawing) {
    double sum = 0;
    for (double& load : loads) {
      load = power((b - a) * draws.next() + a, 1 / (1 - exponent));
      sum += load;
    }
    Routing worst;
    for (std::size_t first = 0; first + here <= count; first += here) {
      Routing rank;
      for (std::size_t i = first; i < first + here; ++i) {
        const double tokens_here = std::min(tokens, std::floor(loads[i] / sum * tokens * active + 0.5));
        rank.touched += tokens_here > 0;
        rank.pairs += tokens_here;
        rank.tiled += std::ceil(tokens_here / tile) * tile;
      }
      if (rank.pairs > worst.pairs) worst = rank;
    }
    mean.touched += worst.touched / drawings;
    mean.pairs += worst.pairs / drawings;
    mean.tiled += worst.tiled / drawings;
  }
  if (mean.pairs <= 0) return balanced_routing(tokens, experts, active, ranks, tile);
  return mean;
}

std::expected<const System*, std::string> KernelTasks::system(const KernelSetup& setup) {
  const std::string& key = setup.system.empty() ? setup.chip : setup.system;
  auto known = systems_.find(key);
  if (known == systems_.end()) {
    std::expected<System, std::string> found = std::unexpected("its chip is not in the catalogue");
    if (!setup.system.empty()) {
      if (auto system = catalogue_.system(setup.system)) found = std::move(*system);
    } else if (auto chip = catalogue_.chip(setup.chip)) {
      found = System{.name = setup.chip, .chip = std::move(*chip)};
    }
    known = systems_.emplace(key, std::move(found)).first;
  }
  return known->second ? std::expected<const System*, std::string>(&*known->second) : std::unexpected(known->second.error());
}

std::expected<KernelTask, std::string> KernelTasks::task(const KernelSetup& setup, const Calibration& calibration) {
  const auto found = system(setup);
  if (!found) return std::unexpected(found.error());
  const System& system = **found;
  const KernelSite site{system, calibration};
  KernelTask task;
  Seconds wire_floor, flop_floor;
  Bytes kept;
  const auto add_work = [&](const Operator& op, const KernelWork& work) {
    if (work.launches <= 0) return;
    task.parts.push_back({op.kernel, op.kept, op.rate, op.kind, work, op.group.ranks});
    if (op.exchanges()) wire_floor += exchange_floor(op.kind, op.ideal_group, work);
    flop_floor += work.flops * op.ideal_inverse_peak;
    kept += work.weights + work.kept;
  };
  const auto add = [&](const Operator& op, const PassShape& shape) { add_work(op, work_of(op, shape)); };
  const auto mixer_shape = [](double sequences, double before, double fresh) {
    const double tokens = sequences * (fresh > 0 ? fresh : 1);
    PassShape shape{.attention_tokens = tokens,
                    .context_tokens = sequences * (fresh > 0 ? fresh + before : 1),
                    .sampled_tokens = sequences,
                    .stage_tokens = tokens};
    (fresh > 0 ? shape.prefill_sequences : shape.decode_sequences) = sequences;
    shape.prefill_tokens = fresh;
    (fresh > 0 ? shape.prefill_context : shape.decode_context) = before;
    return shape;
  };
  const auto lacks = [&](Format kept_format, std::optional<Format> activations) {
    const Format rate = multiply_rate(kept_format, activations, system.chip);
    return !(system.chip.peak[static_cast<std::size_t>(rate)].value > FlopRate{});
  };
  constexpr const char* nothing = "counts nothing: a dimension is zero";
  if (const auto* p = std::get_if<ProductRun>(&setup.run)) {
    if (!(p->m > 0 && p->n > 0 && p->k > 0)) return std::unexpected(nothing);
    if (lacks(setup.format, p->activations)) return std::unexpected("its chip does not multiply its format");
    add(product_operator(site, "product", {.inputs = p->k, .outputs = p->n, .elements = p->k * p->n,
                                           .weights = p->k * p->n * element_bytes(setup.format), .kept = setup.format,
                                           .activations = p->activations}),
        {.attention_tokens = p->m});
  } else if (const auto* e = std::get_if<ExpertsRun>(&setup.run)) {
    const double width = e->width / e->tp;
    if (!(e->tokens > 0 && e->hidden > 0 && width > 0 && e->experts >= 1 && e->active > 0 && e->experts <= 1e5))
      return std::unexpected(nothing);
    if (lacks(setup.format, e->activations)) return std::unexpected("its chip does not multiply its format");
    const Operator op = experts_operator(site, {.experts = e->experts, .active = e->active, .ranks = static_cast<double>(e->ep),
                                                .hidden = e->hidden, .width = width, .matrices = e->matrices,
                                                .elements = e->matrices * e->hidden * width, .kept = setup.format,
                                                .activations = e->activations});
    const Routing routing = e->balanced        ? balanced_routing(e->tokens, e->experts, e->active, e->ep, op.tile)
                            : e->exponent > 0 ? drawn_routing(e->tokens, e->experts, e->active, e->ep, e->exponent, op.tile)
                                               : expected_routing(op, e->tokens);
    add_work(op, experts_work(op, e->tokens, routing));
  } else if (const auto* a = std::get_if<AttentionRun>(&setup.run)) {
    const bool recurrent = a->attention.kind == AttentionKind::linear || a->attention.kind == AttentionKind::mamba;
    if (!(a->sequences > 0 && a->attention.heads > 0 && a->attention.kv_heads > 0 && a->attention.qk_dim > 0 && a->before >= 0))
      return std::unexpected(nothing);
    std::vector<Operator> operators;
    attention_operators(site, a->attention, 1, 1, recurrent ? Format::bf16 : setup.format, operators);
    for (const Operator& op : operators) add(op, mixer_shape(a->sequences, a->before, a->fresh));
  } else if (const auto* m = std::get_if<MixerRun>(&setup.run)) {
    if (!(m->sequences > 0 && m->heads > 0 && m->before >= 0)) return std::unexpected(nothing);
    auto model = models_.find(m->model);
    if (model == models_.end()) {
      auto read = catalogue_.model(m->model);
      if (!read) return std::unexpected("its model is not in the catalogue");
      model = models_.emplace(m->model, std::move(*read)).first;
    }
    const auto operators = mixer_operators(model->second, *m, setup.format, system, calibration);
    for (const Operator& op : operators) add(op, mixer_shape(m->sequences, m->before, m->fresh));
  } else if (const auto* w = std::get_if<ElementwiseRun>(&setup.run)) {
    add(elementwise_operator(site, "vectors", w->bytes, 1), {.attention_tokens = 1});
  } else if (const auto* c = std::get_if<CollectiveRun>(&setup.run)) {
    if (c->ranks < 2 || !(c->size > Bytes{})) return std::unexpected(nothing);
    if (!system.scale_up.bandwidth.stated() && !system.scale_out.bandwidth.stated())
      return std::unexpected("its links are not in the catalogue");
    const OperatorKind kind = setup.kernel == Kernel::all_gather       ? OperatorKind::all_gather
                              : setup.kernel == Kernel::reduce_scatter ? OperatorKind::reduce_scatter
                              : setup.kernel == Kernel::point_to_point ? OperatorKind::stage_hop
                                                                       : OperatorKind::all_reduce;
    add(collective_operator(site, kind, setup.kernel, "collective", c->ranks, 1, c->size), {.attention_tokens = 1});
  } else if (const auto* x = std::get_if<ExchangeRun>(&setup.run)) {
    if (x->ranks < 2 || !(x->tokens > 0 && x->hidden > 0 && x->active > 0)) return std::unexpected(nothing);
    add(exchange_operator(site, x->combines ? OperatorKind::combine : OperatorKind::dispatch, "exchange",
                          {.ranks = x->ranks, .active = x->active, .hidden = x->hidden, .wire = setup.format}),
        {.attention_tokens = x->tokens});
  }
  if (task.parts.empty()) return std::unexpected(nothing);
  task.floor = max(max(flop_floor, kept / system.chip.hbm_bandwidth.value), wire_floor);
  return task;
}

std::pair<Kernel, Format> entry_of(const KernelSetup& setup, const KernelTask& task) {
  if (std::holds_alternative<MixerRun>(setup.run)) return {Kernel::sparse_index, setup.format};
  return {task.parts.front().kernel, task.parts.front().kept};
}

Seconds part_time(const KernelPart& part, const System& system, const Efficiency& efficiency) {
  if (part.kind >= OperatorKind::all_reduce) {
    const RankGroup group = rank_group(system, part.ranks, 1, efficiency);
    const bool copies = part.kind == OperatorKind::dispatch || part.kind == OperatorKind::combine;
    return exchange_time(part.kind, group, part.work) + (copies ? part.work.items : 0) * efficiency.item_time;
  }
  const KernelPace pace = kernel_pace(efficiency, system.chip, part.rate);
  return kernel_time(pace, part.work).total(part.work);
}

Seconds task_time(const KernelTask& task, const System& system, const Calibration& calibration) {
  Seconds total;
  for (const KernelPart& part : task.parts) total += part_time(part, system, calibration.at(part.kernel, part.kept));
  return total;
}

}  // namespace fareline
