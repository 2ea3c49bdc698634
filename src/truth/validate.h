// SPDX-License-Identifier: Apache-2.0
// Predictions held against measurements: every row predicted with no access to its result, and how far off that was.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "truth/serving_rows.h"

namespace fareline {

// A predicted value: the estimate, the bound of physics, and the ends of the 80% band.
template <class Q>
struct Predicted {
  Q value{}, bound{}, low{}, high{};
};

// What is predicted of one setup. Times have their bound below, throughput has it above.
struct ServingPrediction {
  Predicted<Seconds> ttft, tpot;
  Predicted<TokenRate> throughput;  // a chip; of output tokens, or of all tokens where the row counts them
  Frequency rate_bound{};           // requests a second of all chips at peak rates, under users
  std::string calibration;
};

// Returns the prediction, or why there is none, in words shared by its like ("fareline finds no room for it in memory").
// `counts_prompt` says which tokens the throughput is to count. `calibration` names one; empty: the nearest for chip and stack.
// Equation: users: the steady state of perf/serving.h; of the share p of requests that start together, the k-th of C waits for k
// prompts, so that TTFT = (1 - p) steady + p (passes + 1)/2 pass, and no prompt but those behind it interrupts it, nor does any in
// the last wave: TPOT = steady - p interruptions. A batch: one pass over all prompts, then a decode pass at the mean context.
// Bounds: TPOT of a lone sequence at peak rates; throughput of the steady state at peak rates ("ideal").
// Source: perf/serving.h; count of the prompts ahead in a burst.
// Assumes: a batch's decode time is linear in the context, so that the mean context stands for all steps; after the burst the
// prompts come spread out.
std::expected<ServingPrediction, std::string> predict(const Catalogue& catalogue, const ServingSetup& setup, bool counts_prompt,
                                                      std::string_view calibration = {});

// The same where model, system and calibration are at hand, the layout is stated, and the load is no batch. `bounded` false leaves
// the bound of the rate at peak rates out, which costs half of the time.
std::expected<ServingPrediction, std::string> predict(const Catalogue& catalogue, const Model& model, const System& system,
                                                      const Calibration& calibration, const ServingSetup& setup, bool counts_prompt,
                                                      bool bounded = true);

enum class Metric : unsigned char { tpot, ttft, throughput };
inline constexpr int metric_count = 3;
inline constexpr std::array<std::string_view, metric_count> metric_names{"tpot", "ttft", "throughput"};

// One number held against its measurement, in coherent units.
struct Comparison {
  std::size_t row = 0;           // of the rows given
  Metric metric{};
  double predicted = 0, low = 0, high = 0, bound = 0, measured = 0;
  // Predicted over measured, less one.
  double error() const { return predicted / measured - 1; }
  bool covered() const { return low <= measured && measured <= high; }
};

// Over one set of comparisons. Medians and quantiles interpolate between order statistics (Hyndman & Fan 1996, type 7).
struct ErrorSummary {
  std::size_t count = 0;
  double median_abs_error = 0, mean_abs_error = 0, p90_abs_error = 0;
  double bias = 0;               // e to the median of ln(predicted / measured), less one
  double p10_error = 0, p90_error = 0;  // of predicted over measured, less one
  double coverage = 0;           // share of measurements within their band
};
ErrorSummary summarised(std::span<const Comparison> comparisons);

struct ErrorGroup {
  std::string by, name;          // "chip", "h100-sxm"
  std::array<ErrorSummary, metric_count> metrics;
};

// Of the configurations measured for one model, chip, precision, workload and number of users, how often the one predicted
// best was measured within 5% of the best.
struct Ranking {
  std::size_t groups = 0, within = 0;
  double mean_loss = 0;          // of the pick against the best, on average
};

// A row measured better than physics allows: it, or our reading of it, is wrong. Left out of the statistics.
struct Impossible {
  std::size_t row = 0;
  std::string what;              // "tpot", or "users / (TTFT + TPOT ...)", with its unit in `unit`
  std::string_view unit;
  double measured = 0, bound = 0;
};

struct Refusal {
  std::string reason;
  std::size_t rows = 0;
};
std::size_t rows_of(const std::vector<Refusal>& refused);

struct Validation {
  std::vector<ServingRow> rows;
  std::vector<std::optional<ServingPrediction>> predictions;  // by row; none where refused
  std::vector<Comparison> comparisons;
  std::vector<Refusal> refused;                               // most rows first
  std::array<ErrorSummary, metric_count> metrics;
  std::vector<ErrorGroup> groups;
  std::vector<Impossible> impossible;
  Ranking ranking;
  std::size_t predicted() const { return rows.size() - refused_rows(); }
  std::size_t refused_rows() const { return rows_of(refused); }
};

// Compares what was predicted of each row, or why nothing was, with what was measured. A row's own refusal stands.
Validation compare(std::vector<ServingRow> rows, std::vector<std::expected<ServingPrediction, std::string>> predictions);
// Predicts every row and compares. `calibration` as for predict.
Validation validate(const Catalogue& catalogue, std::vector<ServingRow> rows, std::string_view calibration = {});

// Returns the quantile `share` of `values`, interpolated. Equation: Hyndman & Fan 1996, type 7. Assumes: not empty.
double quantile(std::vector<double> values, double share);

}  // namespace fareline
