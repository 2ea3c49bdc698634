// SPDX-License-Identifier: Apache-2.0
// Tables of engines under users: aiconfigurator's silicon sample and InferenceX.
#include "truth/serving_formats.h"

namespace fareline::serving {
namespace {

// InferenceX draws lengths uniformly from [0.8 L, L].
// Source: SemiAnalysisAI/InferenceX@2a205bb:benchmarks/70b_fp8_h100_slurm.sh, random-range-ratio; shared data, README.
constexpr double inferencex_shortest = 0.8;

// InferenceX sends ten requests a user, the first of every user at once.
// Source: SemiAnalysisAI/InferenceX@2a205bb:benchmarks/70b_fp8_h100_slurm.sh, num-prompts, request-rate.
constexpr double inferencex_waves = 10;

// Tokens that InferenceX has DeepSeek's own module draft: one under data-parallel attention, else three; SGLang two.
// Source: SemiAnalysisAI/InferenceX@111f031:benchmarks/dsr1_fp8_b200_trt_mtp.sh; @574bcd3:benchmarks/dsr1_fp8_b200_mtp.sh.
double drafted(const ServingSetup& s) { return s.stack == "sglang" ? 2 : s.layout.dp > 1 ? 1 : 3; }
// What a step yields then, the median over the models measured with such modules.
// Source: SemiAnalysisAI/InferenceX@843c625:golden_al_distribution, MTP rows: 1.79, 1.84, 1.92 at one; 2.27, 2.5, 2.61 at two;
// 2.49, 2.97, 2.99 at three.
double accepted(double draft) { return draft <= 1 ? 1.84 : draft <= 2 ? 2.5 : 2.97; }

// Whether a row of aiconfigurator's sample ran with the model's drafting module, which the table has no column for: the images and
// loads of InferenceX's configurations tell, but where one image ran the same load with and without it.
// Source: SemiAnalysisAI/InferenceX@0004cf5:.github/configs/nvidia-master.yaml, dsr1-*-trt-mtp and dsr1-fp8-b200-sglang-mtp;
// perf-changelog.yaml, pull requests 392 and 626 (the rows of 1.1.0rc2.post2 before 2026 ran without).
enum class Drafting : unsigned char { none, mtp, unknown };
Drafting drafting_of(const ServingSetup& s, std::string_view date, bool of_database) {
  if (s.model.find("DeepSeek") == std::string::npos || s.prefill || of_database) return Drafting::none;
  if (s.stack == "trtllm") {
    const bool first = s.version == "1.1.0rc2.post2" && date >= "2026";
    return first || s.version == "1.2.0rc6.post3" ? Drafting::mtp : Drafting::none;
  }
  const bool both = s.stack == "sglang" && s.system == "hgx-b200" && s.precision == "fp8" && s.layout.tp == 8 && s.layout.ep == 1;
  if (!both || s.version < "0.5.8") return Drafting::none;
  const double most_without = s.prompt == 1024 ? 64 : 4;
  return s.sequences > most_without ? Drafting::mtp : Drafting::unknown;
}
void take_drafting(ServingSetup& s) {
  s.draft = drafted(s);
  s.accepted = accepted(s.draft);
}

bool mixes_experts(std::string_view model) {
  for (const std::string_view dense : {"Llama-3.1-70B", "Llama-3.1-8B", "Qwen3-32B", "Llama-3.1-405B"})
    if (model.find(dense) != std::string_view::npos) return false;
  return true;
}

// On Blackwell the experts of gpt-oss are fed MXFP8. Source: SemiAnalysisAI/InferenceX@2e46dba:benchmarks/gptoss_fp4_b200_docker.sh,
// VLLM_USE_FLASHINFER_MOE_MXFP4_MXFP8; NVIDIA, TensorRT-LLM deployment guide for gpt-oss (W4A8).
void set_activations(ServingSetup& s) {
  const bool blackwell = s.system.find("b200") != std::string::npos || s.system.find("b300") != std::string::npos;
  if (blackwell && s.model.find("gpt-oss") != std::string::npos) s.activations = Format::fp8;
}

void take_launch(ServingSetup& s) {
  const Launch launch = launched(s);
  s.kv = launch.kv;
  s.token_budget = launch.token_budget;
  s.memory_fraction = launch.memory_fraction;
  s.scheduling = launch.scheduling;
  set_activations(s);
}

// A layout as aiconfigurator states it. InferenceX rows that say moe_tp = moe_ep = n with n x n ranks ran on n ranks with ep n:
// the identifier says so ("tp8_ep8"), and no engine multiplies the two. False: the numbers contradict each other.
bool layout_of(int tp, int pp, int dp, int moe_tp, int moe_ep, bool experts, bool inferencex, PoolLayout& layout) {
  layout = {.tp = tp, .pp = pp, .dp = dp, .ep = 1};
  if (!experts) return tp >= 1 && pp >= 1 && dp == 1;
  const int ranks = tp * dp;
  if (inferencex && moe_tp == moe_ep && moe_ep > 1 && ranks == moe_ep * moe_ep) {
    (dp > 1 ? layout.dp : layout.tp) = moe_ep;
    layout.ep = moe_ep;
    return dp == 1 || tp == 1;
  }
  layout.ep = moe_ep;
  return moe_tp * moe_ep == ranks;
}

}  // namespace

Expected<void> read_aiconfigurator(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  row.id = std::string(cell.text("id"));
  s.stack = std::string(cell.text("backend"));
  s.version = std::string(cell.text("backend_version"));
  s.precision = std::string(cell.text("precision"));
  const bool inferencex = cell.text("measurement_origin").find("InferenceX") != std::string_view::npos;
  s.prompt = cell.number_or("isl_tokens", 0);
  s.output = cell.number_or("osl_tokens", 0);
  s.shortest = inferencex ? inferencex_shortest : 1;
  // aiconfigurator's own runs under TensorRT-LLM go on for good, with one user more than the engine holds: the time to first token
  // holds the time between two answers, whatever the output.
  s.waves = inferencex || s.stack == "sglang" ? inferencex_waves : 0;
  s.queued = !inferencex && s.stack == "trtllm" ? 1 : 0;
  s.scheduling = usual_scheduling(s.stack);
  const double batch = cell.number_or("batch_size", 0);
  s.sequences = cell.number_or("concurrency", batch);
  if (const auto v = cell.number("ttft_ms_measured")) row.measured.ttft = *v * unit::ms;
  if (const auto v = cell.number("tpot_ms_measured")) row.measured.tpot = *v * unit::ms;

  const std::string_view label = cell.text("model_path");
  const bool block = cell.text("gemm_quant_mode") == "fp8_block";
  const auto model = model_named(label, block ? std::string_view("fp8_block") : std::string_view(s.precision));
  const auto system = system_named(cell.text("system"));
  const bool experts = model && mixes_experts(model->model);
  const int prefill_workers = cell.count_or("prefill_num_workers", 0), decode_workers = cell.count_or("decode_num_workers", 0);
  bool consistent = true;
  const auto pool = [&](const std::string& side, int replicas) {
    const auto count = [&](const char* column, int otherwise) { return cell.count_or(side + column, otherwise); };
    PoolLayout layout;
    consistent = layout_of(count("tp_size", 1), count("pp_size", 1), count("attention_dp_size", 1), count("moe_tp_size", 1),
                           count("moe_ep_size", 1), experts, inferencex, layout) &&
                 consistent;
    layout.replicas = replicas;
    return layout;
  };
  const bool apart = cell.text("mode") == "disagg";
  if (apart) {
    s.prefill = pool("prefill_", prefill_workers);
    s.layout = pool("decode_", decode_workers);
  } else {
    s.layout = pool("", 1);
    // aiconfigurator's own runs of mixtures state neither attention's nor the experts' layout where the users are not one batch.
    if (!inferencex && experts && cell.number("concurrency") && batch > 0 && batch != s.sequences) consistent = false;
  }
  if (const auto done = cell.done(); !done) return done;
  if (!model) row.refusal = model_known(label) ? "the model is not known at this precision" : "the model is unknown";
  else if (!system) row.refusal = "the system is unknown";
  else if (apart && (prefill_workers < 1 || decode_workers < 1)) row.refusal = "the sizes of its pools are not stated";
  else if (!consistent) row.refusal = "its layout contradicts itself";
  if (!model || !system) return {};
  s.model = model->model;
  s.system = *system;
  s.weights = model->weights;
  s.experts = model->experts;
  if (inferencex) {
    const Drafting drafting = drafting_of(s, cell.text("measured_date"), !cell.text("inferencex_config_id").empty());
    if (drafting == Drafting::mtp) take_drafting(s);
    if (drafting == Drafting::unknown) row.refusal = "it is not stated whether it drafted, and its image ran both ways";
    take_launch(s);
  } else if (s.stack == "trtllm" && (s.precision == "fp8" || s.precision == "fp4")) {
    s.kv = Format::fp8;  // aiconfigurator's own TensorRT-LLM runs: ai-dynamo/aiconfigurator@095f58a, kvcache_quant_mode of quantized models
  }
  return {};
}

Expected<void> read_inferencex(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  std::string_view framework = cell.text("framework");
  if (framework.starts_with("dynamo-")) framework.remove_prefix(7);
  s.stack = framework == "trt" || framework == "trtllm" ? "trtllm" : std::string(framework);
  s.precision = std::string(cell.text("precision"));
  s.prompt = cell.number_or("isl_tokens", 0);
  s.output = cell.number_or("osl_tokens", 0);
  s.shortest = inferencex_shortest;
  s.waves = inferencex_waves;
  s.sequences = cell.number_or("max_concurrency", 0);
  if (const auto v = cell.number("median_tpot_s")) row.measured.tpot = *v * unit::s;
  if (const auto v = cell.number("total_tput_per_gpu_tok_s")) row.measured.throughput = *v * unit::token / unit::s;
  row.measured.counts_prompt = true;
  const auto flag = [&](std::string_view column) {
    const std::string_view text = cell.text(column);
    return text == "True" || text == "true" || text == "1" || text == "t";
  };
  const auto model = model_named(cell.text("model"), s.precision);
  const auto system = system_named(cell.text("hardware"));
  const bool experts = model && mixes_experts(model->model);
  const auto pool = [&](const std::string& side) {
    const int tp = cell.count_or(side + "tp", 0), ep = cell.count_or(side + "ep", 1);
    const bool dp = flag(side + "dp_attention");
    return PoolLayout{.tp = dp ? 1 : tp,
                      .dp = dp ? tp : 1,
                      .ep = experts ? std::max(1, ep) : 1,
                      .replicas = std::max(0, cell.count_or(side + "num_workers", 1))};
  };
  s.layout = pool("decode_");
  const bool apart = flag("disagg");
  if (apart) s.prefill = pool("prefill_");
  else s.layout.replicas = 1;
  const std::string_view drafting = cell.text("spec_method");
  if (const auto done = cell.done(); !done) return done;
  const auto sound = [&](const PoolLayout& p) { return p.tp >= 1 && p.dp >= 1 && p.replicas >= 1 && p.tp * p.dp % p.ep == 0; };
  if (!model) row.refusal = model_known(cell.text("model")) ? "the model is not known at this precision" : "the model is unknown";
  else if (!system) row.refusal = "the system is unknown";
  else if (!sound(s.layout) || (s.prefill && !sound(*s.prefill))) row.refusal = "its layout contradicts itself";
  else if (drafting != "none" && !drafting.empty() && drafting != "mtp") row.refusal = "its drafting method is unknown";
  if (!model || !system) return {};
  s.model = model->model;
  s.system = *system;
  s.weights = model->weights;
  s.experts = model->experts;
  if (drafting == "mtp") take_drafting(s);
  take_launch(s);
  return {};
}

}  // namespace fareline::serving
