// SPDX-License-Identifier: Apache-2.0
#include "perf/kernel.h"

#include <cmath>

#include "perf/kernel_work.h"
#include "perf/operators.h"
#include "units/elementary.h"

namespace fareline {

KernelPace kernel_pace(const Efficiency& efficiency, const Chip& chip, Format rate, const EngineOverhead& engine) {
  const FlopRate peak = chip.peak[static_cast<std::size_t>(rate)].value;
  return {.latency = engine.launch_share * efficiency.latency,
          .inverse_peak = peak > FlopRate{} ? std::max(1.0, engine.flop_share / efficiency.peak_share) / peak : SecondsPerFlop{},
          .inverse_bandwidth = std::max(1.0, engine.memory_share / efficiency.bandwidth_share) / chip.hbm_bandwidth.value,
          .serial = efficiency.serial_share,
          .item_time = engine.launch_share * efficiency.item_time / std::max(1, chip.cores.value),
          .depth_time = engine.launch_share * efficiency.depth_time,
          .depth_most = efficiency.depth_most,
          .softmax_dims = efficiency.softmax_dims};
}

Routing expected_routing(const Operator& op, double rows) {
  const double x = rows * op.log_untouched;
  const double touched = op.skew_squared > 0 ? 1 - power(1 + x * op.skew_squared, -1 / op.skew_squared) : 1 - exponential(-x);
  const double here = op.experts / op.expert_ranks;
  const double mean = rows * op.active_experts / op.expert_ranks;
  // Load of the slowest rank: mean plus the expected largest of expert_ranks normal deviates, sqrt(2 ln R) standard deviations.
  double slowest = mean;
  if (op.expert_ranks > 1) {
    const double variance = mean * (1 - 1 / op.expert_ranks) + mean * mean * op.skew_squared / here;
    slowest = std::min(mean + std::sqrt(2 * natural_log(op.expert_ranks) * variance), rows * std::min(op.active_experts, here));
    slowest = std::max(slowest, mean);
  }
  const double distinct = std::max(touched * here, 1e-9);
  return {.touched = distinct, .pairs = slowest, .tiled = std::max(slowest, distinct * std::ceil(slowest / distinct / op.tile) * op.tile)};
}

KernelWork experts_work(const Operator& op, double rows, const Routing& routing) {
  const bool streams = op.tiled_from > 1 && routing.pairs / routing.touched < op.tiled_from;
  return {.launches = op.launches,
          .flops = rows * op.active_experts / op.expert_ranks * op.flop,
          .executed = (streams ? routing.pairs : routing.tiled) * op.flop,
          .weights = routing.touched * op.expert_ranks / op.experts * op.weight_bytes,
          .activations = routing.pairs * op.pair_bytes + rows * op.row_bytes,
          .items = rows * op.items,
          .depth = op.chain,
          .streams = streams};
}

KernelWork work_of(const Operator& op, const PassShape& shape) { return counted_work(op, shape); }

Seconds exchange_time(OperatorKind kind, const RankGroup& group, const KernelWork& work) {
  switch (kind) {
    case OperatorKind::all_reduce: return all_reduce_time(group, work.inside);
    case OperatorKind::all_gather: return all_gather_time(group, work.inside);
    case OperatorKind::reduce_scatter: return reduce_scatter_time(group, work.inside);
    case OperatorKind::stage_hop: return point_to_point_time(group, work.inside);
    default: return all_to_all_time(group, work.inside, work.outside);
  }
}

Seconds exchange_floor(OperatorKind kind, const RankGroup& ideal_group, const KernelWork& work) {
  switch (kind) {
    case OperatorKind::all_reduce:
      return all_reduce_floor(ideal_group.ranks, work.inside) /
             (ideal_group.ranks_in_domain > 1 ? ideal_group.direct.bandwidth : ideal_group.out.bandwidth);
    case OperatorKind::all_gather:
    case OperatorKind::reduce_scatter: {
      const double share = (ideal_group.ranks - 1.0) / ideal_group.ranks;
      return share * work.inside / (ideal_group.direct.bandwidth + ideal_group.out.bandwidth);
    }
    default: return exchange_time(kind, ideal_group, work);
  }
}

}  // namespace fareline
