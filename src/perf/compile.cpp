// SPDX-License-Identifier: Apache-2.0
// compile(): from matrices and attention to the operators of one rank.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "perf/compiled_plan.h"
#include "perf/kernel_operators.h"
#include "perf/rank_operators.h"
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

  Format kv_format() const { return plan.kv.value_or(model.precision.kv); }
  KernelSite site() const { return {system, calibration}; }

  void elementwise(std::string_view label, double rows_of_hidden, double launches, Bytes weights = {}) {
    operators.push_back(elementwise_operator(site(), label, rows_of_hidden * stream_element, launches, weights));
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
    Operator op = product_operator(site(), first->op,
                                   {.inputs = inputs,
                                    .outputs = outputs,
                                    .elements = elements,
                                    .weights = weights,
                                    .kept = kept_format(*first, plan),
                                    .activations = plan.activations,
                                    .output_element = first->use == Use::last_tokens ? 2 * stream_element : stream_element});
    op.use = first->use;
    operators.push_back(op);
  }

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
    const FeedForward& f = l.feed_forward;
    operators.push_back(experts_operator(site(), {.experts = static_cast<double>(first->copies),
                                                  .active = active_experts,
                                                  .ranks = static_cast<double>(plan.ep),
                                                  .hidden = expert_hidden,
                                                  .width = static_cast<double>(f.intermediate) / plan.expert_tp(),
                                                  .matrices = f.matrices,
                                                  .elements = elements,
                                                  .biases = biases,
                                                  .kept = kept_format(*first, plan),
                                                  .activations = plan.activations,
                                                  .skew = plan.expert_skew,
                                                  .dispatched = plan.dp > 1}));
  }

  void collective(OperatorKind kind, Kernel kernel, std::string_view label, int ranks, int stride, Bytes a_row, bool stage_width = false) {
    if (ranks <= 1) return;
    operators.push_back(collective_operator(site(), kind, kernel, label, ranks, stride, a_row));
    operators.back().over_stage_width = stage_width;
  }

  // Expert dispatch or combine: what one token of a dp group sends, shared by its tp x cp ranks.
  void exchange(OperatorKind kind, std::string_view label, Format wire) {
    if (plan.ep <= 1) return;
    operators.push_back(exchange_operator(site(), kind, label,
                                          {.ranks = plan.ep,
                                           .stride = plan.stage_chips() / plan.ep,
                                           .shared_by = static_cast<double>(plan.tp * plan.cp),
                                           .active = active_experts,
                                           .hidden = expert_hidden,
                                           .wire = wire}));
  }

  double active_experts = 0, expert_hidden = 0;

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
      attention_operators(site(), l.attention, plan.tp, plan.cp, kv_format(), operators);
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
    Operator op = operator_on(site(), OperatorKind::embedding, Kernel::elementwise, "embedding", Format::bf16, Format::bf16);
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
    Operator op = operator_on(site(), OperatorKind::sampling, Kernel::elementwise, "sampling", Format::bf16, Format::bf16);
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

std::expected<RankOperators, Infeasible> rank_operators(const Model& model, const System& system, const Calibration& calibration,
                                                        const Plan& plan) {
  if (const auto reason = indivisible(model, system, plan)) return std::unexpected(*reason);
  RankOperators all;
  std::vector<Operator> operators;
  Compiler compiler{.model = model, .system = system, .calibration = calibration, .plan = plan, .operators = operators};
  compiler.head();
  all.before.swap(operators);
  for (const Layer& layer : model.kinds) {
    operators.clear();
    compiler.layer(layer);
    all.layers.push_back(operators);
  }
  operators.clear();
  compiler.tail();
  all.after.swap(operators);
  all.stage_layers = compiler.stage_layers();
  return all;
}

}  // namespace fareline
