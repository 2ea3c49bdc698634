// SPDX-License-Identifier: Apache-2.0
#include "api/blackboard.h"

#include <gtest/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::Json;

constexpr auto table = joined(blackboard_model_inputs, blackboard_system_inputs);
constexpr Question question{.name = "blackboard", .summary = "", .example = "", .inputs = table, .answer = nullptr};

struct Board {
  Inputs inputs;
  Expected<BlackboardModel> model;
  Expected<BlackboardSystem> system;
};

Board read(const Json& given) {
  Inputs inputs = *Inputs::read(question, given);
  auto model = blackboard_model(inputs, Catalogue::built_in());
  auto system = model ? blackboard_system(inputs, Catalogue::built_in(), *model) : std::unexpected(model.error());
  return {std::move(inputs), std::move(model), std::move(system)};
}

// DeepSeek-V3's published figures: 671e9 parameters, 37e9 active, 61 layers of width 7168, 8 of 256 experts, 128 heads; weights in
// FP8 but for embeddings and head in 16 bits; latents of 512 + 64 elements.
TEST(Blackboard, ReadsANamedModelAndSystem) {
  const Board board = read({{"model", "deepseek-ai/DeepSeek-V3"}, {"system", "gb200-nvl72"}});
  ASSERT_TRUE(board.model.has_value());
  const BlackboardModel& m = *board.model;
  EXPECT_NEAR(*m.total_parameters, 671e9, 1e9);
  EXPECT_NEAR(*m.active_parameters, 37e9, 1e9);
  EXPECT_EQ(*m.layers, 61);
  EXPECT_EQ(*m.hidden, 7168);
  EXPECT_EQ(*m.heads, 128);
  EXPECT_EQ(*m.routed_experts, 256);
  EXPECT_EQ(*m.activated_experts, 8);
  EXPECT_NEAR(m.kv_per_token->in(unit::B / unit::token), 61 * (512 + 64) * 2, 1);
  EXPECT_NEAR(m.bytes_per_parameter->in(unit::B), 1.0, 0.01);
  EXPECT_EQ(*board.system->domain, 72);
  EXPECT_EQ(*board.system->chips, 72);
  EXPECT_EQ(board.inputs.chosen_by("layers"), "model file");
  EXPECT_EQ(board.inputs.chosen_by("hbm_bandwidth"), "catalogue");
}

TEST(Blackboard, TakesWhatIsGivenInPlaceOfWhatIsNamed) {
  const Board board = read({{"model", "deepseek-ai/DeepSeek-V3"}, {"activated_experts", 32}, {"kv_per_token", "2048 B/tok"},
                            {"system", "hgx-h100"}, {"hbm_bandwidth", "8 TB/s"}, {"domain", 72}});
  EXPECT_EQ(*board.model->activated_experts, 32);
  EXPECT_EQ(*board.model->routed_experts, 256);
  EXPECT_TRUE(board.model->kv_given);
  EXPECT_EQ(board.model->kv_per_token->in(unit::B / unit::token), 2048);
  EXPECT_EQ(board.system->hbm_bandwidth->in(unit::TB / unit::s), 8);
  EXPECT_EQ(*board.system->domain, 72);
  EXPECT_EQ(*board.system->chips, 8);
  EXPECT_EQ(board.inputs.chosen_by("activated_experts"), "you");
}

TEST(Blackboard, StandsOnBareNumbers) {
  const Board board = read({{"total_parameters", "700G"}, {"active_parameters", "37G"}, {"bytes_per_parameter", "0.5 B"},
                            {"chips", 72}, {"peak", "10 PFLOP/s"}, {"hbm_bandwidth", "8 TB/s"}});
  EXPECT_EQ(*board.model->total_parameters, 700e9);
  EXPECT_FALSE(board.model->named);
  EXPECT_FALSE(board.model->layers.has_value());
  EXPECT_NEAR(*board.system->hardware_ratio, 312.5, 1e-9);  // 5e15 multiplies/s x 0.5 B / 8e12 B/s
}

TEST(Blackboard, MultipliesBareParametersInTheFormatOfTheirWidth) {
  const auto peak = [](const char* bytes) { return *read({{"bytes_per_parameter", bytes}, {"system", "hgx-b200"}}).system->peak; };
  EXPECT_GT(peak("0.5 B"), peak("1 B"));
  EXPECT_GT(peak("1 B"), peak("2 B"));
}

TEST(Blackboard, SaysWhatMayBeGiven) {
  const Board board = read(Json::object());
  const auto layers = needed(board.model->layers, "layers", "model", "61");
  ASSERT_FALSE(layers.has_value());
  EXPECT_EQ(layers.error().line(), "layers: is missing; give --layers 61, or a model that has it");
  EXPECT_FALSE(read({{"total_parameters", 5}, {"active_parameters", 6}}).model.has_value());
  EXPECT_FALSE(read({{"routed_experts", 5}, {"activated_experts", 6}}).model.has_value());
  EXPECT_FALSE(read({{"system", "hgx-h1000"}}).system.has_value());
}

}  // namespace
}  // namespace fareline
