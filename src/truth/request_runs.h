// SPDX-License-Identifier: Apache-2.0
// Runs of an engine of which every request was timed, and what it held each second: tables of LLMServingSim's bench. A run's requests
// and its load stand in two tables and are joined by the run's name.
// Source: casys-kaist/LLMServingSim@5daddb2:bench/examples (requests.jsonl and timeseries.csv, as CSV).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "truth/serving_rows.h"

namespace fareline {

// One request: what was asked, and when. Times are since the run began.
struct TimedRequest {
  std::string id;
  Seconds arrival;
  std::int64_t prompt = 0, output = 0;
  Seconds ttft, e2e;             // since it stood in the engine's queue
  // Source: vLLM documentation, Metrics (time per output token: of those after the first). Assumes: more than one.
  Seconds tpot() const { return (e2e - ttft) / static_cast<double>(output - 1); }
};

// Requests in the engine at one moment.
struct LoadSample {
  Seconds at;
  double running = 0, waiting = 0;
};

struct RequestRun {
  std::string name, source;
  ServingSetup setup;            // its `sequences` are the most the engine holds, a dp group
  double kv_tokens = 0;          // the engine's room for KV in tokens; 0: not stated
  std::vector<TimedRequest> requests;  // by arrival
  std::vector<LoadSample> load;  // by time
  std::string assumption, refusal;
};

// The two tables: of requests, and of the load.
std::span<const ServingTable> request_tables();
// Whether the header of `bytes` is that of one of them. Errors: what TableReader refuses.
Expected<bool> holds_requests(const std::string& file, std::string_view bytes);
// Adds what a table tells to `runs`, in the order in which runs first stand in a table. A run that is not understood gets a refusal.
// Errors: all that TableReader refuses; times that run backwards, lengths below zero; one run with two setups.
Expected<void> read_request_runs(std::string file, std::string_view bytes, std::vector<RequestRun>& runs);

}  // namespace fareline
