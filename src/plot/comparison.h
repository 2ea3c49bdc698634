// SPDX-License-Identifier: Apache-2.0
// Predicted against measured: a square with the diagonal, and guides at a fixed relative error on either side of it.
#pragma once

#include <string>
#include <vector>

#include "plot/axis.h"
#include "plot/svg.h"

namespace fareline::plot {

struct Pair {
  Value measured, predicted;
  std::string group, note = {};  // group: its colour and shape; note: shown on hover
};

struct Comparison {
  std::string title, subtitle = {}, description = {};
  std::string measured_label = "Measured", predicted_label = "Predicted";
  Unit unit;                    // of both
  Scale scale = Scale::log10;
  std::vector<Pair> pairs = {};
  double guide = 0.2;           // predicted = measured × (1 ± guide)
  double width = 620;           // pixels
};

// Returns the picture. Errors: a value that is not finite, not in the unit's dimension, or not positive on a log scale; a guide
// that is not between 0 and 1; a width below 300.
Expected<Figure> draw(const Comparison& comparison);

}  // namespace fareline::plot
