// SPDX-License-Identifier: Apache-2.0
#include "catalog/fields.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace fareline {
namespace {

using nlohmann::json;

// `value` as it stands in the file, short enough for one line.
std::string as_written(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// Builds the document while it watches depth and keys, which nlohmann's own reader lets pass.
class Builder {
 public:
  Builder(std::string_view file, std::string_view text) : file_(file), text_(text) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(json::number_integer_t value) { return put(value); }
  bool number_unsigned(json::number_unsigned_t value) { return put(value); }
  bool number_float(json::number_float_t value, const json::string_t&) { return put(value); }
  bool string(json::string_t& value) { return put(std::move(value)); }
  bool binary(json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(json::string_t& name) {
    if (open_.back()->contains(name)) {
      error_ = Error{std::string(file_), fmt::format("the key {} stands twice in one object", as_written(name)), "keep one of them"};
      return false;
    }
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    const std::string_view before = text_.substr(0, std::min(position == 0 ? 0 : position - 1, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    error_ = Error{std::string(file_), fmt::format("is not JSON at line {}, column {}", line, column),
                   "look there for a missing quote, comma or bracket, a comment, or a file cut short"};
    return false;
  }

  json root;
  const std::optional<Error>& error() const { return error_; }

 private:
  json* place(json value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    json& member = (*open_.back())[key_];
    member = std::move(value);
    return &member;
  }
  bool put(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (open_.size() == static_cast<std::size_t>(deepest_nesting)) {
      error_ = Error{std::string(file_), fmt::format("is nested deeper than {} levels", deepest_nesting), "flatten it"};
      return false;
    }
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view file_, text_;
  std::vector<json*> open_;  // an open container is not moved until it is closed: its parent grows only after it
  std::string key_;
  std::optional<Error> error_;
};

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += fmt::format("\"{}\"", names[i]);
  }
  return text;
}

// The number in `value`, coherent in `dim`. Errors have no place yet.
Expected<double> read_quantity(const json& value, Dim dim, Range<double> range) {
  if (!value.is_string()) {
    const auto bare = parse_quantity("1", dim);  // refused for its missing unit, with the spelling to use
    return fail("", fmt::format("{} is not text with a unit", as_written(value)), bare ? "write it between quotes" : bare.error().remedy);
  }
  const auto read = parse_quantity(value.get_ref<const std::string&>(), dim);
  if (!read || (*read >= range.least && *read <= range.most)) return read;
  return fail("", fmt::format("{} is {}", as_written(value), *read < 0 ? "negative" : "beyond belief"),
              fmt::format("write a value from {} to {}", to_text(range.least, dim), to_text(range.most, dim)));
}

// The whole number in `value`. Errors have no place yet.
Expected<std::int64_t> read_count(const json& value, Range<std::int64_t> range) {
  const bool fits = value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{1} << 53);
  if (fits && value.get<std::int64_t>() >= range.least && value.get<std::int64_t>() <= range.most) return value.get<std::int64_t>();
  return fail("", fmt::format("{} is not a whole number from {} to {}", as_written(value), range.least, range.most),
              "write it without quotes, unit or fraction");
}

constexpr std::string_view source_example = "\"repository@commit:path, or a document and its section\"";

bool is_date(std::string_view text) {
  if (text.size() != 7 && text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9') return false;
  const int month = (text[5] - '0') * 10 + (text[6] - '0');
  const int day = text.size() == 7 ? 1 : (text[8] - '0') * 10 + (text[9] - '0');
  return text[0] != '0' && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

}  // namespace

Expected<json> parse_json(std::string_view file, std::string_view text) {
  if (text.size() > largest_file_bytes)
    return fail(std::string(file), fmt::format("has {} bytes", text.size()), fmt::format("give at most {} bytes", largest_file_bytes));
  Builder builder(file, text);
  if (!json::sax_parse(text.begin(), text.end(), &builder) || builder.error()) {
    FARELINE_CHECK(builder.error().has_value());
    return std::unexpected(*builder.error());
  }
  return std::move(builder.root);
}

Fields::Fields(const json& value, std::string file, std::string path, std::optional<Error>& error)
    : object_(value.is_object() ? &value : nullptr), file_(std::move(file)), path_(std::move(path)), error_(&error) {
  if (!object_) wrong("", fmt::format("{} is not an object", as_written(value)), "write {\"name\": value, …}");
}

Fields::Fields(std::string file, std::string path, std::optional<Error>& error)
    : object_(nullptr), file_(std::move(file)), path_(std::move(path)), error_(&error) {}

std::string Fields::path(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void Fields::wrong(std::string_view key, std::string what, std::string remedy) {
  if (error_->has_value()) return;
  const std::string where = path(key);
  *error_ = Error{where.empty() ? file_ : file_ + ": " + where, std::move(what), std::move(remedy)};
}

const json* Fields::find(std::string_view key, Presence presence, std::string_view example) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  if (!object_) return nullptr;
  const auto found = object_->find(key);
  if (found != object_->end()) return &*found;
  if (presence == Presence::required && missing_.empty()) {
    missing_ = key;
    missing_example_ = example;
  }
  return nullptr;
}

bool Fields::has(std::string_view key) { return find(key, Presence::optional, "") != nullptr; }
const json* Fields::raw(std::string_view key, Presence presence) { return find(key, presence, "{…}"); }

std::string Fields::text(std::string_view key, Presence presence) {
  const json* value = find(key, presence, key == "source" ? source_example : "\"…\"");
  if (!value) return {};
  if (!value->is_string() || value->get_ref<const std::string&>().find_first_not_of(' ') == std::string::npos) {
    wrong(key, fmt::format("{} is not text", as_written(*value)), "write text between quotes, not empty");
    return {};
  }
  return value->get_ref<const std::string&>();
}

std::string Fields::choice(std::string_view key, std::span<const std::string_view> among) {
  const json* value = find(key, Presence::required, listed(among));
  if (!value) return {};
  if (value->is_string())
    for (const std::string_view one : among)
      if (value->get_ref<const std::string&>() == one) return std::string(one);
  wrong(key, fmt::format("{} is not one of its values", as_written(*value)), fmt::format("write {}", listed(among)));
  return {};
}

std::int64_t Fields::count(std::string_view key, Range<std::int64_t> range, Presence presence) {
  const json* value = find(key, presence, "1");
  if (!value) return 0;
  const auto read = read_count(*value, range);
  if (!read) wrong(key, read.error().what, read.error().remedy);
  return read.value_or(0);
}

double Fields::number(std::string_view key, Range<double> range) {
  const json* value = find(key, Presence::required, "1");
  if (!value) return 0;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (number >= range.least && number <= range.most) return number;
  wrong(key, fmt::format("{} is not a number from {} to {}", as_written(*value), number_text(range.least), number_text(range.most)),
        "write it without quotes or unit");
  return 0;
}

bool Fields::flag(std::string_view key) {
  const json* value = find(key, Presence::required, "false");
  if (!value) return false;
  if (value->is_boolean()) return value->get<bool>();
  wrong(key, fmt::format("{} is neither true nor false", as_written(*value)), "write true or false, without quotes");
  return false;
}

std::string Fields::date(std::string_view key) {
  const std::string value = text(key);
  if (value.empty() || is_date(value)) return value;
  wrong(key, fmt::format("{} is not a date", as_written(value)), "write e.g. \"2025-08-22\" or \"2025-08\"");
  return {};
}

double Fields::dimensioned(std::string_view key, Dim dim, Range<double> range) {
  const json* value = find(key, Presence::required, "\"a number and its unit\"");
  if (!value) return 0;
  const auto read = read_quantity(*value, dim, range);
  if (!read) wrong(key, read.error().what, read.error().remedy);
  return read.value_or(0);
}

const json* Fields::open_fact(std::string_view key, Presence presence, std::string_view example, std::string& source,
                              std::string& disputed) {
  const json* value = find(key, presence, fmt::format("{{\"value\": {}, \"source\": {}}}", example, source_example));
  if (!value) return nullptr;
  if (!value->is_object()) return value;
  Fields fact(*value, file_, path(key), *error_);
  const json* inner = nullptr;
  if (fact.has("unknown")) {
    disputed = fact.text("unknown");
  } else {
    inner = fact.find("value", Presence::required, example);
    source = fact.text("source");
    disputed = fact.text("disputed", Presence::optional);
  }
  fact.done();
  return inner;
}

// A fact written without its source: what is wrong with the value itself is said first.
void Fields::sourceless(std::string_view key, const json& value) {
  if (!value.is_object())
    wrong(key, fmt::format("{} has no source", as_written(value)),
          fmt::format("write {{\"value\": {}, \"source\": {}}}", as_written(value), source_example));
}

Sourced<double> Fields::bare_fact(std::string_view key, Dim dim, Range<double> range, Presence presence) {
  Sourced<double> fact;
  const json* value = open_fact(key, presence, "\"a number and its unit\"", fact.source, fact.disputed);
  if (!value || failed()) return fact;
  const auto read = read_quantity(*value, dim, range);
  if (!read) wrong(key, read.error().what, read.error().remedy);
  sourceless(key, *raw(key));
  fact.value = read.value_or(0);
  return fact;
}

Sourced<int> Fields::fact(std::string_view key, Range<int> range, Presence presence) {
  Sourced<int> fact;
  const json* value = open_fact(key, presence, "1", fact.source, fact.disputed);
  if (!value || failed()) return fact;
  const auto read = read_count(*value, {range.least, range.most});
  if (!read) wrong(key, read.error().what, read.error().remedy);
  sourceless(key, *raw(key));
  fact.value = static_cast<int>(read.value_or(0));
  return fact;
}

Fields Fields::object(std::string_view key) {
  const json* value = find(key, Presence::required, "{…}");
  return value ? Fields(*value, file_, path(key), *error_) : Fields(file_, path(key), *error_);
}

std::vector<Fields> Fields::objects(std::string_view key) {
  std::vector<Fields> all;
  const json* value = find(key, Presence::required, "[{…}]");
  if (!value) return all;
  if (!value->is_array()) {
    wrong(key, fmt::format("{} is not a list", as_written(*value)), "write [{…}, {…}]");
    return all;
  }
  for (std::size_t i = 0; i < value->size(); ++i) all.emplace_back((*value)[i], file_, fmt::format("{}[{}]", path(key), i), *error_);
  return all;
}

void Fields::done() {
  if (!object_ || failed()) return;
  for (const auto& [key, value] : object_->items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest_names(key, known_);
    std::string all;
    for (const std::string& name : known_) all += (all.empty() ? "" : ", ") + name;
    wrong("", fmt::format("the key {} is unknown", as_written(key)), near.empty() ? "known are " + all : near);
    return;
  }
  if (!missing_.empty()) wrong("", fmt::format("\"{}\" is missing", missing_), fmt::format("add \"{}\": {}", missing_, missing_example_));
}

}  // namespace fareline
