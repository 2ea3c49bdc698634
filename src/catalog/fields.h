// SPDX-License-Identifier: Apache-2.0
// A strict reader over a JSON object. Each member is asked for by name and type; what is missing, misspelt, of the wrong
// type, without unit or source, or beyond belief is an error with its file, dotted path and remedy.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "catalog/chip.h"
#include "units/error.h"
#include "units/quantity.h"
#include "units/text.h"

namespace fareline {

inline constexpr std::size_t largest_file_bytes = 16'000'000;
inline constexpr int deepest_nesting = 64;

// Returns the JSON value in `text`. Errors: above largest_file_bytes, not JSON (comments, NaN and numbers no double holds
// included), nested deeper than deepest_nesting, a key twice in one object. `file` names the text in errors.
Expected<nlohmann::json> parse_json(std::string_view file, std::string_view text);

// Between what bounds, both included, a value is believed.
template <class T>
struct Range {
  T least{}, most{};
};

enum class Presence { required, optional };

// The first error met while a file is read stays in the `std::optional<Error>` all its readers share; a value read after it
// is a zero and is not to be used. `done()` is due after the last member: it reports what nobody asked for.
class Fields {
 public:
  Fields(const nlohmann::json& value, std::string file, std::string path, std::optional<Error>& error);
  Fields(Fields&&) = default;

  bool has(std::string_view key);
  std::string text(std::string_view key, Presence presence = Presence::required);
  std::string choice(std::string_view key, std::span<const std::string_view> among);
  std::int64_t count(std::string_view key, Range<std::int64_t> range, Presence presence = Presence::required);
  double number(std::string_view key, Range<double> range);
  bool flag(std::string_view key);
  // A calendar date or month, "2025-08-22" or "2025-08".
  std::string date(std::string_view key);
  template <class Q>
  Q quantity(std::string_view key, Range<Q> range) {
    return Q::from_coherent(dimensioned(key, Q::dim, {range.least.coherent(), range.most.coherent()}));
  }

  // {"value": "3.35 TB/s", "source": "…", "disputed": "…"}, or {"unknown": "why"}, which gives a fact that is not stated and
  // has the reason in `disputed`.
  template <class Q>
  Sourced<Q> fact(std::string_view key, Range<Q> range, Presence presence = Presence::required) {
    const Sourced<double> read = bare_fact(key, Q::dim, {range.least.coherent(), range.most.coherent()}, presence);
    return {Q::from_coherent(read.value), read.source, read.disputed};
  }
  // The same for a count, written as a number.
  Sourced<int> fact(std::string_view key, Range<int> range, Presence presence = Presence::required);

  Fields object(std::string_view key);
  std::vector<Fields> objects(std::string_view key);  // an array of objects
  const nlohmann::json* raw(std::string_view key, Presence presence = Presence::required);

  void done();
  // Reports `what` about member `key` (of the object itself where it is empty).
  void wrong(std::string_view key, std::string what, std::string remedy);
  bool failed() const { return error_->has_value(); }

 private:
  Fields(std::string file, std::string path, std::optional<Error>& error);  // of an object that is not there
  // The member, or nothing; what is required and not there is noted, and `example` shows how it is written.
  const nlohmann::json* find(std::string_view key, Presence presence, std::string_view example);
  double dimensioned(std::string_view key, Dim dim, Range<double> range);
  Sourced<double> bare_fact(std::string_view key, Dim dim, Range<double> range, Presence presence);
  // The "value" of a fact, whose source and dispute it writes down; nothing where the fact is not stated.
  const nlohmann::json* open_fact(std::string_view key, Presence presence, std::string_view example, std::string& source,
                                  std::string& disputed);
  void sourceless(std::string_view key, const nlohmann::json& value);
  std::string path(std::string_view key) const;

  const nlohmann::json* object_;
  std::string file_, path_;
  std::optional<Error>* error_;
  std::vector<std::string> known_;
  std::string missing_, missing_example_;
};

}  // namespace fareline
