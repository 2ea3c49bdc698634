// SPDX-License-Identifier: Apache-2.0
// Pictures as data: an answer carries them under "figures", so that a page draws what the command line writes as SVG.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "plot/axis.h"
#include "units/error.h"

namespace fareline {

// The unit a picture writes for a unit of answers ("s", "USD/Mtok", "1"), with the prefix that fits `largest` (coherent).
plot::Unit answer_unit(const std::string& unit, double largest);
// Coherent units in one of an answer's unit: answers give prices per million tokens.
double answer_factor(const std::string& unit);
// The numbers of an answer's list times `factor`; NaN where one is null.
std::vector<double> coherent(const nlohmann::ordered_json& values, double factor);

struct FigureAxis {
  std::string label, unit = "1";     // the unit as answers write it; of a pure number "1"
  std::string counted = {};          // what a pure number counts: "sequences"
  std::string scale = "linear";      // linear, log2, log10
  bool from_zero = false;
};

struct FigureSeries {
  std::string name;
  std::string style = "estimate";    // estimate, floor, band, points, step
  std::vector<double> x, y;          // in the axes' units; NaN in y is a gap
  std::vector<double> high = {};     // of a band, whose low end is y
  int colour = 0;
};

struct FigureMarker {
  bool vertical = true;
  double at = 0;                     // in its axis' unit
  std::string text;
};

struct FigureRegime {
  double from = 0, to = 0;
  std::string kind;                  // what binds there: "weights", "kv", "flops", ...
};

// Curves over one x axis.
struct LineFigure {
  std::string title, subtitle = {}, description;
  FigureAxis x, y;
  std::vector<FigureSeries> series;
  std::vector<FigureMarker> markers = {};
  std::vector<FigureRegime> regimes = {};
};
nlohmann::ordered_json to_json(const LineFigure& figure);

// Rows of bars, each of parts set end to end.
struct BarFigure {
  struct Part {
    std::string name;
    double amount = 0;
    std::string kind;                // its colour: a binder's name, or what a legend shall say
  };
  struct Row {
    std::string name;
    std::vector<Part> parts;
  };
  std::string title, subtitle = {}, description;
  FigureAxis value;
  std::vector<Row> rows;
};
nlohmann::ordered_json to_json(const BarFigure& figure);

// Rows (racks, stages, chips) against time, a cell for each piece of work.
struct TimelineFigure {
  struct Slot {
    std::size_t row = 0;
    double start = 0, end = 0;
    std::string text = {}, kind;
  };
  std::string title, subtitle = {}, description;
  FigureAxis time;
  std::vector<std::string> rows;
  std::vector<Slot> slots;
};
nlohmann::ordered_json to_json(const TimelineFigure& figure);

// Returns the pictures of an answer, one below the other, as SVG. Errors: an answer without pictures; what drawing refuses.
Expected<std::string> plot_figures(const nlohmann::ordered_json& answered);

}  // namespace fareline
