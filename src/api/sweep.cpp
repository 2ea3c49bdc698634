// SPDX-License-Identifier: Apache-2.0
#include "api/sweep.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/asking.h"
#include "api/questions.h"
#include "api/setting.h"
#include "units/elementary.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

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

std::string_view shown_by_default(std::string_view question) {
  if (question == "latency") return "latency.ttft,latency.tpot";
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
  const auto equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string where = "vary " + in_quotes(text);
  const auto wrong = [&](std::string what, std::string remedy) { return fail(where, std::move(what), std::move(remedy)); };
  if (equals == std::string_view::npos) return wrong("has no \"=\"", "write e.g. batch=1..4096");
  Varied varied;
  std::vector<std::string> known;
  for (const Input& input : question.inputs) {
    known.emplace_back(input.name);
    if (input.name == name) varied.input = &input;
  }
  if (!varied.input) {
    const std::string near = nearest_names(name, known);
    return wrong(fmt::format("{} has no input {}", question.name, in_quotes(name)),
                 near.empty() ? fmt::format("see fareline {} --help", question.name) : near);
  }
  const Input& input = *varied.input;
  std::string_view range = text.substr(equals + 1);
  const auto dots = range.find("..");
  if (!is_numeric(input.kind)) {
    if (dots != std::string_view::npos) return wrong("is a range of names", fmt::format("write them one by one: {}=first,second", name));
    varied.texts = split(range, ',');
    if (varied.texts.empty()) return wrong("has no values", fmt::format("write e.g. {}=first,second", name));
    if (static_cast<double>(varied.texts.size()) > most_points) return wrong("asks for too many points", "ask for at most 100,000");
    return varied;
  }
  if (dots == std::string_view::npos) {
    for (const std::string& part : split(range, ',')) {
      const auto value = value_of(input, part);
      if (!value) return std::unexpected(Error(value.error()).within(where));
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
    if (!first) return std::unexpected(Error(first.error()).within(where));
    if (!last) return std::unexpected(Error(last.error()).within(where));
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
        if (!count) return std::unexpected(Error(count.error()).within(where));
        points = static_cast<double>(*count);
      }
      if (points < 2 || points > most_points) return wrong("asks for no sensible number of points", "write between 2 and 100000");
      for (double i = 0; i < points; ++i) {
        const double share = i / (points - 1);
        double v = ratio ? *first * exponential(share * natural_log(*last / *first)) : *first + share * (*last - *first);
        if (i == points - 1) v = *last;
        if (input.kind == InputKind::count) v = std::floor(v + 0.5);
        if (varied.values.empty() || v > varied.values.back()) varied.values.push_back(v);
      }
    }
  }
  if (static_cast<double>(varied.values.size()) > most_points) return wrong("asks for too many points", "ask for at most 100,000");
  if (varied.values.empty()) return wrong("has no values", "write e.g. batch=1..4096");
  for (const double v : varied.values)
    if (v < input.least || v > input.most)
      return wrong(fmt::format("{} is out of range", to_text(v, input.dim)), fmt::format("see fareline {} --help", question.name));
  return varied;
}

namespace {

// Records in `base` what fareline chose at one point, so that a curve compares like with like; says what in words.
std::string hold_choices(const Inputs& at, const std::vector<Varied>& varied, Inputs& base) {
  const auto varies = [&](std::string_view name) {
    return std::any_of(varied.begin(), varied.end(), [&](const Varied& v) { return v.input->name == name; });
  };
  std::string held;
  for (const std::string_view name : {"tp", "ep", "pp", "dp", "concurrency"}) {
    if (base.has(name) || at.chosen_by(name) != "fareline" || varies(name)) continue;
    if (name == "concurrency" && (varies("batch") || varies("rate"))) continue;
    const double value = *at.number(name);
    base.choose(name, value, "fareline", "chosen once for the whole sweep");
    held += fmt::format("{}{} {}", held.empty() ? "" : ", ", name, number_text(value));
  }
  return held;
}

bool is_feasible(const Json& answer) { return !answer.contains("feasible") || answer["feasible"].get<bool>(); }

}  // namespace

Expected<Json> answer_sweep(Inputs& inputs, const Catalogue& catalogue) { return answer_sweep_watched(inputs, catalogue, {}); }

Expected<Json> answer_sweep_watched(Inputs& inputs, const Catalogue& catalogue, const Watch& watch) {
  const std::string of = inputs.text("of");
  const Question* question = question_named(of == "latency" ? "cost" : of);
  FARELINE_CHECK(question != nullptr);
  if (inputs.has("inputs") && !inputs.object("inputs"))
    return fail("inputs", "is not an object", "write {\"model\": ..., \"system\": ...}");
  auto base = Inputs::read(*question, inputs.object("inputs") ? *inputs.object("inputs") : Json::object());
  if (!base) return std::unexpected(base.error());
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
  const std::size_t columns = varied[0].size(), rows = varied.size() == 2 ? varied[1].size() : 1;
  const double points = static_cast<double>(columns) * static_cast<double>(rows);
  if (points > most_points) return fail("vary", fmt::format("asks for {} points", number_text(points)), "ask for at most 100,000");
  for (const Varied& v : varied) {
    Inputs scratch = *base;
    for (const std::string& text : v.texts)
      if (const auto set = scratch.set(v.input->name, Json(text)); !set) return std::unexpected(Error(set.error()).within("vary"));
  }
  if (inputs.text("show").empty()) inputs.choose("show", std::string(shown_by_default(of)), "default", "what is looked at first");
  const std::vector<std::string> paths = split(inputs.text("show"), ',');
  if (paths.empty()) return fail("show", "names nothing", "write paths of the answer, e.g. price.output");
  if (question->name == "cost") base->choose("explain", "none", "default", "a sweep collects numbers");
  const auto varies = [&](std::string_view name) {
    return std::any_of(varied.begin(), varied.end(), [&](const Varied& v) { return v.input->name == name; });
  };
  // Read once, not at every point.
  if (base->has("model") && !varies("model"))
    if (const auto model = model_of(*base, catalogue); !model) return std::unexpected(model.error());
  std::vector<std::string> about_calibration;
  if (base->has("system") && !varies("system") && !varies("stack") && !varies("calibration")) {
    const auto system = system_of(*base, catalogue);
    if (!system) return std::unexpected(system.error());
    const auto calibration = calibration_of(*base, catalogue, system->chip, about_calibration);
    if (!calibration) return std::unexpected(calibration.error());
  }

  struct Point {
    Inputs inputs;
    Json answered;
  };
  const auto point = [&](std::size_t column, std::size_t row) -> Expected<Point> {
    Point p{.inputs = *base, .answered = {}};
    for (std::size_t i = 0; i < varied.size(); ++i) {
      const Varied& v = varied[i];
      const std::size_t at = i == 0 ? column : row;
      if (v.texts.empty()) p.inputs.choose(v.input->name, v.values[at], "you", "");
      else if (const auto set = p.inputs.set(v.input->name, Json(v.texts[at])); !set) return std::unexpected(set.error());
    }
    auto answered = question->answer(p.inputs, catalogue);
    if (!answered) return std::unexpected(answered.error());
    p.answered = std::move(*answered);
    return p;
  };
  // What fareline chooses is chosen once, in the middle of the range, or at an end where the middle does not fit.
  auto middle = point(columns / 2, rows / 2);
  if (!middle) return std::unexpected(middle.error());
  std::string place = "the middle of the range";
  for (const auto& [column, row, name] :
       {std::tuple{std::size_t{0}, std::size_t{0}, "the start of the range"}, {columns - 1, rows - 1, "the end of the range"}}) {
    if (is_feasible(middle->answered["answer"])) break;
    auto other = point(column, row);
    if (!other) return std::unexpected(other.error());
    if (!is_feasible(other->answered["answer"])) continue;
    middle = std::move(other);
    place = name;
  }
  Json warnings = Json::array();
  for (const std::string& w : about_calibration) warnings.push_back(w);
  for (Json& w : middle->answered["warnings"]) warnings.push_back(std::move(w));
  if (!varies("model") && !varies("system")) {
    const std::string held = hold_choices(middle->inputs, varied, *base);
    if (!held.empty()) warnings.push_back(fmt::format("chosen once, for {}, and held: {}", place, held));
  }
  const auto open = [&](std::string_view name) { return !base->has(name) && !varies(name); };
  const bool chooses = question->name == "cost"
                           ? open("tp") || open("ep") || open("pp") || open("dp") || (open("concurrency") && open("batch") && open("rate"))
                           : open("tp") && open("ep") && open("pp") && open("dp");
  if (chooses && points > most_chosen_points)
    return fail("vary", fmt::format("asks for {} points that each choose a plan", number_text(points)),
                "give tp, ep, pp, dp and a concurrency, or ask for at most 1,000 points");

  struct Column {
    Json values = Json::array(), floor = Json::array(), low = Json::array(), high = Json::array();
    std::string unit;
    bool banded = false;
  };
  std::vector<Column> shown(paths.size());
  Json binders = Json::array(), reasons = Json::array();
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      if (watch && !watch(static_cast<double>(r * columns + c) / points)) return fail("sweep", "was stopped", "ask again");
      auto answered = point(c, r);
      if (!answered) return std::unexpected(answered.error());
      const Json& answer = answered->answered["answer"];
      const bool feasible = is_feasible(answer);
      for (std::size_t i = 0; i < paths.size(); ++i) {
        const Json* value = at_path(answer, paths[i]);
        if (!value && feasible)
          return fail("show", "the answer has no " + in_quotes(paths[i]),
                      "write a path of the answer, e.g. price.output or latency.tpot");
        const bool quantity = value && value->is_object() && value->contains("value");
        if (value && !quantity && !value->is_number())
          return fail("show", in_quotes(paths[i]) + " is not a number",
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
  for (const Varied& v : varied) {
    Json one{{"name", std::string(v.input->name)}, {"unit", unit_name(v.input->dim)}};
    one["values"] = v.texts.empty() ? Json(v.values) : Json(v.texts);
    answer["varied"].push_back(std::move(one));
  }
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
  return Json{{"answer", std::move(answer)}, {"explain", {{"inputs", middle->inputs.to_json()}}}, {"warnings", std::move(warnings)}};
}

}  // namespace fareline
