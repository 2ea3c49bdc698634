// SPDX-License-Identifier: Apache-2.0
// Bad input, as a value: where it stands, what is wrong with it, and what to write instead.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fareline {

struct Error {
  std::string where;   // "h100-sxm.json: hbm.bandwidth", "--prompt"
  std::string what;    // "\"3350\" has no unit"
  std::string remedy;  // "write e.g. \"3350 GB/s\""

  // The one line an app prints: "where: what; remedy".
  std::string line() const {
    std::string text = where.empty() ? what : where + ": " + what;
    return remedy.empty() ? text : text + "; " + remedy;
  }
  // The same error seen from one level further out: `outer` is put before `where`.
  Error within(std::string_view outer) && {
    where = where.empty() ? std::string(outer) : std::string(outer) + ": " + where;
    return std::move(*this);
  }
};

template <class T>
using Expected = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string where, std::string what, std::string remedy) {
  return std::unexpected(Error{std::move(where), std::move(what), std::move(remedy)});
}

// Returns `text` between double quotes, fit for an error's one line: at most 60 characters of it, with control characters
// and broken UTF-8 shown as '?'.
std::string in_quotes(std::string_view text);

// A check that is always on, for what only a bug in fareline can break. Prints the place and aborts.
[[noreturn]] void bug(const char* what, const char* file, int line);
#define FARELINE_CHECK(condition) \
  do { if (!(condition)) ::fareline::bug(#condition, __FILE__, __LINE__); } while (false)

// The names nearest to `name` by edit distance, at most three, best first: "did you mean h100-sxm, h100-pcie?".
// Empty where nothing is near.
std::string nearest_names(std::string_view name, std::span<const std::string> known);

}  // namespace fareline
