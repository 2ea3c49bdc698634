// SPDX-License-Identifier: Apache-2.0
#include "truth/validate_training.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace fareline {
namespace {

std::expected<TrainingChoice, std::string> predicted(const Catalogue& catalogue, const TrainingSetup& s, std::string_view named,
                                                     Calibration& used) {
  const auto model = s.config.empty() ? catalogue.model(s.model) : read_model(s.model, s.config);
  if (!model) return std::unexpected("its model cannot be read");
  const auto system = catalogue.system(s.system);
  if (!system) return std::unexpected("its system is not in the catalogue");
  const auto calibration = named.empty() ? catalogue.calibration_for(system->chip, "training") : catalogue.calibration(named);
  if (!calibration) return std::unexpected("there is no calibration for it");
  used = *calibration;
  TrainingPlan plan = s.plan;
  if (s.overlaps) {
    plan.data_overlap = calibration->engine.collective_overlap;
    plan.tensor_overlap = hidden_share(*calibration, Kernel::all_reduce);
    plan.hop_overlap = hidden_share(*calibration, Kernel::point_to_point);
  }
  std::optional<TrainingChoice> best;
  const auto consider = [&](int tp, int cp) {
    plan.tp = tp;
    plan.cp = cp;
    const auto choice = fastest_training(*model, *system, *calibration, plan, s.search);
    if (choice && (!best || std::pair(!choice->fits, choice->step.time) < std::pair(!best->fits, best->step.time))) best = *choice;
  };
  if (s.inner == 0) consider(s.plan.tp, s.plan.cp);
  for (int tp = 1; tp <= std::min(s.inner, system->domain); tp *= 2)
    if (s.inner % tp == 0) consider(tp, s.inner / tp);
  if (!best) return std::unexpected("its layout cannot be divided as it says");
  return *best;
}

}  // namespace

TrainingValidation validate_training(const Catalogue& catalogue, std::vector<TrainingRow> rows, std::string_view calibration) {
  TrainingValidation v{.rows = std::move(rows), .all = {.by = "", .name = "all"}};
  std::map<std::string, std::size_t> refused;
  std::map<std::pair<std::string, std::string>, std::vector<Comparison>> groups;
  for (std::size_t i = 0; i < v.rows.size(); ++i) {
    TrainingRow& row = v.rows[i];
    if (!row.refusal.empty()) {
      ++refused[row.refusal];
      continue;
    }
    Calibration used;
    const auto choice = predicted(catalogue, row.setup, calibration, used);
    if (!choice) {
      row.refusal = choice.error();
      ++refused[row.refusal];
      continue;
    }
    row.setup.plan = choice->plan;
    const TrainingStep& step = choice->step;
    if (row.measured < step.floor) {
      v.impossible.push_back({.row = i, .what = "step", .unit = "s", .measured = row.measured.coherent(), .bound = step.floor.coherent()});
      continue;
    }
    const Comparison one{.row = i,
                         .predicted = step.time.coherent(),
                         .low = max(step.floor, used.pass.low * step.time).coherent(),
                         .high = (used.pass.high * step.time).coherent(),
                         .bound = step.floor.coherent(),
                         .measured = row.measured.coherent()};
    v.comparisons.push_back(one);
    v.steps.push_back(step);
    const TrainingSetup& s = row.setup;
    groups[{"software", s.software}].push_back(one);
    groups[{"system", s.system}].push_back(one);
    groups[{"model", s.model}].push_back(one);
    groups[{"recompute", std::string(recompute_names[static_cast<std::size_t>(s.plan.recompute)])}].push_back(one);
  }
  for (const auto& [reason, count] : refused) v.refused.push_back({reason, count});
  std::stable_sort(v.refused.begin(), v.refused.end(), [](const Refusal& a, const Refusal& b) { return a.rows > b.rows; });
  for (const auto& [name, some] : groups) v.groups.push_back({name.first, name.second, summarised(some)});
  v.all.error = summarised(v.comparisons);
  return v;
}

}  // namespace fareline
