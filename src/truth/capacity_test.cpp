// SPDX-License-Identifier: Apache-2.0
#include "truth/capacity.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "perf/memory.h"
#include "tests/place.h"

namespace fareline {
namespace {

constexpr std::string_view head = "model,configuration,system,tp,weights,gpu_memory_utilization,kv_cache_gib\n";

CapacityValidation validated(const std::string& rows) {
  const auto read = read_capacity_rows("t.csv", std::string(head) + rows);
  EXPECT_TRUE(read.has_value()) << read.error().line();
  return validate_capacity(Catalogue::built_in(), *read);
}

// 80 GB of which 0.9 may be taken, less 70.6e9 / 8 weights of 2 bytes, less workspace and runtime.
TEST(Capacity, IsWhatWeightsAndWorkspaceLeave) {
  const CapacityValidation v =
      validated("meta-llama/Llama-3.1-70B,,hgx-h100,8,,0.9,40\nmy-70b,meta-llama/Llama-3.1-70B,hgx-h100,8,fp8,0.9,40\n");
  ASSERT_EQ(v.comparisons.size(), 2u);
  const Catalogue& all = Catalogue::built_in();
  Plan plan{.tp = 8};
  const MemoryUse use = memory_use(*all.model("meta-llama/Llama-3.1-70B"), *all.system("hgx-h100"), plan, 1);
  EXPECT_EQ(v.comparisons[0].predicted, use.left().coherent());
  EXPECT_EQ(v.comparisons[0].measured, (40 * unit::GiB).coherent());
  // Half of the weights of every product: (70.55 - 2 * 1.05)e9 parameters outside the embedding and the head, a byte saved of each.
  EXPECT_NEAR((v.comparisons[1].predicted - v.comparisons[0].predicted) / (68.45e9 / 8 * unit::B).coherent(), 1, 0.01);
  const auto answer = to_json(v, {})["answer"];
  EXPECT_EQ(answer["kv_capacity"]["count"], 2);
  EXPECT_FALSE(answer["kv_capacity"].contains("coverage"));
  EXPECT_TRUE(to_svg(v).has_value());
  EXPECT_TRUE(to_csv(v).has_value());
}

TEST(Capacity, IsNotLookedAtToPredict) {
  const CapacityValidation a = validated("meta-llama/Llama-3.1-70B,,hgx-h100,8,,0.9,40\n"),
                           b = validated("meta-llama/Llama-3.1-70B,,hgx-h100,8,,0.9,4\n");
  EXPECT_EQ(a.comparisons[0].predicted, b.comparisons[0].predicted);
}

TEST(Capacity, SaysWhatItRefuses) {
  const CapacityValidation v = validated(
      "nobody/knows,,hgx-h100,1,,0.9,\nmeta-llama/Llama-3.1-70B,,hgx-h100,1,,0.9,5\nmeta-llama/Llama-3.1-70B,,hgx-h100,8,,0.9,\n"
      "meta-llama/Llama-3.1-70B,,nowhere,8,,0.9,5\n");
  EXPECT_TRUE(v.comparisons.empty());
  ASSERT_EQ(v.refused.size(), 4u);
  EXPECT_FALSE(to_svg(v).has_value());
  EXPECT_FALSE(read_capacity_rows("t.csv", std::string(head) + "m,,hgx-h100,0,,0.9,5\n").has_value());
  EXPECT_FALSE(read_capacity_rows("t.csv", std::string(head) + "m,,hgx-h100,1,fp3,0.9,5\n").has_value());
  EXPECT_FALSE(read_capacity_rows("t.csv", "model,tp\nm,1\n").has_value());
}

// Source: llm-d-incubation/llm-d-planner@875a4fd:accuracy/accuracy_report.md, vLLM 0.19 on H100; its own error is 6.6%.
TEST(Capacity, OfMeasuredStartsOfVllmIsWithinTwoPerCent) {
  const auto rows =
      read_capacity_rows("vllm_kv_capacity.csv", test::file_text(test::source_folder() / "tests/literature/vllm_kv_capacity.csv"));
  ASSERT_TRUE(rows.has_value()) << rows.error().line();
  const CapacityValidation v = validate_capacity(Catalogue::built_in(), *rows);
  EXPECT_EQ(v.rows.size(), 58u);
  EXPECT_GE(v.comparisons.size(), 42u);
  EXPECT_LE(v.error.mean_abs_error, 0.02);
}

}  // namespace
}  // namespace fareline
