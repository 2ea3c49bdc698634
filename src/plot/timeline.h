// SPDX-License-Identifier: Apache-2.0
// Who does what when: rows (a rack, a stage, a chip) against time, a coloured cell for each piece of work. Pipeline diagrams.
#pragma once

#include <string>
#include <vector>

#include "plot/axis.h"
#include "plot/svg.h"

namespace fareline::plot {

struct Slot {
  std::size_t row = 0;
  Value start, end;
  std::string text = {};  // "3": the micro-batch
  std::string kind;       // what it is coloured by: "forward", "backward"
};

struct Timeline {
  std::string title, subtitle = {}, description = {};
  Axis time;                           // linear
  std::vector<std::string> rows = {};  // from the top
  std::vector<Slot> slots = {};
  double width = 760;                  // pixels; the height follows from the rows
};

// Returns the picture; time in which a row has no slot stays blank. Errors: a slot in a row that is not there, that ends before it
// starts, that overlaps another of its row, or whose time is not in the dimension of the axis; a log axis; a width below 300.
Expected<Figure> draw(const Timeline& timeline);

}  // namespace fareline::plot
