// SPDX-License-Identifier: Apache-2.0
// FLOP and bytes of a pass against a slow recount: layer by layer, token by token, head by head, key by key, from the numbers a
// config.json states. Nothing of perf/ is used for it.
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "perf/compiled_plan.h"

namespace fareline {
namespace {

struct Shape {
  int layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate = 0, vocabulary = 0;
  int window = 0;
  bool head_norms = false, qkv_bias = false;
  int experts = 0, active = 0, shared = 0, expert_width = 0, leading_dense = 0;
  bool router_bias = false;
  int latent = 0, rope = 0, nope = 0, value = 0, query_rank = 0;  // latent attention
};

struct Layout {
  int tp = 1, ep = 1, dp = 1;
};

// Whole sequences, evenly over the dp groups.
struct Work {
  int decoding = 0, context = 0, verified = 1;
  int prompts = 0, fresh = 0, before = 0;
};

struct Count {
  double flop = 0, weight_bytes = 0, kv_bytes = 0;
};

// One rank's share, every element in two bytes.
Count recount(const Shape& s, const Layout& l, const Work& w) {
  constexpr int element = 2;
  Count count;
  const int heads = s.heads / l.tp, kv_heads = std::max(1, s.kv_heads / l.tp);
  const int decoding = w.decoding / l.dp, prompts = w.prompts / l.dp;
  const int new_tokens = decoding * w.verified + prompts * w.fresh, all_new_tokens = w.decoding * w.verified + w.prompts * w.fresh;
  const int context_tokens = decoding * w.verified + prompts * (w.before + w.fresh);
  const auto multiply = [&](int tokens, double inputs, double outputs) {
    count.weight_bytes += inputs * outputs * element;
    for (int t = 0; t < tokens; ++t) count.flop += 2 * inputs * outputs;
  };
  const auto vector = [&](double size) { count.weight_bytes += size * element; };
  const auto sees = [&](int token, int key) { return key <= token && (s.window == 0 || token - key < s.window); };

  for (int layer = 0; layer < s.layers; ++layer) {
    vector(s.hidden);
    vector(s.hidden);
    if (s.latent) {
      multiply(new_tokens, s.hidden, s.query_rank);
      vector(s.query_rank);
      multiply(new_tokens, s.hidden, s.latent + s.rope);
      vector(s.latent);
      for (int head = 0; head < heads; ++head) {
        multiply(new_tokens, s.query_rank, s.nope + s.rope);
        multiply(context_tokens, s.latent, s.nope + s.value);
        multiply(new_tokens, s.value, s.hidden);
      }
      for (int sequence = 0; sequence < decoding; ++sequence) {
        for (int token = w.context + 1; token <= w.context + w.verified; ++token)
          for (int head = 0; head < heads; ++head)
            for (int key = 1; key <= token; ++key) count.flop += 2 * (s.latent + s.rope) + 2 * s.latent;
        for (int key = 1; key <= w.context + w.verified; ++key) count.kv_bytes += (s.latent + s.rope) * element;
      }
      for (int prompt = 0; prompt < prompts; ++prompt) {
        for (int token = w.before + 1; token <= w.before + w.fresh; ++token)
          for (int head = 0; head < heads; ++head)
            for (int key = 1; key <= token; ++key) count.flop += 2 * (s.nope + s.rope) + 2 * s.value;
        for (int key = 1; key <= w.before + w.fresh; ++key) count.kv_bytes += heads * (s.nope + s.rope + s.value) * element;
      }
    } else {
      for (int head = 0; head < heads; ++head) {
        multiply(new_tokens, s.hidden, s.head_dim);  // query
        multiply(new_tokens, s.head_dim, s.hidden);  // output
        if (s.qkv_bias) vector(s.head_dim);
      }
      for (int head = 0; head < kv_heads; ++head)
        for (int key_or_value = 0; key_or_value < 2; ++key_or_value) {
          multiply(new_tokens, s.hidden, s.head_dim);
          if (s.qkv_bias) vector(s.head_dim);
        }
      if (s.head_norms) {
        vector(s.head_dim);
        vector(s.head_dim);
      }
      const auto attend = [&](int before, int fresh) {
        for (int token = before + 1; token <= before + fresh; ++token)
          for (int head = 0; head < heads; ++head)
            for (int key = 1; key <= token; ++key)
              if (sees(token, key)) count.flop += 2 * s.head_dim + 2 * s.head_dim;
      };
      for (int sequence = 0; sequence < decoding; ++sequence) {
        attend(w.context, w.verified);
        for (int key = 1; key <= w.context + w.verified; ++key)
          if (sees(w.context + w.verified, key)) count.kv_bytes += kv_heads * 2 * s.head_dim * element;
      }
      for (int prompt = 0; prompt < prompts; ++prompt) {
        attend(w.before, w.fresh);
        for (int key = 1; key <= w.before + w.fresh; ++key)  // what the first new token could still see, and all after it
          if (s.window == 0 || key > w.before - s.window) count.kv_bytes += kv_heads * 2 * s.head_dim * element;
      }
    }
    if (s.experts == 0 || layer < s.leading_dense) {
      for (int column = 0; column < s.intermediate / l.tp; ++column)
        for (int matrix = 0; matrix < 3; ++matrix) multiply(new_tokens, s.hidden, 1);  // gate, up, down
      continue;
    }
    multiply(new_tokens, s.hidden, s.experts);  // router
    if (s.router_bias) vector(s.experts);
    for (int column = 0; column < s.shared * s.expert_width / l.tp; ++column)
      for (int matrix = 0; matrix < 3; ++matrix) multiply(new_tokens, s.hidden, 1);
    // Every token sends itself to `active` experts; a rank has 1/ep of them on average, cut over the ranks that share an expert.
    const int expert_tp = l.tp * l.dp / l.ep;
    for (int token = 0; token < all_new_tokens; ++token)
      for (int expert = 0; expert < s.active; ++expert) count.flop += 2.0 * 3 * s.hidden * s.expert_width / expert_tp / l.ep;
    double untouched = 1;
    for (int token = 0; token < all_new_tokens; ++token) untouched *= 1 - static_cast<double>(s.active) / s.experts;
    for (int expert = 0; expert < s.experts / l.ep; ++expert)
      count.weight_bytes += (1 - untouched) * 3 * s.hidden * s.expert_width / expert_tp * element;
  }
  vector(s.hidden);
  multiply(decoding * w.verified + prompts, s.hidden, static_cast<double>(s.vocabulary) / l.tp);
  return count;
}

std::string config(const Shape& s) {
  std::string text = fmt::format(
      R"({{"hidden_size": {}, "num_hidden_layers": {}, "num_attention_heads": {}, "num_key_value_heads": {}, "intermediate_size": {}, )"
      R"("vocab_size": {}, "torch_dtype": "bfloat16", "rms_norm_eps": 1e-6, "hidden_act": "silu", "max_position_embeddings": 4096, )"
      R"("tie_word_embeddings": false, )",
      s.hidden, s.layers, s.heads, s.kv_heads, s.intermediate, s.vocabulary);
  if (s.latent)
    return text +
           fmt::format(
               R"("architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "q_lora_rank": {}, "kv_lora_rank": {}, )"
               R"("qk_rope_head_dim": {}, "qk_nope_head_dim": {}, "v_head_dim": {}, "n_routed_experts": {}, "num_experts_per_tok": {}, )"
               R"("n_shared_experts": {}, "moe_intermediate_size": {}, "first_k_dense_replace": {}, "moe_layer_freq": 1, )"
               R"("n_group": 1, "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.0, "scoring_func": "sigmoid", )"
               R"("topk_method": "noaux_tc", "num_nextn_predict_layers": 0, "attention_bias": false}})",
               s.query_rank, s.latent, s.rope, s.nope, s.value, s.experts, s.active, s.shared, s.expert_width, s.leading_dense);
  text += fmt::format(R"("head_dim": {}, )", s.head_dim);
  if (s.experts)
    return text +
           fmt::format(
               R"("architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": {}, "num_experts_per_tok": {}, )"
               R"("moe_intermediate_size": {}, "decoder_sparse_step": 1, "mlp_only_layers": [], "norm_topk_prob": true, )"
               R"("attention_bias": false}})",
               s.experts, s.active, s.expert_width);
  if (s.window)
    return text + fmt::format(R"("architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": {}}})", s.window);
  if (s.qkv_bias) return text + R"("architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "use_sliding_window": false})";
  return text + R"("architectures": ["LlamaForCausalLM"], "model_type": "llama"})";
}

void agree(const Model& model, const Shape& shape, const Layout& layout, const Work& work, double tolerance = 1e-12) {
  const System system = *Catalogue::built_in().system("gb200-nvl72");
  const Calibration calibration = *Catalogue::built_in().calibration("ideal");
  const auto plan =
      compile(model, system, calibration, {.tp = layout.tp, .ep = layout.ep, .dp = layout.dp, .weights = Format::bf16, .kv = Format::bf16});
  ASSERT_TRUE(plan) << model.name;
  const PassEstimate e = plan->estimate({.decode_sequences = static_cast<double>(work.decoding),
                                         .decode_context = static_cast<double>(work.context),
                                         .tokens_per_sequence = static_cast<double>(work.verified),
                                         .prefill_sequences = static_cast<double>(work.prompts),
                                         .prefill_tokens = static_cast<double>(work.fresh),
                                         .prefill_context = static_cast<double>(work.before)});
  const Count count = recount(shape, layout, work);
  const std::string where =
      fmt::format("{}: tp {} ep {} dp {}, {} decoding at {} by {}, {} prompts of {} after {}", model.name, layout.tp, layout.ep, layout.dp,
                  work.decoding, work.context, work.verified, work.prompts, work.fresh, work.before);
  EXPECT_NEAR(e.flops.in(unit::flop) / count.flop, 1, tolerance) << where;
  EXPECT_NEAR(e.weights.in(unit::B) / count.weight_bytes, 1, tolerance) << where;
  EXPECT_NEAR(e.kv.in(unit::B) / count.kv_bytes, 1, tolerance) << where;
}

constexpr Work works[] = {{.decoding = 4, .context = 30},
                          {.decoding = 4, .context = 5, .verified = 4},
                          {.prompts = 4, .fresh = 21},
                          {.prompts = 4, .fresh = 9, .before = 40},
                          {.decoding = 8, .context = 50, .prompts = 4, .fresh = 17, .before = 3}};

void agree_on_every_pass(const Shape& shape, std::initializer_list<Layout> layouts) {
  const auto model = read_model("synthetic", config(shape));
  ASSERT_TRUE(model) << model.error().line();
  for (const Layout& layout : layouts)
    for (const Work& work : works) {
      // Tokens verified together reach their windows unevenly: with windows the count of KV is of the last one.
      agree(*model, shape, layout, work);
    }
}

TEST(Recount, OfMultiHeadAttention) {
  agree_on_every_pass({.layers = 3, .hidden = 64, .heads = 8, .kv_heads = 8, .head_dim = 8, .intermediate = 160, .vocabulary = 320},
                      {{}, {.tp = 2}, {.tp = 8}});
}
TEST(Recount, OfGroupedQueriesAlsoWhereKvHeadsAreDuplicated) {
  agree_on_every_pass({.layers = 2, .hidden = 64, .heads = 8, .kv_heads = 2, .head_dim = 16, .intermediate = 160, .vocabulary = 320},
                      {{}, {.tp = 2}, {.tp = 4}, {.tp = 8}});
}
TEST(Recount, OfBiasesOnQueriesKeysAndValues) {
  agree_on_every_pass(
      {.layers = 2, .hidden = 64, .heads = 8, .kv_heads = 4, .head_dim = 8, .intermediate = 96, .vocabulary = 160, .qkv_bias = true},
      {{}, {.tp = 4}});
}
TEST(Recount, OfASlidingWindow) {
  agree_on_every_pass(
      {.layers = 2, .hidden = 64, .heads = 8, .kv_heads = 2, .head_dim = 8, .intermediate = 96, .vocabulary = 160, .window = 12},
      {{}, {.tp = 2}});
}
TEST(Recount, OfExpertsOverRanksAndGroups) {
  agree_on_every_pass({.layers = 2,
                       .hidden = 64,
                       .heads = 8,
                       .kv_heads = 4,
                       .head_dim = 8,
                       .intermediate = 96,
                       .vocabulary = 160,
                       .head_norms = true,
                       .experts = 16,
                       .active = 3,
                       .expert_width = 32},
                      {{}, {.tp = 4}, {.tp = 4, .ep = 4}, {.tp = 4, .ep = 2}, {.ep = 4, .dp = 4}, {.tp = 2, .ep = 4, .dp = 2}});
}
TEST(Recount, OfLatentAttentionWithSharedExpertsAndALeadingDenseLayer) {
  agree_on_every_pass({.layers = 3,
                       .hidden = 64,
                       .heads = 8,
                       .kv_heads = 8,
                       .intermediate = 96,
                       .vocabulary = 160,
                       .experts = 16,
                       .active = 3,
                       .shared = 2,
                       .expert_width = 16,
                       .leading_dense = 1,
                       .router_bias = true,
                       .latent = 24,
                       .rope = 8,
                       .nope = 16,
                       .value = 12,
                       .query_rank = 40},
                      {{}, {.tp = 4}, {.ep = 4, .dp = 4}});
}

// Dimensions: Meta, The Llama 3 Herd of Models, Table 3.
constexpr Shape llama_70b{
    .layers = 80, .hidden = 8192, .heads = 64, .kv_heads = 8, .head_dim = 128, .intermediate = 28672, .vocabulary = 128256};
// Dimensions: DeepSeek-AI, DeepSeek-V3 Technical Report, section 4.2.
constexpr Shape deepseek_v3{.layers = 61,
                            .hidden = 7168,
                            .heads = 128,
                            .kv_heads = 128,
                            .intermediate = 18432,
                            .vocabulary = 129280,
                            .experts = 256,
                            .active = 8,
                            .shared = 1,
                            .expert_width = 2048,
                            .leading_dense = 3,
                            .router_bias = true,
                            .latent = 512,
                            .rope = 64,
                            .nope = 128,
                            .value = 128,
                            .query_rank = 1536};

TEST(Recount, OfLlama3With70BillionParameters) {
  const Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-70B");
  agree(model, llama_70b, {.tp = 8}, {.decoding = 3, .context = 500}, 1e-9);
  agree(model, llama_70b, {.tp = 4}, {.prompts = 1, .fresh = 60, .before = 100}, 1e-9);
}

TEST(Recount, OfDeepSeekV3) {
  const Model model = *Catalogue::built_in().model("deepseek-ai/DeepSeek-V3");
  // The router's bias is 58 x 256 numbers in 37 billion, kept in another format than two bytes.
  agree(model, deepseek_v3, {.ep = 64, .dp = 64}, {.decoding = 64, .context = 400}, 1e-5);
  agree(model, deepseek_v3, {.tp = 8, .ep = 8}, {.decoding = 2, .context = 100, .prompts = 1, .fresh = 40, .before = 20}, 1e-5);
}

}  // namespace
}  // namespace fareline
