// SPDX-License-Identifier: Apache-2.0
#include "truth/least_squares.h"

#include <algorithm>
#include <cmath>

#include <ceres/cost_function.h>
#include <ceres/problem.h>
#include <ceres/solver.h>

namespace fareline {
namespace {

// Residuals whose squares are the soft-L1 losses of `residuals`, so that one block holds all rows.
class Robust : public ceres::CostFunction {
 public:
  Robust(const Residuals& residuals, std::size_t rows, std::span<const double> low, std::span<const double> high, double scale)
      : residuals_(residuals), low_(low), high_(high), scale_(scale) {
    set_num_residuals(static_cast<int>(rows));
    mutable_parameter_block_sizes()->push_back(static_cast<int>(low.size()));
  }

  bool Evaluate(const double* const* blocks, double* out, double** jacobians) const override {
    const std::size_t rows = static_cast<std::size_t>(num_residuals()), count = low_.size();
    std::vector<double> at(blocks[0], blocks[0] + count);
    evaluate(at, {out, rows});
    if (!jacobians || !jacobians[0]) return true;
    std::vector<double> above(rows), below(rows);
    for (std::size_t p = 0; p < count; ++p) {
      const double step = 1e-5 * std::max(1e-2, std::abs(at[p]));
      std::vector<double> up = at, down = at;
      up[p] = std::min(high_[p], at[p] + step);
      down[p] = std::max(low_[p], at[p] - step);
      evaluate(up, above);
      evaluate(down, below);
      const double width = up[p] - down[p];
      for (std::size_t r = 0; r < rows; ++r) jacobians[0][r * count + p] = width > 0 ? (above[r] - below[r]) / width : 0;
    }
    return true;
  }

 private:
  void evaluate(std::span<const double> at, std::span<double> out) const {
    residuals_(at, out);
    for (double& r : out) {
      const double s = r / scale_;
      r *= std::sqrt(2 / (1 + std::sqrt(1 + s * s)));
    }
  }

  const Residuals& residuals_;
  std::span<const double> low_, high_;
  double scale_;
};

}  // namespace

LeastSquares least_squares(const Residuals& residuals, std::size_t rows, std::vector<double> start, std::span<const double> low,
                           std::span<const double> high, double scale, int steps) {
  for (std::size_t p = 0; p < start.size(); ++p) start[p] = std::clamp(start[p], low[p], high[p]);
  ceres::Problem problem;
  problem.AddResidualBlock(new Robust(residuals, rows, low, high, scale), nullptr, start.data());  // the problem owns it
  for (std::size_t p = 0; p < start.size(); ++p) {
    problem.SetParameterLowerBound(start.data(), static_cast<int>(p), low[p]);
    problem.SetParameterUpperBound(start.data(), static_cast<int>(p), high[p]);
  }
  ceres::Solver::Options options;
  options.linear_solver_type = ceres::DENSE_QR;
  options.num_threads = 1;
  options.logging_type = ceres::SILENT;
  options.max_num_iterations = steps;
  options.function_tolerance = 1e-8;
  ceres::Solver::Summary summary;
  ceres::Solve(options, &problem, &summary);
  return {std::move(start), 2 * summary.final_cost / static_cast<double>(std::max<std::size_t>(1, rows))};
}

}  // namespace fareline
