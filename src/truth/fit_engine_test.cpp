// SPDX-License-Identifier: Apache-2.0
#include "truth/fit_engine.h"

#include <map>

#include <gtest/gtest.h>

namespace fareline {
namespace {

// Rows that an engine of known overheads would measure.
std::vector<ServingRow> rows_of(const Calibration& truth) {
  const Catalogue& catalogue = Catalogue::built_in();
  std::vector<ServingRow> rows;
  for (const int tp : {4, 8})
    for (const double prompt : {1024.0, 8192.0})
      for (const double users : {1.0, 8.0, 32.0}) {
        ServingRow row;
        row.setup = {.model = "meta-llama/Llama-3.1-70B", .system = "hgx-h100", .stack = "vllm", .layout = {.tp = tp}, .sequences = users,
                     .prompt = prompt, .output = 256};
        const auto model = catalogue.model(row.setup.model);
        const auto system = catalogue.system(row.setup.system);
        const auto p = predict(catalogue, *model, *system, truth, row.setup, false, false);
        EXPECT_TRUE(p.has_value());
        row.measured.tpot = p->tpot.value;
        row.measured.ttft = p->ttft.value;
        rows.push_back(row);
      }
  return rows;
}

TEST(EngineFit, FindsTheOverheadsThatRowsWereMadeWith) {
  Calibration truth = *Catalogue::built_in().calibration("hopper-vllm");
  const Calibration kernels_alone = truth;
  truth.engine = {.step = 0.7 * unit::ms, .sequence = 12 * unit::us, .launch_share = 0.8, .memory_share = 0.95, .flop_share = 1.2,
                  .prompt = 45 * unit::ms};
  std::vector<ServingRow> rows = rows_of(truth);
  rows.front().measured.tpot = 10 * *rows.front().measured.tpot;  // one that is wrong moves nothing
  const auto fit = fit_engine(Catalogue::built_in(), kernels_alone, rows, {.folds = 3});
  ASSERT_TRUE(fit.has_value()) << fit.error();
  EXPECT_EQ(fit->rows, rows.size());
  EXPECT_LT(fit->fitted[static_cast<std::size_t>(Metric::tpot)].median_abs_error, 0.02);
  EXPECT_LT(fit->fitted[static_cast<std::size_t>(Metric::ttft)].median_abs_error, 0.03);
  EXPECT_NEAR(fit->engine.prompt.in(unit::ms), 45, 5);
  EXPECT_LE(fit->tpot.low, 1);
  EXPECT_GE(fit->tpot.high, 1);
}

TEST(EngineFit, UsesEachMeasurementOfItsChipAndEngineOnce) {
  const Catalogue& catalogue = Catalogue::built_in();
  const Calibration truth = *catalogue.calibration("hopper-vllm");
  std::vector<ServingRow> rows = rows_of(truth);
  rows.resize(3);
  rows.push_back(rows.back());
  rows.push_back(rows.back());
  rows.back().setup.system = "hgx-b200";
  rows.push_back(rows.front());
  rows.back().setup.stack = "sglang";
  const auto fit = fit_engine(catalogue, truth, rows, {.folds = 0, .subject = *fit_subject(catalogue, "h100-sxm", "vllm")});
  ASSERT_TRUE(fit.has_value()) << fit.error();
  EXPECT_EQ(fit->rows, 3u);
  std::map<std::string, std::size_t> refused;
  for (const Refusal& r : fit->refused) refused[r.reason] = r.rows;
  EXPECT_EQ(refused,
            (std::map<std::string, std::size_t>{{"of another chip", 1}, {"of another stack", 1}, {"the same measurement again", 1}}));
}

TEST(FitSubject, IsAChipOrItsFamilyUnderAVersionOrAny) {
  const Catalogue& catalogue = Catalogue::built_in();
  const auto one = fit_subject(catalogue, "hopper", "trtllm-1.0");
  ASSERT_TRUE(one.has_value());
  EXPECT_TRUE(one->of(*catalogue.chip("h200-sxm")));
  EXPECT_FALSE(one->of(*catalogue.chip("b200-sxm")));
  EXPECT_TRUE(one->under("trtllm", "1.0.0rc3"));
  EXPECT_FALSE(one->under("trtllm", "1.1.0"));
  EXPECT_FALSE(one->under("trtllm", ""));
  EXPECT_TRUE(fit_subject(catalogue, "b200-sxm", "trtllm")->under("trtllm", ""));
  EXPECT_FALSE(fit_subject(catalogue, "b2000", "trtllm").has_value());
}

TEST(EngineFit, SaysWhenNoRowIsPredicted) {
  ServingRow row;
  row.refusal = "the model is unknown";
  const auto fit = fit_engine(Catalogue::built_in(), *Catalogue::built_in().calibration("hopper-vllm"), std::span(&row, 1));
  ASSERT_FALSE(fit.has_value());
  EXPECT_EQ(fit.error(), "no row of serving measurements is predicted with these kernels");
}

}  // namespace
}  // namespace fareline
