// SPDX-License-Identifier: Apache-2.0
#include "api/schema.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "api/asked.h"
#include "api/asking.h"
#include "catalog/catalog.h"

namespace fareline::test {
namespace {

const Json& schema() {
  static const Json written = openapi_schema();
  return written;
}

Json question_component(std::string_view name) {
  std::string component(name);
  component.front() = static_cast<char>(component.front() - 'a' + 'A');
  return schema()["components"]["schemas"][component + "Question"];
}

// Whether `value` is what `rule` allows, of the words that input_schema uses.
bool allowed(const Json& value, const Json& rule) {
  const auto is = [&](const std::string& type) {
    return type == "string"    ? value.is_string()
           : type == "integer" ? value.is_number_integer()
           : type == "number"  ? value.is_number()
           : type == "object"  ? value.is_object()
                               : value.is_array();
  };
  bool typed = false;
  for (const Json& type : rule["type"].is_array() ? rule["type"] : Json::array({rule["type"]})) typed = typed || is(type);
  if (rule.contains("enum")) typed = typed && std::find(rule["enum"].begin(), rule["enum"].end(), value) != rule["enum"].end();
  if (rule.contains("minimum") && value.is_number()) typed = typed && value >= rule["minimum"];
  if (rule.contains("maximum") && value.is_number()) typed = typed && value <= rule["maximum"];
  return typed;
}

TEST(Schema, SaysWhichVersionOfOpenApiItIs) {
  EXPECT_EQ(schema()["openapi"], "3.1.0");
  EXPECT_TRUE(schema()["info"].contains("title"));
  EXPECT_TRUE(schema()["info"].contains("version"));
}

TEST(Schema, HasEveryQuestionWithEveryInputAndNoOther) {
  for (const Question& question : questions()) {
    const Json component = question_component(question.name);
    ASSERT_TRUE(component.is_object()) << question.name;
    EXPECT_EQ(component["properties"]["question"]["const"], question.name);
    const Json& inputs = component["properties"]["inputs"];
    EXPECT_EQ(inputs["properties"].size(), question.inputs.size());
    EXPECT_EQ(inputs["additionalProperties"], false);
    for (const Input& input : question.inputs) {
      const Json& written = inputs["properties"][std::string(input.name)];
      EXPECT_THAT(written["description"].get<std::string>(), testing::HasSubstr(input.summary.substr(1))) << input.name;
      EXPECT_THAT(written["description"].get<std::string>(), testing::HasSubstr(input.reason)) << input.name;
    }
  }
}

TEST(Schema, AllowsTheDefaults) {
  for (const Question& question : questions())
    for (const Input& input : question.inputs) {
      const Json rule = input_schema(input);
      if (rule.contains("default")) EXPECT_TRUE(allowed(rule["default"], rule)) << question.name << " " << input.name;
    }
}

// What the schema refuses the core refuses, and what the core answers the schema allows.
TEST(Schema, AllowsWhatIsAnsweredAndNothingOutOfBounds) {
  const Json inputs{{"model", "openai/gpt-oss-20b"}, {"system", "hgx-h100"}, {"tp", 2}, {"concurrency", "16"}, {"prompt", "2k"},
                    {"output", 256}, {"cached", "10%"}, {"pace", "50 ms"}, {"owned", "no"}};
  const Json rules = question_component("cost")["properties"]["inputs"]["properties"];
  ASSERT_TRUE(asked("cost", inputs).contains("answer"));
  for (const auto& [name, value] : inputs.items()) EXPECT_TRUE(allowed(value, rules[name])) << name;
  const std::vector<std::pair<std::string, Json>> wrong{{"tp", 0},       {"tp", 1.5},         {"cached", 1.5},
                                                        {"pace", 50},    {"owned", "maybe"}, {"prompt", true}};
  for (const auto& [name, value] : wrong) {
    EXPECT_FALSE(allowed(value, rules[name])) << name;
    EXPECT_NE(refused("cost", with(inputs, {{name, value}})), "");
  }
}

TEST(Schema, EveryReferenceLeadsSomewhere) {
  int found = 0;
  const std::function<void(const Json&)> walk = [&](const Json& at) {
    if (!at.is_structured()) return;
    if (at.is_object() && at.contains("$ref")) {
      const std::string path = at["$ref"].get<std::string>().substr(1);
      EXPECT_TRUE(schema().contains(Json::json_pointer(path))) << path;
      ++found;
    }
    for (const auto& [name, member] : at.items()) walk(member);
  };
  walk(schema());
  EXPECT_GT(found, static_cast<int>(questions().size()));
}

TEST(Watched, ASweepTellsHowFarItIsAndEndsWhereItIsTold) {
  const Json question{
      {"question", "sweep"},
      {"inputs", {{"of", "step"}, {"vary", "batch=1,2,3,4"}, {"inputs", {{"model", "openai/gpt-oss-20b"}, {"system", "hgx-h100"}}}}}};
  std::vector<double> heard;
  const auto whole = ask_watched(question, Catalogue::built_in(), [&](double done) { return heard.push_back(done), true; });
  ASSERT_TRUE(whole.has_value());
  EXPECT_THAT(heard, testing::ElementsAre(0, 0.25, 0.5, 0.75));
  EXPECT_EQ(*whole, *ask(question, Catalogue::built_in()));
  const auto stopped = ask_watched(question, Catalogue::built_in(), [](double done) { return done < 0.5; });
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().what, "was stopped");
}

TEST(Watched, ASimulationEndsWhereItIsToldAndSaysSo) {
  const Json question{{"question", "simulate"},
                      {"inputs",
                       {{"model", "openai/gpt-oss-20b"},
                        {"system", "hgx-h100"},
                        {"tp", 1},
                        {"rate", "20 1/s"},
                        {"prompt", "2048"},
                        {"output", "256"},
                        {"requests", 1'000'000'000}}}};
  double last = -1;
  int heard = 0;
  const auto stopped = ask_watched(question, Catalogue::built_in(), [&](double done) {
    EXPECT_LE(last, done);
    last = done;
    return ++heard < 3;
  });
  ASSERT_TRUE(stopped.has_value()) << stopped.error().line();
  EXPECT_EQ((*stopped)["run"]["complete"], false);
  EXPECT_EQ(heard, 3);
}

}  // namespace
}  // namespace fareline::test
