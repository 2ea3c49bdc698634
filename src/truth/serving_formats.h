// SPDX-License-Identifier: Apache-2.0
// Inside serving_rows: what the tables' names mean, and one reader a table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "truth/serving_rows.h"
#include "truth/table.h"

namespace fareline::serving {

// Returns the catalogue's name of a system; none where it is unknown. Names of the tables, any case.
std::optional<std::string_view> system_named(std::string_view text);

// A model as a table names it, and which published configuration stands for it at a precision.
struct ModelChoice {
  std::string_view model;                  // the catalogue's name
  std::optional<Format> weights, experts;  // none: as that model is published
};
// Returns the choice for a model's name at "fp8", "fp8_block", "fp4", "int4", "fp16", "bf16" or "" (as published); none where the
// model is unknown, or not known at that precision.
std::optional<ModelChoice> model_named(std::string_view text, std::string_view precision);
bool model_known(std::string_view text);
// The catalogue's names that these two can return, for the test that they stand there.
std::vector<std::string_view> systems();
std::vector<ModelChoice> models();

// How InferenceX starts an engine for a model on a chip: what its launch script sets apart from the layout.
struct Launch {
  Format kv;
  int token_budget;
  double memory_fraction;
  Scheduling scheduling;
};
// Returns the launch settings of a row, whose stack, version, model, system, layout and workload are filled in.
Launch launched(const ServingSetup& s);
// Returns how an engine takes prompts in unless told otherwise.
// Source: TensorRT-LLM documentation, LLM API reference (enable_chunked_prefill is off); SGLang documentation, Server Arguments
// (enable-mixed-chunk is off); vLLM documentation, Optimization (chunked prefill is on).
Scheduling usual_scheduling(std::string_view stack);

// Every reader fills in one row from the current record. Errors are damaged cells; a row that is understood but cannot be
// predicted gets a refusal.
Expected<void> read_aiconfigurator(const TableReader& table, ServingRow& row);
Expected<void> read_inferencex(const TableReader& table, ServingRow& row);
Expected<void> read_mlperf(const TableReader& table, ServingRow& row);
Expected<void> read_trtllm_overview(const TableReader& table, ServingRow& row);
Expected<void> read_trtllm_static(const TableReader& table, ServingRow& row);
Expected<void> read_splitwise(const TableReader& table, ServingRow& row);
Expected<void> read_fastertransformer(const TableReader& table, ServingRow& row);
Expected<void> read_llama_cpu(const TableReader& table, ServingRow& row);

// Numbers of the current record by column name. The first error met stays; what is read after it is none.
class Cells {
 public:
  explicit Cells(const TableReader& table) : table_(table) {}
  std::string_view text(std::string_view column) const { return table_.text(table_.find(column)); }
  std::optional<double> number(std::string_view column);
  double number_or(std::string_view column, double otherwise) { return number(column).value_or(otherwise); }
  int count_or(std::string_view column, int otherwise);
  Expected<void> done() const { return error_ ? Expected<void>(std::unexpected(*error_)) : Expected<void>(); }

 private:
  const TableReader& table_;
  std::optional<Error> error_;
};

}  // namespace fareline::serving
