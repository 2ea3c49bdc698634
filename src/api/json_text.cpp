// SPDX-License-Identifier: Apache-2.0
#include "api/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

void write_text(std::string& out, const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c != 0x7F && c != '"' && c != '\\'; });
  if (!plain) {
    out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

template <class Whole>
void write_whole(std::string& out, Whole number) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void write(std::string& out, const Json& json) {
  switch (json.type()) {
    case Json::value_t::object: {
      char before = '{';
      for (const auto& [name, member] : json.get_ref<const Json::object_t&>()) {
        out += before;
        write_text(out, name);
        out += ':';
        write(out, member);
        before = ',';
      }
      out += before == '{' ? "{}" : "}";
      return;
    }
    case Json::value_t::array: {
      char before = '[';
      for (const Json& element : json.get_ref<const Json::array_t&>()) {
        out += before;
        write(out, element);
        before = ',';
      }
      out += before == '[' ? "[]" : "]";
      return;
    }
    case Json::value_t::string: return write_text(out, json.get_ref<const std::string&>());
    case Json::value_t::boolean: out += json.get<bool>() ? "true" : "false"; return;
    case Json::value_t::number_integer: return write_whole(out, json.get<std::int64_t>());
    case Json::value_t::number_unsigned: return write_whole(out, json.get<std::uint64_t>());
    case Json::value_t::number_float: {
      const double number = json.get<double>();
      if (!std::isfinite(number)) {
        out += "null";
        return;
      }
      char digits[64];
      out.append(digits, nlohmann::detail::to_chars(digits, digits + sizeof digits, number));
      return;
    }
    default: out += "null";
  }
}

}  // namespace

std::string json_text(const Json& json) {
  std::string out;
  write(out, json);
  return out;
}

}  // namespace fareline
