// SPDX-License-Identifier: Apache-2.0
// KV capacity predicted and held against what engines found room for: what a chip has left once weights, workspace and runtime are in.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "catalog/catalog.h"
#include "perf/plan.h"
#include "truth/validate.h"

namespace fareline {

// One start of an engine.
struct CapacityRow {
  std::string id;              // the table's file and line
  std::string model;           // as the table names it
  std::string configuration;   // the catalogue's name of a model of the same shape; empty: the table's own
  std::string system;          // the catalogue's name
  std::string engine, version;
  Plan plan;                   // layout, formats and memory fraction
  double context = 0;          // the longest request, tokens
  Bytes measured{};            // KV of one chip
  std::string refusal;         // why it is not predicted; empty where it is
};

inline constexpr std::string_view capacity_columns[] = {"model", "system", "tp", "gpu_memory_utilization", "kv_cache_gib"};
inline constexpr std::string_view capacity_summary =
    "KV capacity that engines found (model, system, tp, gpu_memory_utilization, kv_cache_gib)";

// Whether the header of `bytes` is that of such a table. Errors: what TableReader refuses.
Expected<bool> holds_capacity(const std::string& file, std::string_view bytes);

// Reads every row, in the table's order. Also read where they stand: configuration, engine, version, pp, weights and kv_cache_dtype
// (formats; "auto" and empty: as published) and max_model_len.
// Errors: a column of capacity_columns is missing, an unknown format, a number out of range, all that TableReader refuses.
Expected<std::vector<CapacityRow>> read_capacity_rows(std::string file, std::string_view bytes);

struct CapacityValidation {
  std::vector<CapacityRow> rows;
  std::vector<Comparison> comparisons;  // bytes of one chip; without bands
  std::vector<Refusal> refused;         // most rows first
  ErrorSummary error;
};

// Predicts every row's KV capacity with no access to its result and compares.
// Equation: memory_use's budget less weights, activations, collectives and reserve. Source: perf/memory.h.
CapacityValidation validate_capacity(const Catalogue& catalogue, std::vector<CapacityRow> rows);

nlohmann::ordered_json to_json(const CapacityValidation& validation, const std::vector<std::string>& files);
std::string to_text(const CapacityValidation& validation);
Expected<std::string> to_csv(const CapacityValidation& validation);
Expected<std::string> to_svg(const CapacityValidation& validation);

}  // namespace fareline
