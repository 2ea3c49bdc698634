// SPDX-License-Identifier: Apache-2.0
// One setup predicted.
#include <algorithm>

#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "perf/serving.h"
#include "truth/batch.h"

namespace fareline {

Plan plan_of(const ServingSetup& s, const PoolLayout& pool) {
  Plan plan;
  plan.tp = pool.tp;
  plan.ep = pool.ep;
  plan.pp = pool.pp;
  plan.dp = pool.dp;
  plan.replicas = pool.replicas;
  plan.weights = s.weights;
  plan.experts = s.experts;
  plan.kv = s.kv;
  plan.activations = s.activations;
  plan.expert_skew = usual_expert_skew;
  plan.token_budget = s.token_budget;
  plan.memory_fraction = s.memory_fraction;
  return plan;
}

std::string reason(const Infeasible& infeasible) {
  using C = Infeasible::Constraint;
  switch (infeasible.constraint) {
    case C::memory: return "fareline finds no room for it in memory";
    case C::budget: return "its step has no room for prompts beside the decoding sequences";
    case C::rate: return "fareline finds the load beyond what the system carries";
    case C::domain: return "it takes more chips than the system has";
    default: return "the model does not divide over its layout";
  }
}

std::expected<ServingPrediction, std::string> predict(const Catalogue& catalogue, const ServingSetup& s, bool counts_prompt,
                                                      std::string_view named) {
  if (s.layout_open) {
    std::expected<ServingPrediction, std::string> best = std::unexpected("fareline finds no layout for it");
    const int chips = s.layout.chips();
    for (int tp = 1; tp <= chips && tp <= 8; tp *= 2) {
      if (chips % tp != 0) continue;
      ServingSetup laid = s;
      laid.layout_open = false;
      laid.layout = {.tp = tp, .replicas = chips / tp};
      auto one = predict(catalogue, laid, counts_prompt, named);
      if (one && (!best || one->throughput.value > best->throughput.value)) best = std::move(one);
    }
    return best;
  }
  if (s.load == Load::batch) {
    const auto batch = batch_case(catalogue, s);
    if (!batch) return std::unexpected(batch.error());
    const auto calibration = named.empty() ? catalogue.calibration_for(batch->found.chip, s.stack) : catalogue.calibration(named);
    if (!calibration) return std::unexpected("no calibration is known for the chip");
    return predict(*batch, *calibration, counts_prompt);
  }
  const auto model = s.config.empty() ? catalogue.model(s.model) : read_model(s.model, s.config);
  if (!model) return std::unexpected("the model is unknown");
  const auto system = catalogue.system(s.system);
  if (!system) return std::unexpected("the system is unknown");
  const auto calibration = named.empty() ? catalogue.calibration_for(system->chip, s.stack) : catalogue.calibration(named);
  if (!calibration) return std::unexpected("no calibration is known for the chip");
  const Workload workload{.prompt = {s.prompt, s.shortest}, .output = {s.output, s.shortest}};
  const Speculation speculation{.draft = s.draft, .yield = s.accepted, .by_mtp = s.draft > 0 && !model->mtp.empty()};
  const Plan plan = plan_of(s, s.layout);
  const auto compiled = compile(*model, *system, *calibration, plan);
  if (!compiled) return std::unexpected(reason(compiled.error()));

  const double kept = workload.prompt.mean() + workload.output.biased_mean() / 2;
  const MemoryUse memory = memory_use(*model, *system, plan, kept);
  const auto serving = [&]() -> std::expected<Serving, Infeasible> {
    if (s.prefill) {
      const auto front = compile(*model, *system, *calibration, plan_of(s, *s.prefill));
      if (!front) return std::unexpected(front.error());
      return disaggregated(*front, *compiled, memory, *model, *system, workload, speculation, s.sequences, {});
    }
    if (s.load == Load::users) return closed_loop(*compiled, memory, workload, speculation, s.sequences);
    const double room = most_sequences(memory, plan) * plan.replicas;
    return closed_loop(*compiled, memory, workload, speculation, s.sequences > 0 ? std::min(room, s.sequences) : room);
  }();
  if (!serving) return std::unexpected(reason(serving.error()));
  Seconds ttft = serving->ttft.value, tpot = serving->tpot.value;
  if (s.opening > 0 && s.load == Load::users && !s.prefill) {
    const double prompt = workload.prompt.mean();
    const double here = std::min(s.sequences / plan.replicas, most_sequences(memory, plan));
    const double together = std::clamp(plan.token_budget * plan.dp / prompt, 1.0, here);
    const Seconds pass = compiled->estimate({.prefill_sequences = together, .prefill_tokens = prompt}).stage_time;
    const Seconds burst = max(serving->ttft.value - serving->queueing, (here / together + 1) / 2 * pass);
    const double others = std::max(0.0, 1 - 1 / here);  // nobody interrupts himself
    const Seconds interruptions =
        others * serving->decoding * (serving->prefill_time + serving->prefix_time) / std::max(workload.output.mean() - 1, 1.0);
    ttft = (1 - s.opening) * serving->ttft.value + s.opening * (burst + max(Seconds{}, serving->ttft.value - serving->queueing - pass));
    tpot = max(serving->tpot.floor, tpot - s.opening * interruptions);
  }
  // What no engine can beat: one sequence decoding alone; and the rate of the same users at peak rates.
  const double steps = std::max(0.0, workload.output.mean() - 1) / speculation.yield;
  const double context = workload.prompt.mean() + workload.output.biased_mean() / 2;
  const Seconds alone =
      compiled->estimate({.decode_sequences = 1, .decode_context = context}).floor * steps / std::max(workload.output.mean() - 1, 1.0);
  Frequency most = serving->rate_ceiling;
  if (const auto ideal = catalogue.calibration("ideal"); ideal && !s.prefill) {
    const auto at_peak = compile(*model, *system, *ideal, plan);
    if (at_peak)
      if (const auto fastest =
              closed_loop(*at_peak, memory, workload, speculation, s.load == Load::users ? s.sequences : serving->concurrency))
        most = max(most, fastest->rate_ceiling);
  }
  const Tokens tokens = (workload.output.mean() + (counts_prompt ? workload.prompt.mean() : 0)) * unit::token / s.chips();
  return ServingPrediction{.ttft = banded(ttft, serving->ttft.floor, calibration->ttft),
                           .tpot = banded(tpot, min(alone, tpot), calibration->tpot),
                           .throughput = banded(tokens * serving->rate, tokens * most, calibration->throughput),
                           .rate_bound = s.load == Load::users ? most : Frequency{},
                           .calibration = calibration->name};
}

}  // namespace fareline
