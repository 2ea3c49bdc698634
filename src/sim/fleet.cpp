// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/engine.h"

namespace fareline {
namespace {

Expected<void> check(const Fleet& fleet) {
  const auto wrong = [](std::string where, std::string what, std::string remedy) {
    return fail(std::move(where), std::move(what), std::move(remedy));
  };
  if (fleet.pools.empty() || fleet.pools.size() > 2) return wrong("pools", fmt::format("{} pools", fleet.pools.size()), "give one or two");
  const bool apart = fleet.pools.size() == 2;
  for (std::size_t i = 0; i < fleet.pools.size(); ++i) {
    const Pool& pool = fleet.pools[i];
    const Role due = !apart ? Role::serves : i == 0 ? Role::prefills : Role::decodes;
    if (!pool.plan) return wrong("pools", "a pool has no plan", "compile one");
    if (pool.role != due)
      return wrong("pools", "roles do not belong together", "one pool serves, or the first prefills and the second decodes");
    if (pool.replicas < 1) return wrong("pools", "a pool has no replica", "give it one or more");
    if (pool.pages < 1) return wrong("pools", "a replica holds no KV page", "leave memory for some");
    if (pool.sequences_most < 1) return wrong("pools", "a replica admits no request", "let it admit one or more");
    if (fleet.batching == Batching::train && pool.plan->plan().pp > 1)
      return wrong("batching", "a train over pipeline stages", "choose continuous, or one stage");
    if (pool.plan->plan().token_budget <= fleet.drafting.draft())
      return wrong("pools", "a step's token budget is below one sequence and its drafts", "raise the budget or draft less");
  }
  if (fleet.batching == Batching::train && !(fleet.period > Seconds{}))
    return wrong("period", "trains have no period", "give the time between two departures");
  if (apart && !(fleet.transfer_bandwidth > Bandwidth{}))
    return wrong("transfer bandwidth", "pools apart have no network between them", "give its bandwidth");
  if (fleet.preemption == Preemption::swap && !(fleet.host_bandwidth > Bandwidth{}))
    return wrong("host bandwidth", "swapping has no link to host memory", "give its bandwidth");
  double sum = 0;
  for (const double chance : fleet.drafting.accepted) {
    if (!(chance >= 0)) return wrong("drafting", "a negative chance", "give chances from 0 to 1");
    sum += chance;
  }
  if (!fleet.drafting.accepted.empty() && std::abs(sum - 1) > 1e-9)
    return wrong("drafting", fmt::format("chances add up to {}", sum), "let them add up to 1");
  for (const CacheTier& tier : fleet.cache.tiers)
    if (!(tier.bandwidth > Bandwidth{})) return wrong(tier.name, "a tier without bandwidth", "give its bandwidth");
  int replicas = 0;
  for (const Pool& pool : fleet.pools) replicas += pool.replicas;
  for (const Outage& outage : fleet.failures.planned)
    if (outage.replica < 0 || outage.replica >= replicas)
      return wrong("failures", fmt::format("no replica {}", outage.replica), fmt::format("name one of 0 to {}", replicas - 1));
  const Scaling& s = fleet.scaling;
  if (s.least < 0 || s.least > fleet.pools[0].replicas)
    return wrong("scaling", fmt::format("at least {} of {} replicas", s.least, fleet.pools[0].replicas), "ask for no more than there are");
  if (s.least > 0 && (!(s.interval > Seconds{}) || !(s.target > 0)))
    return wrong("scaling", "no interval or no target", "give both, above zero");
  return {};
}

// A batch beyond the budget of a step's tokens cannot run.
void hold_to_budget(Fleet& fleet) {
  for (Pool& pool : fleet.pools) {
    const Plan& plan = pool.plan->plan();
    const double most = std::floor(plan.token_budget / (1.0 + fleet.drafting.draft())) * plan.dp * plan.pp;
    if (most < pool.sequences_most) pool.sequences_most = static_cast<int>(most);
  }
}

}  // namespace

std::expected<Pool, Infeasible> pool_of(const Model& model, const System& system, const CompiledPlan& compiled) {
  const Plan& plan = compiled.plan();
  const Format kv = plan.kv.value_or(model.precision.kv);
  const MemoryUse use = memory_use(model, system, plan, plan.page_tokens);
  if (use.left() < Bytes{}) return std::unexpected(out_of_memory(use, 1));
  Pool pool{.plan = &compiled, .replicas = plan.replicas};
  // Far out, where windows are full, a token adds this much; what a sequence has beside it does not depend on its length.
  const double far = 0x1p24;
  const Bytes token = (sequence_bytes(model, kv, 2 * far) - sequence_bytes(model, kv, far)) / far;
  if (!(token > Bytes{})) {  // a state alone: pages so small that tokens hardly count beside it
    const double sequences = std::min(most_sequences(memory_use(model, system, plan, far), plan), 0x1p20);
    pool.sequence_pages = std::int64_t{1} << 24;
    pool.page = sequence_bytes(model, kv, far) / static_cast<double>(pool.sequence_pages);
    pool.pages = static_cast<std::int64_t>(sequences) * (pool.sequence_pages + (std::int64_t{1} << 16));
    if (pool.pages < 1) return std::unexpected(out_of_memory(use, 1));
    return pool;
  }
  pool.page = plan.page_tokens * token;
  pool.pages = static_cast<std::int64_t>(kv_capacity_tokens(model, use, plan) / plan.page_tokens);
  const double beside = (sequence_bytes(model, kv, far) - far * token) / pool.page;
  pool.sequence_pages = beside > 1e-6 ? static_cast<std::int64_t>(std::ceil(beside)) : 0;
  if (pool.pages < 1 + pool.sequence_pages) return std::unexpected(out_of_memory(use, 1));
  return pool;
}

std::vector<double> geometric_acceptance(int draft, double acceptance) {
  std::vector<double> chances;
  double all = 1;
  for (int i = 0; i < draft; ++i, all *= acceptance) chances.push_back(all * (1 - acceptance));
  if (draft > 0) chances.push_back(all);
  return chances;
}

struct Simulation::State : Engine {
  using Engine::Engine;
};

Simulation::Simulation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Simulation::Simulation(Simulation&&) noexcept = default;
Simulation& Simulation::operator=(Simulation&&) noexcept = default;
Simulation::~Simulation() = default;

Expected<Simulation> Simulation::start(Fleet fleet, Traffic& traffic, Observer& observer) {
  if (Expected<void> checked = check(fleet); !checked) return std::unexpected(std::move(checked.error()));
  hold_to_budget(fleet);
  return Simulation(std::make_unique<State>(std::move(fleet), traffic, observer));
}

Expected<Simulation> Simulation::resume(Fleet fleet, Traffic& traffic, Observer& observer, std::string_view checkpoint) {
  Expected<Simulation> simulation = start(std::move(fleet), traffic, observer);
  if (!simulation) return simulation;
  Archive archive(checkpoint);
  std::string saved;
  archive(saved);
  if (!archive.failed()) simulation->state_->archive(archive);
  if (archive.failed() || !archive.at_end())
    return fail("checkpoint", "it was not taken of this fleet", "resume with what the run was started with");
  if (!traffic.restore(saved)) return fail("checkpoint", "its traffic cannot be restored", "resume with what the run was started with");
  return simulation;
}

bool Simulation::advance(std::uint64_t events) { return state_->advance(events); }
const Totals& Simulation::totals() const { return state_->totals; }

Expected<std::string> Simulation::checkpoint() const {
  std::optional<std::string> saved = state_->traffic.save();
  if (!saved) return fail("checkpoint", "this traffic cannot be saved", "run it in one go");
  std::string bytes;
  Archive archive(bytes);
  archive(*saved);
  state_->archive(archive);
  return bytes;
}

Expected<Totals> run(Fleet fleet, Traffic& traffic, Observer& observer, const std::function<bool(const Totals&)>& go_on) {
  Expected<Simulation> simulation = Simulation::start(std::move(fleet), traffic, observer);
  if (!simulation) return std::unexpected(std::move(simulation.error()));
  while (simulation->advance(65'536))
    if (go_on && !go_on(simulation->totals())) break;
  return simulation->totals();
}

}  // namespace fareline
