// SPDX-License-Identifier: Apache-2.0
// What a long context asks of a system: which batch fits, how long a step and a prompt take, what one sequence needs.
#pragma once

#include <functional>

#include "perf/balance.h"

namespace fareline {

// What one sequence of some length asks of a decode step.
struct SequenceLoad {
  Bytes kept;      // in memory
  ContextWork work;  // of one new token
};

// Returns the sequences whose KV fits beside the weights; below one where not even one does.
// Equation: (M - N_total b) / kept, M of all chips together; nothing kept: without bound.
// Source: the lecture at 1:52:53 (memory capacity limits contexts). Assumes: all of HBM holds weights and KV, evenly spread.
double sequences_that_fit(const Rooflines& r, Bytes capacity, Bytes kept);

// Returns the time of a decode step of `batch` sequences. Equation: max(B (2 N_active + f) / C, (N_total b + B read) / BW).
// Source: the lecture at 03:19 to 05:26; perf/balance.h. Assumes: fetches and multiplies overlap fully; peak rates.
Seconds decode_step_time(const Rooflines& r, double batch, const ContextWork& work);

// Returns the most sequences that fit in memory and step within `pace`, at least one.
// Equation: min(B_fit, pace C / (2 N_active + f), (pace BW - N_total b) / read). Source: decode_step_time, solved for B.
// Assumes: a sequence that does not fit is spread over as many systems as it takes, one at a time.
double largest_batch(const Rooflines& r, Bytes capacity, const SequenceLoad& load, Seconds pace);

// Returns the systems that one sequence is spread over. Equation: ceil(kept / (M - N_total b)), at least 1.
// Source: sequences_that_fit. Assumes: each system keeps its own copy of the weights. Zero where the weights alone do not fit.
double systems_for_one(const Rooflines& r, Bytes capacity, Bytes kept);

// Returns the time to compute a prompt of `tokens`. Equation: sum over its tokens of (2 N_active + f(c)) / C, the sum by the midpoints
// of 64 equal parts.
// Source: the lecture at 1:51:01 and 1:52:15. Assumes: prefill is bound by compute, at the peak rate.
Seconds prompt_time(const Rooflines& r, double tokens, const std::function<Flops(double context)>& attention);

// Returns the KV bytes of a token at which fetching `context` of them takes as long as multiplying by the active parameters.
// Equation: b N_active / (ratio context), ratio = (C/2) b / BW.
// Source: the lecture at 1:36:08 to 1:38:19, where b is 1 B. Assumes: the batch is so large that weights cost nothing.
BytesPerToken balanced_kv(double active, Bytes element, double ratio, double context);

// Returns the KV bytes of a token. Equation: 2 L h_kv d b. Source: the lecture at 1:40:48. Assumes: keys and values are as wide, and every
// layer keeps its own.
BytesPerToken kv_of_heads(double layers, double kv_heads, double head_dim, Bytes element);

// Returns the rent a decode token takes, as chip time: of all chips together, times their number is left to who asks.
// Equation: t(B) / B at the largest batch; one sequence over S systems: max((2 N_active + f) / C, (S N_total b + read) / BW).
// Source: decode_step_time, largest_batch, systems_for_one. Assumes: as those; S systems read their own copies of the weights at once.
Seconds decode_time_of_token(const Rooflines& r, Bytes capacity, const SequenceLoad& load, Seconds pace);

// Returns the time from one token to the next that a user sees. Equation: t(B), or the above over S.
// Source: as decode_time_of_token. Assumes: the S systems work on one sequence evenly.
Seconds decode_pace(const Rooflines& r, Bytes capacity, const SequenceLoad& load, Seconds pace);

// Returns the share of an answer's decode passes in which its average token takes part. Equation: (n - 1) / (2 n): the i-th token is
// read by the n - i passes after its own.
// Source: the second forum thread ("approximately half of those runs"). Assumes: an answer of n tokens, all read.
double participation(double output);

}  // namespace fareline
