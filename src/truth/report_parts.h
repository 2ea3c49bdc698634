// SPDX-License-Identifier: Apache-2.0
// What reports share: shares as text, summaries as JSON, tables for people.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plot/table.h"
#include "truth/validate.h"

namespace fareline {

inline std::string per_cent(double share) { return fmt::format("{:.1f}%", 100 * share); }
inline std::string signed_per_cent(double share) { return fmt::format("{:+.1f}%", 100 * share); }

inline nlohmann::ordered_json json_of(const ErrorSummary& s) {
  nlohmann::ordered_json out{{"count", s.count}};
  if (s.count == 0) return out;
  out["median_abs_error"] = s.median_abs_error;
  out["mean_abs_error"] = s.mean_abs_error;
  out["p90_abs_error"] = s.p90_abs_error;
  out["bias"] = s.bias;
  out["coverage"] = s.coverage;
  return out;
}

// A table that is filled row by row; `true` sets a column to the right.
struct TextGrid {
  plot::Table table;
  explicit TextGrid(std::initializer_list<std::pair<const char*, bool>> columns) {
    for (const auto& [name, right] : columns) table.columns.push_back({.name = name, .right = right});
  }
  void add(std::vector<std::string> cells) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) table.columns[i].texts.push_back(std::move(cells[i]));
  }
  std::string text() const {
    const auto written = plot::text_table(table);
    return written ? *written : written.error().line() + "\n";
  }
};

}  // namespace fareline
