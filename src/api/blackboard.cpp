// SPDX-License-Identifier: Apache-2.0
#include "api/blackboard.h"

#include <fmt/format.h>

#include "perf/compiled_plan.h"

namespace fareline {
namespace {

// Bytes of one parameter on average, every matrix in the format it is published in.
Bytes published_bytes_per_parameter(const Model& model) {
  double parameters = 0;
  Bytes bytes{};
  const auto add = [&](const Matrix& m) {
    parameters += static_cast<double>(m.parameters());
    bytes += static_cast<double>(m.parameters()) * element_bytes(m.format);
  };
  for (const int kind : model.order)
    for (const Matrix& m : model.kinds[static_cast<std::size_t>(kind)].matrices) add(m);
  add(model.embedding);
  if (!model.tied_embeddings) add(model.lm_head);
  for (const Matrix& m : model.other) add(m);
  return parameters > 0 ? bytes / parameters : Bytes{};
}

// Takes the number the asker gave; else the fact, which is recorded.
struct Reader {
  Inputs& inputs;
  std::string_view by, source;

  void read(std::optional<double>& to, std::string_view name, std::optional<double> fact) {
    to = inputs.given(name) ? inputs.number(name) : fact;
    if (!inputs.given(name) && fact) inputs.choose(name, *fact, by, std::string(source));
  }
  template <class Q>
  void read(std::optional<Q>& to, std::string_view name, std::optional<Q> fact, std::string_view from = {}) {
    to = inputs.given(name) ? inputs.quantity<Q>(name) : fact;
    if (!inputs.given(name) && fact) inputs.choose(name, fact->coherent(), by, std::string(from.empty() ? source : from));
  }
};

// Empty where it is not stated.
template <class Q>
std::optional<Q> fact_of(const Sourced<Q>& fact) {
  return fact.stated() ? std::optional<Q>(fact.value) : std::nullopt;
}

Format format_as_wide_as(Bytes element) {
  return element < 0.75 * unit::B ? Format::nvfp4 : element < 1.5 * unit::B ? Format::fp8 : Format::bf16;
}

}  // namespace

Expected<BlackboardModel> blackboard_model(Inputs& inputs, const Catalogue& catalogue) {
  BlackboardModel board{.kv_given = inputs.given("kv_per_token"),
                        .parameters_given = inputs.given("total_parameters") || inputs.given("active_parameters")};
  const Layer *attention = nullptr, *experts = nullptr;
  std::optional<ParameterCount> count;
  std::optional<double> layers, hidden, heads, kv_heads, head_dim, routed, activated;
  std::optional<Bytes> bytes;
  std::optional<BytesPerToken> kv;
  if (inputs.has("model")) {
    const auto model = model_of(inputs, catalogue);
    if (!model) return std::unexpected(model.error());
    board.named = inputs.model();
    const Model& m = *board.named;
    count = count_parameters(m);
    bytes = published_bytes_per_parameter(m);
    const Bytes token = kv_bytes_per_token(m, element_bytes(m.precision.kv));
    if (token > Bytes{}) kv = token / unit::token;
    layers = m.layers();
    hidden = m.hidden;
    for (const int kind : m.order) {
      const Layer& layer = m.kinds[static_cast<std::size_t>(kind)];
      if (!attention && layer.attention.heads > 0) attention = &layer;
      if (!experts && layer.feed_forward.experts > 0) experts = &layer;
    }
    if (attention) {
      heads = attention->attention.heads;
      kv_heads = attention->attention.kv_heads;
      head_dim = attention->attention.qk_dim;
    }
    if (experts) {
      routed = experts->feed_forward.experts;
      activated = experts->feed_forward.active_experts;
    }
  }
  Reader reader{inputs, "model file", board.named ? std::string_view(board.named->source) : std::string_view()};
  const auto counted = [&](std::int64_t ParameterCount::*member) {
    return count ? std::optional<double>(static_cast<double>((*count).*member)) : std::nullopt;
  };
  reader.read(board.total_parameters, "total_parameters", counted(&ParameterCount::total));
  reader.read(board.active_parameters, "active_parameters", counted(&ParameterCount::active));
  reader.read(board.bytes_per_parameter, "bytes_per_parameter", bytes);
  reader.read(board.kv_per_token, "kv_per_token", kv);
  reader.read(board.layers, "layers", layers);
  reader.read(board.hidden, "hidden", hidden);
  reader.read(board.heads, "heads", heads);
  reader.read(board.kv_heads, "kv_heads", kv_heads);
  reader.read(board.head_dim, "head_dim", head_dim);
  reader.read(board.routed_experts, "routed_experts", routed);
  reader.read(board.activated_experts, "activated_experts", activated);
  if (board.total_parameters && board.active_parameters && *board.active_parameters > *board.total_parameters)
    return fail("active_parameters", "are more than the parameters there are", "write at most total_parameters");
  if (board.routed_experts && board.activated_experts && *board.activated_experts > *board.routed_experts)
    return fail("activated_experts", "are more than the experts there are", "write at most routed_experts");
  return board;
}

Expected<BlackboardSystem> blackboard_system(Inputs& inputs, const Catalogue& catalogue, const BlackboardModel& model) {
  BlackboardSystem board;
  std::optional<double> chips, domain;
  std::optional<FlopRate> peak;
  std::optional<Bandwidth> hbm, up, out;
  std::optional<Bytes> capacity;
  std::optional<MoneyRate> rental;
  std::string rental_source, peak_source;
  if (inputs.has("system")) {
    auto found = catalogue.system(inputs.text("system"));
    if (!found) return std::unexpected(Error(found.error()).within("system"));
    board.named = std::move(*found);
    const System& s = *board.named;
    const Format wanted = model.named && !inputs.given("bytes_per_parameter") ? model.named->precision.weights
                          : model.bytes_per_parameter                        ? format_as_wide_as(*model.bytes_per_parameter)
                                                                             : Format::bf16;
    const Format rate = multiply_rate(wanted, std::nullopt, s.chip);
    const auto& fact = s.chip.peak[static_cast<std::size_t>(rate)];
    chips = s.chips;
    domain = s.domain;
    peak = fact_of(fact);
    peak_source = fmt::format("{}: {}", name(rate), fact.source);
    hbm = fact_of(s.chip.hbm_bandwidth);
    capacity = fact_of(s.chip.hbm_capacity);
    up = fact_of(s.scale_up.bandwidth);
    out = fact_of(s.scale_out.bandwidth);
    if (!inputs.given("rental"))
      if (const auto price = catalogue.default_rental(s.chip.name)) {
        rental = price->rate;
        rental_source = fmt::format("{} {}, {}: {}", price->provider, price->kind, price->date, price->source);
      }
  }
  const std::string title = board.named ? board.named->title : std::string();
  Reader reader{inputs, "catalogue", title};
  const auto source = [&](const auto& fact) { return board.named ? std::string_view(fact.source) : std::string_view(); };
  const System none{};
  const System& s = board.named ? *board.named : none;
  reader.read(board.chips, "chips", chips);
  reader.read(board.domain, "domain", domain);
  reader.read(board.peak, "peak", peak, peak_source);
  reader.read(board.hbm_bandwidth, "hbm_bandwidth", hbm, source(s.chip.hbm_bandwidth));
  reader.read(board.hbm_capacity, "hbm_capacity", capacity, source(s.chip.hbm_capacity));
  reader.read(board.scale_up_bandwidth, "scale_up_bandwidth", up, source(s.scale_up.bandwidth));
  reader.read(board.scale_out_bandwidth, "scale_out_bandwidth", out, source(s.scale_out.bandwidth));
  reader.read(board.rental, "rental", rental, rental_source);
  std::optional<double> ratio;
  if (board.peak && board.hbm_bandwidth && model.bytes_per_parameter)
    ratio = *board.peak / unit::flop / 2 * *model.bytes_per_parameter / *board.hbm_bandwidth;
  Reader computed{inputs, "fareline", "peak / 2 * bytes_per_parameter / hbm_bandwidth"};
  computed.read(board.hardware_ratio, "hardware_ratio", ratio);
  return board;
}

}  // namespace fareline
