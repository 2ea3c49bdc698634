// SPDX-License-Identifier: Apache-2.0
#include "search/space.h"

#include <algorithm>

namespace fareline {
namespace {

constexpr int most_tp = 64, most_pp = 16, most_cp = 8;

std::vector<int> powers(int most) {
  std::vector<int> all;
  for (int p = 1; p <= most; p *= 2) all.push_back(p);
  return all;
}

const std::vector<int>& given_or(const std::vector<int>& given, const std::vector<int>& open) { return given.empty() ? open : given; }

}  // namespace

int complexity_of(const Plan& p, int formats_changed) {
  return (p.tp > 1) + (p.ep > 1) + (p.pp > 1) + (p.dp > 1) + (p.cp > 1) + formats_changed;
}

std::vector<Layout> layouts_of(const Space& space) {
  std::vector<Layout> all;
  for (std::size_t offer = 0; offer < space.offers.size(); ++offer) {
    const Situation& s = space.offers[offer].situation;
    const bool experts =
        std::any_of(s.model.kinds.begin(), s.model.kinds.end(), [](const Layer& l) { return l.feed_forward.experts > 0; });
    const int most = space.most_chips / space.least_replicas;
    const std::vector<int> tps = powers(std::min(most, most_tp)), pps = powers(std::min({most, most_pp, s.model.layers()})),
                           cps = powers(std::min(most, most_cp)), dps = experts ? powers(most) : std::vector<int>{1};
    for (const int pp : given_or(space.pp, pps))
      for (const int cp : given_or(space.cp, cps))
        for (const int tp : given_or(space.tp, tps))
          for (const int dp : given_or(space.dp, dps)) {
            const double chips = static_cast<double>(pp) * cp * tp * dp;
            if (chips > most) continue;
            const std::vector<int> eps = experts ? powers(tp * cp * dp) : std::vector<int>{1};
            for (const int ep : given_or(space.ep, eps)) {
              Layout layout{.offer = static_cast<int>(offer), .plan = s.plan};
              Plan& plan = layout.plan;
              plan.tp = tp;
              plan.ep = ep;
              plan.pp = pp;
              plan.dp = dp;
              plan.cp = cp;
              plan.replicas = 1;
              if (space.wanted && !space.wanted(plan)) continue;
              layout.complexity = complexity_of(plan, space.offers[offer].formats_changed);
              all.push_back(layout);
            }
          }
  }
  return all;
}

ReplicaRange replicas_of(const Space& space, int replica_chips) {
  ReplicaRange range{.first = std::max(space.least_replicas, (space.least_chips + replica_chips - 1) / replica_chips),
                     .last = std::min(space.most_replicas, space.most_chips / replica_chips)};
  if (!space.demand.stated()) range.last = std::min(range.last, range.first);
  if (space.demand.concurrency > 0) range.last = static_cast<int>(std::min<double>(range.last, space.demand.concurrency));
  if (space.lightest_only) range.first = std::max(range.first, range.last);
  return range;
}

double plans_of(const Space& space, const Layout& layout) {
  const double loads = space.demand.stated() ? 1 : static_cast<double>(space.crowds.size());
  return replicas_of(space, layout.plan.replica_chips()).count() * static_cast<double>(space.token_budgets.size()) * loads;
}

}  // namespace fareline
