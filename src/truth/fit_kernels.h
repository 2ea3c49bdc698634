// SPDX-License-Identifier: Apache-2.0
// A calibration from timings of single kernels: few numbers a kind of kernel and number format.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "truth/kernel_rows.h"
#include "truth/validate.h"

namespace fareline {

// What is asked for. `chip` is a chip's name or a family's, `stack` an engine with or without its version ("trtllm-1.0").
struct KernelFitRequest {
  std::string chip, stack;
  Calibration base;             // its entries stand in where there are no timings, its tiles hold
  std::size_t least_rows = 20;  // a kind of kernel with fewer is not fitted
  std::size_t most_rows = 3000; // that a fit looks at, spread evenly over those there are; errors are of all
  int folds = 5;
};

struct KernelFit {
  Kernel kernel{};
  Format format{};
  Efficiency efficiency;        // with the errors on rows held out as its evidence
  double fitted_error = 0;      // median on the rows of the fit itself
  double base_error = 0;        // median of the base's entry on the same rows
};

struct KernelFits {
  Calibration calibration;      // the base's engine and bands, with the entries fitted
  std::vector<KernelFit> fits;
  std::vector<Refusal> refused; // rows that were not used, most first
  std::size_t rows = 0, used = 0;
  std::string versions;         // of the stack, whose timings were used: "1.0.0, 1.1.0"
};

// Told before each kind of kernel is fitted: `done` of `total`.
using FitProgress = std::function<void(std::size_t done, std::size_t total, Kernel kernel, Format format, std::size_t rows)>;

// Returns the base with every entry fitted for which there are timings of the chip and the stack. Timings of libraries that no engine
// is named after ("nccl", "pytorch") count for every stack that has none of its own of the kind.
// Equation: least sum over rows of soft-L1(ln(estimate / measured)), shares in (0, 1], times at least 0; several starts, the best kept.
// Errors are those of `folds` fits, each tried on the rows it has not seen.
// Source: truth/least_squares.h; Stone 1974, Cross-validatory choice and assessment of statistical predictions.
// Assumes: repetitions out of a cache (faster than memory allows) are left out; what is left reads cold.
// Errors: no chip or family of that name, no row of that chip and stack.
Expected<KernelFits> fit_kernels(const Catalogue& catalogue, std::span<const KernelTiming> rows, const KernelFitRequest& request,
                                 const FitProgress& progress = {});

}  // namespace fareline
