// SPDX-License-Identifier: Apache-2.0
// What is told of a validation: as JSON, as text, as CSV, as pictures.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "truth/validate.h"

namespace fareline {

// {"question": "validate", "inputs", "answer": {"rows", "predicted", "refused", "below_floor", "tpot", "ttft", "throughput", "ranking",
// "groups"}, "explain", "warnings"}; `files` are the names given.
nlohmann::ordered_json to_json(const Validation& validation, const std::vector<std::string>& files);

// Tables for people: all rows, groups, the worst rows, what was refused and why, what lies beyond the bound.
std::string to_text(const Validation& validation);

// One line a comparison: row, model, chip, engine, layout, load, metric, unit, predicted, low, high, bound, measured.
Expected<std::string> to_csv(const Validation& validation);

// SVG: predicted against measured for every metric there is, on logarithmic scales, and the error by group.
Expected<std::string> to_svg(const Validation& validation);

}  // namespace fareline
