// SPDX-License-Identifier: Apache-2.0
#include "catalog/model_architecture.h"

#include <fmt/format.h>

namespace fareline {

namespace {

Weight weight(std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs, Split split,
              std::int64_t pieces) {
  return {.matrix = {.op = std::string(op), .part = part, .inputs = inputs, .outputs = outputs, .split = split, .shards_most = pieces},
          .module = module};
}

}  // namespace

void add_columns(LayerDraft& layer, std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs,
                 std::int64_t pieces) {
  layer.weights.push_back(weight(op, module, part, inputs, outputs, Split::columns, pieces));
}

void add_rows(LayerDraft& layer, std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs,
              std::int64_t pieces) {
  layer.weights.push_back(weight(op, module, part, inputs, outputs, Split::rows, pieces));
}

void add_whole(LayerDraft& layer, std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs) {
  layer.weights.push_back(weight(op, module, part, inputs, outputs, Split::replicated, 1));
}

void add_experts(LayerDraft& layer, std::string_view op, std::string_view module, std::int64_t inputs, std::int64_t outputs,
                 std::int64_t experts, std::int64_t pieces) {
  Weight added = weight(op, module, Part::experts, inputs, outputs, Split::experts, pieces);
  added.matrix.copies = experts;
  layer.weights.push_back(std::move(added));
}

void add_vector(LayerDraft& layer, std::string_view op, Part part, std::int64_t size, std::int64_t pieces, Split split) {
  Weight added = weight(op, "", part, 1, size, pieces > 1 ? split : Split::replicated, pieces);
  added.matrix.use = Use::elementwise;
  added.linear = false;
  layer.weights.push_back(std::move(added));
}

Weight norm_weight(std::string_view op, std::int64_t size) {
  Weight added = weight(op, "", Part::norms, 1, size, Split::replicated, 1);
  added.matrix.use = Use::elementwise;
  added.linear = false;
  return added;
}

void add_grouped_query(LayerDraft& layer, std::int64_t hidden, const GroupedQuery& shape) {
  const std::int64_t query = shape.heads * shape.qk_dim, key = shape.kv_heads * shape.qk_dim;
  const std::int64_t value = shape.kv_heads * shape.v_dim, read = shape.heads * shape.v_dim;
  const std::int64_t gate = shape.output_gate ? read : 0;
  add_columns(layer, "qkv", shape.modules.q, Part::attention, hidden, query + gate, shape.heads);
  if (shape.query_bias) add_vector(layer, "qkv", Part::attention, query + gate, shape.heads);
  if (shape.stores_kv) {
    add_columns(layer, "qkv", shape.modules.k, Part::attention, hidden, key, shape.kv_heads);
    if (!shape.keys_are_values) add_columns(layer, "qkv", shape.modules.v, Part::attention, hidden, value, shape.kv_heads);
    if (shape.kv_bias) add_vector(layer, "qkv", Part::attention, shape.keys_are_values ? key : key + value, shape.kv_heads);
  }
  if (shape.norm == HeadNorm::per_head) {
    layer.weights.push_back(norm_weight("q_norm", shape.qk_dim));
    if (shape.stores_kv) layer.weights.push_back(norm_weight("k_norm", shape.qk_dim));
  } else if (shape.norm == HeadNorm::whole) {
    layer.weights.push_back(norm_weight("q_norm", query));
    if (shape.stores_kv) layer.weights.push_back(norm_weight("k_norm", key));
  }
  if (shape.sinks) add_vector(layer, "attention", Part::attention, shape.heads, shape.heads);
  add_rows(layer, "o", shape.modules.o, Part::attention, read, hidden, shape.heads);
  if (shape.output_bias) add_vector(layer, "o", Part::attention, hidden);

  Attention& attention = layer.layer.attention;
  attention.kind = shape.kind;
  attention.heads = static_cast<int>(shape.heads);
  attention.kv_heads = static_cast<int>(shape.kv_heads);
  attention.qk_dim = static_cast<int>(shape.qk_dim);
  attention.v_dim = static_cast<int>(shape.v_dim);
  attention.window = static_cast<int>(shape.window);
  attention.stores_kv = shape.stores_kv;
  attention.keys_are_values = shape.keys_are_values;
}

void require_multiple(const ModelFields& file, std::string_view name, std::int64_t whole, std::string_view other, std::int64_t part) {
  if (part > 0 && whole % part == 0) return;
  file.refuse(name, fmt::format("{} is not a multiple of {}, {}", whole, other, part), "take both from one model's file");
}

Heads read_heads(const ModelFields& file, std::int64_t hidden) {
  Heads heads;
  heads.heads = file.whole("num_attention_heads", most_heads);
  heads.kv_heads = file.whole_or("num_key_value_heads", heads.heads, most_heads);
  require_multiple(file, "num_attention_heads", heads.heads, "num_key_value_heads", heads.kv_heads);
  if (file.has("head_dim")) {
    heads.dim = file.whole("head_dim", most_head_dimension);
  } else {
    require_multiple(file, "hidden_size", hidden, "num_attention_heads", heads.heads);
    heads.dim = std::max<std::int64_t>(1, hidden / std::max<std::int64_t>(1, heads.heads));
    file.note_default("head_dim", fmt::format("hidden_size / num_attention_heads = {}", heads.dim));
    if (heads.dim > most_head_dimension) file.refuse("hidden_size", "makes heads too wide", "state head_dim");
  }
  return heads;
}

void add_gated_mlp(LayerDraft& layer, std::int64_t hidden, std::int64_t width, bool bias, const MlpModules& modules) {
  add_columns(layer, "gate_up", modules.gate, Part::dense_mlp, hidden, 2 * width, width);
  if (bias) add_vector(layer, "gate_up", Part::dense_mlp, 2 * width, width);
  add_rows(layer, "down", modules.down, Part::dense_mlp, width, hidden, width);
  if (bias) add_vector(layer, "down", Part::dense_mlp, hidden);
  layer.layer.feed_forward = {.intermediate = static_cast<int>(width), .matrices = 3};
}

void add_plain_mlp(LayerDraft& layer, std::int64_t hidden, std::int64_t width, bool bias, const MlpModules& modules) {
  add_columns(layer, "up", modules.up, Part::dense_mlp, hidden, width, width);
  if (bias) add_vector(layer, "up", Part::dense_mlp, width, width);
  add_rows(layer, "down", modules.down, Part::dense_mlp, width, hidden, width);
  if (bias) add_vector(layer, "down", Part::dense_mlp, hidden);
  layer.layer.feed_forward = {.intermediate = static_cast<int>(width), .matrices = 2};
}

void add_expert_mlp(LayerDraft& layer, std::int64_t hidden, const ExpertMlp& shape) {
  const ExpertModules& names = shape.modules;
  const std::int64_t inside = shape.latent ? shape.latent : hidden, first = shape.gated ? 2 : 1;
  add_whole(layer, "router", names.router, Part::router, hidden, shape.experts);
  layer.weights.back().linear = false;  // engines keep the router in 16 or 32 bits unless a list names it
  if (shape.router_bias) add_vector(layer, "router", Part::router, shape.experts);
  if (shape.latent) add_whole(layer, "latent_down", names.latent_down, Part::experts, hidden, shape.latent);
  add_experts(layer, shape.gated ? "expert_gate_up" : "expert_up", names.gate, inside, first * shape.width, shape.experts, shape.width);
  add_experts(layer, "expert_down", names.down, shape.width, inside, shape.experts, shape.width);
  if (shape.expert_bias)
    for (const auto& [op, size] : {std::pair{"expert_gate_up", first * shape.width}, std::pair{"expert_down", inside}}) {
      add_experts(layer, op, "", 1, size, shape.experts, 1);
      layer.weights.back().matrix.use = Use::elementwise;
      layer.weights.back().linear = false;
    }
  if (shape.latent && shape.latent_norm) layer.weights.push_back(norm_weight("latent_norm", shape.latent));
  if (shape.latent) add_whole(layer, "latent_up", names.latent_up, Part::experts, shape.latent, hidden);
  if (shape.shared) {
    add_columns(layer, shape.gated ? "shared_gate_up" : "shared_up", names.shared_gate, Part::shared_experts, hidden,
                first * shape.shared_width, shape.shared_width);
    add_rows(layer, "shared_down", names.shared_down, Part::shared_experts, shape.shared_width, hidden, shape.shared_width);
    if (shape.shared_gate) {
      add_whole(layer, "shared_expert_gate", "mlp.shared_expert_gate", Part::shared_experts, hidden, 1);
      layer.weights.back().linear = false;
    }
  }
  layer.layer.feed_forward = {.experts = static_cast<int>(shape.experts),
                              .active_experts = static_cast<int>(shape.active),
                              .shared_experts = static_cast<int>(shape.shared),
                              .intermediate = static_cast<int>(shape.width),
                              .matrices = shape.gated ? 3 : 2,
                              .expert_hidden = static_cast<int>(shape.latent)};
}

void read_frame_without_layers(const ModelFields& file, Architecture& model, bool tied_otherwise) {
  model.hidden = file.whole("hidden_size");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole_if("max_position_embeddings", 0, most_dimension, 1);
  model.tied = file.flag_or("tie_word_embeddings", tied_otherwise);
  model.other.push_back(norm_weight("final_norm", model.hidden));
}

std::int64_t read_frame(const ModelFields& file, Architecture& model, bool tied_otherwise) {
  read_frame_without_layers(file, model, tied_otherwise);
  return file.whole("num_hidden_layers", most_layers);
}

void add_layer_norms(LayerDraft& layer, std::int64_t hidden, int norms, bool bias) {
  constexpr std::string_view names[] = {"input_norm", "post_attention_norm", "pre_mlp_norm", "post_mlp_norm"};
  for (int i = 0; i < norms; ++i) layer.weights.push_back(norm_weight(names[i], bias ? 2 * hidden : hidden));
  layer.layer.norms = norms;
}

LayerDraft mtp_module(LayerDraft block, std::int64_t hidden) {
  block.weights.push_back(norm_weight("mtp_embedding_norm", hidden));
  block.weights.push_back(norm_weight("mtp_hidden_norm", hidden));
  block.weights.push_back(norm_weight("mtp_head_norm", hidden));
  add_whole(block, "mtp_join", "eh_proj", Part::other, 2 * hidden, hidden);
  block.weights.back().linear = false;
  block.layer.norms += 3;
  return block;
}

}  // namespace fareline
