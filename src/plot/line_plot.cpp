// SPDX-License-Identifier: Apache-2.0
#include "plot/line_plot.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "plot/frame.h"

namespace fareline::plot {
namespace {

constexpr double air = 16, strip_height = 18, label_height = 15;

// A regime cut to the range of x, coherent, with its colour.
struct Stretch {
  double from = 0, to = 0;
  std::string kind;
  int colour = 0;
};

// A plot whose ranges, labels and legend are settled, so that several can agree on their margins before any is drawn.
struct Settled {
  const LinePlot* plot = nullptr;
  Range x_range, y_range;
  std::vector<Tick> y_ticks;
  std::vector<std::size_t> end_labels;  // series named at the end of their line
  std::vector<LegendEntry> legend;
  std::vector<Stretch> regimes;         // neighbours of one kind joined, cut to the range
  bool strip = false;                   // regimes are named above the frame
  double left = 0, right = 0;
};

Expected<void> check(const LinePlot& plot) {
  const auto where = fmt::format("plot \"{}\"", plot.title);
  if (!(plot.width >= 300 && plot.height >= 200 && plot.width <= 10000 && plot.height <= 10000))
    return fail(where, "its size is out of bounds", "take 300 to 10,000 pixels across and 200 to 10,000 down");
  for (const Series& s : plot.series) {
    const auto column = [&](const Values& values, const Axis& axis, std::size_t size, std::string_view name) -> Expected<void> {
      if (values.size() != size)
        return fail(fmt::format("{}: series \"{}\"", where, s.name),
                    fmt::format("{} has {} values and x has {}", name, values.size(), size), "give as many of each");
      if (values.dim != axis.unit.dim)
        return fail(fmt::format("{}: series \"{}\"", where, s.name),
                    fmt::format("{} is not in the dimension of its axis, {}", name, axis.unit.name), "give both the same dimension");
      return {};
    };
    for (const auto& checked : {column(s.x, plot.x, s.x.size(), "x"), column(s.y, plot.y, s.x.size(), "y"),
                                s.style == Style::band ? column(s.high, plot.y, s.x.size(), "high") : Expected<void>{}})
      if (!checked) return checked;
    for (const double x : s.x.coherent)
      if (std::isnan(x)) return fail(fmt::format("{}: series \"{}\"", where, s.name), "an x is missing", "a gap is a NaN in y, at an x");
  }
  for (const Marker& m : plot.markers) {
    const Axis& axis = m.line == Marker::Line::vertical ? plot.x : plot.y;
    if (const auto fit = fits(axis, m.at, fmt::format("{}: marker \"{}\"", where, m.text)); !fit) return fit;
  }
  for (const Regime& r : plot.regimes)
    for (const Value end : {r.from, r.to})
      if (const auto fit = fits(plot.x, end, fmt::format("{}: regime \"{}\"", where, r.kind)); !fit) return fit;
  return {};
}

// Every x that the picture must hold; a bar needs half the distance to its neighbour on either side.
std::vector<double> all_x(const LinePlot& plot) {
  std::vector<double> values;
  for (const Series& s : plot.series) {
    values.insert(values.end(), s.x.coherent.begin(), s.x.coherent.end());
    if (s.style != Style::bar || plot.x.scale != Scale::linear || s.x.size() < 2) continue;
    std::vector<double> sorted = s.x.coherent;
    std::ranges::sort(sorted);
    const std::size_t n = sorted.size();
    values.push_back(sorted[0] - 0.6 * (sorted[1] - sorted[0]));
    values.push_back(sorted[n - 1] + 0.6 * (sorted[n - 1] - sorted[n - 2]));
  }
  return values;
}

std::vector<double> all_y(const LinePlot& plot) {
  std::vector<double> values;
  for (const Series& s : plot.series) {
    values.insert(values.end(), s.y.coherent.begin(), s.y.coherent.end());
    values.insert(values.end(), s.high.coherent.begin(), s.high.coherent.end());
    if (s.style == Style::bar && plot.y.scale == Scale::linear) values.push_back(0);
  }
  for (const Marker& m : plot.markers)
    if (m.line == Marker::Line::horizontal) values.push_back(m.at.coherent);
  return values;
}

std::optional<std::size_t> last_value(const Series& s) {
  for (std::size_t i = s.y.size(); i > 0; --i)
    if (!std::isnan(s.y.coherent[i - 1])) return i - 1;
  return std::nullopt;
}

bool is_line(const Series& s) { return s.style == Style::estimate || s.style == Style::floor || s.style == Style::step; }

bool has_gap(const Series& s) {
  return std::ranges::any_of(s.y.coherent, [](double y) { return std::isnan(y); }) && last_value(s);
}

// The stretches of x where estimates exist and none has a value, from the last value before to the first after.
std::vector<Range> gaps(const LinePlot& plot) {
  std::set<double> seen, valued;
  for (const Series& s : plot.series) {
    if (s.style == Style::floor || s.style == Style::band) continue;
    for (std::size_t i = 0; i < s.x.size(); ++i) (std::isnan(s.y.coherent[i]) ? seen : valued).insert(s.x.coherent[i]);
  }
  std::vector<Range> found;
  for (const double x : seen) {
    if (valued.contains(x)) continue;
    const auto after = valued.upper_bound(x);
    const double from = after == valued.begin() ? *seen.begin() : *std::prev(after);
    const double to = after == valued.end() ? *seen.rbegin() : *after;
    if (found.empty() || found.back().low != from) found.push_back({from, to});
  }
  return found;
}

Swatch swatch(Style style) {
  switch (style) {
    case Style::floor: return Swatch::floor;
    case Style::band: return Swatch::band;
    case Style::points: return Swatch::mark;
    case Style::bar: return Swatch::box;
    default: return Swatch::line;
  }
}

Expected<Settled> settle(const LinePlot& plot, std::optional<Range> shared_x) {
  if (const auto checked = check(plot); !checked) return std::unexpected(checked.error());
  Settled settled;
  settled.plot = &plot;
  Axis x = plot.x;
  if (shared_x) x.range = shared_x;
  const auto x_range = resolved_range(x, all_x(plot), Ends::tight);
  if (!x_range) return std::unexpected(x_range.error());
  const auto y_range = resolved_range(plot.y, all_y(plot));
  if (!y_range) return std::unexpected(y_range.error());
  settled.x_range = *x_range;
  settled.y_range = *y_range;
  settled.y_ticks = vertical_ticks(plot.y, *y_range, plot.height - 140);
  settled.left = left_margin(settled.y_ticks);

  for (const Regime& regime : plot.regimes) {
    const double from = std::max(regime.from.coherent, x_range->low), to = std::min(regime.to.coherent, x_range->high);
    if (!(from < to)) continue;
    if (!settled.regimes.empty() && settled.regimes.back().kind == regime.kind && settled.regimes.back().to >= from)
      settled.regimes.back().to = to;
    else settled.regimes.push_back({from, to, regime.kind});
  }
  std::vector<std::string> kinds;
  for (const Stretch& stretch : settled.regimes) kinds.push_back(stretch.kind);
  const std::vector<int> colours = kind_colours(kinds);
  for (std::size_t i = 0; i < kinds.size(); ++i) settled.regimes[i].colour = colours[i];
  settled.strip = !settled.regimes.empty();

  // Lines are named at their ends where they are few and reach the right of the frame; else in the legend.
  std::vector<std::size_t> lines;
  bool reach = true;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& s = plot.series[i];
    const auto last = last_value(s);
    if (!is_line(s) || !last || s.name.empty()) continue;
    lines.push_back(i);
    const double x_last = s.x.coherent[*last];
    reach = reach && x_last >= x_range->low && position(plot.x.scale, *x_range, x_last) > 0.85;
  }
  if (reach && lines.size() <= 6) settled.end_labels = lines;
  // Half of the last tick's text hangs over the right edge of the frame.
  settled.right = air + 8;
  if (const auto ticks = horizontal_ticks(x, *x_range, plot.width - settled.left - air - 24); !ticks.empty())
    settled.right = std::max(settled.right, 8 + text_width(ticks.back().text) / 2);
  for (const std::size_t i : settled.end_labels)
    settled.right = std::max(settled.right, std::min(170.0, 26 + text_width(plot.series[i].name)));

  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& s = plot.series[i];
    if (s.name.empty() || std::ranges::count(settled.end_labels, i) > 0) continue;
    const bool there = std::ranges::any_of(
        settled.legend, [&](const LegendEntry& e) { return e.name == s.name && e.colour == s.colour && e.swatch == swatch(s.style); });
    if (!there) settled.legend.push_back({s.name, swatch(s.style), s.colour, s.colour});
  }
  return settled;
}

// Regimes too narrow for their name above the frame are explained in the legend.
void add_narrow_regimes(Settled& settled, double frame_width) {
  const auto place = [&](double x) { return frame_width * position(settled.plot->x.scale, settled.x_range, x); };
  for (const Stretch& regime : settled.regimes) {
    if (text_width(regime.kind, 11) + 6 <= place(regime.to) - place(regime.from)) continue;
    const bool there =
        std::ranges::any_of(settled.legend, [&](const LegendEntry& e) { return e.swatch == Swatch::shade && e.name == regime.kind; });
    if (!there) settled.legend.push_back({regime.kind, Swatch::shade, regime.colour, 0});
  }
  const bool crossed =
      std::ranges::any_of(settled.plot->series, [](const Series& s) { return is_line(s) && s.style != Style::floor && has_gap(s); });
  if (crossed) settled.legend.push_back({settled.plot->gap_text, Swatch::hatch, 0, 0});
}

// The runs of neighbouring points that have values, as pixels, thinned.
std::vector<std::vector<Point>> runs(const Frame& frame, const Values& x, const Values& y) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < x.size(); ++i)
    points.push_back(std::isnan(y.coherent[i]) ? Point{frame.across(x.coherent[i]), y.coherent[i]}
                                               : frame.at(x.coherent[i], y.coherent[i]));
  std::vector<std::vector<Point>> found(1);
  for (const std::size_t i : thinned(points)) {
    if (!std::isnan(points[i].y)) found.back().push_back(points[i]);
    else if (!found.back().empty()) found.emplace_back();
  }
  if (found.back().empty()) found.pop_back();
  return found;
}

void draw_band(Canvas& canvas, const Frame& frame, const Series& s) {
  Values low = s.y, high = s.high;
  for (std::size_t i = 0; i < low.size(); ++i)
    if (std::isnan(low.coherent[i]) || std::isnan(high.coherent[i])) low.coherent[i] = high.coherent[i] = std::nan("");
  const auto bottoms = runs(frame, s.x, low), tops = runs(frame, s.x, high);
  for (std::size_t k = 0; k < bottoms.size(); ++k) {
    std::vector<Point> outline = bottoms[k];
    outline.insert(outline.end(), tops[k].rbegin(), tops[k].rend());
    if (bottoms[k].size() == 1) canvas.line("series band-line line " + stroke_class(s.colour), bottoms[k][0], tops[k][0]);
    else canvas.polygon("series band " + fill_class(s.colour), outline);
  }
}

void draw_bars(Canvas& canvas, const Frame& frame, const Series& s) {
  std::vector<double> middles;
  for (const double x : s.x.coherent) middles.push_back(frame.across(x));
  std::vector<double> sorted = middles;
  std::ranges::sort(sorted);
  double gap = frame.box.width;
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i] > sorted[i - 1]) gap = std::min(gap, sorted[i] - sorted[i - 1]);
  const double half = std::clamp(0.35 * gap, 0.5, 30.0);
  const double base =
      frame.y.scale == Scale::linear ? frame.up(std::clamp(0.0, frame.y_range.low, frame.y_range.high)) : frame.box.bottom();
  for (std::size_t i = 0; i < middles.size(); ++i) {
    if (std::isnan(s.y.coherent[i])) continue;
    const double y = frame.up(s.y.coherent[i]);
    canvas.box("series " + fill_class(s.colour), {middles[i] - half, std::min(y, base), 2 * half, std::fabs(base - y)});
  }
}

void draw_series(Canvas& canvas, const Frame& frame, const Series& s) {
  const std::string ink = stroke_class(s.colour);
  if (s.style == Style::band) return draw_band(canvas, frame, s);
  if (s.style == Style::bar) return draw_bars(canvas, frame, s);
  for (std::vector<Point>& run : runs(frame, s.x, s.y)) {
    if (s.style == Style::points || (run.size() == 1 && s.style != Style::floor)) {
      for (const Point p : run) canvas.mark("series edge " + fill_class(s.colour), s.style == Style::points ? s.colour : 0, p, 4);
      continue;
    }
    if (s.style == Style::step) {
      std::vector<Point> corners;
      for (const Point p : run) {
        if (!corners.empty()) corners.push_back({p.x, corners.back().y});
        corners.push_back(p);
      }
      run = std::move(corners);
    }
    if (s.style == Style::floor && run.size() == 1) run.insert(run.begin(), {run[0].x - 4, run[0].y});
    canvas.polyline(s.style == Style::floor ? "series floor " + ink : "series " + line_class(s.colour), run);
  }
}

// A cross at each end of a line that stops because the plan no longer fits.
void draw_crosses(Canvas& canvas, const Frame& frame, const Series& s) {
  if (!is_line(s) || s.style == Style::floor) return;
  for (std::size_t i = 0; i < s.y.size(); ++i) {
    if (std::isnan(s.y.coherent[i])) continue;
    const bool before = i > 0 && std::isnan(s.y.coherent[i - 1]), after = i + 1 < s.y.size() && std::isnan(s.y.coherent[i + 1]);
    if ((!before && !after) || !frame.holds(s.x.coherent[i], s.y.coherent[i])) continue;
    const Point p = frame.at(s.x.coherent[i], s.y.coherent[i]);
    canvas.line("line " + stroke_class(s.colour), {p.x - 4.5, p.y - 4.5}, {p.x + 4.5, p.y + 4.5});
    canvas.line("line " + stroke_class(s.colour), {p.x - 4.5, p.y + 4.5}, {p.x + 4.5, p.y - 4.5});
  }
}

void draw_gaps(Canvas& canvas, const Frame& frame, const LinePlot& plot) {
  for (const Range& gap : gaps(plot)) {
    const double from = std::clamp(frame.across(gap.low), frame.box.x, frame.box.right());
    const double to = std::clamp(frame.across(gap.high), frame.box.x, frame.box.right());
    if (to - from < 1) continue;
    const Box box{from, frame.box.y, to - from, frame.box.height};
    canvas.box("nothing", box);
    canvas.hatch("void", box);
  }
}

void draw_gap_texts(Canvas& canvas, const Frame& frame, const LinePlot& plot) {
  for (const Range& gap : gaps(plot)) {
    const double from = std::clamp(frame.across(gap.low), frame.box.x, frame.box.right());
    const double to = std::clamp(frame.across(gap.high), frame.box.x, frame.box.right());
    if (text_width(plot.gap_text) + 12 <= to - from)
      canvas.text("halo strong", {(from + to) / 2, frame.box.y + frame.box.height / 2}, plot.gap_text, Anchor::middle);
  }
}

void draw_regimes(Canvas& canvas, const Frame& frame, const std::vector<Stretch>& regimes) {
  for (const Stretch& regime : regimes) {
    const double from = frame.across(regime.from), width = frame.across(regime.to) - from;
    canvas.box("shade " + fill_class(regime.colour), {from, frame.box.y, width, frame.box.height});
    canvas.box("strip " + fill_class(regime.colour), {from, frame.box.y - strip_height, width, strip_height});
    if (&regime != &regimes.front()) canvas.line("guide frame", {from, frame.box.y - strip_height}, {from, frame.box.bottom()});
    if (text_width(regime.kind, 11) + 6 <= width) canvas.text("small", {from + width / 2, frame.box.y - 5}, regime.kind, Anchor::middle);
  }
}

void draw_markers(Canvas& canvas, const Frame& frame, const LinePlot& plot) {
  std::vector<double> row_ends;  // vertical markers' texts: the right end of each row below the top of the frame
  const Box& box = frame.box;
  for (const Marker& m : plot.markers) {
    const bool vertical = m.line == Marker::Line::vertical;
    const Range& range = vertical ? frame.x_range : frame.y_range;
    if (!(m.at.coherent >= range.low && m.at.coherent <= range.high)) continue;
    const double width = text_width(m.text, 11), at = vertical ? frame.across(m.at.coherent) : frame.up(m.at.coherent);
    if (!vertical) {
      canvas.line("marker", {box.x, at}, {box.right(), at});
      canvas.text("small halo", {box.x + 6, at - 5 < box.y + 11 ? at + 13 : at - 5}, fitted(m.text, box.width - 12, 11));
      continue;
    }
    canvas.line("marker", {at, box.y}, {at, box.bottom()});
    const bool right = at + 6 + width <= box.right();
    const double start = right ? at + 6 : at - 6 - width;
    std::size_t row = 0;
    while (row < row_ends.size() && row_ends[row] > start) ++row;
    if (row == row_ends.size()) row_ends.push_back(0);
    row_ends[row] = start + width + 8;
    canvas.text("small halo", {right ? at + 6 : at - 6, box.y + 15 + 14 * static_cast<double>(row)}, m.text,
                right ? Anchor::start : Anchor::end);
  }
}

void draw_end_labels(Canvas& canvas, const Frame& frame, const Settled& settled) {
  std::vector<Point> ends;
  std::vector<double> wanted;
  for (const std::size_t i : settled.end_labels) {
    const Series& s = settled.plot->series[i];
    const std::size_t last = *last_value(s);
    const Point end = frame.at(s.x.coherent[last], s.y.coherent[last]);
    ends.push_back({std::min(end.x, frame.box.right()), std::clamp(end.y, frame.box.y, frame.box.bottom())});
    wanted.push_back(ends.back().y);
  }
  const std::vector<double> places = spread(wanted, label_height, frame.box.y + 4, frame.box.bottom() - 4);
  for (std::size_t k = 0; k < places.size(); ++k) {
    const Series& s = settled.plot->series[settled.end_labels[k]];
    const double x = frame.box.right() + 14;
    canvas.line("leader hollow " + stroke_class(s.colour), {ends[k].x + 2, ends[k].y}, {x - 2, places[k]});
    canvas.text("label", {x + 3, places[k] + 4}, fitted(s.name, settled.right - 20));
  }
}

// Draws below `top`; returns where the picture ends. `left` and `right` are margins that stacked plots have agreed on.
double draw_settled(Canvas& canvas, Settled& settled, double top, double left, double right, bool x_labels) {
  const LinePlot& plot = *settled.plot;
  const double frame_width = plot.width - left - right;
  add_narrow_regimes(settled, frame_width);
  const double head = heading_height(plot.title, plot.subtitle, plot.width - 2 * air);
  draw_heading(canvas, plot.title, plot.subtitle, {air, top}, plot.width - 2 * air);
  const double legend = legend_height(settled.legend, frame_width);
  draw_legend(canvas, settled.legend, {left, top + head}, frame_width);
  const double upper = top + head + legend + (legend > 0 ? 6 : 0) + (settled.strip ? strip_height : 0) + 4;
  const double lower = top + plot.height - air - (x_labels ? bottom_margin : 0);
  Frame frame{.box = {left, upper, frame_width, std::max(80.0, lower - upper)}, .x = plot.x, .y = plot.y, .x_range = settled.x_range,
              .y_range = settled.y_range, .x_ticks = {}, .y_ticks = settled.y_ticks, .x_labels = x_labels};
  frame.x_ticks = horizontal_ticks(plot.x, settled.x_range, frame_width);

  draw_regimes(canvas, frame, settled.regimes);
  draw_gaps(canvas, frame, plot);
  draw_grid(canvas, frame);
  draw_axes(canvas, frame);
  // Two pixels of grace, so that a line along the edge keeps its full width.
  canvas.begin_clip({frame.box.x - 2, frame.box.y - 2, frame.box.width + 4, frame.box.height + 4});
  for (const Style layer : {Style::band, Style::bar, Style::floor, Style::step, Style::estimate, Style::points})
    for (const Series& s : plot.series)
      if (s.style == layer) draw_series(canvas, frame, s);
  for (const Series& s : plot.series) draw_crosses(canvas, frame, s);
  canvas.end_clip();
  draw_gap_texts(canvas, frame, plot);
  draw_markers(canvas, frame, plot);
  draw_end_labels(canvas, frame, settled);
  const bool any = std::ranges::any_of(plot.series, [](const Series& s) { return last_value(s).has_value(); });
  if (!any)
    canvas.text("soft halo", {left + frame_width / 2, upper + frame.box.height / 2}, plot.series.empty() ? "no data" : plot.gap_text,
                Anchor::middle);
  return frame.box.bottom() + (x_labels ? bottom_margin : 0) + air;
}

std::string described(const LinePlot& plot) {
  if (!plot.description.empty()) return plot.description;
  std::string text = fmt::format("{} against {}", axis_title(plot.y, {}), axis_title(plot.x, {}));
  for (const Series& s : plot.series)
    if (!s.name.empty()) text += (&s == &plot.series.front() ? ": " : ", ") + s.name;
  return text + ".";
}

}  // namespace

Expected<Figure> draw(const LinePlot& plot) {
  auto settled = settle(plot, std::nullopt);
  if (!settled) return std::unexpected(settled.error());
  Canvas canvas;
  const double height = draw_settled(canvas, *settled, air, settled->left, settled->right, true);
  return Figure{plot.width, height, plot.title, described(plot), canvas.take()};
}

Expected<Figure> draw(const StackedPlots& stack) {
  const auto where = fmt::format("plot \"{}\"", stack.title);
  if (stack.plots.empty()) return fail(where, "there is nothing to stack", "give at least one plot");
  const Axis& x = stack.plots[0].x;
  std::vector<double> joined;
  for (const LinePlot& plot : stack.plots) {
    if (plot.x.unit.dim != x.unit.dim || plot.x.scale != x.scale || plot.x.unit.factor != x.unit.factor)
      return fail(where, fmt::format("\"{}\" and \"{}\" have different x axes", stack.plots[0].title, plot.title),
                  "give them one unit and one scale");
    if (plot.width != stack.plots[0].width)
      return fail(where, fmt::format("\"{}\" and \"{}\" have different widths", stack.plots[0].title, plot.title), "give them one width");
    if (const auto checked = check(plot); !checked) return std::unexpected(checked.error());
    const std::vector<double> own = all_x(plot);
    joined.insert(joined.end(), own.begin(), own.end());
  }
  const auto range = resolved_range(x, joined, Ends::tight);
  if (!range) return std::unexpected(range.error());
  std::vector<Settled> all;
  double left = 0, right = 0;
  for (const LinePlot& plot : stack.plots) {
    auto settled = settle(plot, *range);
    if (!settled) return std::unexpected(settled.error());
    left = std::max(left, settled->left);
    right = std::max(right, settled->right);
    all.push_back(std::move(*settled));
  }
  Canvas canvas;
  const double width = stack.plots[0].width;
  draw_heading(canvas, stack.title, stack.subtitle, {air, air}, width - 2 * air);
  double y = air + heading_height(stack.title, stack.subtitle, width - 2 * air);
  std::string description = stack.description;
  for (Settled& settled : all) {
    y = draw_settled(canvas, settled, y, left, right, &settled == &all.back());
    if (stack.description.empty()) description += (description.empty() ? "" : " ") + described(*settled.plot);
  }
  return Figure{width, y, stack.title, description, canvas.take()};
}

}  // namespace fareline::plot
