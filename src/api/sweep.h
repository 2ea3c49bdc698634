// SPDX-License-Identifier: Apache-2.0
// The range grammar of sweeps, and what is made of a swept answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "api/question.h"

namespace fareline {

// One varied input: its row, and the values as JSON (numbers for counts and bare numbers; coherent values with their unit's text).
struct Varied {
  const Input* input = nullptr;
  std::vector<double> values;
};

// Returns the values of "batch=1..4096", "hbm_bandwidth=2TB/s..8TB/s:17", "cached=0..0.9:10:linear", "tp=1,2,4". Without a
// number of points a count runs through powers of two and a quantity through 17 points, evenly in ratio where both ends are
// positive. Errors: no such input, an input that is text, an empty or backwards range, more than 100,000 points.
Expected<Varied> parse_varied(std::string_view text, const Question& question);

// Returns the SVG of an answered sweep: one input, the shown columns one above the other with floor, band and what binds;
// two, a heat map of the first column. Errors: an answer that is no sweep's.
Expected<std::string> plot_sweep(const nlohmann::ordered_json& answered);

// Returns the columns of an answered sweep as CSV, units in the names.
Expected<std::string> csv_sweep(const nlohmann::ordered_json& answered);

}  // namespace fareline
