// SPDX-License-Identifier: Apache-2.0
// Steps of training held against measurements: every row predicted with no access to its result.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "catalog/catalog.h"
#include "truth/training_rows.h"
#include "truth/validate.h"

namespace fareline {

struct TrainingErrorGroup {
  std::string by, name;          // "software", "LLM Foundry (FSDP)"
  ErrorSummary error;
};

struct TrainingValidation {
  std::vector<TrainingRow> rows;             // what was open in their plans is filled in as predicted
  std::vector<Comparison> comparisons;       // of a step's time, in seconds
  std::vector<TrainingStep> steps;           // one a comparison
  std::vector<Refusal> refused;              // most rows first
  std::vector<Impossible> impossible;        // faster than the multipliers: what was counted was no step
  std::vector<TrainingErrorGroup> groups;
  TrainingErrorGroup all;
  std::size_t refused_rows() const { return rows_of(refused); }
};

// Predicts every row by the calibration named, or else by the nearest for its chip and for training.
TrainingValidation validate_training(const Catalogue& catalogue, std::vector<TrainingRow> rows, std::string_view calibration = {});

// What is told of it, as report.h tells of engines. `files` are the names given.
nlohmann::ordered_json to_json(const TrainingValidation& validation, const std::vector<std::string>& files);
std::string to_text(const TrainingValidation& validation);
Expected<std::string> to_csv(const TrainingValidation& validation);
Expected<std::string> to_svg(const TrainingValidation& validation);

}  // namespace fareline
