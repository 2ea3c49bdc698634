// SPDX-License-Identifier: Apache-2.0
// The operators of one rank under a plan, layer by layer, for who adds them up otherwise than a pass of serving does.
#pragma once

#include <expected>
#include <vector>

#include "perf/operators.h"
#include "perf/plan.h"

namespace fareline {

struct RankOperators {
  std::vector<Operator> before;               // the embedding
  std::vector<std::vector<Operator>> layers;  // one layer of each kind
  std::vector<Operator> after;                // final norm, LM head, sampling
  std::vector<int> stage_layers;              // [stage * kinds + kind]
  int count(int stage, std::size_t kind) const { return stage_layers[static_cast<std::size_t>(stage) * layers.size() + kind]; }
};

// Returns what compile() makes passes of, or why the plan cannot be divided as it asks. Source: the rows of operators.h.
// Assumes: as compile().
std::expected<RankOperators, Infeasible> rank_operators(const Model& model, const System& system, const Calibration& calibration,
                                                        const Plan& plan);

}  // namespace fareline
