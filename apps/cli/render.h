// SPDX-License-Identifier: Apache-2.0
// An answer as text for people. No arithmetic: every number stands in the answer.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace fareline::cli {

// Returns the tables and sentences of `answered`; with `explain` also where every number comes from.
std::string rendered(const nlohmann::ordered_json& answered, bool explain);

// Returns `value` in `unit`, as answers name it, as people write it: "47.87 ms" of 0.04787 and "s".
std::string quantity_text(double value, const std::string& unit, int digits = 4);

}  // namespace fareline::cli
