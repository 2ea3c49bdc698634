// SPDX-License-Identifier: Apache-2.0
#include "perf/training_choice.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace fareline {
namespace {

std::vector<int> powers_of_two(int most) {
  std::vector<int> all;
  for (int n = 1; n <= most; n *= 2) all.push_back(n);
  return all;
}

std::vector<int> divisors(int n, int most) {
  std::vector<int> all;
  for (int d = 1; d <= std::min(n, most); ++d)
    if (n % d == 0) all.push_back(d);
  return all;
}

// Layers a stage has where they divide: all alike, or the first and the last with one less, in whose place the embedding and the loss
// stand; 0 where they do not. Source: Grattafiori et al. 2024, Llama 3, arXiv:2407.21783, section 3.3.2 (126 layers on 16 stages).
int layers_of_stage(int layers, int stages) {
  if (layers % stages == 0) return layers / stages;
  return stages > 2 && (layers + 2) % stages == 0 ? (layers + 2) / stages : 0;
}

}  // namespace

std::expected<TrainingChoice, Infeasible> fastest_training(const Model& model, const System& system, const Calibration& calibration,
                                                           const TrainingPlan& plan, const TrainingSearch& search) {
  constexpr int widest_micro_batch = 128;
  const int layers = model.layers();
  const auto tps = search.tp ? powers_of_two(std::min(system.domain, search.chips)) : std::vector{plan.tp};
  const auto recomputes =
      search.recompute ? std::vector{Recompute::none, Recompute::selective, Recompute::full} : std::vector{plan.recompute};
  std::optional<TrainingChoice> best, smallest;
  std::optional<Infeasible> reason;
  int tried = 0;
  for (const int tp : tps)
    for (const int pp : search.pp ? divisors(search.chips, std::min(layers, 128)) : std::vector{plan.pp}) {
      const int inner = tp * pp * plan.cp;
      if (search.chips % inner != 0 || (search.pp && pp > 1 && layers_of_stage(layers, pp) == 0)) continue;
      TrainingPlan one = plan;
      one.tp = tp;
      one.pp = pp;
      one.dp = search.chips / inner;
      const double here = search.sequences / one.dp;
      if (here < 1 || here != std::floor(here)) continue;
      for (const int b : search.micro_batch ? powers_of_two(static_cast<int>(std::min<double>(here, widest_micro_batch)))
                                            : std::vector{plan.micro_batch}) {
        if (std::fmod(here, b) != 0) continue;
        one.micro_batch = b;
        one.micro_batches = static_cast<int>(here / b);
        for (const Recompute recompute : recomputes) {
          one.recompute = recompute;
          const int held = layers_of_stage(layers, pp);
          const bool interleaves = search.chunks && pp > 1 && held > 0;
          for (const int chunks : interleaves ? divisors(held, 16) : std::vector{search.chunks ? 1 : plan.chunks}) {
            one.chunks = chunks;
            if (search.chunks) one.schedule = chunks > 1 ? ScheduleKind::interleaved : ScheduleKind::one_f_one_b;
            const PipelineShape shape{.stages = pp, .micro_batches = one.micro_batches, .chunks = chunks};
            if (pp > 1 && !schedule_row(one.schedule).refuses(shape).empty()) continue;
            ++tried;
            const TrainingMemory memory = training_memory(model, system, one);
            const bool fits = memory.total() <= memory.usable;
            if (!fits && (best || (smallest && memory.total() >= smallest->step.memory.total()))) continue;
            const auto step = training_step(model, system, calibration, one);
            if (!step) {
              reason = step.error();
              continue;
            }
            std::optional<TrainingChoice>& kept = fits ? best : smallest;
            if (!kept || !fits || step->time < kept->step.time) kept = TrainingChoice{.plan = one, .step = *step, .fits = fits};
          }
        }
      }
    }
  if (!best) best = smallest;
  if (!best)
    return std::unexpected(reason.value_or(
        Infeasible{Infeasible::Constraint::ranks, static_cast<double>(plan.tp * plan.pp * plan.cp), static_cast<double>(search.chips)}));
  best->tried = tried;
  return *best;
}

}  // namespace fareline
