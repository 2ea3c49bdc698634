// SPDX-License-Identifier: Apache-2.0
#include "truth/validate_training.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/place.h"

namespace fareline {
namespace {

TrainingValidation validation_of(const char* name) {
  const auto rows = read_training_rows(name, test::file_text(*test::shared_folder() / "data/dev" / name));
  if (!rows) {
    ADD_FAILURE() << rows.error().line();
    return {};
  }
  return validate_training(Catalogue::built_in(), *rows);
}

TEST(ValidateTraining, IsWithinSixPerCentOfMegatronsWeakScaling) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const TrainingValidation v = validation_of("paper_megatron2021_table1.csv.gz");
  ASSERT_EQ(v.comparisons.size(), 10u);
  EXPECT_LE(v.all.error.mean_abs_error, 0.06);
}

TEST(ValidateTraining, IsWithinTenPerCentOfLlmFoundryOnA100) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const TrainingValidation v = validation_of("mosaic_llmfoundry_training.csv.gz");
  ASSERT_EQ(v.comparisons.size(), 139u);
  EXPECT_LE(v.all.error.median_abs_error, 0.10);
  for (const Comparison& c : v.comparisons) EXPECT_LT(c.bound, c.measured) << v.rows[c.row].id;
}

TEST(ValidateTraining, PredictsMlperfsStatedLayoutsAndRefusesTheRest) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const TrainingValidation v = validation_of("mlperf_training_llm.csv.gz");
  EXPECT_EQ(v.comparisons.size() + v.impossible.size() + v.refused_rows(), v.rows.size());
  EXPECT_LE(v.all.error.median_abs_error, 0.10);
  for (const Comparison& c : v.comparisons) EXPECT_LT(c.bound, c.measured) << v.rows[c.row].id;
}

constexpr const char* table =
    "params_billion,num_heads,hidden,num_layers,tp,pp,num_gpus,batch_sequences,achieved_tflops_per_gpu,seq_len_tokens,vocab\n"
    "1.7,24,2304,24,1,1,32,512,137,2048,51200\n"
    "0,0,0,24,1,1,32,512,137,2048,51200\n"
    "1.7,24,2304,24,1,1,32,512,1370,2048,51200\n";  // more than an A100 has

TEST(TrainingRows, TurnTeraflopsIntoTheTimeOfAStep) {
  const auto rows = read_training_rows("t.csv", table);
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 3u);
  // 96 B s l h^2 (1 + s/6h + V/16lh) = 1.5466e16 FLOP over 32 x 137 TFLOP/s.
  const double flop = 96.0 * 512 * 2048 * 24 * 2304 * 2304 * (1 + 2048 / (6 * 2304.0) + 51200 / (16.0 * 24 * 2304));
  EXPECT_NEAR((*rows)[0].measured.in(unit::s), flop / (32 * 137e12), 1e-9);
  EXPECT_EQ((*rows)[1].refusal, "its shape or its result is not stated");
}

TEST(TrainingRows, RefuseAnUnknownTable) {
  const auto rows = read_training_rows("t.csv", "a,b\n1,2\n");
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().line(),
            "t.csv: is no table of training measurements that is known; give one with the columns of: megatron, mosaic, mlperf_training");
  EXPECT_FALSE(*holds_training("t.csv", "a,b\n1,2\n"));
  EXPECT_TRUE(*holds_training("t.csv", table));
}

TEST(ValidateTraining, IsToldAsTextJsonCsvAndPicture) {
  const TrainingValidation v = validate_training(Catalogue::built_in(), *read_training_rows("t.csv", table));
  ASSERT_EQ(v.comparisons.size(), 1u);
  EXPECT_EQ(v.refused_rows(), 1u);
  EXPECT_EQ(v.impossible.size(), 1u);
  EXPECT_NE(to_text(v).find("GPT 1.7B"), std::string::npos);
  EXPECT_EQ(to_json(v, {"t.csv"})["answer"]["predicted"], 1);
  EXPECT_TRUE(to_csv(v).has_value());
  EXPECT_TRUE(to_svg(v).has_value());
}

}  // namespace
}  // namespace fareline
