// SPDX-License-Identifier: Apache-2.0
// A plan: how a model is laid out over chips, and one pass through it.
#pragma once

#include <optional>
#include <string>

#include "catalog/chip.h"
#include "catalog/model.h"

namespace fareline {

// The coefficient of variation of the experts' popularity where nothing is known of the traffic.
// Source: between balanced routing, 0, and the power law of exponent 1.2 that aiconfigurator's collectors draw from, about 1.
// Assumes: ordinary traffic, experts not rebalanced while serving.
inline constexpr double usual_expert_skew = 0.5;

// One replica takes tp x dp x cp x pp chips. Attention runs on dp groups of tp x cp ranks; the experts of a layer are dealt
// over ep of its tp x dp x cp ranks and each is cut over the remaining ones (expert_tp).
struct Plan {
  int tp = 1;        // tensor parallelism of attention and dense MLPs
  int ep = 1;        // expert parallelism
  int pp = 1;        // pipeline stages
  int dp = 1;        // data parallelism of attention, inside the replica
  int cp = 1;        // context parallelism: KV of a sequence over so many ranks
  int replicas = 1;
  std::optional<Format> weights, experts, kv, activations;  // none: as the model is published
  double expert_skew = 0;        // coefficient of variation of the experts' popularity
  int token_budget = 8192;       // tokens of one step, prefill chunks and decodes together
  double memory_fraction = 0.9;  // of usable memory, what the engine may take
  Bytes reserve{};               // what the engine's runtime takes besides
  int page_tokens = 16;          // tokens of a KV page
  bool mtp = false;              // the MTP module is loaded, to draft
  int stage_chips() const { return tp * dp * cp; }
  int replica_chips() const { return stage_chips() * pp; }
  int chips() const { return replica_chips() * replicas; }
  int expert_tp() const { return stage_chips() / ep; }
};

// Why a plan cannot be: an answer, not an error. `needed` and `available` count what `constraint` names.
struct Infeasible {
  enum class Constraint : unsigned char {
    heads,        // attention heads over tp
    kv_heads,     // KV heads over tp, neither a multiple of the other
    width,        // an MLP's width over tp
    experts,      // experts over ep
    ranks,        // tp x dp x cp over ep
    layers,       // layers over pp
    domain,       // chips of one system
    memory,       // bytes of one chip
    rate,         // requests a second
    budget,       // tokens of a step
    format,       // a number format the chip cannot multiply
  };
  Constraint constraint{};
  double needed = 0, available = 0;
};

// What one pass of one replica is asked to do. Counts are means of a steady state and need not be whole.
struct Pass {
  double decode_sequences = 0;   // over the replica's dp groups together
  double decode_context = 0;     // tokens a decoding sequence has behind it, on average
  double tokens_per_sequence = 1;  // verified at once: 1 + draft tokens
  double prefill_sequences = 0;  // prompts, or chunks of prompts, in this pass
  double prefill_tokens = 0;     // new tokens of each
  double prefill_context = 0;    // tokens before them: cached prefix and earlier chunks
  double tokens() const { return decode_sequences * tokens_per_sequence + prefill_sequences * prefill_tokens; }
};

}  // namespace fareline
