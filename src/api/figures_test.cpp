// SPDX-License-Identifier: Apache-2.0
#include "api/figures.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

Json answer_with(std::vector<Json> figures) { return {{"question", "balance"}, {"answer", {{"figures", std::move(figures)}}}}; }

LineFigure two_points() {
  return {.title = "Time of a step",
          .description = "Time against batch",
          .x = {.label = "Batch", .counted = "sequences", .scale = "log2"},
          .y = {.label = "Time", .unit = "s", .from_zero = true},
          .series = {{.name = "memory", .x = {1, 1024}, .y = {0.005, 0.02}},
                     {.name = "80% band", .style = "band", .x = {1, 1024}, .y = {0.004, 0.01}, .high = {0.006, 0.03}}},
          .markers = {{.vertical = true, .at = 300, .text = "balance"}},
          .regimes = {{.from = 1, .to = 300, .kind = "weights"}}};
}

TEST(Figures, CurvesAreDrawnWithAxesInTheUnitsThatFit) {
  const auto svg = plot_figures(answer_with({to_json(two_points())}));
  ASSERT_TRUE(svg) << svg.error().line();
  for (const char* text : {"Time of a step", "Time (ms)", "Batch (sequences)", "balance", "memory"})
    EXPECT_NE(svg->find(text), std::string::npos) << text;
}

TEST(Figures, AGapIsNullInTheAnswerAndNoErrorInThePicture) {
  LineFigure figure = two_points();
  figure.series[0].y[1] = std::numeric_limits<double>::quiet_NaN();
  const Json json = to_json(figure);
  EXPECT_TRUE(json["series"][0]["y"][1].is_null());
  EXPECT_TRUE(plot_figures(answer_with({json})));
}

TEST(Figures, APriceIsDrawnPerMillionTokens) {
  LineFigure figure = two_points();
  figure.y = {.label = "Price", .unit = "USD/Mtok", .from_zero = true};
  const auto svg = plot_figures(answer_with({to_json(figure)}));
  ASSERT_TRUE(svg) << svg.error().line();
  EXPECT_NE(svg->find("Price (USD/Mtok)"), std::string::npos);
}

TEST(Figures, SeveralPicturesStandBelowOneAnother) {
  const BarFigure bars{.title = "Memory of a chip",
                       .description = "What a chip keeps",
                       .value = {.label = "Memory", .unit = "B", .from_zero = true},
                       .rows = {{.name = "one stage", .parts = {{"weights", 4e9, "weights"}, {"KV", 2e9, "kv"}}}}};
  const TimelineFigure timeline{.title = "Racks against time",
                                .description = "Micro-batches through stages",
                                .time = {.label = "Time", .unit = "s"},
                                .rows = {"rack 1", "rack 2"},
                                .slots = {{0, 0, 0.01, "1", "forward"}, {1, 0.01, 0.02, "1", "forward"}}};
  const auto svg = plot_figures(answer_with({to_json(bars), to_json(timeline)}));
  ASSERT_TRUE(svg) << svg.error().line();
  for (const char* text : {"Memory of a chip", "Memory (GB)", "Racks against time", "rack 2"})
    EXPECT_NE(svg->find(text), std::string::npos) << text;
}

TEST(Figures, AnAnswerWithoutPicturesIsToldSo) {
  const auto svg = plot_figures({{"question", "balance"}, {"answer", Json::object()}});
  ASSERT_FALSE(svg);
  EXPECT_EQ(svg.error().where, "plot");
}

}  // namespace
}  // namespace fareline
