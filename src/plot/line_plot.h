// SPDX-License-Identifier: Apache-2.0
// A line plot: estimates over their floors, with uncertainty bands, what binds where, marks, and gaps where nothing fits.
#pragma once

#include <string>
#include <vector>

#include "plot/axis.h"
#include "plot/svg.h"

namespace fareline::plot {

enum class Style { estimate, floor, band, points, step, bar };

struct Series {
  std::string name;              // "estimate", "floor", "80% band"
  Style style = Style::estimate;
  Values x, y;                   // for a band y is its low end; NaN in y is a gap
  Values high = {};              // the high end of a band, else empty
  int colour = 0;                // an estimate, its floor and its band share one; see stroke_class
};

// A stretch of the x axis where one thing binds.
struct Regime {
  Value from, to;
  std::string kind;  // "weights", "kv", "flops", "collectives", "launches", "capacity"
};

struct Marker {
  enum class Line { vertical, horizontal } line = Line::vertical;
  Value at;
  std::string text;
};

struct LinePlot {
  std::string title, subtitle = {}, description = {};
  Axis x, y;
  std::vector<Series> series = {};
  std::vector<Regime> regimes = {};
  std::vector<Marker> markers = {};
  std::string gap_text = "does not fit";  // said where no estimate has a value
  double width = 760, height = 440;       // pixels
};

// Returns the picture. Errors: columns of unequal length, a dimension that is not its axis', an infinite value, a value that is
// not positive on a log axis, an empty range, a size below 300 by 200.
Expected<Figure> draw(const LinePlot& plot);

// Plots one above the other over one x axis: x ranges are joined, frames aligned, the x labels stand under the last.
struct StackedPlots {
  std::string title, subtitle = {}, description = {};
  std::vector<LinePlot> plots = {};
};
// Errors: as for each plot; no plot; x axes that differ in dimension or scale.
Expected<Figure> draw(const StackedPlots& stack);

}  // namespace fareline::plot
