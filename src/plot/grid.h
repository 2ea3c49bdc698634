// SPDX-License-Identifier: Apache-2.0
// Small multiples: any pictures, set in rows and columns under one heading.
#pragma once

#include <string>
#include <vector>

#include "plot/svg.h"

namespace fareline::plot {

struct Grid {
  std::string title, subtitle = {}, description = {};  // an empty description is made of those of the pictures
  std::vector<Figure> figures = {};                    // row by row
  std::size_t columns = 1;
};

// Returns the picture; a column is as wide as its widest figure, a row as high as its highest.
// Errors: no column; no figure.
Expected<Figure> draw(const Grid& grid);

// Returns the SVG document of any picture that can be drawn.
template <class Picture>
Expected<std::string> svg(const Picture& picture) {
  const Expected<Figure> figure = draw(picture);
  if (!figure) return std::unexpected(figure.error());
  return document(*figure);
}

}  // namespace fareline::plot
