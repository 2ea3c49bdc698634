// SPDX-License-Identifier: Apache-2.0
#include "truth/report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plot/bars.h"
#include "plot/comparison.h"
#include "plot/grid.h"
#include "plot/table.h"
#include "truth/report_parts.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::string_view unit_of(Metric metric) { return metric == Metric::throughput ? "tok/s" : "s"; }

std::string value_text(Metric metric, double value) {
  return metric == Metric::throughput ? to_text(TokenRate::from_coherent(value), 4) : to_text(Seconds::from_coherent(value), 4);
}

std::string row_text(const ServingRow& row) {
  const ServingSetup& s = row.setup;
  return fmt::format("{} on {}, {} {}", s.model, s.system, s.stack, s.precision);
}

std::string layout_of(const ServingSetup& s) {
  const auto one = [](const PoolLayout& p) { return fmt::format("tp{} dp{} ep{} pp{} x{}", p.tp, p.dp, p.ep, p.pp, p.replicas); };
  return s.prefill ? fmt::format("{} | {}", one(*s.prefill), one(s.layout)) : one(s.layout);
}

// The group with all comparisons of which some metric has the largest errors stands first.
std::vector<const ErrorGroup*> groups_by(const Validation& v, std::string_view by, Metric metric) {
  std::vector<const ErrorGroup*> out;
  for (const ErrorGroup& g : v.groups)
    if (g.by == by && g.metrics[static_cast<std::size_t>(metric)].count > 0) out.push_back(&g);
  std::stable_sort(out.begin(), out.end(), [&](const ErrorGroup* a, const ErrorGroup* b) {
    return a->metrics[static_cast<std::size_t>(metric)].median_abs_error > b->metrics[static_cast<std::size_t>(metric)].median_abs_error;
  });
  return out;
}

// The metric with most comparisons: the one that groups and worst rows are listed by.
Metric leading(const Validation& v) {
  int best = 0;
  for (int m = 1; m < metric_count; ++m)
    if (v.metrics[static_cast<std::size_t>(m)].count > v.metrics[static_cast<std::size_t>(best)].count) best = m;
  return static_cast<Metric>(best);
}

// What was assumed of the rows that were predicted, each once.
std::vector<std::string> assumptions(const Validation& v) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < v.rows.size(); ++i)
    if (const std::string& a = v.rows[i].assumption; v.predictions[i] && !a.empty() && std::find(out.begin(), out.end(), a) == out.end())
      out.push_back(a);
  return out;
}

std::vector<std::string_view> groupings(const Validation& v) {
  std::vector<std::string_view> out;
  for (const ErrorGroup& g : v.groups)
    if (std::find(out.begin(), out.end(), g.by) == out.end()) out.push_back(g.by);
  return out;
}

}  // namespace

Json to_json(const Validation& v, const std::vector<std::string>& files) {
  Json refused = Json::object(), groups = Json::array(), below = Json::array();
  for (const Refusal& r : v.refused) refused[r.reason] = r.rows;
  for (const ErrorGroup& g : v.groups) {
    Json one{{"by", g.by}, {"name", g.name}};
    for (std::size_t m = 0; m < metric_count; ++m) one[std::string(metric_names[m])] = json_of(g.metrics[m]);
    groups.push_back(std::move(one));
  }
  for (const Impossible& c : v.impossible)
    below.push_back({{"row", v.rows[c.row].id}, {"what", c.what}, {"measured", c.measured}, {"bound", c.bound}, {"unit", c.unit}});
  std::size_t under = 0;
  for (const Comparison& c : v.comparisons) under += c.metric == Metric::throughput ? c.predicted > c.bound : c.predicted < c.bound;
  Json answer{{"rows", v.rows.size()}, {"predicted", v.predicted()}, {"refused", std::move(refused)},
              {"refused_share", v.rows.empty() ? 0 : static_cast<double>(v.refused_rows()) / static_cast<double>(v.rows.size())},
              {"below_floor", under}, {"measured_beyond_physics", std::move(below)}};
  for (std::size_t m = 0; m < metric_count; ++m) answer[std::string(metric_names[m])] = json_of(v.metrics[m]);
  answer["ranking"] = {{"groups", v.ranking.groups}, {"within_5_per_cent", v.ranking.within}, {"mean_loss", v.ranking.mean_loss}};
  answer["groups"] = std::move(groups);
  return {{"question", "validate"},
          {"inputs", {{"files", files}}},
          {"answer", std::move(answer)},
          {"explain", Json::object()},
          {"warnings", assumptions(v)}};
}

std::string to_text(const Validation& v) {
  std::string out = fmt::format("{} rows, {} predicted, {} refused ({})\n\n", v.rows.size(), v.predicted(), v.refused_rows(),
                                per_cent(v.rows.empty() ? 0 : static_cast<double>(v.refused_rows()) / static_cast<double>(v.rows.size())));
  TextGrid all{{"", false},    {"count", true},          {"median error", true}, {"mean", true}, {"90th percentile", true},
           {"bias", true}, {"in the 80% band", true}};
  for (std::size_t m = 0; m < metric_count; ++m) {
    const ErrorSummary& s = v.metrics[m];
    if (s.count > 0)
      all.add({std::string(metric_names[m]), fmt::format("{}", s.count), per_cent(s.median_abs_error), per_cent(s.mean_abs_error),
               per_cent(s.p90_abs_error), signed_per_cent(s.bias), per_cent(s.coverage)});
  }
  out += all.text();
  if (v.ranking.groups > 0)
    out +=
        fmt::format("\nOf {} groups of configurations, the one picked is within 5% of the best in {} ({}); it loses {} on average.\n",
                    v.ranking.groups, v.ranking.within,
                    per_cent(static_cast<double>(v.ranking.within) / static_cast<double>(v.ranking.groups)), per_cent(v.ranking.mean_loss));
  const Metric lead = leading(v);
  const auto lead_index = static_cast<std::size_t>(lead);
  for (const std::string_view by : groupings(v)) {
    TextGrid grid{{"", false},    {"count", true},   {"median error", true}, {"mean", true}, {"90th percentile", true},
              {"bias", true}, {"in band", true}, {"ttft median", true}};
    grid.table.columns[0].name = fmt::format("{} by {}", metric_names[lead_index], by);
    for (const ErrorGroup* g : groups_by(v, by, lead)) {
      const ErrorSummary& s = g->metrics[lead_index];
      const ErrorSummary& t = g->metrics[static_cast<std::size_t>(Metric::ttft)];
      grid.add({g->name, fmt::format("{}", s.count), per_cent(s.median_abs_error), per_cent(s.mean_abs_error), per_cent(s.p90_abs_error),
                signed_per_cent(s.bias), per_cent(s.coverage), t.count > 0 ? per_cent(t.median_abs_error) : ""});
    }
    out += "\n" + grid.text();
  }
  std::vector<Comparison> worst;
  std::copy_if(v.comparisons.begin(), v.comparisons.end(), std::back_inserter(worst),
               [&](const Comparison& c) { return c.metric == lead; });
  const std::size_t shown = std::min<std::size_t>(worst.size(), 10);
  std::partial_sort(worst.begin(), worst.begin() + static_cast<std::ptrdiff_t>(shown), worst.end(),
                    [](const Comparison& a, const Comparison& b) { return std::abs(a.error()) > std::abs(b.error()); });
  TextGrid cases{{"worst rows", false}, {"what", false}, {"predicted", true}, {"measured", true}, {"error", true}};
  for (std::size_t i = 0; i < shown; ++i)
    cases.add({v.rows[worst[i].row].id, row_text(v.rows[worst[i].row]), value_text(lead, worst[i].predicted),
               value_text(lead, worst[i].measured), signed_per_cent(worst[i].error())});
  if (shown > 0) out += "\n" + cases.text();
  if (!v.refused.empty()) {
    TextGrid refused{{"refused because", false}, {"rows", true}};
    for (const Refusal& r : v.refused) refused.add({r.reason, fmt::format("{}", r.rows)});
    out += "\n" + refused.text();
  }
  if (!v.impossible.empty()) {
    TextGrid beyond{{"left out: faster than physics allows", false}, {"", false}, {"measured", true}, {"bound", true}};
    const std::size_t listed = std::min<std::size_t>(v.impossible.size(), 20);
    for (std::size_t i = 0; i < listed; ++i) {
      const Impossible& c = v.impossible[i];
      beyond.add({v.rows[c.row].id, fmt::format("{} ({})", c.what, c.unit), number_text(c.measured), number_text(c.bound)});
    }
    out += "\n" + beyond.text();
    if (v.impossible.size() > listed) out += fmt::format("and {} more\n", v.impossible.size() - listed);
  }
  if (const auto assumed = assumptions(v); !assumed.empty()) out += "\n";
  for (const std::string& a : assumptions(v)) out += fmt::format("note: {}\n", a);
  return out;
}

Expected<std::string> to_csv(const Validation& v) {
  std::vector<std::string> names{"row",    "model", "chip",   "engine", "version", "precision",
                                 "layout", "load",  "prompt", "output", "metric",  "unit"};
  plot::Table table;
  for (std::string& name : names) table.columns.push_back(plot::text_column(std::move(name), {}));
  for (const char* name : {"predicted", "low", "high", "bound", "measured"}) table.columns.push_back(plot::number_column(name, {}, {}));
  for (const Comparison& c : v.comparisons) {
    const ServingRow& row = v.rows[c.row];
    const ServingSetup& s = row.setup;
    const std::vector<std::string> cells{row.id,
                                         s.model,
                                         s.system,
                                         s.stack,
                                         s.version,
                                         s.precision,
                                         layout_of(s),
                                         fmt::format("{} {:.0f}", name(s.load), s.sequences),
                                         fmt::format("{:.0f}", s.prompt),
                                         fmt::format("{:.0f}", s.output),
                                         std::string(metric_names[static_cast<std::size_t>(c.metric)]),
                                         std::string(unit_of(c.metric))};
    for (std::size_t i = 0; i < cells.size(); ++i) table.columns[i].texts.push_back(cells[i]);
    const double numbers[] = {c.predicted, c.low, c.high, c.bound, c.measured};
    for (std::size_t i = 0; i < std::size(numbers); ++i) table.columns[cells.size() + i].numbers.coherent.push_back(numbers[i]);
  }
  return plot::csv(table);
}

Expected<std::string> to_svg(const Validation& v) {
  plot::Grid grid{.title = fmt::format("{} of {} measurements predicted", v.predicted(), v.rows.size()), .columns = 1};
  for (std::size_t m = 0; m < metric_count; ++m) {
    if (v.metrics[m].count == 0) continue;
    const Metric metric = static_cast<Metric>(m);
    const Dim dim = metric == Metric::throughput ? TokenRate::dim : Seconds::dim;
    plot::Comparison picture{
        .title = fmt::format("{}: median error {}, bias {}", metric_names[m], per_cent(v.metrics[m].median_abs_error),
                             signed_per_cent(v.metrics[m].bias)),
        .subtitle = "dashed: 20% off",
        .unit = metric == Metric::throughput ? plot::unit_of("tok/s", unit::token / unit::s) : plot::unit_of("ms", unit::ms)};
    for (const Comparison& c : v.comparisons)
      if (c.metric == metric)
        picture.pairs.push_back({.measured = {dim, c.measured},
                                 .predicted = {dim, c.predicted},
                                 .group = v.rows[c.row].setup.system,
                                 .note = v.rows[c.row].id});
    auto figure = plot::draw(picture);
    if (!figure) return std::unexpected(figure.error());
    grid.figures.push_back(std::move(*figure));
  }
  const Metric lead = leading(v);
  plot::GroupBars bars{.title = fmt::format("{}: error by model, chip and engine", metric_names[static_cast<std::size_t>(lead)]),
                       .subtitle = "bar: median; whisker: 10th to 90th percentile",
                       .value = {.label = "predicted over measured, less one", .unit = plot::per_cent()}};
  for (const ErrorGroup* g : groups_by(v, "model, chip, engine", lead)) {
    const ErrorSummary& s = g->metrics[static_cast<std::size_t>(lead)];
    bars.groups.push_back({.name = g->name,
                           .value = s.bias,
                           .low = plot::Value(s.p10_error),
                           .high = plot::Value(s.p90_error),
                           .cases = static_cast<std::int64_t>(s.count)});
  }
  if (bars.groups.empty()) return fail("--plot", "there is nothing to draw: no row was predicted", "see what was refused and why");
  auto figure = plot::draw(bars);
  if (!figure) return std::unexpected(figure.error());
  grid.figures.push_back(std::move(*figure));
  return plot::svg(grid);
}

}  // namespace fareline
