// SPDX-License-Identifier: Apache-2.0
#include "api/invert_score.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "api/figures.h"
#include "api/question.h"
#include "api/value.h"
#include "units/elementary.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

struct Scored {
  const OpenModel* model;
  Spread active, kv;
  double price_over_rent = 0;  // of a prompt's token at full peak: margin over mfu
  double past = 0;             // tokens of past that the output's price reads: past times margin
  bool active_inside() const { return active.low <= model->active && model->active <= active.high; }
  bool kv_inside() const { return kv.low <= model->kv.coherent() && model->kv.coherent() <= kv.high; }
};

// Linear between the order statistics.
double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto i = static_cast<std::size_t>(at);
  return values[i] + (values[std::min(i + 1, values.size() - 1)] - values[i]) * (at - static_cast<double>(i));
}

template <class Member>
std::vector<double> column(const std::vector<Scored>& all, Member member) {
  std::vector<double> values;
  for (const Scored& s : all) values.push_back(member(s));
  return values;
}

double share_of(const std::vector<Scored>& all, bool (Scored::*inside)() const) {
  const auto count = std::count_if(all.begin(), all.end(), [&](const Scored& s) { return (s.*inside)(); });
  return static_cast<double>(count) / static_cast<double>(all.size());
}

// How often the tenths of one half of the models hold the other half's offers.
double left_out(const std::vector<Scored>& all, const OpenModel* first, double Scored::*factor) {
  double held = 0;
  for (const int fitted : {0, 1}) {
    std::vector<double> fit, rest;
    for (const Scored& s : all) ((s.model - first) % 2 == fitted ? fit : rest).push_back(s.*factor);
    if (fit.empty()) continue;
    const double low = quantile(fit, 0.1), high = quantile(fit, 0.9);
    held += static_cast<double>(std::count_if(rest.begin(), rest.end(), [&](double v) { return low <= v && v <= high; }));
  }
  return held / static_cast<double>(all.size());
}

Json tenths(const std::vector<double>& values) {
  return {{"low", plain(quantile(values, 0.1), "1")},
          {"middle", plain(quantile(values, 0.5), "1")},
          {"high", plain(quantile(values, 0.9), "1")}};
}

Json figure_of(const std::vector<Scored>& all) {
  FigureSeries inside{.name = "inside", .style = "points", .x = {}, .y = {}, .colour = 1},
      outside{.name = "outside", .style = "points", .x = {}, .y = {}, .colour = 0};
  double least = 1e300, most = 0;
  for (const Scored& s : all) {
    FigureSeries& to = s.active_inside() ? inside : outside;
    to.x.push_back(s.model->active);
    to.y.push_back(s.active.middle);
    least = std::min({least, s.model->active, s.active.middle});
    most = std::max({most, s.model->active, s.active.middle});
  }
  const double factor = all.front().active.high / all.front().active.middle;
  FigureSeries band{.name = "80%",
                    .style = "band",
                    .x = {least, most},
                    .y = {least / factor, most / factor},
                    .high = {least * factor, most * factor},
                    .colour = 2};
  std::vector<FigureSeries> series{std::move(band)};
  for (FigureSeries* s : {&inside, &outside})
    if (!s->x.empty()) series.push_back(std::move(*s));
  return to_json(LineFigure{.title = "Active parameters, from the price of input",
                            .subtitle = fmt::format("{} offers of models whose configuration is known", all.size()),
                            .description = "Points: an offer each, what the price tells over what the configuration says.",
                            .x = {.label = "published", .counted = "active parameters", .scale = "log10"},
                            .y = {.label = "told by the price", .counted = "active parameters", .scale = "log10"},
                            .series = std::move(series)});
}

}  // namespace

Expected<Json> answer_offers(Inputs& inputs, const Json& table, const Assumptions& a, const SoldFrom& from, const Catalogue& catalogue) {
  for (const std::string_view unused : {"reading_low", "reading_high", "crossover_low", "crossover_high"}) inputs.leave_out(unused);
  const OpenModels models(catalogue);
  const PriceBook book(table);
  std::vector<Scored> all;
  std::set<std::tuple<std::string, const OpenModel*, double, double>> known;
  int offers = 0, unknown = 0;
  for (const PriceOffer& offer : book.offers()) {
    const PriceStep& first = offer.steps.front();
    if (offer.constrained || first.above > 0 || !(first.input > TokenPrice{}) || !(first.output > TokenPrice{})) continue;
    ++offers;
    const OpenModel* model = models.find(offer.model);
    if (!model || !(model->active > 0)) {
      ++unknown;
      continue;
    }
    if (!known.emplace(offer.provider, model, first.input.coherent(), first.output.coherent()).second) continue;
    all.push_back({.model = model,
                   .active = active_of(a, from, first.input),
                   .kv = kv_of_output(a, from, first.output),
                   .price_over_rent = active_sold_at_rent(first.input, from.peak, from.rental) / model->active,
                   .past = model->kv > BytesPerToken{} ? kv_from_output(first.output, 1, from.bandwidth, from.rental) / model->kv : 0});
  }
  if (all.empty()) return fail("prices", "offer no model whose configuration is known", "give a table with prices of open models");
  std::vector<Scored> with_kv;
  std::copy_if(all.begin(), all.end(), std::back_inserter(with_kv), [](const Scored& s) { return s.past > 0; });
  const double active = share_of(all, &Scored::active_inside), kv = with_kv.empty() ? 0 : share_of(with_kv, &Scored::kv_inside);
  const OpenModel* base = models.all().data();
  Json answer{{"offers", plain(offers, "1")}, {"not_open", plain(unknown, "1")}, {"scored", plain(static_cast<double>(all.size()), "1")}};
  answer["coverage"] = {{"stated", plain(0.8, "1")},
                        {"active", plain(active, "1")},
                        {"active_left_out", plain(left_out(all, base, &Scored::price_over_rent), "1")}};
  answer["implied"] = {{"margin_over_mfu", tenths(column(all, [](const Scored& s) { return s.price_over_rent; }))}};
  if (!with_kv.empty()) {
    answer["coverage"]["kv"] = plain(kv, "1");
    answer["coverage"]["kv_left_out"] = plain(left_out(with_kv, base, &Scored::past), "1");
    answer["implied"]["past_times_margin"] = tenths(column(with_kv, [](const Scored& s) { return s.past; }));
  }
  std::vector<std::vector<const Scored*>> by_model(models.all().size());
  for (const Scored& s : all) by_model[static_cast<std::size_t>(s.model - base)].push_back(&s);
  std::stable_sort(by_model.begin(), by_model.end(), [](const auto& x, const auto& y) { return x.size() > y.size(); });
  Json rows = Json::array();
  for (const auto& group : by_model) {
    if (group.empty()) break;
    double inside = 0, kv_inside = 0;
    std::vector<double> told;
    for (const Scored* s : group) {
      inside += s->active_inside();
      kv_inside += s->kv_inside();
      told.push_back(s->active.middle);
    }
    rows.push_back({{"model", group.front()->model->name},
                    {"offers", plain(static_cast<double>(group.size()), "1")},
                    {"active", plain(group.front()->model->active, "1")},
                    {"told", plain(quantile(told, 0.5), "1")},
                    {"active_inside", plain(inside, "1")},
                    {"kv_inside", plain(kv_inside, "1")}});
  }
  answer["models"] = std::move(rows);
  answer["why"] = fmt::format(
      "Of {} offers of open models the range of active parameters holds {:.1f}%, that of KV bytes {:.1f}%, where 80% are stated; with "
      "ranges "
      "read off half of the models, {:.1f}% and {:.1f}% of the other half's.",
      all.size(), 100 * active, 100 * kv, 100 * answer["coverage"]["active_left_out"]["value"].get<double>(),
      with_kv.empty() ? 0 : 100 * answer["coverage"]["kv_left_out"]["value"].get<double>());
  const Json& implied = answer["implied"]["margin_over_mfu"];
  answer["change"] =
      fmt::format("Input sells at {} to {} times the rent of a chip at its peak: a margin known would narrow the range most.",
                  number_text(implied["low"]["value"].get<double>(), 2), number_text(implied["high"]["value"].get<double>(), 2));
  answer["figures"] = Json::array({figure_of(all)});
  return Json{{"answer", std::move(answer)}, {"explain", Json::object()}, {"warnings", Json::array()}};
}

}  // namespace fareline
