// SPDX-License-Identifier: Apache-2.0
// "fareline measure": kernels of the machine one sits at, timed, as a table that a calibration can be fitted on.
#pragma once

#include <CLI/CLI.hpp>

#include "units/error.h"

namespace fareline::cli {

// Adds the command to `app`; parsing it runs it.
void add_measure(CLI::App& app, int (*complain)(const Error&));

}  // namespace fareline::cli
