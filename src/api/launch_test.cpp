// SPDX-License-Identifier: Apache-2.0
#include "api/launch.h"

#include <gtest/gtest.h>

#include "catalog/catalog.h"

namespace fareline {
namespace {

// The arguments' names and what they mean are those of the engines' documentation, read in November 2026:
// https://docs.vllm.ai/en/latest/serving/expert_parallel_deployment/ (EP_SIZE = TP_SIZE x DP_SIZE) and data_parallel_deployment/,
// https://docs.sglang.io/advanced_features/server_arguments.html, https://nvidia.github.io/TensorRT-LLM/1.1.0rc5/commands/trtllm-serve/,
// https://nvidia.github.io/TensorRT-LLM/features/parallel-strategy.html and torch/auto_deploy/advanced/serving_with_trtllm_serve.html
// there (--config). That SGLang divides its chunk by the dp groups is in its server_args.py.

const Model& deepseek() {
  static const Model model = *Catalogue::built_in().model("deepseek-ai/DeepSeek-V3");
  return model;
}

constexpr LaunchLoad load{.sequences = 256, .context = 4608, .kv_share = 0.857, .shares_prefixes = true, .unit_chips = 8};

TEST(Launch, WritesDataParallelAttentionWithExpertsOverAllRanks) {
  const auto all = launch_commands("deepseek-ai/DeepSeek-V3", deepseek(), {.tp = 1, .ep = 8, .dp = 8}, load);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].command,
            "vllm serve deepseek-ai/DeepSeek-V3 --tensor-parallel-size 1 --data-parallel-size 8 --enable-expert-parallel "
            "--max-num-batched-tokens 8192 --max-num-seqs 32 --max-model-len 4608 --gpu-memory-utilization 0.9 --enable-prefix-caching");
  EXPECT_EQ(
      all[1].command,
      "python3 -m sglang.launch_server --model-path deepseek-ai/DeepSeek-V3 --tp-size 8 --dp-size 8 --enable-dp-attention --ep-size 8 "
      "--chunked-prefill-size 65536 --max-running-requests 256 --context-length 4608 --mem-fraction-static 0.85");
  EXPECT_EQ(all[2].command,
            "trtllm-serve deepseek-ai/DeepSeek-V3 --tp_size 8 --ep_size 8 --max_batch_size 32 --max_num_tokens 8192 --max_seq_len 4608 "
            "--kv_cache_free_gpu_memory_fraction 0.9 --config config.yaml");
  EXPECT_EQ(all[2].file, "enable_attention_dp: true\n");
  for (const LaunchCommand& one : all) EXPECT_EQ(one.note, "");
}

TEST(Launch, WritesTensorAndPipelineParallelismAndNarrowFormats) {
  const Model llama = *Catalogue::built_in().model("meta-llama/Llama-3.1-70B");
  const Plan plan{.tp = 4, .pp = 2, .weights = Format::fp8, .kv = Format::fp8, .token_budget = 2048};
  const auto all = launch_commands("meta-llama/Llama-3.1-70B", llama, plan, {.sequences = 64, .context = 3000, .kv_share = 0.8});
  EXPECT_EQ(all[0].command,
            "vllm serve meta-llama/Llama-3.1-70B --tensor-parallel-size 4 --pipeline-parallel-size 2 --max-num-batched-tokens 2048 "
            "--max-num-seqs 64 --max-model-len 3000 --gpu-memory-utilization 0.9 --quantization fp8 --kv-cache-dtype fp8");
  EXPECT_EQ(all[1].command,
            "python3 -m sglang.launch_server --model-path meta-llama/Llama-3.1-70B --tp-size 4 --pp-size 2 --chunked-prefill-size 2048 "
            "--max-running-requests 64 --context-length 3000 --mem-fraction-static 0.8 --quantization fp8 --kv-cache-dtype fp8_e4m3");
  EXPECT_EQ(all[2].file, "kv_cache_config:\n  dtype: fp8\n");
  EXPECT_EQ(all[2].note, "take a checkpoint in fp8");
}

TEST(Launch, SaysWhyWhereAnEngineHasNoArgumentsForALayout) {
  const auto all = launch_commands("deepseek-ai/DeepSeek-V3", deepseek(), {.tp = 4, .ep = 2, .dp = 2}, load);
  EXPECT_EQ(all[0].command, "");
  EXPECT_NE(all[0].note, "");
  EXPECT_NE(all[1].command, "");
  EXPECT_EQ(all[2].command, "");
  for (const LaunchCommand& one : launch_commands("m", deepseek(), {.tp = 4, .cp = 2}, load)) EXPECT_EQ(one.command, "");
  for (const char* stack : {"vllm", "sglang", "trtllm"}) {
    EXPECT_EQ(cannot_launch(stack, {.tp = 8}), "");
    EXPECT_EQ(cannot_launch(stack, {.tp = 8, .ep = 8}), "");
    EXPECT_EQ(cannot_launch(stack, {.ep = 16, .dp = 16}), "");
  }
}

TEST(Launch, SaysWhatAReplicaOverSeveralServersNeeds) {
  for (const LaunchCommand& one : launch_commands("deepseek-ai/DeepSeek-V3", deepseek(), {.ep = 16, .dp = 16}, load))
    EXPECT_NE(one.note, "");
}

}  // namespace
}  // namespace fareline
