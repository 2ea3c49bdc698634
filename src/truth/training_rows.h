// SPDX-License-Identifier: Apache-2.0
// Measured steps of training, whatever table they stand in, as one kind of row: what was run apart from what was measured.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "perf/training_choice.h"
#include "units/error.h"

namespace fareline {

// All that a prediction may look at.
struct TrainingSetup {
  std::string model;             // the catalogue's name, or the row's own where it brings its configuration
  std::string config;            // of a model in no catalogue; else empty
  std::string system;            // the catalogue's name
  std::string software;          // "Megatron-LM 2021"
  TrainingPlan plan;             // of which `search` says what is open
  TrainingSearch search;
  int inner = 0;                 // tp x cp where only their product is known, from the micro-batches; 0: both are stated
  bool overlaps = true;          // exchanges hide behind compute by the calibration's share; else the software does not overlap
};

struct TrainingRow {
  std::string id, source;
  TrainingSetup setup;
  Seconds measured;              // of one step
  std::string refusal;           // why it is not predicted, a reason shared by its like; empty where it is
};

// Tables whose rows are understood, and the columns by which each is known.
struct TrainingTable {
  std::string_view name, summary;
};
std::vector<TrainingTable> training_tables();

// Whether the table's header is one of these. Errors: all that TableReader refuses.
Expected<bool> holds_training(std::string file, std::string_view bytes);

// Reads every row, refused ones with their reason, in the table's order. Errors: a header of no known table, damaged cells.
Expected<std::vector<TrainingRow>> read_training_rows(std::string file, std::string_view bytes);

}  // namespace fareline
