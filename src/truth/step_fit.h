// SPDX-License-Identifier: Apache-2.0
// A calibration fitted on whole steps: ten parameters that every kernel of a CPU shares, whatever the model and its format.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "truth/validate.h"

namespace fareline {

// Whether a row is a step that such a fit can learn from: a batch on a CPU that is not refused.
bool is_step(const Catalogue& catalogue, const ServingRow& row);

// Returns the calibration that a fit on `rows` starts from: the one named, else the nearest for their chip and engine.
// Errors: no row is a step.
Expected<Calibration> start_of_fit(const Catalogue& catalogue, std::span<const ServingRow> rows, std::string_view calibration);

// Returns the calibration that comes nearest to the steps measured, starting from `start`, whose name, chip, stack and
// other kernels it keeps. Bands are multipliers between which 80% of the measurements of a model lie that was left out of the fit.
// Equation: the parameters x that minimise sum over rows of r^2 (sqrt(1 + (e/r)^2) - 1) + w |ln x - ln x0|^2, e = ln(predicted /
// measured), r = 0.15, w = 1e-4 rows; found by a simplex.
// Source: Nelder & Mead, A Simplex Method for Function Minimization, The Computer Journal 7 (1965); the loss: Charbonnier et al. 1994.
// Assumes: one chip. Errors: no row is a step.
Expected<Calibration> fit_steps(const Catalogue& catalogue, std::span<const ServingRow> rows, const Calibration& start);

// Every model's steps predicted by a fit on the other models' alone; other rows are predicted as ever.
Expected<Validation> validate_left_out(const Catalogue& catalogue, std::vector<ServingRow> rows, const Calibration& start);

}  // namespace fareline
