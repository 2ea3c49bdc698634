// SPDX-License-Identifier: Apache-2.0
// One setup predicted.
#include <algorithm>
#include <cmath>
#include <optional>

#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "perf/serving.h"
#include "truth/batch.h"

namespace fareline {

// The coefficient of variation of the experts' popularity under random tokens, which benchmark clients send.
// Source: ai-dynamo/aiconfigurator@095f58a:docs/POWER_LAW_DISTRIBUTION.md (a power law of exponent 1.2). Assumes: all models alike.
constexpr double random_token_skew = 1;

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
  plan.expert_skew = random_token_skew;
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
  return predict(catalogue, *model, *system, *calibration, s, counts_prompt);
}

std::expected<ServingPrediction, std::string> predict(const Catalogue& catalogue, const Model& model, const System& system,
                                                      const Calibration& calibration, const ServingSetup& s, bool counts_prompt,
                                                      bool bounded) {
  const Workload workload{.prompt = {s.prompt, s.shortest}, .output = {s.output, s.shortest}};
  const Speculation speculation{.draft = s.draft, .yield = s.accepted, .by_mtp = s.draft > 0 && !model.mtp.empty()};
  const Plan plan = plan_of(s, s.layout);
  const auto compiled = compile(model, system, calibration, plan);
  if (!compiled) return std::unexpected(reason(compiled.error()));

  const double kept = workload.prompt.mean() + workload.output.biased_mean() / 2;
  const MemoryUse memory = memory_use(model, system, plan, kept);
  const auto serving = [&]() -> std::expected<Serving, Infeasible> {
    if (s.prefill) {
      const auto front = compile(model, system, calibration, plan_of(s, *s.prefill));
      if (!front) return std::unexpected(front.error());
      return disaggregated(*front, *compiled, memory, model, system, workload, speculation, s.sequences, {});
    }
    if (s.load == Load::users) return closed_loop(*compiled, memory, workload, speculation, s.sequences);
    const double room = most_sequences(memory, plan) * plan.replicas;
    return closed_loop(*compiled, memory, workload, speculation, s.sequences > 0 ? std::min(room, s.sequences) : room);
  }();
  if (!serving) return std::unexpected(reason(serving.error()));
  Seconds ttft = serving->ttft.value, tpot = serving->tpot.value;
  Frequency rate = serving->rate;
  if (s.waves > 0 && s.load == Load::users && plan.pp == 1 && (!s.prefill || s.prefill->pp == 1)) {
    // As many replicas as there are users to fill them; the others idle.
    const double replicas = std::min<double>(plan.replicas, s.sequences);
    std::optional<CompiledPlan> front;
    PrefillPool pool;
    if (s.prefill) {
      if (auto laid = compile(model, system, calibration, plan_of(s, *s.prefill))) front = std::move(*laid);
      const Format kv = plan.kv.value_or(model.precision.kv);
      const Bandwidth link = system.scale_out.bandwidth.value * front->plan().stage_chips();
      pool = {.plan = &*front, .servers = s.prefill->replicas / replicas};
      if (system.scale_out.bandwidth.stated()) pool.transfer = sequence_bytes(model, kv, s.prompt) / link + system.scale_out.latency.value;
    }
    const ClientRun run = client_run(*compiled, most_sequences(memory, plan), workload, speculation, s.scheduling,
                                     {.users = std::max(1.0, std::round(s.sequences / replicas)), .waves = s.waves}, pool);
    ttft = max(run.ttft_mean, serving->ttft.floor);
    tpot = run.tpot_mean;
    rate = replicas * run.rate;
  }
  ttft += s.queued / rate;
  // What no engine can beat: one sequence decoding alone; and the rate of the same users at peak rates.
  const double steps = std::max(0.0, workload.output.mean() - 1) / speculation.yield;
  const double context = workload.prompt.mean() + workload.output.biased_mean() / 2;
  const Seconds alone =
      compiled->estimate({.decode_sequences = 1, .decode_context = context}).floor * steps / std::max(workload.output.mean() - 1, 1.0);
  Frequency most = serving->rate_ceiling;
  if (const auto ideal = catalogue.calibration("ideal"); bounded && ideal && !s.prefill) {
    const auto at_peak = compile(model, system, *ideal, plan);
    if (at_peak)
      if (const auto fastest =
              closed_loop(*at_peak, memory, workload, speculation, s.load == Load::users ? s.sequences : serving->concurrency))
        most = max(most, fastest->rate_ceiling);
  }
  const Tokens tokens = (workload.output.mean() + (counts_prompt ? workload.prompt.mean() : 0)) * unit::token / s.chips();
  return ServingPrediction{.ttft = banded(ttft, serving->ttft.floor, calibration.ttft),
                           .tpot = banded(tpot, min(alone, tpot), calibration.tpot),
                           .throughput = banded(tokens * rate, tokens * most, calibration.throughput),
                           .rate_bound = s.load == Load::users ? most : Frequency{},
                           .calibration = calibration.name};
}

}  // namespace fareline
