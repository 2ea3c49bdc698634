// SPDX-License-Identifier: Apache-2.0
#include "perf/racks.h"

#include <algorithm>
#include <cmath>

namespace fareline {

ExpertPlacement place_experts(int experts, int chips) {
  int used = std::clamp(chips, 1, std::max(1, experts));
  while (experts % used != 0) --used;
  return {.chips = used, .per_chip = experts / used, .idle = chips - used};
}

double share_leaving(double domains) { return 1 - 1 / domains; }

Bytes dispatch_bytes(double activated, double hidden, Bytes element) { return activated * hidden * element; }

Exchange exchange_time(double tokens, Bytes dispatch, double domains, Bandwidth scale_up, Bandwidth scale_out) {
  const Bytes both = 2 * tokens * dispatch;
  Exchange e{.inside = (1 / domains) * both / scale_up};
  if (domains > 1) e.outside = share_leaving(domains) * both / scale_out;
  return e;
}

double outside_over_inside(double domains, double bandwidth_ratio) { return (domains - 1) * bandwidth_ratio; }

double scale_up_over_scale_out(double bandwidth_ratio, double activated, double layers) { return activated * layers * 2 / bandwidth_ratio; }

double least_layers(double bandwidth_ratio, double activated) {
  return std::max(1.0, std::ceil(bandwidth_ratio / (2 * activated) - 1e-12));
}

Seconds hop_time(double hops, Seconds latency) { return hops * latency; }

Seconds domain_fetch_time(double parameters, Bytes element, double domain, Bandwidth bandwidth) {
  return parameters * element / (domain * bandwidth);
}

double largest_model(double domain, Bytes capacity, double kv_share, Bytes element) {
  return domain * capacity * (1 - kv_share) / element;
}

}  // namespace fareline
