// SPDX-License-Identifier: Apache-2.0
// The question "context": the lecture's figures, and what holds of any model and system.
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;

// The lecture's rack (72 Blackwells) and DeepSeek-V3 as it rounds it.
const Json board{{"total_parameters", "700G"}, {"active_parameters", "37G"}, {"bytes_per_parameter", "0.5 B"},
                 {"kv_per_token", "2048 B/tok"}, {"chips", 72}, {"peak", "10 PFLOP/s"}, {"hbm_bandwidth", "8 TB/s"},
                 {"hbm_capacity", "192 GB"}, {"rental", "2 USD/h"}};

double number(const Json& quantity) { return quantity["value"].get<double>(); }

std::string any_model() { return *rc::gen::elementOf(Catalogue::built_in().model_names()); }
std::string any_system() { return *rc::gen::elementOf(Catalogue::built_in().system_names()); }

TEST(Context, OfAMonthOfWorkNeedsNoSystem) {
  const Json a = asked("context", {{"kv_per_token", "2048 B/tok"}, {"context", 100000000}})["answer"];
  EXPECT_EQ(number(a["kv"]["kept"]), 204.8e9);
  EXPECT_FALSE(a.contains("here"));
  EXPECT_NEAR(number(a["passes"]["participation"]), 0.4995, 1e-12);
}

TEST(Context, CountsKvFromHeads) {
  EXPECT_EQ(number(asked("context", {{"layers", 1}, {"kv_heads", 8}, {"head_dim", 128}})["answer"]["kv"]["per_token"]), 2048);
}

// Twenty milliseconds of 72 chips at 2 USD an hour over the sequences that fit into them: 0.6076 ms of weights, 0.35556 us a sequence.
TEST(Context, OfTheBlackboardCostsWhatItsStepDoes) {
  const Json a = asked("context", with(board, {{"context", 100000}}))["answer"];
  const double batch = (20e-3 - 350e9 / 576e12) / (204.8e6 / 576e12);
  EXPECT_NEAR(number(a["here"]["batch"]) / batch, 1, 1e-9);
  EXPECT_NEAR(number(a["here"]["pace"]), 20e-3, 1e-12);
  EXPECT_NEAR(number(a["here"]["output"]) / (72 * 2 / 3600.0 * 20e-3 / batch * 1e6), 1, 1e-9);
  EXPECT_NEAR(number(a["here"]["prompt"]) / (2 * 37e9 * 100000 / 720e15), 1, 1e-12);
  EXPECT_NEAR(number(a["lengths"]["balanced"]) / (2 * 37e9 / 720e15 * 576e12 / 2048), 1, 1e-9);
  EXPECT_NEAR(number(a["lengths"]["fills_system"]) / ((13824e9 - 350e9) / 2048), 1, 1e-9);
}

TEST(Context, StepsAtAThresholdGiven) {
  const Json a = asked("context", with(board, {{"threshold", 200000}}))["answer"];
  ASSERT_EQ(a["steps"].size(), 2u);
  EXPECT_EQ(number(a["steps"][1]["above"]), 200000);
  EXPECT_NEAR(number(a["steps"][0]["output"]) /
                  number(asked("context", with(board, {{"context", 200000}}))["answer"]["here"]["output"]), 1, 1e-12);
}

TEST(Context, SaysWhatIsMissingOrDoesNotFit) {
  EXPECT_EQ(refused("context", Json::object()), "kv_per_token: is missing; give --kv_per_token \"2 kB/tok\", or a model that has it");
  EXPECT_EQ(refused("context", {{"kv_per_token", "2 kB/tok"}, {"system", "hgx-h100"}}),
            "total_parameters: is missing; give --total_parameters 671G, or a model that has it");
  EXPECT_EQ(refused("context", with(board, {{"threshold", 200000}, {"longest", 200000}})),
            "threshold: is not below the longest context; write less than 200,000");
  EXPECT_EQ(refused("context", with(board, {{"threshold", 200000}, {"steps", 3}})),
            "threshold: divides two prices, and 3 are asked; leave out one of both");
  EXPECT_FALSE(asked("context", {{"model", "moonshotai/Kimi-K2-Instruct"}, {"system", "hgx-h100"}})["answer"]["feasible"].get<bool>());
}

RC_GTEST_PROP(Context, of_any_model_and_system_is_answered_and_costs_more_the_longer_it_is, ()) {
  const int context = *rc::gen::inRange(1, 1000000);
  const Json here{{"model", any_model()}, {"system", any_system()}, {"context", context},
                  {"attention", *rc::gen::element("own", "dense", "sliding", "square_root", "selected")}};
  const Json a = asked("context", here);
  Json numbers = a;
  if (a.contains("error")) RC_FAIL(a.dump());
  numbers["answer"].erase("figures");
  RC_ASSERT(test::first_null(numbers) == "");
  if (!a["answer"]["feasible"].get<bool>()) return;
  const Json b = asked("context", with(here, {{"context", 2 * context}}));
  for (const char* member : {"output", "whole_prompt"})
    RC_ASSERT(number(b["answer"]["here"][member]) >= number(a["answer"]["here"][member]) * (1 - 1e-9));
}

}  // namespace
}  // namespace fareline

