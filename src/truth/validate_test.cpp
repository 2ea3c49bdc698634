// SPDX-License-Identifier: Apache-2.0
#include "truth/validate.h"

#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "tests/place.h"
#include "truth/report.h"

namespace fareline {
namespace {

const Catalogue& catalogue() { return Catalogue::built_in(); }

ServingSetup llama(double users) {
  return {.model = "meta-llama/Llama-3.1-70B",
          .system = "hgx-h100",
          .stack = "vllm",
          .precision = "",
          .layout = {.tp = 8},
          .sequences = users,
          .prompt = 1024,
          .output = 256};
}

ServingRow measured(ServingSetup setup, Seconds ttft, Seconds tpot) {
  return {.id = "row", .setup = std::move(setup), .measured = {.ttft = ttft, .tpot = tpot}};
}

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  // Type 7 of Hyndman & Fan: position 1 + (n - 1) p; of 1, 2, 4, 8 the median lies between 2 and 4 and p = 0.9 at 1 + 3 x 0.9 = 3.7.
  EXPECT_DOUBLE_EQ(quantile({8, 1, 4, 2}, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile({8, 1, 4, 2}, 0.9), 4 + 0.7 * 4);
  EXPECT_DOUBLE_EQ(quantile({5}, 0.9), 5);
}

TEST(Summary, IsWhatHandComputationGives) {
  // Predicted over measured: 1.1, 0.8, 1.25, 1.0. Errors 10, 20, 25, 0 per cent.
  const std::vector<Comparison> rows{{.predicted = 11, .low = 9, .high = 12, .measured = 10},
                                     {.predicted = 8, .low = 7, .high = 9, .measured = 10},
                                     {.predicted = 12.5, .low = 9, .high = 13, .measured = 10},
                                     {.predicted = 10, .low = 9.9, .high = 10.1, .measured = 10}};
  const ErrorSummary s = summarised(rows);
  EXPECT_EQ(s.count, 4u);
  EXPECT_NEAR(s.mean_abs_error, (0.10 + 0.20 + 0.25 + 0) / 4, 1e-12);
  EXPECT_NEAR(s.median_abs_error, 0.15, 1e-12);
  EXPECT_NEAR(s.p90_abs_error, 0.20 + 0.7 * 0.05, 1e-12);
  EXPECT_NEAR(s.bias, std::sqrt(1.1 * 1.0) - 1, 1e-12) << "the median of the logarithms is their mean at 1.0 and 1.1";
  EXPECT_DOUBLE_EQ(s.coverage, 0.75);
}

TEST(Summary, OfNothingIsACountOfZero) { EXPECT_EQ(summarised({}).count, 0u); }

TEST(Prediction, DoesNotDependOnWhatWasMeasured) {
  const auto one = validate(catalogue(), {measured(llama(8), 100 * unit::ms, 10 * unit::ms)});
  const auto other = validate(catalogue(), {measured(llama(8), 900 * unit::ms, 90 * unit::ms)});
  ASSERT_EQ(one.comparisons.size(), 2u);
  ASSERT_EQ(other.comparisons.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(one.comparisons[i].predicted, other.comparisons[i].predicted);
    EXPECT_EQ(one.comparisons[i].low, other.comparisons[i].low);
    EXPECT_NE(one.comparisons[i].measured, other.comparisons[i].measured);
  }
}

TEST(Prediction, TakesTheCalibrationOfTheChipsFamilyAndTheEngine) {
  const auto vllm = predict(catalogue(), llama(8), false);
  ASSERT_TRUE(vllm.has_value()) << vllm.error();
  EXPECT_EQ(vllm->calibration, "hopper-vllm");
  ServingSetup setup = llama(8);
  setup.stack = "sglang";
  const auto sglang = predict(catalogue(), setup, false);
  ASSERT_TRUE(sglang.has_value());
  EXPECT_EQ(sglang->calibration, "hopper-sglang");
  const auto ideal = predict(catalogue(), llama(8), false, "ideal");
  ASSERT_TRUE(ideal.has_value());
  EXPECT_LT(ideal->tpot.value, vllm->tpot.value);
}

TEST(Prediction, OfOneBatchIsADecodePassAtTheMeanContext) {
  ServingSetup setup = llama(4);
  setup.load = Load::batch;
  const auto predicted = predict(catalogue(), setup, false, "ideal");
  ASSERT_TRUE(predicted.has_value()) << predicted.error();
  // Ideal: the weights and the KV of 4 sequences of 1024 + 128 tokens over the bandwidth of 8 chips, or more.
  const Model model = *catalogue().model(setup.model);
  const System system = *catalogue().system(setup.system);
  const ParameterCount count = count_parameters(model);
  const double embedding = static_cast<double>(model.embedding.parameters());
  const Bytes weights = (static_cast<double>(count.total) - embedding) * 2 * unit::B;
  const Bytes kv = 4 * (1024 + 128) * kv_bytes_per_token(model, 2 * unit::B);
  const Seconds reading = (weights + kv) / (8 * system.chip.hbm_bandwidth.value);
  EXPECT_GE(predicted->tpot.value, 0.999 * reading);
  EXPECT_LE(predicted->tpot.value, 1.05 * reading);
  EXPECT_GT(predicted->ttft.value, predicted->tpot.value);
}

// A client that starts all users at once sees prompts queue that the steady state has spread out.
TEST(Prediction, FollowsTheClientsRunWhereItEnds) {
  ServingSetup steady = llama(16);
  steady.prompt = 8192;
  ServingSetup run = steady;
  run.waves = 1;
  ServingSetup longer = steady;
  longer.waves = 10;
  const auto for_good = predict(catalogue(), steady, false), once = predict(catalogue(), run, false),
             ten_times = predict(catalogue(), longer, false);
  ASSERT_TRUE(for_good.has_value() && once.has_value() && ten_times.has_value());
  EXPECT_GT(once->ttft.value, 2 * for_good->ttft.value);
  EXPECT_LT(ten_times->ttft.value, once->ttft.value);
  // One user more than the engine holds waits for an answer to end.
  ServingSetup queued = steady;
  queued.queued = 1;
  const auto behind = predict(catalogue(), queued, false);
  ASSERT_TRUE(behind.has_value());
  EXPECT_GT(behind->ttft.value, for_good->ttft.value);
  EXPECT_EQ(behind->tpot.value, for_good->tpot.value);
}

TEST(Prediction, OfAnOpenLayoutIsThatOfTheBestOne) {
  ServingSetup open = llama(0);
  open.load = Load::saturated;
  open.layout = {.tp = 1, .replicas = 8};
  open.layout_open = true;
  const auto best = predict(catalogue(), open, false);
  ASSERT_TRUE(best.has_value()) << best.error();
  for (const int tp : {4, 8}) {
    ServingSetup laid = open;
    laid.layout_open = false;
    laid.layout = {.tp = tp, .replicas = 8 / tp};
    const auto one = predict(catalogue(), laid, false);
    ASSERT_TRUE(one.has_value()) << one.error();
    EXPECT_LE(one->throughput.value, best->throughput.value);
  }
}

TEST(Prediction, SaysWhyThereIsNone) {
  ServingSetup large = llama(8);
  large.layout.tp = 1;
  const auto memory = predict(catalogue(), large, false);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error(), "fareline finds no room for it in memory");
  ServingSetup odd = llama(8);
  odd.layout.tp = 7;
  const auto heads = predict(catalogue(), odd, false);
  ASSERT_FALSE(heads.has_value());
  EXPECT_EQ(heads.error(), "the model does not divide over its layout");
}

RC_GTEST_PROP(Prediction, NeverUndercutsTheBoundAndLiesInItsBand, ()) {
  ServingSetup setup = llama(*rc::gen::inRange(1, 300));
  setup.layout.tp = *rc::gen::element(2, 4, 8);
  setup.prompt = *rc::gen::inRange(1, 16000);
  setup.output = *rc::gen::inRange(2, 4000);
  setup.shortest = *rc::gen::element(0.5, 0.8, 1.0);
  setup.waves = *rc::gen::element(0.0, 1.0, 4.0);
  setup.scheduling = {.prompts_alone = *rc::gen::arbitrary<bool>(), .whole_prompts = *rc::gen::arbitrary<bool>(),
                      .poll_steps = *rc::gen::element(1, 30), .wait_steps = *rc::gen::element(0, 20), .wait_fill = 0.9};
  const auto p = predict(catalogue(), setup, *rc::gen::arbitrary<bool>());
  if (!p) return;
  for (const auto& time : {p->ttft, p->tpot}) {
    RC_ASSERT(time.value >= time.bound);
    RC_ASSERT(time.low <= time.high && time.bound <= time.low);
  }
  RC_ASSERT(p->throughput.value <= p->throughput.bound);
}

TEST(Validation, LeavesOutRowsFasterThanPhysicsAllows) {
  // 70 billion parameters in 16 bits over 8 x 3.35 TB/s take 5 ms: 1 ms is beyond it.
  const Validation fast = validate(catalogue(), {measured(llama(8), 100 * unit::ms, 1 * unit::ms)});
  ASSERT_EQ(fast.impossible.size(), 1u);
  EXPECT_EQ(fast.impossible[0].what, "tpot");
  EXPECT_TRUE(fast.comparisons.empty());
  // By Little's law 256 users with 6 ms a token and no wait would take 256 / (0.006 x 256) = 167 requests a second, 170,000 prompt
  // tokens a second of 2 x 70e9 FLOP on 8 PFLOP/s: three times the peak.
  const Validation crowd = validate(catalogue(), {measured(llama(256), 1 * unit::ms, 6 * unit::ms)});
  ASSERT_EQ(crowd.impossible.size(), 1u);
  EXPECT_EQ(crowd.impossible[0].unit, "1/s");
}

TEST(Validation, CountsEveryRowOnce) {
  ServingRow refused = measured(llama(8), 100 * unit::ms, 10 * unit::ms);
  refused.refusal = "its layout contradicts itself";
  ServingSetup large = llama(8);
  large.layout.tp = 1;
  const Validation v = validate(
      catalogue(), {measured(llama(8), 100 * unit::ms, 10 * unit::ms), refused, refused, measured(large, 1 * unit::s, 50 * unit::ms)});
  EXPECT_EQ(v.predicted(), 1u);
  EXPECT_EQ(v.refused_rows(), 3u);
  ASSERT_EQ(v.refused.size(), 2u);
  EXPECT_EQ(v.refused[0].reason, "its layout contradicts itself");
  EXPECT_EQ(v.refused[0].rows, 2u);
  std::size_t by_chip = 0;
  for (const ErrorGroup& g : v.groups)
    if (g.by == "chip") by_chip += g.metrics[static_cast<std::size_t>(Metric::tpot)].count;
  EXPECT_EQ(by_chip, 1u);
}

TEST(Validation, RanksConfigurationsOfTheSameLoad) {
  // The wider layout is predicted better a user, the narrower a chip; measured, the wider one wins by far: the pick loses.
  ServingSetup narrow = llama(8), wide = llama(8);
  narrow.layout.tp = 4;
  const Validation v =
      validate(catalogue(), {measured(narrow, 200 * unit::ms, 80 * unit::ms), measured(wide, 100 * unit::ms, 10 * unit::ms)});
  const double narrow_worth = 8 * 256 / (0.2 + 255 * 0.08) / 4, wide_worth = 8 * 256 / (0.1 + 255 * 0.01) / 8;
  ASSERT_EQ(v.ranking.groups, 1u);
  ASSERT_GT(v.predictions[0]->throughput.value, v.predictions[1]->throughput.value);
  EXPECT_EQ(v.ranking.within, 0u);
  EXPECT_NEAR(v.ranking.mean_loss, 1 - narrow_worth / wide_worth, 1e-12);
}

TEST(Report, TellsWhatTheIssueAsksFor) {
  const Validation v = validate(catalogue(), {measured(llama(8), 100 * unit::ms, 10 * unit::ms)});
  const nlohmann::ordered_json told = to_json(v, {"t.csv"});
  const auto& answer = told["answer"];
  EXPECT_EQ(answer["rows"], 1);
  EXPECT_EQ(answer["below_floor"], 0);
  EXPECT_EQ(answer["throughput"]["count"], 0);
  for (const char* metric : {"tpot", "ttft"})
    for (const char* key : {"count", "median_abs_error", "mean_abs_error", "p90_abs_error", "bias", "coverage"})
      EXPECT_TRUE(answer[metric].contains(key)) << metric << " " << key;
  EXPECT_TRUE(answer["refused"].is_object());
  EXPECT_FALSE(answer["groups"].empty());
  const auto csv = to_csv(v);
  ASSERT_TRUE(csv.has_value()) << csv.error().line();
  EXPECT_EQ(std::count(csv->begin(), csv->end(), '\n'), 3) << "a header and two comparisons";
  const auto svg = to_svg(v);
  ASSERT_TRUE(svg.has_value()) << svg.error().line();
  EXPECT_TRUE(svg->starts_with("<svg"));
  EXPECT_FALSE(to_svg(validate(catalogue(), {})).has_value()) << "nothing to draw is said, not drawn";
}

TEST(SharedMeasurements, AreAllReadAndMostArePredicted) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "no measurements beside the checkout";
  for (const char* name : {"e2e_serving_aic_silicon_sample", "mlperf_inference_llm", "trtllm_perf_overview", "trtllm_v09_static_batch",
                           "splitwise_perf_model", "fastertransformer_gpt_latency", "llama_cpu"}) {
    const auto path = *shared / "data" / "dev" / (std::string(name) + ".csv.gz");
    const std::string bytes = test::file_text(path);
    if (bytes.empty()) continue;
    auto rows = read_serving_rows(name, bytes);
    ASSERT_TRUE(rows.has_value()) << rows.error().line();
    const std::size_t read = rows->size();
    const Validation v = validate(catalogue(), std::move(*rows));
    EXPECT_EQ(v.predicted() + v.refused_rows(), read) << name;
    EXPECT_GT(v.comparisons.size(), 0u) << name;
    for (const Comparison& c : v.comparisons) {
      EXPECT_TRUE(std::isfinite(c.predicted) && c.predicted > 0) << name << " " << v.rows[c.row].id;
      const double better = c.metric == Metric::throughput ? c.bound / c.predicted : c.predicted / c.bound;
      EXPECT_GE(better, 1 - 1e-9) << name << " " << v.rows[c.row].id;
    }
  }
}

}  // namespace
}  // namespace fareline
