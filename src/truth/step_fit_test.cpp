// SPDX-License-Identifier: Apache-2.0
#include "truth/step_fit.h"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/place.h"
#include "truth/batch.h"

namespace fareline {
namespace {

const Catalogue& catalogue() { return Catalogue::built_in(); }

constexpr std::string_view header =
    "tool,model,dtype,bytes_per_weight,kv_dtype_bytes,n_layer,d_model,d_ff,heads,kv_heads,vocab,n_expert,n_used,threads,phase,batch,"
    "prompt_tokens,ctx,s_step_median,bw_probe_before_GBs,bw_probe_after_GBs\n";

std::vector<ServingRow> rows_of(const std::string& lines) {
  auto rows = read_serving_rows("steps.csv", std::string(header) + lines);
  EXPECT_TRUE(rows.has_value()) << (rows ? "" : rows.error().line());
  return rows.value_or(std::vector<ServingRow>{});
}

Seconds predicted(const ServingRow& row) {
  const auto p = predict(catalogue(), row.setup, false);
  EXPECT_TRUE(p.has_value()) << (p ? "" : p.error());
  return !p ? Seconds{} : row.measured.tpot ? p->tpot.value : p->ttft.value;
}

// Llama's shape, 16 bits: 12 layers of 768 and 2048, a vocabulary of 32000.
ServingRow step(const std::string& threads, const std::string& phase, const std::string& batch, const std::string& prompt,
                const std::string& context, const std::string& probes = "28,28", const std::string& type = "f16,2") {
  return rows_of("b,m," + type + ",2,12,768,2048,12,12,32000,0,0," + threads + "," + phase + "," + batch + "," + prompt + "," + context +
                 ",0.01," + probes + "\n")
      .front();
}

TEST(Step, ReadsEveryWeightOnceAtTheBandwidthProbed) {
  const auto p = predict(catalogue(), step("2", "decode", "1", "0", "16").setup, false, "ideal");
  ASSERT_TRUE(p.has_value()) << p.error();
  // 12 x (4 x 768^2 + 3 x 768 x 2048) + 32000 x 768 weights and 12 x 2 x 768 x 16 of KV, 2 B each, at the 28 GB/s stated and probed.
  const double weights = 12 * (4.0 * 768 * 768 + 3.0 * 768 * 2048) + 32000.0 * 768, kv = 12 * 2.0 * 768 * 16;
  EXPECT_NEAR(p->tpot.value.in(unit::s), 2 * (weights + kv) / 28e9, 0.01 * 2 * weights / 28e9);
}

TEST(Step, TakesTheMeanOfWhatIsStatedAndProbedAndIsBoundByTheFaster) {
  const auto at = [](const std::string& probes) {
    return *predict(catalogue(), step("2", "decode", "1", "0", "16", probes).setup, false, "ideal");
  };
  const auto usual = at("28,28"), quarter = at("7,7"), uneven = at("14,42");
  EXPECT_NEAR(quarter.tpot.value / usual.tpot.value, 2, 1e-9) << "the square root of a quarter";
  EXPECT_NEAR(quarter.tpot.bound / usual.tpot.bound, 1, 1e-9) << "stated: 28 GB/s";
  EXPECT_NEAR(uneven.tpot.value / usual.tpot.value, 1, 1e-9) << "their mean";
  EXPECT_NEAR(uneven.tpot.bound / usual.tpot.bound, 28.0 / 42, 1e-9) << "once it was seen faster";
}

TEST(Step, OnHalfTheCoresHasHalfThePeakAndWhatOneCoreReads) {
  const auto of = [](const std::string& threads, const std::string& phase, const std::string& prompt, const std::string& context) {
    return predicted(step(threads, phase, "1", prompt, context, ","));
  };
  const double prefill = of("1", "prefill", "512", "256") / of("2", "prefill", "512", "256");
  EXPECT_GT(prefill, 1.8);
  EXPECT_LE(prefill, 2) << "its launches and elementwise kernels gain less";
  const double decode = of("1", "decode", "0", "16") / of("2", "decode", "0", "16");
  EXPECT_GT(decode, 1.2);
  EXPECT_LT(decode, 28.0 / 20 + 0.1);
}

TEST(Step, OfNarrowerWeightsIsFasterAndOfMoreExpertsSlower) {
  const ServingRow wide = step("2", "decode", "1", "0", "16"), narrow = step("2", "decode", "1", "0", "16", "28,28", "q8_0,1.0625"),
                   four = step("2", "decode", "1", "0", "16", "28,28", "q4_0,0.5625");
  EXPECT_LT(predicted(narrow), predicted(wide));
  EXPECT_LT(predicted(four), predicted(narrow));
  const auto experts = rows_of("b,m,f16,2,2,12,768,2048,12,12,32000,8,2,2,decode,1,0,16,0.01,28,28\n");
  EXPECT_GT(predicted(experts.front()), predicted(wide)) << "two experts of a dense layer's width";
  EXPECT_LT(predicted(experts.front()), 2.2 * predicted(wide));
}

TEST(Step, IsRefusedWhereNoFormatIsNear) {
  EXPECT_EQ(step("2", "decode", "1", "0", "16", "28,28", "odd,3").refusal, "no number format is near its bytes a weight");
}

// What a calibration predicts is taken for measured: a fit comes back to it, from another start.
TEST(Fit, FindsWhatTheStepsWereMadeOf) {
  std::string lines;
  for (const char* model : {"a,f16,2,2,12,768,2048,12,12", "b,f32,4,2,8,1024,2816,8,8", "c,f16,2,2,8,256,704,8,8"})
    for (const char* threads : {"1", "2"})
      for (const char* rest :
           {"decode,1,0,16", "decode,1,0,2048", "decode,8,0,128", "prefill,1,1,0.5", "prefill,1,8,4", "prefill,1,256,128"})
        lines += fmt::format("b,{},32000,0,0,{},{},0.01,28,28\n", model, threads, rest);
  auto rows = rows_of(lines);
  for (ServingRow& row : rows) (row.measured.tpot ? row.measured.tpot : row.measured.ttft) = 1.3 * predicted(row);
  const auto start = catalogue().calibration("cpu");
  ASSERT_TRUE(start.has_value());
  const auto fitted = fit_steps(catalogue(), rows, *start);
  ASSERT_TRUE(fitted.has_value()) << fitted.error().line();
  EXPECT_NE(fitted->evidence.find("36 steps"), std::string::npos) << fitted->evidence;
  for (const ServingRow& row : rows) {
    const auto p = predict(*batch_case(catalogue(), row.setup), *fitted, false);
    ASSERT_TRUE(p.has_value());
    const Seconds truth = row.measured.tpot ? *row.measured.tpot : *row.measured.ttft;
    EXPECT_NEAR((row.measured.tpot ? p->tpot.value : p->ttft.value) / truth, 1, 0.15) << row.id;
  }
}

TEST(Fit, NeedsSteps) {
  EXPECT_FALSE(fit_steps(catalogue(), {}, *catalogue().calibration("cpu")).has_value());
  EXPECT_FALSE(validate_left_out(catalogue(), {step("2", "decode", "1", "0", "16")}, *catalogue().calibration("cpu")).has_value())
      << "one model alone";
}

TEST(SharedMeasurements, OfACpuArePredictedWithoutTheirOwnModelWithinAFifth) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "no measurements beside the checkout";
  const std::string bytes = test::file_text(*shared / "data" / "dev" / "llama_cpu.csv.gz");
  if (bytes.empty()) GTEST_SKIP() << "no llama_cpu there";
  auto rows = read_serving_rows("llama_cpu", bytes);
  ASSERT_TRUE(rows.has_value()) << rows.error().line();
  const auto left_out = validate_left_out(catalogue(), std::move(*rows), *catalogue().calibration("cpu"));
  ASSERT_TRUE(left_out.has_value()) << left_out.error().line();
  EXPECT_EQ(left_out->refused_rows(), 0u);
  int kinds = 0;
  for (const ErrorGroup& group : left_out->groups) {
    if (group.by != "pass") continue;
    ++kinds;
    for (const ErrorSummary& s : group.metrics)
      if (s.count > 0) {
        EXPECT_LE(s.median_abs_error, 0.2) << group.name;
      }
  }
  EXPECT_EQ(kinds, 3) << "decode, batched decode, prefill";
  for (const Comparison& c : left_out->comparisons) EXPECT_GE(c.predicted, c.bound) << left_out->rows[c.row].id;
}

}  // namespace
}  // namespace fareline
