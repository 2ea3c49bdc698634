// SPDX-License-Identifier: Apache-2.0
// Decoders with latent attention and what followed from it: DeepSeek V2 to V4, Kimi, GLM-5.
#include <fmt/format.h>

#include <algorithm>

#include "catalog/model_architecture.h"

namespace fareline {

namespace {

// Multi-head latent attention. Source: DeepSeek-V2 report, section 2.1 and appendix C.
struct Latent {
  std::int64_t heads = 0, query_rank = 0, rank = 0, nope = 0, rope = 0, value = 0;
  bool bias = false;  // of the down-projections and the output
  bool output_gate = false;
};

Latent read_latent(const ModelFields& file) {
  Latent shape{.heads = file.whole("num_attention_heads", most_heads),
               .rank = file.whole("kv_lora_rank", most_head_dimension),
               .nope = file.whole("qk_nope_head_dim", most_head_dimension),
               .rope = file.whole("qk_rope_head_dim", most_head_dimension, 0),
               .value = file.whole("v_head_dim", most_head_dimension),
               .bias = file.flag_if("attention_bias", false)};
  if (file.states("q_lora_rank")) shape.query_rank = file.whole_if("q_lora_rank", 0, most_dimension);  // null: queries are not compressed
  else file.refuse("q_lora_rank", "is missing", "write null where queries are not compressed");
  return shape;
}

void add_latent_attention(LayerDraft& layer, std::int64_t hidden, const Latent& shape) {
  const std::int64_t query = shape.heads * (shape.nope + shape.rope);
  if (shape.query_rank) {
    add_whole(layer, "q_a", "self_attn.q_a_proj", Part::attention, hidden, shape.query_rank);
    if (shape.bias) add_vector(layer, "q_a", Part::attention, shape.query_rank);
    layer.weights.push_back(norm_weight("q_a_norm", shape.query_rank));
    add_columns(layer, "q_b", "self_attn.q_b_proj", Part::attention, shape.query_rank, query, shape.heads);
  } else {
    add_columns(layer, "q", "self_attn.q_proj", Part::attention, hidden, query, shape.heads);
  }
  add_whole(layer, "kv_a", "self_attn.kv_a_proj_with_mqa", Part::attention, hidden, shape.rank + shape.rope);
  if (shape.bias) add_vector(layer, "kv_a", Part::attention, shape.rank + shape.rope);
  layer.weights.push_back(norm_weight("kv_a_norm", shape.rank));
  add_columns(layer, "kv_b", "self_attn.kv_b_proj", Part::attention, shape.rank, shape.heads * (shape.nope + shape.value), shape.heads);
  layer.weights.back().matrix.use = Use::context_tokens;
  if (shape.output_gate)
    add_columns(layer, "attention_gate", "self_attn.g_proj", Part::attention, hidden, shape.heads * shape.value, shape.heads);
  add_rows(layer, "o", "self_attn.o_proj", Part::attention, shape.heads * shape.value, hidden, shape.heads);
  if (shape.bias) add_vector(layer, "o", Part::attention, hidden);
  Attention& attention = layer.layer.attention;
  attention.kind = AttentionKind::mla;
  attention.heads = attention.kv_heads = static_cast<int>(shape.heads);
  attention.qk_dim = static_cast<int>(shape.nope + shape.rope);
  attention.v_dim = static_cast<int>(shape.value);
  attention.latent_dim = static_cast<int>(shape.rank);
  attention.rope_dim = static_cast<int>(shape.rope);
}

// The indexer of DeepSeek sparse attention. Source: DeepSeek-V3.2-Exp report, section 2.1; huggingface/transformers,
// modeling_deepseek_v32.py, DeepseekV32Indexer: wq_b, wk, a LayerNorm of the key, weights_proj.
struct Indexer {
  std::int64_t heads = 0, dim = 0, topk = 0;
};

Indexer read_indexer(const ModelFields& file) {
  return {.heads = file.whole("index_n_heads", most_heads),
          .dim = file.whole("index_head_dim", most_head_dimension),
          .topk = file.whole("index_topk")};
}

void add_indexer(LayerDraft& layer, std::int64_t hidden, std::int64_t query_rank, const Indexer& shape, bool own) {
  Attention& attention = layer.layer.attention;
  attention.topk = static_cast<int>(shape.topk);
  attention.index_heads = static_cast<int>(shape.heads);
  attention.index_dim = static_cast<int>(shape.dim);
  attention.stores_index = own;
  if (!own) return;
  add_whole(layer, "index_q", "self_attn.indexer.wq_b", Part::indexer, query_rank, shape.heads * shape.dim);
  add_whole(layer, "index_k", "self_attn.indexer.wk", Part::indexer, hidden, shape.dim);
  add_vector(layer, "index_k_norm", Part::indexer, 2 * shape.dim);
  add_whole(layer, "index_weights", "self_attn.indexer.weights_proj", Part::indexer, hidden, shape.heads);
  layer.weights.back().linear = false;
}

enum class Indexing { none, every_layer, shared };

void build_deepseek(const ModelFields& file, Architecture& model, Indexing indexing, bool router_bias) {
  const std::int64_t layers = read_frame(file, model, false);
  const Latent shape = read_latent(file);
  Indexer indexer;
  std::vector<bool> own(static_cast<std::size_t>(layers), true);
  if (indexing != Indexing::none) {
    indexer = read_indexer(file);
    if (!shape.query_rank) file.refuse("q_lora_rank", "is null", "the indexer reads compressed queries: state their rank");
  }
  if (indexing == Indexing::shared) {
    if (file.has("indexer_types")) {
      const std::vector<std::string> types = file.texts("indexer_types", layers, true);
      for (std::size_t i = 0; i < types.size(); ++i) {
        if (types[i] != "full" && types[i] != "shared")
          file.refuse(fmt::format("indexer_types[{}]", i), "is neither \"full\" nor \"shared\"", "write one of them");
        own[i] = types[i] == "full";
      }
      if (!own.front()) file.refuse("indexer_types[0]", "the first layer has no earlier selection to share", "write \"full\"");
    } else {
      // Source: huggingface/transformers@01f8fa5, modular_glm_moe_dsa.py, GlmMoeDsaConfig.__post_init__.
      const std::int64_t every = file.whole_if("index_topk_freq", 1, most_layers, 1),
                         offset = file.whole_if("index_skip_topk_offset", 2, most_layers);
      for (std::int64_t i = 0; i < layers; ++i) own[static_cast<std::size_t>(i)] = std::max<std::int64_t>(i - offset + 1, 0) % every == 0;
      if (file.has("index_topk_pattern")) file.refuse("index_topk_pattern", "is not understood", "state indexer_types, one a layer");
    }
  }
  const std::int64_t leading = file.whole_or("first_k_dense_replace", 0, most_layers, 0);
  const std::int64_t every = file.whole_or("moe_layer_freq", 1, most_layers);
  ExpertMlp experts{.experts = file.whole_if("n_routed_experts", 0, most_experts),
                    .shared = file.whole_if("n_shared_experts", 0, 64),
                    .router_bias = router_bias};
  if (experts.experts) {
    experts.active = file.whole("num_experts_per_tok", experts.experts);
    experts.width = file.whole("moe_intermediate_size");
    experts.shared_width = experts.shared * experts.width;
  }
  const auto layer = [&](bool sparse, bool index) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    add_latent_attention(draft, model.hidden, shape);
    if (indexing != Indexing::none) add_indexer(draft, model.hidden, shape.query_rank, indexer, index);
    if (sparse) add_expert_mlp(draft, model.hidden, experts);
    else add_gated_mlp(draft, model.hidden, file.whole("intermediate_size"));
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool sparse = experts.experts && i >= leading && i % every == 0, index = own[static_cast<std::size_t>(i)];
    append_layer(model, {sparse, index}, [&] { return layer(sparse, index); });
  }
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(experts.experts > 0, true), model.hidden));
  model.mtp_prefix = "layers.";
}

}  // namespace

void build_deepseek_v2(const ModelFields& file, Architecture& model) {
  // A score correction exists only where experts are balanced without an auxiliary loss ("noaux_tc").
  build_deepseek(file, model, Indexing::none, file.text_or("topk_method", "greedy") == "noaux_tc");
}

void build_deepseek_v3(const ModelFields& file, Architecture& model) { build_deepseek(file, model, Indexing::none, true); }
void build_deepseek_v32(const ModelFields& file, Architecture& model) { build_deepseek(file, model, Indexing::every_layer, true); }
void build_glm_dsa(const ModelFields& file, Architecture& model) { build_deepseek(file, model, Indexing::shared, true); }

// One key-value vector a token for all heads, whole within the window and pooled beyond it: every 4 tokens with an indexer
// that selects, every 128 tokens without one, or not at all (compress_ratios 4, 128, 0). Hyper-connections carry hc_mult streams.
// Source: huggingface/transformers@02356fe, modular_deepseek_v4.py (DeepseekV4Attention, -CSACompressor, -HCACompressor,
// -Indexer, -HyperConnection, -HyperHead).
void build_deepseek_v4(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  const std::int64_t heads = file.whole("num_attention_heads", most_heads), dim = file.whole("head_dim", most_head_dimension);
  const std::int64_t kv_heads = file.whole_or("num_key_value_heads", 1, most_heads);
  if (kv_heads != 1) file.refuse("num_key_value_heads", "is not 1", "DeepSeek-V4 keeps one key-value vector a token");
  const std::int64_t query_rank = file.whole("q_lora_rank"), output_rank = file.whole("o_lora_rank"),
                     groups = file.whole("o_groups", most_heads);
  require_multiple(file, "num_attention_heads", heads, "o_groups", groups);
  const std::int64_t window = file.whole("sliding_window"), streams = file.whole("hc_mult", 64);
  const std::int64_t hash_layers = file.whole_if("num_hash_layers", 0, most_layers);
  const Indexer indexer = read_indexer(file);
  const std::vector<std::int64_t> ratios = file.wholes("compress_ratios", layers, 1000000, true);
  ExpertMlp experts{.experts = file.whole("n_routed_experts", most_experts),
                    .width = file.whole("moe_intermediate_size"),
                    .shared = file.whole_or("n_shared_experts", 1, 64, 0),
                    .modules = {.router = "ffn.gate",
                                .gate = "ffn.experts.0.w1",
                                .down = "ffn.experts.0.w2",
                                .shared_gate = "ffn.shared_experts.w1",
                                .shared_down = "ffn.shared_experts.w2"}};
  experts.active = file.whole("num_experts_per_tok", experts.experts);
  experts.shared_width = experts.shared * experts.width;
  if (file.text_or("expert_dtype", "") == "fp4") model.routed_experts = Format::mxfp4;
  model.residual_streams = static_cast<int>(streams);
  model.embedding_module = "embed";
  model.head_module = "head";
  if (file.failed()) return;
  if (hash_layers)
    file.note(
        fmt::format("the first {} layers route by token through tables of {} x {} expert numbers each, which are not counted as parameters",
                    hash_layers, model.vocabulary, experts.active));
  // A mixing of the streams: a projection of all of them, a bias and three scales.
  const auto add_mixing = [&](LayerDraft& draft, std::string_view op, std::int64_t mixes, std::int64_t scales) {
    add_whole(draft, op, "hyper_connection", Part::other, streams * model.hidden, mixes);
    draft.weights.back().linear = false;
    add_vector(draft, op, Part::other, mixes + scales);
  };
  const auto layer = [&](std::int64_t ratio, bool hashed) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    add_mixing(draft, "attention_streams", (2 + streams) * streams, 3);
    add_whole(draft, "q_a", "attn.wq_a", Part::attention, model.hidden, query_rank);
    draft.weights.push_back(norm_weight("q_a_norm", query_rank));
    add_columns(draft, "q_b", "attn.wq_b", Part::attention, query_rank, heads * dim, heads);
    add_whole(draft, "kv", "attn.wkv", Part::attention, model.hidden, dim);
    draft.weights.push_back(norm_weight("kv_norm", dim));
    add_vector(draft, "attention", Part::attention, heads, heads);
    add_rows(draft, "o_a", "attn.wo_a", Part::attention, heads * dim / groups, output_rank, 1);
    draft.weights.back().matrix.copies = groups;
    draft.weights.back().matrix.split = Split::columns;  // groups are dealt over ranks
    draft.weights.back().matrix.shards_most = groups;
    add_rows(draft, "o_b", "attn.wo_b", Part::attention, groups * output_rank, model.hidden, groups);
    Attention& attention = draft.layer.attention;
    attention.kind = ratio ? AttentionKind::full : AttentionKind::sliding;
    attention.heads = static_cast<int>(heads);
    attention.kv_heads = 1;
    attention.qk_dim = attention.v_dim = static_cast<int>(dim);
    attention.window = static_cast<int>(window);
    attention.keys_are_values = true;
    attention.compress = static_cast<int>(std::max<std::int64_t>(1, ratio));
    if (ratio) {
      // Windows of the fine pooling overlap: each token gives one half to its own entry and one to the next.
      const bool selecting = ratio == 4;
      const std::int64_t halves = selecting ? 2 : 1;
      add_whole(draft, "compress_kv", "attn.compressor.wkv", Part::attention, model.hidden, halves * dim);
      add_whole(draft, "compress_gate", "attn.compressor.wgate", Part::attention, model.hidden, halves * dim);
      add_vector(draft, "compress", Part::attention, ratio * halves * dim);
      draft.weights.push_back(norm_weight("compress_norm", dim));
      if (selecting) {
        attention.topk = static_cast<int>(indexer.topk);
        attention.index_heads = static_cast<int>(indexer.heads);
        attention.index_dim = static_cast<int>(indexer.dim);
        add_whole(draft, "index_q", "attn.indexer.wq_b", Part::indexer, query_rank, indexer.heads * indexer.dim);
        add_whole(draft, "index_k", "attn.indexer.compressor.wkv", Part::indexer, model.hidden, 2 * indexer.dim);
        add_whole(draft, "index_gate", "attn.indexer.compressor.wgate", Part::indexer, model.hidden, 2 * indexer.dim);
        add_vector(draft, "index_compress", Part::indexer, ratio * 2 * indexer.dim);
        draft.weights.push_back(norm_weight("index_norm", indexer.dim));
        add_whole(draft, "index_weights", "attn.indexer.weights_proj", Part::indexer, model.hidden, indexer.heads);
        draft.weights.back().linear = false;
      }
    }
    add_mixing(draft, "mlp_streams", (2 + streams) * streams, 3);
    ExpertMlp shape = experts;
    shape.router_bias = !hashed;
    add_expert_mlp(draft, model.hidden, shape);
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::int64_t ratio = ratios[static_cast<std::size_t>(i)];
    if (ratio != 0 && ratio != 4 && ratio != 128) {
      file.refuse(fmt::format("compress_ratios[{}]", i), fmt::format("{} is not understood", ratio), "this reader knows 0, 4 and 128");
      return;
    }
    append_layer(model, {ratio, i < hash_layers}, [&] { return layer(ratio, i < hash_layers); });
  }
  LayerDraft head;  // the streams are read out once, before the final norm
  add_mixing(head, "head_streams", streams, 1);
  for (Weight& added : head.weights) model.other.push_back(std::move(added));
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(0, false), model.hidden));
  model.mtp_prefix = "mtp.";
}

// Kimi Linear and Kimi K3: Kimi delta attention, a linear attention whose state decays by channel, beside latent attention
// without rotary positions; experts that work in a narrower space.
// Source: moonshotai/Kimi-Linear-48B-A3B-Instruct, modeling_kimi.py (KimiDeltaAttention: q, k, v with short convolutions,
// f_a, f_b, b, g, o_norm, A_log, dt_bias); Kimi K3 report (arXiv 2607.24653), section 2.2 (attention residuals), and the tensors
// of its checkpoint (routed_expert_down_proj, _norm, _up_proj, g_proj, self_attention_res_proj, mlp_res_proj).
void build_kimi_linear(const ModelFields& file, Architecture& model) {
  const std::int64_t layers = read_frame(file, model, false);
  Latent latent = read_latent(file);
  latent.output_gate = file.flag_if("mla_use_output_gate", false);
  const std::optional<ModelFields> linear = file.object("linear_attn_config");
  if (!linear) file.refuse("linear_attn_config", "is missing", "state its kda_layers, full_attn_layers, num_heads and head_dim");
  if (file.failed()) return;
  const std::int64_t heads = linear->whole("num_heads", most_heads), dim = linear->whole("head_dim", most_head_dimension);
  const std::int64_t taps = linear->whole("short_conv_kernel_size", 1024);
  const bool whole_gate = linear->flag_if("use_full_rank_gate", false);
  std::vector<int> kind(static_cast<std::size_t>(layers), 0);  // 1: delta attention, 2: latent attention
  for (const auto& [name, value] : {std::pair{"kda_layers", 1}, std::pair{"full_attn_layers", 2}})
    for (const std::int64_t number : linear->whole_list(name, most_layers, layers)) {  // counted from 1
      if (number < 1 || kind[static_cast<std::size_t>(number - 1)] != 0) {
        linear->refuse(name, fmt::format("layer {} is no layer or listed twice", number), "list every layer once, counted from 1");
        return;
      }
      kind[static_cast<std::size_t>(number - 1)] = value;
    }
  for (std::size_t i = 0; i < kind.size(); ++i)
    if (kind[i] == 0)
      linear->refuse("kda_layers", fmt::format("layer {} is in neither list", i + 1), "list every layer once, counted from 1");
  const std::int64_t leading = file.whole_or("first_k_dense_replace", 0, most_layers, 0),
                     every = file.whole_or("moe_layer_freq", 1, most_layers);
  const std::int64_t dense_width = leading ? file.whole("intermediate_size") : 0;
  ExpertMlp experts{.experts = file.whole("num_experts", most_experts),
                    .width = file.whole("moe_intermediate_size"),
                    .shared = file.whole_if("num_shared_experts", 0, 64),
                    .latent = file.whole_if("routed_expert_hidden_size", 0),
                    .router_bias = true,
                    .latent_norm = file.flag_if("latent_moe_use_norm", false),
                    .modules = {.router = "block_sparse_moe.gate",
                                .gate = "block_sparse_moe.experts.0.w1",
                                .down = "block_sparse_moe.experts.0.w2",
                                .shared_gate = "block_sparse_moe.shared_experts.gate_proj",
                                .shared_down = "block_sparse_moe.shared_experts.down_proj",
                                .latent_down = "block_sparse_moe.routed_expert_down_proj",
                                .latent_up = "block_sparse_moe.routed_expert_up_proj"}};
  experts.active = file.whole_of("num_experts_per_token", "num_experts_per_tok", experts.experts);
  experts.shared_width = experts.shared * experts.width;
  const bool residuals = file.has("attn_res_block_size");
  if (residuals) {
    const std::int64_t block = file.whole("attn_res_block_size", most_layers);
    model.residual_streams = static_cast<int>((layers + block - 1) / block + 1);  // the embedding, and a sum a block
  }
  if (file.failed()) return;
  const auto layer = [&](bool delta, bool sparse) {
    LayerDraft draft;
    add_layer_norms(draft, model.hidden);
    if (residuals) {
      add_vector(draft, "attention_residual", Part::other, 2 * model.hidden);
      add_vector(draft, "mlp_residual", Part::other, 2 * model.hidden);
    }
    if (delta) {
      const std::int64_t width = heads * dim;
      add_columns(draft, "qkv", "self_attn.q_proj", Part::attention, model.hidden, width, heads);
      add_columns(draft, "qkv", "self_attn.k_proj", Part::attention, model.hidden, width, heads);
      add_columns(draft, "qkv", "self_attn.v_proj", Part::attention, model.hidden, width, heads);
      add_vector(draft, "conv", Part::attention, 3 * width * taps, heads);
      add_whole(draft, "decay_a", "self_attn.f_a_proj", Part::attention, model.hidden, dim);
      add_columns(draft, "decay_b", "self_attn.f_b_proj", Part::attention, dim, width, heads);
      add_columns(draft, "beta", "self_attn.b_proj", Part::attention, model.hidden, heads, heads);
      if (whole_gate) {
        add_columns(draft, "attention_gate", "self_attn.g_proj", Part::attention, model.hidden, width, heads);
      } else {
        add_whole(draft, "attention_gate_a", "self_attn.g_a_proj", Part::attention, model.hidden, dim);
        add_columns(draft, "attention_gate_b", "self_attn.g_b_proj", Part::attention, dim, width, heads);
      }
      add_vector(draft, "attention", Part::attention, heads + width, heads);  // A_log and dt_bias
      draft.weights.push_back(norm_weight("o_norm", dim));
      add_rows(draft, "o", "self_attn.o_proj", Part::attention, width, model.hidden, heads);
      Attention& attention = draft.layer.attention;
      attention.kind = AttentionKind::linear;
      attention.heads = attention.kv_heads = attention.state_heads = static_cast<int>(heads);
      attention.qk_dim = attention.v_dim = attention.state_rows = attention.state_columns = static_cast<int>(dim);
      attention.conv_channels = static_cast<int>(std::min<std::int64_t>(3 * width, most_dimension));
      attention.conv_taps = static_cast<int>(taps);
    } else {
      add_latent_attention(draft, model.hidden, latent);
    }
    if (sparse) add_expert_mlp(draft, model.hidden, experts);
    else add_gated_mlp(draft, model.hidden, dense_width);
    return draft;
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool delta = kind[static_cast<std::size_t>(i)] == 1, sparse = i >= leading && i % every == 0;
    if (!sparse && !dense_width) {
      file.refuse("intermediate_size", "is needed for the dense layers that moe_layer_freq leaves", "state first_k_dense_replace");
      return;
    }
    append_layer(model, {delta, sparse}, [&] { return layer(delta, sparse); });
  }
  if (residuals) model.other.push_back(norm_weight("output_residual", 2 * model.hidden));
  const std::int64_t predictors = file.whole_if("num_nextn_predict_layers", 0, 64);
  for (std::int64_t i = 0; i < predictors; ++i) model.mtp.push_back(mtp_module(layer(false, true), model.hidden));
  model.mtp_prefix = "layers.";
}

}  // namespace fareline
