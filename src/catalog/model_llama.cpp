// SPDX-License-Identifier: Apache-2.0
// Dense decoders in Llama's shape: grouped-query attention, SwiGLU, RMS norms.
#include <fmt/format.h>

#include <algorithm>

#include "catalog/model_architecture.h"

namespace fareline {

namespace {

struct DenseOptions {
  bool query_bias = false, kv_bias = false, output_bias = false, mlp_bias = false;
  HeadNorm norm = HeadNorm::none;
  std::int64_t window = 0;  // of every layer from `window_from` on; 0: none
  std::int64_t window_from = 0;
  std::vector<std::string> layer_types = {};  // as the file states them; empty: by `window_from`
};

// Whether layer `index` attends within the window.
bool slides(const DenseOptions& options, std::int64_t index) {
  if (options.window == 0) return false;
  if (!options.layer_types.empty()) return options.layer_types[static_cast<std::size_t>(index)] == "sliding_attention";
  return index >= options.window_from;
}

void build_dense(const ModelFields& file, Architecture& model, std::int64_t layers, const DenseOptions& options) {
  const Heads heads = read_heads(file, model.hidden);
  const std::int64_t width = file.whole("intermediate_size");
  const auto layer = [&](bool sliding) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    add_grouped_query(draft, model.hidden,
                      {.kind = sliding ? AttentionKind::sliding : AttentionKind::full,
                       .heads = heads.heads,
                       .kv_heads = heads.kv_heads,
                       .qk_dim = heads.dim,
                       .v_dim = heads.dim,
                       .window = sliding ? options.window : 0,
                       .query_bias = options.query_bias,
                       .kv_bias = options.kv_bias,
                       .output_bias = options.output_bias,
                       .norm = options.norm});
    add_gated_mlp(draft, model.hidden, width, options.mlp_bias);
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool sliding = slides(options, i);
    append_layer(model, {sliding}, [&] { return layer(sliding); });
  }
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(false), model.hidden));
}

// Qwen2 and Qwen3: a window only where use_sliding_window says so, from layer max_window_layers on, or as layer_types lists.
void read_optional_window(const ModelFields& file, std::int64_t layers, DenseOptions& options) {
  if (!file.flag_if("use_sliding_window", false)) return;
  options.window = file.whole("sliding_window");
  if (file.has("layer_types")) options.layer_types = file.texts("layer_types", layers);
  else options.window_from = file.whole("max_window_layers", most_layers, 0);
}

}  // namespace

void build_llama(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const bool bias = file.flag_if("attention_bias", false);
  build_dense(file, model, layers, {.query_bias = bias, .kv_bias = bias, .output_bias = bias, .mlp_bias = file.flag_if("mlp_bias", false)});
}

void build_mistral(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  DenseOptions options;
  // null says that there is no window; a file that says nothing has MistralConfig's.
  options.window = file.states("sliding_window") ? file.whole_if("sliding_window", 0) : file.whole_or("sliding_window", 4096);
  build_dense(file, model, layers, options);
}

void build_qwen2(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  DenseOptions options{.query_bias = true, .kv_bias = true};
  file.note(
      "q_proj, k_proj and v_proj carry biases, which the file does not say: Qwen2Attention (huggingface/transformers, modeling_qwen2.py)");
  read_optional_window(file, layers, options);
  build_dense(file, model, layers, options);
}

void build_qwen3(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const bool bias = file.flag_if("attention_bias", false);
  DenseOptions options{.query_bias = bias, .kv_bias = bias, .output_bias = bias, .norm = HeadNorm::per_head};
  read_optional_window(file, layers, options);
  build_dense(file, model, layers, options);
}

void build_phi3(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  DenseOptions options;
  options.window = file.whole_if("sliding_window", 0);
  build_dense(file, model, layers, options);
}

void build_mimo(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const bool bias = file.flag_or("attention_bias", true);
  DenseOptions options{.query_bias = bias, .kv_bias = bias};
  read_optional_window(file, layers, options);
  build_dense(file, model, layers, options);
}

// Llama-Nemotron: every block states its own key-value grouping and width, or leaves a half out.
// Source: huggingface.co/nvidia/Llama-3_3-Nemotron-Super-49B-v1, modeling_decilm.py and block_config.py.
void build_nemotron_nas(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const std::int64_t heads = file.whole("num_attention_heads", most_heads);
  require_multiple(file, "hidden_size", model.hidden, "num_attention_heads", heads);
  const std::int64_t dim = std::max<std::int64_t>(1, model.hidden / heads);
  if (dim > most_head_dimension) file.refuse("hidden_size", "makes heads too wide", "take both from one model's file");
  const std::vector<ModelFields> blocks = file.objects("block_configs", layers);
  for (const ModelFields& block : blocks) {
    const std::optional<ModelFields> attention = block.object("attention"), mlp = block.object("ffn");
    if (!attention) block.refuse("attention", "is missing", "write {\"no_op\": true} for a block without attention");
    if (!mlp) block.refuse("ffn", "is missing", "write {\"no_op\": true} for a block without a feed-forward half");
    if (file.failed()) return;
    for (const auto& [half, name] : {std::pair{&*attention, "replace_with_linear"}, std::pair{&*mlp, "replace_with_linear"}})
      if (half->flag_if(name, false)) half->refuse(name, "is not understood", "this reader knows blocks that keep or leave out each half");
    if (attention->has("sparsify") || mlp->has("sparsify")) block.refuse("sparsify", "is not understood", "give the dense model's file");
    const bool attends = !attention->flag_if("no_op", false), feeds = !mlp->flag_if("no_op", false);
    const std::int64_t group = attends ? attention->whole("n_heads_in_group", most_heads) : 1;
    const std::int64_t window = attends ? attention->whole_if("window_length", 0) : 0;
    if (attends) require_multiple(file, "num_attention_heads", heads, attention->where("n_heads_in_group"), group);
    std::int64_t width = 0;
    if (feeds) {
      // The width is two thirds of ffn_mult times the hidden width, rounded up to a multiple of 256.
      // Source: modeling_decilm.py, _ffn_mult_to_intermediate_size.
      const double multiple = mlp->number("ffn_mult", 1e-3, 1000);
      const std::int64_t raw = static_cast<std::int64_t>(2 * multiple * static_cast<double>(model.hidden) / 3);
      width = (raw + 255) / 256 * 256;
      if (width < 1 || width > most_dimension) mlp->refuse("ffn_mult", "makes the block too wide", "take it from one model's file");
    }
    if (file.failed()) return;
    append_layer(model, {attends, group, window, feeds, width}, [&] {
      LayerDraft draft;
      const int norms = attends + feeds;
      add_layer_norms(draft, model.hidden, norms);
      if (attends)
        add_grouped_query(draft, model.hidden,
                          {.kind = window ? AttentionKind::sliding : AttentionKind::full,
                           .heads = heads,
                           .kv_heads = heads / group,
                           .qk_dim = dim,
                           .v_dim = dim,
                           .window = window});
      if (feeds) add_gated_mlp(draft, model.hidden, width);
      return draft;
    });
  }
}

}  // namespace fareline
