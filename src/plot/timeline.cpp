// SPDX-License-Identifier: Apache-2.0
#include "plot/timeline.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "plot/frame.h"

namespace fareline::plot {
namespace {

constexpr double air = 16, row_pitch = 26;

Expected<void> check(const Timeline& timeline) {
  const auto where = fmt::format("timeline \"{}\"", timeline.title);
  if (!(timeline.width >= 300 && timeline.width <= 10000)) return fail(where, "its width is out of bounds", "take 300 to 10,000 pixels");
  if (timeline.time.scale != Scale::linear) return fail(where, "its time is on a log axis", "use a linear scale");
  std::vector<std::size_t> order(timeline.slots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto& slots = timeline.slots;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto place = fmt::format("{}: slot {} (\"{}\")", where, i + 1, slots[i].text);
    if (slots[i].row >= timeline.rows.size())
      return fail(place, fmt::format("it is in row {} of {}", slots[i].row + 1, timeline.rows.size()), "name every row");
    for (const Value value : {slots[i].start, slots[i].end})
      if (const auto fit = fits(timeline.time, value, place); !fit) return fit;
    if (!(slots[i].start.coherent <= slots[i].end.coherent)) return fail(place, "it ends before it starts", "swap the two");
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return std::pair(slots[i].row, slots[i].start.coherent); });
  for (std::size_t k = 1; k < order.size(); ++k) {
    const Slot &before = slots[order[k - 1]], &after = slots[order[k]];
    const double slack = 1e-9 * std::fabs(before.end.coherent);
    if (before.row == after.row && after.start.coherent < before.end.coherent - slack)
      return fail(fmt::format("{}: row \"{}\"", where, timeline.rows[before.row]),
                  fmt::format("\"{}\" and \"{}\" overlap", before.text, after.text), "one row does one thing at a time: use another row");
  }
  return {};
}

}  // namespace

Expected<Figure> draw(const Timeline& timeline) {
  if (const auto checked = check(timeline); !checked) return std::unexpected(checked.error());
  std::vector<double> ends;
  std::vector<std::string> kinds;
  for (const Slot& slot : timeline.slots) {
    ends.insert(ends.end(), {slot.start.coherent, slot.end.coherent});
    if (std::ranges::count(kinds, slot.kind) == 0) kinds.push_back(slot.kind);
  }
  const auto range = resolved_range(timeline.time, ends, Ends::tight);
  if (!range) return std::unexpected(range.error());
  const std::vector<int> colours = kind_colours(kinds);
  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < kinds.size(); ++i) legend.push_back({kinds[i], Swatch::box, colours[i], 0});

  Canvas canvas;
  const double inner = timeline.width - 2 * air;
  const double head = heading_height(timeline.title, timeline.subtitle, inner), legend_space = legend_height(legend, inner);
  draw_heading(canvas, timeline.title, timeline.subtitle, {air, air}, inner);
  draw_legend(canvas, legend, {air, air + head}, inner);
  double left = 30;
  for (const std::string& row : timeline.rows) left = std::max(left, text_width(row));
  left = air + std::min(left, 0.3 * timeline.width) + 10;
  Frame frame{.box = {left, air + head + legend_space + 6, timeline.width - left - air - 24,
                      row_pitch * static_cast<double>(std::max<std::size_t>(1, timeline.rows.size()))},
              .x = timeline.time,
              .y = {},
              .x_range = *range,
              .y_range = {},
              .x_ticks = {},
              .y_ticks = {}};
  frame.x_ticks = horizontal_ticks(timeline.time, *range, frame.box.width);
  draw_value_axis(canvas, frame);
  for (std::size_t row = 0; row < timeline.rows.size(); ++row) {
    const double y = frame.box.y + row_pitch * static_cast<double>(row);
    canvas.line("fine", {frame.box.x, y}, {frame.box.right(), y});
    canvas.text("row", {left - 10, y + row_pitch / 2 + 4}, fitted(timeline.rows[row], left - air - 10), Anchor::end);
  }
  canvas.begin_clip({frame.box.x - 1, frame.box.y, frame.box.width + 2, frame.box.height});
  for (const Slot& slot : timeline.slots) {
    const double from = frame.across(slot.start.coherent), to = frame.across(slot.end.coherent);
    const Box box{from, frame.box.y + row_pitch * static_cast<double>(slot.row) + 3, std::max(to - from, 0.5), row_pitch - 6};
    const int colour = colours[static_cast<std::size_t>(std::ranges::find(kinds, slot.kind) - kinds.begin())];
    canvas.box_with_note(
        "series open edge " + fill_class(colour), box,
        fmt::format("{}, {} {}: {} to {}", timeline.rows[slot.row], slot.kind, slot.text,
                    value_text(timeline.time.unit, slot.start.coherent, 4), value_text(timeline.time.unit, slot.end.coherent, 4)));
    if (!slot.text.empty() && text_width(slot.text, 11) + 4 <= box.width)
      canvas.text("small inbar", {box.x + box.width / 2, box.y + box.height / 2 + 4}, slot.text, Anchor::middle);
  }
  canvas.end_clip();
  if (timeline.slots.empty()) canvas.text("soft", {left + frame.box.width / 2, frame.box.y + 17}, "no data", Anchor::middle);
  std::string description = timeline.description;
  if (description.empty()) {
    description =
        fmt::format("{} rows against {}, {} pieces of work:", timeline.rows.size(), axis_title(timeline.time, {}), timeline.slots.size());
    for (const std::string& kind : kinds) description += " " + kind;
    description += ".";
  }
  return Figure{timeline.width, frame.box.bottom() + bottom_margin + air, timeline.title, description, canvas.take()};
}

}  // namespace fareline::plot
