// SPDX-License-Identifier: Apache-2.0
// Experts over racks: how they divide, what leaves a scale-up domain, and how a pipeline's hop compares with an expert layer's
// all-to-all.
#pragma once

#include "units/quantity.h"

namespace fareline {

struct ExpertPlacement {
  int chips = 1;     // of those there are, that hold experts
  int per_chip = 1;  // experts of each
  int idle = 0;      // chips left over
};

// Returns how `experts` are dealt over at most `chips`, evenly. Equation: the largest divisor of the experts not above the chips.
// Source: the lecture at 34:06. Assumes: no expert is cut or held twice.
ExpertPlacement place_experts(int experts, int chips);

// Returns the share of an expert layer's exchange that leaves its domain. Equation: 1 - 1/R.
// Source: the lecture at 39:54. Assumes: experts spread evenly over R domains, routing uniform.
double share_leaving(double domains);

// Returns the bytes one token's copies take to its experts, one way. Equation: k h b.
// Source: the lecture at 33:40. Assumes: every expert's copy travels, as where each expert has a chip of its own.
Bytes dispatch_bytes(double activated, double hidden, Bytes element);

// Times of one expert layer's exchange, there and back, for the tokens of one chip.
struct Exchange {
  Seconds inside, outside;  // over scale-up; over scale-out, zero in one domain
  Seconds time() const { return max(inside, outside); }
};

// Returns them. Equation: 2 T V (1/R) / b_up and 2 T V (1 - 1/R) / b_out.
// Source: the lecture at 39:54 to 40:03. Assumes: both networks work at once; peak bandwidth; a chip's own share is not left out.
Exchange exchange_time(double tokens, Bytes dispatch, double domains, Bandwidth scale_up, Bandwidth scale_out);

// Returns the time outside over the time inside. Equation: (R - 1) b_up / b_out.
// Source: the lecture at 40:03 (8 at two racks). Assumes: as exchange_time.
double outside_over_inside(double domains, double bandwidth_ratio);

// Returns the time over scale-up over the time over scale-out of one pipeline stage. Equation: (b_out / b_up) k L 2.
// Source: the lecture at 50:50. Assumes: one copy a token crosses to the next stage, k copies to the experts of each of L layers, there
// and back.
double scale_up_over_scale_out(double bandwidth_ratio, double activated, double layers);

// Returns the fewest layers of a stage at which scale-out is no bottleneck, whole. Equation: ceil(b_up / (b_out 2 k)), at least 1.
// Source: the lecture at 52:42. Assumes: as scale_up_over_scale_out.
double least_layers(double bandwidth_ratio, double activated);

// Returns the time the hops between racks add to each token. Equation: hops x latency.
// Source: the lecture at 1:15:38. Assumes: hops of one token come one after the other.
Seconds hop_time(double hops, Seconds latency);

// Returns the time to fetch all weights by the chips of one domain. Equation: N b / (domain BW).
// Source: the lecture at 1:18:03. Assumes: weights are spread evenly over the domain; stages of a pipeline add their times, so that more
// domains do not shorten it.
Seconds domain_fetch_time(double parameters, Bytes element, double domain, Bandwidth bandwidth);

// Returns the parameters a domain's memory holds beside its KV. Equation: domain capacity (1 - share) / b.
// Source: the lecture at 45:35. Assumes: `kv_share` of the memory is kept for KV.
double largest_model(double domain, Bytes capacity, double kv_share, Bytes element);

}  // namespace fareline
