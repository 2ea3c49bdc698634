// SPDX-License-Identifier: Apache-2.0
#include "perf/collectives.h"

#include <algorithm>
#include <bit>

#include "units/elementary.h"

namespace fareline {
namespace {

double log2_ceil(int ranks) { return std::bit_width(static_cast<unsigned>(ranks - 1)); }

Seconds flat_all_reduce(int ranks, Bytes size, Bandwidth bandwidth, Seconds hop) {
  if (ranks <= 1) return {};
  const double p = ranks;
  const Seconds whole = size / bandwidth;
  const Seconds one_shot = (p - 1) * whole + hop;
  const Seconds two_shot = 2 * (p - 1) / p * whole + 2 * hop;  // never slower than a ring over a switch
  const Seconds tree = 2 * whole + 2 * log2_ceil(ranks) * hop;
  return min(one_shot, min(two_shot, tree));
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
  return {.ranks = ranks,
          .ranks_in_domain = std::min(ranks, fit),
          .up = system.scale_up.bandwidth.value * efficiency.bandwidth_share,
          .out = system.scale_out.bandwidth.value * efficiency.bandwidth_share,
          .up_hop = system.scale_up.latency.value + efficiency.latency,
          .out_hop = system.scale_out.latency.value + efficiency.latency};
}

Seconds all_reduce_time(const RankGroup& group, Bytes size) {
  if (group.ranks <= 1) return {};
  if (group.domains() <= 1) return flat_all_reduce(group.ranks, size, group.up, group.up_hop);
  const RankGroup inside{.ranks = group.ranks_in_domain, .ranks_in_domain = group.ranks_in_domain, .up = group.up, .out = group.out,
                         .up_hop = group.up_hop, .out_hop = group.out_hop};
  return reduce_scatter_time(inside, size) +
         network_all_reduce(group.domains(), size / group.ranks_in_domain, group.out, group.out_hop) + all_gather_time(inside, size);
}

Seconds all_gather_time(const RankGroup& group, Bytes size) {
  if (group.ranks <= 1) return {};
  const double p = group.ranks_in_domain, d = group.domains();
  Seconds time{};
  if (d > 1) time += (d - 1) / d * (size / p) / group.out + (d - 1) * group.out_hop;
  if (p > 1) time += (p - 1) / p * size / group.up + group.up_hop;
  return time;
}

Seconds reduce_scatter_time(const RankGroup& group, Bytes size) { return all_gather_time(group, size); }

Seconds all_to_all_time(const RankGroup& group, Bytes inside, Bytes outside) {
  if (group.ranks <= 1) return {};
  const Seconds up = group.ranks_in_domain > 1 ? inside / group.up + group.up_hop : Seconds{};
  const Seconds out = group.domains() > 1 ? outside / group.out + group.out_hop : Seconds{};
  return max(up, out);
}

Seconds point_to_point_time(const RankGroup& group, Bytes size) {
  return group.ranks_in_domain > 1 ? size / group.up + group.up_hop : size / group.out + group.out_hop;
}

double expected_distinct(double bins, double draws) {
  if (bins <= 1) return draws > 0 ? bins : 0;
  return bins * (1 - exponential(draws * natural_log(1 - 1 / bins)));
}

Bytes all_reduce_floor(int ranks, Bytes size) { return ranks > 1 ? size : Bytes{}; }

}  // namespace fareline
