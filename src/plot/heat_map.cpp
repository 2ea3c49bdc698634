// SPDX-License-Identifier: Apache-2.0
#include "plot/heat_map.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "plot/colour.h"
#include "plot/frame.h"

namespace fareline::plot {
namespace {

constexpr double air = 16, bar_width = 16;

Expected<void> check(const HeatMap& map) {
  const auto where = fmt::format("heat map \"{}\"", map.title);
  if (!(map.width >= 300 && map.height >= 200 && map.width <= 10000 && map.height <= 10000))
    return fail(where, "its size is out of bounds", "take 300 to 10,000 pixels across and 200 to 10,000 down");
  if (map.cells.size() != map.x_values.size() * map.y_values.size())
    return fail(where, fmt::format("{} cells for {} columns and {} rows", map.cells.size(), map.x_values.size(), map.y_values.size()),
                "give one for each pair");
  if (map.cells.size() == 0) return fail(where, "it has no cells", "vary both inputs over at least one value");
  if (map.cells.dim != map.value.unit.dim)
    return fail(where, fmt::format("the cells are not in the dimension of {}", map.value.unit.name), "give both one dimension");
  for (const auto& [axis, values] : {std::pair(&map.x, &map.x_values), std::pair(&map.y, &map.y_values)}) {
    for (std::size_t i = 0; i < values->size(); ++i) {
      const auto place = fmt::format("{}: value {} of \"{}\"", where, i + 1, axis->label);
      if (const auto fit = fits(*axis, {values->dim, values->coherent[i]}, place); !fit) return fit;
      if (i > 0 && !(values->coherent[i] > values->coherent[i - 1]))
        return fail(place, "it is not above the one before it", "give them in ascending order");
    }
  }
  return {};
}

// Returns the borders of cells around `middles`, one more than there are cells: half way between neighbours on the scale.
std::vector<double> borders(const Axis& axis, const std::vector<double>& middles) {
  const bool linear = axis.scale == Scale::linear;
  const auto between = [&](double a, double b) { return linear ? 0.5 * (a + b) : std::sqrt(a) * std::sqrt(b); };
  const auto mirrored = [&](double middle, double border) { return linear ? 2 * middle - border : middle / border * middle; };
  if (middles.size() == 1) {
    const double m = middles[0], first = linear ? m - 0.5 * axis.unit.factor : m / std::sqrt(2.0);
    return {first, mirrored(m, first)};
  }
  std::vector<double> found{0};
  for (std::size_t i = 1; i < middles.size(); ++i) found.push_back(between(middles[i - 1], middles[i]));
  found[0] = mirrored(middles[0], found[1]);
  found.push_back(mirrored(middles.back(), found.back()));
  return found;
}

// A tick at the middle of each cell, or of each second, third … one where the texts would touch.
std::vector<Tick> cell_ticks(const Axis& axis, const std::vector<double>& middles, Range range, double length, bool horizontal) {
  for (std::size_t stride = 1;; ++stride) {
    std::vector<Tick> ticks;
    for (std::size_t i = 0; i < middles.size(); i += stride) ticks.push_back({middles[i], tick_text(axis, middles[i])});
    double end = -1e9;
    const bool clear = std::ranges::all_of(ticks, [&](const Tick& tick) {
      const double middle = length * position(axis.scale, range, tick.value), half = horizontal ? text_width(tick.text) / 2 : 7;
      const bool free = middle - half >= end + 6;
      end = middle + half;
      return free;
    });
    if (clear || stride >= middles.size()) return ticks;
  }
}

std::optional<std::size_t> best_cell(const HeatMap& map) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < map.cells.size() && map.best != Best::none; ++i) {
    const double v = map.cells.coherent[i];
    if (std::isnan(v)) continue;
    if (!best || (map.best == Best::lowest ? v < map.cells.coherent[*best] : v > map.cells.coherent[*best])) best = i;
  }
  return best;
}

bool nearly_best(const HeatMap& map, std::size_t best, std::size_t cell) {
  const double v = map.cells.coherent[cell], b = map.cells.coherent[best];
  return !std::isnan(v) && std::fabs(v - b) <= map.nearly * std::fabs(b);
}

struct Cells {
  const HeatMap& map;
  const Frame& frame;
  std::vector<double> x, y;  // borders
  std::size_t columns() const { return map.x_values.size(); }
  Box box(std::size_t cell) const {
    const std::size_t column = cell % columns(), row = cell / columns();
    const double left = frame.across(x[column]), top = frame.up(y[row + 1]);
    return {left, top, frame.across(x[column + 1]) - left, frame.up(y[row]) - top};
  }
};

std::string place_text(const HeatMap& map, std::size_t cell) {
  const std::size_t column = cell % map.x_values.size(), row = cell / map.x_values.size();
  return fmt::format("{} = {}, {} = {}", map.x.label, value_text(map.x.unit, map.x_values.coherent[column], 6), map.y.label,
                     value_text(map.y.unit, map.y_values.coherent[row], 6));
}

void draw_cells(Canvas& canvas, const Cells& cells, Range range) {
  const HeatMap& map = cells.map;
  for (std::size_t i = 0; i < map.cells.size(); ++i) {
    const Box box = cells.box(i);
    const double v = map.cells.coherent[i];
    if (std::isnan(v)) {
      canvas.box_with_note("nothing", box, fmt::format("{}: {}", place_text(map, i), map.gap_text));
      canvas.hatch("void", box);
      continue;
    }
    const Rgb colour = viridis(position(map.value.scale, range, v));
    canvas.filled_box(hex(colour), box, fmt::format("{}: {}", place_text(map, i), value_text(map.value.unit, v)));
    const std::string text = tick_text(map.value, v, 3);
    if (map.texts && text_width(text, 11) + 6 <= box.width && box.height >= 16)
      canvas.text(takes_black_text(colour) ? "small onlight" : "small ondark", {box.x + box.width / 2, box.y + box.height / 2 + 4}, text,
                  Anchor::middle);
  }
}

// The border of the cells that are nearly as good as the best, and a ring in the best; dark under white, to show on any colour.
void draw_best(Canvas& canvas, const Cells& cells, std::size_t best) {
  const HeatMap& map = cells.map;
  const std::size_t columns = cells.columns(), rows = map.y_values.size();
  std::vector<std::pair<Point, Point>> edges;
  for (std::size_t i = 0; i < map.cells.size(); ++i) {
    if (!nearly_best(map, best, i)) continue;
    const std::size_t column = i % columns, row = i / columns;
    const Box b = cells.box(i);
    if (column == 0 || !nearly_best(map, best, i - 1)) edges.push_back({{b.x, b.y}, {b.x, b.bottom()}});
    if (column + 1 == columns || !nearly_best(map, best, i + 1)) edges.push_back({{b.right(), b.y}, {b.right(), b.bottom()}});
    if (row == 0 || !nearly_best(map, best, i - columns)) edges.push_back({{b.x, b.bottom()}, {b.right(), b.bottom()}});
    if (row + 1 == rows || !nearly_best(map, best, i + columns)) edges.push_back({{b.x, b.y}, {b.right(), b.y}});
  }
  for (const char* style : {"shadow", "ring"})
    for (const auto& [a, b] : edges) canvas.line(style, a, b);
  const Box box = cells.box(best);
  const double inset = std::min({4.0, box.width / 5, box.height / 5});
  const Box ring{box.x + inset, box.y + inset, box.width - 2 * inset, box.height - 2 * inset};
  canvas.box("shadow", ring, 5);
  canvas.box("ring best", ring, 5);
}

void draw_colour_bar(Canvas& canvas, const HeatMap& map, const Frame& frame, Range range, std::span<const Tick> ticks) {
  const Box bar{frame.box.right() + 20, frame.box.y, bar_width, frame.box.height};
  constexpr int steps = 64;
  for (int k = 0; k < steps; ++k) {
    const double height = bar.height / steps;
    // Half a pixel of overlap hides the seams.
    canvas.filled_box(hex(viridis((k + 0.5) / steps)), {bar.x, bar.bottom() - height * (k + 1), bar.width, height + (k > 0 ? 0.5 : 0)});
  }
  canvas.box("frame", bar);
  double widest = 0;
  for (const Tick& tick : ticks) {
    const double y = bar.bottom() - bar.height * position(map.value.scale, range, tick.value);
    canvas.line("frame", {bar.right(), y}, {bar.right() + 4, y});
    canvas.text("tick", {bar.right() + 8, y + 4}, tick.text);
    widest = std::max(widest, text_width(tick.text));
  }
  canvas.text_upwards("axis strong", {bar.right() + widest + 24, bar.y + bar.height / 2},
                      fitted(axis_title(map.value, ticks), bar.height + 40));
}

}  // namespace

Expected<Figure> draw(const HeatMap& map) {
  if (const auto checked = check(map); !checked) return std::unexpected(checked.error());
  const auto range = resolved_range(map.value, map.cells.coherent, Ends::tight);
  if (!range) return std::unexpected(range.error());
  const auto best = best_cell(map);
  std::string subtitle = map.subtitle, told;
  if (best) {
    told = fmt::format("Ringed: the {}, {} at {}. Outlined: within {} of it.", map.best == Best::lowest ? "lowest" : "highest",
                       value_text(map.value.unit, map.cells.coherent[*best]), place_text(map, *best), value_text(per_cent(), map.nearly));
    subtitle += (subtitle.empty() ? "" : " ") + told;
  }

  if (std::ranges::any_of(map.cells.coherent, [](double v) { return std::isnan(v); }))
    subtitle += fmt::format("{}Hatched: {}.", subtitle.empty() ? "" : " ", map.gap_text);

  const std::vector<Tick> value_ticks = vertical_ticks(map.value, *range, map.height - 140);
  Frame frame{.box = {}, .x = map.x, .y = map.y, .x_range = {}, .y_range = {}, .x_ticks = {}, .y_ticks = {}};
  Cells cells{map, frame, borders(map.x, map.x_values.coherent), borders(map.y, map.y_values.coherent)};
  frame.x_range = {cells.x.front(), cells.x.back()};
  frame.y_range = {cells.y.front(), cells.y.back()};
  const double head = heading_height(map.title, subtitle, map.width - 2 * air);
  frame.box.y = air + head + 8;
  frame.box.height = std::max(80.0, map.height - frame.box.y - bottom_margin - air);
  frame.y_ticks = cell_ticks(map.y, map.y_values.coherent, frame.y_range, frame.box.height, false);
  frame.box.x = left_margin(frame.y_ticks);
  double value_width = 0;
  for (const Tick& tick : value_ticks) value_width = std::max(value_width, text_width(tick.text));
  frame.box.width = map.width - frame.box.x - (20 + bar_width + value_width + 24 + air);
  frame.x_ticks = cell_ticks(map.x, map.x_values.coherent, frame.x_range, frame.box.width, true);

  Canvas canvas;
  draw_heading(canvas, map.title, subtitle, {air, air}, map.width - 2 * air);
  draw_cells(canvas, cells, *range);
  draw_axes(canvas, frame);
  if (best) draw_best(canvas, cells, *best);
  draw_colour_bar(canvas, map, frame, *range, value_ticks);
  const std::string description =
      fmt::format("{} over {} and {}. {}", axis_title(map.value, {}), axis_title(map.x, {}), axis_title(map.y, {}), told);
  return Figure{map.width, frame.box.bottom() + bottom_margin + air, map.title, map.description.empty() ? description : map.description,
                canvas.take()};
}

}  // namespace fareline::plot
