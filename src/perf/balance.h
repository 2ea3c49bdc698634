// SPDX-License-Identifier: Apache-2.0
// The lecture's two rooflines: what a decode step reads and multiplies, where the two balance, and what long contexts do to it.
#pragma once

#include <optional>

#include "catalog/model.h"
#include "units/quantity.h"

namespace fareline {

// Rates are of all chips together; the work is shared evenly between them.
struct Rooflines {
  double total = 0, active = 0;  // parameters
  Bytes element;                 // of a stored parameter
  FlopRate peak;
  Bandwidth bandwidth;
};

// Returns the time to fetch every parameter once. Equation: N_total b / BW.
// Source: the lecture at 05:10. Assumes: peak bandwidth; a step reads all weights, however few tokens it holds.
Seconds weight_fetch_time(const Rooflines& r);

// Returns the time to multiply `batch` tokens by the active parameters. Equation: 2 B N_active / C.
// Source: the lecture at 03:19; Kaplan et al. 2020, section 2.1 (2 FLOP a parameter). Assumes: peak rate.
Seconds multiply_time(const Rooflines& r, double batch);

// Returns the time to fetch what `batch` sequences keep, `read` bytes each. Equation: B read / BW.
// Source: the lecture at 05:26. Assumes: nothing is shared between sequences.
Seconds kv_fetch_time(const Rooflines& r, double batch, Bytes read);

// Returns the multiplies per second times the bytes of a parameter over bytes per second, a pure number. Equation: (C/2) b / BW.
// Source: the lecture at 18:22. Assumes: weights are multiplied in the format they are stored in.
double hardware_ratio(FlopRate peak, Bytes element, Bandwidth bandwidth);

// Returns the ridge point of a roofline: FLOP a byte above which compute binds. Equation: C / BW.
// Source: Williams, Waterman & Patterson 2009. Assumes: peak rates.
decltype(Flops{} / Bytes{}) ridge_point(FlopRate peak, Bandwidth bandwidth);

// Returns the batch, in tokens, at which weight fetch equals weight multiply. Equation: ratio N_total / N_active.
// Source: the lecture at 19:07. Assumes: KV is left out; all experts are read.
double balanced_batch(double ratio, double sparsity);

// Returns the same with KV: the batch at which weights and KV together take as long as the multiplies; nothing where KV alone takes
// longer at every batch. Equation: t_w / (t_c - t_kv), times of one token.
// Source: the lecture at 20:20 (KV asks for a larger batch). Assumes: contexts all alike.
std::optional<double> balanced_batch_with_kv(const Rooflines& r, Bytes read);

// Returns the share of its time that compute works in a decode step. Equation: t_c / max(t_c, t_w + t_kv).
// Source: the lecture at 11:44. Assumes: fetches and multiplies overlap fully.
double step_utilisation(const Rooflines& r, double batch, Bytes read);

// Returns how many times more parameters a dense model of equal quality multiplies. Equation: N_dense / N_active.
// Source: the lecture at 29:44, off a figure of Clark et al. 2022, Unified Scaling Laws for Routed Language Models.
// Assumes: equal loss is equal quality; the paper's routing, older than fine-grained experts.
double effective_over_active(double dense, double active);

// How much of its past a token attends to.
enum class Reading : unsigned char { dense, sliding, square_root, selected };

// Returns the past tokens that are read, of `context`. Equation: dense c; sliding min(c, w); square root min(c, 2 sqrt(c));
// selected min(c, k).
// Source: the lecture at 12:31 ("a square root in this term"); Child et al. 2019, Generating Long Sequences with Sparse Transformers,
// section 4.2 (two heads of sqrt(n) each); DeepSeek-V3.2-Exp report, section 2.1 (top-k, k = 2048).
// Assumes: what chooses the tokens is counted apart (an indexer's keys are read whole).
double tokens_read(Reading reading, double context, double limit);

// What one new token reads and multiplies of its past.
struct ContextWork {
  Bytes read;
  Flops flop;
};

// Returns the work of one new token with `context` tokens behind it, itself counted. `prefill`: latents are expanded, as prompts are
// computed. Equation: per layer a entry b_kv + index keys + 2 state, and 2 h (d_qk + d_v) a FLOP and the indexer's.
// Source: the rows of perf/operators.h. Assumes: each kept entry is read once a token in decode; states are read and written.
ContextWork context_work(const Model& model, Format kv, double context, bool prefill);

// Returns the context at which the attention FLOP of a token equal its weight FLOP. Equation: 2 N = 4 L h d c, c = N / (2 L h d).
// Source: the lecture at 1:52:15; Narayanan et al. 2021, equation 2. Assumes: dense attention; the token at that position (a prompt's
// average token has half as much before it).
double quadratic_onset(double active, double layers, double heads, double head_dim);

// The same of a model with whatever attention it has; nothing where attention never costs as much within 1e12 tokens.
// Source: context_work. Assumes: as quadratic_onset.
std::optional<double> quadratic_onset(const Model& model, double active);

}  // namespace fareline
