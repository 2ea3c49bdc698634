// SPDX-License-Identifier: Apache-2.0
#include "truth/serving_rows.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "truth/serving_formats.h"

namespace fareline {
namespace {

using Columns = std::string_view;
constexpr std::array<Columns, 13> aiconfigurator_columns{
    "backend",     "model_path", "system",      "precision",        "gemm_quant_mode", "mode", "isl_tokens", "osl_tokens",
    "concurrency", "tp_size",    "moe_ep_size", "ttft_ms_measured", "tpot_ms_measured"};
constexpr std::array<Columns, 14> inferencex_columns{"model",
                                                     "hardware",
                                                     "framework",
                                                     "precision",
                                                     "spec_method",
                                                     "disagg",
                                                     "decode_tp",
                                                     "decode_ep",
                                                     "decode_dp_attention",
                                                     "isl_tokens",
                                                     "osl_tokens",
                                                     "max_concurrency",
                                                     "median_tpot_s",
                                                     "total_tput_per_gpu_tok_s"};

constexpr std::array<Columns, 10> mlperf_columns{"division",
                                                 "benchmark_base",
                                                 "scenario",
                                                 "accelerator",
                                                 "total_accelerators",
                                                 "weight_dtype",
                                                 "tokens_per_s_per_accelerator",
                                                 "mean_output_tokens_per_sample",
                                                 "valid",
                                                 "software"};
constexpr std::array<Columns, 9> trtllm_columns{"trtllm_version", "model", "gpu", "weight_precision", "tp_or_ep_degree", "parallel_kind",
                                                "isl_tokens", "osl_tokens", "output_tokens_per_s_per_gpu"};
constexpr std::array<Columns, 9> static_columns{"model", "gpu", "precision_weights_and_kv", "batch_size", "tp", "input_len_tokens",
                                                "output_len_tokens", "output_tokens_per_s_per_gpu", "first_token_latency_ms"};
constexpr std::array<Columns, 8> splitwise_columns{"model",         "hardware",       "prompt_tokens", "batch_size",
                                                   "output_tokens", "prompt_time_ms", "token_time_ms", "tensor_parallel"};
constexpr std::array<Columns, 10> fastertransformer_columns{"model", "implementation", "hardware",     "dtype",         "tp",
                                                            "pp",    "batch_size",     "input_tokens", "output_tokens", "latency_ms"};
constexpr std::array<Columns, 15> llama_cpu_columns{"tool",  "model", "dtype",        "kv_dtype_bytes", "n_layer", "d_model",
                                                    "d_ff",  "heads", "kv_heads",     "vocab",          "threads", "phase",
                                                    "batch", "ctx",   "s_step_median"};

struct KnownTable {
  ServingTable table;
  Expected<void> (*read)(const TableReader&, ServingRow&);
};
constexpr std::array<KnownTable, 8> table_formats{{
    {{"aiconfigurator", "aiconfigurator's silicon sample: TTFT and TPOT of engines under users", aiconfigurator_columns},
     serving::read_aiconfigurator},
    {{"inferencex", "InferenceX: TPOT and throughput of engines under users", inferencex_columns}, serving::read_inferencex},
    {{"mlperf", "MLPerf Inference: tokens a second of submissions", mlperf_columns}, serving::read_mlperf},
    {{"trtllm_overview", "TensorRT-LLM's overview: the most tokens a second", trtllm_columns}, serving::read_trtllm_overview},
    {{"trtllm_static", "TensorRT-LLM 0.9: static batches", static_columns}, serving::read_trtllm_static},
    {{"splitwise", "Splitwise: prompt and token times of static batches", splitwise_columns}, serving::read_splitwise},
    {{"fastertransformer", "FasterTransformer: latency of static batches", fastertransformer_columns}, serving::read_fastertransformer},
    {{"llama_cpu", "llama.cpp on a CPU: steps of static batches", llama_cpu_columns}, serving::read_llama_cpu},
}};
constexpr auto tables = [] {
  std::array<ServingTable, table_formats.size()> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = table_formats[i].table;
  return all;
}();

// What no table's reader needs to check again.
void check(ServingRow& row) {
  const ServingSetup& s = row.setup;
  const ServingMeasured& m = row.measured;
  if (!row.refusal.empty()) return;
  if (!(s.prompt >= 1) || !(s.output >= 1)) row.refusal = "its lengths are not stated";
  else if (s.load != Load::saturated && !(s.sequences >= 1)) row.refusal = "its load is not stated";
  else if (!m.ttft && !m.tpot && !m.throughput) row.refusal = "nothing was measured";
}

}  // namespace

std::string_view name(Load load) {
  switch (load) {
    case Load::users: return "users";
    case Load::batch: return "batch";
    case Load::saturated: return "saturated";
  }
  return {};
}

std::span<const ServingTable> serving_tables() { return tables; }

Expected<bool> holds_serving(const std::string& file, std::string_view bytes) {
  const auto table = TableReader::open(file, bytes);
  if (!table) return std::unexpected(table.error());
  return std::any_of(table_formats.begin(), table_formats.end(), [&](const KnownTable& f) { return table->has_all(f.table.columns); });
}

Expected<std::vector<ServingRow>> read_serving_rows(std::string file, std::string_view bytes) {
  auto table = TableReader::open(std::move(file), bytes);
  if (!table) return std::unexpected(table.error());
  const KnownTable* known = nullptr;
  const KnownTable* nearest = nullptr;
  double most = 0;
  for (const KnownTable& format : table_formats) {
    if (table->has_all(format.table.columns)) {
      known = &format;
      break;
    }
    double present = 0;
    for (const std::string_view column : format.table.columns) present += table->find(column).has_value();
    if (present / static_cast<double>(format.table.columns.size()) > most) {
      most = present / static_cast<double>(format.table.columns.size());
      nearest = &format;
    }
  }
  if (!known) {
    std::string names, missing;
    for (const KnownTable& format : table_formats) names += fmt::format("{}{}", names.empty() ? "" : ", ", format.table.name);
    if (!nearest) return fail(table->file(), "is no table of serving measurements that is known", "give one with the columns of: " + names);
    for (const std::string_view column : nearest->table.columns)
      if (!table->find(column)) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", column);
    return fail(table->file(),
                fmt::format("is no table that is known; it comes nearest to {}, and has no column {}", nearest->table.name, missing),
                "give one with the columns of: " + names);
  }
  std::vector<ServingRow> rows;
  for (;;) {
    const auto more = table->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    ServingRow row;
    if (const auto read = known->read(*table, row); !read) return std::unexpected(read.error());
    if (row.id.empty()) row.id = fmt::format("{}:{}", table->file(), table->line());
    row.source = std::string(table->text(table->find("source")));
    check(row);
    rows.push_back(std::move(row));
  }
}

namespace serving {

std::optional<double> Cells::number(std::string_view column) {
  if (error_) return std::nullopt;
  auto value = table_.number(table_.find(column));
  if (value) return *value;
  error_ = value.error();
  return std::nullopt;
}

int Cells::count_or(std::string_view column, int otherwise) {
  const std::optional<double> value = number(column);
  if (!value) return otherwise;
  if (*value == std::floor(*value) && *value >= 0 && *value <= 1e6) return static_cast<int>(*value);
  error_ = Error{fmt::format("{} line {}, column {}", table_.file(), table_.line(), column),
                 fmt::format("{} is not a count", in_quotes(text(column))), "write a whole number"};
  return otherwise;
}

}  // namespace serving
}  // namespace fareline
