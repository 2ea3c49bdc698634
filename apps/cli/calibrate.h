// SPDX-License-Identifier: Apache-2.0
// "fareline calibrate": opens the tables, hands their bytes to the truth layer, writes the calibration it fits.
#pragma once

#include <CLI/CLI.hpp>

#include "api/question.h"
#include "units/error.h"

namespace fareline::cli {

// Adds the command to `app`; parsing it runs it. `catalogue_at` reads the catalogue with a folder's files laid over it.
void add_calibrate(CLI::App& app, Expected<Catalogue> (*catalogue_at)(const std::string& folder), int (*complain)(const Error&));

}  // namespace fareline::cli
