// SPDX-License-Identifier: Apache-2.0
#include "api/figures.h"

#include <cmath>

#include <nlohmann/json.hpp>

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const FigureAxis& axis) {
  Json j{{"label", axis.label}, {"unit", axis.unit}, {"scale", axis.scale}};
  if (!axis.counted.empty()) j["counted"] = axis.counted;
  if (axis.from_zero) j["from_zero"] = true;
  return j;
}

// A gap is null: JSON has no NaN.
Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double v : values) list.push_back(std::isfinite(v) ? Json(v) : Json(nullptr));
  return list;
}

Json headed(const char* kind, const std::string& title, const std::string& subtitle, const std::string& description) {
  Json j{{"kind", kind}, {"title", title}};
  if (!subtitle.empty()) j["subtitle"] = subtitle;
  j["description"] = description;
  return j;
}

}  // namespace

Json to_json(const LineFigure& figure) {
  Json j = headed("lines", figure.title, figure.subtitle, figure.description);
  j["x"] = to_json(figure.x);
  j["y"] = to_json(figure.y);
  j["series"] = Json::array();
  for (const FigureSeries& s : figure.series) {
    Json one{{"name", s.name}, {"style", s.style}, {"x", numbers(s.x)}, {"y", numbers(s.y)}};
    if (!s.high.empty()) one["high"] = numbers(s.high);
    one["colour"] = s.colour;
    j["series"].push_back(std::move(one));
  }
  for (const FigureMarker& m : figure.markers) j["markers"].push_back({{"vertical", m.vertical}, {"at", m.at}, {"text", m.text}});
  for (const FigureRegime& r : figure.regimes) j["regimes"].push_back({{"from", r.from}, {"to", r.to}, {"kind", r.kind}});
  return j;
}

Json to_json(const BarFigure& figure) {
  Json j = headed("bars", figure.title, figure.subtitle, figure.description);
  j["value"] = to_json(figure.value);
  j["rows"] = Json::array();
  for (const BarFigure::Row& row : figure.rows) {
    Json parts = Json::array();
    for (const BarFigure::Part& part : row.parts) parts.push_back({{"name", part.name}, {"amount", part.amount}, {"kind", part.kind}});
    j["rows"].push_back({{"name", row.name}, {"parts", std::move(parts)}});
  }
  return j;
}

Json to_json(const TimelineFigure& figure) {
  Json j = headed("timeline", figure.title, figure.subtitle, figure.description);
  j["time"] = to_json(figure.time);
  j["rows"] = figure.rows;
  j["slots"] = Json::array();
  for (const TimelineFigure::Slot& s : figure.slots) {
    Json one{{"row", s.row}, {"start", s.start}, {"end", s.end}};
    if (!s.text.empty()) one["text"] = s.text;
    one["kind"] = s.kind;
    j["slots"].push_back(std::move(one));
  }
  return j;
}

}  // namespace fareline
