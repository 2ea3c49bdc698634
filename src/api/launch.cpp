// SPDX-License-Identifier: Apache-2.0
#include "api/launch.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace fareline {
namespace {

// Sequences of one dp group, with room for a burst.
int group_sequences(const Plan& plan, const LaunchLoad& load) {
  return std::max(1, static_cast<int>(std::ceil(load.sequences / plan.dp - 1e-9)));
}

double two_digits(double share) { return std::floor(share * 100 + 1e-9) / 100; }

bool narrower_kv(const Plan& plan, const Model& model, Format format) {
  return plan.kv && *plan.kv == format && model.precision.kv != format;
}

// What must be said of number formats that are not the published ones.
std::string format_note(const Plan& plan, const Model& model) {
  std::string note;
  if (plan.weights && *plan.weights != model.precision.weights && *plan.weights != Format::fp8)
    note = fmt::format("take a checkpoint in {}", name(*plan.weights));
  if (plan.experts && *plan.experts != plan.weights.value_or(model.precision.weights))
    note = fmt::format("take a checkpoint with experts in {}", name(*plan.experts));
  return note;
}

bool quantised_when_loaded(const Plan& plan, const Model& model) {
  return plan.weights == Format::fp8 && model.precision.weights != Format::fp8 && model.precision.weights != Format::fp8_block;
}

void add_note(std::string& note, std::string_view more) { note += (note.empty() ? "" : "; ") + std::string(more); }

LaunchCommand vllm(std::string_view model_name, const Model& model, const Plan& p, const LaunchLoad& load) {
  LaunchCommand launch{.engine = "vllm", .note = format_note(p, model)};
  std::string& c = launch.command;
  c = fmt::format("vllm serve {} --tensor-parallel-size {}", model_name, p.tp);
  if (p.pp > 1) c += fmt::format(" --pipeline-parallel-size {}", p.pp);
  if (p.dp > 1) c += fmt::format(" --data-parallel-size {}", p.dp);
  if (p.ep > 1) c += " --enable-expert-parallel";
  c += fmt::format(" --max-num-batched-tokens {} --max-num-seqs {} --max-model-len {} --gpu-memory-utilization {}", p.token_budget,
                   group_sequences(p, load), std::ceil(load.context), p.memory_fraction);
  if (quantised_when_loaded(p, model)) c += " --quantization fp8";
  if (narrower_kv(p, model, Format::fp8)) c += " --kv-cache-dtype fp8";
  if (load.shares_prefixes) c += " --enable-prefix-caching";
  if (p.replica_chips() > load.unit_chips && p.dp > 1)
    add_note(launch.note,
             "one command a server, each with --data-parallel-size-local, --data-parallel-start-rank and --data-parallel-address");
  else if (p.replica_chips() > load.unit_chips)
    add_note(launch.note, "over several servers: add --distributed-executor-backend ray and start it on a Ray cluster");
  return launch;
}

LaunchCommand sglang(std::string_view model_name, const Model& model, const Plan& p, const LaunchLoad& load) {
  LaunchCommand launch{.engine = "sglang", .note = format_note(p, model)};
  std::string& c = launch.command;
  c = fmt::format("python3 -m sglang.launch_server --model-path {} --tp-size {}", model_name, p.tp * p.dp);
  if (p.pp > 1) c += fmt::format(" --pp-size {}", p.pp);
  if (p.dp > 1) c += fmt::format(" --dp-size {} --enable-dp-attention", p.dp);
  if (p.ep > 1) c += fmt::format(" --ep-size {}", p.ep);
  // SGLang deals its chunk and its running requests over the dp groups.
  c += fmt::format(" --chunked-prefill-size {} --max-running-requests {} --context-length {} --mem-fraction-static {}",
                   p.token_budget * p.dp, group_sequences(p, load) * p.dp, std::ceil(load.context), two_digits(load.kv_share));
  if (quantised_when_loaded(p, model)) c += " --quantization fp8";
  if (narrower_kv(p, model, Format::fp8)) c += " --kv-cache-dtype fp8_e4m3";
  if (p.replica_chips() > load.unit_chips)
    add_note(launch.note, "one command a server, each with --nnodes, --node-rank and --dist-init-addr");
  return launch;
}

LaunchCommand trtllm(std::string_view model_name, const Model& model, const Plan& p, const LaunchLoad& load) {
  LaunchCommand launch{.engine = "trtllm", .note = format_note(p, model)};
  if (quantised_when_loaded(p, model)) add_note(launch.note, "take a checkpoint in fp8");
  std::string& c = launch.command;
  c = fmt::format("trtllm-serve {} --tp_size {}", model_name, p.tp * p.dp);
  if (p.pp > 1) c += fmt::format(" --pp_size {}", p.pp);
  if (p.ep > 1) c += fmt::format(" --ep_size {}", p.ep);
  c += fmt::format(" --max_batch_size {} --max_num_tokens {} --max_seq_len {} --kv_cache_free_gpu_memory_fraction {}",
                   group_sequences(p, load), p.token_budget, std::ceil(load.context), p.memory_fraction);
  if (p.dp > 1) launch.file += "enable_attention_dp: true\n";
  if (narrower_kv(p, model, Format::fp8)) launch.file += "kv_cache_config:\n  dtype: fp8\n";
  if (!launch.file.empty()) c += " --config config.yaml";
  if (p.replica_chips() > load.unit_chips) add_note(launch.note, "over several servers: start it under mpirun or Slurm, one rank a chip");
  return launch;
}

}  // namespace

std::string_view cannot_launch(std::string_view stack, const Plan& p) {
  if (p.cp > 1) return "it has no context parallelism of prefill and decode alike";
  if (stack == "vllm" && p.ep > 1 && p.ep != p.stage_chips()) return "it deals experts over all ranks of tp x dp, or over none";
  if (stack == "trtllm" && p.dp > 1 && p.tp > 1) return "its attention is tensor parallel or data parallel over all ranks, not both";
  return {};
}

std::vector<LaunchCommand> launch_commands(std::string_view name, const Model& model, const Plan& plan, const LaunchLoad& load) {
  std::vector<LaunchCommand> all{vllm(name, model, plan, load), sglang(name, model, plan, load), trtllm(name, model, plan, load)};
  for (LaunchCommand& launch : all)
    if (const std::string_view why = cannot_launch(launch.engine, plan); !why.empty())
      launch = {.engine = launch.engine, .note = std::string(why)};
  return all;
}

}  // namespace fareline
