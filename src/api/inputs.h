// SPDX-License-Identifier: Apache-2.0
// The inputs of one question: every value used, who chose it and why.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "api/question.h"

namespace fareline {

class Inputs {
 public:
  // Reads what was given against the question's table; fills in the table's defaults. Errors: unknown names with the nearest,
  // wrong kinds, out of range.
  static Expected<Inputs> read(const Question& question, const nlohmann::ordered_json& given);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  bool given(std::string_view name) const;  // by the asker
  std::string_view chosen_by(std::string_view name) const;  // empty where there is none
  std::optional<double> number(std::string_view name) const;  // counts and numbers
  std::optional<int> count(std::string_view name) const;
  std::string text(std::string_view name) const;              // empty where there is none
  template <class Q>
  std::optional<Q> quantity(std::string_view name) const {
    const auto value = number(name);
    return value ? std::optional<Q>(Q::from_coherent(*value)) : std::nullopt;
  }
  // The object or list given for a model or a document; nothing where a name was given.
  const nlohmann::ordered_json* object(std::string_view name) const;

  // Records a value fareline chose, or took from the model file, and why.
  void choose(std::string_view name, double value, std::string_view by, std::string source);
  void choose(std::string_view name, std::string value, std::string_view by, std::string source);
  // Forgets a default that had no part in the answer; what the asker gave stays.
  void leave_out(std::string_view name);

  // The model these inputs name, kept once it is read: copies of the inputs share it. Setting "model" forgets it.
  const std::shared_ptr<const Model>& model() const { return model_; }
  void keep(std::shared_ptr<const Model> model) { model_ = std::move(model); }

  nlohmann::ordered_json to_json() const;
  const Question& question() const { return *question_; }
  Expected<void> set(std::string_view name, const nlohmann::ordered_json& value);

 private:
  struct Value {
    const Input* input = nullptr;
    double number = 0;
    std::string text;
    nlohmann::ordered_json object;
    std::string by, source;
  };
  const Value* find(std::string_view name) const;
  const Input* row(std::string_view name) const;
  const Question* question_ = nullptr;
  std::map<std::string, Value, std::less<>> values_;
  std::shared_ptr<const Model> model_;
};

}  // namespace fareline
