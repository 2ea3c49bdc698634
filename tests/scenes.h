// SPDX-License-Identifier: Apache-2.0
// Random scenes for property tests: a model and a system of the catalogue, a calibration and a plan drawn at random.
#pragma once

#include <algorithm>
#include <vector>

#include <rapidcheck.h>

#include "catalog/catalog.h"
#include "perf/compiled_plan.h"
#include "perf/plan.h"

namespace fareline::test {

inline const std::vector<Model>& all_models() {
  static const std::vector<Model> models = [] {
    std::vector<Model> read;
    for (const std::string& name : Catalogue::built_in().model_names()) read.push_back(*Catalogue::built_in().model(name));
    return read;
  }();
  return models;
}

inline const std::vector<System>& all_systems() {
  static const std::vector<System> systems = [] {
    std::vector<System> read;
    for (const std::string& name : Catalogue::built_in().system_names()) read.push_back(*Catalogue::built_in().system(name));
    return read;
  }();
  return systems;
}

inline const Calibration& ideal() {
  static const Calibration calibration = *Catalogue::built_in().calibration("ideal");
  return calibration;
}

// Uniform in [low, high] in steps of a thousandth of the range.
inline double any_between(double low, double high) { return low + (high - low) * *rc::gen::inRange(0, 1001) / 1000; }
inline double any_share() { return any_between(0.001, 1); }
inline Seconds any_time(Seconds most) { return any_between(0, 1) * most; }

inline Calibration any_calibration() {
  if (*rc::gen::inRange(0, 8) == 0) return ideal();
  Calibration calibration = ideal();
  for (auto& kernel : calibration.kernels) {
    const Efficiency efficiency{.peak_share = any_share(),
                                .bandwidth_share = any_share(),
                                .latency = any_time(20 * unit::us),
                                .serial_share = any_between(0, 1),
                                .tile = *rc::gen::element(1, 16, 64, 128, 200),
                                .item_time = any_time(1 * unit::us),
                                .depth_time = any_time(1 * unit::ns),
                                .depth_most = *rc::gen::element(0.0, 1000.0),
                                .softmax_dims = any_between(0, 64),
                                .peer_latency = any_time(1 * unit::us),
                                .second_latency = any_time(20 * unit::us),
                                .second_share = any_share()};
    kernel.fill(efficiency);
  }
  calibration.engine = {.step = any_time(5 * unit::ms), .sequence = any_time(50 * unit::us), .prompt = any_time(10 * unit::ms)};
  calibration.engine.collective_overlap = any_between(0, 1);
  calibration.engine.launch_share = any_between(0, 1);
  return calibration;
}

inline int any_power(int most) {
  int power = 1;
  for (int times = *rc::gen::inRange(0, 7); times > 0 && 2 * power <= most; --times) power *= 2;
  return power;
}

inline Plan any_plan(const Model& model) {
  const bool moe = std::any_of(model.kinds.begin(), model.kinds.end(), [](const Layer& l) { return l.feed_forward.experts > 0; });
  Plan plan;
  plan.tp = any_power(16);
  plan.dp = moe ? any_power(64) : *rc::gen::element(1, 1, 2);
  plan.cp = *rc::gen::element(1, 1, 1, 2);
  plan.pp = *rc::gen::element(1, 1, 1, 2, 3, 4);
  plan.ep = moe ? any_power(plan.stage_chips()) : 1;
  plan.replicas = *rc::gen::element(1, 1, 3);
  if (*rc::gen::inRange(0, 2)) plan.kv = *rc::gen::element(Format::bf16, Format::fp8);
  if (*rc::gen::inRange(0, 2))
    plan.weights = *rc::gen::element(Format::bf16, Format::fp8, Format::int8, Format::int4, Format::nvfp4, Format::fp32);
  if (*rc::gen::inRange(0, 3) == 0) plan.activations = *rc::gen::element(Format::bf16, Format::fp8);
  plan.expert_skew = *rc::gen::element(0.0, 0.3, 1.0, 2.5);
  plan.token_budget = *rc::gen::element(256, 2048, 8192);
  return plan;
}

struct Scene {
  const Model& model;
  const System& system;
  Calibration calibration;
  Plan plan;
};

inline Scene any_scene() {
  const Model& model = all_models()[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(all_models().size())))];
  const System& system = all_systems()[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(all_systems().size())))];
  return {.model = model, .system = system, .calibration = any_calibration(), .plan = any_plan(model)};
}

inline Pass any_pass() {
  const int what = *rc::gen::inRange(0, 4);  // decode, prefill, mixed, speculative
  Pass pass;
  if (what != 1) {
    pass.decode_sequences = *rc::gen::element(1.0, 2.0, 7.0, 64.0, 300.5, 4096.0);
    pass.decode_context = *rc::gen::inRange(0, 200'000);
    if (what == 3) pass.tokens_per_sequence = 1 + *rc::gen::inRange(1, 9);
  }
  if (what == 1 || what == 2) {
    pass.prefill_sequences = *rc::gen::element(1.0, 2.0, 8.5);
    pass.prefill_tokens = *rc::gen::inRange(1, 9000);
    pass.prefill_context = *rc::gen::element(0.0, 100.0, 50'000.0);
  }
  return pass;
}

// As a product of roundings may differ: `least` <= `value` to a part in 10^12.
template <class Q>
bool at_least(Q value, Q least) { return value >= least * (1 - 1e-12); }

}  // namespace fareline::test
