// SPDX-License-Identifier: Apache-2.0
#include "plot/bars.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "plot/frame.h"
#include "units/text.h"

namespace fareline::plot {
namespace {

constexpr double air = 16, row_pitch = 28, bar_height = 19;

// The frame of a chart whose rows are names: names at the left, values along x, texts at the right.
struct RowChart {
  Canvas canvas;
  Frame frame;
  double width = 0;
  std::string title, description;

  double middle(std::size_t row) const { return frame.box.y + row_pitch * (static_cast<double>(row) + 0.5); }
  Box bar(std::size_t row, double from, double to) const {
    const double a = frame.across(from), b = frame.across(to);
    return {std::min(a, b), middle(row) - bar_height / 2, std::fabs(b - a), bar_height};
  }
  Figure finished() {
    return {width, frame.box.bottom() + bottom_margin + air, std::move(title), std::move(description), canvas.take()};
  }
};

struct Sheet {
  std::string_view title, subtitle, description;
  const Axis& value;
  double width;
};

Expected<void> check(const Sheet& sheet, bool from_zero) {
  const auto where = fmt::format("chart \"{}\"", sheet.title);
  if (!(sheet.width >= 300 && sheet.width <= 10000)) return fail(where, "its width is out of bounds", "take 300 to 10,000 pixels");
  if (from_zero && sheet.value.scale != Scale::linear)
    return fail(where, "bars start at zero, which a log axis has not", "use a linear scale");
  return {};
}

Expected<void> check_parts(const Sheet& sheet, const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    const auto where = fmt::format("chart \"{}\": part \"{}\"", sheet.title, part.name);
    if (const auto fit = fits(sheet.value, part.amount, where); !fit) return fit;
    if (part.amount.coherent < 0) return fail(where, "it is negative", "give zero or more");
  }
  return {};
}

// Settles the frame, draws heading, legend, grid and row names. `right` pixels are left free beside the frame.
Expected<RowChart> laid_out(const Sheet& sheet, std::span<const std::string> names, std::span<const double> values,
                            std::span<const LegendEntry> legend, double right, Ends ends) {
  const auto range = resolved_range(sheet.value, values, ends);
  if (!range) return std::unexpected(range.error());
  RowChart chart;
  chart.width = sheet.width;
  chart.title = sheet.title;
  chart.description = sheet.description;
  const double inner = sheet.width - 2 * air;
  const double head = heading_height(sheet.title, sheet.subtitle, inner), legend_space = legend_height(legend, inner);
  draw_heading(chart.canvas, sheet.title, sheet.subtitle, {air, air}, inner);
  draw_legend(chart.canvas, legend, {air, air + head}, inner);
  double left = 40;
  for (const std::string& name : names) left = std::max(left, text_width(name));
  left = air + std::min(left, 0.34 * sheet.width) + 10;
  const double top = air + head + legend_space + 6;
  Frame& frame = chart.frame;
  frame.box = {left, top, sheet.width - left - air - std::max(right, 24.0),
               row_pitch * static_cast<double>(std::max<std::size_t>(1, names.size()))};
  frame.x = sheet.value;
  frame.x_range = *range;
  frame.x_ticks = horizontal_ticks(sheet.value, *range, frame.box.width);
  draw_value_axis(chart.canvas, frame);
  for (std::size_t row = 0; row < names.size(); ++row)
    chart.canvas.text("row", {left - 10, chart.middle(row) + 4}, fitted(names[row], left - air - 10), Anchor::end);
  if (names.empty()) chart.canvas.text("soft", {left + frame.box.width / 2, chart.middle(0) + 4}, "no data", Anchor::middle);
  return chart;
}

// The kinds of parts in order of appearance, with their colours, as a legend.
std::vector<LegendEntry> kinds_of(std::span<const Part* const> parts) {
  std::vector<std::string> kinds;
  for (const Part* part : parts)
    if (std::ranges::count(kinds, part->kind) == 0) kinds.push_back(part->kind);
  const std::vector<int> colours = kind_colours(kinds);
  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < kinds.size(); ++i) legend.push_back({kinds[i], Swatch::shade, colours[i], 0});
  for (LegendEntry& entry : legend) entry.swatch = Swatch::box;
  return legend;
}

int colour_of(std::span<const LegendEntry> legend, const std::string& kind) {
  const auto found = std::ranges::find(legend, kind, &LegendEntry::name);
  FARELINE_CHECK(found != legend.end());
  return found->colour;
}

std::string share_text(double part, double whole) { return whole > 0 ? number_text(100 * part / whole, 2) + "%" : "–"; }

}  // namespace

Expected<Figure> draw(const StackedBars& bars) {
  const Sheet sheet{bars.title, bars.subtitle, bars.description, bars.value, bars.width};
  if (const auto checked = check(sheet, true); !checked) return std::unexpected(checked.error());
  std::vector<std::string> names, totals;
  std::vector<double> ends{0};
  std::vector<const Part*> parts;
  double right = 0;
  bool floors = false;
  for (const BarRow& row : bars.rows) {
    if (const auto checked = check_parts(sheet, row.parts); !checked) return std::unexpected(checked.error());
    double total = 0;
    for (const Part& part : row.parts) {
      total += part.amount.coherent;
      parts.push_back(&part);
    }
    if (row.floor) {
      if (const auto fit = fits(bars.value, *row.floor, fmt::format("chart \"{}\": floor of \"{}\"", bars.title, row.name)); !fit)
        return std::unexpected(fit.error());
      ends.push_back(row.floor->coherent);
      floors = true;
    }
    ends.push_back(total);
    names.push_back(row.name);
    totals.push_back(value_text(bars.value.unit, total));
    right = std::max(right, text_width(totals.back()) + 12);
  }
  std::vector<LegendEntry> legend = kinds_of(parts);
  const std::size_t kinds = legend.size();
  if (floors) legend.push_back({"floor", Swatch::ticks, 0, 0});
  auto chart = laid_out(sheet, names, ends, legend, right, Ends::tight);
  if (!chart) return std::unexpected(chart.error());
  for (std::size_t i = 0; i < bars.rows.size(); ++i) {
    double from = 0;
    for (const Part& part : bars.rows[i].parts) {
      const double to = from + part.amount.coherent;
      const Box box = chart->bar(i, from, to);
      const int colour = colour_of(std::span(legend).first(kinds), part.kind);
      const std::string note = fmt::format("{} ({}): {}", part.name, part.kind, value_text(bars.value.unit, part.amount.coherent));
      chart->canvas.box_with_note("series open edge " + fill_class(colour), box, note);
      if (text_width(part.name, 11) + 8 <= box.width)
        chart->canvas.text("small inbar", {box.x + box.width / 2, chart->middle(i) + 4}, part.name, Anchor::middle);
      from = to;
    }
    chart->canvas.text("strong halo", {chart->frame.across(from) + 8, chart->middle(i) + 4}, totals[i]);
    if (bars.rows[i].floor) {
      const double x = chart->frame.across(bars.rows[i].floor->coherent), y = chart->middle(i);
      for (const double side : {-1.0, 1.0})
        chart->canvas.line("floor-mark marker solid", {x, y + side * (bar_height / 2 + 4)}, {x, y + side * (bar_height / 2 - 3)});
    }
  }
  if (chart->description.empty()) {
    chart->description = fmt::format("{} by part.", axis_title(bars.value, {}));
    for (std::size_t i = 0; i < names.size(); ++i) chart->description += fmt::format(" {}: {}.", names[i], totals[i]);
  }
  return chart->finished();
}

Expected<Figure> draw(const Waterfall& waterfall) {
  const Sheet sheet{waterfall.title, waterfall.subtitle, waterfall.description, waterfall.value, waterfall.width};
  if (const auto checked = check(sheet, true); !checked) return std::unexpected(checked.error());
  if (const auto checked = check_parts(sheet, waterfall.parts); !checked) return std::unexpected(checked.error());
  std::vector<std::string> names, texts;
  std::vector<const Part*> parts;
  double total = 0, right = 0;
  for (const Part& part : waterfall.parts) {
    names.push_back(part.name);
    parts.push_back(&part);
    total += part.amount.coherent;
  }
  if (!parts.empty()) names.push_back(waterfall.total_name);
  for (const Part& part : waterfall.parts)
    texts.push_back(
        fmt::format("{} · {}", value_text(waterfall.value.unit, part.amount.coherent), share_text(part.amount.coherent, total)));
  texts.push_back(value_text(waterfall.value.unit, total));
  for (const std::string& text : texts) right = std::max(right, text_width(text) + 12);
  const std::vector<LegendEntry> legend = kinds_of(parts);
  auto chart = laid_out(sheet, names, std::vector<double>{0, total}, legend, right, Ends::tight);
  if (!chart) return std::unexpected(chart.error());
  double from = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double to = from + parts[i]->amount.coherent;
    Box box = chart->bar(i, from, to);
    // A part too small to see is still one pixel wide.
    box.width = std::max(box.width, 1.0);
    chart->canvas.box_with_note("series " + fill_class(colour_of(legend, parts[i]->kind)), box,
                                fmt::format("{} ({}): {}", parts[i]->name, parts[i]->kind, texts[i]));
    const double x = chart->frame.across(to);
    chart->canvas.line("guide frame", {x, box.bottom()}, {x, box.bottom() + row_pitch - bar_height});
    chart->canvas.text("halo", {chart->frame.across(to) + 8, chart->middle(i) + 4}, texts[i]);
    from = to;
  }
  if (!parts.empty()) {
    chart->canvas.box("series " + fill_class(6), chart->bar(parts.size(), 0, total));
    chart->canvas.text("strong halo", {chart->frame.across(total) + 8, chart->middle(parts.size()) + 4}, texts.back());
  }
  if (chart->description.empty()) {
    chart->description = fmt::format("{} by part, {} in all.", axis_title(waterfall.value, {}), texts.back());
    for (std::size_t i = 0; i < parts.size(); ++i) chart->description += fmt::format(" {}: {}.", parts[i]->name, texts[i]);
  }
  return chart->finished();
}

Expected<Figure> draw(const GroupBars& bars) {
  const Sheet sheet{bars.title, bars.subtitle, bars.description, bars.value, bars.width};
  if (const auto checked = check(sheet, true); !checked) return std::unexpected(checked.error());
  std::vector<std::string> names, texts;
  std::vector<double> values{0};
  double right = 0;
  for (const GroupBar& group : bars.groups) {
    const auto where = fmt::format("chart \"{}\": group \"{}\"", bars.title, group.name);
    std::vector<Value> all{group.value};
    if (group.low) all.push_back(*group.low);
    if (group.high) all.push_back(*group.high);
    for (const Value value : all) {
      if (const auto fit = fits(bars.value, value, where); !fit) return std::unexpected(fit.error());
      values.push_back(value.coherent);
    }
    if (group.low.has_value() != group.high.has_value()) return fail(where, "its spread has one end", "give both ends or none");
    if (group.low && group.low->coherent > group.high->coherent)
      return fail(where, "the low end of its spread is above the high one", "swap them");
    names.push_back(group.name);
    texts.push_back(value_text(bars.value.unit, group.value.coherent) + (group.cases > 0 ? fmt::format(" · n = {}", group.cases) : ""));
    right = std::max(right, text_width(texts.back()) + 16);
  }
  auto chart = laid_out(sheet, names, values, {}, right, Ends::round);
  if (!chart) return std::unexpected(chart.error());
  for (std::size_t i = 0; i < bars.groups.size(); ++i) {
    const GroupBar& group = bars.groups[i];
    const double y = chart->middle(i);
    chart->canvas.box_with_note("series open " + fill_class(group.value.coherent < 0 ? 1 : 0), chart->bar(i, 0, group.value.coherent),
                                fmt::format("{}: {}", group.name, texts[i]));
    if (group.low) {
      const double a = chart->frame.across(group.low->coherent), b = chart->frame.across(group.high->coherent);
      chart->canvas.line("whisker hollow frame", {a, y}, {b, y});
      for (const double x : {a, b}) chart->canvas.line("whisker hollow frame", {x, y - 5}, {x, y + 5});
    }
    chart->canvas.text("amount", {chart->frame.box.right() + 16, y + 4}, texts[i]);
  }
  const double zero = chart->frame.across(0);
  chart->canvas.line("hollow frame", {zero, chart->frame.box.y}, {zero, chart->frame.box.bottom()});
  if (chart->description.empty()) {
    chart->description = fmt::format("{} by group.", axis_title(bars.value, {}));
    for (std::size_t i = 0; i < names.size(); ++i) chart->description += fmt::format(" {}: {}.", names[i], texts[i]);
  }
  return chart->finished();
}

Expected<Figure> draw(const Tornado& tornado) {
  const Sheet sheet{tornado.title, tornado.subtitle, tornado.description, tornado.value, tornado.width};
  if (const auto checked = check(sheet, false); !checked) return std::unexpected(checked.error());
  const auto where = fmt::format("chart \"{}\"", tornado.title);
  if (const auto fit = fits(tornado.value, tornado.base, where + ": base"); !fit) return std::unexpected(fit.error());
  std::vector<const Swing*> swings;
  std::vector<double> values{tornado.base.coherent};
  double ends = 0;
  for (const Swing& swing : tornado.swings) {
    for (const Value value : {swing.at_low, swing.at_high}) {
      if (const auto fit = fits(tornado.value, value, fmt::format("{}: input \"{}\"", where, swing.input)); !fit)
        return std::unexpected(fit.error());
      values.push_back(value.coherent);
    }
    swings.push_back(&swing);
    ends = std::max({ends, text_width(swing.low_text, 11), text_width(swing.high_text, 11)});
  }
  const auto span = [&](const Swing* s) {
    if (tornado.value.scale == Scale::linear) return std::fabs(s->at_high.coherent - s->at_low.coherent);
    return std::max(s->at_high.coherent, s->at_low.coherent) / std::min(s->at_high.coherent, s->at_low.coherent);
  };
  std::ranges::stable_sort(swings, std::greater<>{}, span);
  std::vector<std::string> names;
  for (const Swing* swing : swings) names.push_back(swing->input);
  const std::vector<LegendEntry> legend{{"input at its low end", Swatch::box, 0, 0}, {"input at its high end", Swatch::box, 4, 0}};
  // Room for the ends' texts on both sides of the widest bar.
  const auto found = resolved_range(tornado.value, values, Ends::tight);
  if (!found) return std::unexpected(found.error());
  Axis axis = tornado.value;
  const double room = std::min(0.3, (ends + 12) / (0.55 * tornado.width));
  if (!axis.range && axis.scale == Scale::linear) {
    const double more = (found->high - found->low) * room;
    axis.range = Range{found->low - more, found->high + more};
  }
  auto chart = laid_out({tornado.title, tornado.subtitle, tornado.description, axis, tornado.width}, names, values, legend, 0, Ends::tight);
  if (!chart) return std::unexpected(chart.error());
  const double base = chart->frame.across(tornado.base.coherent);
  for (std::size_t i = 0; i < swings.size(); ++i) {
    const Swing& swing = *swings[i];
    const double y = chart->middle(i) + 4;
    const bool both_sides = (swing.at_low.coherent - tornado.base.coherent) * (swing.at_high.coherent - tornado.base.coherent) <= 0;
    for (const bool low : {true, false}) {
      const double at = (low ? swing.at_low : swing.at_high).coherent, other = (low ? swing.at_high : swing.at_low).coherent;
      const std::string& text = low ? swing.low_text : swing.high_text;
      Box box = chart->bar(i, tornado.base.coherent, at);
      // Where both ends move the answer the same way, the nearer one is drawn as the lower half of the bar.
      if (!both_sides) box = {box.x, low ? box.y : box.y + bar_height / 2, box.width, bar_height / 2};
      chart->canvas.box_with_note("series open " + fill_class(low ? 0 : 4), box,
                                  fmt::format("{} at {}: {}", swing.input, text, value_text(tornado.value.unit, at)));
      const bool inner = !both_sides && std::fabs(at - tornado.base.coherent) < std::fabs(other - tornado.base.coherent);
      if (inner) continue;
      const bool left = at < tornado.base.coherent || (at == tornado.base.coherent && other > at);
      const std::string said = both_sides ? text : swing.low_text + " … " + swing.high_text;
      chart->canvas.text("small halo", {left ? box.x - 5 : box.right() + 5, y}, said, left ? Anchor::end : Anchor::start);
    }
  }
  chart->canvas.line("marker", {base, chart->frame.box.y - 2}, {base, chart->frame.box.bottom()});
  if (chart->description.empty())
    chart->description = fmt::format("{} is {}; what it becomes as each input goes to its ends, the widest first.",
                                     axis_title(tornado.value, {}), value_text(tornado.value.unit, tornado.base.coherent));
  return chart->finished();
}

}  // namespace fareline::plot
