// SPDX-License-Identifier: Apache-2.0
// One serving system asked for its steady state and its bill, and the choice of what the asker left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/setting.h"

namespace fareline {

// How much is asked of the system: one of the three is positive.
struct Demand {
  double concurrency = 0, batch = 0;
  Frequency rate{};
  bool stated() const { return concurrency > 0 || batch > 0 || rate > Frequency{}; }
};

struct Situation {
  Model model;
  System system;
  Calibration calibration;
  Plan plan;
  std::optional<Plan> prefill;   // a pool apart
  Workload workload;
  Speculation speculation;
  Demand demand;
  MoneyRate chip_rate{};
  PrefixStorage storage;         // size is filled in from the workload
  std::string tier;
};

struct Served {
  CompiledPlan compiled;
  std::optional<CompiledPlan> compiled_prefill;
  MemoryUse memory;
  Serving serving;
  RequestBill bill;
  TokenPrices prices;
  Seconds retrieval;             // of the cached prefix from its tier, part of TTFT
  double chips = 0;
};

// Returns the steady state and bill of `situation`, or why there is none.
std::expected<Served, Infeasible> serve(const Situation& situation);

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

}  // namespace fareline
