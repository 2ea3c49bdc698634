// SPDX-License-Identifier: Apache-2.0
#include "plot/comparison.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "plot/frame.h"

namespace fareline::plot {
namespace {

constexpr double air = 16;

std::string signed_share(double share) { return (share < 0 ? "−" : "+") + value_text(per_cent(), std::fabs(share), 2); }

// The line predicted = measured × factor.
void draw_guide(Canvas& canvas, const Frame& frame, double factor, std::string_view style) {
  const Range& range = frame.x_range;
  canvas.line(style, frame.at(range.low, range.low * factor), frame.at(range.high, range.high * factor));
}

}  // namespace

Expected<Figure> draw(const Comparison& c) {
  const auto where = fmt::format("plot \"{}\"", c.title);
  if (!(c.width >= 300 && c.width <= 10000)) return fail(where, "its width is out of bounds", "take 300 to 10,000 pixels");
  if (!(c.guide > 0 && c.guide < 1)) return fail(where, "its guide is not between 0 and 1", "give a relative error, e.g. 0.2");
  Axis x{.label = c.measured_label, .unit = c.unit, .scale = c.scale, .range = {}, .from_zero = c.scale == Scale::linear};
  Axis y = x;
  y.label = c.predicted_label;
  std::vector<double> values;
  std::vector<std::string> groups;
  std::size_t close = 0;
  for (const Pair& pair : c.pairs) {
    for (const Value value : {pair.measured, pair.predicted}) {
      if (const auto fit = fits(x, value, fmt::format("{}: a pair of \"{}\"", where, pair.group)); !fit)
        return std::unexpected(fit.error());
      values.push_back(value.coherent);
    }
    if (std::ranges::count(groups, pair.group) == 0) groups.push_back(pair.group);
    if (std::fabs(pair.predicted.coherent - pair.measured.coherent) <= c.guide * std::fabs(pair.measured.coherent)) ++close;
  }
  const auto range = resolved_range(x, values);
  if (!range) return std::unexpected(range.error());

  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    // Colours repeat after seven and shapes after six, so that groups differ in one of them up to 42.
    const int k = static_cast<int>(i);
    legend.push_back({groups[i], Swatch::mark, k, k});
  }
  std::string subtitle = c.subtitle;
  if (!c.pairs.empty())
    subtitle +=
        fmt::format("{}{} of {} within ±{}", subtitle.empty() ? "" : "; ", close, c.pairs.size(), value_text(per_cent(), c.guide, 2));

  Canvas canvas;
  Frame frame{
      .box = {}, .x = x, .y = y, .x_range = *range, .y_range = *range, .x_ticks = {}, .y_ticks = vertical_ticks(y, *range, 0.75 * c.width)};
  const double left = left_margin(frame.y_ticks), side = c.width - left - air - 40;
  const double head = heading_height(c.title, subtitle, c.width - 2 * air), legend_space = legend_height(legend, c.width - left - air);
  frame.box = {left, air + head + legend_space + 18, side, side};
  frame.x_ticks = horizontal_ticks(x, *range, side);
  // One axis, one set of ticks, so that the grid is square.
  if (frame.x_ticks.size() < frame.y_ticks.size()) frame.y_ticks = frame.x_ticks;
  else frame.x_ticks = frame.y_ticks;
  draw_heading(canvas, c.title, subtitle, {air, air}, c.width - 2 * air);
  draw_legend(canvas, legend, {left, air + head}, c.width - left - air);

  canvas.begin_clip(frame.box);
  const double low = range->low, high = range->high;
  const std::vector<Point> corridor{frame.at(low, low * (1 - c.guide)), frame.at(high, high * (1 - c.guide)),
                                    frame.at(high, high * (1 + c.guide)), frame.at(low, low * (1 + c.guide))};
  canvas.polygon("shade " + fill_class(6), corridor);
  canvas.end_clip();
  draw_grid(canvas, frame);
  canvas.begin_clip(frame.box);
  draw_guide(canvas, frame, 1, "diagonal hollow frame");
  for (const double factor : {1 - c.guide, 1 + c.guide}) draw_guide(canvas, frame, factor, "guide frame");
  canvas.end_clip();
  draw_axes(canvas, frame);
  // The upper guide leaves through the top, the lower one through the right side.
  const auto share_across = [&](double v) { return frame.box.x + side * position(c.scale, *range, v); };
  canvas.text("small soft", {share_across(high / (1 + c.guide)), frame.box.y - 5}, signed_share(c.guide), Anchor::middle);
  canvas.text("small soft", {frame.box.right() + 5, frame.up(high * (1 - c.guide)) + 4}, signed_share(-c.guide));
  for (const Pair& pair : c.pairs) {
    const int k = static_cast<int>(std::ranges::find(groups, pair.group) - groups.begin());
    const std::string note = fmt::format("{}{}{}: measured {}, predicted {}", pair.group, pair.note.empty() ? "" : ", ", pair.note,
                                         value_text(c.unit, pair.measured.coherent), value_text(c.unit, pair.predicted.coherent));
    canvas.mark("series open edge " + fill_class(k), k, frame.at(pair.measured.coherent, pair.predicted.coherent), 4, note);
  }
  if (c.pairs.empty()) canvas.text("soft halo", {left + side / 2, frame.box.y + side / 2}, "no data", Anchor::middle);
  std::string description = c.description;
  if (description.empty())
    description = fmt::format("{} against {}: {} pairs in {} groups, {} of them within ±{}.", axis_title(y, {}), axis_title(x, {}),
                              c.pairs.size(), groups.size(), close, value_text(per_cent(), c.guide, 2));
  return Figure{c.width, frame.box.bottom() + bottom_margin + air, c.title, description, canvas.take()};
}

}  // namespace fareline::plot
