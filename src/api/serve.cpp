// SPDX-License-Identifier: Apache-2.0
#include "api/serve.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "economics/tiers.h"
#include "units/text.h"

namespace fareline {
namespace {

const MemoryTier* tier_named(const System& system, std::string_view name) {
  for (const MemoryTier& tier : system.tiers)
    if (tier.name == name) return &tier;
  return nullptr;
}

// Powers of two up to `most`, and `most` itself.
std::vector<int> powers(int most) {
  std::vector<int> all;
  for (int p = 1; p <= most; p *= 2) all.push_back(p);
  return all;
}

constexpr double most_chips = 1 << 30;  // above, counting them overflows

// How much a reason tells the asker: that memory is short, then what cannot be divided, then that ranks do not match.
int telling(const Infeasible& reason) {
  if (reason.constraint == Infeasible::Constraint::memory) return 2;
  return reason.constraint == Infeasible::Constraint::ranks ? 0 : 1;
}

}  // namespace

std::vector<Plan> layouts(const Model& model, const System& system, const Plan& base, const Inputs& given) {
  const bool moe = std::any_of(model.kinds.begin(), model.kinds.end(), [](const Layer& l) { return l.feed_forward.experts > 0; });
  const auto options = [&](std::string_view name, int given_value, const std::vector<int>& open) {
    return given.has(name) ? std::vector<int>{given_value} : open;
  };
  const int unit_chips = system.chips;
  std::vector<Plan> plans;
  // One unit of the system first; further stages over several units only where nothing fits in one.
  for (const int pp : options("pp", base.pp, powers(system.scale_out.bandwidth.stated() ? std::min(16, model.layers()) : 1))) {
    for (const int tp : options("tp", base.tp, powers(std::min(unit_chips, 64)))) {
      std::vector<int> dps = moe ? powers(std::max(1, unit_chips / tp)) : std::vector<int>{1};
      // An ep that is no power of two is laid over as many attention groups as it takes.
      const int group = tp * base.cp;
      const bool odd = moe && given.has("ep") && base.ep % group == 0 && std::find(dps.begin(), dps.end(), base.ep / group) == dps.end();
      if (odd) dps.push_back(base.ep / group);
      for (const int dp : options("dp", base.dp, dps)) {
        if (static_cast<double>(tp) * dp * base.cp * pp * base.replicas > most_chips) continue;
        const int stage = tp * dp * base.cp;
        std::vector<int> eps{1};
        if (moe) {
          eps = powers(stage);
          if (!given.has("ep")) std::erase_if(eps, [&](int ep) { return ep != 1 && ep != stage && ep != dp; });
        }
        for (const int ep : options("ep", base.ep, eps)) {
          if (!given.has("tp") && !given.has("dp") && stage > unit_chips) continue;
          // Stages that a domain could hold side by side are only worth their bubbles over slow links.
          if (!given.has("pp") && pp > 1 && stage < std::min(unit_chips, system.domain)) continue;
          Plan plan = base;
          plan.tp = tp;
          plan.dp = dp;
          plan.pp = pp;
          plan.ep = ep;
          plans.push_back(plan);
        }
      }
    }
  }
  return plans;
}

Choice choose(Situation situation, const Inputs& inputs, Seconds pace, Seconds patience) {
  Choice choice{.situation = situation};
  std::vector<Demand> demands{situation.demand};
  if (!situation.demand.stated()) {
    demands.clear();
    for (double c = 1; c <= 16384; c *= 2) demands.push_back({.concurrency = c * situation.plan.replicas});
  }
  // A rate is carried by as many replicas as it takes, where the asker left their number open.
  struct Load {
    Demand demand;
    int replicas = 1;
  };
  std::vector<Load> loads;
  const bool open = situation.demand.rate > Frequency{} && !inputs.given("replicas") && !situation.prefill;
  for (const Demand& demand : demands)
    for (int replicas = situation.plan.replicas; replicas <= (open ? 1024 : situation.plan.replicas); replicas *= 2)
      loads.push_back({demand, replicas});
  bool found = false, found_within = false;
  double best_price = 0, best_pace = 0;
  int least_pp = 1 << 20;
  std::vector<Plan> plans = layouts(situation.model, situation.system, situation.plan, inputs);
  if (plans.empty()) plans.push_back(situation.plan);  // what was given leaves no layout: as it stands it says why
  for (const Plan& plan : plans) {
    // More stages than the fewest that fit only add latency to a system that is already large enough.
    if (!inputs.has("pp") && plan.pp > least_pp) continue;
    Situation candidate = situation;
    candidate.plan = plan;
    if (candidate.prefill && !inputs.has("prefill_tp")) candidate.prefill->tp = plan.tp;
    if (candidate.prefill) {
      candidate.prefill->dp = plan.dp;
      candidate.prefill->ep = std::min(plan.ep, candidate.prefill->stage_chips());
      candidate.prefill->pp = plan.pp;
    }
    for (const Load& load : loads) {
      candidate.demand = load.demand;
      candidate.plan.replicas = load.replicas;
      ++choice.considered;
      auto served = serve(candidate);
      if (!served) {
        ++choice.infeasible;
        const Infeasible& why = served.error();
        const double miss = why.available > 0 ? why.needed / why.available : 1e300;
        const bool closer =
            choice.nearest && telling(why) == telling(*choice.nearest) && miss < choice.nearest->needed / choice.nearest->available;
        if (!choice.nearest || telling(why) > telling(*choice.nearest) || (telling(why) == 2 && closer)) {
          choice.nearest = why;
          choice.nearest_plan = plan;
        }
        if (situation.demand.stated()) continue;
        break;  // what does not fit a small crowd fits no larger one
      }
      least_pp = std::min(least_pp, plan.pp);
      const bool within = served->serving.tpot.value <= pace && served->serving.ttft.value <= patience;
      const double price = served->prices.blended.coherent();
      const double slowness = std::max(served->serving.tpot.value / pace, served->serving.ttft.value / patience);
      const bool better = !found || (within && !found_within) ||
                          (within == found_within && (within ? price < best_price : slowness < best_pace));
      if (better && (within || !found_within)) {
        found = true;
        found_within = within;
        best_price = price;
        best_pace = slowness;
        choice.situation = candidate;
        choice.served = std::move(*served);
      }
      if (open && within) break;  // more replicas of this layout only cost more
      // Beyond the pace and out of memory a larger crowd only waits longer.
      if (!situation.demand.stated() && !within && served->serving.tpot.value > 2 * pace) break;
      if (!situation.demand.stated() && served->serving.admitted >= served->serving.resident_limit) break;
    }
  }
  choice.within_pace = found_within;
  if (found) choice.nearest.reset();
  return choice;
}

Expected<Read> read_terms(Inputs& inputs, const Catalogue& catalogue) {
  Read read;
  if (const auto bounds = chips_in_bounds(inputs); !bounds) return std::unexpected(bounds.error());
  auto model = model_of(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = system_of(inputs, catalogue);
  if (!system) return std::unexpected(system.error());
  auto calibration = calibration_of(inputs, catalogue, system->chip, read.warnings);
  if (!calibration) return std::unexpected(calibration.error());
  const auto chip_rate = chip_rate_of(inputs, catalogue, *system, read.warnings);
  if (!chip_rate) return std::unexpected(chip_rate.error());
  for (const std::string_view name : {"prompt", "output"})
    if (!inputs.has(name)) return fail(std::string(name), "is missing", fmt::format("give --{} {}", name, name == "prompt" ? 4096 : 512));
  Demand demand{.concurrency = inputs.number("concurrency").value_or(0), .batch = inputs.number("batch").value_or(0),
                .rate = inputs.quantity<Frequency>("rate").value_or(Frequency{})};
  if ((demand.concurrency > 0) + (demand.batch > 0) + (demand.rate > Frequency{}) > 1)
    return fail("concurrency", "is given beside a batch or a rate", "give one of --concurrency, --batch, --rate");

  Situation s{.model = std::move(*model), .system = std::move(*system), .calibration = std::move(*calibration), .plan = plan_of(inputs),
              .workload = workload_of(inputs), .demand = demand, .chip_rate = *chip_rate, .tier = inputs.text("tier")};
  s.speculation = speculation_of(inputs, s.model);
  s.storage.hold = inputs.quantity<Seconds>("hold").value_or(Seconds{});
  if (s.tier != "hbm") {
    const MemoryTier* tier = tier_named(s.system, s.tier);
    if (tier) {
      s.storage.price = holding_price(*tier);
    } else if (!inputs.given("tier")) {
      inputs.choose("tier", "hbm", "default", fmt::format("{} states no {} tier", s.system.name, s.tier));
      s.tier = "hbm";
    } else if (s.workload.cached > 0) {
      std::string known = "hbm";
      for (const MemoryTier& t : s.system.tiers) known += ", " + t.name;
      return fail("tier", fmt::format("{} has no tier \"{}\"", s.system.name, s.tier), "write one of " + known);
    }
  }
  if (const auto pool = inputs.count("prefill_replicas")) {
    s.prefill = s.plan;
    s.prefill->replicas = *pool;
    s.prefill->tp = inputs.count("prefill_tp").value_or(s.plan.tp);
  }
  if (s.model.max_context > 0 &&
      inputs.number("prompt").value_or(0) + inputs.number("output").value_or(0) > static_cast<double>(s.model.max_context))
    read.warnings.push_back(fmt::format("prompt and output together are longer than the {} tokens the model states it was made for",
                                        number_text(static_cast<double>(s.model.max_context))));
  for (const std::string& note : format_notes(s.model, s.plan, s.system.chip)) read.warnings.push_back(note);
  if (s.system.status == "announced") read.warnings.push_back(fmt::format("{} is announced, not measured by anyone", s.system.title));
  read.situation = std::move(s);
  return read;
}

Expected<Read> read_situation(Inputs& inputs, const Catalogue& catalogue) {
  auto terms = read_terms(inputs, catalogue);
  if (!terms) return terms;
  Read read = std::move(*terms);
  const Demand demand = read.situation.demand;
  const Seconds pace = inputs.quantity<Seconds>("pace").value_or(Seconds{}),
                patience = inputs.quantity<Seconds>("patience").value_or(Seconds{});
  read.choice = choose(std::move(read.situation), inputs, pace, patience);
  read.situation = read.choice.situation;
  const std::string within = fmt::format("TPOT within {} and TTFT within {}, of {} plans and loads tried", to_text(pace), to_text(patience),
                                         read.choice.considered);
  const std::string why = read.choice.considered == 1  ? std::string("the only layout that the other inputs leave")
                          : read.choice.within_pace ? "serves cheapest with " + within
                                                    : "comes nearest to " + within;
  const Plan& plan = read.situation.plan;
  const auto record = [&](std::string_view name, double value) {
    if (!inputs.has(name)) inputs.choose(name, value, "fareline", why);
  };
  if (!read.choice.nearest) {
    record("tp", plan.tp);
    record("ep", plan.ep);
    record("pp", plan.pp);
    record("dp", plan.dp);
    if (!demand.stated()) record("concurrency", read.situation.demand.concurrency);
    if (plan.replicas != inputs.count("replicas").value_or(1)) inputs.choose("replicas", plan.replicas, "fareline", why);
    if (!read.choice.within_pace && (!demand.stated() || !inputs.given("tp")))
      read.warnings.push_back(fmt::format(
          "nothing tried keeps TPOT within {} and TTFT within {}: the fastest is shown; raise --pace or --patience, or take another system",
          to_text(pace), to_text(patience)));
  }
  if (read.choice.considered == 1)
    for (const std::string_view unused : {"pace", "patience"}) inputs.leave_out(unused);
  record_facts(inputs, read.situation.model, read.situation.system, plan);
  return read;
}

}  // namespace fareline
