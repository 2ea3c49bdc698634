// SPDX-License-Identifier: Apache-2.0
// Inside perf: the counts of work_of, inlined where a pass is added up.
#pragma once

#include <cmath>

#include "perf/kernel.h"
#include "perf/operators.h"

namespace fareline {

inline void count_decode(const Operator& op, const PassShape& shape, KernelWork& work) {
  const double entries = attended(op.reach, shape.decode_context + shape.tokens_per_sequence) / op.context_shards;
  // Tokens verified together see one another causally.
  const double pairs = shape.tokens_per_sequence == 1
                           ? entries
                           : attended_pairs(op.reach, shape.decode_context, shape.tokens_per_sequence) / op.context_shards;
  const double queries = op.group_rows * shape.tokens_per_sequence;
  work.flops = shape.decode_sequences * pairs * op.flop;
  work.kept = shape.decode_sequences * entries * op.kept_bytes;
  work.activations = shape.decode_sequences * shape.tokens_per_sequence * op.row_bytes;
  work.executed = (queries > 0 ? std::ceil(queries / op.tile) * op.tile / queries : 1) * op.padding * work.flops;
  work.items = shape.decode_sequences * op.items;
  work.depth = entries;
}

inline void count_prefill(const Operator& op, const PassShape& shape, KernelWork& work) {
  const double pairs = attended_pairs(op.reach, shape.prefill_context, shape.prefill_tokens) / op.context_shards;
  const double entries = entries_read(op.reach, shape.prefill_context, shape.prefill_tokens);
  work.flops = shape.prefill_sequences * pairs * op.flop;
  work.kept = shape.prefill_sequences * entries / op.context_shards * op.kept_bytes;
  work.activations = shape.prefill_sequences * shape.prefill_tokens / op.context_shards * op.row_bytes;
  work.executed = work.flops;
  work.softmax = op.softmax * work.flops;
  work.items = shape.prefill_sequences * std::ceil(shape.prefill_tokens / op.context_shards / op.tile) * op.items;
  work.depth = attended(op.reach, shape.prefill_context + shape.prefill_tokens);
}

// What work_of returns. Source: as work_of. Assumes: as work_of.
[[gnu::always_inline]] inline KernelWork counted_work(const Operator& op, const PassShape& shape) {
  KernelWork work;
  double rows = 0;
  switch (op.use) {
    case Use::context_tokens: rows = shape.context_tokens; break;
    case Use::last_tokens: rows = shape.sampled_tokens; break;
    default: rows = op.over_stage_width ? shape.stage_tokens : shape.attention_tokens;
  }
  if (op.prefill_only) rows = shape.prefill_sequences * shape.prefill_tokens;
  if (op.decode_only) rows = shape.decode_sequences * shape.tokens_per_sequence;
  work.items = rows * op.items;
  work.depth = op.chain;
  bool runs = rows > 0;
  switch (op.kind) {
    case OperatorKind::embedding:
    case OperatorKind::elementwise:
    case OperatorKind::sampling:
      work.weights = op.weight_bytes;
      work.activations = rows * op.row_bytes;
      break;
    case OperatorKind::matrix_product:
      work.flops = rows * op.flop;
      work.streams = op.tiled_from > 1 && rows < op.tiled_from;
      work.executed = work.streams ? work.flops : std::ceil(rows / op.tile) * op.tile * op.padding * op.flop;
      work.weights = op.weight_bytes;
      work.activations = rows * op.row_bytes;
      break;
    case OperatorKind::expert_products:
      if (runs) work = experts_work(op, rows, expected_routing(op, rows));
      break;
    case OperatorKind::attention_decode:
    case OperatorKind::latent_decode:
    case OperatorKind::index_decode:
      runs = shape.decode_sequences > 0;
      if (runs) count_decode(op, shape, work);
      break;
    case OperatorKind::attention_prefill:
    case OperatorKind::latent_prefill:
    case OperatorKind::index_prefill:
      runs = shape.prefill_sequences > 0 && shape.prefill_tokens > 0;
      if (runs) count_prefill(op, shape, work);
      break;
    case OperatorKind::recurrent_decode:
    case OperatorKind::recurrent_prefill: {
      const bool decoding = op.kind == OperatorKind::recurrent_decode;
      const double sequences = decoding ? shape.decode_sequences : shape.prefill_sequences;
      runs = sequences > 0;
      work.depth = decoding ? shape.tokens_per_sequence : shape.prefill_tokens;
      work.flops = work.executed = sequences * work.depth * op.flop;
      work.kept = 2 * sequences * op.kept_bytes;
      work.activations = sequences * work.depth * op.row_bytes;
      work.items = sequences * op.items;
      break;
    }
    case OperatorKind::all_reduce:
    case OperatorKind::all_gather:
    case OperatorKind::reduce_scatter:
    case OperatorKind::stage_hop:
    case OperatorKind::dispatch:
    case OperatorKind::combine:
      work.inside = rows * op.wire_bytes;
      work.outside = rows * op.wire_bytes_outside;
      break;
  }
  work.launches = runs ? op.launches : 0;
  return work;
}

}  // namespace fareline
