// SPDX-License-Identifier: Apache-2.0
#include "truth/request_runs.h"

#include <algorithm>

#include <fmt/format.h>

#include "truth/serving_formats.h"

namespace fareline {
namespace {

using serving::Cells;

constexpr std::array<std::string_view, 11> request_columns{"run",          "hardware",        "model",          "tp",
                                                           "max_num_seqs", "input_toks",      "output_toks",    "arrival_rel_s",
                                                           "request_id",   "ttft_from_queued_s", "e2e_from_queued_s"};
constexpr std::array<std::string_view, 4> load_columns{"run", "t_s", "running_requests", "waiting_requests"};
constexpr std::array<ServingTable, 2> tables{{{"request_runs", "vLLM: every request of a run", request_columns},
                                              {"run_load", "vLLM: requests in the engine each second of a run", load_columns}}};

RequestRun& run_named(std::vector<RequestRun>& runs, std::string_view name) {
  for (RequestRun& run : runs)
    if (run.name == name) return run;
  runs.push_back({.name = std::string(name)});
  return runs.back();
}

// What the engine was told: the catalogue's names where it has them, else a refusal.
void read_setup(const TableReader& table, Cells& cells, RequestRun& run) {
  ServingSetup& s = run.setup;
  s.stack = "vllm";
  s.version = cells.text("vllm_version");
  s.precision = cells.text("dtype");
  const auto system = serving::system_named(cells.text("hardware"));
  // A model may also stand in the catalogue under the very name it has here.
  const std::string_view stated = cells.text("model");
  const std::string_view precision = s.precision == "bfloat16" || s.precision == "auto" ? ""
                                     : s.precision == "float16"                         ? "fp16"
                                                                                        : s.precision;
  const auto model = serving::model_named(stated, precision);
  s.model = model ? model->model : stated;
  if (model) s.weights = model->weights, s.experts = model->experts;
  if (!system) run.refusal = fmt::format("the system {} is unknown", in_quotes(cells.text("hardware")));
  else s.system = *system;
  if (!model && !precision.empty()) run.refusal = fmt::format("{} is not known in {}", in_quotes(stated), in_quotes(s.precision));
  s.layout.tp = std::max(1, cells.count_or("tp", 1));
  s.layout.dp = std::max(1, cells.count_or("dp", 1));
  s.layout.pp = std::max(1, cells.count_or("pp", 1));
  s.sequences = cells.count_or("max_num_seqs", 256);
  s.token_budget = cells.count_or("max_num_batched_tokens", 2048);
  s.scheduling = serving::usual_scheduling(s.stack);
  run.kv_tokens = cells.number_or("kv_tokens_capacity", 0);
  run.source = table.text(table.find("source"));
}

Expected<void> read_request(const TableReader& table, Cells& cells, RequestRun& run) {
  TimedRequest r{.id = std::string(cells.text("request_id")),
                 .arrival = cells.number_or("arrival_rel_s", 0) * unit::s,
                 .prompt = cells.count_or("input_toks", 0),
                 .output = cells.count_or("output_toks", 0),
                 .ttft = cells.number_or("ttft_from_queued_s", 0) * unit::s,
                 .e2e = cells.number_or("e2e_from_queued_s", 0) * unit::s};
  if (const auto read = cells.done(); !read) return read;
  const auto wrong = [&](std::string what) {
    return fail(fmt::format("{} line {}", table.file(), table.line()), std::move(what), "take the row out, or measure again");
  };
  if (r.ttft < Seconds{} || r.e2e < r.ttft || r.arrival < Seconds{}) return wrong("time runs backwards");
  if (r.prompt < 1 || r.output < 1) return wrong("a request has no prompt or no answer");
  run.requests.push_back(std::move(r));
  return {};
}

}  // namespace

std::span<const ServingTable> request_tables() { return tables; }

Expected<bool> holds_requests(const std::string& file, std::string_view bytes) {
  const auto table = TableReader::open(file, bytes);
  if (!table) return std::unexpected(table.error());
  return std::any_of(tables.begin(), tables.end(), [&](const ServingTable& t) { return table->has_all(t.columns); });
}

Expected<void> read_request_runs(std::string file, std::string_view bytes, std::vector<RequestRun>& runs) {
  auto table = TableReader::open(std::move(file), bytes);
  if (!table) return std::unexpected(table.error());
  const bool requests = table->has_all(request_columns);
  if (!requests && !table->has_all(load_columns))
    return fail(table->file(), "is no table of a run's requests or of its load",
                "give one with a column for run, and its requests or load");
  for (;;) {
    const auto more = table->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    Cells cells(*table);
    RequestRun& run = run_named(runs, cells.text("run"));
    if (requests) {
      if (run.setup.system.empty() && run.refusal.empty()) read_setup(*table, cells, run);
      if (const auto read = read_request(*table, cells, run); !read) return read;
      continue;
    }
    run.load.push_back({.at = cells.number_or("t_s", 0) * unit::s,
                        .running = cells.number_or("running_requests", 0),
                        .waiting = cells.number_or("waiting_requests", 0)});
    if (const auto read = cells.done(); !read) return read;
  }
  for (RequestRun& run : runs) {
    std::stable_sort(run.requests.begin(), run.requests.end(),
                     [](const TimedRequest& a, const TimedRequest& b) { return a.arrival < b.arrival; });
    std::stable_sort(run.load.begin(), run.load.end(), [](const LoadSample& a, const LoadSample& b) { return a.at < b.at; });
  }
  return {};
}

}  // namespace fareline
