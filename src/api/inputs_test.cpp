// SPDX-License-Identifier: Apache-2.0
#include "api/inputs.h"

#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/asked.h"
#include "perf/plan.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;
using testing::HasSubstr;
using testing::StartsWith;

const Json base{{"model", "meta-llama/Llama-3.1-8B"}, {"system", "hgx-h100"}, {"prompt", 1000}, {"output", 100}, {"tp", 1},
                {"ep", 1},                            {"pp", 1},              {"dp", 1},        {"batch", 4}};

const Question& question_named(std::string_view name) {
  for (const Question& question : questions())
    if (question.name == name) return question;
  ADD_FAILURE() << name;
  return questions()[0];
}

double read_number(const char* name, const Json& value) {
  const auto inputs = Inputs::read(question_named("cost"), Json{{name, value}});
  if (!inputs) {
    ADD_FAILURE() << inputs.error().line();
    return std::numeric_limits<double>::quiet_NaN();
  }
  return inputs->number(name).value();
}

TEST(Inputs, ask_the_usual_skew_of_experts_that_validate_predicts_with) {
  EXPECT_EQ(Inputs::read(question_named("cost"), Json::object())->number("expert_skew"), usual_expert_skew);
}

TEST(Inputs, read_counts_numbers_and_quantities_as_people_write_them) {
  EXPECT_EQ(read_number("prompt", 4096), 4096);
  EXPECT_EQ(read_number("prompt", "128k"), 128000);
  EXPECT_EQ(read_number("prompt", "8Ki"), 8192);
  EXPECT_EQ(read_number("cached", 0.8), 0.8);
  EXPECT_EQ(read_number("cached", "80%"), 0.8);
  EXPECT_EQ(read_number("pace", "50 ms"), 0.05);
  EXPECT_EQ(read_number("hbm_bandwidth", "3.35 TB/s"), 3.35e12);
  EXPECT_EQ(read_number("rental", "3.6 USD/h"), 0.001);
  EXPECT_EQ(read_number("rate", "5/s"), 5);
}

TEST(Inputs, refuse_a_quantity_without_its_unit_and_say_how_it_is_written) {
  EXPECT_EQ(refused("cost", with(base, {{"pace", 50}})), "pace: \"50\" has no unit; write e.g. \"50 ms\"");
  EXPECT_EQ(refused("cost", with(base, {{"pace", "50"}})), "pace: \"50\" has no unit; write e.g. \"50 ms\"");
  EXPECT_THAT(refused("cost", with(base, {{"pace", "50 GB"}})), HasSubstr("is in B, but s is due"));
  EXPECT_THAT(refused("cost", with(base, {{"rental", "2 USD"}})), StartsWith("rental: "));
}

TEST(Inputs, refuse_what_is_no_number_of_the_kind_that_is_due) {
  for (const Json& bad : {Json("nan"), Json("inf"), Json("-1"), Json(-1), Json(0), Json(1.5), Json("10.5"), Json(""), Json(true),
                          Json(nullptr), Json::array({1}), Json::object(), Json(1e300), Json("1e300")})
    EXPECT_THAT(refused("cost", with(base, {{"prompt", bad}})), StartsWith("prompt: ")) << bad;
  for (const Json& bad : {Json("nan"), Json(1.5), Json(-0.1), Json("150%"), Json("80 ms"), Json("half")})
    EXPECT_THAT(refused("cost", with(base, {{"cached", bad}})), StartsWith("cached: ")) << bad;
  for (const Json& bad : {Json("nan s"), Json("inf s"), Json("-1 s"), Json("0 s"), Json("fast")})
    EXPECT_THAT(refused("cost", with(base, {{"pace", bad}})), StartsWith("pace: ")) << bad;
}

TEST(Inputs, name_the_bounds_of_a_value_out_of_range) {
  EXPECT_EQ(refused("cost", with(base, {{"cached", 1.5}})), "cached: 1.5 is out of range; write a value of between 0 and 1");
  EXPECT_EQ(refused("cost", with(base, {{"rental", "-3 USD/h"}})), "rental: -3 USD/h is out of range; write a value of at least 0 USD/h");
}

TEST(Inputs, refuse_a_number_of_json_that_is_not_finite) {
  const auto read = Inputs::read(question_named("cost"), Json{{"cached", std::numeric_limits<double>::infinity()}});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().what, "is not finite");
  EXPECT_FALSE(Inputs::read(question_named("cost"), Json{{"cached", std::numeric_limits<double>::quiet_NaN()}}).has_value());
  EXPECT_FALSE(Inputs::read(question_named("cost"), Json{{"prompt", std::numeric_limits<double>::quiet_NaN()}}).has_value());
}

TEST(Inputs, answer_an_unknown_name_with_the_nearest) {
  EXPECT_EQ(refused("cost", with(base, {{"promt", 3}})), "\"promt\": cost has no such input; did you mean prompt?");
  EXPECT_EQ(refused("cost", with(base, {{"zzzzzzzz", 3}})), "\"zzzzzzzz\": cost has no such input; see fareline cost --help");
  EXPECT_THAT(refused("cost", with(base, {{"system", "hgx-h10"}})), HasSubstr("did you mean hgx-h100"));
  EXPECT_THAT(refused("cost", with(base, {{"model", "Llama-3.1-70"}})), HasSubstr("did you mean Llama-3.1-70B"));
  EXPECT_THAT(refused("costs", base), HasSubstr("did you mean cost?"));
  EXPECT_THAT(refused("cost", with(base, {{"weights", "fp9"}})), StartsWith("weights: \"fp9\" is not a choice; write one of fp32, bf16"));
}

TEST(Inputs, keep_an_error_on_one_line_whatever_was_written) {
  for (const Json& inputs : {Json{{"a\nb\x01", 1}}, with(base, {{"weights", "x\ny"}}), with(base, {{"system", "h\n100"}}),
                             with(base, {{"pace", "5\n0"}}), with(base, {{"model", "a\r\nb"}}),
                             Json{{"model", {{"name", "x\ny"}, {"config", {{"model_type", "n\no"}}}}}, {"system", "hgx-h100"}}}) {
    const std::string line = refused("cost", inputs);
    EXPECT_EQ(line.find_first_of("\n\r\x01"), std::string::npos) << line;
    EXPECT_LT(line.size(), 600u);
  }
}

TEST(Inputs, are_listed_with_who_chose_them_and_why) {
  const Json all = asked("cost", base)["inputs"];
  for (const auto& [name, value] : base.items()) EXPECT_EQ(all[name]["chosen_by"], "you") << name;
  for (const auto& [name, input] : all.items()) {
    EXPECT_TRUE(input["value"].is_number() || input["value"].is_string()) << name;
    EXPECT_EQ(input["value"].is_number(), input.contains("unit")) << name;
    EXPECT_NE(input["chosen_by"] == "you", input.contains("source") && !input["source"].get<std::string>().empty()) << name;
  }
  EXPECT_EQ(all["hbm_bandwidth"]["value"], 3.35e12);  // H100 SXM: the data sheet's 3.35 TB/s
  EXPECT_EQ(all["hbm_bandwidth"]["chosen_by"], "catalogue");
  EXPECT_EQ(all["weights"]["value"], "bf16");
  EXPECT_EQ(all["weights"]["chosen_by"], "model file");
}

TEST(Inputs, that_are_not_listed_had_no_part_in_the_answer) {
  const Json all = asked("cost", base)["inputs"];
  // Instead of a batch; of owning; of drafting; of a pool apart; of choosing; overrides of what the weights already say.
  const std::set<std::string> absent{"concurrency", "rate",        "capital",     "network",          "years",      "power",
                                     "pue",         "electricity", "utilisation", "upkeep",           "draft_by",   "acceptance",
                                     "accepted",    "pace",        "patience",    "prefill_replicas", "prefill_tp", "experts"};
  for (const Input& input : question_named("cost").inputs)
    EXPECT_NE(all.contains(std::string(input.name)), absent.contains(std::string(input.name))) << input.name;
}

TEST(Inputs, of_a_chip_replace_the_catalogues) {
  const Json given = asked("cost", with(base, {{"hbm_bandwidth", "1 TB/s"}, {"calibration", "ideal"}}));
  EXPECT_EQ(given["inputs"]["hbm_bandwidth"]["chosen_by"], "you");
  const Json own = asked("cost", with(base, {{"calibration", "ideal"}}));
  EXPECT_GT(given["answer"]["latency"]["tpot"]["value"].get<double>(), 2 * own["answer"]["latency"]["tpot"]["value"].get<double>());
}

TEST(Inputs, take_a_model_as_its_files) {
  // The published shape of Llama-2-7B, by hand: 6,738,415,616 parameters (model card).
  const Json config{{"model_type", "llama"},
                    {"architectures", {"LlamaForCausalLM"}},
                    {"hidden_size", 4096},
                    {"intermediate_size", 11008},
                    {"num_hidden_layers", 32},
                    {"num_attention_heads", 32},
                    {"num_key_value_heads", 32},
                    {"vocab_size", 32000},
                    {"max_position_embeddings", 4096},
                    {"tie_word_embeddings", false},
                    {"torch_dtype", "float16"},
                    {"hidden_act", "silu"}};
  const Json answer = asked("memory", {{"model", {{"name", "mine"}, {"config", config}}}, {"system", "hgx-h100"}, {"tp", 1}})["answer"];
  EXPECT_EQ(answer["parameters"]["total"]["value"], 6738415616.0);
  EXPECT_EQ(answer["kv_per_token"]["value"], 2 * 32 * 4096 * 2);  // K and V, layers, heads times their width, bytes
  EXPECT_THAT(refused("memory", {{"model", {{"name", "mine"}}}, {"system", "hgx-h100"}}), HasSubstr("has no member \"config\""));
  EXPECT_THAT(refused("memory", {{"model", {{"config", {{"model_type", "vit"}}}}}, {"system", "hgx-h100"}}), StartsWith("model: "));
}

TEST(Inputs, keep_a_model_until_another_is_named) {
  auto inputs = Inputs::read(question_named("cost"), base);
  ASSERT_TRUE(inputs.has_value());
  inputs->keep(std::make_shared<const Model>());
  EXPECT_NE(inputs->model(), nullptr);
  const Inputs copy = *inputs;
  EXPECT_EQ(copy.model(), inputs->model());
  ASSERT_TRUE(inputs->set("model", Json("Qwen/Qwen3-8B")).has_value());
  EXPECT_EQ(inputs->model(), nullptr);
}

TEST(Asking, refuses_what_is_no_question) {
  const auto line = [](std::string_view text) {
    const Json answer = Json::parse(ask_text(text, Catalogue::built_in()));
    return answer.contains("error") ? answer["error"]["where"].get<std::string>() + ": " + answer["error"]["what"].get<std::string>()
                                    : "answered";
  };
  EXPECT_THAT(line(""), StartsWith("question"));
  EXPECT_THAT(line("{"), StartsWith("question"));
  EXPECT_THAT(line("[]"), HasSubstr("is not an object"));
  EXPECT_THAT(line("{}"), HasSubstr("is missing"));
  EXPECT_THAT(line(R"({"question": 5})"), HasSubstr("is missing"));
  EXPECT_THAT(line(R"({"question": "cost", "inptus": {}})"), HasSubstr("is no part of a question"));
  EXPECT_THAT(line(R"({"question": "cost", "inputs": []})"), HasSubstr("is not an object"));
  EXPECT_THAT(line(R"({"question": "cost", "inputs": {"prompt": 1, "prompt": 2}})"), StartsWith("question"));  // a key twice
  EXPECT_THAT(line("{\"question\": \"cost\xff\"}"), StartsWith("question"));                                    // no UTF-8
  EXPECT_THAT(line(std::string(100000, '[')), StartsWith("question"));                                         // nested without end
  EXPECT_THAT(line(R"({"question": "cost", "inputs": {"model": )" + std::string(500000, '{')), StartsWith("question"));
}

}  // namespace
}  // namespace fareline
