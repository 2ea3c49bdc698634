// SPDX-License-Identifier: Apache-2.0
#include "perf/collectives.h"

#include <algorithm>
#include <bit>

#include "units/elementary.h"

namespace fareline {
namespace {

double log2_ceil(int ranks) { return std::bit_width(static_cast<unsigned>(ranks - 1)); }

// Inside a domain, by the better of the two protocols, of which each moves `direct` or `phased` bytes through a chip's port.
Seconds inside_time(const RankGroup& group, Bytes direct, Bytes phased) {
  return (group.ranks_in_domain - 1.0) * group.peer +
         min(group.direct.latency + direct / group.direct.bandwidth, group.phased.latency + phased / group.phased.bandwidth);
}

// Between domains there is no common switch port to every rank: ring or tree.
Seconds network_all_reduce(int ranks, Bytes size, Bandwidth bandwidth, Seconds hop) {
  if (ranks <= 1) return {};
  const double p = ranks;
  const Seconds whole = size / bandwidth;
  return min(2 * (p - 1) / p * whole + 2 * (p - 1) * hop, 2 * whole + 2 * log2_ceil(ranks) * hop);
}

}  // namespace

RankGroup rank_group(const System& system, int ranks, int stride, const Efficiency& efficiency) {
  const int fit = std::max(1, system.domain / std::max(1, stride));
  const Bandwidth up = system.scale_up.bandwidth.value, out = system.scale_out.bandwidth.value;
  const Seconds latency = system.scale_up.latency.value + efficiency.latency;
  return {.ranks = ranks,
          .ranks_in_domain = std::min(ranks, fit),
          .direct = {latency, up * efficiency.bandwidth_share},
          .phased = {latency + efficiency.second_latency, up * efficiency.second_share},
          .out = {system.scale_out.latency.value + efficiency.latency, out * efficiency.second_share},
          .peer = efficiency.peer_latency};
}

RankGroup ideal_rank_group(const System& system, int ranks, int stride) {
  RankGroup group = rank_group(system, ranks, stride, Efficiency{});
  group.direct.latency = group.phased.latency = group.out.latency = Seconds{};
  return group;
}

Seconds all_reduce_time(const RankGroup& group, Bytes size) {
  if (group.ranks <= 1) return {};
  const double p = group.ranks_in_domain;
  if (group.domains() <= 1) return inside_time(group, (p - 1) * size, 2 * (p - 1) / p * size);
  const Seconds inside = p > 1 ? inside_time(group, (p - 1) / p * size, (p - 1) / p * size) : Seconds{};
  return 2 * inside + network_all_reduce(group.domains(), size / p, group.out.bandwidth, group.out.latency);
}

Seconds all_gather_time(const RankGroup& group, Bytes size) {
  if (group.ranks <= 1) return {};
  const double p = group.ranks_in_domain, d = group.domains();
  Seconds time{};
  if (d > 1) time += (d - 1) / d * (size / p) / group.out.bandwidth + (d - 1) * group.out.latency;
  if (p > 1) time += inside_time(group, (p - 1) / p * size, (p - 1) / p * size);
  return time;
}

Seconds reduce_scatter_time(const RankGroup& group, Bytes size) { return all_gather_time(group, size); }

Seconds all_to_all_time(const RankGroup& group, Bytes inside, Bytes outside) {
  if (group.ranks <= 1) return {};
  const Seconds up = group.ranks_in_domain > 1 ? inside_time(group, inside, inside) : Seconds{};
  const Seconds out = group.domains() > 1 ? outside / group.out.bandwidth + group.out.latency : Seconds{};
  return max(up, out);
}

Seconds point_to_point_time(const RankGroup& group, Bytes size) {
  return group.ranks_in_domain > 1
             ? min(group.direct.latency + size / group.direct.bandwidth, group.phased.latency + size / group.phased.bandwidth)
             : size / group.out.bandwidth + group.out.latency;
}

double expected_distinct(double bins, double draws) {
  if (bins <= 1) return draws > 0 ? bins : 0;
  return bins * (1 - exponential(draws * natural_log(1 - 1 / bins)));
}

Bytes all_reduce_floor(int ranks, Bytes size) { return ranks > 1 ? size : Bytes{}; }

}  // namespace fareline
