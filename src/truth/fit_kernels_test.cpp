// SPDX-License-Identifier: Apache-2.0
#include "truth/fit_kernels.h"

#include <cmath>

#include <gtest/gtest.h>

#include "truth/kernel_predict.h"
#include "truth/least_squares.h"

namespace fareline {
namespace {

const Catalogue& catalogue() { return Catalogue::built_in(); }

TEST(LeastSquares, FindsALineThroughOutliersWithinItsBounds) {
  // y = 2 + 3 x at x = 0..99, every tenth 50 too high: a soft loss passes them by, a square would be 5 off.
  const Residuals line = [](std::span<const double> p, std::span<double> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double x = static_cast<double>(i), y = 2 + 3 * x + (i % 10 == 0 ? 50 : 0);
      out[i] = p[0] + p[1] * x - y;
    }
  };
  const std::vector<double> low{-100, -100}, high{100, 100}, tight{100, 2.5};
  const LeastSquares free = least_squares(line, 100, {0, 0}, low, high, 0.1);
  EXPECT_NEAR(free.parameters[0], 2, 0.1);
  EXPECT_NEAR(free.parameters[1], 3, 0.01);
  EXPECT_NEAR(least_squares(line, 100, {0, 0}, low, tight, 0.1).parameters[1], 2.5, 1e-6);
}

// Products whose times are those of `truth`, every seventh three times as long.
std::vector<KernelTiming> products(const Efficiency& truth) {
  Calibration c = *catalogue().calibration("hopper-vllm");
  c.kernels[static_cast<std::size_t>(Kernel::gemm)][static_cast<std::size_t>(Format::bf16)] = truth;
  const System system = *catalogue().system("hgx-h200");
  KernelTasks tasks(catalogue());
  std::vector<KernelTiming> rows;
  for (const double m : {1.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0})
    for (const double n : {1024.0, 4096.0, 12288.0, 28672.0})
      for (const double k : {256.0, 1024.0, 4096.0, 14336.0}) {
        KernelTiming row{.table = "made", .setup = {.system = "hgx-h200", .stack = "vllm", .version = "1.2"}};
        row.setup.run = ProductRun{m, n, k, {}};
        row.measured = task_time(*tasks.task(row.setup, c), system, c);
        if (rows.size() % 7 == 3) row.measured = 3 * row.measured;
        rows.push_back(row);
      }
  return rows;
}

constexpr Efficiency truth{.peak_share = 0.7, .bandwidth_share = 0.85, .latency = 4 * unit::us, .serial_share = 0.2, .tile = 64};

KernelFitRequest request(const char* chip, const char* stack) {
  return {.chip = chip, .stack = stack, .base = *catalogue().calibration("hopper-vllm")};
}

TEST(KernelFits, RecoverWhatTheTimingsWereMadeWithPastOutliers) {
  const auto rows = products(truth);
  for (const char* stack : {"vllm", "vllm-1.2"}) {
    const auto fits = fit_kernels(catalogue(), rows, request("h200-sxm", stack));
    ASSERT_TRUE(fits.has_value()) << fits.error().line();
    ASSERT_EQ(fits->fits.size(), 1u);
    const Efficiency& e = fits->calibration.at(Kernel::gemm, Format::bf16);
    EXPECT_NEAR(e.peak_share, truth.peak_share, 0.02);
    EXPECT_NEAR(e.bandwidth_share, truth.bandwidth_share, 0.02);
    EXPECT_NEAR(e.serial_share, truth.serial_share, 0.05);
    EXPECT_TRUE(e.fitted);
    EXPECT_EQ(e.evidence.rows, static_cast<int>(rows.size()));
    EXPECT_EQ(e.evidence.tables, "made");
    EXPECT_LT(e.evidence.median_error, 0.02);
    EXPECT_EQ(fits->calibration.at(Kernel::gemm, Format::fp16), e) << "multiplies and streams alike";
  }
}

TEST(KernelFits, KeepTheBaseWhereThereIsNoEvidenceAndSaySo) {
  const auto fits = fit_kernels(catalogue(), products(truth), request("h200-sxm", "vllm"));
  ASSERT_TRUE(fits.has_value());
  const Calibration base = request("", "").base;
  Efficiency kept = base.at(Kernel::all_reduce, Format::bf16);
  kept.fitted = false;
  kept.evidence = {};
  EXPECT_EQ(fits->calibration.at(Kernel::all_reduce, Format::bf16), kept) << "of the family, not of this chip";
  EXPECT_EQ(fits->calibration.engine, base.engine);
  EXPECT_EQ(fits->calibration.tpot, base.tpot);
  const auto read = read_calibration("c.json", write_calibration(fits->calibration));
  ASSERT_TRUE(read.has_value()) << read.error().line();
  EXPECT_EQ(read->kernels, fits->calibration.kernels) << "evidence included";
}

TEST(KernelFits, AreTheSameEveryTime) {
  const auto rows = products(truth);
  const auto once = fit_kernels(catalogue(), rows, request("hopper", "vllm"));
  const auto again = fit_kernels(catalogue(), rows, request("hopper", "vllm"));
  ASSERT_TRUE(once && again);
  EXPECT_EQ(write_calibration(once->calibration), write_calibration(again->calibration));
}

TEST(KernelFits, SayWhichChipAndStackTheTimingsAreOf) {
  const auto rows = products(truth);
  const auto chip = fit_kernels(catalogue(), rows, request("h20-sxm", "vllm"));
  ASSERT_FALSE(chip);
  EXPECT_EQ(chip.error().remedy, "give --chip one of h200-sxm");
  const auto stack = fit_kernels(catalogue(), rows, request("h200-sxm", "sglang"));
  ASSERT_FALSE(stack);
  EXPECT_EQ(stack.error().remedy, "give --stack one of vllm-1.2");
  EXPECT_FALSE(fit_kernels(catalogue(), rows, request("h2000", "vllm")));
  EXPECT_FALSE(fit_kernels(catalogue(), {}, request("h200-sxm", "vllm")));
}

}  // namespace
}  // namespace fareline
