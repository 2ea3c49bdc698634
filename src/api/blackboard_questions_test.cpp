// SPDX-License-Identifier: Apache-2.0
// The questions "balance", "departures", "racks" and "speed": what holds of their answers over the whole catalogue.
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

double value(const Json& answered, const std::string& path) {
  const Json* at = &answered["answer"];
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto dot = rest.find('.');
    at = &(*at)[std::string(rest.substr(0, dot))];
    rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  }
  return at->is_object() ? (*at)["value"].get<double>() : std::nan("");
}

const Json board{{"total_parameters", "700G"},
                 {"active_parameters", "37G"},
                 {"bytes_per_parameter", "0.5 B"},
                 {"kv_per_token", "2048 B/tok"},
                 {"chips", 72},
                 {"peak", "10 PFLOP/s"},
                 {"hbm_bandwidth", "8 TB/s"},
                 {"rental", "2 USD/h"}};

std::string any_model() { return *rc::gen::elementOf(Catalogue::built_in().model_names()); }
std::string any_system() { return *rc::gen::elementOf(Catalogue::built_in().system_names()); }

void check(const Json& answered) {
  if (answered.contains("error")) {
    RC_ASSERT(!answered["error"]["remedy"].get<std::string>().empty());
    return;
  }
  Json numbers = answered;
  numbers["answer"].erase("figures");  // a gap in a curve is null
  RC_ASSERT(test::first_null(numbers) == "");
}

// Bare numbers: 2 x 2000 x 37e9 / 720e15, 350e9 / 576e12, 2000 x 100000 x 2048 / 576e12.
TEST(Balance, OfTheBlackboardIsTheLectures) {
  const Json a = asked("balance", with(board, {{"batch", 2000}, {"context", 100000}}));
  EXPECT_NEAR(value(a, "time.compute"), 2.05556e-4, 1e-8);
  EXPECT_NEAR(value(a, "time.weights"), 6.07639e-4, 1e-8);
  EXPECT_NEAR(value(a, "time.kv"), 7.11111e-4, 1e-8);
  EXPECT_NEAR(value(a, "time.step"), 6.07639e-4 + 7.11111e-4, 1e-8);
  EXPECT_NEAR(value(a, "context.balanced"), 2 * 37e9 / 720e15 * 576e12 / 2048, 1);
  EXPECT_NEAR(value(a, "beyond.mfu_at_twice"), 0.5, 1e-9);
  EXPECT_NEAR(value(a, "batch.weights"), 312.5 * 700 / 37, 1e-6);
  // 72 chips at 2 USD an hour for a step of 1.31875 ms, over 2000 tokens.
  EXPECT_NEAR(value(a, "cost.token"), 72 * 2 / 3600.0 * 1.31875e-3 / 2000 * 1e6, 1e-7);
}

TEST(Balance, TakesExpertsInPlaceOfParameters) {
  EXPECT_EQ(value(asked("balance", {{"hardware_ratio", 300}, {"routed_experts", 256}, {"activated_experts", 32}}), "batch.weights"), 2400);
  EXPECT_EQ(value(asked("balance", {{"hardware_ratio", 300}, {"routed_experts", 256}, {"activated_experts", 8}}), "batch.weights"), 9600);
}

TEST(Balance, SaysWhatIsMissing) {
  EXPECT_EQ(refused("balance", {{"hardware_ratio", 300}}),
            "total_parameters: are missing, or active ones; give --total_parameters 671G --active_parameters 37G, or --routed_experts and "
            "--activated_experts, or a model");
  EXPECT_EQ(refused("balance", {{"total_parameters", "1G"}, {"active_parameters", "1G"}}),
            "hardware_ratio: is missing; give --hardware_ratio 300, or a system and a model that has it");
}

RC_GTEST_PROP(Balance, of_any_model_and_system_is_answered, ()) {
  const Json a = asked("balance", {{"model", any_model()}, {"system", any_system()}, {"context", *rc::gen::inRange(1, 1000000)}});
  check(a);
  RC_ASSERT(a.contains("answer"));
  const double mfu = value(a, "utilisation.mfu");
  RC_ASSERT(mfu > 0 && mfu <= 1);
  RC_ASSERT(std::abs(value(a, "batch.weights") / (value(a, "ridge.hardware_ratio") * value(a, "ridge.sparsity")) - 1) < 1e-12);
}

RC_GTEST_PROP(Balance, of_a_longer_context_has_lower_utilisation, ()) {
  const int context = *rc::gen::inRange(1, 500000), batch = *rc::gen::inRange(1, 10000);
  const Json here{{"model", any_model()}, {"system", "hgx-h100"}, {"context", context}, {"batch", batch}};
  RC_ASSERT(value(asked("balance", with(here, {{"context", 2 * context}})), "utilisation.mfu") <=
            value(asked("balance", here), "utilisation.mfu") * (1 + 1e-12));
}

TEST(Departures, AreThoseOfTheLecture) {
  const Json a =
      asked("departures", {{"interval", "15.625 ms"}, {"batch", 2000}, {"hbm_capacity", "288 GB"}, {"hbm_bandwidth", "20 TB/s"}});
  EXPECT_NEAR(value(a, "throughput.tokens"), 128000, 1e-6);
  EXPECT_NEAR(value(a, "throughput.share_of_provider"), 6.4e-4, 1e-12);
  EXPECT_NEAR(value(a, "interval.natural"), 0.0144, 1e-12);
  EXPECT_NEAR(value(a, "interval.used"), 0.015625, 1e-12);
  EXPECT_NEAR(value(a, "latency.worst"), 0.03125, 1e-12);
  EXPECT_GE(value(a, "wait.mean"), 0.015625 / 2);
}

TEST(Departures, OfMoreThanThereIsRoomForGrowWithoutEnd) {
  const Json a = asked("departures", {{"interval", "10 ms"}, {"batch", 10}, {"rate", "1000/s"}});
  EXPECT_EQ(value(a, "wait.load"), 1);
  EXPECT_FALSE(a["answer"]["wait"].contains("mean"));
  EXPECT_EQ(a["warnings"].size(), 1u);
}

TEST(Departures, SayWhatIsMissing) {
  EXPECT_EQ(refused("departures", Json::object()), "interval: is missing; give --interval \"20 ms\", or a system that has it");
  EXPECT_EQ(refused("departures", {{"interval", "20 ms"}, {"batch", 10}, {"ride", 11}}),
            "ride: is longer than the batch: not one seat comes free a pass; write at most the batch");
}

RC_GTEST_PROP(Departures, wait_longer_the_fuller_the_trains_are, ()) {
  const int batch = *rc::gen::inRange(1, 500), load = *rc::gen::inRange(1, 90);
  const Json here{{"system", any_system()}, {"batch", batch}, {"load", load / 100.0}};
  const Json a = asked("departures", here), fuller = asked("departures", with(here, {{"load", load / 100.0 + 0.05}}));
  check(a);
  RC_ASSERT(value(a, "wait.p50") <= value(a, "wait.p90") && value(a, "wait.p90") <= value(a, "wait.p99"));
  RC_ASSERT(value(a, "wait.mean") <= value(fuller, "wait.mean") * (1 + 1e-9));
  RC_ASSERT(value(a, "wait.missed_share") <= value(fuller, "wait.missed_share") + 1e-9);
}

TEST(Racks, OfTheLectureAreItsFigures) {
  const Json a = asked("racks", {{"domain", 72}, {"routed_experts", 256}, {"activated_experts", 8}, {"hidden", 7168}, {"racks", 2},
                                 {"scale_up_bandwidth", "800 GB/s"}, {"scale_out_bandwidth", "100 GB/s"}, {"layers_per_stage", 2},
                                 {"hop_latency", "2.5 ms"}, {"hbm_capacity", "192 GB"}});
  EXPECT_EQ(value(a, "experts.per_chip"), 4);
  EXPECT_EQ(value(a, "experts.idle"), 8);
  EXPECT_EQ(value(a, "exchange.share_leaving"), 0.5);
  EXPECT_EQ(value(a, "exchange.outside_over_inside"), 8);
  EXPECT_EQ(value(a, "exchange.slowdown"), 4);  // half of it at an eighth of the speed
  EXPECT_EQ(value(a, "stage.scale_up_over_scale_out"), 4);
  EXPECT_EQ(value(a, "stage.least_layers"), 1);
  EXPECT_NEAR(value(a, "hops.time"), 0.01, 1e-15);
  EXPECT_NEAR(value(a, "memory.domain"), 13.824e12, 1);
}

TEST(Racks, NeedADomain) {
  EXPECT_EQ(refused("racks", {{"routed_experts", 256}}), "domain: is missing; give --domain 72, or a system that has it");
}

RC_GTEST_PROP(Racks, of_any_model_and_system_are_answered, ()) {
  const int racks = *rc::gen::inRange(1, 64);
  const Json here{{"model", any_model()}, {"system", any_system()}, {"racks", racks}};
  const Json a = asked("racks", here);
  check(a);
  RC_ASSERT(a.contains("answer"));
  if (!a["answer"]["exchange"].contains("slowdown")) return;
  const Json more = asked("racks", with(here, {{"racks", racks + 1}}));
  if (racks > 1) RC_ASSERT(value(more, "exchange.time") >= value(a, "exchange.time") * (1 - 1e-12));
}

class SpeedOf : public testing::TestWithParam<const char*> {};

// The curve: no slower mode is dearer, the fastest is the fastest, drafting free tokens never makes the best mode slower.
TEST_P(SpeedOf, AModelIsACurve) {
  const Json a = asked("speed", {{"model", GetParam()}, {"system", "hgx-h200"}, {"prompt", 2048}, {"output", 512}});
  ASSERT_TRUE(a.contains("answer")) << a;
  ASSERT_TRUE(a["answer"]["feasible"].get<bool>());
  check(a);
  EXPECT_GE(value(a, "slow.saving"), 0);
  EXPECT_GE(value(a, "fastest.speed_over_normal"), 1 - 1e-12);
  EXPECT_GE(value(a, "fastest.price_over_normal"), 1 - 1e-12);
  for (const Json& figure : a["answer"]["figures"])
    for (const Json& series : figure["series"])
      for (std::size_t i = 1; i < series["x"].size(); ++i) {
        EXPECT_GT(series["x"][i].get<double>(), series["x"][i - 1].get<double>());
        EXPECT_GT(series["y"][i].get<double>(), series["y"][i - 1].get<double>());
      }
}
INSTANTIATE_TEST_SUITE_P(Models, SpeedOf, testing::Values("meta-llama/Llama-3.1-70B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V3"));

// Of one layout "cost" chooses nothing by pace, and leaves it out.
TEST(Speed, KeepsThePaceOfANamedLayout) {
  const Json a = asked("speed", {{"model", "Qwen/Qwen3-32B-FP8"}, {"system", "gaudi3-8"}, {"hbm_bandwidth", "142.6 GB/s"}, {"prompt", 26},
                                 {"output", 66}, {"tp", 2}, {"pace", "400 ms"}});
  EXPECT_EQ(a["inputs"]["pace"]["value"], 0.4);
  EXPECT_GE(a["answer"]["modes"][1]["speed"]["value"].get<double>(), 1 / 0.4);
  EXPECT_LT(a["answer"]["modes"][1]["speed"]["value"].get<double>(), a["answer"]["modes"].back()["speed"]["value"].get<double>());
}

TEST(Speed, AsksMoreForMore) {
  const Json base{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"prompt", 2048}, {"output", 512}};
  double last = 0;
  for (const double factor : {1.0, 1.5, 2.0, 2.5}) {
    const Json a = asked("speed", with(base, {{"speed_factor", factor}}));
    if (!a["answer"].contains("fast")) break;
    EXPECT_GE(value(a, "fast.price_over_normal"), last);
    last = value(a, "fast.price_over_normal");
  }
  EXPECT_GE(last, 1);
  double speed = 0;
  for (const double factor : {1.0, 2.0, 6.0, 100.0}) {
    const double here = value(asked("speed", with(base, {{"price_factor", factor}})), "at_price.speed_over_normal");
    EXPECT_GE(here, speed);
    speed = here;
  }
  EXPECT_NEAR(value(asked("speed", base), "sold.price_over_speed"), 2.4, 1e-12);
}

TEST(Speed, IsOverEveryLoad) {
  EXPECT_EQ(refused("speed", {{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"prompt", 9}, {"output", 9}, {"batch", 3}}),
            "batch: is given, but the curve is over every load; leave it out, or ask cost");
}

}  // namespace
}  // namespace fareline
