// SPDX-License-Identifier: Apache-2.0
// Any bytes as a question: an answer in which every number is one, or an error of one line with where, what and remedy.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "api/question.h"
#include "api/sweep.h"

using namespace fareline;
using Json = nlohmann::ordered_json;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool has_null(const Json& json) {
  if (json.is_null()) return true;
  if (json.is_structured())
    for (const Json& member : json)
      if (has_null(member)) return true;
  return false;
}

// A sweep of many points is slow by what it asks, not by a mistake.
bool asks_much(std::string_view text) {
  const Json question = Json::parse(text, nullptr, false);
  if (!question.is_object() || !question.contains("inputs") || !question["inputs"].is_object()) return false;
  const Json vary = question["inputs"].value("vary", Json());
  if (!vary.is_string()) return false;
  double points = 1;
  std::string_view rest = vary.get_ref<const std::string&>();
  while (!rest.empty()) {
    const auto end = rest.find(' ');
    for (const Question& row : questions())
      if (const auto varied = parse_varied(rest.substr(0, end), row)) {
        points *= static_cast<double>(varied->size());
        break;
      }
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return points > 16;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  int depth = 0, deepest = 0;
  for (const char c : text) {
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    deepest = depth > deepest ? depth : deepest;
  }
  if (deepest <= 64 && asks_much(text)) return 0;
  const std::string written = ask_text(text, Catalogue::built_in());
  const Json answer = Json::parse(written, nullptr, false);
  require(answer.is_object());
  if (answer.contains("error")) {
    for (const char* member : {"where", "what", "remedy"}) {
      require(answer["error"][member].is_string());
      for (const char c : answer["error"][member].get_ref<const std::string&>()) require(static_cast<unsigned char>(c) >= 0x20);
    }
    require(!answer["error"]["what"].get_ref<const std::string&>().empty());
    return 0;
  }
  require(answer.contains("answer") && answer.contains("inputs") && answer.contains("warnings"));
  if (answer["question"] != "sweep") {
    require(!has_null(answer));
    return 0;
  }
  const auto picture = plot_sweep(answer), table = csv_sweep(answer);
  require(table.has_value());
  require(picture.has_value() || !picture.error().remedy.empty());
  return 0;
}
