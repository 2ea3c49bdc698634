// SPDX-License-Identifier: Apache-2.0
// The question "bill", and the tables of prices it reads.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"
#include "api/price_list.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;

const Json sonnet{{"input_price", "3 USD/Mtok"}, {"output_price", "15 USD/Mtok"}, {"cached_price", "0.3 USD/Mtok"}};
double total(const Json& answer) { return answer["answer"]["total"]["value"]; }

TEST(WordsOfModel, AreTheSameHoweverAProviderWritesTheName) {
  const std::vector<std::string> expected{"4", "5", "claude", "sonnet"};
  for (const char* name : {"claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929",
                           "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"})
    EXPECT_EQ(words_of_model(name), expected) << name;
  EXPECT_EQ(words_of_model("gpt-4o-2024-08-06"), (std::vector<std::string>{"4o", "gpt"}));
  EXPECT_EQ(words_of_model("claude-opus-4-0"), words_of_model("claude-opus-4"));
  EXPECT_NE(words_of_model("gpt-4o"), words_of_model("gpt-4o-mini"));
  EXPECT_TRUE(words_of_model("").empty());
}

TEST(PriceBook, TakesTheNewestForLatestAndTheMakersWhereTheProviderHasNone) {
  const auto row = [](const char* provider, const char* id, const char* input) {
    return Json{{"provider", provider}, {"model_id", id}, {"input_usd_per_mtok", input}, {"output_usd_per_mtok", "2"}};
  };
  const PriceBook book(Json{{"rows", {row("mistral", "mistral-medium-2", "1"), row("mistral", "mistral-medium-2505", "0.4"),
                                  row("openai", "gpt-9", "7"), row("azure", "gpt-8", "6"), {{"provider", "x"}, {"model_id", "free"}}}}});
  const auto input_of = [](const PriceBook::Found& found) { return found.offers.front()->steps.front().input.in(unit::usd / unit::Mtok); };
  EXPECT_NEAR(input_of(book.find("mistral", "mistral-medium-latest")), 0.4, 1e-12);
  EXPECT_TRUE(book.find("mistral", "mistral-medium").offers.empty());
  EXPECT_FALSE(book.find("openai", "gpt-9-2026-01-01").by_maker);
  EXPECT_TRUE(book.find("azure", "gpt-9").by_maker);
  EXPECT_NEAR(input_of(book.find("azure", "gpt-9")), 7, 1e-12);
  EXPECT_TRUE(book.find("x", "free").offers.empty());
}

TEST(PriceBook, ReadsLiteLLMsColumnsWithTheirStepsByLength) {
  const PriceBook book(Json{{"rows", {{{"litellm_provider", "vertex"}, {"model", "gemini"}, {"input_cost_per_token_usd", "1.25e-06"},
                                   {"output_cost_per_token_usd", "1e-05"}, {"input_cost_per_token_above_200k_tokens_usd", "2.5e-06"},
                                   {"output_cost_per_token_above_200k_tokens_usd", "1.5e-05"}}}}});
  const auto& steps = book.find("vertex", "gemini").offers.front()->steps;
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[1].above, 200e3);
  EXPECT_NEAR(steps[1].output.in(unit::usd / unit::Mtok), 15, 1e-12);
}

// 40,000 at 3, 60,000 at 0.3 and 1,000 at 15 USD a million.
TEST(Bill, AddsUpTheKindsOfTokens) {
  EXPECT_NEAR(total(asked("bill", with(sonnet, {{"input", 100000}, {"cached", 60000}, {"output", 1000}}))), 0.12 + 0.018 + 0.015, 1e-12);
}

TEST(Bill, ReadsAUsageRecordAndAPriceListWithSteps) {
  const Json list{{"input", "1.25 USD/Mtok"}, {"output", "10 USD/Mtok"},
                  {"steps", Json::array({{{"above", 200000}, {"input", "2.5 USD/Mtok"}, {"output", "15 USD/Mtok"}}})}};
  const Json answer = asked("bill", {{"prices", list}, {"usage", {{"input_tokens", 300000}, {"output_tokens", 1000}}}});
  EXPECT_NEAR(total(answer), 0.75 + 0.015, 1e-12);
  EXPECT_EQ(answer["answer"]["step_above"]["value"], 200000);
}

TEST(Bill, SetsWhatTheRequestCostsItsProviderBesideTheCharge) {
  const Json answer = asked(
      "bill",
      with(sonnet, {{"input", 8000}, {"cached", 4000}, {"output", 1000}, {"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}}));
  const Json cost = asked("cost", {{"prompt", 8000}, {"cached", 0.5}, {"output", 1000}, {"model", "meta-llama/Llama-3.1-70B"},
                                   {"system", "hgx-h100"}});
  EXPECT_EQ(answer["answer"]["provider"]["cost"]["value"], cost["answer"]["bill"]["request"]["value"]);
}

Json table_of_cases(const char* expected) {
  return {{"rows", {{{"provider", "p"}, {"model", "m"}, {"normalised_usage_json", R"({"input_tokens": 1000, "output_tokens": 10})"},
                     {"expected_input_usd", expected}, {"expected_output_usd", "0.00002"}}}}};
}
const Json table_of_prices{{"rows", {{{"provider", "p"}, {"model_id", "m"}, {"input_usd_per_mtok", "1"}, {"output_usd_per_mtok", "2"}}}}};

TEST(BillCases, CountWhatComesOutWithinACentsThousandth) {
  EXPECT_EQ(asked("bill", {{"cases", table_of_cases("0.001009")}, {"prices", table_of_prices}})["answer"]["matched"], 1);
  const Json missed = asked("bill", {{"cases", table_of_cases("0.001011")}, {"prices", table_of_prices}})["answer"];
  EXPECT_EQ(missed["matched"], 0);
  EXPECT_EQ(missed["others"][0]["reason"], "missed: the list states another price");
}

TEST(Bill, RefusesInWords) {
  EXPECT_EQ(refused("bill", {{"input", 5}}), "input_price: is missing; give --input_price \"3 USD/Mtok\", or a list: --prices FILE");
  EXPECT_EQ(refused("bill", sonnet), "usage: counts no token; give --input 4096 --output 512, or a usage record");
  EXPECT_EQ(refused("bill", with(sonnet, {{"input", 5}, {"cached", 6}})),
            "prices: have more cached and written tokens than there are; state it, or leave such tokens out");
  EXPECT_EQ(refused("bill", {{"input", 5}, {"prices", {{"input", 3}}}}), "prices.\"input\": is no price; write e.g. \"3 USD/Mtok\"");
  EXPECT_NE(refused("bill", {{"input", 5}, {"prices", table_of_prices}}).find("--provider"), std::string::npos);
  EXPECT_NE(refused("bill", {{"cases", {{"rows", Json::array({5})}}}, {"prices", table_of_prices}}).find("cases.rows[0]"),
            std::string::npos);
  EXPECT_NE(refused("bill", with(sonnet, {{"input", 5}, {"model", "meta-llama/Llama-3.1-70B"}})).find("system: is missing"),
            std::string::npos);
}

RC_GTEST_PROP(Bill, IsTheSumOfItsPartsAndGrowsWithEveryKindOfToken, ()) {
  const int input = *rc::gen::inRange(1, 1000000), cached = *rc::gen::inRange(0, input + 1), output = *rc::gen::inRange(0, 100000);
  const auto bill = [&](int in, int hit, int out) {
    return asked("bill", with(sonnet, {{"input", in}, {"cached", hit}, {"output", out}}))["answer"];
  };
  const Json one = bill(input, cached, output);
  double sum = 0;
  for (const char* part : {"input", "cached", "written", "output"}) sum += one[part]["value"].get<double>();
  RC_ASSERT(std::abs(one["total"]["value"].get<double>() - sum) <= 1e-12 * sum);
  RC_ASSERT(bill(input + 1000, cached, output)["total"]["value"] > one["total"]["value"]);
  RC_ASSERT(bill(input, cached, output + 1000)["total"]["value"] > one["total"]["value"]);
  RC_ASSERT(bill(input, 0, output)["total"]["value"] >= one["total"]["value"]);
}

}  // namespace
}  // namespace fareline
