// SPDX-License-Identifier: Apache-2.0
// Readers of the other tables of kernels: what `fareline measure` writes, vidur's, LLMServingSim's.
#include <algorithm>

#include <fmt/format.h>

#include "truth/kernel_formats.h"

namespace fareline::kernel_tables_of {
namespace {

using serving::Cells;

Error cell_error(const TableReader& table, std::string_view column, std::string what, std::string remedy) {
  return {fmt::format("{} line {}, column {}", table.file(), table.line(), column), std::move(what), std::move(remedy)};
}

}  // namespace

Expected<void> read_measured(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  t.setup.chip = cells.text("chip");
  t.setup.stack = cells.text("stack");
  t.measured = cells.number_or("seconds", 0) * unit::s;
  const auto kernel = kernel_named(cells.text("kernel"));
  if (!kernel) {
    std::vector<std::string> names;
    for (const KernelRow& k : kernels) names.emplace_back(k.name);
    const std::string near = nearest_names(cells.text("kernel"), names);
    return std::unexpected(cell_error(table, "kernel", in_quotes(cells.text("kernel")) + " is no kernel",
                                      near.empty() ? "see docs/reference/kernels.md" : near));
  }
  t.setup.kernel = *kernel;
  if (const std::string_view text = cells.text("format"); !text.empty()) {
    const auto format = format_named(text);
    if (!format) return std::unexpected(cell_error(table, "format", in_quotes(text) + " is no format", "see docs/reference/formats.md"));
    t.setup.format = *format;
  }
  const int heads = cells.count_or("heads", 0), kv_heads = cells.count_or("kv_heads", heads), dim = cells.count_or("head_dim", 0);
  const Attention attention{.kind = AttentionKind::full, .heads = heads, .kv_heads = kv_heads, .qk_dim = dim, .v_dim = dim};
  const Bytes bytes = cells.number_or("bytes", 0) * unit::B;
  switch (*kernel) {
    case Kernel::gemm:
      t.setup.run = ProductRun{.m = cells.number_or("m", 0), .n = cells.number_or("n", 0), .k = cells.number_or("k", 0)};
      break;
    case Kernel::grouped_gemm:
      t.setup.run = ExpertsRun{.tokens = cells.number_or("tokens", 0),
                               .hidden = cells.number_or("k", 0),
                               .width = cells.number_or("n", 0),
                               .experts = cells.number_or("experts", 0),
                               .active = cells.number_or("active", 0),
                               .balanced = true};
      break;
    case Kernel::attention_prefill:
    case Kernel::attention_decode: {
      const bool decodes = *kernel == Kernel::attention_decode;
      t.setup.run = AttentionRun{.attention = attention,
                                 .sequences = cells.number_or("batch", 0),
                                 .before = cells.number_or("context", 0),
                                 .fresh = decodes ? 0 : cells.number_or("tokens", 0)};
      break;
    }
    case Kernel::elementwise: t.setup.run = ElementwiseRun{.bytes = bytes}; break;
    case Kernel::all_reduce:
    case Kernel::all_gather:
    case Kernel::reduce_scatter:
    case Kernel::point_to_point:
      t.setup.run = CollectiveRun{.ranks = std::clamp(cells.count_or("ranks", 2), 1, 1'000'000), .size = bytes};
      break;
    default: t.refusal = "this table's columns do not describe kernels of its kind";
  }
  // Fewer threads than the machine has show what one core can do; the calibration is of the whole chip.
  if (!cells.text("threads").empty()) t.setup.source = fmt::format("{} threads", cells.text("threads"));
  if (!(t.measured > Seconds{})) t.refusal = "no time is stated";
  if (const auto read = cells.done(); !read) return read;
  timings.push_back(std::move(t));
  return {};
}

// vidur's profiles of a layer: device time of each kernel, a column each.
Expected<void> read_vidur_mlp(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  const std::string_view hardware = cells.text("hardware");
  t.setup.chip = hardware == "a100" ? "a100-sxm-80gb" : hardware == "h100" ? "h100-sxm" : std::string(hardware);
  t.setup.stack = "pytorch";
  const double tokens = cells.number_or("num_tokens", 0), hidden = cells.number_or("n_embd", 0);
  const double wide = cells.number_or("n_expanded_embd", 0);
  const double tp = std::max(1.0, cells.number_or("num_tensor_parallel_workers", 1)), heads = cells.number_or("n_head", 0);
  const double kv_heads = cells.number_or("n_kv_head", 0), dim = heads > 0 ? hidden / heads : 0;
  const bool gated = cells.text("use_gated_mlp") == "True";
  const auto add = [&](std::string_view column, Kernel kernel, auto run) {
    const auto ms = cells.number(column);
    if (!ms) return;  // not timed in this profile
    t.measured = *ms * unit::ms;
    t.setup.kernel = kernel;
    t.setup.source = column.substr(0, column.find("_median"));
    t.setup.run = run;
    t.refusal = t.measured > Seconds{} ? "" : "no time is stated";
    timings.push_back(t);
  };
  const auto product = [&](std::string_view column, double n, double k) {
    add(column, Kernel::gemm, ProductRun{.m = tokens, .n = n, .k = k});
  };
  const auto vectors = [&](std::string_view column, double elements) {
    add(column, Kernel::elementwise, ElementwiseRun{.bytes = tokens * elements * 2 * unit::B});
  };
  product("attn_pre_proj_median_ms", (heads + 2 * kv_heads) * dim / tp, hidden);
  product("attn_post_proj_median_ms", hidden, hidden / tp);
  product("mlp_up_proj_median_ms", (gated ? 2 : 1) * wide / tp, hidden);
  product("mlp_down_proj_median_ms", hidden, wide / tp);
  vectors("input_layernorm_median_ms", 2 * hidden);
  vectors("mlp_act_median_ms", (gated ? 3 : 2) * wide / tp);
  vectors("add_median_ms", 3 * hidden);
  return cells.done();
}

Expected<void> read_vidur_network(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  const std::string_view topology = cells.text("topology"), op = cells.text("collective");
  t.setup.stack = "pytorch";
  t.setup.source = topology;
  if (topology == "a100_dgx") t.setup.system = "dgx-a100";
  else if (topology == "h100_dgx") t.setup.system = "hgx-h100";
  else t.refusal = "chips joined in pairs by bridges: no system of the catalogue";
  t.measured = cells.number_or("median_ms", 0) * unit::ms;
  const int ranks = std::max(1, cells.count_or("num_workers", 1)), node = std::max(1, cells.count_or("devices_per_node", 1));
  const double size = cells.number_or("size_bytes", 0);
  t.setup.kernel = op == "all_reduce" ? Kernel::all_reduce : Kernel::point_to_point;
  const auto refuse = [&](bool when, std::string_view why) {
    if (when && t.refusal.empty()) t.refusal = why;
  };
  refuse(ranks > node, "crosses nodes by a network that the table does not name");
  refuse(cells.number_or("rank", 0) != 0, "another rank's view of the same run");
  refuse(size < 4e6, "launched one by one from the host, which a small message shows and a large one hides");
  refuse(!(t.measured > Seconds{}), "no time is stated");
  t.setup.run = CollectiveRun{.ranks = ranks, .size = size * unit::B};
  if (const auto read = cells.done(); !read) return read;
  timings.push_back(std::move(t));
  return {};
}

Expected<void> read_llmservingsim(const TableReader& table, KernelTiming t, std::vector<KernelTiming>& timings) {
  Cells cells(table);
  const std::string_view hardware = cells.text("hardware"), part = cells.text("table"), layer = cells.text("layer");
  t.setup.chip = hardware == "RTXPRO6000" ? "rtx-pro-6000" : hardware == "A6000" ? "rtx-a6000" : std::string(hardware);
  t.setup.stack = "vllm";
  t.setup.source = layer.empty() ? part : layer;
  t.measured = cells.number_or("latency_us", 0) * unit::us;
  const auto refuse = [&](bool when, std::string_view why) {
    if (when && t.refusal.empty()) t.refusal = why;
  };
  refuse(part.starts_with("v0"), "launched one by one from the host, which every norm of 17 us shows");
  refuse(cells.text("model") != "meta-llama/Llama-3.1-8B", "its model's dimensions are not read here");
  // Source: meta-llama/Llama-3.1-8B, config.json.
  constexpr double hidden = 4096, wide = 14336, vocabulary = 128256;
  const double tp = std::max(1.0, cells.number_or("tp", 1)), tokens = cells.number_or("tokens", 0);
  const auto product = [&](double m, double n, double k) {
    t.setup.kernel = Kernel::gemm;
    t.setup.run = ProductRun{.m = m, .n = n, .k = k};
  };
  const auto vectors = [&](double elements) {
    t.setup.kernel = Kernel::elementwise;
    t.setup.run = ElementwiseRun{.bytes = tokens * elements * 2 * unit::B};
  };
  if (layer == "qkv_proj") product(tokens, 6144 / tp, hidden);
  else if (layer == "o_proj") product(tokens, hidden, hidden / tp);
  else if (layer == "gate_up_proj") product(tokens, 2 * wide / tp, hidden);
  else if (layer == "down_proj") product(tokens, hidden, wide / tp);
  else if (layer == "lm_head") product(cells.number_or("sequences", 0), vocabulary / tp, hidden);
  else if (layer == "layernorm" || layer == "final_layernorm") vectors(4 * hidden);
  else if (layer == "act_fn") vectors(3 * wide / tp);
  else if (part == "attention") {
    const double chunk = cells.number_or("prefill_chunk", 0), decoding = cells.number_or("n_decode", 0);
    refuse(chunk > 0 && decoding > 0, "prompts and decoding sequences in one launch");
    t.setup.kernel = decoding > 0 ? Kernel::attention_decode : Kernel::attention_prefill;
    const double before = cells.number_or(decoding > 0 ? "kv_decode" : "kv_prefill", 0);
    const int heads = static_cast<int>(std::max(1.0, 32 / tp)), kv_heads = static_cast<int>(std::max(1.0, 8 / tp));
    const Attention full{.kind = AttentionKind::full, .heads = heads, .kv_heads = kv_heads, .qk_dim = 128, .v_dim = 128};
    t.setup.run = AttentionRun{.attention = full,
                               .sequences = decoding > 0 ? decoding : 1,
                               .before = before,
                               .fresh = decoding > 0 ? 0 : chunk};
  } else {
    refuse(true, "a kernel that passes do not count by itself");
  }
  refuse(!(t.measured > Seconds{}), "no time is stated");
  if (const auto read = cells.done(); !read) return read;
  timings.push_back(std::move(t));
  return {};
}

}  // namespace fareline::kernel_tables_of
