// SPDX-License-Identifier: Apache-2.0
// The best plans of a space, exactly: best-first branch and bound on the physical floor.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "search/space.h"
#include "units/workers.h"

namespace fareline {

// What a plan is held to.
struct Promise {
  std::optional<Seconds> ttft, tpot;   // at most
  std::optional<MoneyRate> budget;     // of all chips, at most
  std::optional<Watts> power;          // of all chips with their share of the servers, at most
};

enum class Aim : unsigned char { price, chips, power, tpot, ttft };  // what is to be least; price: of any token, blended

// A plan with what it does; `plan` holds replicas and token budget.
struct Found {
  int offer = 0;
  Plan plan;
  Demand demand;
  double score = 0;             // what was aimed at, coherent
  int complexity = 0;
  std::size_t order = 0;        // in the space
  Seconds ttft, tpot;
  Frequency rate;               // of all replicas
  TokenPrice price;             // blended
  double decoding = 0, admitted = 0;  // of one replica
};

// Plans of the space by what became of them; `considered` is the sum of the others.
struct PlanCounts {
  double considered = 0;
  double estimated = 0;         // their steady state was computed
  double bounded = 0;           // cannot be better than what was found, or cannot keep the promise: by the floor under them
  double impossible = 0;        // do not divide, or do not fit
};

// The order of plans: by score, then the simpler, then by TPOT, by TTFT, in the space's order.
bool better(const Found& a, const Found& b);

struct Searched {
  std::vector<Found> best;      // best first
  PlanCounts counts;
};

// Only layouts so complex, and only scores so low.
struct Within {
  int least_complexity = 0, most_complexity = 1 << 20;
  double most_score = 1e300;
};

// Returns the best plan of each of the `keep` best layouts of `space` that keep `promise`: what enumerating every plan would return,
// whatever `workers` do. Source: Land & Doig 1960 (branch and bound), best first. Assumes: ServingFloor bounds the estimate.
Searched search(const Space& space, const Promise& promise, Aim aim, int keep, Workers& workers, const Within& within = {});

// Power of a chip with its share of the server. Equation: 1.3 TDP. Source: the input "power" of the questions of money.
// Assumes: fans, CPUs, memory and conversion take 30% of the chips' TDP.
Watts power_of(const Chip& chip);

// Returns what a plan scores. Equation: price = chips rent / (rate tokens) + storage; chips; chips power; TPOT; TTFT.
// Source: economics/money.h. Assumes: nothing.
double score_of(Aim aim, const Situation& situation, const Steady& steady);

// Whether `steady` keeps `promise`, chips and their price left out. Source: definition. Assumes: nothing.
bool keeps(const Promise& promise, const Steady& steady);

}  // namespace fareline
