// SPDX-License-Identifier: Apache-2.0
#include "plot/frame.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace fareline::plot {
namespace {

constexpr double swatch_width = 26, entry_gap = 18, row_height = 18;

double entry_width(const LegendEntry& entry, double most) { return std::min(most, swatch_width + text_width(entry.name) + entry_gap); }

// Where each entry stands, from the top left of the legend.
std::vector<Point> legend_places(std::span<const LegendEntry> entries, double width) {
  std::vector<Point> places;
  double x = 0, y = 0;
  for (const LegendEntry& entry : entries) {
    const double w = entry_width(entry, width);
    if (x > 0 && x + w - entry_gap > width) {
      x = 0;
      y += row_height;
    }
    places.push_back({x, y});
    x += w;
  }
  return places;
}

void draw_swatch(Canvas& canvas, const LegendEntry& entry, Point at) {
  const Point left{at.x, at.y}, right{at.x + 20, at.y};
  const Box patch{at.x + 1, at.y - 6, 18, 11};
  switch (entry.swatch) {
    case Swatch::line: canvas.line(line_class(entry.colour), left, right); break;
    case Swatch::floor: canvas.line("floor " + stroke_class(entry.colour), left, right); break;
    case Swatch::band: canvas.box("band " + fill_class(entry.colour), patch); break;
    case Swatch::mark: canvas.mark(fill_class(entry.colour), entry.shape, {at.x + 10, at.y}, 4.5); break;
    case Swatch::box: canvas.box(fill_class(entry.colour), patch); break;
    case Swatch::shade: canvas.box("strip " + fill_class(entry.colour), patch); break;
    case Swatch::hatch:
      canvas.box("nothing", patch);
      canvas.hatch("void", patch);
      break;
    case Swatch::ticks:
      canvas.line("marker solid", {at.x + 10, at.y - 7}, {at.x + 10, at.y - 1});
      canvas.line("marker solid", {at.x + 10, at.y + 1}, {at.x + 10, at.y + 7});
  }
}

void draw_x_ticks(Canvas& canvas, const Frame& frame) {
  const double bottom = frame.box.bottom();
  for (const Tick& tick : frame.x_ticks) {
    const double x = frame.across(tick.value);
    canvas.line("frame", {x, bottom}, {x, bottom + 5});
    if (frame.x_labels) canvas.text("tick", {x, bottom + 19}, tick.text, Anchor::middle);
  }
  if (frame.x_labels)
    canvas.text("axis strong", {frame.box.x + frame.box.width / 2, bottom + 41},
                fitted(axis_title(frame.x, frame.x_ticks), frame.box.width), Anchor::middle);
}

}  // namespace

bool Frame::holds(double x_value, double y_value) const {
  if (std::isnan(x_value) || std::isnan(y_value)) return false;
  return x_value >= x_range.low && x_value <= x_range.high && y_value >= y_range.low && y_value <= y_range.high;
}

std::vector<Tick> horizontal_ticks(const Axis& axis, Range range, double width) {
  for (int most = 16;; --most) {
    std::vector<Tick> ticks = major_ticks(axis, range, most);
    if (most <= 2) return ticks;
    double end = -1e300;
    const bool clear = std::ranges::all_of(ticks, [&](const Tick& tick) {
      const double middle = width * position(axis.scale, range, tick.value), half = text_width(tick.text) / 2;
      const bool free = middle - half >= end + 12;
      end = middle + half;
      return free;
    });
    if (clear) return ticks;
  }
}

std::vector<Tick> vertical_ticks(const Axis& axis, Range range, double height) {
  return major_ticks(axis, range, std::clamp(static_cast<int>(height / 32), 3, 10));
}

double left_margin(std::span<const Tick> y_ticks) {
  double widest = 20;
  for (const Tick& tick : y_ticks) widest = std::max(widest, text_width(tick.text));
  return 46 + widest;
}

void draw_grid(Canvas& canvas, const Frame& frame) {
  const Box& box = frame.box;
  for (const Tick& tick : minor_ticks(frame.x, frame.x_range, frame.x_ticks))
    canvas.line("fine", {frame.across(tick.value), box.y}, {frame.across(tick.value), box.bottom()});
  for (const Tick& tick : minor_ticks(frame.y, frame.y_range, frame.y_ticks))
    canvas.line("fine", {box.x, frame.up(tick.value)}, {box.right(), frame.up(tick.value)});
  for (const Tick& tick : frame.x_ticks) canvas.line("grid", {frame.across(tick.value), box.y}, {frame.across(tick.value), box.bottom()});
  for (const Tick& tick : frame.y_ticks) canvas.line("grid", {box.x, frame.up(tick.value)}, {box.right(), frame.up(tick.value)});
}

void draw_axes(Canvas& canvas, const Frame& frame) {
  const Box& box = frame.box;
  canvas.box("frame", box);
  draw_x_ticks(canvas, frame);
  double widest = 20;
  for (const Tick& tick : frame.y_ticks) {
    const double y = frame.up(tick.value);
    canvas.line("frame", {box.x - 5, y}, {box.x, y});
    canvas.text("tick", {box.x - 9, y + 4}, tick.text, Anchor::end);
    widest = std::max(widest, text_width(tick.text));
  }
  canvas.text_upwards("axis strong", {box.x - widest - 22, box.y + box.height / 2},
                      fitted(axis_title(frame.y, frame.y_ticks), box.height + 40));
}

void draw_value_axis(Canvas& canvas, const Frame& frame) {
  const Box& box = frame.box;
  for (const Tick& tick : frame.x_ticks) canvas.line("grid", {frame.across(tick.value), box.y}, {frame.across(tick.value), box.bottom()});
  canvas.line("frame", {box.x, box.bottom()}, {box.right(), box.bottom()});
  draw_x_ticks(canvas, frame);
}

double legend_height(std::span<const LegendEntry> entries, double width) {
  return entries.empty() ? 0 : legend_places(entries, width).back().y + row_height;
}

void draw_legend(Canvas& canvas, std::span<const LegendEntry> entries, Point at, double width) {
  const std::vector<Point> places = legend_places(entries, width);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Point place{at.x + places[i].x, at.y + places[i].y + row_height / 2};
    draw_swatch(canvas, entries[i], place);
    canvas.text("legend", {place.x + swatch_width, place.y + 4}, fitted(entries[i].name, width - swatch_width));
  }
}

double heading_height(std::string_view title, std::string_view subtitle, double width) {
  const std::size_t lines = wrapped(title, width, 16).size(), under = wrapped(subtitle, width).size();
  return 20 * static_cast<double>(lines) + 17 * static_cast<double>(under) + (lines + under > 0 ? 8 : 0);
}

void draw_heading(Canvas& canvas, std::string_view title, std::string_view subtitle, Point at, double width) {
  double y = at.y;
  for (const std::string& line : wrapped(title, width, 16)) canvas.text("title", {at.x, (y += 20) - 4}, line);
  for (const std::string& line : wrapped(subtitle, width)) canvas.text("soft", {at.x, (y += 17) - 3}, line);
}

std::vector<double> spread(std::span<const double> wanted, double apart, double low, double high) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return wanted[i]; });
  // Neighbours that are too near become one block, centred on the mean of what its members want (pool adjacent violators).
  struct Block { double middle; std::size_t count; };
  std::vector<Block> blocks;
  const auto half = [&](const Block& b) { return 0.5 * apart * static_cast<double>(b.count - 1); };
  const auto kept = [&](Block b) { return Block{std::clamp(b.middle, low + half(b), std::max(low + half(b), high - half(b))), b.count}; };
  for (const std::size_t i : order) {
    blocks.push_back(kept({wanted[i], 1}));
    while (blocks.size() > 1) {
      const Block b = blocks.back(), a = blocks[blocks.size() - 2];
      if (b.middle - half(b) - (a.middle + half(a)) >= apart - 1e-9) break;
      const double n = static_cast<double>(a.count), m = static_cast<double>(b.count);
      blocks.pop_back();
      blocks.back() = kept({(a.middle * n + b.middle * m) / (n + m), a.count + b.count});
    }
  }
  std::vector<double> places(wanted.size());
  std::size_t next = 0;
  for (const Block& b : blocks)
    for (std::size_t k = 0; k < b.count; ++k) places[order[next++]] = b.middle - half(b) + apart * static_cast<double>(k);
  return places;
}

std::vector<std::size_t> thinned(std::span<const Point> points, std::size_t enough) {
  std::vector<std::size_t> kept;
  const auto gap = [&](std::size_t i) { return std::isnan(points[i].x) || std::isnan(points[i].y); };
  for (std::size_t i = 0; i < points.size();) {
    if (points.size() <= enough || gap(i)) {
      kept.push_back(i++);
      continue;
    }
    const double column = std::floor(points[i].x);
    std::size_t end = i, low = i, high = i;
    for (; end < points.size() && !gap(end) && std::floor(points[end].x) == column; ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::vector<std::size_t> run{i, low, high, end - 1};
    std::ranges::sort(run);
    run.erase(std::unique(run.begin(), run.end()), run.end());
    kept.insert(kept.end(), run.begin(), run.end());
    i = end;
  }
  return kept;
}

}  // namespace fareline::plot
