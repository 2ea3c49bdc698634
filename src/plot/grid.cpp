// SPDX-License-Identifier: Apache-2.0
#include "plot/grid.h"

#include <algorithm>

#include "plot/frame.h"

namespace fareline::plot {

Expected<Figure> draw(const Grid& grid) {
  constexpr double air = 16;
  const std::string where = "grid \"" + grid.title + "\"";
  if (grid.columns == 0) return fail(where, "it has no columns", "give at least one");
  if (grid.figures.empty()) return fail(where, "it has no pictures", "give at least one");
  const std::size_t columns = std::min(grid.columns, grid.figures.size());
  std::vector<double> widths(columns, 0), heights((grid.figures.size() + columns - 1) / columns, 0);
  for (std::size_t i = 0; i < grid.figures.size(); ++i) {
    widths[i % columns] = std::max(widths[i % columns], grid.figures[i].width);
    heights[i / columns] = std::max(heights[i / columns], grid.figures[i].height);
  }
  double width = 0;
  for (const double w : widths) width += w;
  Canvas canvas;
  std::string description = grid.description;
  draw_heading(canvas, grid.title, grid.subtitle, {air, air}, width - 2 * air);
  double y = grid.title.empty() && grid.subtitle.empty() ? 0 : air + heading_height(grid.title, grid.subtitle, width - 2 * air) - 8;
  for (std::size_t row = 0; row < heights.size(); ++row) {
    double x = 0;
    for (std::size_t column = 0; column < columns && row * columns + column < grid.figures.size(); ++column) {
      const Figure& figure = grid.figures[row * columns + column];
      canvas.append({x, y}, figure);
      x += widths[column];
      if (grid.description.empty()) description += (description.empty() ? "" : " ") + figure.title + ": " + figure.description;
    }
    y += heights[row];
  }
  return Figure{width, y, grid.title, description, canvas.take()};
}

}  // namespace fareline::plot
