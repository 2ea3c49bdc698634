// SPDX-License-Identifier: Apache-2.0
#include "truth/validate_kernels.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "truth/kernel_predict.h"

namespace fareline {
namespace {

std::string place(const KernelSetup& s) { return s.system.empty() ? s.chip : s.system; }

std::vector<std::pair<std::string_view, std::string>> groups_of(const KernelSetup& s) {
  const std::string_view kernel = name(s.kernel), format = name(s.format);
  return {{"kernel", std::string(kernel)},
          {"kernel, format", fmt::format("{}, {}", kernel, format)},
          {"chip", place(s)},
          {"engine", s.stack},
          {"kernel, engine, chip", fmt::format("{}, {}, {}", kernel, s.stack, place(s))},
          {"kernel, format, engine, chip", fmt::format("{}, {}, {}, {}", kernel, format, s.stack, place(s))}};
}

KernelErrorGroup group_of(std::string by, std::string name, const std::vector<Comparison>& comparisons) {
  KernelErrorGroup group{.by = std::move(by), .name = std::move(name), .error = summarised(comparisons)};
  double banded = 0, covered = 0;
  for (const Comparison& c : comparisons) {
    banded += c.high > 0;
    covered += c.high > 0 && c.covered();
  }
  group.band_share = comparisons.empty() ? 0 : banded / static_cast<double>(comparisons.size());
  group.error.coverage = banded > 0 ? covered / banded : 0;
  return group;
}

}  // namespace

KernelValidation validate_kernels(const Catalogue& catalogue, std::vector<KernelTiming> rows, std::string_view calibration) {
  KernelValidation v{.rows = std::move(rows)};
  std::map<std::string, std::size_t> reasons;
  std::map<std::pair<std::string_view, std::string>, std::vector<Comparison>> groups;
  std::map<std::string, Calibration> calibrations;
  KernelTasks tasks(catalogue);
  const auto calibration_of = [&](const KernelSetup& s, const Chip& chip) -> std::expected<const Calibration*, std::string> {
    const std::string key = calibration.empty() ? chip.name + "|" + s.stack : std::string(calibration);
    auto found = calibrations.find(key);
    if (found == calibrations.end()) {
      auto read = calibration.empty() ? catalogue.calibration_for(chip, s.stack) : catalogue.calibration(calibration);
      if (!read) return std::unexpected("no calibration is known for its chip");
      found = calibrations.emplace(key, std::move(*read)).first;
    }
    return &found->second;
  };
  for (std::size_t i = 0; i < v.rows.size(); ++i) {
    KernelTiming& row = v.rows[i];
    const auto refuse = [&](std::string why) {
      row.refusal = std::move(why);
      ++reasons[row.refusal];
    };
    if (!row.refusal.empty()) {
      ++reasons[row.refusal];
      continue;
    }
    const auto system = tasks.system(row.setup);
    if (!system) {
      refuse(system.error());
      continue;
    }
    const auto by = calibration_of(row.setup, (*system)->chip);
    if (!by) {
      refuse(by.error());
      continue;
    }
    const auto task = tasks.task(row.setup, **by);
    if (!task) {
      refuse(task.error());
      continue;
    }
    if (row.measured < task->floor) {
      v.impossible.push_back({i, std::string(name(row.setup.kernel)), "s", row.measured.coherent(), task->floor.coherent()});
      continue;
    }
    const Seconds predicted = task_time(*task, **system, **by);
    Comparison c{.row = i, .predicted = predicted.coherent(), .bound = task->floor.coherent(), .measured = row.measured.coherent()};
    const auto [kernel, format] = entry_of(row.setup, *task);
    if (const Evidence& evidence = (*by)->at(kernel, format).evidence; evidence.rows > 0) {
      c.low = std::max(c.bound, c.predicted * evidence.band.low);
      c.high = c.predicted * evidence.band.high;
    }
    for (auto& key : groups_of(row.setup)) groups[std::move(key)].push_back(c);
    v.comparisons.push_back(c);
  }
  for (const auto& [reason, count] : reasons) v.refused.push_back({reason, count});
  std::stable_sort(v.refused.begin(), v.refused.end(), [](const Refusal& a, const Refusal& b) { return a.rows > b.rows; });
  v.all = group_of("", "all", v.comparisons);
  for (const auto& [key, comparisons] : groups) v.groups.push_back(group_of(std::string(key.first), key.second, comparisons));
  return v;
}

}  // namespace fareline
