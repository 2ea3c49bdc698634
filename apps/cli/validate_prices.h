// SPDX-License-Identifier: Apache-2.0
// Tables of prices and of billing cases: what "invert" and "bill" make of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "api/question.h"

namespace fareline::cli {

// Returns the answer where the files are tables of prices (how often "invert" tells the models offered), and of billing cases beside
// them (how many "bill" prices as expected); nothing where none of them is. Errors: tables of both kinds and others mixed; cases
// without prices; what the questions and the files refuse.
Expected<std::optional<nlohmann::ordered_json>> validate_prices(const std::vector<std::string>& files, const Catalogue& catalogue);

}  // namespace fareline::cli
