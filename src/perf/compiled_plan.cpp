// SPDX-License-Identifier: Apache-2.0
#include "perf/compiled_plan.h"

#include <algorithm>
#include <cmath>

#include "perf/kernel_work.h"
#include "units/elementary.h"

namespace fareline {

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

PassShape CompiledPlan::shape_of(const Pass& pass) const {
  PassShape shape;
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

void CompiledPlan::add_operator(const Operator& op, const PassShape& shape, Cost& total) {
  const KernelWork work = counted_work(op, shape);
  if (work.launches <= 0) return;
  if (op.exchanges()) {
    total[Binder::collectives] += exchange_time(op.kind, op.group, work) + work.items * op.pace.item_time;
    total.wire_floor += exchange_floor(op.kind, op.ideal_group, work);
    return;
  }
  const KernelTime time = kernel_time(op.pace, work);
  total.flops += work.flops;
  total.weights += work.weights;
  total.kv += work.kept;
  total.activations += work.activations;
  total.flop_floor += work.flops * op.ideal_inverse_peak;
  total[Binder::launches] += time.launches;
  total[Binder::flops] += time.flops;
  total[Binder::weights] += work.weights * time.memory_pace;
  total[Binder::kv] += work.kept * time.memory_pace;
  total[Binder::activations] += work.activations * time.memory_pace;
}

CompiledPlan::Cost CompiledPlan::block_cost(const Block& block, const PassShape& shape) const {
  Cost total;
  for (int i = block.first; i < block.last; ++i) add_operator(operators_[static_cast<std::size_t>(i)], shape, total);
  return total;
}

// The pass over every stage. `time` adds the stages up, since a token visits each; a micro-batch leaves every `stage_time`.
PassEstimate CompiledPlan::run(const PassShape& shape, bool draft_only) const {
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
  const PassShape shape = shape_of(pass);
  std::vector<OperatorEstimate> rows;
  const auto add = [&](const Block& block, int layers) {
    for (int i = block.first; i < block.last; ++i) {
      const Operator& op = operators_[static_cast<std::size_t>(i)];
      Cost cost;
      add_operator(op, shape, cost);
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
