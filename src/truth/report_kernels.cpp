// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "plot/bars.h"
#include "plot/comparison.h"
#include "plot/grid.h"
#include "truth/report_parts.h"
#include "truth/validate_kernels.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::string count_text(std::size_t count) { return fmt::format("{}", count); }

std::string place(const KernelSetup& s) { return s.system.empty() ? s.chip : s.system; }

double refused_share(const KernelValidation& v) {
  return v.rows.empty() ? 0 : static_cast<double>(v.refused_rows()) / static_cast<double>(v.rows.size());
}

// The shape that was run, in the words of its table.
std::string shape_text(const KernelSetup& s) {
  if (const auto* p = std::get_if<ProductRun>(&s.run)) return fmt::format("m {:.0f} n {:.0f} k {:.0f}", p->m, p->n, p->k);
  if (const auto* e = std::get_if<ExpertsRun>(&s.run))
    return fmt::format("{:.0f} tokens, {:.0f} of {:.0f} experts of {:.0f} x {:.0f}, tp {} ep {}, {}", e->tokens, e->active, e->experts,
                       e->hidden, e->width, e->tp, e->ep,
                       e->balanced ? "balanced" : e->exponent > 0 ? fmt::format("power law {}", e->exponent) : std::string("at random"));
  if (const auto* a = std::get_if<AttentionRun>(&s.run))
    return fmt::format("{:.0f} sequences, {:.0f} new on {:.0f}, {} heads on {} of {}{}", a->sequences, std::max(a->fresh, 1.0), a->before,
                       a->attention.heads, a->attention.kv_heads, a->attention.qk_dim,
                       a->attention.window > 0 ? fmt::format(", window {}", a->attention.window) : std::string());
  if (const auto* m = std::get_if<MixerRun>(&s.run))
    return fmt::format("{}, {} heads, {} sequences, {} new on {}", m->model, m->heads, m->sequences, std::max(m->fresh, 1.0), m->before);
  if (const auto* w = std::get_if<ElementwiseRun>(&s.run)) return to_text(w->bytes, 3);
  if (const auto* c = std::get_if<CollectiveRun>(&s.run)) return fmt::format("{} over {} ranks", to_text(c->size, 3), c->ranks);
  const auto& x = std::get<ExchangeRun>(s.run);
  return fmt::format("{:.0f} tokens of {:.0f} to {:.0f} experts over {} ranks", x.tokens, x.hidden, x.active, x.ranks);
}

std::string what_text(const KernelSetup& s) {
  return fmt::format("{} {}, {} on {}: {}", name(s.kernel), name(s.format), s.stack, place(s), shape_text(s));
}

std::vector<const KernelErrorGroup*> groups_by(const KernelValidation& v, std::string_view by, std::size_t least = 1) {
  std::vector<const KernelErrorGroup*> out;
  for (const KernelErrorGroup& g : v.groups)
    if (g.by == by && g.error.count >= least) out.push_back(&g);
  std::stable_sort(out.begin(), out.end(), [](const KernelErrorGroup* a, const KernelErrorGroup* b) {
    return a->error.median_abs_error > b->error.median_abs_error;
  });
  return out;
}

void add_row(TextGrid& grid, const KernelErrorGroup& g) {
  const ErrorSummary& s = g.error;
  grid.add({g.name, count_text(s.count), per_cent(s.median_abs_error), per_cent(s.mean_abs_error), per_cent(s.p90_abs_error),
            signed_per_cent(s.bias), g.band_share > 0 ? per_cent(s.coverage) : ""});
}

TextGrid error_grid(const std::string& first) {
  TextGrid grid{{"", false},    {"count", true}, {"median error", true}, {"mean", true}, {"90th percentile", true},
                {"bias", true}, {"in the 80% band", true}};
  grid.table.columns[0].name = first;
  return grid;
}

}  // namespace

Json to_json(const KernelValidation& v, const std::vector<std::string>& files) {
  Json refused = Json::object(), groups = Json::array();
  for (const Refusal& r : v.refused) refused[r.reason] = r.rows;
  std::size_t under = 0;
  for (const Comparison& c : v.comparisons) under += c.predicted < c.bound;
  const auto json = [](const KernelErrorGroup& g) {
    Json error = json_of(g.error);
    if (g.error.count > 0) error["banded_share"] = g.band_share;
    if (g.band_share == 0) error.erase("coverage");
    return error;
  };
  for (const KernelErrorGroup& g : v.groups) groups.push_back({{"by", g.by}, {"name", g.name}, {"time", json(g)}});
  Json answer{{"rows", v.rows.size()},
              {"predicted", v.comparisons.size() + v.impossible.size()},
              {"refused", std::move(refused)},
              {"refused_share", refused_share(v)},
              {"below_floor", under},
              {"measured_beyond_physics", v.impossible.size()},
              {"time", json(v.all)},
              {"groups", std::move(groups)}};
  return {{"question", "validate"},
          {"inputs", {{"files", files}, {"kernels", true}}},
          {"answer", std::move(answer)},
          {"explain", Json::object()},
          {"warnings", Json::array()}};
}

std::string to_text(const KernelValidation& v) {
  std::string out = fmt::format("{} timings of kernels, {} predicted, {} refused ({})\n\n", v.rows.size(),
                                v.comparisons.size() + v.impossible.size(), v.refused_rows(), per_cent(refused_share(v)));
  TextGrid all = error_grid("");
  if (v.all.error.count > 0) add_row(all, v.all);
  out += all.text();
  for (const std::string_view by : {"kernel", "kernel, format", "chip", "engine"}) {
    TextGrid grid = error_grid(fmt::format("by {}", by));
    const auto groups = groups_by(v, by);
    for (const KernelErrorGroup* g : groups) add_row(grid, *g);
    if (!groups.empty()) out += "\n" + grid.text();
  }
  // A group of a handful of rows says little of a kernel.
  constexpr std::size_t enough = 20, shown_groups = 12, shown_rows = 10;
  auto worst = groups_by(v, "kernel, format, engine, chip", enough);
  worst.resize(std::min(worst.size(), shown_groups));
  if (!worst.empty()) {
    TextGrid grid = error_grid("worst groups");
    for (const KernelErrorGroup* g : worst) add_row(grid, *g);
    out += "\n" + grid.text();
  }
  std::vector<Comparison> rows = v.comparisons;
  const std::size_t shown = std::min(rows.size(), shown_rows);
  const auto factor = [](const Comparison& c) { return std::max(c.predicted / c.measured, c.measured / c.predicted); };
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown), rows.end(),
                    [&](const Comparison& a, const Comparison& b) {
                      return factor(a) != factor(b) ? factor(a) > factor(b) : a.row < b.row;
                    });
  if (shown > 0) {
    TextGrid cases{{"worst rows", false}, {"what", false}, {"predicted", true}, {"measured", true}};
    for (std::size_t i = 0; i < shown; ++i)
      cases.add({v.rows[rows[i].row].id, what_text(v.rows[rows[i].row].setup), to_text(Seconds::from_coherent(rows[i].predicted), 3),
                 to_text(Seconds::from_coherent(rows[i].measured), 3)});
    out += "\n" + cases.text();
  }
  if (!v.refused.empty()) {
    TextGrid refused{{"refused because", false}, {"rows", true}};
    for (const Refusal& r : v.refused) refused.add({r.reason, count_text(r.rows)});
    out += "\n" + refused.text();
  }
  if (!v.impossible.empty()) {
    std::vector<std::pair<std::string, std::size_t>> by_kernel;
    for (const Impossible& c : v.impossible) {
      auto at = std::find_if(by_kernel.begin(), by_kernel.end(), [&](const auto& one) { return one.first == c.what; });
      if (at == by_kernel.end()) at = by_kernel.insert(by_kernel.end(), {c.what, 0});
      ++at->second;
    }
    TextGrid beyond{{"left out: faster than memory and multipliers allow, so out of a cache", false}, {"rows", true}};
    for (const auto& [kernel, count] : by_kernel) beyond.add({kernel, count_text(count)});
    out += "\n" + beyond.text();
  }
  return out;
}

Expected<std::string> to_csv(const KernelValidation& v) {
  plot::Table table;
  for (const char* name : {"row", "table", "kernel", "format", "chip", "engine", "version", "kernel_source", "shape"})
    table.columns.push_back(plot::text_column(name, {}));
  const std::size_t texts = table.columns.size();
  for (const char* name : {"predicted_s", "low_s", "high_s", "bound_s", "measured_s"})
    table.columns.push_back(plot::number_column(name, {}, {}));
  for (const Comparison& c : v.comparisons) {
    const KernelTiming& row = v.rows[c.row];
    const KernelSetup& s = row.setup;
    const std::string cells[] = {row.id,  row.table, std::string(name(s.kernel)), std::string(name(s.format)), place(s), s.stack,
                                 s.version, s.source, shape_text(s)};
    for (std::size_t i = 0; i < texts; ++i) table.columns[i].texts.push_back(cells[i]);
    const double none = std::numeric_limits<double>::quiet_NaN();  // of an entry that states no band
    const double numbers[] = {c.predicted, c.high > 0 ? c.low : none, c.high > 0 ? c.high : none, c.bound, c.measured};
    for (std::size_t i = 0; i < std::size(numbers); ++i) table.columns[texts + i].numbers.coherent.push_back(numbers[i]);
  }
  return plot::csv(table);
}

Expected<std::string> to_svg(const KernelValidation& v) {
  if (v.comparisons.empty()) return fail("--plot", "there is nothing to draw: no row was predicted", "see what was refused and why");
  constexpr std::size_t most_points = 3000;
  const std::size_t step = std::max<std::size_t>(1, v.comparisons.size() / most_points);
  plot::Grid grid{.title = fmt::format("{} timings of kernels predicted", v.comparisons.size()), .columns = 1};
  plot::Comparison picture{.title = fmt::format("Time of one kernel: median error {}, bias {}", per_cent(v.all.error.median_abs_error),
                                                signed_per_cent(v.all.error.bias)),
                           .subtitle = step > 1 ? fmt::format("one of {} drawn; dashed: 20% off", step) : "dashed: 20% off",
                           .unit = plot::unit_of("ms", unit::ms)};
  for (std::size_t i = 0; i < v.comparisons.size(); i += step) {
    const Comparison& c = v.comparisons[i];
    picture.pairs.push_back({.measured = {Seconds::dim, c.measured},
                             .predicted = {Seconds::dim, c.predicted},
                             .group = std::string(name(v.rows[c.row].setup.kernel)),
                             .note = v.rows[c.row].id});
  }
  auto figure = plot::draw(picture);
  if (!figure) return std::unexpected(figure.error());
  grid.figures.push_back(std::move(*figure));
  plot::GroupBars bars{.title = "Error by kernel, engine and chip",
                       .subtitle = "bar: median; whisker: 10th to 90th percentile",
                       .value = {.label = "predicted over measured, less one", .unit = plot::per_cent()}};
  for (const KernelErrorGroup* g : groups_by(v, "kernel, engine, chip"))
    bars.groups.push_back({.name = g->name,
                           .value = g->error.bias,
                           .low = plot::Value(g->error.p10_error),
                           .high = plot::Value(g->error.p90_error),
                           .cases = static_cast<std::int64_t>(g->error.count)});
  auto drawn = plot::draw(bars);
  if (!drawn) return std::unexpected(drawn.error());
  grid.figures.push_back(std::move(*drawn));
  return plot::svg(grid);
}

}  // namespace fareline
