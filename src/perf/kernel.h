// SPDX-License-Identifier: Apache-2.0
// One kernel: what a pass asks of it, and how long it takes. Compiled plans, fits and validations of kernels all go through here.
#pragma once

#include <algorithm>

#include "catalog/calibration.h"
#include "catalog/chip.h"
#include "perf/collectives.h"
#include "units/quantity.h"

namespace fareline {

using SecondsPerFlop = decltype(Seconds{} / Flops{});
using SecondsPerByte = decltype(Seconds{} / Bytes{});

struct Operator;
enum class OperatorKind : unsigned char;

// The counts of a pass, as the ranks of a stage see them.
struct PassShape {
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

// What one run of a kernel is asked to do. Without launches it does not run.
struct KernelWork {
  double launches = 0;
  Flops flops;                   // asked for
  Flops executed;                // what its tiles come to
  Flops softmax;                 // attention: what one more head dimension would add to that
  Bytes weights, kept, activations;
  double items = 0, depth = 0;   // work items, and the longest chain of one
  bool streams = false;          // too few rows for tiles: what is shorter hides behind the longer
  Bytes inside, outside;         // a collective's: within the domain (all-reduce, all-gather: the whole vector), and to other domains
  Bytes bytes() const { return weights + kept + activations; }
};

// What a chip makes of it at the shares of its peaks that a calibration states.
struct KernelPace {
  Seconds latency;
  SecondsPerFlop inverse_peak;
  SecondsPerByte inverse_bandwidth;
  double serial = 0;
  Seconds item_time;             // over the chip's cores
  Seconds depth_time;
  double depth_most = 0;         // 0: no limit
  double softmax_dims = 0;
};

// Where the time of a kernel goes. `memory_pace` is the part of a byte's time that shows.
struct KernelTime {
  Seconds launches, flops;
  SecondsPerByte memory_pace;
  Seconds total(const KernelWork& work) const { return launches + flops + work.bytes() * memory_pace; }
};

// Returns the pace of a kernel that multiplies at `rate` inside an engine; by itself, with no engine around it, where none is given.
// Equation: latency, item_time / cores, depth_time, each times launch_share; max(1, flop_share / peak_share) / peak;
// max(1, memory_share / bandwidth_share) / bandwidth.
// Source: the fields of catalog/calibration.h. Assumes: work items spread evenly over the cores.
KernelPace kernel_pace(const Efficiency& efficiency, const Chip& chip, Format rate, const EngineOverhead& engine = {});

// Returns where the time of a kernel goes, exchanges left out.
// Equation: launches latency + items item_time + depth_time min(depth, depth_most) + max(tf, tb) + serial min(tf, tb).
// Source: Williams, Waterman & Patterson 2009 (roofline); docs/guide/calibration.md. Assumes: the shorter of compute and memory time
// hides behind the longer but for a fixed share.
inline KernelTime kernel_time(const KernelPace& pace, const KernelWork& work) {
  const Seconds flop_time = (work.executed + pace.softmax_dims * work.softmax) * pace.inverse_peak;
  const Seconds byte_time = work.bytes() * pace.inverse_bandwidth;
  const double walked = pace.depth_most > 0 ? std::min(work.depth, pace.depth_most) : work.depth;
  const bool computes = flop_time > byte_time;
  const double serial = work.streams ? 0 : pace.serial;
  return {.launches = work.launches * pace.latency + work.items * pace.item_time + walked * pace.depth_time,
          .flops = (computes ? 1 : serial) * flop_time,
          .memory_pace = (computes ? serial : 1) * pace.inverse_bandwidth};
}

// How the tokens of a pass fall on the experts: of the slowest rank.
struct Routing {
  double touched = 0;            // distinct experts there that get a token
  double pairs = 0;              // of a token and an expert there
  double tiled = 0;              // the same, each expert's rounded up to whole tiles
};
// Returns the routing expected of `rows` tokens.
// Equation: touched = E/R (1 - (1 + x cv^2)^(-1/cv^2)), x = -T ln(1 - k/E); pairs = T k/R + sqrt(2 ln R) sigma, at most T min(k, E/R);
// tiled = touched ceil(pairs / touched / tile) tile.
// Source: Greenwood & Yule 1920 (occupancy); the largest of R normal deviates. Assumes: independent tokens, gamma popularity.
Routing expected_routing(const Operator& op, double rows);
// Returns the work of the experts' products of `rows` tokens under a routing. Source: the row of operators.h. Assumes: as there.
KernelWork experts_work(const Operator& op, double rows, const Routing& routing);

// Returns what `op` is asked to do in a pass of this shape. Source: the rows of operators.h.
// Assumes: the slowest rank's share; see there.
KernelWork work_of(const Operator& op, const PassShape& shape);

// Returns the time of a collective or exchange of `kind` over `group`, its copying on the chip left out.
// Source: perf/collectives.h. Assumes: as there.
Seconds exchange_time(OperatorKind kind, const RankGroup& group, const KernelWork& work);

// Returns the bound of physics under it: `group` at the links' peak.
// Source: perf/collectives.h, all_reduce_floor. Assumes: full-duplex links; an all-gather may use both networks at once.
Seconds exchange_floor(OperatorKind kind, const RankGroup& ideal_group, const KernelWork& work);

}  // namespace fareline
