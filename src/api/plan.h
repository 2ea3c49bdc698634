// SPDX-License-Identifier: Apache-2.0
// The question "plan": what was asked, as a space and a promise; and asking with workers.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "api/inputs.h"
#include "search/search.h"

namespace fareline {

// One system in one set of number formats, as the question "cost" takes it.
struct Offered {
  std::string system;
  nlohmann::ordered_json cost;    // inputs of "cost", all but the layout and the load
};

struct PlanAsked {
  Space space;
  Promise promise;
  Aim aim = Aim::price;
  int keep = 1;
  std::vector<Offered> offered;   // beside space.offers
  std::vector<std::string> systems;
  std::shared_ptr<const Model> model;
  std::vector<std::string> warnings;
};

// Reads what was asked. Errors: as "cost" refuses; lists and ranges that are none; names of formats that are not known.
Expected<PlanAsked> read_plan(Inputs& inputs, const Catalogue& catalogue);

// Returns what ask() does, with the search on `workers`.
Expected<nlohmann::ordered_json> ask_plan(const nlohmann::ordered_json& question, const Catalogue& catalogue, Workers& workers);

// The inputs of "cost" for a plan found.
nlohmann::ordered_json cost_inputs(const PlanAsked& asked, const Found& found);

// What nothing keeps: the answer that says what comes nearest and what would do.
nlohmann::ordered_json nothing_feasible(const PlanAsked& asked, const PlanCounts& counts, Workers& workers);

// "6 x tp 8, ep 8 (48 chips)".
std::string layout_text(const Plan& plan);

}  // namespace fareline
