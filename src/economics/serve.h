// SPDX-License-Identifier: Apache-2.0
// One serving system asked for its steady state and its bill.
#pragma once

#include <optional>
#include <string>

#include "economics/money.h"
#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "perf/serving.h"

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

// What a system does and costs.
struct Steady {
  Serving serving;
  RequestBill bill;
  TokenPrices prices;
  Seconds retrieval;             // of the cached prefix from its tier, part of TTFT
  double chips = 0;
};

struct Served : Steady {
  CompiledPlan compiled;
  std::optional<CompiledPlan> compiled_prefill;
  MemoryUse memory;
};

// Returns the tokens a sequence keeps on average, met while it runs. Equation: prompt + output / 2, biased to the long.
// Source: Workload. Assumes: sequences are met half-way through their output.
double kept_context(const Workload& workload);

// Returns the steady state and bill of `situation`, or why there is none. Source: perf/serving.h, economics/money.h.
// Assumes: as there.
std::expected<Served, Infeasible> serve(const Situation& situation);

// Returns the same of `replicas` equal replicas, of which `one` is compiled and takes `memory`; `demand` is that of all together. Of
// `situation` the plan and the demand are not looked at. Source: serve. Assumes: as serve; no pool apart.
std::expected<Steady, Infeasible> serve_replicas(const Situation& situation, const CompiledPlan& one, const MemoryUse& memory,
                                                 const Demand& demand, int replicas);

}  // namespace fareline
