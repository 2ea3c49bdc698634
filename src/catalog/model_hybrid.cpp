// SPDX-License-Identifier: Apache-2.0
// Decoders most of whose layers keep a state of fixed size: gated delta net, lightning attention, Mamba.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "catalog/model_architecture.h"

namespace fareline {

namespace {

// Gated delta net. Source: huggingface/transformers, modeling_qwen3_next.py, Qwen3NextGatedDeltaNet.
struct DeltaNet {
  std::int64_t key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0, taps = 0;
  bool fused = false;  // one projection for q, k, v and z (Qwen3-Next); Qwen3.5 has four
};

void add_delta_net(LayerDraft& layer, std::int64_t hidden, const DeltaNet& shape) {
  const std::int64_t key = shape.key_heads * shape.key_dim, value = shape.value_heads * shape.value_dim, channels = 2 * key + value;
  const std::string_view qkv = shape.fused ? "linear_attn.in_proj_qkvz" : "linear_attn.in_proj_qkv";
  const std::string_view z = shape.fused ? "linear_attn.in_proj_qkvz" : "linear_attn.in_proj_z";
  const std::string_view gates = shape.fused ? "linear_attn.in_proj_ba" : "linear_attn.in_proj_a";
  add_columns(layer, "in_proj", qkv, Part::attention, hidden, channels, shape.key_heads);
  add_columns(layer, "in_proj", z, Part::attention, hidden, value, shape.value_heads);
  add_columns(layer, "in_proj_ba", gates, Part::attention, hidden, 2 * shape.value_heads, shape.value_heads);
  add_vector(layer, "conv", Part::attention, channels * shape.taps, shape.key_heads);
  add_vector(layer, "attention", Part::attention, 2 * shape.value_heads, shape.value_heads);  // A_log and dt_bias
  layer.weights.push_back(norm_weight("o_norm", shape.value_dim));
  add_rows(layer, "out_proj", "linear_attn.out_proj", Part::attention, value, hidden, shape.value_heads);
  Attention& attention = layer.layer.attention;
  attention.kind = AttentionKind::linear;
  attention.heads = attention.state_heads = static_cast<int>(shape.value_heads);
  attention.kv_heads = static_cast<int>(shape.key_heads);
  attention.qk_dim = attention.state_rows = static_cast<int>(shape.key_dim);
  attention.v_dim = attention.state_columns = static_cast<int>(shape.value_dim);
  attention.conv_channels = static_cast<int>(std::min(channels, most_dimension));
  attention.conv_taps = static_cast<int>(shape.taps);
}

// Mamba-2. Source: state-spaces/mamba, mamba_ssm/modules/mamba2.py; huggingface/transformers, modeling_mamba2.py.
struct Mamba2 {
  std::int64_t heads = 0, head_dim = 0, groups = 0, state = 0, taps = 0;
  bool projection_bias = false, conv_bias = false;
};

void add_mamba2(LayerDraft& layer, std::int64_t hidden, const Mamba2& shape) {
  const std::int64_t inner = shape.heads * shape.head_dim, channels = inner + 2 * shape.groups * shape.state;
  add_columns(layer, "in_proj", "mixer.in_proj", Part::attention, hidden, inner + channels + shape.heads, shape.heads);
  if (shape.projection_bias) add_vector(layer, "in_proj", Part::attention, inner + channels + shape.heads, shape.heads);
  add_vector(layer, "conv", Part::attention, channels * (shape.taps + shape.conv_bias), shape.heads);
  add_vector(layer, "attention", Part::attention, 3 * shape.heads, shape.heads);  // A_log, D and dt_bias
  layer.weights.push_back(norm_weight("o_norm", inner));
  add_rows(layer, "out_proj", "mixer.out_proj", Part::attention, inner, hidden, shape.heads);
  if (shape.projection_bias) add_vector(layer, "out_proj", Part::attention, hidden);
  Attention& attention = layer.layer.attention;
  attention.kind = AttentionKind::mamba;
  attention.heads = attention.state_heads = static_cast<int>(shape.heads);
  attention.kv_heads = static_cast<int>(shape.groups);
  attention.state_rows = static_cast<int>(shape.head_dim);
  attention.state_columns = static_cast<int>(shape.state);
  attention.conv_channels = static_cast<int>(std::min(channels, most_dimension));
  attention.conv_taps = static_cast<int>(shape.taps);
}

}  // namespace

// Qwen3-Next and Qwen3.5.
void build_qwen3_next(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const bool bias = file.flag_if("attention_bias", false), gate = file.flag_or("attn_output_gate", true);
  const DeltaNet delta{.key_heads = file.whole("linear_num_key_heads", most_heads),
                       .value_heads = file.whole("linear_num_value_heads", most_heads),
                       .key_dim = file.whole("linear_key_head_dim", most_head_dimension),
                       .value_dim = file.whole("linear_value_head_dim", most_head_dimension),
                       .taps = file.whole("linear_conv_kernel_dim", 1024),
                       .fused = file.text_or("model_type", "") == "qwen3_next"};
  require_multiple(file, "linear_num_value_heads", delta.value_heads, "linear_num_key_heads", delta.key_heads);
  std::vector<std::string> types;
  if (file.has("layer_types")) types = file.texts("layer_types", layers);
  const std::int64_t interval = types.empty() ? file.whole_or("full_attention_interval", 4, most_layers) : 1;
  ExpertMlp experts{.experts = file.whole_if("num_experts", 0, most_experts),
                    .shared_gate = true,
                    .modules = {.shared_gate = "mlp.shared_expert.gate_proj", .shared_down = "mlp.shared_expert.down_proj"}};
  std::int64_t step = 1;
  std::set<std::int64_t> dense_layers;
  if (experts.experts) {
    experts.active = file.whole("num_experts_per_tok", experts.experts);
    experts.width = file.whole("moe_intermediate_size");
    experts.shared_width = file.whole("shared_expert_intermediate_size", most_dimension, 0);
    experts.shared = experts.shared_width ? 1 : 0;
    step = file.whole_or("decoder_sparse_step", 1, most_layers);
    const std::vector<std::int64_t> list = file.whole_list("mlp_only_layers", most_layers, most_layers);
    dense_layers.insert(list.begin(), list.end());
  }
  const auto layer = [&](bool full, bool sparse) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    if (full)
      add_grouped_query(draft, model.hidden,
                        {.heads = heads.heads,
                         .kv_heads = heads.kv_heads,
                         .qk_dim = heads.dim,
                         .v_dim = heads.dim,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias,
                         .norm = HeadNorm::per_head,
                         .output_gate = gate});
    else add_delta_net(draft, model.hidden, delta);
    if (sparse) add_expert_mlp(draft, model.hidden, experts);
    else add_gated_mlp(draft, model.hidden, file.whole("intermediate_size"));
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string& type = types.empty() ? std::string() : types[static_cast<std::size_t>(i)];
    if (!type.empty() && type != "linear_attention" && type != "full_attention") {
      file.refuse(fmt::format("layer_types[{}]", i), fmt::format("\"{}\" is not understood", type.substr(0, 40)),
                  "this reader knows linear_attention and full_attention");
      return;
    }
    const bool full = type.empty() ? (i + 1) % interval == 0 : type == "full_attention";
    const bool sparse = experts.experts && !dense_layers.contains(i) && (i + 1) % step == 0;
    append_layer(model, {full, sparse}, [&] { return layer(full, sparse); });
  }
  const std::int64_t predictors = file.whole_if("mtp_num_hidden_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(true, experts.experts > 0), model.hidden));
}

// Source: MiniMaxAI/MiniMax-M1-80k, modeling_minimax_m1.py (MiniMaxM1LightningAttention: qkv_proj, output_gate, norm, out_proj);
// MiniMax-01 report, section 2.2.
void build_minimax_m1(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const std::vector<std::int64_t> types = file.wholes("attn_type_list", layers, 1);
  const std::int64_t window = file.whole_if("sliding_window", 0);
  ExpertMlp experts{
      .experts = file.whole("num_local_experts", most_experts),
      .width = file.whole("intermediate_size"),
      .modules = {.router = "block_sparse_moe.gate", .gate = "block_sparse_moe.experts.0.w1", .down = "block_sparse_moe.experts.0.w2"}};
  experts.active = file.whole("num_experts_per_tok", experts.experts);
  experts.shared_width = file.whole_if("shared_intermediate_size", 0);
  experts.shared = experts.shared_width ? 1 : 0;
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool full = types[static_cast<std::size_t>(i)] == 1;
    append_layer(model, {full}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      if (full) {
        add_grouped_query(draft, model.hidden,
                          {.kind = window ? AttentionKind::sliding : AttentionKind::full,
                           .heads = heads.heads,
                           .kv_heads = heads.kv_heads,
                           .qk_dim = heads.dim,
                           .v_dim = heads.dim,
                           .window = window});
      } else {
        const std::int64_t width = heads.heads * heads.dim;
        add_columns(draft, "qkv", "self_attn.qkv_proj", Part::attention, model.hidden, 3 * width, heads.heads);
        add_columns(draft, "attention_gate", "self_attn.output_gate", Part::attention, model.hidden, width, heads.heads);
        draft.weights.push_back(norm_weight("o_norm", width));
        add_rows(draft, "o", "self_attn.out_proj", Part::attention, width, model.hidden, heads.heads);
        Attention& attention = draft.layer.attention;
        attention.kind = AttentionKind::linear;
        attention.heads = attention.kv_heads = attention.state_heads = static_cast<int>(heads.heads);
        attention.qk_dim = attention.v_dim = attention.state_rows = attention.state_columns = static_cast<int>(heads.dim);
      }
      add_expert_mlp(draft, model.hidden, experts);
      return draft;
    });
  }
}

// One mixer a layer: Mamba-2 (M), attention (*), MLP (-) or experts (E).
// Source: nvidia/Nemotron-H-56B-Base-8K, modeling_nemotron_h.py; NVIDIA/TensorRT-LLM, modeling_nemotron_h.py (moe_latent_size:
// fc1_latent_proj and fc2_latent_proj around experts without gates).
void build_nemotron_h(const ModelFields& file, Architecture& model) {
  read_frame_without_layers(file, model, false);
  model.embedding_module = "embeddings";
  const auto read_pattern = [&](std::string_view list, std::string_view text) {
    std::string pattern;
    if (file.has(list)) {
      for (const std::string& block : file.text_list(list, most_layers)) {
        const char letter = block == "mamba" ? 'M' : block == "attention" ? '*' : block == "mlp" ? '-' : block == "moe" ? 'E' : '?';
        if (letter == '?')
          file.refuse(list, fmt::format("\"{}\" is not understood", block.substr(0, 40)), "known: mamba, attention, mlp, moe");
        pattern += letter;
      }
    } else if (file.has(text)) {
      pattern = file.text(text);
      if (pattern.size() > static_cast<std::size_t>(most_layers) || pattern.find_first_not_of("M*-E") != std::string::npos) {
        file.refuse(text, "holds more than the letters M, *, - and E", "write one letter a layer");
        pattern.clear();
      }
    }
    return pattern;
  };
  const std::string pattern = read_pattern("layers_block_type", "hybrid_override_pattern");
  if (pattern.empty()) file.refuse("hybrid_override_pattern", "is missing", "write one letter a layer, or layers_block_type");
  if (file.has("num_hidden_layers") && file.whole("num_hidden_layers", most_layers) != static_cast<std::int64_t>(pattern.size()))
    file.refuse("num_hidden_layers", fmt::format("is not {}, the length of the pattern", pattern.size()),
                "take both from one model's file");
  if (file.failed()) return;
  const std::string predicted = read_pattern("mtp_layers_block_type", "mtp_hybrid_override_pattern");
  const auto used = [&](char letter) { return pattern.find(letter) != std::string::npos || predicted.find(letter) != std::string::npos; };

  GroupedQuery attention{.modules = {.q = "mixer.q_proj", .k = "mixer.k_proj", .v = "mixer.v_proj", .o = "mixer.o_proj"}};
  if (used('*')) {
    attention.heads = file.whole("num_attention_heads", most_heads);
    attention.kv_heads = file.whole_or("num_key_value_heads", attention.heads, most_heads);
    require_multiple(file, "num_attention_heads", attention.heads, "num_key_value_heads", attention.kv_heads);
    attention.qk_dim = attention.v_dim = file.whole_of("head_dim", "attention_head_dim", most_head_dimension);
    attention.window = file.whole_if("sliding_window", 0);
    if (attention.window) attention.kind = AttentionKind::sliding;
    attention.query_bias = attention.kv_bias = attention.output_bias = file.flag_if("attention_bias", false);
  }
  Mamba2 mamba;
  if (used('M'))
    mamba = {.heads = file.whole("mamba_num_heads", most_heads),
             .head_dim = file.whole("mamba_head_dim", most_head_dimension),
             .groups = file.whole("n_groups", most_heads),
             .state = file.whole("ssm_state_size", most_head_dimension),
             .taps = file.whole("conv_kernel", 1024),
             .projection_bias = file.flag_if("use_bias", false) || file.flag_if("mamba_proj_bias", false),
             .conv_bias = file.flag_or("use_conv_bias", true)};
  ExpertMlp experts{.gated = false,
                    .router_bias = true,
                    .modules = {.router = "mixer.gate",
                                .gate = "mixer.experts.0.up_proj",
                                .down = "mixer.experts.0.down_proj",
                                .shared_gate = "mixer.shared_experts.up_proj",
                                .shared_down = "mixer.shared_experts.down_proj",
                                .latent_down = "mixer.fc1_latent_proj",
                                .latent_up = "mixer.fc2_latent_proj"}};
  if (used('E')) {
    experts.experts = file.whole("n_routed_experts", most_experts);
    experts.active = file.whole("num_experts_per_tok", experts.experts);
    experts.width = file.whole("moe_intermediate_size");
    experts.latent = file.whole_if("moe_latent_size", 0);
    experts.shared = file.whole_if("n_shared_experts", 0, 64);
    // The width of all shared experts together.
    experts.shared_width = experts.shared ? file.whole("moe_shared_expert_intermediate_size") : 0;
  }
  const bool mlp_bias = file.flag_if("mlp_bias", false);
  const auto add_block = [&](LayerDraft& draft, char letter) {
    draft.weights.push_back(norm_weight("input_norm", model.hidden));
    if (letter == 'M') add_mamba2(draft, model.hidden, mamba);
    if (letter == '*') add_grouped_query(draft, model.hidden, attention);
    if (letter == 'E') add_expert_mlp(draft, model.hidden, experts);
    if (letter == '-')
      add_plain_mlp(draft, model.hidden, file.whole("intermediate_size"), mlp_bias,
                    {.gate = "", .up = "mixer.up_proj", .down = "mixer.down_proj"});
  };
  for (const char letter : pattern)
    append_layer(model, {letter}, [&] {
      LayerDraft draft;
      draft.layer.norms = 1;
      add_block(draft, letter);
      return draft;
    });
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  if (predictors && predicted != "*E" && predicted != "*-" && !predicted.empty())
    file.refuse("mtp_hybrid_override_pattern", fmt::format("\"{}\" is not understood", predicted.substr(0, 40)),
                "known: \"*E\" and \"*-\"");
  for (std::int64_t i = 0; i < predictors && !predicted.empty(); ++i) {
    LayerDraft draft;
    for (const char letter : predicted) add_block(draft, letter);
    model.mtp.push_back(mtp_module(std::move(draft), model.hidden));
  }
}

// Source: huggingface/transformers, modeling_jamba.py (JambaMambaMixer: in_proj, conv1d, x_proj, dt_proj, A_log, D, the norms of
// dt, B and C, out_proj) and configuration_jamba.py (layers_block_type, layers_num_experts).
void build_jamba(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, true);
  const Heads heads = read_heads(file, model.hidden);
  const std::int64_t attention_period = file.whole("attn_layer_period", most_layers),
                     attention_offset = file.whole("attn_layer_offset", most_layers, 0);
  const std::int64_t expert_period = file.whole("expert_layer_period", most_layers),
                     expert_offset = file.whole("expert_layer_offset", most_layers, 0);
  const std::int64_t expand = file.whole("mamba_expand", 64), state = file.whole("mamba_d_state", most_head_dimension);
  const std::int64_t taps = file.whole("mamba_d_conv", 1024), width = file.whole("intermediate_size");
  std::int64_t rank = (model.hidden + 15) / 16;
  if (file.is_text("mamba_dt_rank") && file.text("mamba_dt_rank") == "auto")
    file.note(fmt::format("mamba_dt_rank is \"auto\": hidden_size / 16 = {} (JambaConfig, huggingface/transformers)", rank));
  else rank = file.whole("mamba_dt_rank");
  const bool conv_bias = file.flag_or("mamba_conv_bias", true), projection_bias = file.flag_or("mamba_proj_bias", false);
  const std::int64_t inner = expand * model.hidden;
  if (inner > most_dimension) file.refuse("mamba_expand", "makes the state too wide", "take it from one model's file");
  ExpertMlp experts{
      .experts = file.whole("num_experts", most_experts),
      .width = width,
      .modules = {.router = "feed_forward.router", .gate = "feed_forward.experts.0.gate_proj", .down = "feed_forward.experts.0.down_proj"}};
  experts.active = file.whole("num_experts_per_tok", experts.experts);
  if (file.failed()) return;
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool full = i % attention_period == attention_offset, sparse = experts.experts > 1 && i % expert_period == expert_offset;
    append_layer(model, {full, sparse}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      if (full) {
        add_grouped_query(draft, model.hidden, {.heads = heads.heads, .kv_heads = heads.kv_heads, .qk_dim = heads.dim, .v_dim = heads.dim});
      } else {
        add_columns(draft, "in_proj", "mamba.in_proj", Part::attention, model.hidden, 2 * inner, inner);
        if (projection_bias) add_vector(draft, "in_proj", Part::attention, 2 * inner, inner);
        add_vector(draft, "conv", Part::attention, inner * (taps + conv_bias), inner);
        add_rows(draft, "x_proj", "mamba.x_proj", Part::attention, inner, rank + 2 * state, inner);
        draft.weights.push_back(norm_weight("x_norm", rank + 2 * state));
        add_columns(draft, "dt_proj", "mamba.dt_proj", Part::attention, rank, inner, inner);
        add_vector(draft, "dt_proj", Part::attention, inner, inner);
        add_vector(draft, "attention", Part::attention, inner * (state + 1), inner);  // A_log and D
        add_rows(draft, "out_proj", "mamba.out_proj", Part::attention, inner, model.hidden, inner);
        if (projection_bias) add_vector(draft, "out_proj", Part::attention, model.hidden);
        Attention& attention = draft.layer.attention;
        attention.kind = AttentionKind::mamba;
        // Every channel has a state of its own: as many heads as channels, one row each.
        attention.heads = attention.kv_heads = attention.state_heads = static_cast<int>(inner);
        attention.state_rows = 1;
        attention.state_columns = static_cast<int>(state);
        attention.conv_channels = static_cast<int>(inner);
        attention.conv_taps = static_cast<int>(taps);
      }
      if (sparse) add_expert_mlp(draft, model.hidden, experts);
      else
        add_gated_mlp(draft, model.hidden, width, false,
                      {.gate = "feed_forward.gate_proj", .up = "feed_forward.up_proj", .down = "feed_forward.down_proj"});
      return draft;
    });
  }
}

}  // namespace fareline
