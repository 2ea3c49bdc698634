// SPDX-License-Identifier: Apache-2.0
// A language model: what its config.json says, laid out as layers, matrices and what attention keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/format.h"
#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

// The part of the model a matrix belongs to: parameter counts and precision are stated by part.
enum class Part : unsigned char { embedding, attention, indexer, dense_mlp, router, experts, shared_experts, lm_head, norms, other };
inline constexpr int part_count = 10;
std::string_view name(Part part);

// How tensor parallelism cuts a matrix [inputs x outputs].
enum class Split : unsigned char {
  columns,     // outputs over ranks (QKV, gate and up)
  rows,        // inputs over ranks, partial sums reduced afterwards (output projection, down)
  replicated,  // whole on every rank (router, MLA down-projections)
  experts,     // one matrix an expert, dealt over the expert-parallel ranks, then cut over what tensor parallelism is left
};

// What a matrix is multiplied with, a pass.
enum class Use : unsigned char {
  tokens,          // every token of the pass
  context_tokens,  // in prefill every token of the context (MLA's expansion of latents); in decode every new token (absorbed)
  last_tokens,     // one token a sequence (LM head)
  lookup,          // rows are looked up, nothing is multiplied (embedding)
  elementwise,     // vectors: norms, biases, convolutions
};

struct Matrix {
  std::string op;            // the launch it is part of: matrices of one layer with the same op run as one kernel
  Part part = Part::other;
  std::int64_t inputs = 0, outputs = 0;
  std::int64_t copies = 1;   // as many in the layer (experts: their number)
  Split split = Split::replicated;
  std::int64_t shards_most = 1;  // pieces it can be cut into: KV heads for K and V; more ranks hold duplicates
  Use use = Use::tokens;
  Format format = Format::bf16;  // as published
  std::int64_t parameters() const { return inputs * outputs * copies; }
};

enum class AttentionKind : unsigned char {
  none,
  full,     // MHA, GQA or MQA over the whole context
  sliding,  // the last `window` tokens
  chunked,  // the tokens of the same chunk of `window`
  mla,      // latent attention: one vector a token for all heads
  linear,   // linear attention with a matrix state (gated delta net, lightning, KDA)
  mamba,    // Mamba-2 state space
};
std::string_view name(AttentionKind kind);

// What one layer's token mixer computes and keeps.
struct Attention {
  AttentionKind kind = AttentionKind::none;
  int heads = 0, kv_heads = 0;
  int qk_dim = 0, v_dim = 0;      // of one head; MLA: expanded (nope + rope, v)
  int window = 0;                 // sliding, chunked; 0: none
  // MLA: what is kept of a token, and the latent part of it that values are read from.
  int latent_dim = 0, rope_dim = 0;
  // Sparse selection: the indexer scores every kept token and attention reads the best `topk`; 0: none.
  int topk = 0;
  int index_heads = 0, index_dim = 0;
  int index_block = 1;            // tokens selected together
  bool stores_index = true;       // false: the selection of an earlier layer is used again
  int compress = 1;               // kept tokens are pooled, so many to one entry (DeepSeek-V4); window tokens stay whole beside them
  bool stores_kv = true;          // false: reads the KV of an earlier layer
  bool keys_are_values = false;   // one vector serves as key and value
  // linear, mamba: the state of one sequence.
  int state_heads = 0, state_rows = 0, state_columns = 0;  // recurrent matrix a head
  int conv_channels = 0, conv_taps = 0;                    // rolling convolution window
};

// The feed-forward half of a layer.
struct FeedForward {
  int experts = 0, active_experts = 0;  // 0: dense or none
  int shared_experts = 0;
  int intermediate = 0;                 // dense width, or an expert's
  int matrices = 3;                     // 3: gated (SwiGLU); 2: plain
  int expert_hidden = 0;                // width the experts see (latent MoE); 0: the model's
};

struct Layer {
  Attention attention;
  FeedForward feed_forward;
  std::vector<Matrix> matrices;  // all of the layer, vectors included
  int norms = 2;                 // norm kernels over the residual stream
};

struct Precision {
  Format weights = Format::bf16;      // where no part says otherwise
  Format kv = Format::bf16;
  Format activations = Format::bf16;  // what the multiplier is fed; weight-only formats leave 16-bit activations
};

struct PublishedCount {
  std::string source;
  std::int64_t total = 0, active = 0;  // 0: not published
  bool nominal = false;                // a rounded name ("70B"), not a count
};

struct Model {
  std::string name;          // "deepseek-ai/DeepSeek-V3"
  std::string architecture;  // "DeepseekV3ForCausalLM"
  std::string source;        // where the config.json was read
  int hidden = 0;
  std::int64_t vocabulary = 0;
  std::int64_t max_context = 0;       // 0: not stated
  bool tied_embeddings = false;
  std::vector<Layer> kinds;           // the distinct layers
  std::vector<int> order;             // kind of each layer, first to last
  Matrix embedding, lm_head;
  std::vector<Matrix> other;          // final norm, position embeddings, per-layer embeddings
  int residual_streams = 1;           // hyper-connections carry several
  std::vector<Layer> mtp;             // multi-token-prediction modules, not part of the counts below
  Precision precision;                // as published
  PublishedCount published;
  std::vector<std::string> notes;     // what the loader assumed, each a sentence with its source
  int layers() const { return static_cast<int>(order.size()); }
};

struct ParameterCount {
  std::int64_t total = 0, active = 0;        // active: touched by one token, embeddings rows counted whole as published counts do
  std::int64_t total_by_part[part_count] = {}, active_by_part[part_count] = {};
};

// Parameters of `model` by part, tied embeddings once, MTP modules left out.
// Source: the matrices of the published configuration. Assumes: a token uses active_experts experts and all shared ones.
ParameterCount count_parameters(const Model& model);

// Elements one layer keeps of one sequence whose context is `context` tokens: KV entries (grow with context up to the
// window), and the indexer's keys. Recurrent state is not in it.
double kept_elements(const Attention& attention, double context);
double index_elements(const Attention& attention, double context);
// Elements of a layer's recurrent state (kept in 4 bytes) and convolution window of one sequence.
double state_elements(const Attention& attention);

// KV bytes of one token over all layers, with `bytes` an element, as model cards count it: windows not yet full.
// Source: count of the kept vectors. Assumes: the first token; in a long context layers with a window or pooling add less.
Bytes kv_bytes_per_token(const Model& model, Bytes element);

// Returns `text` with Python's Infinity and NaN, which JSON does not have, as null outside of strings; nothing where there are none.
std::optional<std::string> without_nonfinite(std::string_view text);

// Reads a config.json (and the text of hf_quant_config.json, empty where there is none).
// Errors: not JSON, not a language model, an unknown model type, a field missing, of the wrong type or out of range.
Expected<Model> read_model(std::string_view name, std::string_view config_json, std::string_view hf_quant_json = {});

}  // namespace fareline
