// SPDX-License-Identifier: Apache-2.0
#include "perf/compiled_plan.h"

#include <algorithm>
#include <cmath>

#include "units/elementary.h"

namespace fareline {

// The counts of a pass, as the ranks of a stage see them.
struct CompiledPlan::Shape {
  double attention_tokens = 0;   // new tokens of one dp group: decoding ones and prefill ones
  double context_tokens = 0;     // tokens whose latents are expanded: decoding ones, and the prompts' whole context
  double sampled_tokens = 0;     // tokens of one dp group whose logits are wanted
  double stage_tokens = 0;       // new tokens of all dp groups
  double decode_sequences = 0;   // of one dp group
  double tokens_per_sequence = 1;
  double decode_context = 0;
  double prefill_sequences = 0;  // of one dp group
  double prefill_tokens = 0, prefill_context = 0;
};

struct CompiledPlan::Cost {
  std::array<Seconds, binder_count> by_binder{};
  Seconds flop_floor, wire_floor;
  Flops flops;
  Bytes weights, kv, activations;

  Seconds& operator[](Binder binder) { return by_binder[static_cast<std::size_t>(binder)]; }
  Seconds time() const {
    Seconds total;
    for (const Seconds part : by_binder) total += part;
    return total;
  }
  void add(const Cost& other, double times) {
    for (std::size_t i = 0; i < by_binder.size(); ++i) by_binder[i] += times * other.by_binder[i];
    flop_floor += times * other.flop_floor;
    wire_floor += times * other.wire_floor;
    flops += times * other.flops;
    weights += times * other.weights;
    kv += times * other.kv;
    activations += times * other.activations;
  }
};

namespace {

// A group's share of `count`, at least one where there is any: a rank with a sequence to serve serves a whole one.
double group_share(double count, int groups) { return groups == 1 ? count : std::max(count / groups, std::min(count, 1.0)); }

}  // namespace

double touched_share(double tokens, double experts, double active, double skew) {
  if (tokens <= 0 || experts <= 0) return 0;
  if (active >= experts) return 1;
  const double x = -tokens * natural_log(1 - active / experts), v = skew * skew;
  return 1 - (v > 0 ? power(1 + x * v, -1 / v) : exponential(-x));
}

CompiledPlan::Shape CompiledPlan::shape_of(const Pass& pass) const {
  Shape shape;
  const int groups = plan_.dp, stages = plan_.pp;  // a stage holds one micro-batch of pp
  shape.tokens_per_sequence = pass.tokens_per_sequence;
  shape.decode_context = pass.decode_context;
  shape.prefill_tokens = pass.prefill_tokens;
  shape.prefill_context = pass.prefill_context;
  const double decode_here = group_share(pass.decode_sequences, stages);
  shape.decode_sequences = group_share(decode_here, groups);
  shape.prefill_sequences = group_share(pass.prefill_sequences, groups);
  const double decode_tokens = shape.decode_sequences * pass.tokens_per_sequence;
  shape.attention_tokens = decode_tokens + shape.prefill_sequences * pass.prefill_tokens;
  shape.context_tokens = decode_tokens + shape.prefill_sequences * (pass.prefill_tokens + pass.prefill_context);
  shape.sampled_tokens = decode_tokens + shape.prefill_sequences;
  shape.stage_tokens = decode_here * pass.tokens_per_sequence + pass.prefill_sequences * pass.prefill_tokens;
  return shape;
}

CompiledPlan::Cost CompiledPlan::operator_cost(const Operator& op, const Shape& shape) const {
  Cost cost;
  double rows = 0;
  switch (op.use) {
    case Use::context_tokens: rows = shape.context_tokens; break;
    case Use::last_tokens: rows = shape.sampled_tokens; break;
    default: rows = op.over_stage_width ? shape.stage_tokens : shape.attention_tokens;
  }
  Flops executed;  // what the kernel's tiles come to
  double items = rows * op.items, depth = 0, serial = op.serial;
  Bytes kept;      // KV or state streamed
  bool wire = false;
  Seconds wire_time;
  switch (op.kind) {
    case OperatorKind::embedding:
    case OperatorKind::elementwise:
    case OperatorKind::sampling:
      if (rows <= 0) return cost;
      cost.weights = op.weight_bytes;
      cost.activations = rows * op.row_bytes;
      break;
    case OperatorKind::matrix_product:
      if (rows <= 0) return cost;
      cost.flops = rows * op.flop;
      executed = std::ceil(rows / op.tile) * op.tile * op.padding * op.flop;
      if (op.tiled_from > 1 && rows < op.tiled_from) {
        executed = cost.flops;
        serial = 0;
      }
      cost.weights = op.weight_bytes;
      cost.activations = rows * op.row_bytes;
      break;
    case OperatorKind::expert_products: {
      if (rows <= 0) return cost;
      const double x = rows * op.log_untouched;
      const double touched = op.skew_squared > 0 ? 1 - power(1 + x * op.skew_squared, -1 / op.skew_squared) : 1 - exponential(-x);
      const double here = op.experts / op.expert_ranks;
      const double pairs = rows * op.active_experts / op.expert_ranks;
      // Load of the slowest rank: mean plus the expected largest of expert_ranks normal deviates, sqrt(2 ln R) standard deviations.
      double slowest = pairs;
      if (op.expert_ranks > 1) {
        const double variance = pairs * (1 - 1 / op.expert_ranks) + pairs * pairs * op.skew_squared / here;
        slowest = std::min(pairs + std::sqrt(2 * natural_log(op.expert_ranks) * variance), rows * std::min(op.active_experts, here));
        slowest = std::max(slowest, pairs);
      }
      const double distinct = std::max(touched * here, 1e-9);
      cost.flops = pairs * op.flop;
      cost.weights = touched * op.weight_bytes;
      cost.activations = slowest * op.pair_bytes + rows * op.row_bytes;
      executed = std::max(slowest, distinct * std::ceil(slowest / distinct / op.tile) * op.tile) * op.flop;
      if (op.tiled_from > 1 && slowest / distinct < op.tiled_from) {
        executed = slowest * op.flop;
        serial = 0;
      }
      break;
    }
    case OperatorKind::attention_decode:
    case OperatorKind::latent_decode:
    case OperatorKind::index_decode: {
      if (shape.decode_sequences <= 0) return cost;
      const double entries = attended(op.reach, shape.decode_context + shape.tokens_per_sequence) / op.context_shards;
      // Tokens verified together see one another causally.
      const double pairs = shape.tokens_per_sequence == 1
                               ? entries
                               : attended_pairs(op.reach, shape.decode_context, shape.tokens_per_sequence) / op.context_shards;
      const double queries = op.group_rows * shape.tokens_per_sequence;
      cost.flops = shape.decode_sequences * pairs * op.flop;
      kept = shape.decode_sequences * entries * op.kept_bytes;
      cost.activations = shape.decode_sequences * shape.tokens_per_sequence * op.row_bytes;
      executed = (queries > 0 ? std::ceil(queries / op.tile) * op.tile / queries : 1) * op.padding * cost.flops;
      items = shape.decode_sequences * op.items;
      depth = entries;
      break;
    }
    case OperatorKind::attention_prefill:
    case OperatorKind::latent_prefill:
    case OperatorKind::index_prefill: {
      if (shape.prefill_sequences <= 0 || shape.prefill_tokens <= 0) return cost;
      const double pairs = attended_pairs(op.reach, shape.prefill_context, shape.prefill_tokens) / op.context_shards;
      const double entries = entries_read(op.reach, shape.prefill_context, shape.prefill_tokens);
      cost.flops = shape.prefill_sequences * pairs * op.flop;
      kept = shape.prefill_sequences * entries / op.context_shards * op.kept_bytes;
      cost.activations = shape.prefill_sequences * shape.prefill_tokens / op.context_shards * op.row_bytes;
      executed = op.padding * cost.flops;
      items = shape.prefill_sequences * std::ceil(shape.prefill_tokens / op.context_shards / op.tile) * op.items;
      depth = attended(op.reach, shape.prefill_context + shape.prefill_tokens);
      break;
    }
    case OperatorKind::recurrent_decode:
    case OperatorKind::recurrent_prefill: {
      const bool decoding = op.kind == OperatorKind::recurrent_decode;
      const double sequences = decoding ? shape.decode_sequences : shape.prefill_sequences;
      if (sequences <= 0) return cost;
      depth = decoding ? shape.tokens_per_sequence : shape.prefill_tokens;
      cost.flops = sequences * depth * op.flop;
      kept = 2 * sequences * op.kept_bytes;
      cost.activations = sequences * depth * op.row_bytes;
      executed = cost.flops;
      items = sequences * op.items;
      break;
    }
    case OperatorKind::all_reduce:
    case OperatorKind::all_gather:
    case OperatorKind::reduce_scatter:
    case OperatorKind::stage_hop: {
      if (op.prefill_only) rows = shape.prefill_sequences * shape.prefill_tokens;
      if (op.decode_only) rows = shape.decode_sequences * shape.tokens_per_sequence;
      if (rows <= 0) return cost;
      wire = true;
      const Bytes size = rows * op.wire_bytes;
      if (op.kind == OperatorKind::all_reduce) {
        wire_time = all_reduce_time(op.group, size);
        cost.wire_floor = all_reduce_floor(op.group.ranks, size) /
                          (op.group.ranks_in_domain > 1 ? op.ideal_group.direct.bandwidth : op.ideal_group.out.bandwidth);
      } else if (op.kind == OperatorKind::stage_hop) {
        wire_time = point_to_point_time(op.group, size);
        cost.wire_floor = point_to_point_time(op.ideal_group, size);
      } else {
        wire_time = op.kind == OperatorKind::reduce_scatter ? reduce_scatter_time(op.group, size) : all_gather_time(op.group, size);
        const double share = (op.group.ranks - 1.0) / op.group.ranks;
        cost.wire_floor = share * size / (op.ideal_group.direct.bandwidth + op.ideal_group.out.bandwidth);
      }
      break;
    }
    case OperatorKind::dispatch:
    case OperatorKind::combine: {
      if (rows <= 0) return cost;
      wire = true;
      const Bytes inside = rows * op.wire_bytes, outside = rows * op.wire_bytes_outside;
      wire_time = all_to_all_time(op.group, inside, outside);
      cost.wire_floor = all_to_all_time(op.ideal_group, inside, outside);
      break;
    }
  }
  if (wire) {
    cost[Binder::collectives] = wire_time + rows * op.items * op.item_time;
    return cost;
  }
  const Bytes bytes = cost.weights + kept + cost.activations;
  cost.kv = kept;
  const Seconds flop_time = executed * op.inverse_peak, byte_time = bytes * op.inverse_bandwidth;
  cost.flop_floor = cost.flops * op.ideal_inverse_peak;
  const double walked = op.depth_most > 0 ? std::min(depth, op.depth_most) : depth;
  cost[Binder::launches] = op.launches * op.latency + items * op.item_time + walked * op.depth_time;
  const bool computes = flop_time > byte_time;
  cost[Binder::flops] = (computes ? 1 : serial) * flop_time;
  const SecondsPerByte memory_pace = (computes ? serial : 1) * op.inverse_bandwidth;
  cost[Binder::weights] = cost.weights * memory_pace;
  cost[Binder::kv] = kept * memory_pace;
  cost[Binder::activations] = cost.activations * memory_pace;
  return cost;
}

CompiledPlan::Cost CompiledPlan::block_cost(const Block& block, const Shape& shape) const {
  Cost total;
  for (int i = block.first; i < block.last; ++i) total.add(operator_cost(operators_[static_cast<std::size_t>(i)], shape), 1);
  return total;
}

// The pass over every stage. `time` adds the stages up, since a token visits each; a micro-batch leaves every `stage_time`.
PassEstimate CompiledPlan::run(const Shape& shape, bool draft_only) const {
  PassEstimate estimate;
  std::array<Cost, 16> kind_costs_inline;
  std::vector<Cost> kind_costs_many;
  Cost* kind_costs = kind_costs_inline.data();
  const std::size_t kinds = draft_only ? 0 : kinds_.size();
  if (kinds > kind_costs_inline.size()) {
    kind_costs_many.resize(kinds);
    kind_costs = kind_costs_many.data();
  }
  for (std::size_t k = 0; k < kinds; ++k) kind_costs[k] = block_cost(kinds_[k], shape);

  const int stages = draft_only ? 1 : plan_.pp;
  for (int stage = 0; stage < stages; ++stage) {
    Cost cost;
    if (draft_only) {
      cost.add(block_cost(draft_, shape), 1);
    } else {
      for (std::size_t k = 0; k < kinds; ++k) {
        const int layers = stage_layers_[static_cast<std::size_t>(stage) * kinds + k];
        if (layers > 0) cost.add(kind_costs[k], layers);
      }
      if (stage == 0) cost.add(block_cost(head_, shape), 1);
      if (stage == stages - 1) cost.add(block_cost(tail_, shape), 1);
      if (stage > 0) cost.add(block_cost(hop_, shape), 1);
    }
    Seconds& wire = cost[Binder::collectives];
    const Seconds computing = cost[Binder::flops] + cost[Binder::weights] + cost[Binder::kv] + cost[Binder::activations];
    wire -= min(engine_.collective_overlap * wire, computing);
    const Seconds read = (cost.weights + cost.kv) * inverse_hbm_;
    const Seconds floor = max(cost.flop_floor, max(read, cost.wire_floor));
    if (engine_.everything_overlaps) {
      cost.by_binder = {};
      if (floor == cost.flop_floor) cost[Binder::flops] = floor;
      else if (floor == cost.wire_floor) cost[Binder::collectives] = floor;
      else {
        cost[Binder::weights] = cost.weights * inverse_hbm_;
        cost[Binder::kv] = floor - cost[Binder::weights];
      }
    }
    const Seconds time = engine_.everything_overlaps ? floor : cost.time();
    for (std::size_t i = 0; i < estimate.by_binder.size(); ++i) estimate.by_binder[i] += cost.by_binder[i];
    estimate.time += time;
    estimate.floor += floor;
    estimate.stage_floor = max(estimate.stage_floor, floor);
    if (stage == 0 || time > estimate.stage_time) {
      estimate.stage_time = time;
      estimate.flops = cost.flops;
      estimate.weights = cost.weights;
      estimate.kv = cost.kv;
      estimate.activations = cost.activations;
    }
  }
  if (!draft_only) {
    const Seconds host = engine_.step + shape.sampled_tokens * engine_.sequence;
    estimate.by_binder[static_cast<std::size_t>(Binder::engine)] += host;
    estimate.time += host;
    estimate.stage_time += host / stages;
  }
  return estimate;
}

PassEstimate CompiledPlan::estimate(const Pass& pass) const { return run(shape_of(pass), false); }

PassEstimate CompiledPlan::draft(const Pass& pass) const {
  Pass one = pass;
  one.tokens_per_sequence = 1;
  one.prefill_sequences = one.prefill_tokens = one.prefill_context = 0;
  return run(shape_of(one), true);
}

std::vector<OperatorEstimate> CompiledPlan::explain(const Pass& pass) const {
  const Shape shape = shape_of(pass);
  std::vector<OperatorEstimate> rows;
  const auto add = [&](const Block& block, int layers) {
    for (int i = block.first; i < block.last; ++i) {
      const Operator& op = operators_[static_cast<std::size_t>(i)];
      const Cost cost = operator_cost(op, shape);
      if (cost.time().coherent() == 0) continue;
      OperatorEstimate line{.definition = &op, .layers = layers, .time = layers * cost.time(), .flops = layers * cost.flops,
                            .weights = layers * cost.weights, .kv = layers * cost.kv, .activations = layers * cost.activations};
      for (std::size_t b = 0; b < line.by_binder.size(); ++b) line.by_binder[b] = layers * cost.by_binder[b];
      rows.push_back(line);
    }
  };
  add(head_, 1);
  for (std::size_t k = 0; k < kinds_.size(); ++k) {
    int layers = 0;
    for (int stage = 0; stage < plan_.pp; ++stage) layers += stage_layers_[static_cast<std::size_t>(stage) * kinds_.size() + k];
    add(kinds_[k], layers);
  }
  if (plan_.pp > 1) add(hop_, plan_.pp - 1);
  add(tail_, 1);
  return rows;
}

}  // namespace fareline
