// SPDX-License-Identifier: Apache-2.0
// Gemma 2 to 4: window and full layers, four norms a layer, embeddings that are also the LM head.
#include <fmt/format.h>

#include <algorithm>

#include "catalog/model_architecture.h"

namespace fareline {

namespace {

// Which layers attend within the window: layer_types where stated, otherwise all but every `period`th.
std::vector<bool> read_windows(const ModelFields& file, std::int64_t layers, std::int64_t period) {
  std::vector<bool> slides(static_cast<std::size_t>(layers));
  if (file.has("layer_types")) {
    const std::vector<std::string> types = file.texts("layer_types", layers);
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (types[i] != "sliding_attention" && types[i] != "full_attention")
        file.refuse(fmt::format("layer_types[{}]", i), "is not understood", "this reader knows sliding_attention and full_attention");
      slides[i] = types[i] == "sliding_attention";
    }
    return slides;
  }
  for (std::size_t i = 0; i < slides.size(); ++i) slides[i] = (static_cast<std::int64_t>(i) + 1) % period != 0;
  return slides;
}

}  // namespace

void build_gemma2(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, true);
  const std::int64_t heads = file.whole("num_attention_heads", most_heads), kv_heads = file.whole("num_key_value_heads", most_heads);
  require_multiple(file, "num_attention_heads", heads, "num_key_value_heads", kv_heads);
  const std::int64_t dim = file.whole_or("head_dim", 256, most_head_dimension), window = file.whole_or("sliding_window", 4096);
  const std::int64_t width = file.whole("intermediate_size");
  const bool bias = file.flag_if("attention_bias", false);
  if (!file.has("layer_types"))
    file.note("layer_types is not in the file: window and full attention in turn, window first (Gemma2Config, huggingface/transformers)");
  const std::vector<bool> slides = read_windows(file, layers, 2);
  for (const bool sliding : slides)
    append_layer(model, {sliding}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden, 4);
      add_grouped_query(draft, model.hidden,
                        {.kind = sliding ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .qk_dim = dim,
                         .v_dim = dim,
                         .window = sliding ? window : 0,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias});
      add_gated_mlp(draft, model.hidden, width);
      return draft;
    });
}

// The published files leave out what equals the defaults of Gemma3TextConfig.
void build_gemma3(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole("hidden_size");
  model.vocabulary = file.whole_or("vocab_size", 262208);
  model.max_context = file.whole_or("max_position_embeddings", 131072);
  model.tied = file.flag_or("tie_word_embeddings", true);
  model.other.push_back(norm_weight("final_norm", model.hidden));
  const std::int64_t layers = file.whole("num_hidden_layers", most_layers), width = file.whole("intermediate_size");
  const std::int64_t heads = file.whole_or("num_attention_heads", 8, most_heads),
                     kv_heads = file.whole_or("num_key_value_heads", 4, most_heads);
  require_multiple(file, "num_attention_heads", heads, "num_key_value_heads", kv_heads);
  const std::int64_t dim = file.whole_or("head_dim", 256, most_head_dimension), window = file.whole_or("sliding_window", 4096);
  const bool bias = file.flag_if("attention_bias", false);
  std::int64_t period = 1;
  if (!file.has("layer_types"))
    period = file.has("_sliding_window_pattern") ? file.whole("_sliding_window_pattern", most_layers)
                                                 : file.whole_or("sliding_window_pattern", 6, most_layers);
  for (const bool sliding : read_windows(file, layers, period))
    append_layer(model, {sliding}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden, 4);
      add_grouped_query(draft, model.hidden,
                        {.kind = sliding ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .qk_dim = dim,
                         .v_dim = dim,
                         .window = sliding ? window : 0,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias,
                         .norm = HeadNorm::per_head});
      add_gated_mlp(draft, model.hidden, width);
      return draft;
    });
}

// Source: huggingface/transformers@033b1a8, modular_gemma4.py: full layers have their own head width and, where
// attention_k_eq_v is set, their own KV heads and no V projection; the last num_kv_shared_layers read the KV of earlier layers;
// a mixture of experts beside the MLP; a vector a layer for every token of the vocabulary.
void build_gemma4(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, true);
  const std::int64_t heads = file.whole("num_attention_heads", most_heads), kv_heads = file.whole("num_key_value_heads", most_heads);
  const std::int64_t dim = file.whole("head_dim", most_head_dimension),
                     full_dim = file.whole_or("global_head_dim", 512, most_head_dimension);
  const std::int64_t window = file.whole("sliding_window"), width = file.whole("intermediate_size");
  const bool bias = file.flag_if("attention_bias", false), keys_are_values = file.flag_or("attention_k_eq_v", false);
  const std::int64_t full_kv_heads = keys_are_values ? file.whole_or("num_global_key_value_heads", kv_heads, most_heads) : kv_heads;
  require_multiple(file, "num_attention_heads", heads, "num_key_value_heads", kv_heads);
  require_multiple(file, "num_attention_heads", heads, "num_global_key_value_heads", full_kv_heads);
  const std::int64_t shared = file.whole_or("num_kv_shared_layers", 0, layers, 0);
  const bool wide = file.flag_if("use_double_wide_mlp", false);
  const std::int64_t per_layer = file.whole_if("hidden_size_per_layer_input", 0);
  ExpertMlp experts{.modules = {.router = "router.proj", .gate = "experts.0.gate_proj", .down = "experts.0.down_proj"}};
  if (file.flag_or("enable_moe_block", false)) {
    experts.experts = file.whole("num_experts", most_experts);
    experts.active = file.whole("top_k_experts", experts.experts);
    experts.width = file.whole("moe_intermediate_size");
  }
  if (!file.has("layer_types")) file.refuse("layer_types", "is missing", "write sliding_attention or full_attention for every layer");
  const std::vector<bool> slides = read_windows(file, layers, 1);
  if (file.failed()) return;
  if (keys_are_values)
    file.note(
        "attention_k_eq_v: full layers keep one vector as key and value, as the published KV bytes count it; an engine that caches the "
        "rotated key beside the value keeps two");
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool sliding = slides[static_cast<std::size_t>(i)], reads = i >= layers - shared;
    append_layer(model, {sliding, reads}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden, 4);
      const std::int64_t head = sliding ? dim : full_dim;
      add_grouped_query(draft, model.hidden,
                        {.kind = sliding ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads,
                         .kv_heads = sliding ? kv_heads : full_kv_heads,
                         .qk_dim = head,
                         .v_dim = head,
                         .window = sliding ? window : 0,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias,
                         .norm = HeadNorm::per_head,
                         .stores_kv = !reads,
                         .keys_are_values = keys_are_values && !sliding});
      add_gated_mlp(draft, model.hidden, wide && reads ? 2 * width : width);
      if (experts.experts) {
        add_expert_mlp(draft, model.hidden, experts);
        add_vector(draft, "router", Part::router, model.hidden + experts.experts);  // scales of its input and of its experts
        for (const std::string_view op : {"post_mlp_norm_1", "post_mlp_norm_2", "pre_mlp_norm_2"})
          draft.weights.push_back(norm_weight(op, model.hidden));
        draft.layer.norms += 3;
      }
      if (per_layer) {
        add_whole(draft, "per_layer_gate", "per_layer_input_gate", Part::other, model.hidden, per_layer);
        add_whole(draft, "per_layer_projection", "per_layer_projection", Part::other, per_layer, model.hidden);
        draft.weights.push_back(norm_weight("per_layer_norm", model.hidden));
        draft.layer.norms += 1;
      }
      return draft;
    });
  }
  if (per_layer) {
    const std::int64_t rows = file.whole_or("vocab_size_per_layer_input", model.vocabulary);
    Weight table{.matrix = {.op = "per_layer_embedding",
                            .part = Part::embedding,
                            .inputs = rows,
                            .outputs = layers * per_layer,
                            .split = Split::rows,
                            .shards_most = rows,
                            .use = Use::lookup},
                 .module = "embed_tokens_per_layer",
                 .linear = false};
    LayerDraft projection;
    add_whole(projection, "per_layer_model_projection", "per_layer_model_projection", Part::other, model.hidden, layers * per_layer);
    model.other.push_back(table);
    model.other.push_back(projection.weights.front());
    model.other.push_back(norm_weight("per_layer_projection_norm", per_layer));
  }
}

}  // namespace fareline
