// SPDX-License-Identifier: Apache-2.0
// What can be asked: one row a question, one row an input. Command line, HTTP, page, Python, schema and reference are read from
// these tables.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "catalog/catalog.h"
#include "catalog/embedded.h"
#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

enum class InputKind : unsigned char {
  text,      // a name
  model,     // a model's name, or the object {"name", "config", "hf_quant_config"}
  count,     // a whole number
  number,    // a bare number or a per cent
  quantity,  // a number with a unit of `dim`
  choice,    // one of `choices`, comma separated
  document,  // a name, or a JSON object or list; the command line takes a file's path in its place
};

constexpr bool is_numeric(InputKind kind) {
  return kind == InputKind::count || kind == InputKind::number || kind == InputKind::quantity;
}

struct Input {
  std::string_view name;
  InputKind kind = InputKind::text;
  std::string_view value;     // the default, as text; empty: none, or found by fareline
  std::string_view reason;    // why this default, with its source; for an empty default, what happens instead
  std::string_view summary;   // one sentence
  Dim dim{};
  std::string_view choices = {};
  double least = 0, most = 0x1p53;  // of counts and numbers
  std::string_view group = {};      // the table it stands in: "setting", "workload", "plan", "money"
};

class Inputs;

struct Question {
  std::string_view name;
  std::string_view summary;   // one sentence
  std::string_view example;   // arguments behind "fareline <name>"
  std::span<const Input> inputs;
  Expected<nlohmann::ordered_json> (*answer)(Inputs&, const Catalogue&);
  Expected<std::string> (*plot)(const nlohmann::ordered_json& answered) = nullptr;  // its picture as SVG; none: it has no picture
};

std::span<const Question> questions();
// The row of that name; nothing where there is none.
const Question* question_named(std::string_view name);

// Returns the JSON in `text`. Errors: as parse_json in catalog/fields.h: too long, no JSON, nested too deep, a key twice. `file`
// names the text in them.
Expected<nlohmann::ordered_json> read_document(std::string_view file, std::string_view text);

// Returns the answer to `question`, {"question": name, "inputs": {...}}: {"question", "inputs", "answer", "explain", "warnings"}.
// Errors: an unknown question or input with the nearest names, a value of the wrong kind, everything the catalogue refuses.
Expected<nlohmann::ordered_json> ask(const nlohmann::ordered_json& question, const Catalogue& catalogue);

// The same on text: the answer as JSON, or {"error": {"where", "what", "remedy"}}.
std::string ask_text(std::string_view question_json, const Catalogue& catalogue);

}  // namespace fareline
