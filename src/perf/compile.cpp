// SPDX-License-Identifier: Apache-2.0
// compile(): from matrices and attention to the operators of one rank.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "perf/compiled_plan.h"
#include "units/elementary.h"

namespace fareline {
namespace {

double divide_up(double a, double b) { return std::ceil(a / b); }

struct Compiler {
  const Model& model;
  const System& system;
  const Calibration& calibration;
  const Plan& plan;
  std::vector<Operator>& operators;

  const Chip& chip() const { return system.chip; }
  Format kv_format() const { return plan.kv.value_or(model.precision.kv); }

  Operator base(OperatorKind kind, Kernel kernel, std::string_view label, Format kept, Format rate) const {
    const Efficiency& efficiency = calibration.at(kernel, kept);
    Operator op;
    op.kind = kind;
    op.kernel = kernel;
    op.rate = rate;
    std::copy_n(label.begin(), std::min(label.size(), sizeof op.name), op.name);
    const double left = calibration.engine.launch_share;
    op.latency = left * efficiency.latency;
    op.serial = efficiency.serial_share;
    op.tile = efficiency.tile;
    op.tiled_from = efficiency.tiled_from;
    op.item_time = left * efficiency.item_time / std::max(1, chip().cores.value);
    op.depth_time = left * efficiency.depth_time;
    op.depth_most = efficiency.depth_most;
    const FlopRate peak = chip().peak[static_cast<std::size_t>(rate)].value;
    if (peak > FlopRate{}) {
      op.ideal_inverse_peak = 1 / peak;
      op.inverse_peak = std::max(1.0, calibration.engine.flop_share / efficiency.peak_share) / peak;
    }
    op.inverse_bandwidth = std::max(1.0, calibration.engine.memory_share / efficiency.bandwidth_share) / chip().hbm_bandwidth.value;
    return op;
  }

  // The chain of a product is its k, the same in every pass: it joins the latency.
  static void fix_depth(Operator& op, double depth) {
    op.latency += (op.depth_most > 0 ? std::min(depth, op.depth_most) : depth) * op.depth_time;
    op.depth_time = Seconds{};
  }

  // A product in `rate` that is fed 16-bit activations narrows them first, in a kernel of its own.
  static bool narrows_activations(Format kept, Format rate) { return rate == row(kept).rate && row(rate).bits < 16; }

  void elementwise(std::string_view label, double rows_of_hidden, double launches, Bytes weights = {}, bool stage_width = false) {
    Operator op = base(OperatorKind::elementwise, Kernel::elementwise, label, Format::bf16, Format::bf16);
    op.launches = launches;
    op.row_bytes = rows_of_hidden * stream_element;
    op.weight_bytes = weights;
    op.over_stage_width = stage_width;
    operators.push_back(op);
  }

  // Pieces a matrix is really cut into: more ranks than pieces hold duplicates.
  static double pieces(const Matrix& matrix, int ranks) {
    return static_cast<double>(std::min<std::int64_t>(std::max<std::int64_t>(matrix.shards_most, 1), ranks));
  }

  // What a rank reads of a vector: a norm, a bias, a convolution.
  Bytes vector_bytes(const Matrix& m) const {
    const double cut = m.split == Split::replicated ? 1 : pieces(m, plan.tp);
    return static_cast<double>(m.parameters()) / cut * element_bytes(kept_format(m, plan));
  }

  // Kernels of the matrices of one op: one product, their outputs side by side.
  void product(const Matrix* first, const Matrix* last) {
    const Format kept = kept_format(*first, plan);
    const Format rate = multiply_rate(kept, plan.activations, chip());
    Operator op = base(OperatorKind::matrix_product, Kernel::gemm, first->op, kept, rate);
    op.use = first->use;
    const Bytes activation = std::min(row(rate).bits, 16.0) / 8 * unit::B;
    const bool feed_forward = first->part == Part::dense_mlp || first->part == Part::shared_experts;
    const int ranks = feed_forward ? plan.tp * plan.cp : plan.tp;
    double elements = 0, outputs = 0, inputs = 0;
    Bytes weights;
    for (const Matrix* m = first; m != last; ++m) {
      if (m->use != first->use) continue;  // a bias among them: it is added, not multiplied
      const double cut = m->split == Split::replicated ? 1 : pieces(*m, ranks);
      const double mine = static_cast<double>(m->parameters()) / cut;
      elements += mine;
      weights += mine * element_bytes(kept_format(*m, plan));
      const double copies = static_cast<double>(m->copies);
      outputs += copies * static_cast<double>(m->outputs) / (m->split == Split::columns ? cut : 1);
      inputs = std::max(inputs, copies * static_cast<double>(m->inputs) / (m->split == Split::rows ? cut : 1));
    }
    op.flop = 2 * elements * unit::flop;
    op.weight_bytes = weights;
    op.row_bytes = inputs * activation + outputs * (first->use == Use::last_tokens ? 2 * stream_element : stream_element);
    op.padding = outputs > 0 ? std::ceil(outputs / op.tile) * op.tile / outputs : 1;
    if (narrows_activations(kept, rate)) {
      op.row_bytes += inputs * (stream_element + activation);
      op.items = 1;
    }
    fix_depth(op, inputs);
    operators.push_back(op);
  }

  // The experts of a layer as the one fused kernel that engines run: sort by expert, gate and up, activation, down, sum.
  void experts(const Layer& l) {
    const Matrix* first = nullptr;
    double elements = 0;
    Bytes biases;  // of one expert
    for (const Matrix& m : l.matrices) {
      if (m.split != Split::experts) continue;
      if (m.use == Use::elementwise) {
        biases += static_cast<double>(m.inputs * m.outputs) / plan.expert_tp() * element_bytes(kept_format(m, plan));
        continue;
      }
      if (!first) first = &m;
      elements += static_cast<double>(m.inputs) * static_cast<double>(m.outputs) / plan.expert_tp();
    }
    if (!first) return;
    const Format kept = kept_format(*first, plan);
    const Format rate = multiply_rate(kept, plan.activations, chip());
    Operator op = base(OperatorKind::expert_products, Kernel::grouped_gemm, "experts", kept, rate);
    const Bytes activation = std::min(row(rate).bits, 16.0) / 8 * unit::B;
    const FeedForward& f = l.feed_forward;
    const double count = static_cast<double>(first->copies), here = divide_up(count, plan.ep);
    const double width = static_cast<double>(f.intermediate) / plan.expert_tp(), gates = f.matrices - 1;
    op.flop = 2 * elements * unit::flop;
    op.weight_bytes = here * (elements * element_bytes(kept) + biases);
    op.pair_bytes = 2 * expert_hidden * activation + 2 * gates * width * stream_element + width * activation;
    op.row_bytes = 2 * expert_hidden * stream_element;
    op.over_stage_width = true;
    op.experts = count;
    op.expert_ranks = plan.ep;
    op.active_experts = active_experts;
    op.skew_squared = plan.expert_skew * plan.expert_skew;
    op.log_untouched = active_experts < count ? -natural_log(1 - active_experts / count) : 700;
    // With attention data-parallel each rank is handed only what was dispatched to it; else every token, and skips the rest.
    op.items = active_experts / (plan.dp > 1 ? static_cast<double>(plan.ep) : 1);
    fix_depth(op, expert_hidden + width);
    operators.push_back(op);
  }

  void collective(OperatorKind kind, Kernel kernel, std::string_view label, int ranks, int stride, Bytes a_row, bool stage_width = false) {
    if (ranks <= 1) return;
    const Efficiency& efficiency = calibration.at(kernel, Format::bf16);
    Operator op = base(kind, kernel, label, Format::bf16, Format::bf16);
    op.group = rank_group(system, ranks, stride, efficiency);
    op.ideal_group = ideal_rank_group(system, ranks, stride);
    op.wire_bytes = a_row;
    op.over_stage_width = stage_width;
    operators.push_back(op);
  }

  // Expert dispatch or combine: what one token of a dp group sends, shared by its tp x cp ranks.
  void exchange(OperatorKind kind, std::string_view label, Format wire) {
    const int ranks = plan.ep;
    if (ranks <= 1) return;
    const int stride = plan.stage_chips() / plan.ep;
    const Efficiency& efficiency = calibration.at(Kernel::all_to_all, wire);
    Operator op = base(kind, Kernel::all_to_all, label, wire, Format::bf16);
    op.item_time = efficiency.item_time;  // a token, on the communication cores
    op.items = 1.0 / (plan.tp * plan.cp);
    op.group = rank_group(system, ranks, stride, efficiency);
    op.ideal_group = ideal_rank_group(system, ranks, stride);
    const Bytes token = expert_hidden * element_bytes(wire) / (plan.tp * plan.cp);
    const double p = ranks, here = op.group.ranks_in_domain, domains = op.group.domains();
    // Distinct ranks and domains of a token's experts; its own rank and domain, with chance 1/p and 1/d, need no wire.
    const double rank_copies = expected_distinct(p, active_experts), domain_copies = expected_distinct(domains, active_experts);
    op.wire_bytes_outside = domain_copies * (domains - 1) / domains * token;
    op.wire_bytes = rank_copies * (here > 1 ? (p - p / here) / p : 0) * token;  // copies that end on another rail, forwarded inside
    operators.push_back(op);
  }

  double active_experts = 0, expert_hidden = 0;

  void attention(const Attention& a) {
    const Format rate16 = multiply_rate(Format::bf16, std::nullopt, chip());
    const Format kv = kv_format();
    const bool narrow = row(kv).rate == Format::fp8;
    // Decode kernels widen FP8 KV and multiply in 16 bits, where tiles are mostly padding anyway; prefill multiplies in FP8.
    const Format prefill_rate = narrow ? multiply_rate(Format::fp8, Format::fp8, chip()) : rate16;
    const double heads = divide_up(a.heads, plan.tp), kv_heads = std::max(1.0, divide_up(a.kv_heads, plan.tp));
    const Reach reach{.kind = a.kind, .window = static_cast<double>(a.window), .topk = static_cast<double>(a.topk),
                      .compress = static_cast<double>(a.compress)};
    const auto add = [&](OperatorKind kind, Kernel kernel, std::string_view label, Format rate, Flops flop, Bytes entry, Bytes row_bytes,
                         const Reach& r, double items, double group_rows) {
      Operator op = base(kind, kernel, label, kv, rate);
      op.flop = flop;
      op.kept_bytes = entry;
      op.row_bytes = row_bytes;
      op.reach = r;
      op.context_shards = plan.cp;
      op.items = items;
      op.group_rows = group_rows;
      operators.push_back(op);
    };
    const auto prefill_padding = [&](Kernel kernel, double widths) {
      Operator& op = operators.back();
      const double extra = calibration.at(kernel, kv).softmax_dims;
      op.padding = 1 + 2 * extra / widths;
    };
    // One query a row: the exponential, and what of a head fills no vector and is worked off one element after the other.
    const auto decode_padding = [&] {
      Operator& op = operators.back();
      const Efficiency& e = calibration.at(Kernel::attention_decode, kv);
      const auto tail = [&](double width) { return e.vector_dims > 0 ? width - std::floor(width / e.vector_dims) * e.vector_dims : 0; };
      const double rest = tail(a.qk_dim) + tail(a.v_dim), widths = a.qk_dim + a.v_dim;
      op.padding = (widths - rest + 2 * e.softmax_dims + std::max(1.0, e.tail_dims * e.peak_share) * rest) / widths;
    };
    switch (a.kind) {
      case AttentionKind::none: return;
      case AttentionKind::linear:
      case AttentionKind::mamba: {
        const bool mamba = a.kind == AttentionKind::mamba;
        const double state = static_cast<double>(a.state_heads) * a.state_rows * a.state_columns / plan.tp;
        const double convolution = static_cast<double>(a.conv_channels) * a.conv_taps / plan.tp;
        const double rolling = static_cast<double>(a.conv_channels) * std::max(0, a.conv_taps - 1) / plan.tp;  // the inputs kept of it
        for (const bool decode : {true, false}) {
          Operator op = base(decode ? OperatorKind::recurrent_decode : OperatorKind::recurrent_prefill,
                             decode ? Kernel::recurrent_decode : Kernel::recurrent_prefill, decode ? "state (decode)" : "state (prefill)",
                             Format::bf16, rate16);
          op.flop = ((mamba ? 6 : 8) * state + 2 * convolution) * unit::flop;
          op.kept_bytes = state * state_element + rolling * stream_element;
          op.row_bytes = (2.0 * a.conv_channels + 2.0 * a.state_heads * std::max(a.state_rows, a.state_columns)) / plan.tp * stream_element;
          op.launches = 2;
          op.items = static_cast<double>(a.state_heads) / plan.tp;
          operators.push_back(op);
        }
        return;
      }
      case AttentionKind::mla: {
        const double latent = a.latent_dim + a.rope_dim, both = 2.0 * a.latent_dim + a.rope_dim;
        const Bytes entry = latent * element_bytes(kv);
        // Absorbed FP8 attention multiplies in FP8 only where the chip's kernels were built for it: Blackwell.
        const Format decode_rate = narrow && chip().family.starts_with("blackwell") ? prefill_rate : rate16;
        add(OperatorKind::latent_decode, Kernel::mla_decode, "attention (decode)", decode_rate, 2 * heads * both * unit::flop, entry,
            heads * both * stream_element, reach, std::ceil(heads / 64), heads);
        // Selected tokens are read as latents, in prefill as in decode; a dense prefill expands keys and values first.
        if (a.topk > 0)
          add(OperatorKind::latent_prefill, Kernel::mla_prefill, "attention (prefill)", prefill_rate, 2 * heads * both * unit::flop, entry,
              heads * both * stream_element, reach, heads, 0);
        else
          add(OperatorKind::latent_prefill, Kernel::mla_prefill, "attention (prefill)", prefill_rate,
              2 * heads * (a.qk_dim + a.v_dim) * unit::flop, heads * (a.qk_dim + a.v_dim) * stream_element,
              heads * (a.qk_dim + a.v_dim) * stream_element, reach, heads, 0);
        prefill_padding(Kernel::mla_prefill, a.topk > 0 ? both : a.qk_dim + a.v_dim);
        break;
      }
      default: {
        const double width = a.keys_are_values ? a.qk_dim : a.qk_dim + a.v_dim;
        const Bytes entry = kv_heads * width * element_bytes(kv);
        const Flops pair = 2 * heads * (a.qk_dim + a.v_dim) * unit::flop;
        const Bytes token = heads * (a.qk_dim + a.v_dim) * stream_element;
        add(OperatorKind::attention_decode, Kernel::attention_decode, "attention (decode)", rate16, pair, entry, token, reach,
            kv_heads * std::max(a.qk_dim, 128) / 128, heads / kv_heads);
        decode_padding();
        add(OperatorKind::attention_prefill, Kernel::attention_prefill, "attention (prefill)", prefill_rate, pair, entry, token, reach,
            heads, 0);
        prefill_padding(Kernel::attention_prefill, a.qk_dim + a.v_dim);
      }
    }
    if (a.topk > 0 && a.index_heads > 0 && a.stores_index) {
      const Reach whole{.compress = static_cast<double>(a.compress)};
      const Format index_rate = multiply_rate(Format::fp8, Format::fp8, chip());
      const Flops score = 2.0 * a.index_heads * a.index_dim * unit::flop;
      const Bytes entry = a.index_dim * index_element, token = 2.0 * a.index_heads * a.index_dim * unit::B;
      add(OperatorKind::index_decode, Kernel::sparse_index, "indexer (decode)", index_rate, score, entry, token, whole, 1, 0);
      add(OperatorKind::index_prefill, Kernel::sparse_index, "indexer (prefill)", index_rate, score, entry, token, whole, a.index_heads, 0);
    }
  }

  static bool feeds_forward(const Matrix& m) {
    return m.part == Part::dense_mlp || m.part == Part::router || m.part == Part::experts || m.part == Part::shared_experts;
  }

  void products(const std::vector<Matrix>& matrices, bool forward, bool before_mixing) {
    for (std::size_t i = 0; i < matrices.size();) {
      std::size_t j = i + 1;
      while (j < matrices.size() && matrices[j].op == matrices[i].op && matrices[j].split == matrices[i].split) ++j;
      // Rows of one launch may be cut differently (Q by heads, K and V by KV heads): the split must agree, the limit need not.
      const Matrix& m = matrices[i];
      const bool multiplied = m.use == Use::tokens || m.use == Use::context_tokens || m.use == Use::last_tokens;
      const bool leaves_mixer = m.op == "o" || m.op == "out_proj" || m.split == Split::rows;
      if (multiplied && m.split != Split::experts && feeds_forward(m) == forward && (forward || leaves_mixer != before_mixing))
        product(&matrices[i], &matrices[j - 1] + 1);
      i = j;
    }
  }

  void layer(const Layer& l) {
    const double h = model.hidden, streams = model.residual_streams;
    const bool mixes = l.attention.kind != AttentionKind::none;
    const FeedForward& f = l.feed_forward;
    const bool moe = f.experts > 0;
    active_experts = f.active_experts;
    expert_hidden = f.expert_hidden > 0 ? f.expert_hidden : model.hidden;
    Bytes vectors;
    for (const Matrix& m : l.matrices)
      if (m.use == Use::elementwise && m.split != Split::experts) vectors += vector_bytes(m);

    // Each norm reads the stream and the last result, adds, and writes both the stream and what is normalised.
    elementwise("norms", l.norms * (2 + 2 * streams) * h, l.norms, vectors);
    const bool attends = mixes && l.attention.kind != AttentionKind::linear && l.attention.kind != AttentionKind::mamba;
    if (mixes) {
      products(l.matrices, false, true);
      if (attends) {
        const double q = divide_up(l.attention.heads, plan.tp) * l.attention.qk_dim;
        const double k = l.attention.kind == AttentionKind::mla ? l.attention.latent_dim + l.attention.rope_dim
                                                                 : divide_up(l.attention.kv_heads, plan.tp) * l.attention.qk_dim;
        elementwise("rope and KV write", 2 * q + 3 * k, 1);
      }
      if (plan.cp > 1 && attends) {
        const double width = l.attention.kind == AttentionKind::mla
                                 ? l.attention.latent_dim + l.attention.rope_dim
                                 : divide_up(l.attention.kv_heads, plan.tp) * (l.attention.qk_dim + l.attention.v_dim);
        collective(OperatorKind::all_gather, Kernel::all_gather, "gather KV (prefill)", plan.cp, plan.tp, width * stream_element);
        operators.back().prefill_only = true;
        const double v = l.attention.kind == AttentionKind::mla ? l.attention.latent_dim : l.attention.v_dim;
        collective(OperatorKind::all_reduce, Kernel::all_reduce, "merge attention (decode)", plan.cp, plan.tp,
                   divide_up(l.attention.heads, plan.tp) * (v + 2) * stream_element);
        operators.back().decode_only = true;
      }
      attention(l.attention);
      products(l.matrices, false, false);
      collective(OperatorKind::all_reduce, Kernel::all_reduce, "all-reduce (attention)", plan.tp, 1, h * stream_element);
    }
    if (f.intermediate <= 0) return;
    if (moe) {
      products(l.matrices, true, false);
      elementwise("choice of experts", 4.0 * f.experts, 1);
      experts(l);
      exchange_tokens(h);
    } else {
      products(l.matrices, true, false);
      elementwise("activation", f.matrices * f.intermediate / static_cast<double>(plan.tp * plan.cp), 1);
      collective(OperatorKind::all_reduce, Kernel::all_reduce, "all-reduce (MLP)", plan.tp * plan.cp, 1, h * stream_element);
    }
  }

  // How tokens reach the experts and come back. With one dp group all ranks hold all tokens and sums suffice.
  void exchange_tokens(double h) {
    const int group = plan.tp * plan.cp;
    if (plan.dp == 1) {
      collective(OperatorKind::all_reduce, Kernel::all_reduce, "all-reduce (experts)", group, 1, h * stream_element);
      return;
    }
    if (plan.ep > 1) {
      exchange(OperatorKind::dispatch, "dispatch", Format::fp8);
      exchange(OperatorKind::combine, "combine", Format::bf16);
      collective(OperatorKind::all_gather, Kernel::all_gather, "gather tokens", group, 1, h * stream_element);
    } else {
      collective(OperatorKind::all_gather, Kernel::all_gather, "gather tokens (dp)", plan.dp, group, h * stream_element, true);
      collective(OperatorKind::reduce_scatter, Kernel::reduce_scatter, "scatter results (dp)", plan.dp, group, h * stream_element, true);
      collective(OperatorKind::all_reduce, Kernel::all_reduce, "all-reduce (experts)", group, 1, h * stream_element);
    }
  }

  void head() {
    const Matrix& e = model.embedding;
    Operator op = base(OperatorKind::embedding, Kernel::elementwise, "embedding", Format::bf16, Format::bf16);
    op.row_bytes = 2.0 * model.hidden * element_bytes(e.format);
    operators.push_back(op);
    collective(OperatorKind::all_reduce, Kernel::all_reduce, "all-reduce (embedding)", plan.tp, 1, model.hidden * stream_element);
  }

  void tail() {
    Bytes norm;
    for (const Matrix& m : model.other)
      if (m.use == Use::elementwise) norm += vector_bytes(m);
    elementwise("final norm", 3.0 * model.hidden, 1, norm);
    operators.back().use = Use::last_tokens;
    product(&model.lm_head, &model.lm_head + 1);
    const double vocabulary = static_cast<double>(model.vocabulary);
    collective(OperatorKind::all_gather, Kernel::all_gather, "gather logits", plan.tp, 1, vocabulary * stream_element);
    if (plan.tp > 1) operators.back().use = Use::last_tokens;
    Operator op = base(OperatorKind::sampling, Kernel::elementwise, "sampling", Format::bf16, Format::bf16);
    op.use = Use::last_tokens;
    op.launches = 3;
    op.row_bytes = 2 * vocabulary * 4 * unit::B;
    operators.push_back(op);
  }

  std::vector<int> stage_layers() const {
    const std::size_t kinds = model.kinds.size();
    std::vector<int> counts(static_cast<std::size_t>(plan.pp) * kinds);
    const int layers = model.layers();
    for (int i = 0; i < layers; ++i) {
      const auto stage = static_cast<std::size_t>(static_cast<long>(i) * plan.pp / layers);
      ++counts[stage * kinds + static_cast<std::size_t>(model.order[static_cast<std::size_t>(i)])];
    }
    return counts;
  }
};

std::optional<Infeasible> indivisible(const Model& model, const System& system, const Plan& plan) {
  using Constraint = Infeasible::Constraint;
  const auto no = [](Constraint constraint, double needed, double available) { return Infeasible{constraint, needed, available}; };
  const auto multiplies = [&](Format f) { return system.chip.peak[static_cast<std::size_t>(f)].value > FlopRate{}; };
  if (!multiplies(Format::bf16) && !multiplies(Format::tf32) && !multiplies(Format::fp32))
    return no(Constraint::format, row(Format::bf16).bits, 0);
  if (plan.stage_chips() % plan.ep != 0) return no(Constraint::ranks, plan.ep, plan.stage_chips());
  if (plan.pp > model.layers()) return no(Constraint::layers, plan.pp, model.layers());
  if (plan.replica_chips() > 1 && plan.replica_chips() > system.domain && !system.scale_out.bandwidth.stated())
    return no(Constraint::domain, plan.replica_chips(), system.domain);
  for (const Layer& layer : model.kinds) {
    const Attention& a = layer.attention;
    const int heads = a.kind == AttentionKind::linear || a.kind == AttentionKind::mamba ? a.state_heads : a.heads;
    if (a.kind != AttentionKind::none && heads % plan.tp != 0) return no(Constraint::heads, plan.tp, heads);
    if (a.kv_heads > 0 && a.kind != AttentionKind::mla && a.kv_heads % plan.tp != 0 && plan.tp % a.kv_heads != 0)
      return no(Constraint::kv_heads, plan.tp, a.kv_heads);
    const FeedForward& f = layer.feed_forward;
    if (f.experts > 0) {
      if (f.experts % plan.ep != 0) return no(Constraint::experts, plan.ep, f.experts);
      if (f.intermediate % plan.expert_tp() != 0) return no(Constraint::width, plan.expert_tp(), f.intermediate);
    } else if (f.intermediate > 0 && f.intermediate % (plan.tp * plan.cp) != 0) {
      return no(Constraint::width, plan.tp * plan.cp, f.intermediate);
    }
  }
  return std::nullopt;
}

}  // namespace

Format kept_format(const Matrix& matrix, const Plan& plan) {
  const bool wide = matrix.part == Part::embedding || matrix.part == Part::lm_head || matrix.part == Part::router ||
                    matrix.part == Part::norms || matrix.use == Use::elementwise;
  if (wide) return matrix.format;
  if (matrix.part == Part::experts && plan.experts) return *plan.experts;
  return plan.weights.value_or(matrix.format);
}

Format multiply_rate(Format weights, std::optional<Format> activations, const Chip& chip) {
  const auto has = [&](Format f) { return chip.peak[static_cast<std::size_t>(f)].value > FlopRate{}; };
  Format rate = row(weights).rate;
  if (activations && row(*activations).bits > row(rate).bits) rate = row(*activations).rate;
  while (!has(rate)) {
    switch (rate) {
      case Format::nvfp4:
      case Format::mxfp6:
      case Format::fp8:
      case Format::int8: rate = Format::bf16; break;  // weights are widened to 16 bits
      case Format::bf16: rate = has(Format::tf32) ? Format::tf32 : Format::fp32; break;
      default: return has(Format::fp32) ? Format::fp32 : Format::bf16;
    }
  }
  return rate;
}

std::expected<CompiledPlan, Infeasible> compile(const Model& model, const System& system, const Calibration& calibration,
                                                const Plan& plan) {
  if (const auto reason = indivisible(model, system, plan)) return std::unexpected(*reason);
  CompiledPlan compiled;
  compiled.plan_ = plan;
  compiled.engine_ = calibration.engine;
  compiled.inverse_hbm_ = 1 / system.chip.hbm_bandwidth.value;
  std::vector<Operator>& operators = compiled.operators_;
  operators.reserve(32 * (model.kinds.size() + 1));
  Compiler compiler{.model = model, .system = system, .calibration = calibration, .plan = plan, .operators = operators};
  const auto block = [&](auto&& fill) {
    const int first = static_cast<int>(operators.size());
    fill();
    return CompiledPlan::Block{first, static_cast<int>(operators.size())};
  };
  compiled.head_ = block([&] { compiler.head(); });
  compiled.kinds_.reserve(model.kinds.size());
  for (const Layer& layer : model.kinds) compiled.kinds_.push_back(block([&] { compiler.layer(layer); }));
  compiled.tail_ = block([&] { compiler.tail(); });
  compiled.hop_ = block([&] {
    if (plan.pp <= 1) return;
    compiler.collective(OperatorKind::stage_hop, Kernel::point_to_point, "stage hop", 2, plan.stage_chips(),
                        static_cast<double>(model.hidden) * model.residual_streams * stream_element / plan.tp);
    compiler.collective(OperatorKind::all_gather, Kernel::all_gather, "gather after hop", plan.tp, 1, model.hidden * stream_element);
  });
  compiled.draft_ = block([&] {
    if (model.mtp.empty()) return;
    for (const Layer& layer : model.mtp) compiler.layer(layer);
    compiler.tail();
  });
  compiled.stage_layers_ = compiler.stage_layers();
  return compiled;
}

}  // namespace fareline
