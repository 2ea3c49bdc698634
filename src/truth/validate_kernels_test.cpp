// SPDX-License-Identifier: Apache-2.0
#include "truth/validate_kernels.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "catalog/embedded.h"
#include "truth/kernel_predict.h"

namespace fareline {
namespace {

const Catalogue& catalogue() { return Catalogue::built_in(); }

KernelTiming timing(Kernel kernel, decltype(KernelSetup::run) run, Seconds measured) {
  return {.id = "row", .setup = {.system = "hgx-h100", .stack = "vllm", .kernel = kernel, .run = std::move(run)}, .measured = measured};
}

// One of each kind, with times that are too long by half.
std::vector<KernelTiming> one_of_each() {
  const Attention full{.kind = AttentionKind::full, .heads = 32, .kv_heads = 8, .qk_dim = 128, .v_dim = 128};
  return {timing(Kernel::gemm, ProductRun{64, 8192, 8192, {}}, 0.1 * unit::ms),
          timing(Kernel::attention_decode, AttentionRun{full, 32, 4000, 0}, 0.5 * unit::ms),
          timing(Kernel::attention_prefill, AttentionRun{full, 1, 0, 4096}, 2 * unit::ms),
          timing(Kernel::grouped_gemm, ExpertsRun{.tokens = 64, .hidden = 4096, .width = 1024, .experts = 64, .active = 4}, 1 * unit::ms),
          timing(Kernel::elementwise, ElementwiseRun{100 * unit::MB}, 0.1 * unit::ms),
          timing(Kernel::all_reduce, CollectiveRun{8, 1 * unit::MB}, 0.05 * unit::ms),
          timing(Kernel::all_to_all, ExchangeRun{.ranks = 8, .tokens = 128, .hidden = 7168, .active = 8}, 0.1 * unit::ms)};
}

TEST(KernelValidation, ComparesTheTimeThatThePassIsAddedUpFrom) {
  // A product alone: the formula of docs/guide/calibration.md with the numbers of the calibration put in.
  const Calibration c = *catalogue().calibration("hopper-vllm");
  const System system = *catalogue().system("hgx-h100");
  const Efficiency& e = c.at(Kernel::gemm, Format::bf16);
  const FlopRate peak = system.chip.peak[static_cast<std::size_t>(Format::bf16)].value;
  const Seconds compute = 2.0 * 64 * 8192 * 8192 * unit::flop / (e.peak_share * peak);
  const Seconds memory = 2 * (8192.0 * 8192 + 64 * (8192 + 8192)) * unit::B / (e.bandwidth_share * system.chip.hbm_bandwidth.value);
  const double steps = e.depth_most > 0 ? std::min(8192.0, e.depth_most) : 8192;
  const Seconds expected = e.latency + steps * e.depth_time + max(compute, memory) + e.serial_share * min(compute, memory);
  const KernelValidation v = validate_kernels(catalogue(), {one_of_each().front()});
  ASSERT_EQ(v.comparisons.size(), 1u);
  EXPECT_NEAR(v.comparisons.front().predicted / expected.coherent(), 1, 1e-12);
}

TEST(KernelValidation, DoesNotLookAtTheMeasurementToPredict) {
  auto longer = one_of_each();
  for (KernelTiming& t : longer) t.measured = 3 * t.measured;
  const KernelValidation a = validate_kernels(catalogue(), one_of_each()), b = validate_kernels(catalogue(), longer);
  ASSERT_EQ(a.comparisons.size(), one_of_each().size());
  ASSERT_EQ(b.comparisons.size(), a.comparisons.size());
  for (std::size_t i = 0; i < a.comparisons.size(); ++i) {
    EXPECT_EQ(a.comparisons[i].predicted, b.comparisons[i].predicted);
    EXPECT_GE(a.comparisons[i].predicted, a.comparisons[i].bound);
  }
}

TEST(KernelValidation, LeavesOutWhatIsFasterThanPhysicsAndSaysWhy) {
  auto rows = one_of_each();
  rows[0].measured = 1 * unit::us;  // 134 MB of weights in a microsecond
  rows[1].setup.system = "abacus";
  rows[2].setup.format = Format::fp8;
  std::get<AttentionRun>(rows[3 - 1].setup.run).sequences = 0;
  const KernelValidation v = validate_kernels(catalogue(), rows);
  EXPECT_EQ(v.impossible.size(), 1u);
  EXPECT_EQ(v.refused_rows(), 2u);
  EXPECT_EQ(v.comparisons.size(), rows.size() - 3);
  const auto json = to_json(v, {"t.csv"});
  EXPECT_EQ(json["answer"]["rows"], rows.size());
  EXPECT_EQ(json["answer"]["refused"]["its chip is not in the catalogue"], 1);
  EXPECT_EQ(json["answer"]["measured_beyond_physics"], 1);
  EXPECT_EQ(json["answer"]["below_floor"], 0);
  EXPECT_NE(to_text(v).find("out of a cache"), std::string::npos);
  EXPECT_TRUE(to_csv(v).has_value());
  EXPECT_TRUE(to_svg(v).has_value());
  EXPECT_FALSE(to_svg(validate_kernels(catalogue(), {})).has_value());
}

TEST(KernelValidation, CountsWhatLiesInTheBandsOfEntriesThatStateOne) {
  // Timings 20, 10 and 0% above and 10 and 20% below the estimate, in a band of 15% about it: three of five.
  Calibration c = *catalogue().calibration("hopper-vllm");
  c.name = "banded";
  for (auto& row : c.kernels)
    for (Efficiency& e : row) e.evidence = {};
  c.kernels[static_cast<std::size_t>(Kernel::gemm)][static_cast<std::size_t>(Format::bf16)].evidence = {
      .rows = 5, .tables = "made", .median_error = 0.1, .band = {0.85, 1.15}};
  auto files = std::vector<std::pair<std::string, std::string>>{{"calibrations/banded.json", write_calibration(c)}};
  for (const EmbeddedFile& file : embedded_files())
    if (file.path == "chips/h100-sxm.json" || file.path == "systems/hgx-h100.json") files.emplace_back(file.path, file.text);
  const auto own = Catalogue::read(files);
  ASSERT_TRUE(own.has_value()) << own.error().line();
  const auto rows = one_of_each();
  const KernelValidation alone = validate_kernels(*own, rows, "banded");
  std::vector<KernelTiming> about = {rows[4]};
  for (const double factor : {1.2, 1.1, 1.0, 0.9, 0.8}) {
    about.push_back(rows[0]);
    about.back().measured = factor * alone.comparisons[0].predicted * unit::s;
  }
  const KernelValidation v = validate_kernels(*own, about, "banded");
  EXPECT_NEAR(v.all.error.coverage, 3 / 5.0, 1e-12);
  EXPECT_NEAR(v.all.band_share, 5 / 6.0, 1e-12);
  EXPECT_FALSE(to_json(validate_kernels(*own, {rows[4]}, "banded"), {})["answer"]["time"].contains("coverage"));
}

TEST(KernelTasks, OfAWholeMixerHoldItsProductsAttentionAndIndexer) {
  KernelTasks tasks(catalogue());
  const Calibration c = *catalogue().calibration("hopper-sglang");
  KernelSetup setup{.system = "hgx-h200", .stack = "sglang", .kernel = Kernel::sparse_index};
  const auto kinds = [&](bool selects, double fresh) {
    setup.run = MixerRun{.model = "deepseek-ai/DeepSeek-V3.2", .weights = Format::fp8_block, .heads = 16, .selects = selects,
                         .sequences = 4, .before = 8191, .fresh = fresh};
    std::array<int, operator_kind_count> counts{};
    const auto task = tasks.task(setup, c);
    EXPECT_TRUE(task.has_value());
    for (const KernelPart& part : task->parts) ++counts[static_cast<std::size_t>(part.kind)];
    return counts;
  };
  const auto at = [](const auto& counts, OperatorKind kind) { return counts[static_cast<std::size_t>(kind)]; };
  const auto decode = kinds(true, 0), reused = kinds(false, 0), prompt = kinds(true, 512);
  EXPECT_EQ(at(decode, OperatorKind::latent_decode), 1);
  EXPECT_EQ(at(decode, OperatorKind::index_decode), 1);
  EXPECT_EQ(at(decode, OperatorKind::all_reduce), 0);
  EXPECT_EQ(at(reused, OperatorKind::index_decode), 0);
  EXPECT_LT(at(reused, OperatorKind::matrix_product), at(decode, OperatorKind::matrix_product));
  EXPECT_EQ(at(prompt, OperatorKind::latent_prefill), 1);
  EXPECT_EQ(at(prompt, OperatorKind::latent_decode), 0);
}

TEST(DrawnRouting, DealsOutEveryChoiceAndLoadsTheSlowestRankAboveTheMean) {
  // One rank holds every expert: its pairs are all T k choices, but for rounding and the cap of T tokens an expert.
  const Routing one = drawn_routing(1000, 64, 4, 1, 1.2, 16);
  EXPECT_NEAR(one.pairs / 4000, 1, 0.1);
  EXPECT_LE(one.touched, 64);
  EXPECT_GE(one.tiled, one.pairs);
  EXPECT_GT(drawn_routing(1000, 64, 4, 8, 1.2, 16).pairs, 1000 * 4 / 8.0);
  EXPECT_EQ(drawn_routing(1000, 64, 4, 8, 1.2, 16).pairs, drawn_routing(1000, 64, 4, 8, 1.2, 16).pairs) << "a fixed seed";
}

}  // namespace
}  // namespace fareline
