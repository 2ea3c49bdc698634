// SPDX-License-Identifier: Apache-2.0
// The functions behind the rows of the question table.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "api/inputs.h"
#include "catalog/catalog.h"

namespace fareline {

// Each returns {"answer", "explain", "warnings"}; errors are bad input. What does not fit is an answer with "feasible": false.
Expected<nlohmann::ordered_json> answer_cost(Inputs& inputs, const Catalogue& catalogue);
Expected<nlohmann::ordered_json> answer_step(Inputs& inputs, const Catalogue& catalogue);
Expected<nlohmann::ordered_json> answer_memory(Inputs& inputs, const Catalogue& catalogue);
Expected<nlohmann::ordered_json> answer_sweep(Inputs& inputs, const Catalogue& catalogue);
Expected<nlohmann::ordered_json> answer_list(Inputs& inputs, const Catalogue& catalogue);
Expected<nlohmann::ordered_json> answer_show(Inputs& inputs, const Catalogue& catalogue);

Question tiers_question();
Question plan_question();
Question simulate_question();
Question bill_question();
// The rows of the questions of the blackboard.
Question balance_question();
Question departures_question();
Question racks_question();
Question speed_question();
Question context_question();
Question invert_question();
Question lecture_question();

// The pictures of the figures of the lecture that name one: file name and SVG. Errors: a figure that cannot be answered or drawn.
Expected<std::vector<std::pair<std::string, std::string>>> lecture_plots(const Catalogue& catalogue);
// The rows of the questions on pipelines, memory and training.
Question pipeline_question();
Question lifetime_question();
Question capacity_question();
Question reversible_question();

}  // namespace fareline
