// SPDX-License-Identifier: Apache-2.0
#include "api/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;
using ::testing::HasSubstr;

const Json gpt_oss{{"model", "openai/gpt-oss-20b"}, {"systems", "hgx-h100"}, {"prompt", 2048}, {"output", 256},
                   {"rate", "20/s"}, {"chips", "8"}};
const Json deepseek{{"model", "deepseek-ai/DeepSeek-V3"}, {"systems", "hgx-h200,gb200-nvl72,mi355x-8"}, {"prompt", 4096}, {"output", 512},
                    {"cached", 0.5}, {"ttft", "2s"}, {"tpot", "30ms"}, {"rate", "50/s"}};

TEST(PlanQuestion, FindsWhatCostFindsWhenAskedForEveryPlan) {
  double best = 1e300;
  for (const int tp : {1, 2, 4, 8})
    for (int replicas = 1; replicas * tp <= 8; ++replicas)
      for (const int chunk : {2048, 8192}) {
        const Json cost = asked("cost", {{"model", "openai/gpt-oss-20b"}, {"system", "hgx-h100"}, {"prompt", 2048}, {"output", 256},
                                         {"rate", "20/s"}, {"tp", tp}, {"ep", 1}, {"pp", 1}, {"dp", 1}, {"cp", 1},
                                         {"replicas", replicas}, {"token_budget", chunk}});
        const Json& answer = cost["answer"];
        if (!answer["feasible"].get<bool>() || answer["latency"]["tpot"]["value"] > 0.005 || answer["latency"]["ttft"]["value"] > 0.2)
          continue;
        best = std::min(best, answer["price"]["blended"]["value"].get<double>());
      }
  const Json plan = asked("plan", with(gpt_oss, {{"ep", "1"}, {"pp", "1"}, {"dp", "1"}, {"cp", "1"}, {"token_budget", "2048,8192"},
                                                 {"tpot", "5 ms"}, {"ttft", "200 ms"}}));
  ASSERT_TRUE(plan["answer"]["feasible"]);
  EXPECT_NEAR(plan["answer"]["plans"][0]["price"]["blended"]["value"].get<double>() / best, 1, 1e-12);
}

TEST(PlanQuestion, GivesPlansThatCostTakesAsTheyAreBestFirstAndWithinTheLimits) {
  const Json plan = asked("plan", deepseek)["answer"];
  ASSERT_TRUE(plan["feasible"]);
  EXPECT_EQ(plan["considered"]["value"].get<double>(), plan["estimated"]["value"].get<double>() + plan["bounded"]["value"].get<double>() +
                                                           plan["impossible"]["value"].get<double>());
  const double rank = plan["preferred"]["value"];
  EXPECT_LE(rank, static_cast<double>(plan["plans"].size()));
  EXPECT_TRUE(plan["plans"][static_cast<std::size_t>(rank) - 1]["equal"]);
  double before = 0;
  for (const Json& p : plan["plans"]) {
    const Json cost = asked("cost", p["inputs"])["answer"];
    for (const char* member : {"price", "latency", "throughput"}) EXPECT_EQ(cost[member], p[member]) << p["command"];
    const double price = p["price"]["blended"]["value"];
    EXPECT_GE(price, before * (1 - 1e-9));
    before = price;
    EXPECT_LE(p["latency"]["ttft"]["value"], 2.0);
    EXPECT_LE(p["latency"]["tpot"]["value"], 0.03);
    EXPECT_LE(p["chips"], 512);
    EXPECT_GE(p["throughput"]["requests"]["value"].get<double>(), 50 * (1 - 1e-12));
  }
}

TEST(PlanQuestion, NeverGetsDearerWithMoreToChooseFrom) {
  const auto price = [](const Json& inputs) {
    const Json answer = asked("plan", inputs)["answer"];
    return answer["feasible"].get<bool>() ? answer["plans"][0]["price"]["blended"]["value"].get<double>() : 1e300;
  };
  const double least = price(deepseek);
  for (const Json& narrower : {Json{{"systems", "hgx-h200"}}, Json{{"tpot", "20ms"}}, Json{{"chips", "96"}}, Json{{"tp", "8"}}})
    EXPECT_GE(price(with(deepseek, narrower)), least * (1 - 1e-12)) << narrower.dump();
  EXPECT_LE(price(with(deepseek, {{"precision", "published,nvfp4"}})), least * (1 + 1e-12));
}

TEST(PlanQuestion, SaysWhatWouldDoWhereNothingDoes) {
  for (const Json& too_much : {Json{{"tpot", "1 ms"}}, Json{{"ttft", "5 ms"}}, Json{{"rate", "2000/s"}}, Json{{"budget", "1 USD/h"}},
                               Json{{"most_power", "600 W"}}}) {
    const Json inputs = with(gpt_oss, too_much);
    const Json answer = asked("plan", inputs)["answer"];
    ASSERT_FALSE(answer["feasible"]) << too_much.dump();
    ASSERT_FALSE(answer["nearest"].empty());
    EXPECT_EQ(answer["remedy"], answer["nearest"][0]["remedy"]);
    // Each remedy that is one limit, written as it says, gives a plan.
    for (const Json& miss : answer["nearest"]) {
      const std::string limit = miss["limit"], remedy = miss["remedy"];
      std::string value = remedy.substr(("write --" + limit + " ").size());
      value = value.substr(0, value.find(','));
      std::erase(value, '"');
      EXPECT_TRUE(asked("plan", with(inputs, {{limit, value}}))["answer"]["feasible"]) << remedy;
      EXPECT_GT(miss["ratio"]["value"], 1.0);
    }
  }
}

TEST(PlanQuestion, SaysThatNoOneLimitIsEnough) {
  const Json answer = asked("plan", with(gpt_oss, {{"most_power", "600 W"}, {"rate", "200/s"}}))["answer"];
  ASSERT_FALSE(answer["feasible"]);
  EXPECT_FALSE(answer.contains("nearest"));
  EXPECT_THAT(answer["reason"].get<std::string>(), HasSubstr("no one limit given up alone is enough"));
}

TEST(PlanQuestion, RefusesWhatItCannotRead) {
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"systems", ""}})), HasSubstr("systems"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"systems", "hgx-h1000"}})), HasSubstr("hgx-h100"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"systems", "hgx-h100,hgx-h100"}})), HasSubstr("named twice"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"chips", "64..8"}})), HasSubstr("backwards"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"chips", "many"}})), HasSubstr("chips"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"precision", "fp7"}})), HasSubstr("not a choice"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"tp", "0"}})), HasSubstr("out of range"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"concurrency", 8}})), HasSubstr("beside a rate"));
  EXPECT_THAT(refused("plan", with(gpt_oss, {{"rental", "2 USD/h,3 USD/h"}})), HasSubstr("2 prices for 1 systems"));
}

}  // namespace
}  // namespace fareline
