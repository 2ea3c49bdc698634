// SPDX-License-Identifier: Apache-2.0
// A swept answer as a picture and as CSV.
#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/figures.h"
#include "api/sweep.h"
#include "plot/bars.h"
#include "plot/grid.h"
#include "plot/heat_map.h"
#include "plot/line_plot.h"
#include "plot/table.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::string counted_name(std::string_view input) {
  if (input == "batch") return "sequences";
  if (input == "concurrency") return "users";
  if (input == "prompt" || input == "output" || input == "context" || input == "tokens" || input == "prefix") return "tokens";
  return "";
}

std::string label_of(std::string name) {
  for (const auto& [path, label] : {std::pair{"price.output", "Price of output"},
                                    {"price.input", "Price of input"},
                                    {"price.blended", "Blended price"},
                                    {"price.cached_input", "Price of cached input"},
                                    {"latency.tpot", "Time per output token"},
                                    {"latency.ttft", "Time to first token"},
                                    {"throughput.output_tokens", "Output throughput"},
                                    {"throughput.output_tokens_per_chip", "Output throughput a chip"},
                                    {"time", "Time of the pass"},
                                    {"chip.largest_batch", "Largest batch"},
                                    {"hbm_bandwidth", "HBM bandwidth of a chip"},
                                    {"hbm_capacity", "HBM capacity of a chip"}})
    if (name == path) return label;
  std::replace(name.begin(), name.end(), '_', ' ');
  std::replace(name.begin(), name.end(), '.', ' ');
  name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

double largest_of(const std::vector<double>& values) {
  double largest = 0;
  for (const double v : values)
    if (v > largest) largest = v;
  return largest;
}

bool spread(const std::vector<double>& values) {
  double least = std::numeric_limits<double>::infinity();
  for (const double v : values)
    if (!std::isnan(v)) least = std::min(least, v);
  return least > 0 && largest_of(values) > 8 * least;
}

plot::Axis x_axis(const Json& varied, const std::vector<double>& x) {
  const std::string name = varied["name"], unit = varied["unit"];
  plot::Axis axis{.label = label_of(name), .unit = unit == "1" ? plot::counted(counted_name(name)) : answer_unit(unit, largest_of(x))};
  if (unit == "1" && spread(x)) axis.scale = plot::Scale::log2;
  else if (spread(x)) axis.scale = plot::Scale::log10;
  return axis;
}

// Runs of equal binders, from the middle between neighbours to the middle between the next.
std::vector<plot::Regime> regimes_of(const Json& bound, const std::vector<double>& x, Dim dim, bool ratio) {
  std::vector<plot::Regime> runs;
  const auto between = [&](std::size_t i) { return ratio ? std::sqrt(x[i] * x[i + 1]) : 0.5 * (x[i] + x[i + 1]); };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::string kind = bound[i];
    if (kind.empty()) continue;
    // A run ends at its last point where nothing fits beside it.
    const auto fits = [&](std::size_t j) { return !bound[j].get_ref<const std::string&>().empty(); };
    const double from = i == 0 || !fits(i - 1) ? x[i] : between(i - 1), to = i + 1 == x.size() || !fits(i + 1) ? x[i] : between(i);
    if (!runs.empty() && runs.back().kind == kind && runs.back().to.coherent == from) runs.back().to.coherent = to;
    else runs.push_back({plot::Value(dim, from), plot::Value(dim, to), kind});
  }
  return runs;
}

Expected<std::string> plot_lines(const Json& answer, const std::string& title, const std::string& subtitle) {
  const Json& varied = answer["varied"][0];
  const std::vector<double> x = coherent(varied["values"], 1);
  const plot::Axis axis = x_axis(varied, x);
  const plot::Values xs(axis.unit.dim, x);
  plot::StackedPlots stack{.title = title,
                           .subtitle = subtitle,
                           .description = fmt::format("{} against {}: estimate, 80% band, and the physical bound",
                                                      answer["of"].get<std::string>(), varied["name"].get<std::string>())};
  for (const Json& column : answer["columns"]) {
    const std::string unit = column["unit"], name = column["name"];
    const double factor = answer_factor(unit);
    const std::vector<double> y = coherent(column["values"], factor);
    plot::LinePlot picture{.title = label_of(name),
                           .x = axis,
                           .y = {.label = label_of(name), .unit = answer_unit(unit, largest_of(y)), .from_zero = true},
                           .height = 300};
    const Dim dim = picture.y.unit.dim;
    std::vector<double> all = y;
    if (column.contains("floor")) {
      const bool rate = name.starts_with("throughput");
      const std::vector<double> floor = coherent(column["floor"], factor), low = coherent(column["low"], factor),
                                high = coherent(column["high"], factor);
      picture.series.push_back(
          {.name = "80% band", .style = plot::Style::band, .x = xs, .y = plot::Values(dim, low), .high = plot::Values(dim, high)});
      picture.series.push_back({.name = rate ? "ceiling" : "floor", .style = plot::Style::floor, .x = xs, .y = plot::Values(dim, floor)});
      all.insert(all.end(), floor.begin(), floor.end());
      all.insert(all.end(), high.begin(), high.end());
    }
    if (spread(all)) picture.y.scale = plot::Scale::log10;
    picture.series.push_back({.name = "estimate", .style = plot::Style::estimate, .x = xs, .y = plot::Values(dim, y)});
    picture.regimes = regimes_of(answer["bound"], x, axis.unit.dim, axis.scale != plot::Scale::linear);
    stack.plots.push_back(std::move(picture));
  }
  const auto figure = plot::draw(stack);
  if (!figure) return std::unexpected(figure.error());
  return plot::document(*figure);
}

Expected<std::string> plot_map(const Json& answer, const std::string& title, const std::string& subtitle) {
  const Json &first = answer["varied"][0], &second = answer["varied"][1], &column = answer["columns"][0];
  const std::vector<double> x = coherent(first["values"], 1), y = coherent(second["values"], 1);
  const std::string unit = column["unit"], name = column["name"];
  const std::vector<double> cells = coherent(column["values"], answer_factor(unit));
  plot::HeatMap map{
      .title = title,
      .subtitle = subtitle,
      .description = fmt::format("{} over {} and {}", label_of(name), first["name"].get<std::string>(), second["name"].get<std::string>())};
  map.x = x_axis(first, x);
  map.y = x_axis(second, y);
  map.x_values = plot::Values(map.x.unit.dim, x);
  map.y_values = plot::Values(map.y.unit.dim, y);
  map.value = {.label = label_of(name), .unit = answer_unit(unit, largest_of(cells))};
  if (spread(cells)) map.value.scale = plot::Scale::log10;
  map.cells = plot::Values(map.value.unit.dim, cells);
  if (name.starts_with("throughput") || name.find("largest") != std::string::npos) map.best = plot::Best::highest;
  const auto figure = plot::draw(map);
  if (!figure) return std::unexpected(figure.error());
  return plot::document(*figure);
}

// A bar a name, with the floor as a mark across it; one picture a column.
Expected<std::string> plot_names(const Json& answer, const std::string& title, const std::string& subtitle) {
  plot::Grid grid{.title = title, .subtitle = subtitle};
  const Json& names = answer["varied"][0]["values"];
  for (const Json& column : answer["columns"]) {
    const std::string unit = column["unit"], name = column["name"];
    const std::vector<double> y = coherent(column["values"], answer_factor(unit));
    plot::StackedBars bars{.title = label_of(name),
                           .value = {.label = label_of(name), .unit = answer_unit(unit, largest_of(y)), .from_zero = true}};
    const Dim dim = bars.value.unit.dim;
    for (std::size_t i = 0; i < names.size(); ++i) {
      plot::BarRow row{.name = names[i].get<std::string>()};
      if (std::isnan(y[i])) row.name += " (does not fit)";
      else
        row.parts.push_back({.name = answer["bound"][i].get<std::string>(),
                             .amount = plot::Value(dim, y[i]),
                             .kind = answer["bound"][i].get<std::string>()});
      if (column.contains("floor") && column["floor"][i].is_number())
        row.floor = plot::Value(dim, column["floor"][i].get<double>() * answer_factor(unit));
      bars.rows.push_back(std::move(row));
    }
    const auto figure = plot::draw(bars);
    if (!figure) return std::unexpected(figure.error());
    grid.figures.push_back(*figure);
  }
  return plot::svg(grid);
}

bool is_named(const Json& varied) { return !varied["values"].empty() && varied["values"][0].is_string(); }

}  // namespace

Expected<std::string> plot_sweep(const Json& answered) {
  if (!answered.contains("question") || answered["question"] != "sweep")
    return fail("plot", "is asked of an answer that is no sweep's", "plot the answer of \"fareline sweep\"");
  const Json& answer = answered["answer"];
  const Json& inputs = answered["explain"]["inputs"];
  const auto text = [&](const char* name) {
    return inputs.contains(name) && inputs[name]["value"].is_string() ? inputs[name]["value"].get<std::string>() : std::string();
  };
  const auto is_varied = [&](std::string_view name) {
    return std::any_of(answer["varied"].begin(), answer["varied"].end(), [&](const Json& v) { return v["name"] == name; });
  };
  const bool same_model = !is_varied("model"), same_system = !is_varied("system");
  const std::string title = same_model && same_system ? fmt::format("{} on {}", text("model"), text("system"))
                            : same_model              ? text("model")
                                                      : text("system");
  std::string subtitle;
  for (const char* name : {"prompt", "output", "context", "tp", "ep", "pp", "dp", "concurrency"}) {
    // What every point chose for itself has no one value.
    const bool open = !(same_model && same_system) && inputs.contains(name) && inputs[name]["chosen_by"] == "fareline";
    if (is_varied(name) || open || !inputs.contains(name) || !inputs[name]["value"].is_number()) continue;
    subtitle += fmt::format("{}{} {}", subtitle.empty() ? "" : ", ", name, number_text(inputs[name]["value"].get<double>()));
  }
  if (answer["varied"].size() == 2) {
    if (is_named(answer["varied"][0]) || is_named(answer["varied"][1]))
      return fail("plot", "two varied inputs are drawn as a map where both are numbers", "vary one, or write --csv");
    return plot_map(answer, title, subtitle);
  }
  return is_named(answer["varied"][0]) ? plot_names(answer, title, subtitle) : plot_lines(answer, title, subtitle);
}

Expected<std::string> csv_sweep(const Json& answered) {
  if (!answered.contains("question") || answered["question"] != "sweep")
    return fail("csv", "is asked of an answer that is no sweep's", "write the answer of \"fareline sweep\"");
  const Json& answer = answered["answer"];
  plot::Table table;
  const Json& varied = answer["varied"];
  const std::size_t columns = varied[0]["values"].size(), rows = varied.size() == 2 ? varied[1]["values"].size() : 1;
  for (std::size_t i = 0; i < varied.size(); ++i) {
    std::vector<double> all;
    std::vector<std::string> texts;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        const Json& value = varied[i]["values"][i == 0 ? c : r];
        if (value.is_string()) texts.push_back(value.get<std::string>());
        else all.push_back(value.get<double>());
      }
    }
    if (!texts.empty()) {
      table.columns.push_back({.name = varied[i]["name"].get<std::string>(), .texts = std::move(texts)});
      continue;
    }
    const std::string unit = varied[i]["unit"];
    table.columns.push_back(
        {.name = varied[i]["name"].get<std::string>(), .unit = plot::counted(unit == "1" ? "" : unit), .numbers = plot::Values(all)});
  }
  for (const Json& column : answer["columns"]) {
    const std::string unit = column["unit"];
    for (const char* member : {"values", "floor", "low", "high"}) {
      if (!column.contains(member)) continue;
      const std::string suffix = std::string(member) == "values" ? "" : std::string(".") + member;
      table.columns.push_back({.name = column["name"].get<std::string>() + suffix,
                               .unit = plot::counted(unit == "1" ? "" : unit),
                               .numbers = plot::Values(coherent(column[member], 1))});
    }
  }
  std::vector<std::string> binders, reasons;
  for (const Json& b : answer["bound"]) binders.push_back(b.get<std::string>());
  for (const Json& r : answer["infeasible"]) reasons.push_back(r.is_string() ? r.get<std::string>() : std::string());
  table.columns.push_back({.name = "bound", .texts = binders});
  table.columns.push_back({.name = "infeasible", .texts = reasons});
  return plot::csv(table);
}

}  // namespace fareline
