// SPDX-License-Identifier: Apache-2.0
// Single kernels held against their timings: the terms that passes are added up from, each by itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "catalog/catalog.h"
#include "truth/kernel_rows.h"
#include "truth/validate.h"

namespace fareline {

struct KernelErrorGroup {
  std::string by, name;          // "kernel", "gemm"
  ErrorSummary error;
  double band_share = 0;         // of its comparisons, those that had a band to lie in; `error.coverage` is of them
};

struct KernelValidation {
  std::vector<KernelTiming> rows;
  std::vector<Comparison> comparisons;    // in seconds
  std::vector<Refusal> refused;           // most rows first
  std::vector<KernelErrorGroup> groups;
  KernelErrorGroup all;
  std::vector<Impossible> impossible;     // faster than bytes and FLOP allow: their working set stayed in a cache
  std::size_t refused_rows() const { return rows_of(refused); }
};

// Predicts every row, with no access to its time, by the calibration named, or else by the nearest for its chip and stack.
KernelValidation validate_kernels(const Catalogue& catalogue, std::vector<KernelTiming> rows, std::string_view calibration = {});

// What is told of it, as report.h tells of engines. `files` are the names given.
nlohmann::ordered_json to_json(const KernelValidation& validation, const std::vector<std::string>& files);
std::string to_text(const KernelValidation& validation);
Expected<std::string> to_csv(const KernelValidation& validation);
Expected<std::string> to_svg(const KernelValidation& validation);

}  // namespace fareline
