// SPDX-License-Identifier: Apache-2.0
// Readers of aiconfigurator's tables of kernels. What a column means is read from the collectors that wrote it
// (ai-dynamo/aiconfigurator: collector/).
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "truth/kernel_formats.h"

namespace fareline::kernel_tables_of {
namespace {

using serving::Cells;

std::optional<Format> format_of(std::string_view text) {
  static constexpr std::pair<std::string_view, Format> names[] = {
      {"bfloat16", Format::bf16}, {"half", Format::bf16},    {"float16", Format::bf16}, {"fp8", Format::fp8},
      {"fp8_block", Format::fp8_block}, {"nvfp4", Format::nvfp4}, {"int4_wo", Format::int4}, {"sq", Format::int8},
      {"w4a16_mxfp4", Format::mxfp4}, {"w4a8_mxfp4_mxfp8", Format::mxfp4}};
  for (const auto& [name, format] : names)
    if (name == text) return format;
  return std::nullopt;
}

// The fields that all of these tables share.
void common(const TableReader& table, Cells& cells, KernelTiming& t, std::string_view time = "latency_ms", Seconds of = unit::ms) {
  const std::string_view system = cells.text("system");
  if (const auto known = serving::system_named(system)) t.setup.system = *known;
  else t.refusal = "its system is not in the catalogue";
  t.setup.stack = cells.text("backend");
  t.setup.version = cells.text("backend_version");
  t.setup.source = cells.text("kernel_source");
  if (const auto measured = cells.number(time)) t.measured = *measured * of;
  if (!(t.measured > Seconds{}) && t.refusal.empty()) t.refusal = "no time is stated";
  (void)table;
}

void format_into(KernelTiming& t, std::string_view text) {
  if (const auto format = format_of(text)) t.setup.format = *format;
  else if (t.refusal.empty()) t.refusal = fmt::format("its number format has no row here ({})", text);
}

Expected<void> append(const Cells& cells, KernelTiming t, std::vector<KernelTiming>& timings) {
  if (const auto read = cells.done(); !read) return read;
  timings.push_back(std::move(t));
  return {};
}

void refuse(KernelTiming& t, bool when, std::string_view why) {
  if (when && t.refusal.empty()) t.refusal = why;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// vLLM's wrappers of some kernels are timed without a graph: not one timing of theirs, however small the shape, is below the 50 to 130
// us that the host needs to launch what is in them.
constexpr std::string_view from_the_host = "launched one by one from the host, where engines replay graphs";

// DeepSeek's latent attention with so many heads on a rank. Source: deepseek-ai/DeepSeek-V3, config.json.
Attention deepseek_latent(int heads) {
  return {.kind = AttentionKind::mla, .heads = heads, .kv_heads = 1, .qk_dim = 192, .v_dim = 128, .latent_dim = 512, .rope_dim = 64};
}

}  // namespace

Expected<void> read_gemm(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const std::string_view format = cells.text("gemm_dtype");
  t.setup.kernel = Kernel::gemm;
  if (format == "int8_wo") refuse(t, true, "8-bit integer weights under 16-bit activations have no row among the formats");
  format_into(t, format);
  refuse(t, t.setup.stack == "vllm" && format == "fp8_block", from_the_host);
  t.setup.run = ProductRun{.m = cells.number_or("m", 0), .n = cells.number_or("n", 0), .k = cells.number_or("k", 0)};
  return append(cells, std::move(t), timings);
}

Expected<void> read_attention(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const bool decodes = cells.text("op_name").starts_with("generation");
  t.setup.kernel = decodes ? Kernel::attention_decode : Kernel::attention_prefill;
  format_into(t, cells.text("kv_cache_dtype"));
  refuse(t, contains(t.setup.source, "triton") || t.setup.source.ends_with("fa4") || t.setup.source.ends_with("torch_flow_flashinfer"),
         "of a kernel that the engine does not take by itself");
  refuse(t, !decodes && contains(t.setup.source, "decode"), "prompts through a kernel made for decoding");
  refuse(t, !decodes && t.setup.stack == "trtllm" && t.setup.format == Format::fp8 && cells.text("attn_dtype") == "bfloat16",
         "multiplies in 16 bits over FP8 KV, where the engine multiplies in FP8");
  const int window = cells.count_or("window_size", 0), heads = cells.count_or("num_heads", 0), dim = cells.count_or("head_dim", 0);
  const int kv_heads = cells.count_or("num_key_value_heads", 0);
  const double isl = cells.number_or("isl", 0), step = cells.number_or("step", 0);
  t.setup.run = AttentionRun{.attention = {.kind = window > 0 ? AttentionKind::sliding : AttentionKind::full,
                                           .heads = heads,
                                           .kv_heads = kv_heads > 0 ? kv_heads : heads,
                                           .qk_dim = dim,
                                           .v_dim = dim,
                                           .window = window},
                             .sequences = cells.number_or("batch_size", 0),
                             .before = decodes ? isl + step - 1 : step,
                             .fresh = decodes ? 0 : isl};
  return append(cells, std::move(t), timings);
}

Expected<void> read_latent(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const bool decodes = contains(cells.text("op_name"), "generation");
  t.setup.kernel = decodes ? Kernel::mla_decode : Kernel::mla_prefill;
  format_into(t, cells.text("kv_cache_dtype"));
  refuse(t, t.setup.stack == "vllm", from_the_host);
  refuse(t, !decodes && (t.setup.source == "flash_attention" || t.setup.source == "triton"),
         "absorbed attention of prompts, where the engine expands keys and values");
  const double isl = cells.number_or("isl", 0), step = cells.number_or("step", 0);
  t.setup.run = AttentionRun{.attention = deepseek_latent(cells.count_or("num_heads", 0)),
                             .sequences = cells.number_or("batch_size", 0),
                             .before = decodes ? isl + step - 1 : step,
                             .fresh = decodes ? 0 : isl};
  return append(cells, std::move(t), timings);
}

Expected<void> read_sparse(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const bool decodes = contains(cells.text("op_name"), "generation");
  t.setup.kernel = Kernel::sparse_index;
  format_into(t, cells.text("kv_cache_dtype"));
  const auto weights = format_of(cells.text("gemm_type"));
  refuse(t, !weights, "its number format has no row here");
  refuse(t, contains(t.setup.source, "dense"), "a dense kernel stands in for the sparse one");
  const double isl = cells.number_or("isl", 0), step = cells.number_or("step", 0);
  MixerRun run{.weights = weights.value_or(Format::bf16),
               .heads = cells.count_or("num_heads", 0),
               .selects = !contains(t.setup.source, "skip_indexer"),
               .sequences = cells.number_or("batch_size", 0),
               .before = decodes ? isl + step - 1 : step,
               .fresh = decodes ? 0 : isl};
  const std::string_view model = cells.text("model");
  if (contains(model, "DeepSeek-V3.2")) run.model = "deepseek-ai/DeepSeek-V3.2";
  else if (contains(model, "GLM-5.2")) run.model = "nvidia/GLM-5.2-NVFP4";
  else if (contains(model, "GLM-5")) run.model = "nvidia/GLM-5-NVFP4";
  else refuse(t, true, "its model is not in the catalogue");
  t.setup.run = std::move(run);
  return append(cells, std::move(t), timings);
}

Expected<void> read_moe(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const std::string_view format = cells.text("moe_dtype"), routing = cells.text("distribution");
  t.setup.kernel = Kernel::grouped_gemm;
  format_into(t, format);
  ExpertsRun run{.tokens = cells.number_or("num_tokens", 0),
                 .hidden = cells.number_or("hidden_size", 0),
                 .width = cells.number_or("inter_size", 0),
                 .experts = cells.number_or("num_experts", 0),
                 .active = cells.number_or("topk", 0),
                 .tp = std::max(1, cells.count_or("moe_tp_size", 1)),
                 .ep = std::max(1, cells.count_or("moe_ep_size", 1)),
                 .matrices = contains(t.setup.source, "nongated") ? 2 : 3,
                 .balanced = routing == "balanced"};
  if (format == "w4a16_mxfp4") {
    run.activations = Format::bf16;
    refuse(t, t.setup.system == "hgx-b200", "16-bit activations on FP4 weights, where the engine feeds FP8");
  }
  if (format == "w4a8_mxfp4_mxfp8") run.activations = Format::fp8;
  if (routing == "power_law_1.01") run.exponent = 1.01;
  else if (routing == "power_law_1.2") run.exponent = 1.2;
  else refuse(t, !run.balanced, "its routing of tokens to experts is not known");
  refuse(t, run.ep > run.experts || run.active > run.experts, "more ranks or choices than experts");
  t.setup.run = run;
  return append(cells, std::move(t), timings);
}

Expected<void> read_delta_rule(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const bool decodes = cells.text("phase") == "generation";
  t.setup.kernel = decodes ? Kernel::recurrent_decode : Kernel::recurrent_prefill;
  const int k_heads = cells.count_or("num_k_heads", 0), v_heads = cells.count_or("num_v_heads", 0);
  const int k_dim = cells.count_or("head_k_dim", 0), v_dim = cells.count_or("head_v_dim", 0);
  const double channels = 2.0 * k_heads * k_dim + static_cast<double>(v_heads) * v_dim;
  refuse(t, channels > 1e6, "more channels than any model has");
  t.setup.run = AttentionRun{.attention = {.kind = AttentionKind::linear,
                                           .heads = v_heads,
                                           .kv_heads = k_heads,
                                           .qk_dim = k_dim,
                                           .v_dim = v_dim,
                                           .state_heads = v_heads,
                                           .state_rows = k_dim,
                                           .state_columns = v_dim,
                                           .conv_channels = static_cast<int>(std::min(channels, 1e6)),
                                           .conv_taps = cells.count_or("d_conv", 4)},
                             .sequences = cells.number_or("batch_size", 0),
                             .fresh = decodes ? 0 : cells.number_or("seq_len", 0)};
  return append(cells, std::move(t), timings);
}

Expected<void> read_mamba(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  t.setup.kernel = cells.text("phase") == "generation" ? Kernel::recurrent_decode : Kernel::recurrent_prefill;
  refuse(t, true, "times the convolution without the scan behind it");
  return append(cells, std::move(t), timings);
}

void join_recurrences(std::vector<KernelTiming>& timings) {
  std::map<std::string, std::size_t> halves;
  std::vector<bool> gone(timings.size());
  bool any = false;
  for (std::size_t i = 0; i < timings.size(); ++i) {
    KernelTiming& t = timings[i];
    if (t.table != "aic_gdn" || !t.refusal.empty()) continue;
    const auto& run = std::get<AttentionRun>(t.setup.run);
    const Attention& a = run.attention;
    const bool convolves = contains(t.setup.source, "conv1d");
    const auto key = [&](bool convolution) {
      return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", t.setup.system, t.setup.stack, name(t.setup.kernel), run.sequences, run.fresh,
                         a.state_heads, a.kv_heads, a.state_rows, a.state_columns, convolution);
    };
    any = true;
    if (const auto other = halves.find(key(!convolves)); other != halves.end()) {
      KernelTiming& first = timings[other->second];
      first.measured += t.measured;
      first.setup.source += " + " + t.setup.source;
      gone[i] = true;
      halves.erase(other);
    } else {
      halves.emplace(key(convolves), i);
    }
  }
  if (!any) return;
  for (const auto& [key, i] : halves) timings[i].refusal = "times the convolution without the recurrence, or the other way round";
  std::size_t kept = 0;
  for (std::size_t i = 0; i < timings.size(); ++i)
    if (!gone[i]) {
      if (kept != i) timings[kept] = std::move(timings[i]);
      ++kept;
    }
  timings.resize(kept);
}

Expected<void> read_nccl(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  const std::string_view op = cells.text("op_name");
  static constexpr std::pair<std::string_view, Kernel> ops[] = {
      {"all_reduce", Kernel::all_reduce}, {"all_gather", Kernel::all_gather}, {"reduce_scatter", Kernel::reduce_scatter}};
  bool known = false;
  for (const auto& [name, kernel] : ops)
    if (op == name) {
      t.setup.kernel = kernel;
      known = true;
    }
  refuse(t, !known, "an all-to-all of equal parts, which no pass asks for");
  refuse(t, t.setup.kernel == Kernel::all_reduce, "NCCL's all-reduce, where engines have their own");
  t.setup.run = CollectiveRun{.ranks = std::max(1, cells.count_or("num_gpus", 1)), .size = cells.number_or("message_bytes", 0) * unit::B};
  return append(cells, std::move(t), timings);
}

Expected<void> read_custom_allreduce(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t);
  t.setup.kernel = Kernel::all_reduce;
  refuse(t, t.setup.source.ends_with("eager"), from_the_host);
  t.setup.run = CollectiveRun{.ranks = std::max(1, cells.count_or("num_gpus", 1)), .size = cells.number_or("message_bytes", 0) * unit::B};
  return append(cells, std::move(t), timings);
}

namespace {

// DeepEP's dispatch and combine, a row each. A node of these systems has eight chips: aiconfigurator's collector runs a rank a chip.
Expected<void> read_exchange(Cells& cells, KernelTiming t, std::vector<KernelTiming>& timings, std::string_view dispatch,
                             std::string_view combine) {
  t.setup.kernel = Kernel::all_to_all;
  ExchangeRun run{.ranks = 8 * std::clamp(cells.count_or("node_num", 1), 1, 1000),
                  .tokens = cells.number_or("num_token", 0),
                  .hidden = cells.number_or("hidden_size", 0),
                  .active = cells.number_or("num_topk", 0)};
  const auto seconds = [&](std::string_view column) {
    double all = cells.number_or(column, 0);
    if (const auto at = column.find("transmit"); at != std::string_view::npos)
      all += cells.number_or(fmt::format("{}notify_us", column.substr(0, at)), 0);
    return all * unit::us;
  };
  for (const bool combines : {false, true}) {
    run.combines = combines;
    t.measured = seconds(combines ? combine : dispatch);
    t.setup.format = combines ? Format::bf16 : Format::fp8;
    t.setup.run = run;
    refuse(t, !(t.measured > Seconds{}), "no time is stated");
    timings.push_back(t);
  }
  return cells.done();
}

}  // namespace

Expected<void> read_low_latency_exchange(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t, "dispatch_avg_t_us", unit::us);
  t.setup.source = "low latency";
  return read_exchange(cells, std::move(t), timings, "dispatch_avg_t_us", "combine_avg_t_us");
}

Expected<void> read_normal_exchange(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  common(table, cells, t, "dispatch_transmit_us", unit::us);
  t.setup.source = "normal";
  // DeepEP's own default: deep_ep/buffer.py, Buffer.num_sms.
  refuse(t, cells.number_or("dispatch_sms", 0) != 20, "on another number of SMs than the library's default");
  refuse(t, cells.number_or("num_token", 0) <= 128, "few tokens by the kernels for many: engines take the low-latency ones");
  return read_exchange(cells, std::move(t), timings, "dispatch_transmit_us", "combine_transmit_us");
}

}  // namespace fareline::kernel_tables_of
