// SPDX-License-Identifier: Apache-2.0
#include "api/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;
using testing::ElementsAre;
using testing::HasSubstr;

const Question& cost_question() { return questions()[0]; }

std::vector<double> values(std::string_view text) {
  const auto varied = parse_varied(text, cost_question());
  if (!varied) {
    ADD_FAILURE() << varied.error().line();
    return {};
  }
  return varied->values;
}

std::string wrong(std::string_view text) {
  const auto varied = parse_varied(text, cost_question());
  return varied ? "read" : varied.error().line();
}

const Json inputs{{"model", "meta-llama/Llama-3.1-8B"},
                  {"system", "hgx-h100"},
                  {"prompt", 512},
                  {"output", 64},
                  {"tp", 1},
                  {"ep", 1},
                  {"pp", 1},
                  {"dp", 1}};

Json sweep(const std::string& vary, const Json& more = Json::object()) { return with({{"vary", vary}, {"inputs", inputs}}, more); }

TEST(Ranges, of_counts_run_through_powers_of_two_and_keep_their_ends) {
  EXPECT_THAT(values("batch=1..8"), ElementsAre(1, 2, 4, 8));
  EXPECT_THAT(values("batch=3..20"), ElementsAre(3, 4, 8, 16, 20));
  EXPECT_THAT(values("prompt=1Ki..4Ki"), ElementsAre(1024, 2048, 4096));
  EXPECT_THAT(values("batch=5..6"), ElementsAre(5, 6));
}

TEST(Ranges, take_a_number_of_points_evenly_in_ratio_or_linear) {
  EXPECT_THAT(values("batch=1..5:5:linear"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(values("cached=0..0.5:3:linear"), ElementsAre(0, 0.25, 0.5));
  EXPECT_THAT(values("cached=0..0.5:3"), ElementsAre(0, 0.25, 0.5));  // no ratio from zero
  const auto bandwidth = values("hbm_bandwidth=1TB/s..4TB/s:3");
  ASSERT_EQ(bandwidth.size(), 3u);
  EXPECT_EQ(bandwidth[0], 1e12);
  EXPECT_NEAR(bandwidth[1], 2e12, 1);
  EXPECT_EQ(bandwidth[2], 4e12);
  EXPECT_EQ(values("pace=10ms..1s").size(), 17u);
  EXPECT_THAT(values("batch=1..3:1000"), ElementsAre(1, 2, 3));  // a count is not repeated
}

TEST(Ranges, take_lists_of_numbers_and_of_names) {
  EXPECT_THAT(values("tp=1,2,8"), ElementsAre(1, 2, 8));
  EXPECT_THAT(values("rental=1USD/h,2USD/h"), ElementsAre(1 / 3600.0, 2 / 3600.0));
  const auto names = parse_varied("system=hgx-h100,hgx-h200", cost_question());
  ASSERT_TRUE(names.has_value());
  EXPECT_THAT(names->texts, ElementsAre("hgx-h100", "hgx-h200"));
  EXPECT_EQ(names->size(), 2u);
}

TEST(Ranges, say_what_is_wrong_with_them) {
  EXPECT_THAT(wrong("batch"), HasSubstr("has no \"=\""));
  EXPECT_THAT(wrong("batc=1..4"), HasSubstr("did you mean batch"));
  EXPECT_THAT(wrong("batch=4..1"), HasSubstr("runs backwards"));
  EXPECT_THAT(wrong("batch=4..4"), HasSubstr("runs backwards or nowhere"));
  EXPECT_THAT(wrong("batch="), HasSubstr("has no values"));
  EXPECT_THAT(wrong("batch=1.."), HasSubstr("is not a range"));
  EXPECT_THAT(wrong("batch=..4"), HasSubstr("vary"));
  EXPECT_THAT(wrong("batch=1..4:x"), HasSubstr("vary"));
  EXPECT_THAT(wrong("batch=1..4:1"), HasSubstr("number of points"));
  EXPECT_THAT(wrong("batch=1..4:2:cubic"), HasSubstr("is not a range"));
  EXPECT_THAT(wrong("batch=1..4:100001"), HasSubstr("number of points"));
  EXPECT_THAT(wrong("batch=0..4"), HasSubstr("out of range"));
  EXPECT_THAT(wrong("cached=0..2:3"), HasSubstr("out of range"));
  EXPECT_THAT(wrong("pace=1..2"), HasSubstr("has no unit"));
  EXPECT_THAT(wrong("pace=1GB..2GB"), HasSubstr("s is due"));
  EXPECT_THAT(wrong("pace=nan..2s"), HasSubstr("vary"));
  EXPECT_THAT(wrong("system=a..b"), HasSubstr("is a range of names"));
  EXPECT_EQ(wrong("ba\ntch=1").find('\n'), std::string::npos);
}

TEST(Sweep, collects_what_each_question_answers) {
  const Json all = asked("sweep", sweep("batch=1..64"));
  const Json& answer = all["answer"];
  ASSERT_EQ(answer["columns"].size(), 2u);
  EXPECT_EQ(answer["columns"][0]["name"], "price.output");
  EXPECT_EQ(answer["columns"][0]["unit"], "USD/Mtok");
  const Json& batches = answer["varied"][0]["values"];
  ASSERT_EQ(batches.size(), 7u);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const Json one = asked("cost", with(inputs, {{"batch", batches[i]}}))["answer"];
    for (const char* member : {"value", "floor", "low", "high"})
      EXPECT_EQ(answer["columns"][0][std::string(member) == "value" ? "values" : member][i], one["price"]["output"][member]) << i;
    EXPECT_EQ(answer["columns"][1]["values"][i], one["latency"]["tpot"]["value"]) << i;
    EXPECT_EQ(answer["bound"][i], one["bound"]["decode"].items().begin().key()) << i;
  }
}

TEST(Sweep, of_two_inputs_is_a_table_of_rows) {
  const Json answer = asked("sweep", sweep("batch=1..4 prompt=128,256", {{"show", "latency.ttft"}}))["answer"];
  ASSERT_EQ(answer["columns"][0]["values"].size(), 6u);
  const Json one = asked("cost", with(inputs, {{"batch", 2}, {"prompt", 256}}))["answer"];
  EXPECT_EQ(answer["columns"][0]["values"][3 + 1], one["latency"]["ttft"]["value"]);
  EXPECT_TRUE(plot_sweep(asked("sweep", sweep("batch=1..4 prompt=128,256"))).has_value());
}

TEST(Sweep, shows_latency_step_and_memory) {
  EXPECT_EQ(asked("sweep", sweep("batch=1..4", {{"of", "latency"}}))["answer"]["columns"][0]["name"], "latency.ttft");
  const Json step{{"model", "meta-llama/Llama-3.1-8B"}, {"system", "hgx-h100"}};
  const Json times = asked("sweep", {{"of", "step"}, {"vary", "batch=1..16"}, {"inputs", step}})["answer"]["columns"][0];
  EXPECT_EQ(times["name"], "time");
  for (std::size_t i = 1; i < times["values"].size(); ++i) EXPECT_GE(times["values"][i], times["values"][i - 1]);
  const Json batches = asked("sweep", {{"of", "memory"}, {"vary", "context=1024..8192"}, {"inputs", step}})["answer"]["columns"][0];
  for (std::size_t i = 1; i < batches["values"].size(); ++i) EXPECT_LT(batches["values"][i], batches["values"][i - 1]);
}

TEST(Sweep, holds_what_it_chose_and_says_so) {
  const Json open{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"prompt", 512}, {"output", 64}};
  const Json all = asked("sweep", {{"vary", "hbm_bandwidth=2TB/s..8TB/s:5"}, {"inputs", open}});
  ASSERT_TRUE(all.contains("answer")) << all;
  EXPECT_THAT(all["warnings"].back().get<std::string>(), HasSubstr("chosen once, for the middle of the range, and held: tp "));
  const Json& times = all["answer"]["columns"][1]["values"];
  for (std::size_t i = 1; i < times.size(); ++i) EXPECT_LE(times[i], times[i - 1]);
}

TEST(Sweep, over_names_asks_each) {
  const Json all = asked("sweep", sweep("system=hgx-h100,hgx-h200", {{"show", "latency.tpot"}}));
  ASSERT_TRUE(all.contains("answer")) << all;
  const Json& tpot = all["answer"]["columns"][0]["values"];
  for (std::size_t i = 0; i < 2; ++i) {
    const Json one = asked("cost", with(inputs, {{"system", i == 0 ? "hgx-h100" : "hgx-h200"}}))["answer"];
    EXPECT_EQ(tpot[i], one["latency"]["tpot"]["value"]);
  }
  const auto picture = plot_sweep(all), table = csv_sweep(all);
  ASSERT_TRUE(picture.has_value() && table.has_value());
  EXPECT_THAT(*picture, HasSubstr("hgx-h200"));
  EXPECT_THAT(*table, testing::StartsWith("system,"));
}

TEST(Sweep, leaves_a_gap_where_a_point_does_not_fit) {
  const Json all = asked("sweep", sweep("batch=1..65536"));
  const Json& answer = all["answer"];
  EXPECT_TRUE(answer["columns"][0]["values"].front().is_number());
  EXPECT_TRUE(answer["columns"][0]["values"].back().is_null());
  EXPECT_EQ(answer["bound"].back(), "");
  EXPECT_THAT(answer["infeasible"].back().get<std::string>(), HasSubstr("a chip would hold"));
  const auto picture = plot_sweep(all);
  ASSERT_TRUE(picture.has_value());
  for (const char* text :
       {"Price of output (USD/Mtok)", "Time per output token (ms)", "Batch (sequences", "floor", "80% band", "does not fit"})
    EXPECT_THAT(*picture, HasSubstr(text));
}

TEST(Sweep, refuses_what_cannot_be_swept) {
  EXPECT_THAT(refused("sweep", {{"inputs", inputs}}), HasSubstr("vary: is missing"));
  EXPECT_THAT(refused("sweep", sweep("batch=1 prompt=2 output=3")), HasSubstr("names 3 inputs"));
  EXPECT_THAT(refused("sweep", sweep("batch=1..4 batch=1..4")), HasSubstr("one input twice"));
  EXPECT_THAT(refused("sweep", sweep("concurrency=1..1000:1000:linear prompt=1..1000:1000:linear")), HasSubstr("1,000,000 points"));
  EXPECT_THAT(refused("sweep", sweep("system=hgx-h100,hgx-h200 prompt=1..1000:1000:linear")), HasSubstr("each choose a plan"));
  EXPECT_THAT(refused("sweep", sweep("weights=bf16,fp9", {{"show", "price.output"}})), HasSubstr("\"fp9\" is not a choice"));
  EXPECT_THAT(refused("sweep", sweep("batch=1..4", {{"show", "price.outptu"}})), HasSubstr("the answer has no \"price.outptu\""));
  EXPECT_THAT(refused("sweep", sweep("batch=1..4", {{"show", "plan"}})), HasSubstr("is not a number"));
  EXPECT_THAT(refused("sweep", sweep("batch=1..4", {{"show", ","}})), HasSubstr("names nothing"));
  EXPECT_THAT(refused("sweep", sweep("batch=1..4", {{"inputs", "text"}})), HasSubstr("is not an object"));
  EXPECT_THAT(refused("sweep", {{"vary", "batch=1..4"}}), HasSubstr("model: is missing"));
  EXPECT_FALSE(plot_sweep(asked("list", {{"kind", "chips"}})).has_value());
  EXPECT_FALSE(csv_sweep(asked("list", {{"kind", "chips"}})).has_value());
}

}  // namespace
}  // namespace fareline
