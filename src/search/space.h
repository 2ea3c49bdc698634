// SPDX-License-Identifier: Apache-2.0
// The space of plans that a search goes through.
#pragma once

#include <vector>

#include "economics/serve.h"

namespace fareline {

// Chips on offer in one set of number formats: a situation but for the layout and the load, which the space holds.
struct Offer {
  Situation situation;
  int formats_changed = 0;           // number formats that are not as published
};

// Every combination of what is listed. An empty list of a layout's part: every power of two that may be sensible.
struct Space {
  std::vector<Offer> offers;
  std::vector<int> tp, ep, pp, dp, cp;
  int least_replicas = 1, most_replicas = 1 << 20;
  std::vector<int> token_budgets{8192};
  int least_chips = 1, most_chips = 512;
  Demand demand;                     // of all replicas; none stated: each of `crowds` on a replica
  std::vector<double> crowds;
  bool (*wanted)(const Plan&) = nullptr;  // which layouts; none: all that there are
  bool lightest_only = false;        // of the numbers of replicas only the largest
};

// One replica's layout, its replicas and its token budget still open.
struct Layout {
  int offer = 0;
  Plan plan;
  int complexity = 0;
};

// Returns the layouts of `space` in a fixed order. Assumes of what is open: tp to 64, pp to 16, cp to 8; attention data parallelism and
// expert parallelism only where there are experts; several stages only over a scale-out network or within a domain.
std::vector<Layout> layouts_of(const Space& space);

// Returns how much there is to a plan: kinds of parallelism in use and formats that are not as published.
int complexity_of(const Plan& plan, int formats_changed);

// Numbers of replicas, from first to last; none where last < first.
struct ReplicaRange {
  int first = 1, last = 0;
  double count() const { return last < first ? 0 : last - first + 1; }
};
// Returns the numbers of replicas of `replica_chips` chips that `space` holds. Where no load is stated it is one: the least that makes up
// the chips asked for.
ReplicaRange replicas_of(const Space& space, int replica_chips);

// Returns how many plans a layout stands for: its token budgets times its numbers of replicas or crowds.
double plans_of(const Space& space, const Layout& layout);

}  // namespace fareline
