// SPDX-License-Identifier: Apache-2.0
// Published figures of passes, collectives, memory and speculation: what we say of the same thing.
#include <cmath>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "perf/speculation.h"

namespace fareline {
namespace {

Model model(std::string_view name) { return *Catalogue::built_in().model(name); }
System system_named(std::string_view name) { return *Catalogue::built_in().system(name); }
const Calibration& ideal() {
  static const Calibration calibration = *Catalogue::built_in().calibration("ideal");
  return calibration;
}

constexpr std::string_view llama = "meta-llama/Meta-Llama-3.1-70B";

// Dimensions of Llama 3 70B. Source: Meta, The Llama 3 Herd of Models, Table 3; its config.json for the vocabulary.
constexpr double layers = 80, hidden = 8192, width = 28672, vocabulary = 128256, kv_width = 8 * 128;

TEST(DecodeFloor, OfLlama70BOnEightH100IsAboutFiveMilliseconds) {
  // A step reads every matrix once: 68.4 billion numbers in the layers, 1.05 in the LM head, none but a row in the embedding.
  const double in_layers = layers * (2 * hidden * hidden + 2 * hidden * kv_width + 3 * hidden * width);
  const double head = hidden * vocabulary, norms = (2 * layers + 1) * hidden;
  const CompiledPlan plan = *compile(model(llama), system_named("hgx-h100"), ideal(), {.tp = 8});
  const Seconds floor = plan.estimate({.decode_sequences = 1, .decode_context = 0}).floor;
  const Seconds by_hand = (2 * ((in_layers + head) / 8 + norms) + 327'680.0 / 8) / 3.35e12 * unit::s;
  EXPECT_NEAR(floor / by_hand, 1, 1e-9);
  // "About 5.1 ms" is the layers alone; the LM head adds a part in 65.
  EXPECT_NEAR((2 * in_layers / 8 / 3.35e12 * unit::s).in(unit::ms), 5.1, 0.05);
  EXPECT_NEAR(floor.in(unit::ms), 5.1, 0.1);
}

TEST(KvPerToken, IsExact) {
  // 80 layers x 8 heads x (128 + 128) x 2 B. Source: the dimensions above.
  EXPECT_EQ(kv_bytes_per_token(model(llama), element_bytes(Format::bf16)).in(unit::B), 327'680);
  // 61 layers x (512 + 64) x 2 B. Source: DeepSeek-V3 Technical Report, section 4.2.
  EXPECT_EQ(kv_bytes_per_token(model("deepseek-ai/DeepSeek-V3"), element_bytes(Format::bf16)).in(unit::B), 70'272);
}

TEST(DecodeKv, ReadsTheHeadsThatAreKeptWhereLlmViewerReadsOneAQueryHead) {
  // hahnyuan/LLM-Viewer@01b269d:model_analyzer.py, fused attention of decode: bytes = context x head size x batch x query heads x
  // bytes an element. It counts the 64 query heads where 8 are kept, and one vector where a key and a value are.
  const double context = 4096, head_size = 128, query_heads = 64, batch = 4;
  const double viewer = layers * context * head_size * batch * query_heads * 2;
  const CompiledPlan plan = *compile(model(llama), system_named("hgx-h100"), ideal(), {.tp = 8});
  const double ours = 8 * plan.estimate({.decode_sequences = batch, .decode_context = context - 1}).kv.in(unit::B);
  EXPECT_NEAR(ours / (batch * context * 327'680), 1, 1e-12);  // the cache, once
  EXPECT_NEAR(viewer / (ours / 2), 8, 1e-12);                 // of keys alone, eight times over
}

TEST(GatedMlp, MultipliesThreeMatricesWhereBlisCountsTwo) {
  // kalantar/inference-sim@45ead86:sim/latency/roofline.go, mlpMatrixCount: two matrices, up and down, for every model, on the ground
  // that the width of a gated MLP is stated already reduced. Llama 3's config.json states the full width of all three.
  const CompiledPlan plan = *compile(model(llama), system_named("hgx-h100"), ideal(), {.tp = 8});
  const double tokens = 100, blis = 2 * tokens * 2 * hidden * width * layers;
  double ours = 0, bytes = 0;
  for (const OperatorEstimate& op : plan.explain({.prefill_sequences = 1, .prefill_tokens = tokens}))
    if (op.definition->label() == "gate_up" || op.definition->label() == "down") {
      ours += 8 * op.flops.in(unit::flop);
      bytes += 8 * op.weights.in(unit::B);
    }
  EXPECT_NEAR(ours / (2 * tokens * 3 * hidden * width * layers), 1, 1e-12);
  EXPECT_NEAR(blis / ours, 2.0 / 3, 1e-12);
  EXPECT_NEAR(bytes / (2 * 3 * hidden * width * layers), 1, 1e-12);
  // With two a layer the model would have 51.8 billion parameters, not the 70.6 its report says.
  EXPECT_NEAR(static_cast<double>(count_parameters(model(llama)).total) / 70.6e9, 1, 1e-3);
}

struct Acceptance {
  double acceptance, draft, factor;
};
// Leviathan, Kalman & Matias 2022, Table 1, column "speed" (drafts cost nothing): equation 1.
constexpr Acceptance leviathan_table_1[] = {{0.6, 2, 1.96}, {0.7, 3, 2.53}, {0.8, 2, 2.44},
                                            {0.8, 5, 3.69}, {0.9, 2, 2.71}, {0.9, 10, 6.86}};

TEST(Speculation, YieldsWhatLeviathansEquationOneSays) {
  for (const auto& [acceptance, draft, factor] : leviathan_table_1)
    EXPECT_NEAR(tokens_of_verified_step(draft, acceptance), factor, 0.006) << acceptance;
  // Leviathan et al. 2022, Tables 2 and 4: translation, T5-small, alpha 0.75, seven drafts of 0.02 steps each: 3.2 times; T5-base
  // 0.8 and 0.04: 3.3; T5-large 0.82 and 0.11: 2.5.
  EXPECT_NEAR(tokens_of_verified_step(7, 0.75) / (7 * 0.02 + 1), 3.2, 0.05);
  EXPECT_NEAR(tokens_of_verified_step(7, 0.8) / (7 * 0.04 + 1), 3.3, 0.05);
  EXPECT_NEAR(tokens_of_verified_step(7, 0.82) / (7 * 0.11 + 1), 2.5, 0.05);
}

// PaLM 540B on 64 TPU v4. Source: Pope et al. 2022, Table 2; decode is 64 steps after 2,048 tokens.
struct PopeRun {
  bool decode;
  double batch;
  Format weights;
  double seconds, mfu;
};
constexpr PopeRun pope_table_2[] = {{false, 1, Format::int8, 0.29, 0.43}, {true, 64, Format::int8, 1.82, 0.14},
                                    {false, 512, Format::bf16, 85.2, 0.76}, {true, 512, Format::bf16, 6.0, 0.33}};

TEST(PopeTable2, TakesLongerThanOurFloorAndMultipliesWhatWeCount) {
  const Model palm = model("google/palm-540b");
  const System pod = system_named("tpu-v4-pod");
  for (const PopeRun& run : pope_table_2) {
    // 16-way over the heads, as 48 divide no further; a quarter of that is the floor of four times the chips.
    const CompiledPlan plan = *compile(palm, pod, ideal(), {.tp = 16, .weights = run.weights});
    const double steps = run.decode ? 64 : 1;
    const PassEstimate e = run.decode ? plan.estimate({.decode_sequences = run.batch, .decode_context = 2048 + 32})
                                      : plan.estimate({.prefill_sequences = run.batch, .prefill_tokens = 2048});
    const Seconds floor = steps / 4 * max(e.flops / (275 * unit::TFLOP / unit::s), e.weights / pod.chip.hbm_bandwidth.value);
    EXPECT_LT(floor.in(unit::s), run.seconds) << run.batch;
    // MFU counts two FLOP a parameter and token: the embedding, which is the LM head, included, attention not.
    const double mfu = steps * 16 * e.flops.in(unit::flop) / (64 * 275e12 * run.seconds);
    EXPECT_NEAR(mfu / run.mfu, 1, 0.07) << run.batch << (run.decode ? " decode" : " prefill");
  }
}

// Worked problems of Austin et al., How to Scale Your Model. Source: jax-ml/scaling-book@0819a7d, the files named.

TEST(ScalingBook, AllGatherAndAllReduceOfASharding) {
  // sharding.md, question 2: [1024, 4096] in bf16, cut four ways along the other axis, gathered over four chips of 90 GB/s: 23 us; an
  // all-reduce of it whole: 190 us, which is twice the gathering of it. The book leaves out the (p - 1)/p.
  const RankGroup ring{.ranks = 4, .ranks_in_domain = 4, .direct = {{}, 90 * unit::GB / unit::s}, .phased = {{}, 90 * unit::GB / unit::s}};
  const Bytes whole = 2.0 * 1024 * 4096 * unit::B;
  EXPECT_NEAR((all_gather_time(ring, whole / 4) / (3.0 / 4)).in(unit::us), 23, 0.5);
  EXPECT_NEAR((all_reduce_time(ring, whole) / (3.0 / 4)).in(unit::us), 190, 4);
  EXPECT_NEAR(all_reduce_time(ring, whole) / all_gather_time(ring, whole), 2, 1e-12);
}

TEST(ScalingBook, ParametersAndKvOfItsModel) {
  // inference.md, question 1: 64 layers of 4096, MLPs of 16,384, 32 query and 8 KV heads of 256, a vocabulary of 32,128 used twice:
  // 18.4 billion parameters; 2 x 64 x 8 x 256 = 262,144 elements of KV a token.
  const auto book = read_model("book", R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096,
    "intermediate_size": 16384, "num_hidden_layers": 64, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 256,
    "vocab_size": 32128, "max_position_embeddings": 8192, "tie_word_embeddings": true, "hidden_act": "silu", "rms_norm_eps": 1e-6,
    "torch_dtype": "bfloat16"})");
  ASSERT_TRUE(book) << book.error().line();
  EXPECT_NEAR(static_cast<double>(count_parameters(*book).total) / 18.4e9, 1, 0.005);
  EXPECT_EQ(sequence_bytes(*book, Format::int8, 1).in(unit::B), 262'144);
}

TEST(ScalingBook, MemoryOfLlama70BInInt8) {
  // applied-inference.md, question 2: batch 32 of 8,192 tokens, all in int8: 112 GB, of which 41.9 GB are KV at 160 kB a token.
  const Bytes kv = 32 * sequence_bytes(model(llama), Format::int8, 8192);
  EXPECT_NEAR(kv.in(unit::GB), 41.9, 1.2);  // 163.84 kB a token, which the book rounds
  const Bytes weights = 8 * memory_use(model(llama), system_named("tpu-v5e-256"), {.tp = 8, .weights = Format::int8}, 1).weights;
  EXPECT_NEAR((weights + kv).in(unit::GB), 112, 4);
}

TEST(ScalingBook, LatencyOfLlama70BOnFullChips) {
  // applied-inference.md, question 6: a step that reads a full TPU v5e takes 19 ms; the int8 case holds 52 sequences of 8k on eight.
  const CompiledPlan plan =
      *compile(model(llama), system_named("tpu-v5e-256"), ideal(), {.tp = 8, .weights = Format::int8, .kv = Format::int8});
  EXPECT_NEAR(plan.estimate({.decode_sequences = 52, .decode_context = 8192}).floor.in(unit::ms), 19, 2.5);
  // Question 10: 8,192 tokens on sixteen chips at 40% of 197 TFLOP/s take 0.91 s, attention left out; the book multiplies the
  // embedding and the LM head for every token, we multiply the LM head for one: 2.1 of 70.6 billion.
  const CompiledPlan sixteen = *compile(model(llama), system_named("tpu-v5e-256"), ideal(), {.tp = 16});
  Flops products{};
  for (const OperatorEstimate& op : sixteen.explain({.prefill_sequences = 1, .prefill_tokens = 8192}))
    if (op.definition->kind == OperatorKind::matrix_product) products += op.flops;
  EXPECT_NEAR((products / (0.4 * 197 * unit::TFLOP / unit::s)).in(unit::s), 0.91, 0.05);
}

TEST(ScalingBook, CriticalBatchOfInt8) {
  // roofline.md, question 1: products of int8 matrices on a TPU v5e turn from bytes to FLOP at a batch of about 243.
  const System pod = system_named("tpu-v5e-256");
  const CompiledPlan plan = *compile(model(llama), pod, ideal(), {.weights = Format::int8});
  const auto bound_by_flop = [&](double batch) {
    for (const OperatorEstimate& op : plan.explain({.prefill_sequences = 1, .prefill_tokens = batch}))
      if (op.definition->label() == "gate_up")
        return op.flops / pod.chip.peak[static_cast<std::size_t>(Format::int8)].value > op.weights / pod.chip.hbm_bandwidth.value;
    return false;
  };
  EXPECT_FALSE(bound_by_flop(237));
  EXPECT_TRUE(bound_by_flop(249));
}

// vLLM's KV cache on H100. Source: llm-d-incubation/llm-d-planner@875a4fd:accuracy/accuracy_report.md, vLLM 0.19.0, gpu_memory_utilization
// 0.95: memory for KV of one rank = 0.95 x 79.19 GiB less what its tables list for weights, "activation" (torch peak) and
// "non-torch"; tokens where the report prints them.
struct CacheRun {
  std::string_view model;
  int tp;
  double weights, activation, non_torch;  // GiB
  double tokens;                          // 0: not printed
};
constexpr CacheRun cache_runs[] = {
    {"meta-llama/Meta-Llama-3.1-8B", 1, 14.99, 1.89, 0.25, 476'016}, {"meta-llama/Meta-Llama-3.1-8B", 2, 7.51, 1.89, 2.07, 0},
    {"meta-llama/Meta-Llama-3.1-8B", 4, 3.77, 1.89, 2.13, 0},        {"Qwen/Qwen2.5-7B-Instruct", 1, 14.25, 2.21, 0.24, 1'096'000},
    {"Qwen/Qwen2.5-7B-Instruct", 2, 7.12, 2.21, 2.06, 0},            {"Qwen/Qwen2.5-7B-Instruct", 4, 3.55, 2.21, 2.13, 0},
};

TEST(KvCapacity, IsWithinTwoPercentOfWhatVllmReports) {
  double error = 0;
  for (const CacheRun& run : cache_runs) {
    const Model served = model(run.model);
    const Plan plan{.tp = run.tp, .memory_fraction = 0.95};
    const MemoryUse use = memory_use(served, system_named("hgx-h100"), plan, 8192);
    const double measured = 0.95 * 79.19 - run.weights - run.activation - run.non_torch;
    EXPECT_NEAR(use.weights.in(unit::GiB) / run.weights, 1, 0.01) << run.model << ' ' << run.tp;
    EXPECT_NEAR(use.left().in(unit::GiB) / measured, 1, 0.02) << run.model << ' ' << run.tp;
    if (run.tokens > 0) {
      EXPECT_NEAR(kv_capacity_tokens(served, use, plan) / run.tokens, 1, 0.02) << run.model;
    }
    error += std::abs(use.left().in(unit::GiB) / measured - 1) / std::size(cache_runs);
  }
  RecordProperty("mean_absolute_error", std::to_string(error));
  EXPECT_LT(error, 0.01);
}

// Workspace of other models in the same report ("torch peak memory increase", vLLM 0.19.0, GiB), which nothing was fitted on.
struct Workspace {
  std::string_view model;
  int tp;
  double activation, within;
};
constexpr Workspace workspaces[] = {{"google/gemma-2-27b", 1, 3.64, 0.1},
                                    {"google/gemma-2-9b", 1, 3.64, 0.1},
                                    {"Qwen/Qwen3-8B", 1, 2.21, 0.1},
                                    {"microsoft/phi-4", 1, 1.52, 0.1},
                                    {"openai/gpt-oss-20b", 2, 2.87, 0.3},
                                    {"Qwen/Qwen3-30B-A3B", 1, 2.68, 0.3},
                                    {"deepseek-ai/DeepSeek-V2-Lite", 1, 1.93, 0.3},
                                    {"mistralai/Mixtral-8x7B-v0.1", 2, 1.21, 0.3}};

TEST(Workspace, IsWithinATenthOfAGibibyteOfVllmsForDenseModelsAndThreeTenthsForExperts) {
  for (const Workspace& w : workspaces)
    EXPECT_NEAR(memory_use(model(w.model), system_named("hgx-h100"), {.tp = w.tp}, 8192).activations.in(unit::GiB), w.activation, w.within)
        << w.model;
}

}  // namespace
}  // namespace fareline
