// SPDX-License-Identifier: Apache-2.0
#include "plot/colour.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "units/elementary.h"

namespace fareline::plot {
namespace {

constexpr auto entries = std::to_array<Rgb>({
    {0.267004, 0.004874, 0.329415}, {0.282656, 0.100196, 0.422160}, {0.277134, 0.185228, 0.489898}, {0.253935, 0.265254, 0.529983},
    {0.221989, 0.339161, 0.548752}, {0.190631, 0.407061, 0.556089}, {0.163625, 0.471133, 0.558148}, {0.139147, 0.533812, 0.555298},
    {0.120565, 0.596422, 0.543611}, {0.134692, 0.658636, 0.517649}, {0.208030, 0.718701, 0.472873}, {0.327796, 0.773980, 0.406640},
    {0.477504, 0.821444, 0.318195}, {0.647257, 0.858400, 0.209861}, {0.824940, 0.884720, 0.106217}, {0.993248, 0.906157, 0.143936},
});

double linear_light(double channel) { return channel <= 0.04045 ? channel / 12.92 : power((channel + 0.055) / 1.055, 2.4); }

}  // namespace

Rgb viridis(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * (entries.size() - 1);
  const std::size_t below = std::min(static_cast<std::size_t>(at), entries.size() - 2);
  const double t = at - static_cast<double>(below);
  const Rgb &a = entries[below], &b = entries[below + 1];
  return {a.red + t * (b.red - a.red), a.green + t * (b.green - a.green), a.blue + t * (b.blue - a.blue)};
}

std::string hex(Rgb colour) {
  const auto byte = [](double channel) { return static_cast<int>(std::floor(channel * 255 + 0.5)); };
  return fmt::format("#{:02x}{:02x}{:02x}", byte(colour.red), byte(colour.green), byte(colour.blue));
}

double luminance(Rgb colour) {
  return 0.2126 * linear_light(colour.red) + 0.7152 * linear_light(colour.green) + 0.0722 * linear_light(colour.blue);
}

bool takes_black_text(Rgb colour) {
  const double l = luminance(colour);
  return (l + 0.05) / 0.05 > 1.05 / (l + 0.05);
}

}  // namespace fareline::plot
