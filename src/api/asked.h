// SPDX-License-Identifier: Apache-2.0
// For the tests beside it. Asking: a question as text, its answer as JSON; and what holds of every answer.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "api/question.h"

namespace fareline::test {

using Json = nlohmann::ordered_json;

inline std::string text_of(std::string_view question, const Json& inputs) {
  return ask_text(Json{{"question", std::string(question)}, {"inputs", inputs}}.dump(), Catalogue::built_in());
}
inline Json asked(std::string_view question, const Json& inputs) { return Json::parse(text_of(question, inputs)); }

// The error of a question that must be refused, as its one line.
inline std::string refused(std::string_view question, const Json& inputs) {
  const Json answer = asked(question, inputs);
  if (!answer.contains("error")) {
    ADD_FAILURE() << "answered: " << inputs.dump();
    return {};
  }
  const Json& error = answer["error"];
  return Error{error["where"], error["what"], error["remedy"]}.line();
}

// `inputs` with members of `more` added or replaced.
inline Json with(Json inputs, const Json& more) {
  inputs.update(more);
  return inputs;
}

// Calls `look` on every object in `json` that carries an estimate, with its path.
inline void each_estimate(const Json& json, const std::function<void(const std::string&, const Json&)>& look,
                          const std::string& path = {}) {
  if (json.is_object() && json.contains("value") && json.contains("low")) look(path, json);
  if (!json.is_structured()) return;
  for (const auto& [name, member] : json.items()) each_estimate(member, look, path + "." + name);
}

// The path of the first null in `json`, which is what a number that is not finite is written as; empty where there is none.
inline std::string first_null(const Json& json, const std::string& path = {}) {
  if (json.is_null()) return path.empty() ? "." : path;
  if (!json.is_structured()) return {};
  for (const auto& [name, member] : json.items())
    if (const std::string found = first_null(member, path + "." + name); !found.empty()) return found;
  return {};
}

// What is wrong with the order of floor, low, value and high anywhere in `answer`; empty where nothing is.
inline std::string disorder(const Json& answer) {
  std::string wrong;
  each_estimate(answer, [&](const std::string& path, const Json& q) {
    const double value = q["value"], low = q["low"], high = q["high"];
    const bool time = !q.contains("ceiling");
    const double bound = time ? q["floor"] : q["ceiling"];
    const bool ordered = time ? bound <= low && low <= value && value <= high : low <= value && value <= high && high <= bound;
    if (!ordered || !q["unit"].is_string()) wrong += path + " " + q.dump() + "\n";
  });
  return wrong;
}

}  // namespace fareline::test
