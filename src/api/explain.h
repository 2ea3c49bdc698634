// SPDX-License-Identifier: Apache-2.0
// How a number opens: name, value, formula, source, and the inputs it was computed from.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "api/value.h"
#include "perf/compiled_plan.h"
#include "perf/memory.h"

namespace fareline {

struct Explained {
  std::string name;
  nlohmann::ordered_json value;
  std::string formula, source;
  std::vector<Explained> inputs;
};
nlohmann::ordered_json to_json(const Explained& e);

// {"weights": {"time", "share"}, ...} of a pass, largest first, and "first": the binder with the largest share.
nlohmann::ordered_json bound_of(const PassEstimate& pass);
Binder first_binder(const PassEstimate& pass);
// What a binder is to people: "reading the weights".
std::string_view phrase(Binder binder);

// One row an operator of the pass: name, kernel, layers, time, FLOP, bytes, what binds it, formula, source.
nlohmann::ordered_json operators_of(const CompiledPlan& plan, const Pass& pass);

nlohmann::ordered_json memory_of(const MemoryUse& use, const Plan& plan, double kv_tokens);
nlohmann::ordered_json infeasible_answer(const struct Infeasible& reason, std::string would_fit);

}  // namespace fareline
