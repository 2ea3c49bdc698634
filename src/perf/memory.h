// SPDX-License-Identifier: Apache-2.0
// What a plan keeps in a chip's memory, and how many sequences fit beside it.
#pragma once

#include "catalog/chip.h"
#include "catalog/model.h"
#include "perf/plan.h"

namespace fareline {

// Bytes of the fullest chip. Source of each: count of the tensors it holds.
struct MemoryUse {
  Bytes weights;        // of the fullest stage's rank
  Bytes activations;    // workspace of the largest step, and its logits
  Bytes collectives;    // buffers of the communication library
  Bytes reserve;        // engine runtime, and what the plan sets aside
  Bytes budget;         // what the engine may take: memory_fraction of usable memory
  Bytes usable, physical;
  Bytes sequence;       // KV pages and state one sequence of the asked context takes on a chip
  Bytes state;          // of which recurrent state, whatever the context
  Bytes left() const { return budget - weights - activations - collectives - reserve; }
};

// Returns what one chip holds under `plan`, with `context` tokens a sequence.
// Equation: sequence = sum over the stage's layers of kept entries (rounded up to pages) x heads here x b_kv / cp + state.
// workspace, as in vLLM's profile run, the larger of a forward pass, token_budget x (4 hidden + 3 widest intermediate) x 2 B, and of
// sampling, token_budget x 3 hidden x 2 B + 1024 x vocabulary x 14 B; and what tokens and their experts take between kernels.
// Source: count of the tensors; llm-d-incubation/llm-d-planner@875a4fd:accuracy/accuracy_report.md.
// Assumes: dp groups are evenly loaded, so a chip keeps 1/dp of the replica's sequences.
MemoryUse memory_use(const Model& model, const System& system, const Plan& plan, double context);

// Returns the most sequences of `context` tokens a replica keeps at once; negative where even the weights do not fit.
// Source: memory_use. Assumes: pages are not shared between sequences.
double most_sequences(const MemoryUse& use, const Plan& plan);

// Returns why `sequences` of them do not fit on a chip: the bytes they need and those the engine may take.
// Source: memory_use. Assumes: nothing.
Infeasible out_of_memory(const MemoryUse& use, double sequences);

// Returns the tokens of KV a replica can keep (what vLLM prints as "GPU KV cache size").
// Equation: left / bytes of one more token on a chip x dp. Source: count. Assumes: windows and state are per sequence and left out.
double kv_capacity_tokens(const Model& model, const MemoryUse& use, const Plan& plan);

// Returns the KV bytes of `context` tokens of one sequence over the whole replica, each stored once.
// Source: kept_elements of every layer. Assumes: whole tokens, no page rounding, no duplicates.
Bytes sequence_bytes(const Model& model, Format kv, double context);

}  // namespace fareline
