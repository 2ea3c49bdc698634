// SPDX-License-Identifier: Apache-2.0
// What the tables' names mean: systems, models at a precision, and what launch scripts set.
#include <algorithm>
#include <array>

#include "truth/serving_formats.h"

namespace fareline::serving {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Letters and digits alone, in lower case: "Llama 3.1 8B" and "llama-3.1_8b" are one name.
std::string bare(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (const char l = lower(c); (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || l == '.') out.push_back(l);
  return out;
}

struct NameRow {
  std::string_view label, system;
};
// Labels as `bare` leaves them. A100's in the static tables is the SXM 80 GB one: NVIDIA, DGX A100 data sheet.
constexpr auto system_rows = std::to_array<NameRow>({
    {"h100sxm", "hgx-h100"},
    {"h100", "hgx-h100"},
    {"h10080gb", "hgx-h100"},
    {"h100sxm80gb", "hgx-h100"},
    {"h100sxm80gbhbm3", "hgx-h100"},
    {"nvidiah100sxm80gb", "hgx-h100"},
    {"h200sxm", "hgx-h200"},
    {"h200", "hgx-h200"},
    {"h200sxm141gb", "hgx-h200"},
    {"nvidiah200sxm141gb", "hgx-h200"},
    {"b200sxm", "hgx-b200"},
    {"b200", "hgx-b200"},
    {"b300", "hgx-b300"},
    {"b300sxm", "hgx-b300"},
    {"gb200", "gb200-nvl72"},
    {"gb300", "gb300-nvl72"},
    {"mi300x", "mi300x-8"},
    {"mi325x", "mi325x-8"},
    {"mi355x", "mi355x-8"},
    {"amdinstinctmi300x192gbhbm3", "mi300x-8"},
    {"amdinstinctmi300xnps1spx192gb750w", "mi300x-8"},
    {"amdmi300xnps1spx192gb750w", "mi300x-8"},
    {"a100sxm480gb", "dgx-a100"},
    {"a10080gb", "dgx-a100"},
    {"a100sxm", "dgx-a100"},
    {"a10080gbsxmassumeddocsaysonlya100", "dgx-a100"},
    {"a10080gbsxmdgxsuperpod8x200gbib", "dgx-a100"},
    {"l40s", "l40s-8"},
    {"nvidial40s", "l40s-8"},
    {"gh200480gb", "gh200-1"},
    {"nvidiah100nvl94gb", "h100-nvl-2"},
    {"nvidiah100pcie80gb", "h100-pcie-8"},
    {"nvidiagh200gracehoppersuperchip96gb", "gh200-1"},
    {"rtxpro6000", "rtx-pro-6000-8"},
    {"a6000", "rtx-a6000-4"},
    {"rtxa6000", "rtx-a6000-4"},
    {"rtx6000ada", "rtx-6000-ada-1"},
    {"rtx4090", "rtx-4090-1"},
    {"rtx5090", "rtx-5090-1"},
    {"l4", "l4-8"},
    {"a100", "dgx-a100"},
});

struct ModelRow {
  std::string_view label;      // as `bare` leaves it
  std::string_view precision;  // of the table; "" as published
  ModelChoice choice;
};
// Which published configuration stands for a model at a precision. FP8 and NVFP4 of NVIDIA are their own repositories, whose
// quantization files say what stays wide; DeepSeek-R1's NVFP4 has DeepSeek-V3.1-NVFP4's shapes and list (nvidia/DeepSeek-R1-0528-FP4-v2
// model card). Llama-70B in NVFP4 quantizes every product of its blocks (nvidia/Llama-3.3-70B-Instruct-FP4 model card).
constexpr auto dsr1 = "deepseek-ai/DeepSeek-R1", dsr1_fp4 = "nvidia/DeepSeek-V3.1-NVFP4";
constexpr auto llama70 = "meta-llama/Llama-3.1-70B", llama70_fp8 = "nvidia/Llama-3.1-70B-Instruct-FP8";
constexpr auto model_rows = std::to_array<ModelRow>({
    {"deepseekr1", "fp8", {dsr1, {}, {}}},
    {"deepseekr1", "fp8_block", {dsr1, {}, {}}},
    {"deepseekr1", "fp4", {dsr1_fp4, {}, {}}},
    {"deepseekr1nvfp4", "fp4", {dsr1_fp4, {}, {}}},
    {"deepseekv3", "fp8", {"deepseek-ai/DeepSeek-V3", {}, {}}},
    {"deepseekv3", "fp8_block", {"deepseek-ai/DeepSeek-V3", {}, {}}},
    {"deepseekv3", "fp4", {dsr1_fp4, {}, {}}},
    {"deepseekv3.1nvfp4", "fp4", {dsr1_fp4, {}, {}}},
    {"dsr1", "fp8", {dsr1, {}, {}}},
    {"dsr1", "fp4", {dsr1_fp4, {}, {}}},
    {"dsv4", "fp4", {"deepseek-ai/DeepSeek-V4-Pro", {}, {}}},
    {"dsv4", "fp8", {"sgl-project/DeepSeek-V4-Pro-FP8", {}, {}}},
    {"gptoss120b", "", {"openai/gpt-oss-120b", {}, {}}},
    {"gptoss120b", "fp4", {"openai/gpt-oss-120b", {}, {}}},
    {"gptoss120b", "fp8", {"openai/gpt-oss-120b", {}, {}}},
    {"gptoss20b", "", {"openai/gpt-oss-20b", {}, {}}},
    {"gptoss20b", "fp4", {"openai/gpt-oss-20b", {}, {}}},
    {"llama70b", "fp8", {llama70_fp8, {}, {}}},
    {"llama70b", "fp4", {llama70, Format::nvfp4, {}}},
    {"llama70b", "bf16", {llama70, {}, {}}},
    {"llama3.170b", "fp8", {llama70_fp8, {}, {}}},
    {"llama3.170b", "fp4", {llama70, Format::nvfp4, {}}},
    {"llama3.170b", "", {llama70, {}, {}}},
    {"llama3.170b", "fp16", {llama70, Format::fp16, {}}},
    {"llama3.170binstruct", "", {llama70, {}, {}}},
    {"llama3.170binstruct", "fp8", {llama70_fp8, {}, {}}},
    {"llamav3.170b", "fp8", {llama70_fp8, {}, {}}},
    {"llamav3.170b", "fp16", {llama70, Format::fp16, {}}},
    {"llama3.370b", "fp8", {llama70_fp8, {}, {}}},
    {"llama3.370b", "fp4", {llama70, Format::nvfp4, {}}},
    {"llama3.18b", "", {"meta-llama/Llama-3.1-8B-Instruct", {}, {}}},
    {"llama3.18b", "fp8", {"meta-llama/Llama-3.1-8B-Instruct", Format::fp8, {}}},
    {"llama3.18b", "fp4", {"meta-llama/Llama-3.1-8B-Instruct", Format::nvfp4, {}}},
    {"llama3.18b", "fp16", {"meta-llama/Llama-3.1-8B-Instruct", Format::fp16, {}}},
    {"llama3.18binstruct", "", {"meta-llama/Llama-3.1-8B-Instruct", {}, {}}},
    {"llama3.18binstruct", "fp8", {"meta-llama/Llama-3.1-8B-Instruct", Format::fp8, {}}},
    {"llamav3.18b", "fp8", {"meta-llama/Llama-3.1-8B-Instruct", Format::fp8, {}}},
    {"llamav3.18b", "fp16", {"meta-llama/Llama-3.1-8B-Instruct", Format::fp16, {}}},
    {"llama3.1405b", "fp8", {"meta-llama/Llama-3.1-405B", Format::fp8, {}}},
    {"llama3.1405b", "fp4", {"meta-llama/Llama-3.1-405B", Format::nvfp4, {}}},
    {"llamav3.1405b", "fp8", {"meta-llama/Llama-3.1-405B", Format::fp8, {}}},
    {"llamav3.1405b", "fp16", {"meta-llama/Llama-3.1-405B", Format::fp16, {}}},
    {"llama4scout", "fp8", {"meta-llama/Llama-4-Scout-17B-16E-Instruct", Format::fp8, {}}},
    {"llama4scout", "fp4", {"meta-llama/Llama-4-Scout-17B-16E-Instruct", Format::nvfp4, {}}},
    {"llama4maverick", "fp8", {"meta-llama/Llama-4-Maverick-17B-128E-Instruct", Format::fp8, {}}},
    {"llama4maverick", "fp4", {"meta-llama/Llama-4-Maverick-17B-128E-Instruct", Format::nvfp4, {}}},
    {"llama7b", "fp16", {"meta-llama/Llama-2-7b-hf", Format::fp16, {}}},
    {"llama7b", "fp8", {"meta-llama/Llama-2-7b-hf", Format::fp8, {}}},
    {"llama270b", "fp16", {"meta-llama/Llama-2-70b-hf", Format::fp16, {}}},
    {"llama270b", "fp8", {"meta-llama/Llama-2-70b-hf", Format::fp8, {}}},
    {"llama270b", "fp4", {"meta-llama/Llama-2-70b-hf", Format::nvfp4, {}}},
    {"qwen332b", "", {"Qwen/Qwen3-32B", {}, {}}},
    {"qwen332b", "fp8", {"Qwen/Qwen3-32B", Format::fp8, {}}},
    {"qwen332b", "fp8_block", {"Qwen/Qwen3-32B", Format::fp8_block, {}}},
    {"qwen332b", "bf16", {"Qwen/Qwen3-32B", {}, {}}},
    {"qwen3235ba22b", "", {"Qwen/Qwen3-235B-A22B", {}, {}}},
    {"qwen3235ba22b", "fp8", {"Qwen/Qwen3-235B-A22B-FP8", {}, {}}},
    {"qwen3235ba22b", "fp4", {"nvidia/Qwen3-235B-A22B-NVFP4", {}, {}}},
    {"qwen330ba3b", "fp8", {"Qwen/Qwen3-30B-A3B-FP8", {}, {}}},
    {"qwen330ba3b", "", {"Qwen/Qwen3-30B-A3B", {}, {}}},
    {"qwen3.5", "bf16", {"Qwen/Qwen3.5-397B-A17B", {}, {}}},
    {"qwen3.5", "fp8", {"Qwen/Qwen3.5-397B-A17B", Format::fp8_block, {}}},
    {"qwen3.5", "fp4", {"nvidia/Qwen3.5-397B-A17B-NVFP4", {}, {}}},
    {"kimik2.5", "int4", {"moonshotai/Kimi-K2.5", {}, {}}},
    {"kimik2.5", "fp4", {"nvidia/Kimi-K2.5-NVFP4", {}, {}}},
    {"glm5", "bf16", {"zai-org/GLM-5", {}, {}}},
    {"glm5", "fp8", {"zai-org/GLM-5-FP8", {}, {}}},
    {"glm5", "fp4", {"nvidia/GLM-5-NVFP4", {}, {}}},
    {"glm5.1", "bf16", {"zai-org/GLM-5.1", {}, {}}},
    {"glm5.1", "fp8", {"zai-org/GLM-5.1-FP8", {}, {}}},
    {"glm5.1", "fp4", {"nvidia/GLM-5.1-NVFP4", {}, {}}},
    {"minimaxm2.5", "fp8", {"MiniMaxAI/MiniMax-M2.5", {}, {}}},
    {"minimaxm2.5", "fp4", {"nvidia/MiniMax-M2.5-NVFP4", {}, {}}},
    {"minimaxm3", "bf16", {"MiniMaxAI/MiniMax-M3", {}, {}}},
    {"minimaxm3", "fp8", {"MiniMaxAI/MiniMax-M3", Format::mxfp8, {}}},
    {"minimaxm3", "fp4", {"nvidia/MiniMax-M3-NVFP4", {}, {}}},
    {"mixtral8x7b", "fp8", {"mistralai/Mixtral-8x7B-v0.1", Format::fp8, {}}},
    {"mixtral8x7b", "fp16", {"mistralai/Mixtral-8x7B-v0.1", Format::fp16, {}}},
    {"mixtral8x22b", "fp8", {"mistralai/Mixtral-8x22B-v0.1", Format::fp8, {}}},
    {"mixtral8x22b", "fp16", {"mistralai/Mixtral-8x22B-v0.1", Format::fp16, {}}},
    {"mistral7b", "fp8", {"mistralai/Mistral-7B-v0.1", Format::fp8, {}}},
    {"mistral7b", "fp16", {"mistralai/Mistral-7B-v0.1", Format::fp16, {}}},
    {"gptj", "fp8", {"EleutherAI/gpt-j-6b", Format::fp8, {}}},
    {"gptj", "fp16", {"EleutherAI/gpt-j-6b", Format::fp16, {}}},
    {"gptj6b", "fp8", {"EleutherAI/gpt-j-6b", Format::fp8, {}}},
    {"gptj6b", "fp16", {"EleutherAI/gpt-j-6b", Format::fp16, {}}},
    {"llama70b", "fp16", {"meta-llama/Llama-2-70b-hf", Format::fp16, {}}},
    {"falcon180b", "fp8", {"tiiuae/falcon-180B", Format::fp8, {}}},
    {"falcon180b", "fp16", {"tiiuae/falcon-180B", Format::fp16, {}}},
    {"bloom176b", "fp16", {"bigscience/bloom", Format::fp16, {}}},
    {"megatron530b", "fp16", {"nvidia/megatron-turing-nlg-530b", Format::fp16, {}}},
    {"gpt175b", "fp16", {"openai/gpt3-175b", Format::fp16, {}}},
});

// What InferenceX's launch scripts set, by engine, model and chip; "*" for any. `tokens` of a step: 0 as TensorRT-LLM's scripts
// compute it, users + prompt + 64 rounded up to 64; -1 the longest request.
struct LaunchRow {
  std::string_view stack, model, chip;
  Format kv;
  int tokens;
  double memory;
  std::string_view source;  // SemiAnalysisAI/InferenceX@commit:path
};
constexpr auto launch_rows = std::to_array<LaunchRow>({
    {"vllm", "llama", "hgx-h100", Format::fp8, 8192, 0.9, "2a205bb:benchmarks/70b_fp8_h100_slurm.sh"},
    {"vllm", "llama", "hgx-h200", Format::fp8, 8192, 0.9, "409e9a4:benchmarks/70b_fp8_h200_slurm.sh"},
    {"vllm", "llama", "hgx-b200", Format::fp8, 8192, 0.9, "bb4c7f9:benchmarks/70b_fp8_b200_docker.sh"},
    {"trtllm", "llama", "*", Format::fp8, -1, 0.9, "73ef922:benchmarks/70b_fp8_h200_trt_slurm.sh"},
    {"vllm", "gpt-oss", "hgx-h100", Format::bf16, 8192, 0.9, "2e46dba:benchmarks/gptoss_fp4_h100_slurm.sh"},
    {"vllm", "gpt-oss", "hgx-h200", Format::bf16, 8192, 0.9, "2e46dba:benchmarks/gptoss_fp4_h100_slurm.sh"},
    {"vllm", "gpt-oss", "hgx-b200", Format::fp8, 8192, 0.9, "2e46dba:benchmarks/gptoss_fp4_b200_docker.sh"},
    {"trtllm", "gpt-oss", "hgx-h200", Format::bf16, 20000, 0.85, "2e46dba:benchmarks/gptoss_fp4_h200_trt_slurm.sh"},
    {"trtllm", "gpt-oss", "*", Format::fp8, 20000, 0.85, "0d8d7d1:benchmarks/gptoss_fp4_b200_trt_slurm.sh"},
    {"sglang", "deepseek", "hgx-h200", Format::bf16, 32768, 0.82, "11cc03b:benchmarks/dsr1_fp8_h200_slurm.sh"},
    {"sglang", "deepseek", "*", Format::fp8, 16384, 0.85, "2e46dba:benchmarks/dsr1_fp4_b200_docker.sh"},
    {"trtllm", "deepseek", "hgx-h200", Format::fp8, 0, 0.75, "2e46dba:benchmarks/dsr1_fp8_h200_trt_slurm.sh"},
    {"trtllm", "deepseek", "*", Format::fp8, 0, 0.85, "07d82b1:benchmarks/dsr1_fp4_b200_trt_slurm.sh"},
    {"trtllm", "*", "*", Format::fp8, 8192, 0.9, "as its other scripts for this engine"},
    {"vllm", "*", "*", Format::bf16, 8192, 0.9, "vLLM documentation, Engine Arguments: kv-cache-dtype auto"},
    {"sglang", "*", "*", Format::bf16, 8192, 0.85, "SGLang documentation, Server Arguments: kv-cache-dtype auto"},
    {"*", "*", "*", Format::bf16, 8192, 0.9, "as vLLM's defaults"},
});

bool stands_for(std::string_view pattern, std::string_view text) { return pattern == "*" || text.find(pattern) != std::string_view::npos; }

}  // namespace

std::optional<std::string_view> system_named(std::string_view text) {
  const std::string label = bare(text);
  for (const NameRow& row : system_rows)
    if (row.label == label) return row.system;
  return std::nullopt;
}

bool model_known(std::string_view text) {
  if (const auto slash = text.rfind('/'); slash != std::string_view::npos) text.remove_prefix(slash + 1);
  const std::string label = bare(text);
  return std::any_of(model_rows.begin(), model_rows.end(), [&](const ModelRow& row) { return row.label == label; });
}

std::optional<ModelChoice> model_named(std::string_view text, std::string_view precision) {
  if (const auto slash = text.rfind('/'); slash != std::string_view::npos) text.remove_prefix(slash + 1);
  const std::string label = bare(text);
  for (const ModelRow& row : model_rows)
    if (row.label == label && row.precision == precision) return row.choice;
  return std::nullopt;
}

std::vector<std::string_view> systems() {
  std::vector<std::string_view> all;
  for (const NameRow& row : system_rows) all.push_back(row.system);
  return all;
}

std::vector<ModelChoice> models() {
  std::vector<ModelChoice> all;
  for (const ModelRow& row : model_rows) all.push_back(row.choice);
  return all;
}

Scheduling usual_scheduling(std::string_view stack) {
  return {.prompts_alone = stack == "sglang", .whole_prompts = stack == "trtllm"};
}

Launch launched(const ServingSetup& s) {
  std::string name(s.model);
  std::transform(name.begin(), name.end(), name.begin(), lower);
  Launch launch{.kv = Format::bf16, .token_budget = 8192, .memory_fraction = 0.9, .scheduling = usual_scheduling(s.stack)};
  for (const LaunchRow& row : launch_rows) {
    if (!stands_for(row.stack, s.stack) || !stands_for(row.model, name) || !stands_for(row.chip, s.system)) continue;
    const int users_and_prompt = (static_cast<int>(s.sequences + s.prompt) + 64 + 63) / 64 * 64;
    launch.kv = row.kv;
    launch.token_budget = row.tokens > 0    ? row.tokens
                          : row.tokens == 0 ? std::max(8192, users_and_prompt)
                                            : static_cast<int>(s.prompt + s.output);
    launch.memory_fraction = row.memory;
    break;
  }
  Scheduling& how = launch.scheduling;
  const bool deepseek = stands_for("deepseek", name), short_both = s.prompt == 1024 && s.output == 1024;
  const bool blackwell = stands_for("b200", s.system) || stands_for("b300", s.system);
  if (s.stack == "trtllm" && !s.prefill) {
    // Source: SemiAnalysisAI/InferenceX@73ef922:benchmarks/70b_fp8_h200_trt_slurm.sh, batch_wait_timeout_iters.
    if (stands_for("llama", name) && short_both && s.layout.tp < 8) how.wait_steps = 20, how.wait_fill = 0.9;
    // Source: SemiAnalysisAI/InferenceX@0a919c5:benchmarks/dsr1_fp8_b200_trt.sh, DELAY_BATCHING; no older image has it.
    if (deepseek && blackwell && s.precision == "fp8" && short_both && s.sequences >= 64 && s.sequences < 256 &&
        s.version.starts_with("1.2.0rc6") && s.draft == 0)
      how.wait_steps = 40, how.wait_fill = 0.8;
    // Source: SemiAnalysisAI/InferenceX@1fc5d73:benchmarks/dsr1_fp8_h200_trt.sh, attention_dp_config.timeout_iters;
    // @1825e7f:benchmarks/gptoss_fp4_b200_trt.sh (the default of 50).
    if (s.layout.dp > 1) how.balance_steps = deepseek ? 60 : 50;
  }
  // Source: SemiAnalysisAI/InferenceX@1fc5d73:benchmarks/dsr1_fp8_b200.sh, SCHEDULER_RECV_INTERVAL.
  if (s.stack == "sglang" && blackwell && !s.prefill) how.poll_steps = s.sequences >= 16 ? 30 : 10;
  return launch;
}

}  // namespace fareline::serving
