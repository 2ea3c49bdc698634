// SPDX-License-Identifier: Apache-2.0
#include "economics/training_run.h"

#include <cmath>

#include "units/elementary.h"

namespace fareline {

Seconds checkpoint_interval(const Interruptions& run) {
  const Seconds m = run.between, d = run.write;
  if (!(d < 2 * m)) return m;
  const double ratio = d / (2 * m), root = std::sqrt(ratio);
  // sqrt(2 d M) = 2 M sqrt(d / 2 M)
  return 2 * root * (1 + root / 3 + ratio / 9) * m - d;
}

Seconds wall_time(const Interruptions& run, Seconds useful, Seconds interval) {
  const Seconds m = run.between;
  const double segment = (interval + run.write) / m;
  // e^x - 1 without losing digits where failures are rare.
  const double gained = segment < 1e-5 ? segment * (1 + segment / 2 + segment * segment / 6) : exponential(segment) - 1;
  return exponential(run.restart / m) * gained * (useful / interval) * m;
}

RunCost run_cost(double chips, Seconds wall, MoneyRate rate, Watts power, double pue, EnergyPrice electricity) {
  const Joules energy = chips * pue * power * wall;
  return {.rent = chips * rate * wall, .energy = energy, .electricity = energy * electricity};
}

}  // namespace fareline
