// SPDX-License-Identifier: Apache-2.0
#include "search/search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "perf/capacity.h"
#include "search/floor.h"

namespace fareline {
namespace {

constexpr double exactly = 1 - 1e-9;   // floors and estimates are added up in different orders
constexpr std::size_t batch_of_layouts = 32;

// What is known of an offer before any layout of it is compiled.
struct OfferFloor {
  bool possible = false;
  Seconds request;                     // engine time of a request times chips, whatever the layout
  double least_chips = 1;              // that hold the weights
  double storage_score = 0;            // what holding the prefix adds to the price of a token
  double tokens = 1;                   // of a request
};

OfferFloor floor_of(const Space& space, const Offer& offer) {
  const Situation& s = offer.situation;
  OfferFloor floor;
  Plan one = s.plan;
  one.tp = one.ep = one.pp = one.dp = one.cp = one.replicas = 1;
  const auto compiled = compile(s.model, s.system, s.calibration, one);
  if (!compiled) return floor;
  floor.possible = true;
  const ServingFloor serving(s.model, *compiled, s.workload, s.speculation);
  // Half the prompt: in a closed loop of two, a request meets half of the load.
  floor.request = serving.request(1e9, space.demand.rate > Frequency{} ? 1 : 0.5);
  const MemoryUse memory = memory_use(s.model, s.system, one, kept_context(s.workload));
  floor.least_chips = memory.weights / memory.budget;
  floor.tokens = s.workload.prompt.mean() + s.workload.output.mean();
  if (s.workload.prompt_cached() > 0)
    floor.storage_score = (sequence_bytes(s.model, one.kv.value_or(s.model.precision.kv), s.workload.prompt_cached()) * s.storage.hold *
                           s.storage.price / (floor.tokens * unit::token))
                              .coherent();
  return floor;
}

struct Searching {
  const Space& space;
  const Promise& promise;
  Aim aim;
  Within within;
  std::vector<OfferFloor> floors;

  const Situation& situation(int offer) const { return space.offers[static_cast<std::size_t>(offer)].situation; }

  // The numbers of replicas that the chips, the budget and the power allow.
  ReplicaRange replicas(const Layout& layout) const {
    ReplicaRange range = replicas_of(space, layout.plan.replica_chips());
    const Situation& s = situation(layout.offer);
    const auto at_most = [&](double chips) {
      range.last = static_cast<int>(std::min<double>(range.last, std::floor(chips * (1 + 1e-12) / layout.plan.replica_chips())));
    };
    if (promise.budget && s.chip_rate > MoneyRate{}) at_most(*promise.budget / s.chip_rate);
    if (promise.power && power_of(s.system.chip) > Watts{}) at_most(*promise.power / power_of(s.system.chip));
    return range;
  }

  // The least score of `chips` chips whose requests take `request` chip-seconds at least.
  double least_score(int offer, double chips, Seconds request) const {
    const Situation& s = situation(offer);
    const OfferFloor& floor = floors[static_cast<std::size_t>(offer)];
    switch (aim) {
      case Aim::price: {
        const Dollars paid = space.demand.rate > Frequency{} ? chips * s.chip_rate / space.demand.rate : request * s.chip_rate;
        return exactly * ((paid / (floor.tokens * unit::token)).coherent() + floor.storage_score);
      }
      case Aim::chips: return chips;
      case Aim::power: return (chips * power_of(s.system.chip)).coherent();
      case Aim::tpot:
      case Aim::ttft: return 0;
    }
    return 0;
  }

  bool score_grows_with_chips() const {
    return aim == Aim::chips || aim == Aim::power || (aim == Aim::price && space.demand.rate > Frequency{});
  }

  // A bound on every plan of a layout, before it is compiled; above any score where it holds no plan.
  double bound(const Layout& layout) const {
    const OfferFloor& floor = floors[static_cast<std::size_t>(layout.offer)];
    const int chips = layout.plan.replica_chips();
    ReplicaRange range = replicas(layout);
    if (floor.possible && chips < floor.least_chips * exactly) return 2e300;
    if (floor.possible && space.demand.rate > Frequency{})
      range.first = std::max(range.first, static_cast<int>(std::ceil(std::min(space.demand.rate * floor.request / chips * exactly, 1e9))));
    if (range.last < range.first) return 2e300;
    return least_score(layout.offer, static_cast<double>(range.first) * chips, floor.request);
  }
};

struct Examined {
  std::optional<Found> found;
  double estimated = 0, impossible = 0;
};

// The best plan of one layout among scores up to `most_score`.
Examined examine(const Searching& task, const Layout& layout, std::size_t order, double most_score) {
  const Space& space = task.space;
  const Situation& s = task.situation(layout.offer);
  const int chips = layout.plan.replica_chips();
  const double all = plans_of(space, layout) / static_cast<double>(space.token_budgets.size());
  Examined result;
  for (const int token_budget : space.token_budgets) {
    Plan plan = layout.plan;
    plan.token_budget = token_budget;
    const auto compiled = compile(s.model, s.system, s.calibration, plan);
    const MemoryUse memory = compiled ? memory_use(s.model, s.system, plan, kept_context(s.workload)) : MemoryUse{};
    const double limit = compiled ? most_sequences(memory, plan) : 0;
    if (limit < 1) {
      result.impossible += all;
      continue;
    }
    const ServingFloor floor(s.model, *compiled, s.workload, s.speculation);
    const auto worst = [&] { return result.found ? std::min(most_score, result.found->score) : most_score; };
    if (task.promise.ttft && floor.first() > *task.promise.ttft) continue;
    const double largest = task.promise.tpot ? floor.largest_batch(*task.promise.tpot, limit) : limit;
    if (largest < 1) continue;
    const double least_latency = (task.aim == Aim::tpot   ? floor.tpot(1)
                                  : task.aim == Aim::ttft ? floor.first()
                                                          : Seconds{})
                                     .coherent();
    if (least_latency * exactly > worst()) continue;
    ReplicaRange range = task.replicas(layout);
    Carried carried;
    if (space.demand.rate > Frequency{}) {
      const auto at_least = [&](double replicas) {
        range.first = std::max(range.first, static_cast<int>(std::ceil(std::min(replicas * exactly, 1e9))));
      };
      at_least(space.demand.rate * floor.request(largest, 1));
      const auto worth_trying = [&] {
        return range.first <= range.last &&
               task.least_score(layout.offer, static_cast<double>(chips) * range.first, Seconds{}) <= worst();
      };
      if (!worth_trying()) continue;
      carried = carried_by_batch(*compiled, memory, s.workload, s.speculation);
      at_least(space.demand.rate / carried.most());
    }
    // One load on so many replicas; whether more replicas, or larger crowds, can still be better.
    const auto estimate = [&](const Demand& demand, int replicas) {
      ++result.estimated;
      const auto steady = serve_replicas(s, *compiled, memory, demand, replicas);
      if (!steady || !keeps(task.promise, *steady)) return false;
      Found found{.offer = layout.offer,
                  .plan = plan,
                  .demand = demand,
                  .score = score_of(task.aim, s, *steady),
                  .complexity = layout.complexity,
                  .order = order,
                  .ttft = steady->serving.ttft.value,
                  .tpot = steady->serving.tpot.value,
                  .rate = steady->serving.rate,
                  .price = steady->prices.blended,
                  .decoding = steady->serving.decoding,
                  .admitted = steady->serving.admitted};
      found.plan.replicas = replicas;
      if (found.score <= worst() && (!result.found || better(found, *result.found))) result.found = found;
      return true;
    };
    const auto crowd_bound = [&](double users, int replicas) {
      const double admitted = std::min(users, limit), others = std::max(0.0, 1 - 1 / admitted);
      const Seconds request = max(floor.request(std::min(largest, admitted), others), floor.answer() / admitted);
      return task.least_score(layout.offer, static_cast<double>(chips) * replicas, chips * request);
    };
    for (int replicas = range.first; replicas <= range.last; ++replicas) {
      if (!space.demand.stated()) {
        for (const double crowd : space.crowds)
          if (crowd_bound(crowd, replicas) <= worst()) estimate({.concurrency = crowd * replicas}, replicas);
        continue;
      }
      if (space.demand.concurrency > 0) {
        const double users = space.demand.concurrency / replicas;
        if (crowd_bound(users, replicas) <= worst()) {
          const bool kept = estimate(space.demand, replicas);
          if (kept && task.score_grows_with_chips()) break;
        }
        continue;
      }
      if (task.least_score(layout.offer, static_cast<double>(chips) * replicas, Seconds{}) > worst()) break;
      // In an open loop TPOT (output - 1) = B T, and T is the time between two requests of a replica.
      const Frequency each = space.demand.rate / replicas;
      const Seconds tpot = carried.batch_above(each) / each / std::max(s.workload.output.mean() - 1, 1.0);
      if (task.promise.tpot && exactly * tpot > *task.promise.tpot) continue;
      if (estimate(space.demand, replicas) && task.score_grows_with_chips()) break;
    }
  }
  return result;
}

}  // namespace

bool better(const Found& a, const Found& b) {
  return std::make_tuple(a.score, a.complexity, a.tpot.coherent(), a.ttft.coherent(), a.order) <
         std::make_tuple(b.score, b.complexity, b.tpot.coherent(), b.ttft.coherent(), b.order);
}

Watts power_of(const Chip& chip) { return 1.3 * chip.tdp.value; }

double score_of(Aim aim, const Situation& s, const Steady& steady) {
  switch (aim) {
    case Aim::price: return steady.prices.blended.coherent();
    case Aim::chips: return steady.chips;
    case Aim::power: return (steady.chips * power_of(s.system.chip)).coherent();
    case Aim::tpot: return steady.serving.tpot.value.coherent();
    case Aim::ttft: return steady.serving.ttft.value.coherent();
  }
  return 0;
}

bool keeps(const Promise& promise, const Steady& steady) {
  return (!promise.ttft || steady.serving.ttft.value <= *promise.ttft) && (!promise.tpot || steady.serving.tpot.value <= *promise.tpot);
}

Searched search(const Space& space, const Promise& promise, Aim aim, int keep, Workers& workers, const Within& within) {
  Searching task{.space = space, .promise = promise, .aim = aim, .within = within};
  for (const Offer& offer : space.offers) task.floors.push_back(floor_of(space, offer));
  const std::vector<Layout> layouts = layouts_of(space);
  Searched result;
  std::vector<double> bounds;
  bounds.reserve(layouts.size());
  for (const Layout& layout : layouts) {
    const bool inside = layout.complexity >= within.least_complexity && layout.complexity <= within.most_complexity;
    bounds.push_back(inside ? task.bound(layout) : 2e300);
    result.counts.considered += plans_of(space, layout);
  }
  std::vector<std::size_t> open(layouts.size());
  std::iota(open.begin(), open.end(), std::size_t{0});
  std::erase_if(open, [&](std::size_t i) { return bounds[i] > within.most_score; });
  std::sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
    return std::make_tuple(bounds[a], layouts[a].complexity, a) < std::make_tuple(bounds[b], layouts[b].complexity, b);
  });
  const auto worst = [&] {
    return result.best.size() < static_cast<std::size_t>(keep) ? within.most_score : std::min(within.most_score, result.best.back().score);
  };
  std::vector<Examined> examined;
  // What a batch is held against is known before it starts: the answer does not depend on who is done first.
  for (std::size_t at = 0; at < open.size() && bounds[open[at]] <= worst();) {
    const std::size_t jobs = std::min(batch_of_layouts, open.size() - at);
    const double most = worst();
    examined.assign(jobs, {});
    workers.run(jobs, [&](std::size_t i) {
      const std::size_t which = open[at + i];
      if (bounds[which] <= most) examined[i] = examine(task, layouts[which], which, most);
    });
    for (const Examined& e : examined) {
      result.counts.estimated += e.estimated;
      result.counts.impossible += e.impossible;
      if (!e.found) continue;
      result.best.insert(std::upper_bound(result.best.begin(), result.best.end(), *e.found, better), *e.found);
      if (result.best.size() > static_cast<std::size_t>(keep)) result.best.pop_back();
    }
    at += jobs;
  }
  result.counts.bounded = result.counts.considered - result.counts.estimated - result.counts.impossible;
  return result;
}

}  // namespace fareline
