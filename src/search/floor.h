// SPDX-License-Identifier: Apache-2.0
// The physical floor under everything that one replica could be asked to do: what a search bounds plans by.
#pragma once

#include "perf/compiled_plan.h"
#include "perf/serving.h"

namespace fareline {

class ServingFloor {
 public:
  // Floors of a replica of `model` compiled as `plan` under `workload`. Of these `plan` must outlive this.
  ServingFloor(const Model& model, const CompiledPlan& plan, const Workload& workload, const Speculation& speculation);

  // Returns the least TPOT while `batch` or more sequences decode. Equation: n t_floor(B) / (output - 1).
  // Source: perf/serving.h: closed_loop, without the prompts' part. Assumes: a step's floor never falls as the batch grows.
  Seconds tpot(double batch) const;
  // Returns the least engine time a request takes where at most `batch` sequences decode and a request meets `others` of the load.
  // Equation: max(n t_floor(B) / B, others p); p = floor of a prompt among very many. Source: perf/serving.h: T = f E + n t(B) / B,
  // E = r (t_mixed - t_decode), r no more than the steps there are. Assumes: a step's floor a sequence never grows with the batch.
  Seconds request(double batch, double others) const;
  // Returns the least TTFT. Equation: floor of the whole prompt in the slowest stage; half of it where attention is windowed, since a
  // prompt's chunks are estimated as the mean of its first and its last; nothing where windows start anew.
  // Source: perf/serving.h: own_prefill. Assumes: chunks read the weights again, and multiply no less.
  Seconds first() const { return first_; }
  // Returns the least time from arrival to the last token: first + n t_floor(1). Source: perf/serving.h, Little's law.
  // Assumes: as first and tpot.
  Seconds answer() const { return first_ + steps_ * period(1); }
  // Returns a batch that is no smaller than the largest with tpot(batch) <= `limit`, at most `most`; below 1 where not even a lone
  // sequence keeps the limit. Source: bisection. Assumes: as tpot.
  double largest_batch(Seconds limit, double most) const;

 private:
  Seconds period(double batch) const;
  const CompiledPlan* plan_;
  double context_ = 0, tokens_per_sequence_ = 1, steps_ = 0, outputs_ = 1;
  Seconds prompt_, first_;
};

}  // namespace fareline
