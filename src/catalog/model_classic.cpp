// SPDX-License-Identifier: Apache-2.0
// The decoders before Llama: multi-head attention, a plain MLP, LayerNorms; and tables of them in other tools' fields.
#include <fmt/format.h>

#include <algorithm>

#include "catalog/model_architecture.h"

namespace fareline {

namespace {

struct Classic {
  std::int64_t layers = 0, heads = 0, kv_heads = 0, dim = 0, width = 0;
  std::int64_t positions = 0;  // rows of a table of learnt positions; 0: none
  bool attention_bias = true, mlp_bias = true;
  int norms = 2;
  bool norm_bias = true;
  bool embedding_norm = false;
  bool head_bias = false;
};

Weight layer_norm(std::string_view op, std::int64_t size, bool bias) { return norm_weight(op, bias ? 2 * size : size); }

void build_classic(const ModelFields& file, Architecture& model, const Classic& shape) {
  if (file.failed()) return;
  model.other.push_back(layer_norm("final_norm", model.hidden, shape.norm_bias));
  if (shape.embedding_norm) model.other.push_back(layer_norm("embedding_norm", model.hidden, shape.norm_bias));
  if (shape.positions)
    model.other.push_back(
        {.matrix =
             {.op = "position_embedding", .part = Part::embedding, .inputs = shape.positions, .outputs = model.hidden, .use = Use::lookup},
         .module = "",
         .linear = false});
  if (shape.head_bias) {
    LayerDraft head;
    add_vector(head, "lm_head", Part::lm_head, model.vocabulary, model.vocabulary);
    model.other.push_back(head.weights.front());
  }
  for (std::int64_t i = 0; i < shape.layers; ++i)
    append_layer(model, {}, [&] {
      LayerDraft draft;
      add_layer_norms(draft, model.hidden, shape.norms, shape.norm_bias);
      add_grouped_query(draft, model.hidden,
                        {.heads = shape.heads,
                         .kv_heads = shape.kv_heads,
                         .qk_dim = shape.dim,
                         .v_dim = shape.dim,
                         .query_bias = shape.attention_bias,
                         .kv_bias = shape.attention_bias,
                         .output_bias = shape.attention_bias});
      add_plain_mlp(draft, model.hidden, shape.width, shape.mlp_bias);
      return draft;
    });
}

// Width of a head, where hidden widths divide into them.
std::int64_t head_width(const ModelFields& file, std::string_view name, std::int64_t hidden, std::string_view heads_name,
                        std::int64_t heads) {
  require_multiple(file, name, hidden, heads_name, heads);
  if (hidden / heads > most_head_dimension) file.refuse(name, "makes heads too wide", "take both from one model's file");
  return std::clamp<std::int64_t>(hidden / heads, 1, most_head_dimension);
}

std::int64_t four_times(const ModelFields& file, std::string_view name, std::int64_t hidden) {
  if (file.has(name)) return file.whole(name);
  file.note_default(name, fmt::format("four times the hidden width, {}", 4 * hidden));
  if (4 * hidden > most_dimension) file.refuse(name, "four times the hidden width is out of range", "state the width");
  return 4 * hidden;
}

}  // namespace

void build_gpt2(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole_of("n_embd", "hidden_size");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole_of("n_positions", "n_ctx");
  model.tied = file.flag_or("tie_word_embeddings", true);
  Classic shape{.layers = file.whole_of("n_layer", "num_hidden_layers", most_layers),
                .heads = file.whole_of("n_head", "num_attention_heads", most_heads),
                .width = four_times(file, "n_inner", model.hidden),
                .positions = model.max_context};
  shape.kv_heads = shape.heads;
  shape.dim = head_width(file, "n_embd", model.hidden, "n_head", shape.heads);
  build_classic(file, model, shape);
}

void build_gptj(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole("n_embd");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole("n_positions");
  model.tied = file.flag_or("tie_word_embeddings", false);
  Classic shape{.layers = file.whole("n_layer", most_layers),
                .heads = file.whole("n_head", most_heads),
                .width = four_times(file, "n_inner", model.hidden),
                .attention_bias = false,
                .norms = 1,
                .head_bias = true};
  shape.kv_heads = shape.heads;
  shape.dim = head_width(file, "n_embd", model.hidden, "n_head", shape.heads);
  build_classic(file, model, shape);
}

void build_opt(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole("hidden_size");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole("max_position_embeddings");
  model.tied = file.flag_or("tie_word_embeddings", true);
  if (file.has("word_embed_proj_dim") && file.whole("word_embed_proj_dim") != model.hidden)
    file.refuse("word_embed_proj_dim", "differs from hidden_size", "this reader knows embeddings of the hidden width");
  const bool bias = file.flag_or("enable_bias", true);
  Classic shape{.layers = file.whole("num_hidden_layers", most_layers),
                .heads = file.whole("num_attention_heads", most_heads),
                .width = file.whole("ffn_dim"),
                .positions = model.max_context + 2,
                .attention_bias = bias,
                .mlp_bias = bias};
  shape.kv_heads = shape.heads;
  shape.dim = head_width(file, "hidden_size", model.hidden, "num_attention_heads", shape.heads);
  build_classic(file, model, shape);
}

void build_bloom(const ModelFields& file, Architecture& model) {
  model.hidden = file.has("n_embed") ? file.whole("n_embed") : file.whole("hidden_size");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole_if("seq_length", 0, most_dimension, 1);
  model.tied = file.flag_or("tie_word_embeddings", true);
  Classic shape{.layers = file.whole_of("n_layer", "num_hidden_layers", most_layers),
                .heads = file.whole_of("n_head", "num_attention_heads", most_heads),
                .width = 4 * model.hidden,
                .embedding_norm = true};
  if (shape.width > most_dimension) file.refuse("hidden_size", "is out of range", "BLOOM's MLP is four times as wide");
  shape.kv_heads = shape.heads;
  shape.dim = head_width(file, "hidden_size", model.hidden, "n_head", shape.heads);
  build_classic(file, model, shape);
}

void build_falcon(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole("hidden_size");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole_or("max_position_embeddings", 2048);
  model.tied = file.flag_or("tie_word_embeddings", true);
  const bool bias = file.flag_or("bias", false), grouped = file.flag_or("new_decoder_architecture", false);
  Classic shape{.layers = file.whole("num_hidden_layers", most_layers),
                .heads = file.whole("num_attention_heads", most_heads),
                .width = four_times(file, "ffn_hidden_size", model.hidden),
                .attention_bias = bias,
                .mlp_bias = bias};
  if (grouped) shape.kv_heads = file.whole_or("num_kv_heads", shape.heads, most_heads);
  else shape.kv_heads = file.flag_or("multi_query", true) ? 1 : shape.heads;
  require_multiple(file, "num_attention_heads", shape.heads, "num_kv_heads", shape.kv_heads);
  // Parallel halves share one norm unless the newer decoder gives each its own.
  if (!grouped && file.flag_or("parallel_attn", true)) shape.norms = 1;
  if (grouped && file.whole_if("num_ln_in_parallel_attn", 2, 2, 1) == 1) shape.norms = 1;
  shape.dim = head_width(file, "hidden_size", model.hidden, "num_attention_heads", shape.heads);
  build_classic(file, model, shape);
}

// {"hidden", "feedforward", "seq_size", "attn_heads", "attn_size", "num_blocks"}: GPT's transformer, whatever the model's own.
void build_calculon(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole("hidden");
  model.max_context = file.whole("seq_size");
  model.tied = true;
  if (file.has("vocab_size")) {
    model.vocabulary = file.whole("vocab_size");
  } else {
    model.vocabulary = 51200;
    file.note(
        "vocab_size is not in a table of calculon: 51200, GPT-2's tokens padded for sharding (Narayanan et al. 2021, "
        "Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM, section 5)");
  }
  file.note(
      "a table of calculon states GPT's transformer: multi-head attention, a plain MLP, LayerNorms, biases, learnt positions and tied "
      "embeddings");
  const std::int64_t heads = file.whole("attn_heads", most_heads);
  build_classic(file, model,
                {.layers = file.whole("num_blocks", most_layers),
                 .heads = heads,
                 .kv_heads = heads,
                 .dim = file.whole("attn_size", most_head_dimension),
                 .width = file.whole("feedforward"),
                 .positions = model.max_context});
}

// {"n_head", "hidden_dim", "ffn_embed_dim", "num_layers", "vocab_size", "max_seq_len", "num_key_value_heads", "model_type"}
void build_llm_analysis(const ModelFields& file, Architecture& model) {
  model.hidden = file.whole("hidden_dim");
  model.vocabulary = file.whole("vocab_size");
  model.max_context = file.whole_if("max_seq_len", 0, most_dimension, 1);
  const std::string type = file.text_or("model_type", "");
  const bool llama = type == "llama", gptj = type == "gptj";
  model.tied = !llama && !gptj;
  file.note(fmt::format("a table of llm-analysis states a transformer with two matrices an MLP; {} are taken from the model type \"{}\"",
                        "biases, learnt positions and tied embeddings", type.substr(0, 40)));
  const std::int64_t heads = file.whole("n_head", most_heads), kv_heads = file.whole_if("num_key_value_heads", heads, most_heads, 1);
  require_multiple(file, "n_head", heads, "num_key_value_heads", kv_heads);
  build_classic(file, model,
                {.layers = file.whole("num_layers", most_layers),
                 .heads = heads,
                 .kv_heads = kv_heads,
                 .dim = head_width(file, "hidden_dim", model.hidden, "n_head", heads),
                 .width = file.whole("ffn_embed_dim"),
                 .positions = llama || gptj ? 0 : model.max_context,
                 .attention_bias = !llama && !gptj,
                 .mlp_bias = !llama,
                 .norms = gptj ? 1 : 2,
                 .norm_bias = !llama,
                 .head_bias = gptj});
}

}  // namespace fareline
