// SPDX-License-Identifier: Apache-2.0
#include "perf/kernel_operators.h"

#include <algorithm>
#include <cmath>

#include "perf/compiled_plan.h"
#include "units/elementary.h"

namespace fareline {
namespace {

double divide_up(double a, double b) { return std::ceil(a / b); }

// A product in `rate` that is fed 16-bit activations narrows them first, in a kernel of its own.
bool narrows_activations(Format kept, Format rate) { return rate == row(kept).rate && row(rate).bits < 16; }

Bytes activation_element(Format rate) { return std::min(row(rate).bits, 16.0) / 8 * unit::B; }

void add_recurrent(const KernelSite& site, const Attention& a, int tp, std::vector<Operator>& operators) {
  const Format rate16 = multiply_rate(Format::bf16, std::nullopt, site.chip());
  const bool mamba = a.kind == AttentionKind::mamba;
  const double state = static_cast<double>(a.state_heads) * a.state_rows * a.state_columns / tp;
  const double convolution = static_cast<double>(a.conv_channels) * a.conv_taps / tp;
  const double rolling = static_cast<double>(a.conv_channels) * std::max(0, a.conv_taps - 1) / tp;  // the inputs kept of it
  for (const bool decode : {true, false}) {
    Operator op = operator_on(site, decode ? OperatorKind::recurrent_decode : OperatorKind::recurrent_prefill,
                              decode ? Kernel::recurrent_decode : Kernel::recurrent_prefill, decode ? "state (decode)" : "state (prefill)",
                              Format::bf16, rate16);
    op.flop = ((mamba ? 6 : 8) * state + 2 * convolution) * unit::flop;
    op.kept_bytes = state * state_element + rolling * stream_element;
    op.row_bytes = (2.0 * a.conv_channels + 2.0 * a.state_heads * std::max(a.state_rows, a.state_columns)) / tp * stream_element;
    op.launches = 2;
    op.items = static_cast<double>(a.state_heads) / tp;
    operators.push_back(op);
  }
}

}  // namespace

Operator operator_on(const KernelSite& site, OperatorKind kind, Kernel kernel, std::string_view label, Format kept, Format rate) {
  const Efficiency& efficiency = site.calibration.at(kernel, kept);
  Operator op;
  op.kind = kind;
  op.kernel = kernel;
  op.kept = kept;
  op.rate = rate;
  std::copy_n(label.begin(), std::min(label.size(), sizeof op.name), op.name);
  op.pace = kernel_pace(efficiency, site.chip(), rate, site.calibration.engine);
  op.tile = efficiency.tile;
  op.tiled_from = efficiency.tiled_from;
  const FlopRate peak = site.chip().peak[static_cast<std::size_t>(rate)].value;
  if (peak > FlopRate{}) op.ideal_inverse_peak = 1 / peak;
  return op;
}

Operator product_operator(const KernelSite& site, std::string_view label, const ProductShape& shape) {
  const Format rate = multiply_rate(shape.kept, shape.activations, site.chip());
  Operator op = operator_on(site, OperatorKind::matrix_product, Kernel::gemm, label, shape.kept, rate);
  const Bytes activation = activation_element(rate);
  op.flop = 2 * shape.elements * unit::flop;
  op.weight_bytes = shape.weights;
  op.row_bytes = shape.inputs * activation + shape.outputs * shape.output_element;
  op.padding = shape.outputs > 0 ? std::ceil(shape.outputs / op.tile) * op.tile / shape.outputs : 1;
  if (narrows_activations(shape.kept, rate)) {
    op.row_bytes += shape.inputs * (stream_element + activation);
    op.items = 1;
  }
  op.chain = shape.inputs;
  return op;
}

Operator experts_operator(const KernelSite& site, const ExpertsShape& shape) {
  const Format rate = multiply_rate(shape.kept, shape.activations, site.chip());
  Operator op = operator_on(site, OperatorKind::expert_products, Kernel::grouped_gemm, "experts", shape.kept, rate);
  const Bytes activation = activation_element(rate);
  const double here = divide_up(shape.experts, shape.ranks), gates = shape.matrices - 1;
  op.flop = 2 * shape.elements * unit::flop;
  op.weight_bytes = here * (shape.elements * element_bytes(shape.kept) + shape.biases);
  op.pair_bytes = 2 * shape.hidden * activation + 2 * gates * shape.width * stream_element + shape.width * activation;
  op.row_bytes = 2 * shape.hidden * stream_element;
  op.over_stage_width = true;
  op.experts = shape.experts;
  op.expert_ranks = shape.ranks;
  op.active_experts = shape.active;
  op.skew_squared = shape.skew * shape.skew;
  op.log_untouched = shape.active < shape.experts ? -natural_log(1 - shape.active / shape.experts) : 700;
  op.items = shape.active / (shape.dispatched ? shape.ranks : 1);
  op.chain = shape.hidden + shape.width;
  return op;
}

void attention_operators(const KernelSite& site, const Attention& a, int tp, int cp, Format kv, std::vector<Operator>& operators) {
  if (a.kind == AttentionKind::none) return;
  if (a.kind == AttentionKind::linear || a.kind == AttentionKind::mamba) return add_recurrent(site, a, tp, operators);
  const Chip& chip = site.chip();
  const Format rate16 = multiply_rate(Format::bf16, std::nullopt, chip);
  const bool narrow = row(kv).rate == Format::fp8;
  // Decode kernels widen FP8 KV and multiply in 16 bits, where tiles are mostly padding anyway; prefill multiplies in FP8.
  const Format prefill_rate = narrow ? multiply_rate(Format::fp8, Format::fp8, chip) : rate16;
  const double heads = divide_up(a.heads, tp), kv_heads = std::max(1.0, divide_up(a.kv_heads, tp));
  const Reach reach{.kind = a.kind, .window = static_cast<double>(a.window), .topk = static_cast<double>(a.topk),
                    .compress = static_cast<double>(a.compress)};
  const auto add = [&](OperatorKind kind, Kernel kernel, std::string_view label, Format rate, Flops flop, Bytes entry, Bytes row_bytes,
                       const Reach& r, double items, double group_rows, double softmax_widths = 0) {
    Operator op = operator_on(site, kind, kernel, label, kv, rate);
    op.flop = flop;
    op.kept_bytes = entry;
    op.row_bytes = row_bytes;
    op.reach = r;
    op.context_shards = cp;
    op.items = items;
    op.group_rows = group_rows;
    op.softmax = softmax_widths > 0 ? 2 / softmax_widths : 0;
    operators.push_back(op);
  };
  if (a.kind == AttentionKind::mla) {
    const double latent = a.latent_dim + a.rope_dim, both = 2.0 * a.latent_dim + a.rope_dim;
    const Bytes entry = latent * element_bytes(kv);
    // Absorbed FP8 attention multiplies in FP8 only where the chip's kernels were built for it: Blackwell.
    const Format decode_rate = narrow && chip.family.starts_with("blackwell") ? prefill_rate : rate16;
    add(OperatorKind::latent_decode, Kernel::mla_decode, "attention (decode)", decode_rate, 2 * heads * both * unit::flop, entry,
        heads * both * stream_element, reach, std::ceil(heads / 64), heads);
    // Selected tokens are read as latents, in prefill as in decode; a dense prefill expands keys and values first.
    const double widths = a.topk > 0 ? both : a.qk_dim + a.v_dim;
    add(OperatorKind::latent_prefill, Kernel::mla_prefill, "attention (prefill)", prefill_rate, 2 * heads * widths * unit::flop,
        a.topk > 0 ? entry : heads * widths * stream_element, heads * widths * stream_element, reach, heads, 0, widths);
  } else {
    const double width = a.keys_are_values ? a.qk_dim : a.qk_dim + a.v_dim, both = a.qk_dim + a.v_dim;
    const Bytes entry = kv_heads * width * element_bytes(kv);
    add(OperatorKind::attention_decode, Kernel::attention_decode, "attention (decode)", rate16, 2 * heads * both * unit::flop, entry,
        heads * both * stream_element, reach, kv_heads * std::max(a.qk_dim, 128) / 128, heads / kv_heads);
    // One query a row: the exponential, and what of a head fills no vector and is worked off one element after the other.
    const Efficiency& e = site.calibration.at(Kernel::attention_decode, kv);
    const auto tail = [&](double dims) { return e.vector_dims > 0 ? dims - std::floor(dims / e.vector_dims) * e.vector_dims : 0; };
    const double rest = tail(a.qk_dim) + tail(a.v_dim);
    operators.back().padding = (both - rest + 2 * e.softmax_dims + std::max(1.0, e.tail_dims * e.peak_share) * rest) / both;
    add(OperatorKind::attention_prefill, Kernel::attention_prefill, "attention (prefill)", prefill_rate, 2 * heads * both * unit::flop,
        entry, heads * both * stream_element, reach, heads, 0, both);
  }
  if (a.topk > 0 && a.index_heads > 0 && a.stores_index) {
    const Reach whole{.compress = static_cast<double>(a.compress)};
    const Format index_rate = multiply_rate(Format::fp8, Format::fp8, chip);
    const Flops score = 2.0 * a.index_heads * a.index_dim * unit::flop;
    const Bytes entry = a.index_dim * index_element, token = 2.0 * a.index_heads * a.index_dim * unit::B;
    add(OperatorKind::index_decode, Kernel::sparse_index, "indexer (decode)", index_rate, score, entry, token, whole, 1, 0);
    add(OperatorKind::index_prefill, Kernel::sparse_index, "indexer (prefill)", index_rate, score, entry, token, whole, a.index_heads, 0);
  }
}

Operator elementwise_operator(const KernelSite& site, std::string_view label, Bytes a_row, double launches, Bytes weights) {
  Operator op = operator_on(site, OperatorKind::elementwise, Kernel::elementwise, label, Format::bf16, Format::bf16);
  op.launches = launches;
  op.row_bytes = a_row;
  op.weight_bytes = weights;
  return op;
}

Operator collective_operator(const KernelSite& site, OperatorKind kind, Kernel kernel, std::string_view label, int ranks, int stride,
                             Bytes a_row) {
  Operator op = operator_on(site, kind, kernel, label, Format::bf16, Format::bf16);
  op.group = rank_group(site.system, ranks, stride, site.calibration.at(kernel, Format::bf16));
  op.ideal_group = ideal_rank_group(site.system, ranks, stride);
  op.wire_bytes = a_row;
  return op;
}

Operator exchange_operator(const KernelSite& site, OperatorKind kind, std::string_view label, const ExchangeShape& shape) {
  const Efficiency& efficiency = site.calibration.at(Kernel::all_to_all, shape.wire);
  Operator op = operator_on(site, kind, Kernel::all_to_all, label, shape.wire, Format::bf16);
  op.pace.item_time = efficiency.item_time;  // a token, on the communication cores
  op.items = 1 / shape.shared_by;
  op.group = rank_group(site.system, shape.ranks, shape.stride, efficiency);
  op.ideal_group = ideal_rank_group(site.system, shape.ranks, shape.stride);
  const Bytes token = shape.hidden * element_bytes(shape.wire) / shape.shared_by;
  const double p = shape.ranks, here = op.group.ranks_in_domain, domains = op.group.domains();
  // Distinct ranks and domains of a token's experts; its own rank and domain, with chance 1/p and 1/d, need no wire.
  const double rank_copies = expected_distinct(p, shape.active), domain_copies = expected_distinct(domains, shape.active);
  op.wire_bytes_outside = domain_copies * (domains - 1) / domains * token;
  op.wire_bytes = rank_copies * (here > 1 ? (p - p / here) / p : 0) * token;  // copies that end on another rail, forwarded inside
  return op;
}

}  // namespace fareline
