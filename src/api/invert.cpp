// SPDX-License-Identifier: Apache-2.0
// The question "invert": what a price list gives away, each number as a range that carries its assumptions.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/figures.h"
#include "api/invert_score.h"
#include "api/questions.h"
#include "economics/tiers.h"
#include "perf/context.h"
#include "units/elementary.h"

namespace fareline {

using Json = nlohmann::ordered_json;

Assumptions::Assumptions(const Inputs& inputs) {
  const auto range = [&](const char* low, const char* high) { return Range{*inputs.number(low), *inputs.number(high)}; };
  mfu = range("mfu_low", "mfu_high");
  margin = range("margin_low", "margin_high");
  reading = range("reading_low", "reading_high");
  past = range("past_low", "past_high");
  crossover = range("crossover_low", "crossover_high");
}

Expected<SoldFrom> sold_from(Inputs& inputs, const Catalogue& catalogue) {
  BlackboardModel model;
  model.bytes_per_parameter = *inputs.quantity<Bytes>("bytes_per_parameter");
  auto system = blackboard_system(inputs, catalogue, model);
  if (!system) return std::unexpected(system.error());
  const auto peak = needed(system->peak, "peak", "system", "\"989 TFLOP/s\"");
  const auto bandwidth = needed(system->hbm_bandwidth, "hbm_bandwidth", "system", "\"3.35 TB/s\"");
  const auto rental = needed(system->rental, "rental", "system", "\"2 USD/h\"");
  const auto ratio = needed(system->hardware_ratio, "hardware_ratio", "system", "300");
  for (const auto* missing : {!peak ? &peak.error() : nullptr, !bandwidth ? &bandwidth.error() : nullptr,
                              !rental ? &rental.error() : nullptr, !ratio ? &ratio.error() : nullptr})
    if (missing) return std::unexpected(*missing);
  if (!(*rental > MoneyRate{})) return fail("rental", "is zero", "write what an hour of a chip costs, e.g. \"2 USD/h\"");
  for (const auto& [low, high] : {std::pair{"mfu_low", "mfu_high"}, {"margin_low", "margin_high"}, {"reading_low", "reading_high"},
                                  {"past_low", "past_high"}, {"crossover_low", "crossover_high"}})
    if (*inputs.number(low) > *inputs.number(high)) return fail(low, fmt::format("is above {}", high), "write the lower end first");
  for (const std::string_view unused : {"chips", "domain", "scale_up_bandwidth", "scale_out_bandwidth"}) inputs.leave_out(unused);
  return SoldFrom{.system = std::move(*system), .peak = *peak, .bandwidth = *bandwidth, .rental = *rental, .ratio = *ratio};
}

Spread active_of(const Assumptions& a, const SoldFrom& from, TokenPrice input) {
  return scaled(product({a.mfu, inverse(a.margin)}), active_sold_at_rent(input, from.peak, from.rental));
}

Spread kv_of_output(const Assumptions& a, const SoldFrom& from, TokenPrice output) {
  return scaled(product({inverse(a.margin), inverse(a.past)}), kv_from_output(output, 1, from.bandwidth, from.rental).coherent());
}

namespace {

Json range_of(const Spread& spread, std::string_view unit) {
  return {{"low", plain(spread.low, unit)}, {"middle", plain(spread.middle, unit)}, {"high", plain(spread.high, unit)}};
}

bool within(const Spread& spread, double value) { return spread.low <= value && value <= spread.high; }

double distance(const Spread& spread, double value) { return std::abs(natural_log(value / spread.middle)); }

const std::string kv_unit = "B/tok";

// Which tier is kept in, by the time to read all of it and by what a second of holding may cost.
Json tiers_of(const std::vector<PriceStep>& steps, const SoldFrom& from, const Spread& kv, const Spread& margin) {
  Json rows = Json::array();
  if (!from.system.named) return rows;
  struct Tier {
    std::string name;
    Seconds drain;
    StoragePrice hold;
  };
  std::vector<Tier> tiers;
  if (from.system.hbm_capacity)
    tiers.push_back(
        {"hbm", drain_time(*from.system.hbm_capacity, from.bandwidth), working_storage(from.rental, *from.system.hbm_capacity)});
  for (const MemoryTier& tier : from.system.named->tiers)
    if (tier.capacity.stated() && tier.bandwidth.stated())
      tiers.push_back({tier.name, drain_time(tier.capacity.value, tier.bandwidth.value), holding_price(tier)});
  if (tiers.empty()) return rows;
  const auto nearest = [&](auto measure, double wanted) {
    return std::min_element(tiers.begin(), tiers.end(), [&](const Tier& a, const Tier& b) {
      return std::abs(natural_log(measure(a) / wanted)) < std::abs(natural_log(measure(b) / wanted));
    });
  };
  const PriceStep& first = steps.front();
  for (const auto& [live, price] : {std::pair{5 * unit::minute, first.write_5min}, {unit::hour, first.write_1h}}) {
    const auto by_drain = nearest([](const Tier& t) { return t.drain.coherent(); }, live.coherent());
    Json row{{"live", plain(live)}, {"by_drain", by_drain->name}, {"drain", plain(by_drain->drain)}};
    if (price && *price > first.input) {
      row["held_for"] = plain((*price - first.input).in(unit::usd / unit::Mtok), "USD/Mtok");
      // What is paid beyond the prompt itself, a byte and a second, at the middle of KV and margin.
      const StoragePrice paid = (*price - first.input) / (BytesPerToken::from_coherent(kv.middle) * live * margin.middle);
      row["paid"] = plain(paid);
      row["by_price"] = nearest([](const Tier& t) { return t.hold.coherent(); }, paid.coherent())->name;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

FigureSeries box_of(const Spread& active, const Spread& kv) {
  return {.name = "80%", .x = {active.low, active.high, active.high, active.low, active.low},
          .y = {kv.low, kv.low, kv.high, kv.high, kv.low}, .colour = 1};
}

Json figure_of(const OpenModels& models, const Spread& active, const Spread& kv) {
  FigureSeries inside{.name = "fits", .style = "points", .x = {}, .y = {}, .colour = 1},
      outside{.name = "does not fit", .style = "points", .x = {}, .y = {}, .colour = 0};
  for (const OpenModel& m : models.all()) {
    const double bytes = m.kv.coherent();
    if (!(bytes > 0) || !(m.active > 0)) continue;
    FigureSeries& to = within(active, m.active) && within(kv, bytes) ? inside : outside;
    to.x.push_back(m.active);
    to.y.push_back(bytes);
  }
  std::vector<FigureSeries> series{box_of(active, kv)};
  for (FigureSeries* s : {&inside, &outside})
    if (!s->x.empty()) series.push_back(std::move(*s));
  return to_json(LineFigure{.title = "What the price leaves possible",
                            .subtitle = "each point a model of the catalogue, the frame what holds with a chance of 80%",
                            .description = "Active parameters against KV bytes of a token: the price's frame, and published models.",
                            .x = {.label = "active parameters", .counted = "parameters", .scale = "log10"},
                            .y = {.label = "KV of a token", .unit = kv_unit, .scale = "log10"},
                            .series = std::move(series)});
}

Expected<Json> answer_invert(Inputs& inputs, const Catalogue& catalogue) {
  const auto from = sold_from(inputs, catalogue);
  if (!from) return std::unexpected(from.error());
  const Assumptions a(inputs);
  if (const Json* prices = inputs.object("prices"); prices && is_table(*prices) && !inputs.has("offer"))
    return answer_offers(inputs, *prices, a, *from, catalogue);
  const auto list = price_steps_of(inputs);
  if (!list) return std::unexpected(list.error());
  const std::vector<PriceStep>& steps = *list;
  const PriceStep& first = steps.front();
  if (!(first.input > TokenPrice{}) || !(first.output > TokenPrice{}))
    return fail("prices", "ask nothing for input or for output", "what is given away gives nothing away");
  const double context_below = inputs.number("context_below").value_or(0), context_above = inputs.number("context_above").value_or(0);
  const bool by_slope = context_below > 0 && context_above > 0;
  if (inputs.has("context_below") != inputs.has("context_above"))
    return fail(inputs.has("context_below") ? "context_above" : "context_below", "is missing", "say what both prices are for");
  if (by_slope && (steps.size() < 2 || context_above <= context_below))
    return fail("context_above", steps.size() < 2 ? "has no price of its own" : "is not above context_below",
                "give a price beyond a length, and two contexts that it lies between");

  Json answer, numbers = Json::array(), warnings = Json::array();
  answer["ratios"] = {{"output_over_input", plain(first.output / first.input, "1")},
                      {"prefill_crossover", plain(first.output / first.input, "tok")}};
  if (first.cached && *first.cached > TokenPrice{}) answer["ratios"]["miss_over_hit"] = plain(first.input / *first.cached, "1");
  if (first.write_5min) answer["ratios"]["write_5min_over_input"] = plain(*first.write_5min / first.input, "1");
  if (first.write_1h) answer["ratios"]["write_1h_over_input"] = plain(*first.write_1h / first.input, "1");
  if (steps.size() > 1) {
    answer["ratios"]["step_of_input"] = plain(steps[1].input / first.input, "1");
    answer["ratios"]["step_of_output"] = plain(steps[1].output / first.output, "1");
  }

  const auto given = inputs.number("active_parameters");
  const Spread priced = active_of(a, *from, first.input);
  const Spread active = given ? Spread{*given, *given, *given} : priced;
  // Nothing sold above cost has more: no chip exceeds its peak.
  const double at_most = active_sold_at_rent(first.input, from->peak, from->rental) / std::min(1.0, a.margin.low);
  answer["active"] = range_of(active, "1");
  answer["active"]["at_most"] = plain(at_most, "1");
  const Spread margin =
      given ? scaled(product({a.mfu}), margin_of_input(first.input, *given, from->peak, 1, from->rental)) : product({a.margin});
  answer["margin"] = range_of(margin, "1");

  Spread kv;
  std::string way;
  if (by_slope && steps[1].output > first.output) {
    way = "what a longer past makes an output token dearer by";
    kv = scaled(product({a.reading, inverse(a.margin)}),
                kv_from_slope(first.output, steps[1].output, context_above - context_below, from->bandwidth, from->rental).coherent());
  } else if (!by_slope && steps.size() > 1) {
    way = "a step where reading the past takes as long as multiplying";
    const Range active_range{active.low, active.high};
    kv = scaled(product({active_range, a.crossover}),
                balanced_kv(1, *inputs.quantity<Bytes>("bytes_per_parameter"), from->ratio, steps[1].above).coherent());
  } else {
    way = "the whole price of an output token, as reading";
    kv = kv_of_output(a, *from, first.output);
  }
  answer["kv"] = range_of(kv, kv_unit);
  // Nothing sold above cost reads more: the price above a step is for at least so long a past.
  if (by_slope || steps.size() > 1)
    answer["kv"]["at_most"] =
        plain(kv_from_output(steps.back().output, by_slope ? context_above : steps[1].above, from->bandwidth, from->rental).coherent() /
                  std::min(1.0, a.margin.low),
              kv_unit);
  answer["kv"]["from"] = way;
  const bool uses_past = way.starts_with("the whole"), uses_reading = way.starts_with("what a"), uses_crossover = way.starts_with("a step");
  for (const auto& [name, used] : {std::pair{"past", uses_past}, {"reading", uses_reading}, {"crossover", uses_crossover}})
    if (!used)
      for (const char* end : {"_low", "_high"}) inputs.leave_out(std::string(name) + end);

  const Json tiers = tiers_of(steps, *from, kv, margin);
  if (!tiers.empty()) answer["tiers"] = tiers;
  if (inputs.has("fast_price") != inputs.has("fast_speed"))
    return fail(inputs.has("fast_price") ? "fast_speed" : "fast_price", "is missing", "say both, e.g. --fast_price 6 --fast_speed 2.5");
  if (inputs.has("fast_price")) {
    const double dearer = *inputs.number("fast_price"), faster = *inputs.number("fast_speed");
    const auto fast = fast_mode(dearer, faster);
    if (!fast) return fail("fast_price", "is not above one, or fast_speed is not", "a fast mode is dearer and faster");
    answer["fast"] = {{"batch_ratio", plain(fast->batch, "1")},
                      {"growing_over_fixed", plain(fast->growth, "1")},
                      {"fixed_share", plain(1 / (1 + fast->growth), "1")},
                      {"fastest_over_normal", plain(1 + fast->growth, "1")}};
    if (const auto speed = inputs.number("speed")) {
      const Seconds step = 1 / *speed * unit::s, weights = step / (1 + fast->growth);
      // What a chip's share of a step earns over what it costs is the margin.
      const double batch = from->rental * step / (first.output * unit::token);
      answer["fast"]["step"] = plain(step);
      answer["fast"]["batch"] = range_of(scaled(product({a.margin}), batch), "1");
      answer["fast"]["bytes_of_a_chip"] = plain(weights * from->bandwidth);
    }
  }

  const OpenModels models(catalogue);
  std::vector<const OpenModel*> fitting;
  for (const OpenModel& m : models.all())
    if (within(active, m.active) && within(kv, m.kv.coherent())) fitting.push_back(&m);
  if (given) {
    fitting.clear();
    for (const OpenModel& m : models.all())
      if (std::abs(natural_log(m.active / *given)) < natural_log(1.25) && within(kv, m.kv.coherent())) fitting.push_back(&m);
  }
  const auto far = [&](const OpenModel* m) { return distance(active, m->active) + distance(kv, m->kv.coherent()); };
  std::stable_sort(fitting.begin(), fitting.end(), [&](const OpenModel* x, const OpenModel* y) { return far(x) < far(y); });
  answer["catalogue"] = {{"fitting", plain(static_cast<double>(fitting.size()), "1")},
                         {"models", plain(static_cast<double>(models.all().size()), "1")}};
  Json rows = Json::array();
  for (std::size_t i = 0; i < std::min<std::size_t>(8, fitting.size()); ++i)
    rows.push_back({{"model", fitting[i]->name}, {"active", plain(fitting[i]->active, "1")}, {"kv", plain(fitting[i]->kv)}});
  if (!rows.empty()) answer["models"] = std::move(rows);

  answer["why"] = fmt::format(
      "A prompt's token pays for {} parameters at a chip's peak and rent; at {} of the peak and {} times the rent it has {}. An output "
      "token "
      "costs {} times as much: a step that reads takes that much longer than one that multiplies, until {} tokens share it. "
      "From {}, a token keeps {} to {}.",
      number_text(active_sold_at_rent(first.input, from->peak, from->rental), 3),
      fmt::format("{} to {}", number_text(a.mfu.low, 2), number_text(a.mfu.high, 2)),
      fmt::format("{} to {}", number_text(margin.low, 2), number_text(margin.high, 2)),
      given ? fmt::format("the {} given", number_text(*given, 3))
            : fmt::format("{} to {}", number_text(active.low, 3), number_text(active.high, 3)),
      number_text(first.output / first.input, 3), number_text(first.output / first.input, 3), way,
      to_text(BytesPerToken::from_coherent(kv.low), 3), to_text(BytesPerToken::from_coherent(kv.high), 3));
  answer["change"] = given ? "The margin known, or a second price for a longer past, would narrow the bytes."
                           : "The parameters or the margin known would narrow both; a second price for a longer past the bytes.";
  answer["figures"] = Json::array({figure_of(models, given ? Spread{*given / 1.25, *given, *given * 1.25} : active, kv)});

  const auto leaf = [](std::string name, Json value) {
    return Explained{.name = std::move(name), .value = std::move(value), .formula = {}, .source = {}, .inputs = {}};
  };
  const auto ranged = [&](std::string name, const Range& r) {
    return leaf(std::move(name), fmt::format("{} to {}", number_text(r.low, 3), number_text(r.high, 3)));
  };
  numbers.push_back(
      to_json({.name = "active.middle",
               .value = plain(active.middle, "1"),
               .formula = given ? "given" : "input peak mfu / (2 rental margin); the range by adding variances of logarithms",
               .source = "the lecture at 1:48:11; economics/invert.h",
               .inputs = {leaf("input", plain(first.input.in(unit::usd / unit::Mtok), "USD/Mtok")), leaf("peak", plain(from->peak)),
                          leaf("rental", plain(from->rental)), ranged("mfu", a.mfu), ranged("margin", a.margin)}}));
  numbers.push_back(to_json(
      {.name = "kv.middle",
       .value = plain(kv.middle, kv_unit),
       .formula = uses_reading     ? "(output above - output below) bandwidth reading / (rental margin (context_above - context_below))"
                  : uses_crossover ? "bytes_per_parameter active crossover / (hardware_ratio above)"
                                   : "output bandwidth / (rental margin past)",
       .source = uses_crossover ? "the lecture at 1:37:18; perf/context.h: balanced_kv" : "economics/invert.h",
       .inputs = {leaf("hardware_ratio", plain(from->ratio, "1")), leaf("bandwidth", plain(from->bandwidth)), ranged("margin", a.margin),
                  uses_reading     ? ranged("reading", a.reading)
                  : uses_crossover ? ranged("crossover", a.crossover)
                                   : ranged("past", a.past)}}));
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question invert_question() {
  return {
      "invert",
      "what an API's prices give away: active parameters, KV bytes, margin, batch, the tier behind a cache",
      "--input-price \"2 USD/Mtok\" --output-price \"12 USD/Mtok\" --above 200000 --input-price-above \"4 USD/Mtok\" --output-price-above "
      "\"18 USD/Mtok\"",
      invert_inputs,
      answer_invert,
      plot_figures};
}

}  // namespace fareline
