// SPDX-License-Identifier: Apache-2.0
// "fareline simulate": files as traffic, a report, progress, interrupts, checkpoints, threads.
#pragma once

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "api/question.h"
#include "units/error.h"

namespace fareline::cli {

struct SimulateArguments {
  std::string report, checkpoint, resume;
  int threads = 0;  // 0: as many as the machine has
};

void add_simulate_options(CLI::App& command, SimulateArguments& arguments);

// Answers the question; `interrupted` says whether the person at the keyboard stopped it.
Expected<nlohmann::ordered_json> simulate(const nlohmann::ordered_json& asked, const Catalogue& catalogue,
                                          const SimulateArguments& arguments, bool& interrupted);

}  // namespace fareline::cli
