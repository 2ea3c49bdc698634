// SPDX-License-Identifier: Apache-2.0
// The question on training runs.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;

double value(const Json& answered, const std::string& path) {
  EXPECT_TRUE(answered.contains("answer")) << answered;
  return answered["answer"].at(Json::json_pointer("/" + path))["value"];
}

const Json llama{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"chips", 64}, {"tp", 8},    {"pp", 2},
                 {"batch", 128},                        {"micro_batch", 1},     {"chunks", 1}, {"recompute", "none"}};

TEST(Train, SaysWhereTheTimeGoesAndSumsItUp) {
  const Json answer = asked("train", llama);
  double sum = 0;
  for (const Json& part : answer["answer"]["goes_to"]) sum += part["time"]["value"].get<double>();
  EXPECT_NEAR(sum / value(answer, "step/time"), 1, 1e-12);
  EXPECT_EQ(test::disorder(answer["answer"]), "");
  EXPECT_NEAR(value(answer, "step/tokens"), 128 * 8192.0, 0);
  EXPECT_LT(value(answer, "mfu"), 1);
}

TEST(Train, ChoosesWhatWasLeftOut) {
  const Json answer = asked("train", {{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"chips", 64}});
  EXPECT_LE(value(answer, "step/time") / value(answer, "step/tokens"),
            value(asked("train", llama), "step/time") / (128 * 8192.0));
  EXPECT_EQ(answer["inputs"]["tp"]["chosen_by"], "fareline");
}

TEST(Train, CostsMoreWithMoreTokensAndFailures) {
  EXPECT_TRUE(rc::check([] {
    const double tokens = 1e12 * *rc::gen::inRange(1, 20);
    const Json less = asked("train", test::with(llama, {{"tokens", tokens}})),
               more = asked("train", test::with(llama, {{"tokens", 2 * tokens}})),
               worse = asked("train", test::with(llama, {{"tokens", tokens}, {"between_failures", "1000 h"}}));
    for (const char* what : {"run/wall", "run/rent", "run/energy"}) {
      RC_ASSERT(std::abs(value(more, what) / value(less, what) - 2) < 1e-3);
      RC_ASSERT(value(worse, what) > value(less, what));
    }
    RC_ASSERT(value(worse, "run/effective") < value(less, "run/effective"));
    RC_ASSERT(value(worse, "run/checkpoint/interval") < value(less, "run/checkpoint/interval"));
  }));
}

TEST(Train, IsAnsweredForEveryModelAndSystemAndDrawn) {
  const Catalogue& catalogue = Catalogue::built_in();
  const auto check = [&](const std::string& model, const std::string& system, int chips) {
    const Json answer = asked("train", {{"model", model},
                                        {"system", system},
                                        {"chips", chips},
                                        {"tp", 1},
                                        {"sequence", 1024},
                                        {"recompute", "full"},
                                        {"micro_batch", 1},
                                        {"sharding", "parameters"},
                                        {"rental", "1 USD/h"},
                                        {"power", "1 kW"}});
    if (answer.contains("error")) {  // a chip or model whose facts are not known
      EXPECT_NE(answer["error"]["remedy"], "") << model << system;
      return;
    }
    EXPECT_EQ(test::first_null(answer["answer"]), "") << model << system;
    if (!answer["answer"]["feasible"].get<bool>()) return;
    const auto picture = question_named("train")->plot(answer);
    EXPECT_TRUE(picture.has_value()) << model << " " << system << ": " << (picture ? "" : picture.error().line());
    EXPECT_FALSE(answer["explain"]["numbers"].empty());
  };
  for (const std::string& model : catalogue.model_names()) check(model, "gb200-nvl72", 72);
  for (const std::string& system : catalogue.system_names()) check("meta-llama/Llama-3.1-8B-Instruct", system, 16);
}

TEST(Train, SaysWhatDoesNotFit) {
  const Json answer = asked("train", {{"model", "meta-llama/Llama-3.1-405B"}, {"system", "hgx-h100"}, {"chips", 8}});
  EXPECT_EQ(answer["answer"]["feasible"], false);
  EXPECT_GT(value(answer, "needed"), value(answer, "available"));
}

TEST(Train, TakesReplicasInPlaceOfChips) {
  Json replicas = llama;
  replicas.erase("chips");
  replicas["dp"] = 4;
  EXPECT_EQ(value(asked("train", replicas), "step/time"), value(asked("train", llama), "step/time"));
  EXPECT_EQ(test::refused("train", test::with(replicas, {{"chips", 128}})),
            "chips: 128 chips are not tp x pp x cp x dp, 64; give the one or the other");
}

TEST(Train, RefusesChipsThatDoNotDivide) {
  EXPECT_EQ(test::refused("train", test::with(llama, {{"chips", 100}})),
            "chips: 100 chips are no multiple of tp x pp x cp, 16; give --chips 96");
}

}  // namespace
}  // namespace fareline
