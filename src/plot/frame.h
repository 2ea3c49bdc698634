// SPDX-License-Identifier: Apache-2.0
// What pictures share: a heading, a frame with two axes, a legend.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plot/axis.h"
#include "plot/svg.h"

namespace fareline::plot {

struct Margins {
  double left = 0, right = 0, top = 0, bottom = 0;  // pixels
};

// Two axes laid over a box.
struct Frame {
  Box box;
  Axis x, y;
  Range x_range, y_range;
  std::vector<Tick> x_ticks, y_ticks;
  bool x_labels = true;  // false where the picture below carries them

  double across(double value) const { return box.x + box.width * position(x.scale, x_range, value); }
  double up(double value) const { return box.bottom() - box.height * position(y.scale, y_range, value); }
  Point at(double x_value, double y_value) const { return {across(x_value), up(y_value)}; }
  bool holds(double x_value, double y_value) const;
};

// Returns as many ticks as fit below a box of this width without touching one another.
std::vector<Tick> horizontal_ticks(const Axis& axis, Range range, double width);
// Returns as many ticks as fit beside a box of this height, one for every 40 pixels at most.
std::vector<Tick> vertical_ticks(const Axis& axis, Range range, double height);
// Returns the pixels left of a frame: the ticks' texts, the turned title, and air.
double left_margin(std::span<const Tick> y_ticks);
inline constexpr double bottom_margin = 52;  // tick texts and the axis title

void draw_grid(Canvas& canvas, const Frame& frame);
void draw_axes(Canvas& canvas, const Frame& frame);
// The value axis alone, for bars whose other axis is names: grid lines, ticks below, title.
void draw_value_axis(Canvas& canvas, const Frame& frame);

enum class Swatch { line, floor, band, mark, box, shade, hatch, ticks };
struct LegendEntry {
  std::string name;
  Swatch swatch = Swatch::line;
  int colour = 0, shape = 0;
};

// Returns the height of a legend broken into rows of at most `width` pixels; draws it with its top left at `at`.
double legend_height(std::span<const LegendEntry> entries, double width);
void draw_legend(Canvas& canvas, std::span<const LegendEntry> entries, Point at, double width);

// Returns the height of title and subtitle; draws them from `at` down. Long ones are broken into lines.
double heading_height(std::string_view title, std::string_view subtitle, double width);
void draw_heading(Canvas& canvas, std::string_view title, std::string_view subtitle, Point at, double width);

// Returns positions as near to `wanted` as a distance of `apart` between neighbours allows, within [low, high], in the order
// of `wanted`. Assumes: they fit, wanted.size() * apart <= high - low + apart.
std::vector<double> spread(std::span<const double> wanted, double apart, double low, double high);

// Returns the indices of the points to draw so that the picture is the same in every pixel column: the first, the lowest, the
// highest and the last of each run of points within one column. All of them up to `enough`; a gap (NaN) ends a run and is kept.
std::vector<std::size_t> thinned(std::span<const Point> points, std::size_t enough = 4000);

}  // namespace fareline::plot
