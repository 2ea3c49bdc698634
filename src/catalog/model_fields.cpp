// SPDX-License-Identifier: Apache-2.0
#include "catalog/model_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace fareline {

namespace {

// A value as an error quotes it: short whatever the file holds.
std::string quoted(const nlohmann::json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return text;
}

}  // namespace

void ModelReading::refuse(std::string where, std::string what, std::string remedy) {
  if (!error) error = Error{std::move(where), std::move(what), std::move(remedy)};
}

std::string ModelFields::where(std::string_view name) const {
  if (path_.empty()) return std::string(name);
  return name.empty() ? path_ : path_ + "." + std::string(name);
}

void ModelFields::refuse(std::string_view name, std::string what, std::string remedy) const {
  reading_->refuse(where(name), std::move(what), std::move(remedy));
}

void ModelFields::note_default(std::string_view name, std::string_view value) const {
  note(fmt::format("{} is not in the file: {}, the default of {}", where(name), value, reading_->defaults));
}

const nlohmann::json* ModelFields::find(std::string_view name) const {
  if (!object_->is_object()) return nullptr;
  if (std::vector<std::string_view>& asked = reading_->asked;
      reading_->listens && std::find(asked.begin(), asked.end(), name) == asked.end())
    asked.push_back(name);
  const auto found = object_->find(name);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool ModelFields::has(std::string_view name) const { return find(name) != nullptr; }

bool ModelFields::states(std::string_view name) const { return object_->is_object() && object_->find(name) != object_->end(); }

bool ModelFields::is_list(std::string_view name) const {
  const nlohmann::json* value = find(name);
  return value && value->is_array();
}

bool ModelFields::is_text(std::string_view name) const {
  const nlohmann::json* value = find(name);
  return value && value->is_string();
}

std::int64_t ModelFields::checked(const nlohmann::json& value, const std::string& place, std::int64_t low, std::int64_t high) const {
  const auto bad = [&](std::string_view what) {
    reading_->refuse(place, fmt::format("{} {}", quoted(value), what), fmt::format("write a whole number from {} to {}", low, high));
    return low;
  };
  if (value.is_number_float()) {  // 1e6 is a whole number; 0.5 and NaN are not
    const double number = value.get<double>();
    if (!(number >= -9e15 && number <= 9e15) || number != std::floor(number)) return bad("is not a whole number");
    const std::int64_t whole = static_cast<std::int64_t>(number);
    return whole < low || whole > high ? bad("is out of range") : whole;
  }
  if (!value.is_number_integer()) return bad("is not a whole number");
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high)) return bad("is out of range");
  const std::int64_t whole = value.get<std::int64_t>();
  return whole < low || whole > high ? bad("is out of range") : whole;
}

std::int64_t ModelFields::whole(std::string_view name, std::int64_t high, std::int64_t low) const {
  const nlohmann::json* value = find(name);
  if (value) return checked(*value, where(name), low, high);
  refuse(name, "is missing",
         fmt::format("the model type needs it and {} states no default that holds for every model", reading_->defaults));
  return low;
}

std::int64_t ModelFields::whole_of(std::string_view name, std::string_view other, std::int64_t high, std::int64_t low) const {
  return has(other) && !has(name) ? whole(other, high, low) : whole(name, high, low);
}

std::int64_t ModelFields::whole_or(std::string_view name, std::int64_t otherwise, std::int64_t high, std::int64_t low) const {
  if (const nlohmann::json* value = find(name)) return checked(*value, where(name), low, high);
  note_default(name, fmt::format("{}", otherwise));
  return otherwise;
}

std::int64_t ModelFields::whole_if(std::string_view name, std::int64_t otherwise, std::int64_t high, std::int64_t low) const {
  const nlohmann::json* value = find(name);
  return value ? checked(*value, where(name), low, high) : otherwise;
}

double ModelFields::number(std::string_view name, double low, double high) const {
  const nlohmann::json* value = find(name);
  if (!value || !value->is_number()) {
    refuse(name, value ? quoted(*value) + " is not a number" : "is missing", fmt::format("write a number from {} to {}", low, high));
    return low;
  }
  const double number = value->get<double>();
  if (number >= low && number <= high) return number;
  refuse(name, quoted(*value) + " is out of range", fmt::format("write a number from {} to {}", low, high));
  return low;
}

bool ModelFields::flag(std::string_view name) const {
  if (!has(name)) refuse(name, "is missing", "write true or false");
  return flag_if(name, false);
}

bool ModelFields::flag_or(std::string_view name, bool otherwise) const {
  if (!has(name)) note_default(name, otherwise ? "true" : "false");
  return flag_if(name, otherwise);
}

bool ModelFields::flag_if(std::string_view name, bool otherwise) const {
  const nlohmann::json* value = find(name);
  if (!value) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  refuse(name, quoted(*value) + " is not true or false", "write true or false");
  return otherwise;
}

std::string ModelFields::text(std::string_view name) const {
  if (!has(name)) refuse(name, "is missing", "write a name in quotes");
  return text_or(name, "");
}

std::string ModelFields::text_or(std::string_view name, std::string_view otherwise) const {
  const nlohmann::json* value = find(name);
  if (!value) return std::string(otherwise);
  if (value->is_string()) return value->get<std::string>();
  refuse(name, quoted(*value) + " is not text", "write a name in quotes");
  return std::string(otherwise);
}

std::vector<std::int64_t> ModelFields::wholes(std::string_view name, std::int64_t count, std::int64_t high, bool more) const {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count), 0);
  const nlohmann::json* list = find(name);
  const std::int64_t length = list && list->is_array() ? static_cast<std::int64_t>(list->size()) : -1;
  if (length < count || (length > count && !more)) {
    refuse(name, length < 0 ? (list ? quoted(*list) + " is not a list" : "is missing") : fmt::format("has {} entries", length),
           fmt::format("write a list of {} whole numbers, one a layer", count));
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const nlohmann::json& value = (*list)[i];
    values[i] = value.is_boolean() ? value.get<bool>() : checked(value, fmt::format("{}[{}]", where(name), i), 0, high);
  }
  return values;
}

std::vector<std::int64_t> ModelFields::whole_list(std::string_view name, std::int64_t most, std::int64_t high) const {
  std::vector<std::int64_t> values;
  const nlohmann::json* list = find(name);
  if (!list) return values;
  if (!list->is_array() || static_cast<std::int64_t>(list->size()) > most) {
    refuse(name, list->is_array() ? fmt::format("has {} entries", list->size()) : quoted(*list) + " is not a list",
           fmt::format("write a list of at most {} whole numbers", most));
    return values;
  }
  for (std::size_t i = 0; i < list->size(); ++i) values.push_back(checked((*list)[i], fmt::format("{}[{}]", where(name), i), 0, high));
  return values;
}

std::vector<std::string> ModelFields::texts(std::string_view name, std::int64_t count, bool more) const {
  std::vector<std::string> values(static_cast<std::size_t>(count));
  const nlohmann::json* list = find(name);
  const std::int64_t length = list && list->is_array() ? static_cast<std::int64_t>(list->size()) : -1;
  if (length < count || (length > count && !more)) {
    refuse(name, length < 0 ? (list ? quoted(*list) + " is not a list" : "is missing") : fmt::format("has {} entries", length),
           fmt::format("write a list of {} names, one a layer", count));
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if ((*list)[i].is_string()) values[i] = (*list)[i].get<std::string>();
    else reading_->refuse(fmt::format("{}[{}]", where(name), i), quoted((*list)[i]) + " is not text", "write a name in quotes");
  }
  return values;
}

std::vector<std::string> ModelFields::text_list(std::string_view name, std::int64_t most) const {
  const nlohmann::json* list = find(name);
  if (!list) return {};
  if (!list->is_array() || static_cast<std::int64_t>(list->size()) > most) {
    refuse(name, list->is_array() ? fmt::format("has {} entries", list->size()) : quoted(*list) + " is not a list",
           fmt::format("write a list of at most {} names", most));
    return {};
  }
  return texts(name, static_cast<std::int64_t>(list->size()));
}

std::vector<ModelFields> ModelFields::objects(std::string_view name, std::int64_t count) const {
  std::vector<ModelFields> values;
  const nlohmann::json* list = find(name);
  const std::int64_t length = list && list->is_array() ? static_cast<std::int64_t>(list->size()) : -1;
  if (length != count) {
    refuse(name, length < 0 ? (list ? quoted(*list) + " is not a list" : "is missing") : fmt::format("has {} entries", length),
           fmt::format("write a list of {} objects, one a layer", count));
    return values;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (!(*list)[i].is_object()) reading_->refuse(fmt::format("{}[{}]", where(name), i), "is not an object", "write {...}");
    values.emplace_back((*list)[i], fmt::format("{}[{}]", where(name), i), *reading_);
  }
  return values;
}

std::optional<ModelFields> ModelFields::object(std::string_view name) const {
  const nlohmann::json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_object()) {
    refuse(name, quoted(*value) + " is not an object", "write {...}");
    return std::nullopt;
  }
  return ModelFields(*value, where(name), *reading_);
}

}  // namespace fareline
