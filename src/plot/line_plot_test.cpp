// SPDX-License-Identifier: Apache-2.0
#include "plot/line_plot.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "plot/frame.h"
#include "plot/xml_reader.h"

namespace fareline::plot {
namespace {

std::vector<Element> read(const Figure& figure) {
  const std::string text = document(figure);
  XmlReader reader(text);
  const auto elements = reader.read();
  EXPECT_TRUE(elements) << "not well formed at byte " << reader.byte() << ": " << text.substr(reader.byte(), 60);
  return elements.value_or(std::vector<Element>{});
}

const double none = std::nan("");

LinePlot example() {
  const std::vector<double> batch{1, 2, 4, 8, 16};
  const Unit ms = unit_of("ms", unit::ms);
  const auto time = [](std::vector<double> values) { return Values(Seconds::dim, std::move(values)); };
  return {.title = "Decode", .x = {.label = "Batch", .unit = counted("requests"), .scale = Scale::log2},
          .y = {.label = "Time per output token", .unit = ms, .scale = Scale::log10},
          .series = {{"estimate", Style::estimate, Values(batch), time({.007, .008, .009, .012, none})},
                     {"floor", Style::floor, Values(batch), time({.005, .0055, .006, .009, .02})},
                     {"80% band", Style::band, Values(batch), time({.006, .007, .008, .01, none}), time({.009, .01, .012, .016, none})}},
          .regimes = {{1, 4, "weights"}, {4, 8, "kv"}, {8, 8.2, "flops"}},
          .markers = {{Marker::Line::horizontal, 10 * unit::ms, "100 tok/s"}, {Marker::Line::vertical, 4, "asked"}}};
}

bool says(const std::vector<Element>& elements, std::string_view text) {
  return std::ranges::any_of(elements, [&](const Element& e) { return e.name == "text" && e.text == text; });
}
std::vector<Element> with_class(const std::vector<Element>& elements, std::string_view name) {
  std::vector<Element> found;
  std::ranges::copy_if(elements, std::back_inserter(found), [&](const Element& e) { return e.has_class(name); });
  return found;
}
Element frame_of(const std::vector<Element>& elements) {
  const auto found = std::ranges::find_if(elements, [](const Element& e) { return e.name == "rect" && e.has_class("frame"); });
  EXPECT_NE(found, elements.end());
  return found == elements.end() ? Element{} : *found;
}
void expect_inside(const std::vector<Element>& elements) {
  const Element frame = frame_of(elements);
  const double x0 = frame.number("x"), y0 = frame.number("y"), x1 = x0 + frame.number("width"), y1 = y0 + frame.number("height");
  const auto inside = [&](double x, double y) { return x >= x0 - .02 && x <= x1 + .02 && y >= y0 - .02 && y <= y1 + .02; };
  for (const Element& e : with_class(elements, "series")) {
    for (const auto& [x, y] : e.points()) EXPECT_TRUE(inside(x, y)) << x << "," << y;
    if (e.name == "circle") {
      EXPECT_TRUE(inside(e.number("cx"), e.number("cy")));
    }
    if (e.name == "rect") {
      EXPECT_TRUE(inside(e.number("x"), e.number("y")));
    }
  }
}

TEST(LinePlot, the_document_is_well_formed_titled_and_described) {
  const auto elements = read(*draw(example()));
  ASSERT_GT(elements.size(), 3u);
  EXPECT_EQ(elements[0].attributes.at("role"), "img");
  EXPECT_EQ(elements[1].name, "title");
  EXPECT_EQ(elements[1].text, "Decode");
  EXPECT_EQ(elements[2].name, "desc");
  EXPECT_NE(elements[2].text.find("Time per output token (ms) against Batch (requests)"), std::string::npos);
  EXPECT_EQ(elements[0].attributes.at("aria-labelledby"), elements[1].attributes.at("id") + " " + elements[2].attributes.at("id"));
}

TEST(LinePlot, both_axes_carry_their_unit) {
  const auto elements = read(*draw(example()));
  EXPECT_TRUE(says(elements, "Batch (requests)"));
  EXPECT_TRUE(says(elements, "Time per output token (ms)"));
}

TEST(LinePlot, the_same_plot_is_the_same_text_to_the_byte_and_another_has_other_ids) {
  EXPECT_EQ(document(*draw(example())), document(*draw(example())));
  LinePlot other = example();
  other.series[0].y.coherent[0] = .0071;
  EXPECT_NE(read(*draw(example()))[1].attributes.at("id"), read(*draw(other))[1].attributes.at("id"));
}

TEST(LinePlot, every_value_of_a_series_lies_inside_the_frame) {
  expect_inside(read(*draw(example())));
  EXPECT_TRUE(rc::check([] {
    const auto counts = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 1'000'000)));
    std::vector<double> x, y;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      x.push_back(static_cast<double>(i + 1));
      y.push_back(counts[i] * 1e-6);
    }
    LinePlot plot{.title = "", .x = {.label = "n", .unit = counted("n"), .scale = *rc::gen::element(Scale::linear, Scale::log2)},
                  .y = {.label = "t", .unit = unit_of("s", unit::s), .scale = *rc::gen::element(Scale::linear, Scale::log10)}};
    const Style style = *rc::gen::element(Style::estimate, Style::points, Style::step);
    plot.series = {{"s", style, Values(x), Values(Seconds::dim, y)}};
    const auto figure = draw(plot);
    RC_ASSERT(figure.has_value());
    expect_inside(read(*figure));
    RC_ASSERT(!testing::Test::HasFailure());
  }));
}

TEST(LinePlot, the_floor_is_drawn_before_the_estimate_and_dashed) {
  const auto series = with_class(read(*draw(example())), "series");
  const auto index = [&](std::string_view name) {
    return std::ranges::find_if(series, [&](const Element& e) { return e.has_class(name); }) - series.begin();
  };
  ASSERT_LT(index("floor"), static_cast<std::ptrdiff_t>(series.size()));
  EXPECT_LT(index("band"), index("floor"));
  EXPECT_LT(index("floor"), index("line"));
  EXPECT_NE(document(*draw(example())).find(".floor{fill:none;stroke-width:1.2px;stroke-dasharray"), std::string::npos);
}

TEST(LinePlot, a_higher_value_stands_higher_and_a_later_one_further_right) {
  const auto elements = read(*draw(example()));
  const auto lines = with_class(elements, "line");
  const auto estimate = std::ranges::find_if(lines, [](const Element& e) { return e.name == "polyline"; })->points();
  ASSERT_EQ(estimate.size(), 4u);
  for (std::size_t i = 1; i < estimate.size(); ++i) {
    EXPECT_GT(estimate[i].first, estimate[i - 1].first);
    EXPECT_LT(estimate[i].second, estimate[i - 1].second);
  }
  // Batch doubles at each point, so on a log2 axis the steps are equal.
  EXPECT_NEAR(estimate[1].first - estimate[0].first, estimate[3].first - estimate[2].first, 0.02);
}

TEST(LinePlot, a_regime_is_named_above_the_frame_or_where_it_is_narrow_in_the_legend) {
  const auto elements = read(*draw(example()));
  for (const char* kind : {"weights", "kv", "flops"}) EXPECT_TRUE(says(elements, kind)) << kind;
  const auto legend = with_class(elements, "legend");
  EXPECT_TRUE(std::ranges::any_of(legend, [](const Element& e) { return e.text == "flops"; }));
  EXPECT_FALSE(std::ranges::any_of(legend, [](const Element& e) { return e.text == "weights"; }));
}

TEST(LinePlot, where_nothing_fits_the_line_stops_and_the_stretch_is_hatched_and_said) {
  const auto elements = read(*draw(example()));
  EXPECT_TRUE(says(elements, "does not fit"));
  EXPECT_FALSE(with_class(elements, "void").empty());
  LinePlot whole = example();
  whole.series[0].y.coherent[4] = .03;
  EXPECT_TRUE(with_class(read(*draw(whole)), "void").empty());
}

TEST(LinePlot, text_is_escaped_and_broken_utf8_replaced) {
  LinePlot plot = example();
  plot.title = "a <b> & \"c\" \x01 \xff é";
  plot.series[0].name = "<script>alert(1)</script>";
  const std::string text = document(*draw(plot));
  EXPECT_EQ(text.find("<script"), std::string::npos);
  EXPECT_EQ(read(*draw(plot))[1].text, "a <b> & \"c\" \xEF\xBF\xBD \xEF\xBF\xBD é");
}

TEST(LinePlot, without_data_it_says_so_and_a_single_point_is_a_mark) {
  LinePlot plot = example();
  plot.regimes = {};
  plot.markers = {};
  plot.series = {};
  EXPECT_TRUE(says(read(*draw(plot)), "no data"));
  plot.series = {{"estimate", Style::estimate, Values(std::vector<double>{64}), Values(Seconds::dim, {0.02})}};
  const auto elements = read(*draw(plot));
  EXPECT_EQ(with_class(elements, "series").size(), 1u);
  expect_inside(elements);
  plot.series[0].y.coherent[0] = none;
  EXPECT_TRUE(says(read(*draw(plot)), "does not fit"));
}

TEST(LinePlot, wrong_input_is_refused_by_name) {
  const auto refused = [](LinePlot plot, std::string_view part) {
    const auto figure = draw(plot);
    ASSERT_FALSE(figure) << part;
    EXPECT_NE(figure.error().line().find(part), std::string::npos) << figure.error().line();
    EXPECT_FALSE(figure.error().remedy.empty());
  };
  LinePlot plot = example();
  plot.series[0].y.coherent[1] = 0;
  refused(plot, "log axis");
  plot = example();
  plot.series[0].y.dim = Bytes::dim;
  refused(plot, "series \"estimate\": y is not in the dimension");
  plot = example();
  plot.series[1].y.coherent.pop_back();
  refused(plot, "series \"floor\": y has 4 values and x has 5");
  plot = example();
  plot.series[2].high = {};
  refused(plot, "series \"80% band\": high has 0 values");
  plot = example();
  plot.series[0].x.coherent[0] = none;
  refused(plot, "an x is missing");
  plot = example();
  plot.series[0].y.coherent[0] = HUGE_VAL;
  refused(plot, "infinite");
  plot = example();
  plot.width = 20;
  refused(plot, "size");
  plot = example();
  plot.markers[0].at = 10.0;
  refused(plot, "marker \"100 tok/s\": it is in 1, its axis is in ms");
  plot = example();
  plot.regimes[0].from = 1 * unit::s;
  refused(plot, "regime \"weights\"");
  plot = example();
  plot.markers[0].at = -1 * unit::ms;
  refused(plot, "log axis");
}

TEST(LinePlot, thinning_keeps_the_ends_and_the_extremes_of_every_pixel_column) {
  EXPECT_TRUE(rc::check([] {
    const auto heights = *rc::gen::container<std::vector<int>>(500, rc::gen::inRange(0, 1000));
    std::vector<Point> points;
    for (std::size_t i = 0; i < heights.size(); ++i)
      points.push_back({static_cast<double>(i) * 0.1, heights[i] == 0 ? none : static_cast<double>(heights[i])});
    const auto kept = thinned(points, 10);
    RC_ASSERT(std::ranges::is_sorted(kept));
    RC_ASSERT(kept.front() == 0u && kept.back() == points.size() - 1);
    for (int column = 0; column < 50; ++column) {
      double low = 1e9, high = -1e9, low_kept = 1e9, high_kept = -1e9;
      const auto here = [&](std::size_t i) { return !std::isnan(points[i].y) && static_cast<int>(std::floor(points[i].x)) == column; };
      for (std::size_t i = 0; i < points.size(); ++i)
        if (here(i)) { low = std::min(low, points[i].y); high = std::max(high, points[i].y); }
      for (const std::size_t i : kept)
        if (here(i)) { low_kept = std::min(low_kept, points[i].y); high_kept = std::max(high_kept, points[i].y); }
      RC_ASSERT(low == low_kept && high == high_kept);
    }
  }));
}

TEST(LinePlot, a_hundred_thousand_points_are_a_small_file) {
  std::vector<double> x, y;
  for (int i = 0; i < 100'000; ++i) {
    x.push_back(i);
    y.push_back((i * 7919) % 1000);
  }
  LinePlot plot{.title = "Queue", .x = {.label = "n", .unit = counted("requests")}, .y = {.label = "q", .unit = counted("requests")}};
  plot.series = {{"queue", Style::estimate, Values(x), Values(y)}};
  EXPECT_LT(document(*draw(plot)).size(), 60'000u);
}

TEST(LinePlot, labels_spread_apart_keep_their_order_and_their_bounds) {
  EXPECT_TRUE(rc::check([] {
    const auto wanted_int = *rc::gen::container<std::vector<int>>(*rc::gen::inRange<std::size_t>(1, 8), rc::gen::inRange(-50, 350));
    const std::vector<double> wanted(wanted_int.begin(), wanted_int.end());
    const auto places = spread(wanted, 15, 0, 300);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      RC_ASSERT(places[i] >= -1e-6 && places[i] <= 300 + 1e-6);
      for (std::size_t j = 0; j < wanted.size(); ++j) {
        if (i != j) RC_ASSERT(std::fabs(places[i] - places[j]) >= 15 - 1e-6);
        if (wanted[i] < wanted[j]) RC_ASSERT(places[i] < places[j]);
      }
    }
  }));
}

TEST(LinePlot, few_lines_are_named_at_their_ends_and_many_in_the_legend) {
  LinePlot plot = example();
  plot.series.resize(2);
  plot.regimes = {};
  plot.series[0].y.coherent[4] = .03;
  auto elements = read(*draw(plot));
  auto labels = with_class(elements, "label");
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0].text, "estimate");
  EXPECT_LT(labels[0].number("y"), labels[1].number("y"));
  EXPECT_TRUE(with_class(elements, "legend").empty());
  const Series first = plot.series[0];
  for (int k = 2; k < 9; ++k) plot.series.push_back({"line " + std::to_string(k), Style::estimate, first.x, first.y, {}, k});
  elements = read(*draw(plot));
  EXPECT_TRUE(with_class(elements, "label").empty());
  EXPECT_EQ(with_class(elements, "legend").size(), 9u);
  EXPECT_FALSE(with_class(elements, "dashed").empty());  // the eighth line shares its colour with the first, not its dashes
}

TEST(StackedPlots, frames_are_aligned_over_one_x_axis_that_is_labelled_once) {
  LinePlot price = example();
  price.series.resize(1);
  price.series[0].x = Values(std::vector<double>{1, 2, 4, 8, 64});
  const auto figure = draw(StackedPlots{"Both", "", "", {example(), price}});
  ASSERT_TRUE(figure);
  const auto elements = read(*figure);
  std::vector<Element> frames;
  for (const Element& e : elements)
    if (e.name == "rect" && e.has_class("frame")) frames.push_back(e);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].number("x"), frames[1].number("x"));
  EXPECT_EQ(frames[0].number("width"), frames[1].number("width"));
  EXPECT_GT(frames[1].number("y"), frames[0].number("y") + frames[0].number("height"));
  EXPECT_EQ(std::ranges::count_if(elements, [](const Element& e) { return e.text == "Batch (requests)"; }), 1);
}

TEST(StackedPlots, x_axes_that_differ_are_refused) {
  LinePlot other = example();
  other.x.scale = Scale::linear;
  EXPECT_FALSE(draw(StackedPlots{"Both", "", "", {example(), other}}));
  EXPECT_FALSE(draw(StackedPlots{"None", "", "", {}}));
}

}  // namespace
}  // namespace fareline::plot
