// SPDX-License-Identifier: Apache-2.0
// Tables of one batch at a time: Splitwise, FasterTransformer, TensorRT-LLM 0.9, llama.cpp.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "truth/serving_formats.h"

namespace fareline::serving {
namespace {

// Sets model and system, or the refusal.
void take_names(ServingRow& row, std::string_view model_label, std::string_view precision, std::string_view system_label) {
  const auto model = model_named(model_label, precision);
  const auto system = system_named(system_label);
  if (!model) row.refusal = model_known(model_label) ? "the model is not known at this precision" : "the model is unknown";
  else if (!system) row.refusal = "the system is unknown";
  if (!model || !system) return;
  row.setup.model = model->model;
  row.setup.system = *system;
  row.setup.weights = model->weights;
  row.setup.experts = model->experts;
}

}  // namespace

// Source: Patel et al. 2024, Splitwise, section 3 (vLLM, 16-bit weights, A100 and H100 of 80 GB); Mutinifni/splitwise-sim.
Expected<void> read_splitwise(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  s.stack = "vllm";
  s.precision = "fp16";
  s.load = Load::batch;
  s.prompt = cell.number_or("prompt_tokens", 0);
  s.output = cell.number_or("output_tokens", 0);
  s.sequences = cell.number_or("batch_size", 0);
  s.layout.tp = cell.count_or("tensor_parallel", 1);
  if (const auto v = cell.number("prompt_time_ms")) row.measured.ttft = *v * unit::ms;
  if (const auto v = cell.number("token_time_ms")) row.measured.tpot = *v * unit::ms;
  if (const auto done = cell.done(); !done) return done;
  take_names(row, cell.text("model"), s.precision, cell.text("hardware"));
  return {};
}

// The whole latency is one number: it is held as a throughput. Source: NVIDIA/FasterTransformer, docs/gpt_guide.md.
Expected<void> read_fastertransformer(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  s.stack = cell.text("implementation") == "Megatron" ? "megatron" : "fastertransformer";
  s.precision = "fp16";
  s.load = Load::batch;
  s.prompt = cell.number_or("input_tokens", 0);
  s.output = cell.number_or("output_tokens", 0);
  s.sequences = cell.number_or("batch_size", 0);
  s.layout.tp = cell.count_or("tp", 1);
  s.layout.pp = cell.count_or("pp", 1);
  const std::optional<double> latency = cell.number("latency_ms");
  if (const auto done = cell.done(); !done) return done;
  if (latency && *latency > 0) row.measured.throughput = s.sequences * s.output * unit::token / (*latency * unit::ms) / s.chips();
  take_names(row, cell.text("model"), s.precision, cell.text("hardware"));
  return {};
}

Expected<void> read_trtllm_static(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  s.stack = "trtllm";
  s.version = "0.9.0";
  s.precision = std::string(cell.text("precision_weights_and_kv"));
  s.kv = s.precision == "fp8" ? Format::fp8 : Format::fp16;
  s.load = Load::batch;
  s.prompt = cell.number_or("input_len_tokens", 0);
  s.output = cell.number_or("output_len_tokens", 0);
  s.sequences = cell.number_or("batch_size", 0);
  s.layout.tp = cell.count_or("tp", 1);
  if (const auto v = cell.number("output_tokens_per_s_per_gpu")) row.measured.throughput = *v * unit::token / unit::s;
  if (const auto v = cell.number("first_token_latency_ms")) row.measured.ttft = *v * unit::ms;
  if (s.output < 1 && row.measured.ttft) s.output = 1;
  if (const auto done = cell.done(); !done) return done;
  // The table says "LLaMA 70B" of the first two generations' common shape: NVIDIA, TensorRT-LLM 0.9, docs/source/performance.md.
  std::string_view model = cell.text("model");
  if (model == "LLaMA 70B") model = "llama2-70b";
  take_names(row, model, s.precision, cell.text("gpu"));
  return {};
}

namespace {

// The format that takes nearest to so many bytes an element: of llama.cpp's own names (Q8_0, Q4_K) there are many, of formats few.
std::optional<Format> format_of_bytes(double bytes) {
  std::optional<Format> best;
  double off = 0.1;
  for (const Format f : {Format::fp32, Format::fp16, Format::int8_32, Format::mxfp6, Format::int4_32}) {
    const double ratio = std::abs(bytes / element_bytes(f).in(unit::B) - 1);
    if (ratio < off) {
      best = f;
      off = ratio;
    }
  }
  return best;
}

}  // namespace

// Random weights in Llama's shape, perhaps with experts; a row is one decode step at a context, or one prefill pass.
Expected<void> read_llama_cpu(const TableReader& table, ServingRow& row) {
  Cells cell(table);
  ServingSetup& s = row.setup;
  s.model = std::string(cell.text("model"));
  s.system = "cpu-zen4-2core";
  s.stack = "llama.cpp";
  s.precision = std::string(cell.text("dtype"));
  s.load = Load::batch;
  s.sequences = cell.number_or("batch", 0);
  const int layers = cell.count_or("n_layer", 0), hidden = cell.count_or("d_model", 0), wide = cell.count_or("d_ff", 0),
            heads = cell.count_or("heads", 0), kv_heads = cell.count_or("kv_heads", 0), words = cell.count_or("vocab", 0),
            experts = cell.count_or("n_expert", 0), active = cell.count_or("n_used", 0);
  s.threads = cell.count_or("threads", 0);
  const double context = cell.number_or("ctx", 0), prompt = cell.number_or("prompt_tokens", 0),
               kv_bytes = cell.number_or("kv_dtype_bytes", 2);
  const std::optional<double> step = cell.number("s_step_median"), bytes = cell.number("bytes_per_weight"),
                              before = cell.number("bw_probe_before_GBs"), after = cell.number("bw_probe_after_GBs");
  if (const auto done = cell.done(); !done) return done;
  if (before && after && *before > 0 && *after > 0) {
    s.probed = (*before + *after) / 2 * unit::GB / unit::s;
    s.probed_most = std::max(*before, *after) * unit::GB / unit::s;
  }
  s.kv = kv_bytes == 4 ? Format::fp32 : Format::fp16;
  s.weights = bytes                     ? format_of_bytes(*bytes)
              : s.precision == "f32"    ? std::optional(Format::fp32)
              : s.precision == "f16"    ? std::optional(Format::fp16)
              : s.precision == "q8_0"   ? std::optional(Format::int8_32)
              : s.precision == "q4_0"   ? std::optional(Format::int4_32)
                                        : std::nullopt;
  if (!s.weights) row.refusal = "no number format is near its bytes a weight";
  const std::string routed = experts > 0 ? fmt::format(R"("num_local_experts":{},"num_experts_per_tok":{},)", experts, active) : "";
  s.config = fmt::format(
      R"({{"architectures":["{}"],"model_type":"{}","num_hidden_layers":{},"hidden_size":{},{})"
      R"("intermediate_size":{},"num_attention_heads":{},"num_key_value_heads":{},"vocab_size":{},"max_position_embeddings":131072,)"
      R"("tie_word_embeddings":false,"torch_dtype":"float16"}})",
      experts > 0 ? "MixtralForCausalLM" : "LlamaForCausalLM", experts > 0 ? "mixtral" : "llama", layers, hidden, routed, wide, heads,
      kv_heads, words);
  const bool decoding = cell.text("phase") == "decode";
  s.prompt = std::max(1.0, decoding ? context - 1 : prompt);
  s.output = decoding ? 2 : 1;
  if (step) (decoding ? row.measured.tpot : row.measured.ttft) = *step * unit::s;
  return {};
}

}  // namespace fareline::serving
