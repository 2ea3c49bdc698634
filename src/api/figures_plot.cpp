// SPDX-License-Identifier: Apache-2.0
// Figures drawn as SVG. The page draws them itself, and its build leaves this file out.
#include "api/figures.h"

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "api/question.h"
#include "plot/bars.h"
#include "plot/grid.h"
#include "plot/line_plot.h"
#include "plot/timeline.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

double largest_of(const std::vector<double>& values) {
  double largest = 0;
  for (const double v : values)
    if (std::abs(v) > largest) largest = std::abs(v);
  return largest;
}

double factor_of(const Json& axis) { return answer_factor(axis["unit"]); }

// `largest` is coherent.
plot::Axis axis_of(const Json& axis, double largest) {
  const std::string unit = axis["unit"], scale = axis["scale"];
  plot::Axis drawn{.label = axis["label"],
                   .unit = unit == "1" ? plot::counted(axis.value("counted", std::string())) : answer_unit(unit, largest),
                   .from_zero = axis.value("from_zero", false)};
  drawn.scale = scale == "log2" ? plot::Scale::log2 : scale == "log10" ? plot::Scale::log10 : plot::Scale::linear;
  return drawn;
}

plot::Style style_of(const std::string& style) {
  for (const auto& [name, drawn] : {std::pair{"floor", plot::Style::floor}, {"band", plot::Style::band}, {"points", plot::Style::points},
                                    {"step", plot::Style::step}})
    if (style == name) return drawn;
  return plot::Style::estimate;
}

Expected<plot::Figure> lines(const Json& figure) {
  const double x_factor = factor_of(figure["x"]), y_factor = factor_of(figure["y"]);
  double most_x = 0, most_y = 0;
  for (const Json& s : figure["series"]) {
    most_x = std::max(most_x, largest_of(coherent(s["x"], x_factor)));
    most_y = std::max(most_y, largest_of(coherent(s["y"], y_factor)));
    if (s.contains("high")) most_y = std::max(most_y, largest_of(coherent(s["high"], y_factor)));
  }
  plot::LinePlot picture{.title = figure["title"],
                         .subtitle = figure.value("subtitle", std::string()),
                         .description = figure["description"],
                         .x = axis_of(figure["x"], most_x),
                         .y = axis_of(figure["y"], most_y)};
  const Dim x_dim = picture.x.unit.dim, y_dim = picture.y.unit.dim;
  for (const Json& s : figure["series"]) {
    plot::Series series{.name = s["name"],
                        .style = style_of(s["style"]),
                        .x = plot::Values(x_dim, coherent(s["x"], x_factor)),
                        .y = plot::Values(y_dim, coherent(s["y"], y_factor)),
                        .colour = s.value("colour", 0)};
    if (s.contains("high")) series.high = plot::Values(y_dim, coherent(s["high"], y_factor));
    picture.series.push_back(std::move(series));
  }
  for (const Json& m : figure.value("markers", Json::array())) {
    const bool vertical = m["vertical"];
    picture.markers.push_back({.line = vertical ? plot::Marker::Line::vertical : plot::Marker::Line::horizontal,
                               .at = vertical ? plot::Value(x_dim, m["at"].get<double>() * x_factor)
                                              : plot::Value(y_dim, m["at"].get<double>() * y_factor),
                               .text = m["text"]});
  }
  for (const Json& r : figure.value("regimes", Json::array()))
    picture.regimes.push_back({plot::Value(x_dim, r["from"].get<double>() * x_factor),
                               plot::Value(x_dim, r["to"].get<double>() * x_factor), r["kind"]});
  return draw(picture);
}

Expected<plot::Figure> bars(const Json& figure) {
  const double factor = factor_of(figure["value"]);
  double most = 0;
  for (const Json& row : figure["rows"]) {
    double sum = 0;
    for (const Json& part : row["parts"]) sum += part["amount"].get<double>() * factor;
    most = std::max(most, sum);
  }
  plot::StackedBars picture{.title = figure["title"],
                            .subtitle = figure.value("subtitle", std::string()),
                            .description = figure["description"],
                            .value = axis_of(figure["value"], most)};
  for (const Json& row : figure["rows"]) {
    plot::BarRow drawn{.name = row["name"]};
    for (const Json& part : row["parts"])
      drawn.parts.push_back({.name = part["name"],
                             .amount = plot::Value(picture.value.unit.dim, part["amount"].get<double>() * factor),
                             .kind = part["kind"]});
    picture.rows.push_back(std::move(drawn));
  }
  return draw(picture);
}

Expected<plot::Figure> timeline(const Json& figure) {
  const double factor = factor_of(figure["time"]);
  double most = 0;
  for (const Json& s : figure["slots"]) most = std::max(most, s["end"].get<double>() * factor);
  plot::Timeline picture{.title = figure["title"],
                         .subtitle = figure.value("subtitle", std::string()),
                         .description = figure["description"],
                         .time = axis_of(figure["time"], most)};
  for (const Json& row : figure["rows"]) picture.rows.push_back(row);
  for (const Json& s : figure["slots"])
    picture.slots.push_back({.row = s["row"],
                             .start = plot::Value(picture.time.unit.dim, s["start"].get<double>() * factor),
                             .end = plot::Value(picture.time.unit.dim, s["end"].get<double>() * factor),
                             .text = s.value("text", std::string()),
                             .kind = s["kind"]});
  return draw(picture);
}

}  // namespace

plot::Unit answer_unit(const std::string& unit, double largest) {
  if (unit == "s") return plot::fitting_unit(Seconds::dim, largest);
  if (unit == "B") return plot::fitting_unit(Bytes::dim, largest);
  if (unit == "B/s") return plot::fitting_unit(Bandwidth::dim, largest);
  if (unit == "FLOP") return plot::fitting_unit(Flops::dim, largest);
  if (unit == "FLOP/s") return plot::fitting_unit(FlopRate::dim, largest);
  if (unit == "USD") return {"USD", 1, Dollars::dim};
  if (unit == "USD/Mtok") return {"USD/Mtok", 1e-6, TokenPrice::dim};
  if (unit == "tok/s") return {"tok/s", 1, TokenRate::dim};
  if (unit == "USD/s") return {"USD/h", 1 / 3600.0, MoneyRate::dim};
  if (unit == "1/s") return {"1/s", 1, Frequency::dim};
  if (unit == "tok") return {"tokens", 1, Tokens::dim};
  return plot::counted(unit == "1" ? "" : unit);
}

double answer_factor(const std::string& unit) { return unit == "USD/Mtok" ? 1e-6 : 1; }

std::vector<double> coherent(const Json& values, double factor) {
  std::vector<double> all;
  for (const Json& v : values) all.push_back(v.is_number() ? v.get<double>() * factor : std::numeric_limits<double>::quiet_NaN());
  return all;
}

Expected<std::string> plot_figures(const Json& answered) {
  if (!answered.contains("answer") || !answered["answer"].contains("figures") || answered["answer"]["figures"].empty())
    return fail("plot", "is asked of an answer without a picture", "ask a question that can be answered, or leave it out");
  const Json& figures = answered["answer"]["figures"];
  plot::Grid grid;
  for (const Json& figure : figures) {
    const std::string kind = figure["kind"];
    const auto drawn = kind == "lines" ? lines(figure) : kind == "bars" ? bars(figure) : timeline(figure);
    if (!drawn) return std::unexpected(drawn.error());
    grid.figures.push_back(*drawn);
  }
  if (grid.figures.size() == 1) return plot::document(grid.figures.front());
  if (const Question* question = question_named(answered["question"].get_ref<const std::string&>())) {
    grid.title = question->summary;
    if (grid.title.front() >= 'a' && grid.title.front() <= 'z') grid.title.front() = static_cast<char>(grid.title.front() - 'a' + 'A');
  }
  return plot::svg(grid);
}

}  // namespace fareline
