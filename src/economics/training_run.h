// SPDX-License-Identifier: Apache-2.0
// A run of training, start to end: failures and checkpoints, wall time, dollars and energy.
#pragma once

#include "units/quantity.h"

namespace fareline {

// Mean time between failures of one chip with its share of host and network.
// Source: Grattafiori et al. 2024, The Llama 3 Herd of Models, arXiv:2407.21783, section 3.3.4: 419 unexpected interruptions of 16,384
// H100 in 54 days. Assumes: failures come at random and one stops the whole run.
inline constexpr Seconds chip_between_failures = 54 * unit::day * 16384 / 419;

// What stops a run, and what that takes.
struct Interruptions {
  Seconds between;     // failures of the whole run, on average
  Seconds write;       // of a checkpoint, while training stands still
  Seconds restart;     // from a failure to training again, at the last checkpoint
};

// Returns the compute between two checkpoints that makes the run shortest.
// Equation: sqrt(2 d M) (1 + sqrt(d / 2 M) / 3 + (d / 2 M) / 9) - d where d < 2 M, else M.
// Source: Daly 2006, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS 22, equation 37; its first term is
// Young 1974, CACM 17. Assumes: failures come at random; a checkpoint takes d > 0; what takes none is written all the time.
Seconds checkpoint_interval(const Interruptions& run);

// Returns the wall time of `useful` compute with a checkpoint every `interval` of it.
// Equation: M e^(R/M) (e^((t + d)/M) - 1) T / t. Source: Daly 2006, equation 20. Assumes: as checkpoint_interval; failures hit
// checkpoints and restarts, too; many intervals in a run.
Seconds wall_time(const Interruptions& run, Seconds useful, Seconds interval);

struct RunCost {
  Dollars rent;        // of chips, all the wall time
  Joules energy;       // at the meter of the building
  Dollars electricity; // of it, part of the rent where chips are rented
};
// Returns what a run costs. Equation: chips rate T; chips power pue T; that times the price of electricity.
// Source: economics/money.h. Assumes: chips draw the same power all the time.
RunCost run_cost(double chips, Seconds wall, MoneyRate rate, Watts power, double pue, EnergyPrice electricity);

}  // namespace fareline
