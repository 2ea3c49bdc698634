// SPDX-License-Identifier: Apache-2.0
// Decoders with grouped-query attention and mixtures of experts.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "catalog/model_architecture.h"

namespace fareline {

namespace {

void require_active(const ModelFields& file, std::string_view name, std::int64_t active, std::int64_t experts) {
  if (active > experts)
    file.refuse(name, fmt::format("{} of {} experts cannot be active", active, experts), "take both from one model's file");
}

// Layers on which a flag list of ones and zeros is set.
bool set_in(const std::vector<std::int64_t>& flags, std::int64_t index) { return flags[static_cast<std::size_t>(index)] != 0; }

}  // namespace

void build_mixtral(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const std::int64_t window = file.whole_if("sliding_window", 0);
  const ExpertMlp experts{
      .experts = file.whole("num_local_experts", most_experts),
      .active = file.whole("num_experts_per_tok", most_experts),
      .width = file.whole("intermediate_size"),
      .modules = {.router = "block_sparse_moe.gate", .gate = "block_sparse_moe.experts.0.w1", .down = "block_sparse_moe.experts.0.w2"}};
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  for (std::int64_t i = 0; i < layers; ++i)
    append_layer(model, {}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      add_grouped_query(draft, model.hidden,
                        {.kind = window ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads.heads,
                         .kv_heads = heads.kv_heads,
                         .qk_dim = heads.dim,
                         .v_dim = heads.dim,
                         .window = window});
      add_expert_mlp(draft, model.hidden, experts);
      return draft;
    });
}

// Source: huggingface/transformers, modeling_phimoe.py: LayerNorms with biases, biased projections, Mixtral's expert block.
void build_phimoe(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  model.other.front().matrix.outputs *= 2;  // a LayerNorm has a bias as well
  const Heads heads = read_heads(file, model.hidden);
  const std::int64_t window = file.whole_if("sliding_window", 0);
  const bool bias = file.flag_or("attention_bias", false);
  const ExpertMlp experts{
      .experts = file.whole("num_local_experts", most_experts),
      .active = file.whole("num_experts_per_tok", most_experts),
      .width = file.whole("intermediate_size"),
      .modules = {.router = "block_sparse_moe.gate", .gate = "block_sparse_moe.experts.0.w1", .down = "block_sparse_moe.experts.0.w2"}};
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  if (file.flag_or("lm_head_bias", false)) {
    LayerDraft head;
    add_vector(head, "lm_head", Part::lm_head, model.vocabulary, model.vocabulary);
    model.other.push_back(head.weights.front());
  }
  for (std::int64_t i = 0; i < layers; ++i)
    append_layer(model, {}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden, 2, true);
      add_grouped_query(draft, model.hidden,
                        {.kind = window ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads.heads,
                         .kv_heads = heads.kv_heads,
                         .qk_dim = heads.dim,
                         .v_dim = heads.dim,
                         .window = window,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias});
      add_expert_mlp(draft, model.hidden, experts);
      return draft;
    });
}

void build_qwen3_moe(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const bool bias = file.flag_if("attention_bias", false);
  const bool windowed = file.flag_if("use_sliding_window", false);
  const std::int64_t window = windowed ? file.whole("sliding_window") : 0;
  const std::int64_t step = file.whole_or("decoder_sparse_step", 1, most_layers);
  const std::vector<std::int64_t> dense = file.whole_list("mlp_only_layers", most_layers, most_layers);
  const std::set<std::int64_t> dense_layers(dense.begin(), dense.end());
  const ExpertMlp experts{.experts = file.whole_of("num_experts", "num_local_experts", most_experts),
                          .active = file.whole("num_experts_per_tok", most_experts),
                          .width = file.whole("moe_intermediate_size")};
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool sparse = !dense_layers.contains(i) && (i + 1) % step == 0;
    const std::int64_t width = sparse ? 0 : file.whole("intermediate_size");
    append_layer(model, {sparse}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      add_grouped_query(draft, model.hidden,
                        {.kind = window ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads.heads,
                         .kv_heads = heads.kv_heads,
                         .qk_dim = heads.dim,
                         .v_dim = heads.dim,
                         .window = window,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias,
                         .norm = HeadNorm::per_head});
      if (sparse) add_expert_mlp(draft, model.hidden, experts);
      else add_gated_mlp(draft, model.hidden, width);
      return draft;
    });
  }
}

void build_gpt_oss(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const std::int64_t window = file.whole_or("sliding_window", 128);
  const bool bias = file.flag_or("attention_bias", true);
  std::vector<std::string> types;
  if (file.has("layer_types")) types = file.texts("layer_types", layers);
  else file.note_default("layer_types", "sliding_attention and full_attention in turn");
  const ExpertMlp experts{.experts = file.whole("num_local_experts", most_experts),
                          .active = file.whole_of("num_experts_per_tok", "experts_per_token", most_experts),
                          .width = file.whole("intermediate_size"),
                          .router_bias = true,
                          .expert_bias = true,
                          .modules = {.router = "mlp.router", .gate = "mlp.experts.0.gate_up_proj", .down = "mlp.experts.0.down_proj"}};
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool sliding = types.empty() ? i % 2 == 0 : types[static_cast<std::size_t>(i)] == "sliding_attention";
    append_layer(model, {sliding}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      add_grouped_query(draft, model.hidden,
                        {.kind = sliding ? AttentionKind::sliding : AttentionKind::full,
                         .heads = heads.heads,
                         .kv_heads = heads.kv_heads,
                         .qk_dim = heads.dim,
                         .v_dim = heads.dim,
                         .window = sliding ? window : 0,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias,
                         .sinks = true});
      add_expert_mlp(draft, model.hidden, experts);
      return draft;
    });
  }
}

void build_glm4_moe(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const bool bias = file.flag_or("attention_bias", false), norm = file.flag_or("use_qk_norm", false);
  const std::int64_t leading = file.whole_or("first_k_dense_replace", 1, most_layers, 0);
  const std::int64_t dense_width = leading ? file.whole("intermediate_size") : 0;
  ExpertMlp experts{.experts = file.whole("n_routed_experts", most_experts),
                    .active = file.whole("num_experts_per_tok", most_experts),
                    .width = file.whole("moe_intermediate_size"),
                    .shared = file.whole_or("n_shared_experts", 1, 64, 0),
                    .router_bias = true};
  experts.shared_width = experts.shared * experts.width;
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  const auto layer = [&](bool sparse) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    add_grouped_query(draft, model.hidden,
                      {.heads = heads.heads,
                       .kv_heads = heads.kv_heads,
                       .qk_dim = heads.dim,
                       .v_dim = heads.dim,
                       .query_bias = bias,
                       .kv_bias = bias,
                       .norm = norm ? HeadNorm::per_head : HeadNorm::none});
    if (sparse) add_expert_mlp(draft, model.hidden, experts);
    else add_gated_mlp(draft, model.hidden, dense_width);
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) append_layer(model, {i >= leading}, [&] { return layer(i >= leading); });
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(true), model.hidden));
  model.mtp_prefix = "layers.";
}

// Source: huggingface/transformers, configuration_llama4.py and modeling_llama4.py: three layers of four rotate and attend
// within chunks, the fourth has no positions and attends to everything; the norms of queries and keys have no weights.
void build_llama4(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  const bool bias = file.flag_if("attention_bias", false);
  const std::int64_t chunk = file.whole_or("attention_chunk_size", 8192);
  std::vector<std::int64_t> rotates = file.whole_list("no_rope_layers", most_layers, 1);
  if (!rotates.empty()) {
    rotates = file.wholes("no_rope_layers", layers, 1);
  } else {
    const std::int64_t interval = file.whole_or("no_rope_layer_interval", 4, most_layers);
    for (std::int64_t i = 0; i < layers; ++i) rotates.push_back((i + 1) % interval != 0);
  }
  std::set<std::int64_t> sparse_layers;
  if (file.has("moe_layers")) {
    const std::vector<std::int64_t> list = file.whole_list("moe_layers", most_layers, most_layers);
    sparse_layers.insert(list.begin(), list.end());
  } else {
    const std::int64_t step = file.whole_or("interleave_moe_layer_step", 1, most_layers);
    for (std::int64_t i = step - 1; i < layers; i += step) sparse_layers.insert(i);
  }
  const ExpertMlp experts{.experts = file.whole("num_local_experts", most_experts),
                          .active = file.whole("num_experts_per_tok", most_experts),
                          .width = file.whole("intermediate_size"),
                          .shared = 1,
                          .shared_width = file.whole("intermediate_size"),
                          .modules = {.router = "feed_forward.router",
                                      .gate = "feed_forward.experts.0.gate_proj",
                                      .down = "feed_forward.experts.0.down_proj",
                                      .shared_gate = "feed_forward.shared_expert.gate_proj",
                                      .shared_down = "feed_forward.shared_expert.down_proj"}};
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  file.note(
      "one shared expert beside the routed ones, which the file does not say: Llama4TextMoe (huggingface/transformers, "
      "modeling_llama4.py)");
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool chunked = set_in(rotates, i), sparse = sparse_layers.contains(i);
    const std::int64_t width = sparse ? 0 : file.whole("intermediate_size_mlp");
    append_layer(model, {chunked, sparse}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      add_grouped_query(draft, model.hidden,
                        {.kind = chunked ? AttentionKind::chunked : AttentionKind::full,
                         .heads = heads.heads,
                         .kv_heads = heads.kv_heads,
                         .qk_dim = heads.dim,
                         .v_dim = heads.dim,
                         .window = chunked ? chunk : 0,
                         .query_bias = bias,
                         .kv_bias = bias,
                         .output_bias = bias});
      if (sparse) add_expert_mlp(draft, model.hidden, experts);
      else
        add_gated_mlp(draft, model.hidden, width, false,
                      {.gate = "feed_forward.gate_proj", .up = "feed_forward.up_proj", .down = "feed_forward.down_proj"});
      return draft;
    });
  }
}

namespace {

constexpr ExpertModules minimax_modules{.router = "block_sparse_moe.gate",
                                        .gate = "block_sparse_moe.experts.0.w1",
                                        .down = "block_sparse_moe.experts.0.w2",
                                        .shared_gate = "block_sparse_moe.shared_experts.gate_proj",
                                        .shared_down = "block_sparse_moe.shared_experts.down_proj"};

}  // namespace

// Source: vllm-project/vllm, vllm/model_executor/models/minimax_m2.py: norms over all heads at once ("per_layer").
void build_minimax_m2(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  HeadNorm norm = HeadNorm::none;
  if (file.flag_or("use_qk_norm", true))
    norm = file.text_or("qk_norm_type", "per_layer") == "per_layer" ? HeadNorm::whole : HeadNorm::per_head;
  ExpertMlp experts{.experts = file.whole("num_local_experts", most_experts),
                    .active = file.whole("num_experts_per_tok", most_experts),
                    .width = file.whole("intermediate_size"),
                    .router_bias = file.flag_or("use_routing_bias", true),
                    .modules = minimax_modules};
  experts.shared_width = file.whole_if("shared_intermediate_size", 0);
  experts.shared = experts.shared_width ? 1 : 0;
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  if (file.has("attn_type_list"))
    for (const std::int64_t type : file.wholes("attn_type_list", layers, 1, true))
      if (type != 1) file.refuse("attn_type_list", "holds linear attention", "MiniMax-M2 has full attention in every layer");
  const auto layer = [&] {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    add_grouped_query(draft, model.hidden,
                      {.heads = heads.heads, .kv_heads = heads.kv_heads, .qk_dim = heads.dim, .v_dim = heads.dim, .norm = norm});
    add_expert_mlp(draft, model.hidden, experts);
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) append_layer(model, {}, layer);
  if (!file.flag_if("use_mtp", false)) return;
  const std::int64_t predictors = file.whole_if("num_mtp_modules", 0, 64) * file.whole_if("mtp_transformer_layers", 1, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(), model.hidden));
}

// Blocks of keys are chosen by an indexer with as many heads as there are KV heads and one key a token.
// Source: vllm-project/vllm, vllm/model_executor/models/minimax_m3 (index_q_proj, index_k_proj; no index value where
// sparse_disable_index_value is set).
void build_minimax_m3(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const Heads heads = read_heads(file, model.hidden);
  HeadNorm norm = HeadNorm::none;
  if (file.flag_or("use_qk_norm", true))
    norm = file.text_or("qk_norm_type", "per_head") == "per_layer" ? HeadNorm::whole : HeadNorm::per_head;
  if (file.flag_if("attention_output_gate", false))
    file.refuse("attention_output_gate", "true is not understood", "this reader knows MiniMax-M3 without the gate");
  ExpertMlp experts{.experts = file.whole("num_local_experts", most_experts),
                    .active = file.whole("num_experts_per_tok", most_experts),
                    .width = file.whole("intermediate_size"),
                    .shared = file.whole_or("n_shared_experts", 1, 64, 0),
                    .router_bias = file.flag_or("use_routing_bias", true),
                    .modules = minimax_modules};
  experts.shared_width = experts.shared * file.whole_if("shared_intermediate_size", experts.width);
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  const std::vector<std::int64_t> sparse_mlp = file.wholes("moe_layer_freq", layers, 1, true);
  std::vector<std::int64_t> selects(static_cast<std::size_t>(layers), 0), valueless(static_cast<std::size_t>(layers), 1);
  std::int64_t index_heads = 0, index_dim = 0, blocks = 0, block = 1;
  if (const std::optional<ModelFields> sparse = file.object("sparse_attention_config");
      sparse && sparse->flag_if("use_sparse_attention", false)) {
    selects = sparse->wholes("sparse_attention_freq", layers, 1, true);
    if (sparse->has("sparse_disable_index_value")) valueless = sparse->wholes("sparse_disable_index_value", layers, 1, true);
    index_heads = sparse->whole("sparse_num_index_heads", most_heads);
    index_dim = sparse->whole("sparse_index_dim", most_head_dimension);
    blocks = sparse->whole("sparse_topk_blocks", 1000000);
    block = sparse->whole("sparse_block_size", 1000000);
    if (blocks * block > most_dimension)
      sparse->refuse("sparse_topk_blocks", "selects more tokens than a context can hold", "take it from one model's file");
  }
  if (file.failed()) return;
  const auto layer = [&](bool sparse, bool selecting, bool without_value) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    add_grouped_query(draft, model.hidden,
                      {.heads = heads.heads, .kv_heads = heads.kv_heads, .qk_dim = heads.dim, .v_dim = heads.dim, .norm = norm});
    if (selecting) {
      add_columns(draft, "index_q", "self_attn.index_q_proj", Part::indexer, model.hidden, index_heads * index_dim, index_heads);
      add_whole(draft, "index_k", "self_attn.index_k_proj", Part::indexer, model.hidden, index_dim);
      draft.weights.push_back(norm_weight("index_q_norm", index_dim));
      draft.weights.push_back(norm_weight("index_k_norm", index_dim));
      if (!without_value) {
        add_whole(draft, "index_v", "self_attn.index_v_proj", Part::indexer, model.hidden, index_dim);
        add_rows(draft, "index_o", "self_attn.index_o_proj", Part::indexer, index_heads * index_dim, model.hidden, index_heads);
      }
      Attention& attention = draft.layer.attention;
      attention.topk = static_cast<int>(blocks * block);
      attention.index_block = static_cast<int>(block);
      attention.index_heads = static_cast<int>(index_heads);
      attention.index_dim = static_cast<int>(index_dim);
    }
    if (sparse) add_expert_mlp(draft, model.hidden, experts);
    else add_gated_mlp(draft, model.hidden, file.whole("dense_intermediate_size"));
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool sparse = set_in(sparse_mlp, i), selecting = set_in(selects, i), without_value = set_in(valueless, i);
    append_layer(model, {sparse, selecting, without_value}, [&] { return layer(sparse, selecting, without_value); });
  }
  const std::int64_t predictors = file.whole_if("num_mtp_modules", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(true, false, true), model.hidden));
  model.mtp_prefix = "mtp.layers.";
}

// Source: huggingface.co/XiaomiMiMo/MiMo-V2-Flash, modeling_mimo_v2_flash.py: window layers have their own heads, and one
// learnt logit a head in the softmax.
void build_mimo_v2(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const bool bias = file.flag_if("attention_bias", false);
  const GroupedQuery full{.kind = AttentionKind::full,
                          .heads = file.whole("num_attention_heads", most_heads),
                          .kv_heads = file.whole("num_key_value_heads", most_heads),
                          .qk_dim = file.whole("head_dim", most_head_dimension),
                          .v_dim = file.whole("v_head_dim", most_head_dimension),
                          .query_bias = bias,
                          .kv_bias = bias,
                          .sinks = file.flag_or("add_full_attention_sink_bias", false)};
  const GroupedQuery sliding{.kind = AttentionKind::sliding,
                             .heads = file.whole_or("swa_num_attention_heads", full.heads, most_heads),
                             .kv_heads = file.whole_or("swa_num_key_value_heads", full.kv_heads, most_heads),
                             .qk_dim = file.whole_or("swa_head_dim", full.qk_dim, most_head_dimension),
                             .v_dim = file.whole_or("swa_v_head_dim", full.v_dim, most_head_dimension),
                             .window = file.whole_of("sliding_window", "sliding_window_size"),
                             .query_bias = bias,
                             .kv_bias = bias,
                             .sinks = file.flag_or("add_swa_attention_sink_bias", true)};
  require_multiple(file, "num_attention_heads", full.heads, "num_key_value_heads", full.kv_heads);
  require_multiple(file, "swa_num_attention_heads", sliding.heads, "swa_num_key_value_heads", sliding.kv_heads);
  const std::vector<std::int64_t> pattern = file.wholes("hybrid_layer_pattern", layers, 1),
                                  sparse_mlp = file.wholes("moe_layer_freq", layers, 1);
  ExpertMlp experts{.experts = file.whole("n_routed_experts", most_experts),
                    .active = file.whole("num_experts_per_tok", most_experts),
                    .width = file.whole("moe_intermediate_size"),
                    .shared = file.whole_if("n_shared_experts", 0, 64),
                    .router_bias = true};
  experts.shared_width = experts.shared * experts.width;
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool slides = set_in(pattern, i), sparse = set_in(sparse_mlp, i);
    const std::int64_t width = sparse ? 0 : file.whole("intermediate_size");
    append_layer(model, {slides, sparse}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden);
      add_grouped_query(draft, model.hidden, slides ? sliding : full);
      if (sparse) add_expert_mlp(draft, model.hidden, experts);
      else add_gated_mlp(draft, model.hidden, width);
      return draft;
    });
  }
}

// Source: stepfun-ai/Step-3.5-Flash, modeling_step3p5.py: norms of each head's queries and keys; attention_other_setting
// states the heads of window layers; use_head_wise_attn_gate adds one gate a head.
void build_step3(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  GroupedQuery full{.heads = file.whole("num_attention_heads", most_heads),
                    .kv_heads = file.whole_of("num_key_value_heads", "num_attention_groups", most_heads),
                    .qk_dim = file.whole("head_dim", most_head_dimension),
                    .norm = HeadNorm::per_head};
  full.v_dim = full.qk_dim;
  require_multiple(file, "num_attention_heads", full.heads, "num_key_value_heads", full.kv_heads);
  GroupedQuery sliding = full;
  sliding.kind = AttentionKind::sliding;
  sliding.window = file.whole("sliding_window");
  if (const std::optional<ModelFields> other = file.object("attention_other_setting")) {
    sliding.heads = other->whole_if("num_attention_heads", full.heads, most_heads, 1);
    sliding.kv_heads = other->whole_if("num_attention_groups", full.kv_heads, most_heads, 1);
    sliding.qk_dim = sliding.v_dim = other->whole_if("head_dim", full.qk_dim, most_head_dimension, 1);
    require_multiple(*other, "num_attention_heads", sliding.heads, "num_attention_groups", sliding.kv_heads);
  } else {
    file.note("attention_other_setting is not in the file: window layers have as many heads as the others");
  }
  const bool gated = file.flag_or("use_head_wise_attn_gate", false);
  const std::vector<std::string> types = file.texts("layer_types", layers, true);
  std::set<std::int64_t> sparse_layers;
  if (file.has("moe_layers_enum")) {
    if (file.is_text("moe_layers_enum")) {
      std::int64_t number = -1;
      for (const char c : file.text("moe_layers_enum") + ",") {
        if (c >= '0' && c <= '9' && number < most_layers) number = std::max<std::int64_t>(0, number) * 10 + (c - '0');
        else if (c == ',' && number >= 0) sparse_layers.insert(std::exchange(number, -1));
        else if (c != ' ') file.refuse("moe_layers_enum", "is not a list of layer numbers", "write e.g. \"3,4,5\"");
      }
    } else {
      const std::vector<std::int64_t> list = file.whole_list("moe_layers_enum", most_layers, most_layers);
      sparse_layers.insert(list.begin(), list.end());
    }
  } else {
    const std::int64_t leading = file.whole("first_k_dense_replace", most_layers, 0);
    for (std::int64_t i = leading; i < layers; ++i) sparse_layers.insert(i);
  }
  ExpertMlp experts{.experts = file.whole_of("num_experts", "moe_num_experts", most_experts),
                    .active = file.whole_of("num_experts_per_tok", "moe_top_k", most_experts),
                    .width = file.whole("moe_intermediate_size"),
                    .shared = file.whole_if("n_shared_experts", 1, 64),
                    .router_bias = file.flag_or("use_moe_router_bias", false),
                    .modules = {.router = "moe.gate",
                                .gate = "moe.experts.0.gate_proj",
                                .down = "moe.experts.0.down_proj",
                                .shared_gate = "share_expert.gate_proj",
                                .shared_down = "share_expert.down_proj"}};
  experts.shared_width = experts.shared ? file.whole_of("share_expert_dim", "share_expert_dims") : 0;
  require_active(file, "num_experts_per_tok", experts.active, experts.experts);
  const auto layer = [&](bool slides, bool sparse) {
    LayerDraft draft;
    const GroupedQuery& shape = slides ? sliding : full;
    add_layer_norms(draft, model.hidden);
    add_grouped_query(draft, model.hidden, shape);
    if (gated) add_columns(draft, "attention_gate", "self_attn.g_proj", Part::attention, model.hidden, shape.heads, shape.heads);
    if (sparse) add_expert_mlp(draft, model.hidden, experts);
    else add_gated_mlp(draft, model.hidden, file.whole("intermediate_size"));
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool slides = types[static_cast<std::size_t>(i)] == "sliding_attention", sparse = sparse_layers.contains(i);
    append_layer(model, {slides, sparse}, [&] { return layer(slides, sparse); });
  }
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(true, false), model.hidden));
  model.mtp_prefix = "layers.";
}

}  // namespace fareline
