// SPDX-License-Identifier: Apache-2.0
// Computed colours: a map from a share to a colour that looks evenly spaced, also to colour-blind readers and in grey.
#pragma once

#include <string>

namespace fareline::plot {

struct Rgb {
  double red = 0, green = 0, blue = 0;  // sRGB, 0 to 1
};

// Returns the colour at `share` (0 dark blue, 1 yellow; cut off beyond), linear between 16 entries of the viridis map.
// Source: matplotlib/matplotlib@88987b9249233575f5af75b129c7a5b32303e8d2:lib/matplotlib/_cm_listed.py, _viridis_data (CC0, by
// N. Smith, S. van der Walt, E. Firing), entries 0, 17, 34 … 255.
Rgb viridis(double share);

// Returns "#rrggbb".
std::string hex(Rgb colour);

// Returns the relative luminance, 0 to 1. Source: W3C, Web Content Accessibility Guidelines 2.2, "relative luminance".
double luminance(Rgb colour);

// Returns whether black text on the colour has the higher contrast, else white. Source: the same, "contrast ratio".
bool takes_black_text(Rgb colour);

}  // namespace fareline::plot
