// SPDX-License-Identifier: Apache-2.0
// The pictures other than line plots: heat maps, bars, comparisons, timelines, grids; and the colours they use.
#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "plot/bars.h"
#include "plot/colour.h"
#include "plot/comparison.h"
#include "plot/grid.h"
#include "plot/heat_map.h"
#include "plot/timeline.h"
#include "plot/xml_reader.h"

namespace fareline::plot {
namespace {

const double none = std::nan("");
const Unit milliseconds = unit_of("ms", unit::ms);
const Unit usd_per_mtok = unit_of("USD/Mtok", unit::usd / unit::Mtok);

template <class Picture>
std::vector<Element> read(const Picture& picture) {
  const auto text = svg(picture);
  EXPECT_TRUE(text) << text.error().line();
  if (!text) return {};
  EXPECT_EQ(*text, *svg(picture));  // the same to the byte
  XmlReader reader(*text);
  const auto elements = reader.read();
  EXPECT_TRUE(elements) << "not well formed at byte " << reader.byte();
  return elements.value_or(std::vector<Element>{});
}
bool says(const std::vector<Element>& elements, std::string_view text) {
  return std::ranges::any_of(elements, [&](const Element& e) { return e.name == "text" && e.text == text; });
}
std::vector<Element> with_class(const std::vector<Element>& elements, std::string_view name) {
  std::vector<Element> found;
  std::ranges::copy_if(elements, std::back_inserter(found), [&](const Element& e) { return e.has_class(name); });
  return found;
}
template <class Picture>
void refused(const Picture& picture, std::string_view part) {
  const auto figure = draw(picture);
  ASSERT_FALSE(figure) << part;
  EXPECT_NE(figure.error().line().find(part), std::string::npos) << figure.error().line();
  EXPECT_FALSE(figure.error().remedy.empty());
}
// Nothing is drawn outside the document.
void expect_on_paper(const std::vector<Element>& elements) {
  ASSERT_FALSE(elements.empty());
  const double width = elements[0].number("width"), height = elements[0].number("height");
  for (const Element& e : elements) {
    if (e.name != "rect" && e.name != "text") continue;
    EXPECT_GE(e.number("x"), -0.01);
    EXPECT_GE(e.number("y"), -0.01);
    EXPECT_LE(e.number("x") + e.number("width"), width + 0.01) << e.text;
    EXPECT_LE(e.number("y") + e.number("height"), height + 0.01) << e.text;
  }
}

// CIE 1976 lightness from relative luminance. Source: CIE 15, eq. 8.3.
double lightness(double luminance) { return luminance > 0.008856 ? 116 * std::cbrt(luminance) - 16 : 903.3 * luminance; }

TEST(Colour, the_map_grows_lighter_by_even_steps) {
  constexpr int steps = 30;
  const double mean = (lightness(luminance(viridis(1))) - lightness(luminance(viridis(0)))) / steps;
  EXPECT_GT(mean * steps, 70);
  for (int k = 0; k < steps; ++k) {
    const double step = lightness(luminance(viridis((k + 1.0) / steps))) - lightness(luminance(viridis(double(k) / steps)));
    EXPECT_GT(step, 0.6 * mean) << k;
    EXPECT_LT(step, 1.4 * mean) << k;
  }
}

TEST(Colour, text_on_any_colour_of_the_map_can_be_read) {
  for (int k = 0; k <= 100; ++k) {
    const Rgb colour = viridis(k / 100.0);
    const double l = luminance(colour);
    const double contrast = takes_black_text(colour) ? (l + 0.05) / 0.05 : 1.05 / (l + 0.05);
    EXPECT_GE(contrast, 4.5) << k;  // WCAG 2.2, 1.4.3, level AA
  }
}

TEST(Colour, ends_and_beyond_are_the_ends) {
  EXPECT_EQ(hex(viridis(0)), "#440154");
  EXPECT_EQ(hex(viridis(-3)), "#440154");
  EXPECT_EQ(hex(viridis(1)), "#fde725");
  EXPECT_EQ(hex(viridis(7)), "#fde725");
  EXPECT_DOUBLE_EQ(luminance({1, 1, 1}), 1);
  EXPECT_DOUBLE_EQ(luminance({0, 0, 0}), 0);
}

TEST(Colour, what_binds_has_one_colour_everywhere_and_other_kinds_take_those_left) {
  const std::vector<std::string> some{"forward", "kv", "backward", "weights", "forward"};
  const auto colours = kind_colours(some);
  EXPECT_EQ(colours[1], kind_colours(std::vector<std::string>{"kv"})[0]);
  EXPECT_EQ(colours[3], kind_colours(std::vector<std::string>{"weights"})[0]);
  EXPECT_EQ(colours[0], colours[4]);
  EXPECT_EQ(std::set<int>(colours.begin(), colours.end()).size(), 4u);
}

HeatMap map_example() {
  return {.title = "Price",
          .x = {.label = "Batch", .unit = counted("requests"), .scale = Scale::log2},
          .y = {.label = "TP", .unit = counted("GPUs"), .scale = Scale::log2},
          .x_values = Values(std::vector<double>{1, 2, 4}),
          .y_values = Values(std::vector<double>{4, 8}),
          .value = {.label = "Price of output", .unit = usd_per_mtok, .scale = Scale::log10},
          .cells = Values(TokenPrice::dim, {8e-6, 4e-6, none, 6e-6, 2e-6, 2.05e-6})};
}

TEST(HeatMap, every_pair_has_a_cell_and_what_does_not_fit_is_hatched) {
  const auto elements = read(map_example());
  expect_on_paper(elements);
  // Cells carry their value as a hover text, a child; the colour bar's do not.
  std::size_t notes = 0;
  for (const Element& e : elements) notes += e.name == "title" && e.text.find("Batch = ") == 0;
  EXPECT_EQ(notes, 6u);
  EXPECT_EQ(with_class(elements, "nothing").size(), 1u);
  EXPECT_FALSE(with_class(elements, "void").empty());
}

TEST(HeatMap, cells_are_equally_wide_on_a_log_axis_and_their_axes_have_units) {
  const auto elements = read(map_example());
  const auto cells = with_class(elements, "cell");
  ASSERT_GE(cells.size(), 2u);
  EXPECT_NEAR(cells[0].number("width"), cells[1].number("width"), 0.02);
  EXPECT_NEAR(cells[0].number("x") + cells[0].number("width"), cells[1].number("x"), 0.02);
  for (const char* text : {"Batch (requests)", "TP (GPUs)", "Price of output (USD/Mtok)"}) EXPECT_TRUE(says(elements, text)) << text;
}

TEST(HeatMap, the_best_cell_is_ringed_and_told) {
  const auto elements = read(map_example());
  const auto best = with_class(elements, "best");
  ASSERT_EQ(best.size(), 1u);
  const auto cells = with_class(elements, "cell");
  // The cell at batch 2, TP 8: the fifth drawn but for the one that does not fit.
  EXPECT_GT(best[0].number("x"), cells[3].number("x"));
  EXPECT_LT(best[0].number("x") + best[0].number("width"), cells[3].number("x") + cells[3].number("width"));
  EXPECT_NE(elements[2].text.find("the lowest, 2 USD/Mtok at Batch = 2 requests, TP = 8 GPUs"), std::string::npos) << elements[2].text;
  HeatMap highest = map_example();
  highest.best = Best::highest;
  EXPECT_NE(read(highest)[2].text.find("the highest, 8 USD/Mtok at Batch = 1 requests, TP = 4 GPUs"), std::string::npos);
}

TEST(HeatMap, cells_nearly_as_good_share_one_outline) {
  HeatMap map = map_example();
  // Within 5%: two neighbours, so an outline of six edges; within 1%: the best alone, four.
  EXPECT_EQ(std::ranges::count_if(read(map), [](const Element& e) { return e.name == "line" && e.has_class("ring"); }), 6);
  map.nearly = 0.01;
  EXPECT_EQ(std::ranges::count_if(read(map), [](const Element& e) { return e.name == "line" && e.has_class("ring"); }), 4);
}

TEST(HeatMap, wrong_input_is_refused) {
  HeatMap map = map_example();
  map.cells.coherent.pop_back();
  refused(map, "5 cells for 3 columns and 2 rows");
  map = map_example();
  map.x_values.coherent = {1, 4, 2};
  refused(map, "not above the one before it");
  map = map_example();
  map.cells.coherent[0] = 0;
  refused(map, "log axis");
  map = map_example();
  map.cells.dim = Seconds::dim;
  refused(map, "not in the dimension");
  map = map_example();
  map.y_values.coherent[0] = 0;
  refused(map, "log axis");
  map.cells = map.x_values = map.y_values = {};
  refused(map, "no cells");
}

TEST(HeatMap, a_single_cell_is_a_picture) {
  HeatMap map = map_example();
  map.x_values.coherent = {2};
  map.y_values.coherent = {8};
  map.cells.coherent = {2e-6};
  expect_on_paper(read(map));
}

std::vector<Part> parts_example() {
  return {{"QKV", 1 * unit::ms, "weights"}, {"scores", 2 * unit::ms, "kv"}, {"all-reduce", 1 * unit::ms, "collectives"}};
}
Axis time_axis() { return {.label = "Time", .unit = milliseconds}; }

TEST(StackedBars, parts_follow_one_another_in_proportion_and_the_total_is_said) {
  const auto elements = read(StackedBars{.title = "What binds", .value = time_axis(), .rows = {{"a", parts_example()}}});
  expect_on_paper(elements);
  const auto bars = with_class(elements, "series");
  ASSERT_EQ(bars.size(), 3u);
  for (std::size_t i = 1; i < 3; ++i) EXPECT_NEAR(bars[i - 1].number("x") + bars[i - 1].number("width"), bars[i].number("x"), 0.02);
  EXPECT_NEAR(bars[1].number("width"), 2 * bars[0].number("width"), 0.03);
  EXPECT_TRUE(says(elements, "4 ms"));
  EXPECT_TRUE(says(elements, "Time (ms)"));
  for (const char* kind : {"weights", "kv", "collectives"}) EXPECT_TRUE(says(elements, kind)) << kind;
}

TEST(StackedBars, the_floor_is_marked_at_its_value) {
  const StackedBars bars{.title = "What binds", .value = time_axis(), .rows = {{"a", parts_example(), Value(3 * unit::ms)}}};
  const auto elements = read(bars);
  const auto marks = with_class(elements, "floor-mark");
  ASSERT_EQ(marks.size(), 2u);
  // Three of four milliseconds: where the second part ends.
  EXPECT_NEAR(marks[0].number("x1"), with_class(elements, "series")[2].number("x"), 0.02);
  EXPECT_TRUE(says(elements, "floor"));
}

TEST(Waterfall, each_part_starts_where_the_last_ended_and_shares_sum_to_the_whole) {
  const auto elements = read(Waterfall{.title = "Step", .value = time_axis(), .parts = parts_example()});
  expect_on_paper(elements);
  const auto bars = with_class(elements, "series");
  ASSERT_EQ(bars.size(), 4u);
  EXPECT_NEAR(bars[0].number("x") + bars[0].number("width"), bars[1].number("x"), 0.02);
  EXPECT_NEAR(bars[3].number("width"), bars[0].number("width") + bars[1].number("width") + bars[2].number("width"), 0.05);
  EXPECT_TRUE(says(elements, "1 ms · 25%"));
  EXPECT_TRUE(says(elements, "2 ms · 50%"));
}

TEST(Bars, negative_parts_wrong_dimensions_and_log_axes_are_refused) {
  Waterfall waterfall{.title = "Step", .value = time_axis(), .parts = parts_example()};
  waterfall.parts[0].amount = -1 * unit::ms;
  refused(waterfall, "part \"QKV\": it is negative");
  waterfall.parts[0].amount = 3 * unit::GB;
  refused(waterfall, "it is in B, its axis is in ms");
  waterfall.parts[0].amount = none * unit::ms;
  refused(waterfall, "not a finite number");
  waterfall = {.title = "Step", .value = time_axis(), .parts = parts_example()};
  waterfall.value.scale = Scale::log10;
  refused(waterfall, "bars start at zero");
  refused(StackedBars{.title = "a", .value = time_axis(), .rows = {{"a", {{"x", -1 * unit::s, "kv"}}}}}, "negative");
}

TEST(Bars, without_rows_they_say_so) {
  EXPECT_TRUE(says(read(StackedBars{.title = "a", .value = time_axis()}), "no data"));
  EXPECT_TRUE(says(read(Waterfall{.title = "a", .value = time_axis()}), "no data"));
  EXPECT_TRUE(says(read(GroupBars{.title = "a", .value = time_axis()}), "no data"));
  EXPECT_TRUE(says(read(Tornado{.title = "a", .value = time_axis(), .base = 1 * unit::ms}), "no data"));
  EXPECT_TRUE(says(read(Timeline{.title = "a", .time = time_axis()}), "no data"));
  EXPECT_TRUE(says(read(Comparison{.title = "a", .unit = milliseconds}), "no data"));
}

TEST(GroupBars, errors_go_left_and_right_of_zero_with_their_spread_and_number) {
  const GroupBars bars{.title = "Error", .value = {.label = "Median error", .unit = per_cent()},
                       .groups = {{"over", 0.1, Value(-0.05), Value(0.2), 12}, {"under", -0.1}}};
  const auto elements = read(bars);
  expect_on_paper(elements);
  const auto rows = with_class(elements, "series");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NEAR(rows[1].number("x") + rows[1].number("width"), rows[0].number("x"), 0.02);
  EXPECT_NEAR(rows[0].number("width"), rows[1].number("width"), 0.02);
  EXPECT_EQ(with_class(elements, "whisker").size(), 3u);
  EXPECT_TRUE(says(elements, "10% · n = 12"));
  EXPECT_TRUE(says(elements, "Median error (%)"));
  GroupBars wrong = bars;
  wrong.groups[0].high = {};
  refused(wrong, "one end");
  wrong.groups[0].high = Value(-0.5);
  refused(wrong, "above the high one");
}

TEST(Tornado, the_widest_swing_is_on_top) {
  const auto price = [](double v) { return v * unit::usd / unit::Mtok; };
  const Tornado tornado{.title = "Price", .value = {.label = "Price", .unit = usd_per_mtok}, .base = price(1),
                        .swings = {{"narrow", "a", "b", price(0.9), price(1.1)}, {"wide", "c", "d", price(2), price(0.5)}}};
  const auto elements = read(tornado);
  expect_on_paper(elements);
  const auto rows = with_class(elements, "row");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].text, "wide");
  for (const char* end : {"a", "b", "c", "d"}) EXPECT_TRUE(says(elements, end)) << end;
  Tornado wrong = tornado;
  wrong.swings[0].at_low = 1 * unit::s;
  refused(wrong, "input \"narrow\"");
}

TEST(Comparison, exact_predictions_lie_on_the_diagonal_and_the_share_within_the_guide_is_counted) {
  Comparison comparison{.title = "TPOT", .unit = milliseconds};
  for (const double t : {1.0, 10.0, 100.0}) comparison.pairs.push_back({t * unit::ms, t * unit::ms, "exact"});
  comparison.pairs.push_back({10 * unit::ms, 15 * unit::ms, "off"});
  const auto elements = read(comparison);
  const auto diagonal = with_class(elements, "diagonal");
  ASSERT_EQ(diagonal.size(), 1u);
  const double slope = (diagonal[0].number("y2") - diagonal[0].number("y1")) / (diagonal[0].number("x2") - diagonal[0].number("x1"));
  EXPECT_NEAR(slope, -1, 1e-3);
  const auto marks = with_class(elements, "series");
  std::size_t on = 0;
  for (const Element& mark : marks) {
    if (mark.name != "circle") continue;
    EXPECT_NEAR(mark.number("cy"), diagonal[0].number("y1") - (mark.number("cx") - diagonal[0].number("x1")), 0.05);
    ++on;
  }
  EXPECT_EQ(on, 3u);
  EXPECT_EQ(marks.size(), 4u);  // the other group has another shape
  EXPECT_TRUE(says(elements, "3 of 4 within ±20%"));
  EXPECT_TRUE(says(elements, "Measured (ms)"));
  EXPECT_TRUE(says(elements, "Predicted (ms)"));
  comparison.pairs[0].measured = 0 * unit::ms;
  refused(comparison, "log axis");
  comparison.guide = 2;
  refused(comparison, "guide");
}

TEST(Timeline, cells_are_as_long_as_they_last_and_carry_their_numbers) {
  const Timeline timeline{.title = "1F1B", .time = time_axis(), .rows = {"rack 1", "rack 2"},
                          .slots = {{0, 0 * unit::ms, 1 * unit::ms, "1", "forward"}, {1, 1 * unit::ms, 3 * unit::ms, "2", "backward"}}};
  const auto elements = read(timeline);
  expect_on_paper(elements);
  const auto cells = with_class(elements, "series");
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_NEAR(cells[1].number("width"), 2 * cells[0].number("width"), 0.03);
  EXPECT_GT(cells[1].number("y"), cells[0].number("y"));
  for (const char* text : {"1", "2", "rack 1", "rack 2", "forward", "backward", "Time (ms)"}) EXPECT_TRUE(says(elements, text)) << text;
}

TEST(Timeline, overlaps_unknown_rows_and_backward_time_are_refused) {
  const Timeline good{.title = "t",
                      .time = time_axis(),
                      .rows = {"a"},
                      .slots = {{0, 0 * unit::ms, 2 * unit::ms, "1", "forward"}, {0, 2 * unit::ms, 3 * unit::ms, "2", "forward"}}};
  EXPECT_TRUE(draw(good));
  Timeline wrong = good;
  wrong.slots[1].start = 1 * unit::ms;
  refused(wrong, "\"1\" and \"2\" overlap");
  wrong = good;
  wrong.slots[1].row = 1;
  refused(wrong, "row 2 of 1");
  wrong = good;
  wrong.slots[1].end = 1 * unit::ms;
  refused(wrong, "ends before it starts");
  wrong = good;
  wrong.slots[1].end = Value(3.0);
  refused(wrong, "its axis is in ms");
}

TEST(Grid, pictures_stand_side_by_side_without_touching) {
  const Waterfall waterfall{.title = "Step", .value = time_axis(), .parts = parts_example(), .width = 400};
  const Figure one = *draw(waterfall), other = *draw(map_example());
  const auto figure = draw(Grid{.title = "Both", .figures = {one, other, one}, .columns = 2});
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->width, one.width + other.width);
  EXPECT_GE(figure->height, std::max(one.height, other.height) + one.height);
  EXPECT_NE(figure->description.find("Step: "), std::string::npos);
  const std::string text = document(*figure);
  EXPECT_TRUE(XmlReader(text).read());
  refused(Grid{.title = "None"}, "no pictures");
  refused(Grid{.title = "None", .figures = {one}, .columns = 0}, "no columns");
}

TEST(Pictures, text_from_outside_is_escaped_everywhere) {
  const std::string evil = "<b a=\"&\">";
  const auto parts = std::vector<Part>{{evil, 1 * unit::ms, evil}};
  read(StackedBars{.title = evil, .subtitle = evil, .value = {.label = evil, .unit = milliseconds}, .rows = {{evil, parts}}});
  read(Waterfall{.title = evil, .value = time_axis(), .parts = parts, .total_name = evil});
  read(Timeline{.title = evil, .time = time_axis(), .rows = {evil}, .slots = {{0, 0 * unit::ms, 1 * unit::ms, evil, evil}}});
  read(Comparison{.title = evil, .unit = milliseconds, .pairs = {{1 * unit::ms, 1 * unit::ms, evil, evil}}});
  read(Tornado{.title = evil, .value = time_axis(), .base = 1 * unit::ms, .swings = {{evil, evil, evil, 1 * unit::ms, 2 * unit::ms}}});
  HeatMap map = map_example();
  map.title = map.x.label = map.gap_text = evil;
  read(map);
}

}  // namespace
}  // namespace fareline::plot
