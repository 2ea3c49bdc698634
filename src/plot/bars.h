// SPDX-License-Identifier: Apache-2.0
// Horizontal bars: where the time goes (stacked, waterfall), how far off by group, what an input moves (tornado).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plot/axis.h"
#include "plot/svg.h"

namespace fareline::plot {

struct Part {
  std::string name;  // "attention scores"
  Value amount;      // zero or more
  std::string kind;  // what it is coloured by: "weights", "kv", "flops", "collectives", "launches"
};

struct BarRow {
  std::string name;
  std::vector<Part> parts;
  std::optional<Value> floor = {};  // a mark across the bar
};

// Rows of parts set end to end, with the total behind them.
struct StackedBars {
  std::string title, subtitle = {}, description = {};
  Axis value;  // linear
  std::vector<BarRow> rows = {};
  double width = 760;  // pixels; the height follows from the rows
};

// One row a part, each starting where the one before it ended, and the total last, with everyone's share of it.
struct Waterfall {
  std::string title, subtitle = {}, description = {};
  Axis value;  // linear
  std::vector<Part> parts = {};
  std::string total_name = "total";
  double width = 760;
};

// A bar a group from zero, with its spread as a whisker and the number of cases behind it.
struct GroupBar {
  std::string name;
  Value value;                                  // e.g. the median signed error
  std::optional<Value> low = {}, high = {};     // e.g. the 10th and the 90th percentile
  std::int64_t cases = 0;
};
struct GroupBars {
  std::string title, subtitle = {}, description = {};
  Axis value;  // linear
  std::vector<GroupBar> groups = {};
  double width = 760;
};

// What the answer becomes when one input goes to its low and to its high end, the widest on top.
struct Swing {
  std::string input, low_text, high_text;  // "HBM bandwidth", "2.7 TB/s", "4.0 TB/s"
  Value at_low, at_high;                   // the answer there
};
struct Tornado {
  std::string title, subtitle = {}, description = {};
  Axis value;
  Value base;  // the answer with every input as it is
  std::vector<Swing> swings = {};
  double width = 760;
};

// Each returns the picture. Errors: an amount that is not finite, not in the dimension of the axis, or (a part) negative; a log
// axis where bars start at zero; a width below 300 pixels.
Expected<Figure> draw(const StackedBars& bars);
Expected<Figure> draw(const Waterfall& waterfall);
Expected<Figure> draw(const GroupBars& bars);
Expected<Figure> draw(const Tornado& tornado);

}  // namespace fareline::plot
