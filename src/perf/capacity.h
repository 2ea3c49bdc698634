// SPDX-License-Identifier: Apache-2.0
// What one replica carries, batch by batch: what open_loop looks at, whatever the rate.
#pragma once

#include <vector>

#include "perf/serving.h"

namespace fareline {

struct Carried {
  std::vector<double> batches;     // 1, 2, 4 ... and the largest there may be; 0 alone where nothing decodes
  std::vector<Frequency> rates;    // requests a second at each; zero where prompts crowd out its steps

  // Returns the most that open_loop finds a replica to carry: it refuses more. Equation: the largest of `rates`. Source: open_loop.
  // Assumes: nothing.
  Frequency most() const;
  // Returns the batch that open_loop's is larger than at `rate` a replica. Equation: the last before the first that carries it.
  // Source: open_loop. Assumes: it carries `rate`.
  double batch_above(Frequency rate) const;
};

// Returns what a replica of `plan` carries. Equation: 1 / T, T as in open_loop. Source and Assumes: as open_loop.
Carried carried_by_batch(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload, const Speculation& speculation);

}  // namespace fareline
