// SPDX-License-Identifier: Apache-2.0
// Random questions over the whole catalogue: each is answered or refused, never with a number that is none.
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"
#include "units/text.h"

namespace fareline {
namespace {

using test::Json;

Json any_of(const std::vector<Json>& choices) { return choices[*rc::gen::inRange<std::size_t>(0, choices.size())]; }
bool one_in(int n) { return *rc::gen::inRange(0, n) == 0; }

Json random_value(const Input& input) {
  const auto between = [&](double most) {
    const double low = std::max(input.least, 1.0), high = std::max(low, std::min(input.most, most));
    return std::floor(low * std::pow(high / low, *rc::gen::inRange(0, 1001) / 1000.0));
  };
  switch (input.kind) {
    case InputKind::model: return any_of({"nobody/nothing", 5, Json::object()});
    case InputKind::document: return any_of({"nothing", 5, Json::object(), Json::array()});
    case InputKind::text: return any_of({"auto", "ideal", "default", "nothing"});
    case InputKind::count:
      return one_in(20) ? any_of({input.least, input.most, input.most + 1, -1, 0.5, "8Ki", "many"})
                        : Json(between(one_in(10) ? input.most : 256));
    case InputKind::number: {
      const double most = std::min(input.most, 30.0);
      return one_in(20) ? any_of({input.least, input.most, -1, "nan", "50%"})
                        : Json(input.least + (most - input.least) * *rc::gen::inRange(0, 101) / 100.0);
    }
    case InputKind::quantity: {
      const double exponent = *rc::gen::inRange(-3, 13);
      return one_in(20) ? any_of({"1", 1, "nan s", "-1 B", "1 furlong"})
                        : Json(fmt::format("{} {}", std::pow(10.0, exponent), unit_name(input.dim)));
    }
    case InputKind::choice: {
      std::vector<Json> all;
      std::string_view rest = input.choices;
      for (std::size_t comma = 0; comma != std::string_view::npos; rest = comma == std::string_view::npos ? rest : rest.substr(comma + 1)) {
        comma = rest.find(',');
        all.emplace_back(std::string(rest.substr(0, comma)));
      }
      return any_of(all);
    }
  }
  return nullptr;
}

void check_answer(const std::string& text, const Json& question) {
  const Json answer = Json::parse(text);
  if (answer.contains("error")) {
    const Json& e = answer["error"];
    const std::string line = Error{e["where"], e["what"], e["remedy"]}.line();
    RC_ASSERT(!e["where"].get<std::string>().empty());
    RC_ASSERT(!e["what"].get<std::string>().empty());
    RC_ASSERT(!e["remedy"].get<std::string>().empty());
    RC_ASSERT(line.find('\n') == std::string::npos);
    return;
  }
  RC_LOG() << question.dump() << "\n";
  RC_ASSERT(test::first_null(answer) == "");
  RC_ASSERT(test::disorder(answer["answer"]) == "");
  if (answer["answer"].value("feasible", true)) return;
  RC_ASSERT(!answer["answer"]["reason"].get<std::string>().empty());
  RC_ASSERT(answer["answer"]["needed"]["value"].is_number());
  RC_ASSERT(answer["answer"]["available"]["value"].is_number());
}

Json random_inputs(const Question& question) {
  const Catalogue& catalogue = Catalogue::built_in();
  Json inputs{{"model", *rc::gen::elementOf(catalogue.model_names())}, {"system", *rc::gen::elementOf(catalogue.system_names())}};
  if (question.name == "cost") {
    inputs["prompt"] = *rc::gen::inRange(1, 20000);
    inputs["output"] = *rc::gen::inRange(1, 4000);
    inputs["rental"] = "2 USD/h";
  }
  if (question.name == "step") inputs["tokens"] = *rc::gen::inRange(1, 20000);
  for (const Input& input : question.inputs)
    if (input.name != "model" && input.name != "system" && one_in(6)) inputs[std::string(input.name)] = random_value(input);
  if (one_in(30)) inputs["model"] = random_value(question.inputs[0]);
  return inputs;
}

// Half of them with a plan that divides most models, so that answers are reached and not only refusals.
RC_GTEST_PROP(Random_questions, are_answered_or_refused_in_words, ()) {
  const Question& question = questions()[*rc::gen::inRange<std::size_t>(0, 3)];  // cost, step, memory
  Json inputs = random_inputs(question);
  if (*rc::gen::arbitrary<bool>()) {
    for (const char* name : {"hbm_capacity", "memory_fraction", "token_budget", "cp"}) inputs.erase(name);
    inputs["tp"] = any_of({1, 2, 4, 8});
    inputs["ep"] = 1;
    inputs["dp"] = 1;
    if (question.name == "cost" && !inputs.contains("concurrency") && !inputs.contains("rate")) inputs["batch"] = *rc::gen::inRange(1, 64);
  }
  const Json asked{{"question", std::string(question.name)}, {"inputs", inputs}};
  check_answer(ask_text(asked.dump(), Catalogue::built_in()), asked);
}

TEST(Random_questions, over_every_model_are_answered) {
  for (const std::string& model : Catalogue::built_in().model_names()) {
    for (const char* system : {"hgx-h100", "gb200-nvl72"}) {
      const Json answer = test::asked(
          "cost", {{"model", model}, {"system", system}, {"prompt", 2000}, {"output", 200}, {"tp", 8}, {"pp", 1}, {"concurrency", 8}});
      ASSERT_TRUE(answer.contains("answer")) << model << answer;
      EXPECT_EQ(test::disorder(answer["answer"]), "") << model;
      EXPECT_EQ(test::first_null(answer), "") << model;
    }
  }
}

TEST(Random_questions, on_every_system_are_answered) {
  for (const std::string& system : Catalogue::built_in().system_names()) {
    const Json answer =
        test::asked("cost", {{"model", "Qwen/Qwen3-8B"}, {"system", system}, {"prompt", 2000}, {"output", 200}, {"rental", "1 USD/h"}});
    ASSERT_TRUE(answer.contains("answer")) << system << answer;
    EXPECT_EQ(test::disorder(answer["answer"]), "") << system;
    EXPECT_EQ(test::first_null(answer), "") << system;
  }
}

}  // namespace
}  // namespace fareline
