// SPDX-License-Identifier: Apache-2.0
// What the reader of a model family states: the layers' shapes with their matrices, under the names a checkpoint gives them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "catalog/model_fields.h"

namespace fareline {

// A matrix and the name of its module in a checkpoint below the layer, by which quantization lists speak of it.
struct Weight {
  Matrix matrix;
  std::string_view module;  // "self_attn.q_proj"; text that outlives the reading (a literal)
  bool linear = true;       // quantized where a method says "all linear modules"; false: only where it is named
};

struct LayerDraft {
  Layer layer;  // all but its matrices
  std::vector<Weight> weights;
};

// Which layers are alike: layers of one key have one draft.
using LayerKey = std::array<std::int64_t, 8>;

struct Architecture {
  std::int64_t hidden = 0, vocabulary = 0, max_context = 0;
  bool tied = false;
  int residual_streams = 1;
  std::vector<LayerDraft> drafts;
  std::vector<LayerKey> keys;  // of the drafts
  std::vector<int> order;      // draft of each layer
  std::vector<LayerDraft> mtp;
  std::string_view mtp_prefix = "mtp.layers.";  // before the module's number; "layers." continues the count of the layers
  std::vector<Weight> other;
  std::string_view embedding_module = "embed_tokens", head_module = "lm_head";
  bool head_linear = false;              // the LM head is quantized with "all linear modules"
  Format routed_experts = Format::fp64;  // the file states a format for the routed experts alone; fp64: it does not
};

// Appends a layer that is like all others of `key`; `make` returns its LayerDraft and is called once a key.
template <class Make>
void append_layer(Architecture& model, const LayerKey& key, const Make& make) {
  for (std::size_t i = 0; i < model.keys.size(); ++i)
    if (model.keys[i] == key) {
      model.order.push_back(static_cast<int>(i));
      return;
    }
  model.order.push_back(static_cast<int>(model.drafts.size()));
  model.keys.push_back(key);
  model.drafts.push_back(make());
}

// ── matrices ──

void add_columns(LayerDraft& layer, std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs,
                 std::int64_t pieces);
void add_rows(LayerDraft& layer, std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs,
              std::int64_t pieces);
void add_whole(LayerDraft& layer, std::string_view op, std::string_view module, Part part, std::int64_t inputs, std::int64_t outputs);
void add_experts(LayerDraft& layer, std::string_view op, std::string_view module, std::int64_t inputs, std::int64_t outputs,
                 std::int64_t experts, std::int64_t pieces);
// A vector, or a small table, that is added or multiplied elementwise. Cut into `pieces` with the matrix it belongs to; 1: whole.
void add_vector(LayerDraft& layer, std::string_view op, Part part, std::int64_t size, std::int64_t pieces = 1,
                Split split = Split::columns);
Weight norm_weight(std::string_view op, std::int64_t size);

// ── grouped-query attention: MHA, GQA, MQA, sliding, chunked ──

struct AttentionModules {
  std::string_view q = "self_attn.q_proj", k = "self_attn.k_proj", v = "self_attn.v_proj", o = "self_attn.o_proj";
};

enum class HeadNorm { none, per_head, whole };

struct GroupedQuery {
  AttentionKind kind = AttentionKind::full;
  std::int64_t heads = 0, kv_heads = 0, qk_dim = 0, v_dim = 0, window = 0;
  bool query_bias = false, kv_bias = false, output_bias = false;
  HeadNorm norm = HeadNorm::none;  // RMS norms of queries and keys
  bool output_gate = false;        // the query projection also yields a gate as wide as the values read
  bool sinks = false;              // one learnt logit a head
  bool stores_kv = true;           // false: no K and V projections either
  bool keys_are_values = false;    // no V projection
  AttentionModules modules{};
};

void add_grouped_query(LayerDraft& layer, std::int64_t hidden, const GroupedQuery& shape);

// Reads num_attention_heads, num_key_value_heads and head_dim as most configurations spell them.
struct Heads {
  std::int64_t heads = 1, kv_heads = 1, dim = 1;
};
Heads read_heads(const ModelFields& file, std::int64_t hidden);
// Refuses where `whole` is not a multiple of `part`.
void require_multiple(const ModelFields& file, std::string_view name, std::int64_t whole, std::string_view other, std::int64_t part);

// ── feed-forward ──

struct MlpModules {
  std::string_view gate = "mlp.gate_proj", up = "mlp.up_proj", down = "mlp.down_proj";
};

void add_gated_mlp(LayerDraft& layer, std::int64_t hidden, std::int64_t width, bool bias = false, const MlpModules& modules = {});
void add_plain_mlp(LayerDraft& layer, std::int64_t hidden, std::int64_t width, bool bias, const MlpModules& modules = {});

struct ExpertModules {
  std::string_view router = "mlp.gate", gate = "mlp.experts.0.gate_proj", down = "mlp.experts.0.down_proj";
  std::string_view shared_gate = "mlp.shared_experts.gate_proj", shared_down = "mlp.shared_experts.down_proj";
  std::string_view latent_down = "", latent_up = "";
};

struct ExpertMlp {
  std::int64_t experts = 0, active = 0, width = 0;
  std::int64_t shared = 0, shared_width = 0;  // number of shared experts, and the width of all of them together
  std::int64_t latent = 0;                    // width the routed experts see; 0: the model's
  bool gated = true;                          // three matrices an expert
  bool router_bias = false;                   // a score correction or a bias an expert
  bool expert_bias = false;
  bool shared_gate = false;  // a sigmoid that scales the shared expert
  bool latent_norm = false;
  ExpertModules modules{};
};

void add_expert_mlp(LayerDraft& layer, std::int64_t hidden, const ExpertMlp& shape);

// ── what nearly all families share ──

// hidden_size, vocab_size, max_position_embeddings, tie_word_embeddings and the final norm; returns the number of layers.
std::int64_t read_frame(const ModelFields& file, Architecture& model, bool tied_otherwise);
void read_frame_without_layers(const ModelFields& file, Architecture& model, bool tied_otherwise);
// The RMS norms before attention and before the feed-forward half.
void add_layer_norms(LayerDraft& layer, std::int64_t hidden, int norms = 2, bool bias = false);
// A multi-token-prediction module as DeepSeek-V3 lays it out: `block` with the norms of its two inputs and the projection
// [2 hidden x hidden] that joins them. Source: DeepSeek-V3 report, section 2.2.
LayerDraft mtp_module(LayerDraft block, std::int64_t hidden);

// ── the families ──

using Builder = void (*)(const ModelFields& file, Architecture& model);

void build_llama(const ModelFields& file, Architecture& model);
void build_mistral(const ModelFields& file, Architecture& model);
void build_qwen2(const ModelFields& file, Architecture& model);
void build_qwen3(const ModelFields& file, Architecture& model);
void build_phi3(const ModelFields& file, Architecture& model);
void build_mimo(const ModelFields& file, Architecture& model);
void build_nemotron_nas(const ModelFields& file, Architecture& model);

void build_mixtral(const ModelFields& file, Architecture& model);
void build_phimoe(const ModelFields& file, Architecture& model);
void build_qwen3_moe(const ModelFields& file, Architecture& model);
void build_gpt_oss(const ModelFields& file, Architecture& model);
void build_glm4_moe(const ModelFields& file, Architecture& model);
void build_llama4(const ModelFields& file, Architecture& model);
void build_minimax_m2(const ModelFields& file, Architecture& model);
void build_minimax_m3(const ModelFields& file, Architecture& model);
void build_mimo_v2(const ModelFields& file, Architecture& model);
void build_step3(const ModelFields& file, Architecture& model);

void build_deepseek_v2(const ModelFields& file, Architecture& model);
void build_deepseek_v3(const ModelFields& file, Architecture& model);
void build_deepseek_v32(const ModelFields& file, Architecture& model);
void build_deepseek_v4(const ModelFields& file, Architecture& model);
void build_glm_dsa(const ModelFields& file, Architecture& model);
void build_kimi_linear(const ModelFields& file, Architecture& model);

void build_qwen3_next(const ModelFields& file, Architecture& model);
void build_minimax_m1(const ModelFields& file, Architecture& model);
void build_nemotron_h(const ModelFields& file, Architecture& model);
void build_jamba(const ModelFields& file, Architecture& model);

void build_gemma2(const ModelFields& file, Architecture& model);
void build_gemma3(const ModelFields& file, Architecture& model);
void build_gemma4(const ModelFields& file, Architecture& model);

void build_gpt2(const ModelFields& file, Architecture& model);
void build_gptj(const ModelFields& file, Architecture& model);
void build_opt(const ModelFields& file, Architecture& model);
void build_bloom(const ModelFields& file, Architecture& model);
void build_falcon(const ModelFields& file, Architecture& model);
void build_calculon(const ModelFields& file, Architecture& model);
void build_llm_analysis(const ModelFields& file, Architecture& model);

}  // namespace fareline
