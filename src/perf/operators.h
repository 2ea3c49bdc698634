// SPDX-License-Identifier: Apache-2.0
// The operators of a pass: one row a kind, with the formula people are shown, and what a compiled plan keeps of each.
#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "catalog/calibration.h"
#include "catalog/model.h"
#include "perf/collectives.h"
#include "perf/kernel.h"
#include "units/quantity.h"

namespace fareline {

// Bytes of an element of the indexer's keys: FP8 with one FP32 scale per 128.
// Source: DeepSeek-V3.2-Exp report, section 2.1. Assumes: other indexers keep theirs alike.
inline constexpr Bytes index_element = (1 + 4.0 / 128) * unit::B;
// Bytes of an element of recurrent state: FP32.
// Source: Gu & Dao 2023, Mamba, section 3.3.2. Assumes: engines do not narrow it.
inline constexpr Bytes state_element = 4 * unit::B;
// Bytes of an element of the residual stream and of what kernels hand to each other: 16 bits.
// Source: the torch_dtype of published configurations. Assumes: quantised kernels narrow their inputs themselves.
inline constexpr Bytes stream_element = 2 * unit::B;

enum class OperatorKind : unsigned char {
  embedding, matrix_product, expert_products, attention_decode, attention_prefill, latent_decode, latent_prefill,
  index_decode, index_prefill, recurrent_decode, recurrent_prefill, elementwise, sampling,
  all_reduce, all_gather, reduce_scatter, dispatch, combine, stage_hop,
};
inline constexpr int operator_kind_count = 19;

struct OperatorRow {
  OperatorKind kind;
  std::string_view name, summary, equation, source, assumes;
};
// Assumes of all: activations that the next kernel reads are written to and read from HBM; weights are read once a pass.
inline constexpr std::array<OperatorRow, operator_kind_count> operator_rows{{
    {OperatorKind::embedding, "embedding", "looks up one row of the embedding a token", "bytes = tokens * hidden * b",
     "Vaswani et al. 2017, section 3.4", "rows are not reused within a pass"},
    {OperatorKind::matrix_product, "matrix_product", "tokens times a weight matrix",
     "FLOP = 2 m n k; bytes = n k b_w + m (n + k) b_a; m rounded up to the kernel's tile in time, from as "
     "many rows as a calibration has them tiled",
     "Williams, Waterman & Patterson 2009 (roofline); the lecture at 02:10", "weights are read once a pass and rank"},
    {OperatorKind::expert_products, "expert_products", "tokens times the matrices of the experts they are routed to",
     "FLOP = 2 (T k / ep) n k_in; weights = E/ep * touched * n k_in * b_w; touched = 1 - (1 + x cv^2)^(-1/cv^2), "
     "x = -T ln(1 - k/E); slowest rank: load * (1 + (imbalance))",
     "occupancy with gamma-distributed popularity (Greenwood & Yule 1920); the lecture at 29:44",
     "routing is independent between tokens; popularity has the stated coefficient of variation; the slowest rank sets the time"},
    {OperatorKind::attention_decode, "attention_decode", "one new token a sequence against the KV it keeps",
     "FLOP = 2 q h (d_qk + d_v) a; bytes = a h_kv (d_qk + d_v) b_kv; a = tokens attended",
     "Pope et al. 2022, section 3.3; the lecture at 05:26", "KV is read once a sequence, however many query heads share it"},
    {OperatorKind::attention_prefill, "attention_prefill", "every new token against what came before it",
     "FLOP = 2 h (d_qk + d_v) pairs; pairs = n c + n (n + 1)/2 within the window; bytes = KV of prefix and prompt, once",
     "Dao 2023, FlashAttention-2, section 3.1", "causal tiles above the diagonal are skipped; scores stay on chip"},
    {OperatorKind::latent_decode, "latent_decode", "one new token a sequence against the latents it keeps (absorbed)",
     "FLOP = 2 q h (2 r + d_rope) a; bytes = a (r + d_rope) b_kv on every tensor-parallel rank", "DeepSeek-V2 report, section 2.1.2",
     "up-projections are absorbed into query and output"},
    {OperatorKind::latent_prefill, "latent_prefill", "every new token against expanded keys and values",
     "FLOP = 2 h (d_qk + d_v) pairs; bytes = expanded keys and values of the context, once", "DeepSeek-V2 report, section 2.1.2",
     "latents are expanded for the whole context"},
    {OperatorKind::index_decode, "index_decode", "the indexer scores every kept token", "FLOP = 2 q h_i d_i c; bytes = c d_i b_i",
     "DeepSeek-V3.2-Exp report, section 2.1", "indexer keys in FP8, whole on every rank"},
    {OperatorKind::index_prefill, "index_prefill", "the indexer scores every pair", "FLOP = 2 h_i d_i pairs; bytes = c d_i b_i",
     "DeepSeek-V3.2-Exp report, section 2.1", "indexer keys in FP8, whole on every rank"},
    {OperatorKind::recurrent_decode, "recurrent_decode", "advances the state of every sequence by its new tokens",
     "FLOP = f tokens state elements; bytes = 2 state (read and written) a sequence, and the tokens' vectors",
     "Dao & Gu 2024, Mamba-2, section 6; Yang et al. 2024, Gated DeltaNet, section 3",
     "f = 6 (Mamba: decay, outer product, read) or 8 (delta rule: read, correct, outer product, decay); state in FP32"},
    {OperatorKind::recurrent_prefill, "recurrent_prefill", "runs the prompts through the state, chunk by chunk",
     "FLOP = f tokens state elements; bytes = 2 state a sequence, and the tokens' vectors",
     "Dao & Gu 2024, Mamba-2, section 6; Yang et al. 2024, Gated DeltaNet, section 3",
     "as recurrent_decode; the state stays on chip between chunks"},
    {OperatorKind::elementwise, "elementwise", "norms, rope, activations, residual, routing", "bytes = tokens * vectors read and written",
     "count of the layer's vectors", "each kernel reads and writes HBM; adjacent ones are fused"},
    {OperatorKind::sampling, "sampling", "picks a token from the logits", "bytes = sequences * vocabulary * 4 B * passes over the logits",
     "vLLM documentation, V1 sampler", "logits in FP32, read for the soft-max and for the choice"},
    {OperatorKind::all_reduce, "all_reduce", "sums partial results over the ranks",
     "best of one-shot, two-shot, tree, ring; see collectives", "Thakur et al. 2005",
     "links run one way at the calibration's share of their peak"},
    {OperatorKind::all_gather, "all_gather", "collects every rank's part", "(p - 1)/p n / b + hop", "Thakur et al. 2005", "as all_reduce"},
    {OperatorKind::reduce_scatter, "reduce_scatter", "sums and leaves each rank its part", "(p - 1)/p n / b + hop", "Thakur et al. 2005",
     "as all_reduce"},
    {OperatorKind::dispatch, "dispatch", "sends tokens to the ranks of their experts",
     "bytes = tokens * distinct other ranks * hidden * b_wire; distinct = R (1 - (1 - 1/R)^k)",
     "DeepSeek-AI, DeepEP README; the lecture at 39:54",
     "one copy a token and rank, one a token and domain over the scale-out network; uniform routing"},
    {OperatorKind::combine, "combine", "brings the experts' results back", "as dispatch, in 16 bits", "DeepSeek-AI, DeepEP README",
     "as dispatch"},
    {OperatorKind::stage_hop, "stage_hop", "hands the residual stream to the next pipeline stage",
     "bytes = tokens * hidden * 2 B / tp, then gathered", "Narayanan et al. 2021, section 4.1 (scatter/gather)",
     "each tensor-parallel rank sends its share"},
}};
constexpr const OperatorRow& row(OperatorKind kind) { return operator_rows[static_cast<std::size_t>(kind)]; }

// What binds a pass. `launches` holds kernel launches and hops' latency on the chip; `engine` the host's work a step.
enum class Binder : unsigned char { weights, kv, activations, flops, collectives, launches, engine };
inline constexpr int binder_count = 7;
inline constexpr std::array<std::string_view, binder_count> binder_names{"weights",     "kv",       "activations", "flops",
                                                                         "collectives", "launches", "engine"};

// Which tokens an attention kernel's query sees, of `window`, and how many are kept; one layer's, on one rank.
struct Reach {
  AttentionKind kind = AttentionKind::full;
  double window = 0;    // 0: none
  double topk = 0;      // 0: all
  double compress = 1;
};
// Returns the tokens (or pooled entries) a token attends to with `context` tokens behind it, itself counted as one of them.
// Equation: full c; sliding min(c, w); chunked c within the first chunk, then the mean w/2; selected min(c, k); pooled
// min(c/m, k) + min(c, w).
// Source: each architecture's report; see catalog/model. Assumes: chunked positions are uniform within a chunk.
double attended(const Reach& reach, double context);
// Returns the sum of attended() over `fresh` new tokens after `before` tokens: query-key pairs.
// Equation: sum over i = 1..n of attended(c + i), in closed form.
// Source: Dao 2023, section 3.1 (causal count). Assumes: as attended; exact for whole numbers (chunks counted exactly).
double attended_pairs(const Reach& reach, double before, double fresh);

// Returns the kept entries that `fresh` new tokens after `before` tokens read between them, each once.
// Equation: n + c; within a window n + min(c, w); in chunks n + c mod w; pooled (n + c)/m, and whole ones within the window.
// Source: Dao 2023, section 3.1. Assumes: scores are tiled, so that an entry is read once however many of the tokens see it.
double entries_read(const Reach& reach, double before, double fresh);

// What a compiled plan keeps of one operator: coefficients of the pass's counts, for the slowest rank.
struct Operator {
  OperatorKind kind{};
  Kernel kernel{};
  Use use = Use::tokens;
  Format kept = Format::bf16;    // by which its calibration is found
  Format rate = Format::bf16;    // the peak it multiplies at
  bool over_stage_width = false; // works on the tokens of the whole replica, not of one dp group
  char name[24] = {};
  double launches = 1;

  KernelPace pace;                     // the engine's share of launches taken
  double tile = 1;
  double tiled_from = 1;               // products of fewer rows: no tiles, FLOP behind bytes
  double padding = 1;                  // FLOP executed over FLOP asked for, columns and heads rounded up to tiles
  double softmax = 0;                  // attention prefill: of the FLOP asked for, what one more head dimension adds
  double items = 0;                    // work items a row
  double chain = 0;                    // the longest chain of a product, the same in every pass
  double group_rows = 0;               // attention decode: query rows that share a KV head; padded to the tile
  SecondsPerFlop ideal_inverse_peak;   // at the chip's peak

  Flops flop;                          // a row (token, pair or state), on this rank
  Bytes weight_bytes;                  // read once a pass (experts: all on this rank)
  Bytes row_bytes;                     // activations read and written a row
  Bytes pair_bytes;                    // experts: activations read and written a token and expert
  Bytes kept_bytes;                    // a kept entry (KV, latent, index key) or a sequence's state

  Reach reach{};
  double context_shards = 1;           // cp: ranks a sequence's KV is spread over

  // experts
  double experts = 0, expert_ranks = 1, active_experts = 0;
  double log_untouched = 0;            // -ln(1 - k/E)
  double skew_squared = 0;             // squared coefficient of variation of popularity

  // collectives
  RankGroup group{}, ideal_group{};
  Bytes wire_bytes;                    // a row, inside the domain
  Bytes wire_bytes_outside;            // a row, to other domains
  bool prefill_only = false, decode_only = false;

  bool exchanges() const { return kind >= OperatorKind::all_reduce; }
  std::string_view label() const { return {name, strnlen(name, sizeof name)}; }
};

}  // namespace fareline
