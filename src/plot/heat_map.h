// SPDX-License-Identifier: Apache-2.0
// A heat map: one answer over two varied inputs, with the best cell ringed and what is nearly as good outlined.
#pragma once

#include <string>

#include "plot/axis.h"
#include "plot/svg.h"

namespace fareline::plot {

enum class Best { none, lowest, highest };

struct HeatMap {
  std::string title, subtitle = {}, description = {};
  Axis x, y;                        // their ranges follow from the values; a log scale spaces the cells evenly in ratio
  Values x_values, y_values;        // ascending: the middles of the cells
  Axis value;                       // of the colour bar
  Values cells;                     // row by row from the lowest y: cells[row * x_values.size() + column]; NaN does not fit
  Best best = Best::lowest;
  double nearly = 0.05;             // cells within this share of the best are outlined
  bool texts = true;                // a number in each cell where there is room
  std::string gap_text = "does not fit";
  double width = 760, height = 480; // pixels
};

// Returns the picture. Errors: as for a line plot; values that do not ascend; a count of cells that is not rows times columns.
Expected<Figure> draw(const HeatMap& map);

}  // namespace fareline::plot
