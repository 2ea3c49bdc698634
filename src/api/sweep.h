// SPDX-License-Identifier: Apache-2.0
// The range grammar of sweeps, and what is made of a swept answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "api/question.h"

namespace fareline {

// One varied input: its row, and its values: coherent numbers in its row's dimension, or texts where it is no number.
struct Varied {
  const Input* input = nullptr;
  std::vector<double> values;
  std::vector<std::string> texts;
  std::size_t size() const { return texts.empty() ? values.size() : texts.size(); }
};

inline constexpr double most_points = 100'000;          // of a sweep
inline constexpr double most_chosen_points = 1'000;     // where each point chooses a plan of its own

// Returns the values of "batch=1..4096", "hbm_bandwidth=2TB/s..8TB/s:17", "cached=0..0.9:10:linear", "tp=1,2,4",
// "system=hgx-h100,hgx-h200". Without a number of points a count runs through powers of two and a quantity through 17 points,
// evenly in ratio where both ends are positive. Errors: no such input, with the nearest names; an empty or backwards range; a
// range of names; a value out of its row's bounds; more than most_points.
Expected<Varied> parse_varied(std::string_view text, const Question& question);

// Returns the SVG of an answered sweep: one input, the shown columns one above the other with floor, band and what binds;
// two, a heat map of the first column. Errors: an answer that is no sweep's.
Expected<std::string> plot_sweep(const nlohmann::ordered_json& answered);

// Returns the columns of an answered sweep as CSV, units in the names.
Expected<std::string> csv_sweep(const nlohmann::ordered_json& answered);

}  // namespace fareline
