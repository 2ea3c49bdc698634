// SPDX-License-Identifier: Apache-2.0
#include "search/floor.h"

#include <algorithm>

#include "economics/serve.h"

namespace fareline {
namespace {

constexpr double very_many = 1e9;  // prompts: what all of them read once counts for nothing

// The share of a whole prompt's floor that the mean of its first and last chunk, times their number, is sure to reach.
double sure_share(const Model& model) {
  double share = 1;
  for (const Layer& layer : model.kinds) {
    const Attention& a = layer.attention;
    if (a.kind == AttentionKind::chunked) return 0;
    if (a.kind == AttentionKind::sliding || a.window > 0 || a.topk > 0) share = 0.5;
  }
  return share;
}

}  // namespace

ServingFloor::ServingFloor(const Model& model, const CompiledPlan& plan, const Workload& w, const Speculation& speculation)
    : plan_(&plan),
      context_(kept_context(w)),
      tokens_per_sequence_(1 + speculation.draft),
      steps_(std::max(0.0, w.output.mean() - 1) / speculation.yield),
      outputs_(std::max(w.output.mean() - 1, 1.0)) {
  Pass pass{.prefill_sequences = 1, .prefill_tokens = std::max(w.prompt_new(), 1.0), .prefill_context = w.prompt_cached()};
  const double sure = sure_share(model);
  first_ = sure * plan.estimate(pass).stage_floor;
  pass.prefill_sequences = very_many;
  prompt_ = sure * plan.estimate(pass).stage_floor / very_many;
}

Seconds ServingFloor::period(double batch) const {
  const PassEstimate step = plan_->estimate({.decode_sequences = std::max(batch, 1.0),
                                             .decode_context = context_,
                                             .tokens_per_sequence = tokens_per_sequence_});
  return max(step.floor, plan_->plan().pp * step.stage_floor);
}

Seconds ServingFloor::tpot(double batch) const { return steps_ * period(batch) / outputs_; }

Seconds ServingFloor::request(double batch, double others) const {
  return max(steps_ > 0 ? steps_ * period(batch) / batch : Seconds{}, others * prompt_);
}

double ServingFloor::largest_batch(Seconds limit, double most) const {
  if (steps_ <= 0) return most;
  if (tpot(1) > limit) return 0;
  if (most <= 1 || tpot(most) <= limit) return most;
  double low = 1, high = most;
  while (high > 1.01 * low) {
    const double middle = high > 4 * low ? 2 * low : 0.5 * (low + high);
    (tpot(middle) > limit ? high : low) = middle;
  }
  return high;
}

}  // namespace fareline
