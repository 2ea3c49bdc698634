// SPDX-License-Identifier: Apache-2.0
#include "catalog/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "catalog/model_family.h"

namespace fareline {

std::string_view name(Part part) {
  constexpr std::array<std::string_view, part_count> names{"embedding", "attention",      "indexer", "dense_mlp", "router",
                                                           "experts",   "shared_experts", "lm_head", "norms",     "other"};
  return names[static_cast<std::size_t>(part)];
}

std::string_view name(AttentionKind kind) {
  constexpr std::array<std::string_view, 7> names{"none", "full", "sliding", "chunked", "mla", "linear", "mamba"};
  return names[static_cast<std::size_t>(kind)];
}

namespace {

// Parameters of a matrix that one token touches.
std::int64_t active_parameters(const Matrix& matrix, const FeedForward& mlp) {
  if (matrix.split != Split::experts || mlp.experts == 0) return matrix.parameters();
  return matrix.parameters() / matrix.copies * std::min<std::int64_t>(matrix.copies, mlp.active_experts);
}

}  // namespace

ParameterCount count_parameters(const Model& model) {
  ParameterCount count;
  const auto add = [&](const Matrix& matrix, const FeedForward& mlp, std::int64_t times) {
    const std::size_t part = static_cast<std::size_t>(matrix.part);
    const std::int64_t total = matrix.parameters() * times, active = active_parameters(matrix, mlp) * times;
    count.total += total;
    count.active += active;
    count.total_by_part[part] += total;
    count.active_by_part[part] += active;
  };
  std::vector<std::int64_t> times(model.kinds.size(), 0);
  for (const int kind : model.order) ++times[static_cast<std::size_t>(kind)];
  for (std::size_t i = 0; i < model.kinds.size(); ++i)
    for (const Matrix& matrix : model.kinds[i].matrices) add(matrix, model.kinds[i].feed_forward, times[i]);
  add(model.embedding, {}, 1);
  if (!model.tied_embeddings) add(model.lm_head, {}, 1);
  for (const Matrix& matrix : model.other) add(matrix, {}, 1);
  return count;
}

double kept_elements(const Attention& attention, double context) {
  if (!attention.stores_kv || context <= 0) return 0;
  const double entry = attention.kv_heads * (static_cast<double>(attention.qk_dim) + (attention.keys_are_values ? 0 : attention.v_dim));
  const double window = attention.window > 0 ? std::min<double>(context, attention.window) : context;
  switch (attention.kind) {
    case AttentionKind::full:
      // Pooled entries stand beside the whole ones of the window.
      if (attention.compress > 1) return entry * (window + context / attention.compress);
      return entry * window;
    case AttentionKind::sliding:
    case AttentionKind::chunked: return entry * window;
    case AttentionKind::mla: return window * (static_cast<double>(attention.latent_dim) + attention.rope_dim);
    case AttentionKind::none:
    case AttentionKind::linear:
    case AttentionKind::mamba: return 0;
  }
  return 0;
}

double index_elements(const Attention& attention, double context) {
  if (attention.topk == 0 || !attention.stores_index || context <= 0) return 0;
  return context / attention.compress * attention.index_dim;
}

double state_elements(const Attention& attention) {
  return static_cast<double>(attention.state_heads) * attention.state_rows * attention.state_columns +
         static_cast<double>(attention.conv_channels) * std::max(0, attention.conv_taps - 1);
}

Bytes kv_bytes_per_token(const Model& model, Bytes element) {
  double elements = 0;
  for (const int kind : model.order) {
    const Attention& attention = model.kinds[static_cast<std::size_t>(kind)].attention;
    elements += kept_elements(attention, 1);
  }
  return elements * element;
}

}  // namespace fareline
