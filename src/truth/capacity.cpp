// SPDX-License-Identifier: Apache-2.0
#include "truth/capacity.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "perf/memory.h"
#include "plot/comparison.h"
#include "plot/grid.h"
#include "truth/report_parts.h"
#include "truth/serving_formats.h"
#include "units/text.h"

namespace fareline {
namespace {

std::string layout_text(const CapacityRow& row) {
  std::string text = fmt::format("tp{} pp{}", row.plan.tp, row.plan.pp);
  if (row.plan.weights) text += fmt::format(", weights {}", name(*row.plan.weights));
  return text;
}

double refused_share(const CapacityValidation& v) {
  return v.rows.empty() ? 0 : 1 - static_cast<double>(v.comparisons.size()) / static_cast<double>(v.rows.size());
}

}  // namespace

Expected<bool> holds_capacity(const std::string& file, std::string_view bytes) {
  const auto table = TableReader::open(file, bytes);
  if (!table) return std::unexpected(table.error());
  return table->has_all(capacity_columns);
}

Expected<std::vector<CapacityRow>> read_capacity_rows(std::string file, std::string_view bytes) {
  auto table = TableReader::open(std::move(file), bytes);
  if (!table) return std::unexpected(table.error());
  for (const std::string_view column : capacity_columns)
    if (const auto there = table->require(column); !there) return std::unexpected(there.error());
  std::vector<CapacityRow> rows;
  while (true) {
    const auto more = table->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    serving::Cells cell(*table);
    const std::string where = fmt::format("{}:{}", table->file(), table->line());
    CapacityRow row{.id = where, .model = std::string(cell.text("model")), .configuration = std::string(cell.text("configuration")),
                    .system = std::string(cell.text("system")), .engine = std::string(cell.text("engine")),
                    .version = std::string(cell.text("version")), .plan = {}};
    row.plan.tp = cell.count_or("tp", 1);
    row.plan.pp = cell.count_or("pp", 1);
    row.plan.memory_fraction = cell.number_or("gpu_memory_utilization", 0.9);
    row.context = cell.number_or("max_model_len", 1);
    const auto measured = cell.number("kv_cache_gib");
    if (const auto done = cell.done(); !done) return std::unexpected(done.error());
    for (const auto& [column, format] : {std::pair{"weights", &row.plan.weights}, std::pair{"kv_cache_dtype", &row.plan.kv}}) {
      const std::string_view text = cell.text(column);
      if (text.empty() || text == "auto") continue;
      const auto known = format_named(text);
      if (!known)
        return fail(where, fmt::format("{} {} is not known", column, in_quotes(text)), "write a format's name, e.g. fp8, or auto");
      *format = *known;
    }
    if (row.plan.tp < 1 || row.plan.pp < 1 || !(row.plan.memory_fraction > 0) || row.plan.memory_fraction > 1 || row.context < 1)
      return fail(where, "tp, pp and max_model_len are counts of one or more, gpu_memory_utilization a share above 0 of at most 1",
                  "correct the row");
    if (!measured || *measured <= 0) row.refusal = "its KV capacity is not stated";
    else row.measured = *measured * unit::GiB;
    rows.push_back(std::move(row));
  }
}

CapacityValidation validate_capacity(const Catalogue& catalogue, std::vector<CapacityRow> rows) {
  CapacityValidation v{.rows = std::move(rows)};
  std::map<std::string, std::size_t> reasons;
  for (std::size_t i = 0; i < v.rows.size(); ++i) {
    const CapacityRow& row = v.rows[i];
    const auto why = [&]() -> std::string {
      const auto model = catalogue.model(row.configuration.empty() ? row.model : row.configuration);
      if (!model) return "the model is unknown";
      const auto system = catalogue.system(row.system);
      if (!system) return "the system is unknown";
      if (!row.refusal.empty()) return row.refusal;
      const MemoryUse use = memory_use(*model, *system, row.plan, row.context);
      if (use.left() <= Bytes{}) return "fareline finds no room for KV";
      const double left = use.left().coherent();
      v.comparisons.push_back({.row = i, .predicted = left, .low = left, .high = left, .bound = use.usable.coherent(),
                               .measured = row.measured.coherent()});
      return {};
    }();
    if (!why.empty()) ++reasons[why];
  }
  for (const auto& [reason, count] : reasons) v.refused.push_back({reason, count});
  std::stable_sort(v.refused.begin(), v.refused.end(), [](const Refusal& a, const Refusal& b) { return a.rows > b.rows; });
  v.error = summarised(v.comparisons);
  return v;
}

nlohmann::ordered_json to_json(const CapacityValidation& v, const std::vector<std::string>& files) {
  using Json = nlohmann::ordered_json;
  Json refused = Json::object(), error = json_of(v.error);
  for (const Refusal& r : v.refused) refused[r.reason] = r.rows;
  error.erase("coverage");
  return {{"question", "validate"},
          {"inputs", {{"files", files}}},
          {"answer",
           {{"rows", v.rows.size()},
            {"predicted", v.comparisons.size()},
            {"refused", std::move(refused)},
            {"refused_share", refused_share(v)},
            {"kv_capacity", std::move(error)}}},
          {"explain", Json::object()},
          {"warnings", Json::array()}};
}

std::string to_text(const CapacityValidation& v) {
  std::string out = fmt::format("{} rows, {} predicted, {} refused ({})\n\n", v.rows.size(), v.comparisons.size(),
                                v.rows.size() - v.comparisons.size(), per_cent(refused_share(v)));
  const ErrorSummary& s = v.error;
  if (s.count > 0) {
    TextGrid all{{"", false}, {"count", true}, {"median error", true}, {"mean", true}, {"90th percentile", true}, {"bias", true}};
    all.add({"KV capacity", fmt::format("{}", s.count), per_cent(s.median_abs_error), per_cent(s.mean_abs_error), per_cent(s.p90_abs_error),
             signed_per_cent(s.bias)});
    std::vector<Comparison> worst = v.comparisons;
    std::stable_sort(worst.begin(), worst.end(),
                     [](const Comparison& a, const Comparison& b) { return std::abs(a.error()) > std::abs(b.error()); });
    TextGrid cases{{"worst rows", false}, {"layout", false}, {"predicted", true}, {"measured", true}, {"error", true}};
    for (std::size_t i = 0; i < std::min<std::size_t>(8, worst.size()); ++i)
      cases.add({v.rows[worst[i].row].model, layout_text(v.rows[worst[i].row]), to_text(Bytes::from_coherent(worst[i].predicted), 4),
                 to_text(Bytes::from_coherent(worst[i].measured), 4), signed_per_cent(worst[i].error())});
    out += all.text() + "\n" + cases.text();
  }
  if (!v.refused.empty()) {
    TextGrid refused{{"refused because", false}, {"rows", true}};
    for (const Refusal& r : v.refused) refused.add({r.reason, fmt::format("{}", r.rows)});
    out += "\n" + refused.text();
  }
  return out;
}

Expected<std::string> to_csv(const CapacityValidation& v) {
  plot::Table table;
  for (const char* column : {"row", "model", "system", "engine", "version", "layout"})
    table.columns.push_back(plot::text_column(column, {}));
  for (const char* column : {"predicted_bytes", "measured_bytes"}) table.columns.push_back(plot::number_column(column, {}, {}));
  for (const Comparison& c : v.comparisons) {
    const CapacityRow& row = v.rows[c.row];
    const std::string cells[] = {row.id, row.model, row.system, row.engine, row.version, layout_text(row)};
    for (std::size_t i = 0; i < std::size(cells); ++i) table.columns[i].texts.push_back(cells[i]);
    table.columns[6].numbers.coherent.push_back(Bytes::from_coherent(c.predicted).in(unit::B));
    table.columns[7].numbers.coherent.push_back(Bytes::from_coherent(c.measured).in(unit::B));
  }
  return plot::csv(table);
}

Expected<std::string> to_svg(const CapacityValidation& v) {
  if (v.comparisons.empty()) return fail("--plot", "there is nothing to draw: no row was predicted", "see what was refused and why");
  plot::Comparison picture{.title = fmt::format("KV capacity of a chip: mean error {}", per_cent(v.error.mean_abs_error)),
                           .subtitle = "dashed: 5% off",
                           .unit = plot::unit_of("GiB", unit::GiB),
                           .guide = 0.05};
  for (const Comparison& c : v.comparisons)
    picture.pairs.push_back({.measured = {Bytes::dim, c.measured},
                             .predicted = {Bytes::dim, c.predicted},
                             .group = v.rows[c.row].plan.weights ? "weights in another format" : "as published",
                             .note = v.rows[c.row].model});
  return plot::svg(picture);
}

}  // namespace fareline
