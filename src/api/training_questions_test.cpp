// SPDX-License-Identifier: Apache-2.0
// The questions on pipelines, memory, a model's life and reversible layers.
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;

constexpr const char* questions_here[] = {"pipeline", "lifetime", "capacity", "reversible"};

// The value at a path of the answer: "chip.weights".
double value(const Json& answered, const std::string& path) {
  EXPECT_TRUE(answered.contains("answer")) << answered;
  return answered["answer"].at(Json::json_pointer("/" + path))["value"];
}

double near(double exact) { return 0.005 * std::abs(exact); }

TEST(Pipeline, GivesTheLecturesFigures) {
  const Json one = asked("pipeline", {{"pass", "decode"}, {"stages", 4}, {"micro_batches", 1}});
  EXPECT_EQ(value(one, "utilisation"), 0.25);
  EXPECT_EQ(value(one, "fewest_micro_batches"), 4);
  EXPECT_EQ(value(asked("pipeline", {{"pass", "decode"}, {"stages", 4}, {"hop", "2.5 ms"}}), "latency_ratio"), 1);
  EXPECT_NEAR(value(asked("pipeline", {{"pass", "decode"}, {"stages", 4}, {"hop", "2.5 ms"}}), "hops"), 0.010, 1e-12);
  const Json racks = {{"bandwidth_ratio", 0.125}, {"activated_experts", 8}, {"layers_per_stage", 2}};
  EXPECT_EQ(value(asked("pipeline", racks), "boundary/scale_up_over_scale_out"), 4);
  EXPECT_EQ(value(asked("pipeline", racks), "boundary/least_layers"), 1);
}

TEST(Pipeline, IdlesNoMoreWithMoreMicroBatches) {
  EXPECT_TRUE(rc::check([] {
    const int stages = *rc::gen::inRange(1, 5) * 2, groups = *rc::gen::inRange(2, 5);
    const Json few = asked("pipeline", {{"stages", stages}, {"micro_batches", groups * stages}}),
               many = asked("pipeline", {{"stages", stages}, {"micro_batches", 2 * groups * stages}});
    for (std::size_t i = 0; i < 6; ++i) {
      const std::string idle = fmt::format("schedules/{}/idle", i);
      RC_ASSERT(value(many, idle) <= value(few, idle) + 1e-12);
    }
  }));
}

TEST(Pipeline, RefusesAScheduleThatTheMicroBatchesDoNotFill) {
  EXPECT_EQ(test::refused("pipeline", {{"schedule", "dualpipe"}, {"stages", 3}}),
            "schedule: dualpipe cannot run with an odd number of stages or micro-batches; give --micro_batches 6, or another --schedule");
}

TEST(Lifetime, GivesTheLecturesFigures) {
  const Json life = asked("lifetime", {{"active_parameters", 100e9}});
  EXPECT_EQ(value(life, "per_parameter/training"), 6);
  EXPECT_EQ(value(life, "per_parameter/forward"), 2);
  EXPECT_NEAR(value(life, "token_cost/rl"), 1.11111, near(1.11111));
  EXPECT_NEAR(value(life, "served"), 263.002e12, near(263.002e12));
  EXPECT_NEAR(value(life, "chinchilla/tokens"), 2e12, near(2e12));
  EXPECT_NEAR(value(asked("lifetime", {{"active_parameters", 100e9}, {"serve_rate", "500 Mtok/s"}}), "served"), 2.63002e15,
              near(2.63002e15));
  EXPECT_NEAR(value(asked("lifetime", {{"active_parameters", 100e9}, {"pretraining", "200 Ttok"}}), "chinchilla/overtraining"), 100,
              near(100));
  EXPECT_EQ(value(asked("lifetime", {{"active_parameters", 100e9}, {"falling", 4}, {"rising", 1}}), "heuristic/minimum"), 2);
}

TEST(Lifetime, NeverCostsMoreAtItsLeastThanAsAsked) {
  EXPECT_TRUE(rc::check([] {
    const Json life = asked("lifetime", {{"active_parameters", std::floor(std::pow(10.0, *rc::gen::inRange(90, 125) / 10.0))},
                                         {"chance", *rc::gen::inRange(1, 11) / 10.0},
                                         {"law", *rc::gen::elementOf(std::vector<std::string>{"besiroglu", "chinchilla"})}});
    RC_ASSERT(value(life, "saving") >= -1e-12);
  }));
}

TEST(Capacity, GivesTheLecturesFigures) {
  const Json trillion = {
      {"total_parameters", 1e12}, {"bytes_per_parameter", "1 B"}, {"expert_chips", 64}, {"stages", 4}, {"kv_per_token", "2048 B/tok"}};
  const Json answer = asked("capacity", trillion);
  EXPECT_EQ(value(answer, "model/weights"), 1e12);
  EXPECT_EQ(value(answer, "chip/weights"), 3.90625e9);
  EXPECT_EQ(value(answer, "pipelining/kv_over_one_stage"), 1);
}

TEST(Capacity, SavesWeightsAndNoKvWithMoreStages) {
  EXPECT_TRUE(rc::check([] {
    const int stages = *rc::gen::inRange(2, 100);
    const Json answer = asked("capacity", {{"total_parameters", 1e12},
                                           {"bytes_per_parameter", "1 B"},
                                           {"expert_chips", 64},
                                           {"stages", stages},
                                           {"kv_per_token", "2048 B/tok"}});
    RC_ASSERT(std::abs(value(answer, "pipelining/weights_over_one_stage") * stages - 1) < 1e-12);
    RC_ASSERT(std::abs(value(answer, "pipelining/kv_over_one_stage") - 1) < 1e-12);
  }));
}

TEST(Reversible, GivesTheLecturesFigures) {
  const Json answer = asked("reversible", {{"layers", 80}, {"hidden", 8192}});
  EXPECT_EQ(value(answer, "ways/0/growth_from_4_layers"), 20);
  EXPECT_EQ(value(answer, "ways/3/growth_from_4_layers"), 1);
  EXPECT_EQ(value(answer, "round_trip/integers"), 0);
}

TEST(TrainingQuestions, AreAnsweredForEveryModelAndSystemAndDrawn) {
  const Catalogue& catalogue = Catalogue::built_in();
  const auto check = [&](const std::string& model, const std::string& system) {
    for (const char* name : questions_here) {
      Json inputs{{"model", model}};
      const std::string_view question = name;
      if (question == "pipeline" || question == "capacity") inputs["system"] = system;
      const Json answer = asked(question, inputs);
      if (answer.contains("error")) {  // a chip whose facts are not known
        EXPECT_NE(answer["error"]["remedy"], "") << model << system;
        continue;
      }
      EXPECT_EQ(test::first_null(answer["answer"]), "") << name << model << system;
      const auto picture = question_named(question)->plot(answer);
      EXPECT_TRUE(picture.has_value()) << name << " " << model << " " << system << ": " << (picture ? "" : picture.error().line());
      EXPECT_FALSE(answer["explain"]["numbers"].empty());
    }
  };
  for (const std::string& model : catalogue.model_names()) check(model, "gb200-nvl72");
  for (const std::string& system : catalogue.system_names()) check("deepseek-ai/DeepSeek-V3", system);
}

TEST(TrainingQuestions, NameWhatIsMissing) {
  EXPECT_EQ(test::refused("lifetime", Json::object()),
            "active_parameters: is missing; give --active_parameters 100e9, or a model that has it");
  EXPECT_EQ(test::refused("reversible", {{"layers", 8}}), "hidden: is missing; give --hidden 8192, or a model that has it");
  EXPECT_EQ(test::refused("capacity", Json::object()),
            "total_parameters: is missing; give --total_parameters 1e12, or a model that has it");
}

}  // namespace
}  // namespace fareline
