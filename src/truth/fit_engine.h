// SPDX-License-Identifier: Apache-2.0
// What an engine adds to its kernels, fitted on end-to-end measurements.
#pragma once

#include <expected>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "truth/fit_subject.h"
#include "truth/validate.h"

namespace fareline {

struct EngineFit {
  EngineOverhead engine;
  Band pass, tpot, ttft, throughput;   // between which 80% of the rows left out lay
  std::size_t rows = 0;                // that were predicted
  std::vector<std::string> models;     // whose rows they are, by name
  std::vector<Refusal> refused;        // rows that were not used, most first
  std::array<ErrorSummary, metric_count> fitted, left_out;  // errors on all rows; of each fold by a fit without it
};

struct EngineFitOptions {
  double waves = 4;            // of a client's run, while fitting
  double most_users = 200;     // rows with more are left to the summary
  int folds = 4;               // 0: no rows are left out, bands are those of the fit
  std::optional<FitSubject> subject;  // rows of other chips and engines are not used
  std::function<void(int done, int total, std::size_t rows)> progress{};  // told before each search
};

// Returns the overheads that fit `rows` best with the kernels of `measured`, one set for all of them. Errors: no row is predicted.
// Equation: least sum over rows of w ln(1 + (e / 0.1)^2), e = ln(predicted / measured), w = 1 for TPOT and 0.4 for TTFT and
// throughput, found by compass search over the logarithms of the parameters, steps halving from 0.4 to 0.02.
// Source: Black & Anandan 1996, section 3 (the Lorentzian loss, deaf to what lies far off);
// Kolda, Lewis & Torczon 2003, section 3 (compass search).
// Assumes: rows of one model, layout and workload are not independent: they are left out together; a measurement that stands in a table
// twice is one.
std::expected<EngineFit, std::string> fit_engine(const Catalogue& catalogue, const Calibration& measured, std::span<const ServingRow> rows,
                                                 const EngineFitOptions& options = {});

}  // namespace fareline
