// SPDX-License-Identifier: Apache-2.0
// Robust least squares within bounds, by Ceres. The one place that knows of it.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace fareline {

// Writes a residual for each row, given the parameters.
using Residuals = std::function<void(std::span<const double> parameters, std::span<double> residuals)>;

struct LeastSquares {
  std::vector<double> parameters;
  double cost = 0;             // mean over the rows of the soft-L1 loss
};

// Returns the parameters between `low` and `high` that make the sum of soft-L1 losses of `rows` residuals least, near `start`.
// Equation: loss(r) = 2 c^2 (sqrt(1 + (r/c)^2) - 1), c = `scale`: quadratic below it, linear above.
// Source: Agarwal, Mierle & others, Ceres Solver (trust region, Levenberg-Marquardt, bounds); Triggs et al. 2000, Bundle Adjustment,
// section 3.3 (robust losses). Assumes: residuals are continuous; kinks are few, so that central differences serve as derivatives.
LeastSquares least_squares(const Residuals& residuals, std::size_t rows, std::vector<double> start, std::span<const double> low,
                           std::span<const double> high, double scale, int steps = 60);

}  // namespace fareline
