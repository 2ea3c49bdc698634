// SPDX-License-Identifier: Apache-2.0
// Tables of the most a system carries: TensorRT-LLM's overview, MLPerf Inference.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "truth/serving_formats.h"

namespace fareline::serving {
namespace {

// MLPerf publishes how many tokens came out, not how many went in. Assumes: OpenOrca's prompts are as long as its answers, articles of
// CNN/DailyMail run to 900 tokens. Source of the datasets: mlcommons/inference, language/llama2-70b, gpt-j, llama3.1-8b and
// mixtral-8x7b, README.
struct BenchmarkRow {
  std::string_view name, model;
  double prompt, output;
};
constexpr auto benchmark_rows = std::to_array<BenchmarkRow>({
    {"llama2-70b", "llama2-70b", 294, 294},
    {"gptj", "gptj", 900, 69},
    {"mixtral-8x7b", "mixtral 8x7b", 300, 145},
    {"llama3.1-8b", "llama3.1-8b", 900, 128},
});

}  // namespace

Expected<void> read_trtllm_overview(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  s.stack = "trtllm";
  s.version = std::string(cell.text("trtllm_version"));
  const std::string_view label = cell.text("weight_precision");
  s.precision = label == "FP8"                       ? "fp8"
                : label == "FP4" || label == "NVFP4" ? "fp4"
                : label == "FP16" || label == "BF16" ? "fp16"
                                                     : std::string(label);
  s.kv = s.precision == "fp16" ? Format::fp16 : Format::fp8;
  s.load = Load::saturated;
  s.sequences = 2048;  // TensorRT-LLM's default max_batch_size: NVIDIA, TensorRT-LLM documentation, trtllm-build
  s.prompt = cell.number_or("isl_tokens", 0);
  s.output = cell.number_or("osl_tokens", 0);
  const int degree = cell.count_or("tp_or_ep_degree", 1);
  s.layout.tp = degree;
  s.layout.pp = cell.count_or("pp", 1);
  const bool experts = cell.text("parallel_kind") == "EP";
  if (experts) s.layout.ep = degree;
  if (const auto v = cell.number("output_tokens_per_s_per_gpu")) row.measured.throughput = *v * unit::token / unit::s;
  if (const auto done = cell.done(); !done) return done;
  const auto model = model_named(cell.text("model"), s.precision);
  const auto system = system_named(cell.text("gpu"));
  if (!model) row.refusal = model_known(cell.text("model")) ? "the model is not known at this precision" : "the model is unknown";
  else if (!system) row.refusal = "the system is unknown";
  if (!model || !system) return {};
  s.model = model->model;
  s.system = *system;
  s.weights = model->weights;
  s.experts = model->experts;
  return {};
}

Expected<void> read_mlperf(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  row.id = std::string(cell.text("platform")) + " " + std::string(cell.text("benchmark")) + " " + std::string(cell.text("scenario")) + " " +
           std::string(cell.text("round"));
  const std::string_view software = cell.text("software");
  s.stack = software.find("TensorRT") != std::string_view::npos ? "trtllm"
            : software.find("vLLM") != std::string_view::npos   ? "vllm"
                                                                : "generic";
  // A closed-division NVIDIA or AMD submission of these rounds runs FP8 where the weights' format is left open.
  const std::string_view weights = cell.text("weight_dtype");
  s.precision = weights.empty() ? "fp8" : std::string(weights);
  s.kv = Format::fp8;
  s.load = Load::saturated;
  const double accelerators = cell.number_or("total_accelerators", 0);
  const int tp = cell.count_or("cfg_tp", 0), pp = cell.count_or("cfg_pp", 1);
  const double outputs = cell.number_or("mean_output_tokens_per_sample", 0);
  if (const auto v = cell.number("tokens_per_s_per_accelerator")) row.measured.throughput = *v * unit::token / unit::s;
  if (const auto done = cell.done(); !done) return done;
  const BenchmarkRow* benchmark = nullptr;
  for (const BenchmarkRow& b : benchmark_rows)
    if (cell.text("benchmark_base") == b.name) benchmark = &b;
  const auto model = benchmark ? model_named(benchmark->model, s.precision) : std::nullopt;
  const auto system = system_named(cell.text("accelerator"));
  const std::string_view scenario = cell.text("scenario");
  if (cell.text("division") != "closed") row.refusal = "open division";
  else if (cell.text("valid") != "VALID") row.refusal = "not a valid result";
  else if (scenario != "Offline" && scenario != "offline") row.refusal = "its latency limit, not the system, sets its rate";
  else if (!benchmark) row.refusal = "the model is unknown";
  else if (!model) row.refusal = "the model is not known at this precision";
  else if (!system) row.refusal = "the system is unknown";
  if (!benchmark || !model || !system) return {};
  s.model = model->model;
  s.system = *system;
  s.weights = model->weights;
  s.prompt = benchmark->prompt;
  s.output = outputs > 0 ? outputs : benchmark->output;
  s.layout_open = tp < 1;
  s.layout.tp = std::max(1, tp);
  s.layout.pp = pp;
  s.layout.replicas = static_cast<int>(accelerators) / (s.layout.tp * pp);
  row.assumption = fmt::format("MLPerf publishes no prompt lengths: {} tokens are assumed for {}", benchmark->prompt, benchmark->name);
  if (s.layout.replicas < 1) row.refusal = "its chips are not stated";
  return {};
}

}  // namespace fareline::serving
