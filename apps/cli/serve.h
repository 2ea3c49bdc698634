// SPDX-License-Identifier: Apache-2.0
// "fareline serve": the questions over HTTP.
#pragma once

#include <CLI/CLI.hpp>

#include "units/error.h"

namespace fareline::cli {

// Adds the command to `app`; parsing it runs it.
void add_serve(CLI::App& app, int (*complain)(const Error&));

}  // namespace fareline::cli
