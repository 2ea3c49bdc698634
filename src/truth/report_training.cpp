// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plot/bars.h"
#include "plot/comparison.h"
#include "plot/grid.h"
#include "truth/report_parts.h"
#include "truth/validate_training.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::string layout_text(const TrainingSetup& s) {
  const TrainingPlan& p = s.plan;
  std::string text = fmt::format("{} chips", p.chips());
  const auto add = [&](const char* name, int value) {
    if (value > 1) text += fmt::format(" {}{}", name, value);
  };
  add("tp", p.tp);
  add("pp", p.pp);
  add("dp", p.dp);
  add("cp", p.cp);
  text += fmt::format(", {:.0f} x {:.0f} tok", p.batch(), p.sequence);
  add("mb", p.micro_batch);
  add("v", p.chunks);
  return text;
}

TextGrid error_grid(const std::string& first) {
  TextGrid grid{{"", false}, {"count", true}, {"median error", true}, {"mean", true}, {"90th percentile", true}, {"bias", true},
                {"in the 80% band", true}};
  grid.table.columns[0].name = first;
  return grid;
}

void add_row(TextGrid& grid, const TrainingErrorGroup& g) {
  const ErrorSummary& s = g.error;
  grid.add({g.name, fmt::format("{}", s.count), per_cent(s.median_abs_error), per_cent(s.mean_abs_error), per_cent(s.p90_abs_error),
            signed_per_cent(s.bias), per_cent(s.coverage)});
}

}  // namespace

Json to_json(const TrainingValidation& v, const std::vector<std::string>& files) {
  Json refused = Json::object(), groups = Json::array(), rows = Json::array();
  for (const Refusal& r : v.refused) refused[r.reason] = r.rows;
  for (const TrainingErrorGroup& g : v.groups) groups.push_back({{"by", g.by}, {"name", g.name}, {"step", json_of(g.error)}});
  std::size_t under = 0;
  for (const Comparison& c : v.comparisons) {
    under += c.predicted < c.bound;
    const TrainingRow& row = v.rows[c.row];
    rows.push_back({{"id", row.id},
                    {"model", row.setup.model},
                    {"predicted", c.predicted},
                    {"measured", c.measured},
                    {"floor", c.bound},
                    {"unit", "s"},
                    {"error", c.error()}});
  }
  Json answer{{"rows", v.rows.size()},
              {"predicted", v.comparisons.size()},
              {"refused", std::move(refused)},
              {"below_floor", under},
              {"measured_beyond_physics", v.impossible.size()},
              {"step", json_of(v.all.error)},
              {"groups", std::move(groups)},
              {"comparisons", std::move(rows)}};
  return {{"question", "validate"},
          {"inputs", {{"files", files}}},
          {"answer", std::move(answer)},
          {"explain", Json::object()},
          {"warnings", Json::array()}};
}

std::string to_text(const TrainingValidation& v) {
  std::string out =
      fmt::format("{} steps of training, {} predicted, {} refused\n\n", v.rows.size(), v.comparisons.size(), v.refused_rows());
  TextGrid all = error_grid("");
  if (v.all.error.count > 0) add_row(all, v.all);
  out += all.text();
  for (const std::string_view by : {"software", "system", "model", "recompute"}) {
    TextGrid grid = error_grid(fmt::format("by {}", by));
    std::size_t rows = 0;
    for (const TrainingErrorGroup& g : v.groups)
      if (g.by == by) {
        add_row(grid, g);
        ++rows;
      }
    if (rows > 1) out += "\n" + grid.text();
  }
  // All of a short table, else the worst.
  std::vector<Comparison> rows = v.comparisons;
  constexpr std::size_t most = 16;
  const bool whole = rows.size() <= most;
  if (!whole) {
    std::stable_sort(rows.begin(), rows.end(), [](const Comparison& a, const Comparison& b) {
      return std::max(a.predicted / a.measured, a.measured / a.predicted) > std::max(b.predicted / b.measured, b.measured / b.predicted);
    });
    rows.resize(most);
  }
  if (!rows.empty()) {
    TextGrid grid{{"", false}, {"model", false}, {"layout", false}, {"predicted", true}, {"measured", true}, {"error", true}};
    grid.table.columns[0].name = whole ? "rows" : "worst rows";
    for (const Comparison& c : rows)
      grid.add({v.rows[c.row].id, v.rows[c.row].setup.model, layout_text(v.rows[c.row].setup),
                to_text(Seconds::from_coherent(c.predicted), 3), to_text(Seconds::from_coherent(c.measured), 3),
                signed_per_cent(c.error())});
    out += "\n" + grid.text();
  }
  if (!v.refused.empty()) {
    TextGrid refused{{"refused because", false}, {"rows", true}};
    for (const Refusal& r : v.refused) refused.add({r.reason, fmt::format("{}", r.rows)});
    out += "\n" + refused.text();
  }
  if (!v.impossible.empty()) {
    TextGrid beyond{{"left out: faster than the chips multiply", false}, {"measured", true}, {"at least", true}};
    for (const Impossible& c : v.impossible)
      beyond.add({v.rows[c.row].id, to_text(Seconds::from_coherent(c.measured), 3), to_text(Seconds::from_coherent(c.bound), 3)});
    out += "\n" + beyond.text();
  }
  return out;
}

Expected<std::string> to_csv(const TrainingValidation& v) {
  plot::Table table;
  for (const char* name : {"row", "software", "model", "system", "layout", "recompute"})
    table.columns.push_back(plot::text_column(name, {}));
  const std::size_t texts = table.columns.size();
  const std::size_t parts = texts + 7;
  for (const char* name : {"predicted_s", "low_s", "high_s", "bound_s", "measured_s", "mfu", "hfu"})
    table.columns.push_back(plot::number_column(name, {}, {}));
  for (const StepPartRow& part : step_parts) table.columns.push_back(plot::number_column(std::string(part.name) + "_s", {}, {}));
  for (std::size_t n = 0; n < v.comparisons.size(); ++n) {
    const Comparison& c = v.comparisons[n];
    const TrainingRow& row = v.rows[c.row];
    const std::string cells[] = {row.id, row.setup.software, row.setup.model, row.setup.system, layout_text(row.setup),
                                 std::string(recompute_names[static_cast<std::size_t>(row.setup.plan.recompute)])};
    for (std::size_t i = 0; i < texts; ++i) table.columns[i].texts.push_back(cells[i]);
    const double numbers[] = {c.predicted, c.low, c.high, c.bound, c.measured, v.steps[n].mfu, v.steps[n].hfu};
    for (std::size_t i = 0; i < std::size(numbers); ++i) table.columns[texts + i].numbers.coherent.push_back(numbers[i]);
    for (std::size_t i = 0; i < v.steps[n].by_part.size(); ++i)
      table.columns[parts + i].numbers.coherent.push_back(v.steps[n].by_part[i].coherent());
  }
  return plot::csv(table);
}

Expected<std::string> to_svg(const TrainingValidation& v) {
  if (v.comparisons.empty()) return fail("--plot", "there is nothing to draw: no row was predicted", "see what was refused and why");
  plot::Grid grid{.title = fmt::format("{} steps of training predicted", v.comparisons.size()), .columns = 1};
  plot::Comparison picture{.title = fmt::format("Time of a step: median error {}, bias {}", per_cent(v.all.error.median_abs_error),
                                                signed_per_cent(v.all.error.bias)),
                           .subtitle = "dashed: 20% off",
                           .unit = plot::unit_of("s", unit::s)};
  for (const Comparison& c : v.comparisons)
    picture.pairs.push_back({.measured = {Seconds::dim, c.measured},
                             .predicted = {Seconds::dim, c.predicted},
                             .group = v.rows[c.row].setup.software,
                             .note = v.rows[c.row].id});
  auto figure = plot::draw(picture);
  if (!figure) return std::unexpected(figure.error());
  grid.figures.push_back(std::move(*figure));
  plot::GroupBars bars{.title = "Error by model",
                       .subtitle = "bar: median; whisker: 10th to 90th percentile",
                       .value = {.label = "predicted over measured, less one", .unit = plot::per_cent()}};
  for (const TrainingErrorGroup& g : v.groups)
    if (g.by == "model")
      bars.groups.push_back({.name = g.name,
                             .value = g.error.bias,
                             .low = plot::Value(g.error.p10_error),
                             .high = plot::Value(g.error.p90_error),
                             .cases = static_cast<std::int64_t>(g.error.count)});
  auto drawn = plot::draw(bars);
  if (!drawn) return std::unexpected(drawn.error());
  grid.figures.push_back(std::move(*drawn));
  return plot::svg(grid);
}

}  // namespace fareline
