// SPDX-License-Identifier: Apache-2.0
#include "economics/serve.h"

namespace fareline {
namespace {

const MemoryTier* tier_named(const System& system, std::string_view name) {
  for (const MemoryTier& tier : system.tiers)
    if (tier.name == name) return &tier;
  return nullptr;
}

// Fills in what follows from the steady state: where the prefix comes from, and the bill.
void add_bill(const Situation& s, const Plan& plan, Steady& steady) {
  PrefixStorage storage = s.storage;
  if (s.workload.prompt_cached() > 0) {
    storage.size = sequence_bytes(s.model, plan.kv.value_or(s.model.precision.kv), s.workload.prompt_cached());
    if (const MemoryTier* tier = tier_named(s.system, s.tier); tier && tier->bandwidth.stated())
      steady.retrieval = storage.size / (tier->bandwidth.value * plan.stage_chips());
  } else {
    storage.size = Bytes{};
  }
  steady.serving.ttft.value += steady.retrieval;
  steady.serving.ttft.floor += steady.retrieval;
  steady.bill = request_bill(steady.serving, steady.chips, s.chip_rate, storage);
  steady.prices = token_prices(steady.bill, s.workload);
}

std::expected<Serving, Infeasible> steady_state(const CompiledPlan& plan, const MemoryUse& memory, const Situation& s, const Demand& d) {
  if (d.batch > 0) return fixed_batch(plan, memory, s.workload, s.speculation, d.batch);
  if (d.rate > Frequency{}) return open_loop(plan, memory, s.workload, s.speculation, d.rate);
  return closed_loop(plan, memory, s.workload, s.speculation, d.concurrency);
}

}  // namespace

double kept_context(const Workload& w) { return w.prompt.mean() + w.output.biased_mean() / 2; }

std::expected<Served, Infeasible> serve(const Situation& s) {
  auto compiled = compile(s.model, s.system, s.calibration, s.plan);
  if (!compiled) return std::unexpected(compiled.error());
  Served served{{}, std::move(*compiled), {}, memory_use(s.model, s.system, s.plan, kept_context(s.workload))};
  const Demand& d = s.demand;
  std::expected<Serving, Infeasible> serving;
  served.chips = s.plan.chips();
  if (s.prefill) {
    auto front = compile(s.model, s.system, s.calibration, *s.prefill);
    if (!front) return std::unexpected(front.error());
    const MemoryUse front_memory = memory_use(s.model, s.system, *s.prefill, s.workload.prompt.mean());
    if (most_sequences(front_memory, *s.prefill) < 1)
      return std::unexpected(out_of_memory(front_memory, 1));
    served.compiled_prefill = std::move(*front);
    served.chips += s.prefill->chips();
    serving = disaggregated(*served.compiled_prefill, served.compiled, served.memory, s.model, s.system, s.workload, s.speculation,
                            d.batch > 0 ? d.batch * s.plan.replicas : d.concurrency, d.rate);
  } else {
    serving = steady_state(served.compiled, served.memory, s, d);
  }
  if (!serving) return std::unexpected(serving.error());
  served.serving = *serving;
  add_bill(s, s.plan, served);
  return served;
}

std::expected<Steady, Infeasible> serve_replicas(const Situation& s, const CompiledPlan& one, const MemoryUse& memory, const Demand& demand,
                                                 int replicas) {
  const Demand each{.concurrency = demand.concurrency / replicas, .batch = demand.batch, .rate = demand.rate / replicas};
  const auto serving = steady_state(one, memory, s, each);
  if (!serving) return std::unexpected(serving.error());
  Steady steady{.serving = *serving, .chips = static_cast<double>(one.plan().replica_chips()) * replicas};
  Serving& all = steady.serving;
  all.concurrency *= replicas;
  all.rate = demand.rate > Frequency{} ? demand.rate : replicas * all.rate;
  all.rate_ceiling *= replicas;
  add_bill(s, one.plan(), steady);
  return steady;
}

}  // namespace fareline
