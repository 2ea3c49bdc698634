// SPDX-License-Identifier: Apache-2.0
// The situation a question describes, and the choice of what the asker left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/setting.h"
#include "economics/serve.h"

namespace fareline {

// The layouts that `given` leaves open: powers of two, as far as model and system allow.
std::vector<Plan> layouts(const Model& model, const System& system, const Plan& base, const Inputs& given);

// What was tried, and what won.
struct Choice {
  Situation situation;
  int considered = 0, infeasible = 0;
  bool within_pace = true;
  std::optional<Infeasible> nearest;   // where nothing was feasible: what the plan that came nearest lacked
  Plan nearest_plan;
  std::optional<Served> served;        // of `situation`, where something was feasible
};

// Returns `situation` with the layout and the demand that serve cheapest (blended price) with TPOT within `pace` and TTFT
// within `patience`; where none is that fast, the fastest. Only what the asker left out is chosen.
Choice choose(Situation situation, const Inputs& inputs, Seconds pace, Seconds patience);

// Reads a whole situation; chooses what was left out and records it in `inputs`.
struct Read {
  Situation situation;
  Choice choice;
  std::vector<std::string> warnings;
};
Expected<Read> read_situation(Inputs& inputs, const Catalogue& catalogue);
// The same with nothing chosen: `choice` is empty.
Expected<Read> read_terms(Inputs& inputs, const Catalogue& catalogue);

}  // namespace fareline
