// SPDX-License-Identifier: Apache-2.0
// The question "tiers".
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;

const Json lecture{{"active_parameters", 100e9},   {"kv_per_token", "2048 B/tok"}, {"peak", "989.4 TFLOP/s"}, {"hbm_capacity", "80 GB"},
                   {"hbm_bandwidth", "3.35 TB/s"}, {"rental", "2 USD/h"},          {"context", 1000000},      {"mfu", 1}};

double cost_of(const Json& answer, std::string_view tier, std::string_view member) {
  for (const Json& row : answer["answer"]["rows"])
    if (row["tier"] == tier) return row[std::string(member)]["value"];
  return -1;
}

// The lecture at 1:51, 1:55 and 1:56.
TEST(Tiers, AnswerTheLecturesBareNumbers) {
  const Json answer = asked("tiers", lecture);
  EXPECT_NEAR(cost_of(answer, "recompute", "retrieve"), 0.112302, 5e-7);
  EXPECT_NEAR(cost_of(answer, "hbm", "hold") * 1e6, 14.2222, 5e-5);
  EXPECT_EQ(cost_of(answer, "recompute", "hold"), 0);
  EXPECT_NEAR(cost_of(answer, "hbm", "drain") * 1e3, 80 / 3.35, 1e-9);
}

TEST(Tiers, TakeMeasuredGapsAndSayWhatIsWrongWithThem) {
  const Json given = test::with(lecture, {{"gaps", {{"gaps", {1, 2, 3}}, {"never", 3}}}});
  EXPECT_EQ(asked("tiers", given)["answer"]["again"]["value"], 0.5);
  EXPECT_EQ(refused("tiers", test::with(lecture, {{"gaps", Json::array({-1})}})),
            "gaps[0]: is not a number of seconds; write seconds as numbers, none negative");
  EXPECT_EQ(refused("tiers", test::with(lecture, {{"gaps", Json::array()}})),
            "gaps: holds no gap; write a list of seconds, e.g. [12.5, 300]");
  EXPECT_EQ(refused("tiers", {{"context", 5}}), "active_parameters: is missing; give --active_parameters 37e9, or a model that has it");
}

TEST(Tiers, OwnedMemoryOfTheServerIsFarBelowItsListPrice) {
  const Json given{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}};
  const double owned = cost_of(asked("tiers", given), "dram", "hold");
  EXPECT_GT(cost_of(asked("tiers", test::with(given, {{"prices", "list"}})), "dram", "hold"), 20 * owned);
}

// Longer gaps never choose a nearer tier, and what is cheapest costs no more than computing again.
RC_GTEST_PROP(Tiers, MoveAwayAsUsesGrowRare, ()) {
  const auto models = Catalogue::built_in().model_names(), systems = Catalogue::built_in().system_names();
  const Json answer = asked("tiers", {{"model", models[*rc::gen::inRange<std::size_t>(0, models.size())]},
                                      {"system", systems[*rc::gen::inRange<std::size_t>(0, systems.size())]},
                                      {"context", *rc::gen::inRange(1, 1'000'000)},
                                      {"again", *rc::gen::inRange(0, 101) / 100.0},
                                      {"reuse", std::to_string(*rc::gen::inRange(1, 1'000'000)) + " s"}});
  if (answer.contains("error")) return;  // a chip without a price, a model without KV
  const Json& a = answer["answer"];
  double hold = 1e300, from = -1;
  for (const Json& part : a["by_gap"]) {
    RC_ASSERT(part["from"]["value"].get<double>() > from);
    from = part["from"]["value"];
    const double here = cost_of(answer, part["tier"].get<std::string>(), "hold");
    RC_ASSERT(here < hold);
    hold = here;
  }
  RC_ASSERT(a["best"]["cost"]["value"].get<double>() <=
            a["again"]["value"].get<double>() * cost_of(answer, "recompute", "retrieve") + 1e-15);
}

}  // namespace
}  // namespace fareline
