// SPDX-License-Identifier: Apache-2.0
#include "truth/kernel_rows.h"

#include <fmt/format.h>

#include "truth/kernel_formats.h"

namespace fareline {
namespace {

using Columns = std::string_view;
constexpr std::array<Columns, 4> measured_columns{"chip", "stack", "kernel", "seconds"};
constexpr std::array<Columns, 7> gemm_columns{"system", "backend", "gemm_dtype", "m", "n", "k", "latency_ms"};
constexpr std::array<Columns, 10> attention_columns{"system", "backend",   "op_name",             "attn_dtype", "kv_cache_dtype",
                                                    "isl",    "num_heads", "num_key_value_heads", "head_dim",   "latency_ms"};
constexpr std::array<Columns, 9> sparse_columns{"system", "backend",   "op_name",    "model",     "kv_cache_dtype",
                                                "isl",    "num_heads", "gemm_type", "latency_ms"};
constexpr std::array<Columns, 8> latent_columns{"system", "backend", "op_name", "mla_dtype", "kv_cache_dtype", "num_heads", "isl",
                                                "latency_ms"};
constexpr std::array<Columns, 10> moe_columns{"system", "backend",     "moe_dtype",   "num_tokens",   "hidden_size",
                                              "topk",   "num_experts", "moe_ep_size", "distribution", "latency_ms"};
constexpr std::array<Columns, 9> delta_columns{"system",      "backend",     "phase",      "batch_size", "seq_len",
                                               "num_k_heads", "num_v_heads", "head_k_dim", "latency_ms"};
constexpr std::array<Columns, 8> mamba_columns{"system", "backend", "phase", "batch_size", "seq_len", "d_state", "nheads", "latency_ms"};
constexpr std::array<Columns, 6> nccl_columns{"system", "op_name", "nccl_dtype", "num_gpus", "message_bytes", "latency_ms"};
constexpr std::array<Columns, 6> custom_columns{"system", "backend", "allreduce_dtype", "num_gpus", "message_bytes", "latency_ms"};
constexpr std::array<Columns, 6> low_latency_columns{"system",   "node_num",          "hidden_size",
                                                     "num_topk", "dispatch_avg_t_us", "combine_avg_t_us"};
constexpr std::array<Columns, 7> normal_columns{"system",       "node_num",             "hidden_size",        "num_topk",
                                                "dispatch_sms", "dispatch_transmit_us", "combine_transmit_us"};
constexpr std::array<Columns, 6> vidur_mlp_columns{"hardware",  "n_embd", "n_expanded_embd", "num_tokens", "num_tensor_parallel_workers",
                                                   "add_median_ms"};
constexpr std::array<Columns, 6> vidur_network_columns{"topology", "median_ms", "rank", "num_workers", "size_bytes", "collective"};
constexpr std::array<Columns, 6> llmservingsim_columns{"hardware", "table", "layer", "tokens", "kv_cache", "latency_us"};

struct KnownTable {
  KernelTable table;
  kernel_tables_of::Reader read;
};
namespace of = kernel_tables_of;
constexpr std::array<KnownTable, 15> known_tables{{
    {{"measured", "fareline measure: kernels of a machine", measured_columns}, of::read_measured},
    {{"aic_gemm", "aiconfigurator: matrix products", gemm_columns}, of::read_gemm},
    {{"aic_attention", "aiconfigurator: attention", attention_columns}, of::read_attention},
    {{"aic_dsa", "aiconfigurator: mixers of sparse attention", sparse_columns}, of::read_sparse},
    {{"aic_mla", "aiconfigurator: latent attention", latent_columns}, of::read_latent},
    {{"aic_moe", "aiconfigurator: experts", moe_columns}, of::read_moe},
    {{"aic_gdn", "aiconfigurator: the gated delta rule", delta_columns}, of::read_delta_rule},
    {{"aic_mamba2", "aiconfigurator: Mamba-2", mamba_columns}, of::read_mamba},
    {{"aic_nccl", "aiconfigurator: NCCL's collectives", nccl_columns}, of::read_nccl},
    {{"aic_custom_allreduce", "aiconfigurator: engines' all-reduces", custom_columns}, of::read_custom_allreduce},
    {{"aic_deepep_ll", "aiconfigurator: DeepEP, low latency", low_latency_columns}, of::read_low_latency_exchange},
    {{"aic_deepep_normal", "aiconfigurator: DeepEP, high throughput", normal_columns}, of::read_normal_exchange},
    {{"vidur_compute_mlp", "vidur: products and elementwise kernels", vidur_mlp_columns}, of::read_vidur_mlp},
    {{"vidur_network", "vidur: collectives", vidur_network_columns}, of::read_vidur_network},
    {{"llmservingsim_micro", "LLMServingSim: layers and attention", llmservingsim_columns}, of::read_llmservingsim},
}};
constexpr auto tables = [] {
  std::array<KernelTable, known_tables.size()> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = known_tables[i].table;
  return all;
}();

const KnownTable* table_of(const TableReader& reader) {
  for (const KnownTable& known : known_tables)
    if (reader.has_all(known.table.columns)) return &known;
  return nullptr;
}

Error unknown_table(const TableReader& reader) {
  const KnownTable* nearest = &known_tables.front();
  double best = -1;
  std::string names;
  for (const KnownTable& known : known_tables) {
    double found = 0;
    for (const std::string_view column : known.table.columns) found += reader.find(column).has_value();
    const double share = found / static_cast<double>(known.table.columns.size());
    if (share > best) {
      best = share;
      nearest = &known;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known.table.name);
  }
  std::string missing;
  for (const std::string_view column : nearest->table.columns)
    if (!reader.find(column)) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", column);
  return {reader.file(),
          fmt::format("is no table of kernels that is known; it comes nearest to {}, and has no column {}", nearest->table.name, missing),
          "give one with the columns of: " + names};
}

}  // namespace

std::span<const KernelTable> kernel_tables() { return tables; }

Expected<bool> holds_kernels(const std::string& file, std::string_view bytes) {
  const auto reader = TableReader::open(file, bytes);
  if (!reader) return std::unexpected(reader.error());
  return table_of(*reader) != nullptr;
}

Expected<std::vector<KernelTiming>> read_kernel_timings(std::string file, std::string_view bytes) {
  auto reader = TableReader::open(std::move(file), bytes);
  if (!reader) return std::unexpected(reader.error());
  const KnownTable* known = table_of(*reader);
  if (!known) return std::unexpected(unknown_table(*reader));
  std::vector<KernelTiming> timings;
  for (;;) {
    const auto more = reader->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    KernelTiming timing{.id = fmt::format("{}:{}", reader->file(), reader->line()), .table = std::string(known->table.name)};
    if (const auto read = known->read(*reader, std::move(timing), timings); !read) return std::unexpected(read.error());
  }
  of::join_recurrences(timings);
  return timings;
}

}  // namespace fareline
