// SPDX-License-Identifier: Apache-2.0
// Collectives: how long ranks take to exchange what a layer asks for, over one scale-up domain or several.
#pragma once

#include "catalog/calibration.h"
#include "catalog/chip.h"

namespace fareline {

// One protocol over a link: a fixed time, and the one-way bandwidth a chip achieves with it.
struct Protocol {
  Seconds latency;
  Bandwidth bandwidth;
};

// A group of ranks and the links under it. `ranks` are spread evenly over ranks / ranks_in_domain domains. Inside a domain the
// faster of two protocols is used: a direct one for small sizes, one in two phases for large.
struct RankGroup {
  int ranks = 1;
  int ranks_in_domain = 1;
  Protocol direct, phased;      // inside a domain
  Protocol out;                 // between domains
  Seconds peer;                 // each further rank of a domain
  int domains() const { return (ranks + ranks_in_domain - 1) / ranks_in_domain; }
};

// Returns the group of `ranks` consecutive chips whose neighbours in the group are `stride` chips apart.
// Source: placement innermost first: tensor, context, data, pipeline parallel ranks.
// Assumes: domains are filled in order; efficiency of 1 and no added latency give the links' own figures.
RankGroup rank_group(const System& system, int ranks, int stride, const Efficiency& efficiency);
// The same at the links' peak with no latency at all: the floor.
RankGroup ideal_rank_group(const System& system, int ranks, int stride);

// Returns the time to sum `size` bytes held by every rank and leave the sum with all.
// Equation: inside a domain, with h = peer (p - 1), the lesser of
//   one-shot  direct latency + h + (p - 1) n / b_direct      every rank sends its vector to every other
//   two-shot  phased latency + h + 2 (p - 1)/p n / b_phased  reduce-scatter, then all-gather, through a switch or round a ring
// between d domains the lesser of a ring, 2 (d - 1)/d n / b + 2 (d - 1) latency, and a tree, 2 n / b + 2 ceil(log2 d) latency;
// over both: reduce-scatter inside, all-reduce of n / p_d between, all-gather inside.
// Source: Thakur, Rabenseifner & Gropp, Optimization of Collective Communication Operations in MPICH, IJHPCA 2005,
// sections 4.4 to 4.6; one- and two-shot as in NVIDIA, TensorRT-LLM documentation, "custom all-reduce".
// Assumes: full-duplex links, a non-blocking switch inside a domain, the best algorithm for the size is picked.
Seconds all_reduce_time(const RankGroup& group, Bytes size);

// Returns the time for every rank to hold all `size` bytes, of which each had 1/p.
// Equation: (p - 1)/p n / b + latency + h inside a domain, the better protocol;
// over d domains (d - 1)/d n / (p_d b_out) between, then n / b inside.
// Source: Thakur et al. 2005, section 4.1. Assumes: as all_reduce_time; between domains each rail carries its share.
Seconds all_gather_time(const RankGroup& group, Bytes size);

// Returns the time to sum `size` bytes held by every rank and leave 1/p of the sum with each: the mirror of all-gather.
// Source: Thakur et al. 2005, section 4.2. Assumes: as all_gather_time.
Seconds reduce_scatter_time(const RankGroup& group, Bytes size);

// Returns the time of an all-to-all in which each rank sends `inside` bytes to ranks of its own domain (itself left out) and
// `outside` bytes to other domains. Equation: max(inside / b + latency + h by the better protocol, outside / b_out + latency_out).
// Source: DeepSeek-AI, DeepEP README (NVLink and RDMA phases overlap). Assumes: balanced traffic, no incast.
Seconds all_to_all_time(const RankGroup& group, Bytes inside, Bytes outside);

// Returns the time of one message of `size` bytes to a neighbour. Equation: n / b + hop.
// Source: Hockney, The communication challenge for MPP, Parallel Computing 20 (1994). Assumes: an idle link.
Seconds point_to_point_time(const RankGroup& group, Bytes size);

// Returns the expected number of distinct bins out of `bins` hit by `draws` draws with equal chance: what dispatch sends of
// a token, whose copies to experts of one rank travel once. Equation: R (1 - (1 - 1/R)^k).
// Source: occupancy; Feller, An Introduction to Probability Theory, vol. 1, section II.5. Assumes: independent, uniform draws.
double expected_distinct(double bins, double draws);

// Returns the bytes that must cross a chip's port for an all-reduce however it is done. Equation: n (p > 1).
// Source: each rank must send its vector and receive the sum once, even when the switch adds (NVLink SHARP).
// Assumes: full duplex.
Bytes all_reduce_floor(int ranks, Bytes size);

}  // namespace fareline
