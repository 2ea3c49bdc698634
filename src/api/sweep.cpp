// SPDX-License-Identifier: Apache-2.0
#include "api/sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/questions.h"
#include "units/elementary.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

const Question* question_named(std::string_view name) {
  for (const Question& row : questions())
    if (row.name == name) return &row;
  return nullptr;
}

Expected<double> value_of(const Input& input, std::string_view text) {
  if (input.kind != InputKind::count) return parse_quantity(text, input.dim);
  const auto count = parse_count(text);
  if (!count) return std::unexpected(count.error());
  return static_cast<double>(*count);
}

// The member of `answer` at a dotted path, null where there is none.
const Json* at_path(const Json& answer, std::string_view path) {
  const Json* here = &answer;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string key(path.substr(0, dot));
    if (!here->is_object() || !here->contains(key)) return nullptr;
    here = &(*here)[key];
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  return here;
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find(by);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return parts;
}

Json input_value(const Input& input, double value) {
  if (input.kind == InputKind::quantity) return fmt::format("{} {}", value, unit_name(input.dim));
  return value;
}

std::string_view shown_by_default(std::string_view question) {
  if (question == "cost") return "price.output,latency.tpot";
  if (question == "step") return "time";
  return "chip.largest_batch";
}

// The first binder of an answer: of the decode passes of a cost, of the pass of a step.
std::string binder_of(const Json& answer) {
  const Json* capacity = at_path(answer, "bound.capacity.share");
  if (capacity && capacity->get<double>() > 0.999) return "capacity";
  const Json* bound = at_path(answer, "bound.decode");
  if (!bound) bound = at_path(answer, "bound");
  if (!bound || !bound->is_object() || bound->empty()) return {};
  return bound->begin().key();
}

}  // namespace

Expected<Varied> parse_varied(std::string_view text, const Question& question) {
  const std::string where(text.substr(0, 60));
  const auto wrong = [&](std::string what, std::string remedy) { return fail("vary " + where, std::move(what), std::move(remedy)); };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return wrong("has no \"=\"", "write e.g. batch=1..4096");
  const std::string_view name = text.substr(0, equals);
  Varied varied;
  std::vector<std::string> numeric;
  for (const Input& input : question.inputs) {
    const bool varies = input.kind == InputKind::count || input.kind == InputKind::number || input.kind == InputKind::quantity;
    if (varies) numeric.emplace_back(input.name);
    if (input.name == name && varies) varied.input = &input;
  }
  if (!varied.input)
    return wrong(fmt::format("{} has no input \"{}\" that is a number", question.name, name.substr(0, 40)), nearest_names(name, numeric));
  const Input& input = *varied.input;
  std::string_view range = text.substr(equals + 1);
  const auto dots = range.find("..");
  if (dots == std::string_view::npos) {
    for (const std::string& part : split(range, ',')) {
      const auto value = value_of(input, part);
      if (!value) return std::unexpected(Error(value.error()).within("vary " + where));
      varied.values.push_back(*value);
    }
  } else {
    std::vector<std::string> parts = split(range.substr(dots + 2), ':');
    bool linear = false;
    if (parts.size() > 1 && parts.back() == "linear") {
      linear = true;
      parts.pop_back();
    }
    if (parts.empty() || parts.size() > 2)
      return wrong("is not a range", "write first..last, first..last:points or first..last:points:linear");
    const auto first = value_of(input, range.substr(0, dots)), last = value_of(input, parts[0]);
    if (!first) return std::unexpected(Error(first.error()).within("vary " + where));
    if (!last) return std::unexpected(Error(last.error()).within("vary " + where));
    if (!(*first < *last)) return wrong("runs backwards or nowhere", "write the smaller end first");
    const bool ratio = !linear && *first > 0;
    const bool powers = input.kind == InputKind::count && ratio && parts.size() == 1;
    if (powers) {
      double p = 1;
      while (p < *first) p *= 2;
      if (p > *first) varied.values.push_back(*first);
      for (; p <= *last; p *= 2) varied.values.push_back(p);
      if (varied.values.back() < *last) varied.values.push_back(*last);
    } else {
      double points = 17;
      if (parts.size() == 2) {
        const auto count = parse_count(parts[1]);
        if (!count) return std::unexpected(Error(count.error()).within("vary " + where));
        points = static_cast<double>(*count);
      }
      if (points < 2 || points > 100000) return wrong("asks for no sensible number of points", "write between 2 and 100000");
      for (double i = 0; i < points; ++i) {
        const double share = i / (points - 1);
        double v = ratio ? *first * exponential(share * natural_log(*last / *first)) : *first + share * (*last - *first);
        if (i == points - 1) v = *last;
        if (input.kind == InputKind::count) v = std::floor(v + 0.5);
        if (varied.values.empty() || v > varied.values.back()) varied.values.push_back(v);
      }
    }
  }
  if (varied.values.empty()) return wrong("has no values", "write e.g. batch=1..4096");
  for (const double v : varied.values)
    if (v < input.least || v > input.most)
      return wrong(fmt::format("{} is out of range", to_text(v, input.dim)), fmt::format("see fareline {} --help", question.name));
  return varied;
}

Expected<Json> answer_sweep(Inputs& inputs, const Catalogue& catalogue) {
  const std::string of = inputs.text("of");
  const Question* question = question_named(of);
  FARELINE_CHECK(question != nullptr);
  Json base = inputs.object("inputs") ? *inputs.object("inputs") : Json::object();
  const std::vector<std::string> texts = split(inputs.text("vary"), ' ');
  if (texts.empty()) return fail("vary", "is missing", "give e.g. --vary batch=1..4096");
  if (texts.size() > 2) return fail("vary", fmt::format("names {} inputs", texts.size()), "vary one or two");
  std::vector<Varied> varied;
  for (const std::string& text : texts) {
    auto one = parse_varied(text, *question);
    if (!one) return std::unexpected(one.error());
    varied.push_back(std::move(*one));
  }
  if (texts.size() == 2 && varied[0].input == varied[1].input) return fail("vary", "names one input twice", "vary two different ones");
  const std::size_t columns = varied[0].values.size(), rows = varied.size() == 2 ? varied[1].values.size() : 1;
  if (columns * rows > 100000) return fail("vary", fmt::format("asks for {} points", columns * rows), "ask for at most 100,000");
  if (inputs.text("show").empty()) inputs.choose("show", std::string(shown_by_default(of)), "default", "what is looked at first");
  const std::vector<std::string> paths = split(inputs.text("show"), ',');

  const auto point = [&](double x, double y) {
    Json at = base;
    at[std::string(varied[0].input->name)] = input_value(*varied[0].input, x);
    if (varied.size() == 2) at[std::string(varied[1].input->name)] = input_value(*varied[1].input, y);
    return ask(Json{{"question", of}, {"inputs", std::move(at)}}, catalogue);
  };
  // What fareline chooses is chosen once, in the middle of the range, and held: a curve compares like with like.
  auto middle = point(varied[0].values[columns / 2], varied.size() == 2 ? varied[1].values[rows / 2] : 0);
  if (!middle) return std::unexpected(middle.error());
  Json warnings = (*middle)["warnings"];
  std::string held;
  for (const auto& [name, value] : (*middle)["inputs"].items()) {
    const bool varies =
        std::any_of(varied.begin(), varied.end(), [&, n = std::string_view(name)](const Varied& v) { return v.input->name == n; });
    if (varies || value["chosen_by"] != "fareline" || !value["value"].is_number()) continue;
    const bool demand = name == "concurrency";
    const bool demand_varies = std::any_of(varied.begin(), varied.end(), [](const Varied& v) {
      return v.input->name == "batch" || v.input->name == "rate" || v.input->name == "concurrency";
    });
    if (demand && demand_varies) continue;
    base[name] = value["value"];
    held += fmt::format("{}{} {}", held.empty() ? "" : ", ", name, number_text(value["value"].get<double>()));
  }
  if (!held.empty()) warnings.push_back(fmt::format("chosen once, for the middle of the range, and held: {}", held));

  struct Column {
    Json values = Json::array(), floor = Json::array(), low = Json::array(), high = Json::array();
    std::string unit;
    bool banded = false;
  };
  std::vector<Column> shown(paths.size());
  Json binders = Json::array(), reasons = Json::array();
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      auto answered = point(varied[0].values[c], varied.size() == 2 ? varied[1].values[r] : 0);
      if (!answered) return std::unexpected(answered.error());
      const Json& answer = (*answered)["answer"];
      const bool feasible = !answer.contains("feasible") || answer["feasible"].get<bool>();
      for (std::size_t i = 0; i < paths.size(); ++i) {
        const Json* value = at_path(answer, paths[i]);
        if (!value && feasible)
          return fail("show", fmt::format("the answer has no \"{}\"", paths[i].substr(0, 60)),
                      "write a path of the answer, e.g. price.output or latency.tpot");
        const bool quantity = value && value->is_object() && value->contains("value");
        if (value && !quantity && !value->is_number())
          return fail("show", fmt::format("\"{}\" is not a number", paths[i].substr(0, 60)),
                      "write a path of the answer, e.g. price.output");
        Column& column = shown[i];
        const auto member = [&](std::string_view key) -> Json {
          return quantity && value->contains(std::string(key)) ? (*value)[std::string(key)] : Json(nullptr);
        };
        column.values.push_back(quantity ? (*value)["value"] : value ? *value : Json(nullptr));
        column.floor.push_back(quantity && value->contains("ceiling") ? (*value)["ceiling"] : member("floor"));
        column.low.push_back(member("low"));
        column.high.push_back(member("high"));
        if (quantity) column.unit = (*value)["unit"].get<std::string>();
        column.banded = column.banded || (quantity && value->contains("low"));
      }
      binders.push_back(feasible ? binder_of(answer) : std::string());
      reasons.push_back(feasible ? Json(nullptr) : answer["reason"]);
    }
  }
  Json answer;
  answer["of"] = of;
  answer["varied"] = Json::array();
  for (const Varied& v : varied)
    answer["varied"].push_back({{"name", std::string(v.input->name)}, {"unit", unit_name(v.input->dim)}, {"values", v.values}});
  answer["columns"] = Json::array();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    Json column{{"name", paths[i]}, {"unit", shown[i].unit.empty() ? "1" : shown[i].unit}, {"values", shown[i].values}};
    if (shown[i].banded) {
      column["floor"] = shown[i].floor;
      column["low"] = shown[i].low;
      column["high"] = shown[i].high;
    }
    answer["columns"].push_back(std::move(column));
  }
  answer["bound"] = std::move(binders);
  answer["infeasible"] = std::move(reasons);
  return Json{{"answer", std::move(answer)}, {"explain", {{"inputs", (*middle)["inputs"]}}}, {"warnings", std::move(warnings)}};
}

}  // namespace fareline
