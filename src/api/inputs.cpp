// SPDX-License-Identifier: Apache-2.0
#include "api/inputs.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return parts;
}

Expected<double> number_of(const Input& input, const Json& value) {
  const std::string where(input.name);
  double number = 0;
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    if (input.kind == InputKind::count) {
      const auto count = parse_count(text);
      if (!count) return std::unexpected(Error(count.error()).within(where));
      number = static_cast<double>(*count);
    } else {
      const auto parsed = parse_quantity(text, input.dim);
      if (!parsed) return std::unexpected(Error(parsed.error()).within(where));
      number = *parsed;
    }
  } else if (value.is_number()) {
    number = value.get<double>();
    if (input.kind == InputKind::quantity) {
      const auto unitless = parse_quantity(fmt::format("{}", number), input.dim);
      return std::unexpected(Error(unitless.error()).within(where));
    }
    if (input.kind == InputKind::count && number != std::floor(number))
      return fail(where, fmt::format("{} is not a whole number", number), "write a whole number, e.g. 64");
  } else {
    return fail(where, "is neither a number nor text",
                input.kind == InputKind::quantity ? "write a number with a unit as text, e.g. \"50 ms\"" : "write a number");
  }
  if (!std::isfinite(number)) return fail(where, "is not finite", "write a finite number");
  if (number < input.least || number > input.most) {
    const std::string bounds = input.most >= 0x1p53
                                   ? fmt::format("at least {}", to_text(input.least, input.dim))
                                   : fmt::format("between {} and {}", to_text(input.least, input.dim), to_text(input.most, input.dim));
    return fail(where, fmt::format("{} is out of range", to_text(number, input.dim)), fmt::format("write a value of {}", bounds));
  }
  return number;
}

}  // namespace

const Input* Inputs::row(std::string_view name) const {
  for (const Input& input : question_->inputs)
    if (input.name == name) return &input;
  return nullptr;
}

const Inputs::Value* Inputs::find(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &it->second;
}

Expected<void> Inputs::set(std::string_view name, const Json& value) {
  const Input* input = row(name);
  if (!input) {
    std::vector<std::string> known;
    for (const Input& i : question_->inputs) known.emplace_back(i.name);
    const std::string near = nearest_names(name, known);
    return fail(in_quotes(name), fmt::format("{} has no such input", question_->name),
                near.empty() ? fmt::format("see fareline {} --help", question_->name) : near);
  }
  Value v{.input = input, .by = "you"};
  if (is_numeric(input->kind)) {
    const auto number = number_of(*input, value);
    if (!number) return std::unexpected(number.error());
    v.number = *number;
  } else if (input->kind == InputKind::model && value.is_object()) {
    v.object = value;
    v.text = value.contains("name") && value["name"].is_string() ? value["name"].get<std::string>() : "config.json";
  } else if (input->kind == InputKind::document && value.is_structured()) {
    v.object = value;
    v.text = value.is_object() && value.contains("name") && value["name"].is_string() ? value["name"].get<std::string>() : "as given";
  } else if (value.is_string()) {
    v.text = value.get<std::string>();
    if (input->kind == InputKind::choice) {
      const auto known = split(input->choices);
      if (std::find(known.begin(), known.end(), v.text) == known.end()) {
        std::string all;
        for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
        return fail(std::string(input->name), fmt::format("{} is not a choice", in_quotes(v.text)),
                    fmt::format("write one of {}", all));
      }
    }
  } else {
    return fail(std::string(input->name), "is not text", "write its name in quotes");
  }
  if (input->kind == InputKind::model) model_.reset();
  values_.insert_or_assign(std::string(name), std::move(v));
  return {};
}

Expected<Inputs> Inputs::read(const Question& question, const Json& given) {
  Inputs inputs;
  inputs.question_ = &question;
  if (!given.is_object()) return fail("inputs", "is not an object", "write {\"name\": value, ...}");
  for (const auto& [name, value] : given.items()) {
    if (const auto set = inputs.set(name, value); !set) return std::unexpected(set.error());
  }
  for (const Input& input : question.inputs) {
    if (input.value.empty() || inputs.has(input.name)) continue;
    const auto set = inputs.set(input.name, Json(std::string(input.value)));
    FARELINE_CHECK(set.has_value());
    Value& v = inputs.values_.find(input.name)->second;
    v.by = "default";
    v.source = input.reason;
  }
  return inputs;
}

std::string_view Inputs::chosen_by(std::string_view name) const {
  const Value* v = find(name);
  return v ? std::string_view(v->by) : std::string_view();
}

bool Inputs::given(std::string_view name) const { return chosen_by(name) == "you"; }

std::optional<double> Inputs::number(std::string_view name) const {
  const Input* input = row(name);
  if (!input) return std::nullopt;
  FARELINE_CHECK(is_numeric(input->kind));
  const Value* v = find(name);
  return v ? std::optional<double>(v->number) : std::nullopt;
}

std::optional<int> Inputs::count(std::string_view name) const {
  const auto value = number(name);
  return value ? std::optional<int>(static_cast<int>(std::min(*value, 2147483647.0))) : std::nullopt;
}

std::string Inputs::text(std::string_view name) const {
  const Value* v = find(name);
  return v ? v->text : std::string();
}

const Json* Inputs::object(std::string_view name) const {
  const Value* v = find(name);
  return v && v->object.is_structured() ? &v->object : nullptr;
}

void Inputs::choose(std::string_view name, double value, std::string_view by, std::string source) {
  const Input* input = row(name);
  if (!input) return;
  Value v{.input = input, .number = value, .by = std::string(by), .source = std::move(source)};
  values_.insert_or_assign(std::string(name), std::move(v));
}

void Inputs::choose(std::string_view name, std::string value, std::string_view by, std::string source) {
  const Input* input = row(name);
  if (!input) return;
  Value v{.input = input, .text = std::move(value), .by = std::string(by), .source = std::move(source)};
  values_.insert_or_assign(std::string(name), std::move(v));
}

void Inputs::leave_out(std::string_view name) {
  const auto it = values_.find(name);
  if (it != values_.end() && it->second.by != "you") values_.erase(it);
}

Json Inputs::to_json() const {
  Json all = Json::object();
  for (const Input& input : question_->inputs) {
    const Value* v = find(input.name);
    if (!v) continue;
    Json one;
    if (is_numeric(input.kind)) {
      one["value"] = v->number;
      one["unit"] = unit_name(input.dim);
    } else {
      one["value"] = v->text;
    }
    one["chosen_by"] = v->by;
    if (!v->source.empty()) one["source"] = v->source;
    all[std::string(input.name)] = std::move(one);
  }
  return all;
}

}  // namespace fareline
