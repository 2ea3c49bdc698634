// SPDX-License-Identifier: Apache-2.0
// Runs simulated request by request, and held against what was timed: nothing but arrivals and lengths is looked at beforehand.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "catalog/catalog.h"
#include "truth/request_runs.h"
#include "truth/validate.h"

namespace fareline {

// What became of one request, as TimedRequest tells it.
struct SimulatedRequest {
  Seconds ttft, tpot, e2e;
  bool answered = false;
};

struct RequestPrediction {
  std::vector<SimulatedRequest> requests;  // as those of the run
  std::vector<LoadSample> load;            // at the moments of the run's
  std::string calibration;
};

// Returns what the simulator makes of a run, or why it makes nothing of it. `calibration` as for predict.
// Source: sim/fleet.h. Assumes: the log's clock starts in the engine's queue, so that what a server does before does not count; dp
// groups of a dense model are replicas taken in turn.
std::expected<RequestPrediction, std::string> predict(const Catalogue& catalogue, const RequestRun& run, std::string_view calibration = {});

enum class RequestTime : unsigned char { ttft, tpot, e2e };
inline constexpr std::array<std::string_view, 3> request_time_names{"ttft", "tpot", "e2e"};
enum class Moment : unsigned char { mean, p50, p90, p99 };
inline constexpr std::array<std::string_view, 4> moment_names{"mean", "p50", "p90", "p99"};

struct MomentPair {
  Seconds predicted, measured;
  double error() const { return predicted / measured - 1; }
};

struct RunComparison {
  RequestRun run;
  RequestPrediction prediction;            // empty where refused
  std::array<std::array<MomentPair, 4>, 3> times;  // by RequestTime, by Moment
  MomentPair length;                       // from the first arrival to the last token
  double running_error = 0, waiting_error = 0;  // mean absolute difference over the samples, as a share of the most measured
  std::size_t answered = 0;
};

struct RequestValidation {
  std::vector<RunComparison> runs;
};

// Simulates every run and compares. Percentiles as `quantile`.
RequestValidation validate_requests(const Catalogue& catalogue, std::vector<RequestRun> runs, std::string_view calibration = {});

// What is told of it, as report.h tells of engines.
nlohmann::ordered_json to_json(const RequestValidation& validation, const std::vector<std::string>& files);
std::string to_text(const RequestValidation& validation);
Expected<std::string> to_csv(const RequestValidation& validation);  // a line a request
Expected<std::string> to_svg(const RequestValidation& validation);  // load over time, and the distributions

}  // namespace fareline
