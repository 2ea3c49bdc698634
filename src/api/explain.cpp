// SPDX-License-Identifier: Apache-2.0
#include "api/explain.h"

#include <algorithm>
#include <numeric>

#include "api/setting.h"
#include "units/text.h"

namespace fareline {

using Json = nlohmann::ordered_json;

Json to_json(const Explained& e) {
  Json j{{"name", e.name}, {"value", e.value}};
  if (!e.formula.empty()) j["formula"] = e.formula;
  if (!e.source.empty()) j["source"] = e.source;
  if (!e.inputs.empty()) {
    Json inputs = Json::array();
    for (const Explained& input : e.inputs) inputs.push_back(to_json(input));
    j["inputs"] = std::move(inputs);
  }
  return j;
}

Binder first_binder(const PassEstimate& pass) {
  const auto it = std::max_element(pass.by_binder.begin(), pass.by_binder.end());
  return static_cast<Binder>(it - pass.by_binder.begin());
}

std::string_view phrase(Binder binder) {
  switch (binder) {
    case Binder::weights: return "reading the weights";
    case Binder::kv: return "reading the KV cache";
    case Binder::activations: return "moving activations";
    case Binder::flops: return "multiplying";
    case Binder::collectives: return "exchanging between chips";
    case Binder::launches: return "launching kernels";
    case Binder::engine: return "the engine's own work between steps";
  }
  return {};
}

Json bound_of(const PassEstimate& pass) {
  std::array<std::size_t, binder_count> order;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return pass.by_binder[a] > pass.by_binder[b]; });
  Json j = Json::object();
  for (const std::size_t i : order)
    j[std::string(binder_names[i])] = {{"time", plain(pass.by_binder[i])},
                                       {"share", pass.time > Seconds{} ? pass.by_binder[i] / pass.time : 0.0}};
  return j;
}

Json operators_of(const CompiledPlan& plan, const Pass& pass) {
  Json rows = Json::array();
  for (const OperatorEstimate& e : plan.explain(pass)) {
    const Operator& op = *e.definition;
    const OperatorRow& kind = row(op.kind);
    const auto binds = std::max_element(e.by_binder.begin(), e.by_binder.end()) - e.by_binder.begin();
    rows.push_back({{"name", std::string(op.label())}, {"kind", std::string(kind.name)}, {"kernel", std::string(name(op.kernel))},
                    {"layers", e.layers}, {"multiplies_in", std::string(name(op.rate))}, {"time", plain(e.time)}, {"flop", plain(e.flops)},
                    {"weights", plain(e.weights)}, {"kv", plain(e.kv)}, {"activations", plain(e.activations)},
                    {"bound", std::string(binder_names[static_cast<std::size_t>(binds)])}, {"formula", std::string(kind.equation)},
                    {"source", std::string(kind.source)}, {"assumes", std::string(kind.assumes)}});
  }
  return rows;
}

Json memory_of(const MemoryUse& use, const Plan& plan, double kv_tokens) {
  return {{"weights", plain(use.weights)},
          {"activations", plain(use.activations)},
          {"collectives", plain(use.collectives)},
          {"reserve", plain(use.reserve)},
          {"left_for_kv", plain(max(Bytes{}, use.left()))},
          {"budget", plain(use.budget)},
          {"usable", plain(use.usable)},
          {"physical", plain(use.physical)},
          {"sequence", plain(use.sequence)},
          {"state", plain(use.state)},
          {"largest_batch", plain(std::max(0.0, most_sequences(use, plan)), "1")},
          {"kv_capacity", plain(kv_tokens, "tok")}};
}

Json infeasible_answer(const Infeasible& reason, std::string would_fit) {
  using C = Infeasible::Constraint;
  const std::string unit = reason.constraint == C::memory ? "B" : reason.constraint == C::rate ? "1/s" : "1";
  Json j{{"feasible", false},
         {"reason", words(reason)},
         {"needed", plain(reason.needed, unit)},
         {"available", plain(reason.available, unit)},
         {"remedy", remedy(reason)}};
  if (!would_fit.empty()) j["would_fit"] = std::move(would_fit);
  return j;
}

}  // namespace fareline
