// SPDX-License-Identifier: Apache-2.0
// The question "invert": the lecture's figures, prices that "cost" computed, and prices of open models.
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"
#include "api/open_models.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;

double number(const Json& quantity) { return quantity["value"].get<double>(); }

// Gemini 3.1 Pro as the lecture has it: dearer by half beyond 200k tokens, output five times input.
const Json lecture{{"input_price", "5 USD/Mtok"}, {"output_price", "25 USD/Mtok"}, {"above", 200000}, {"input_price_above", "10 USD/Mtok"},
                   {"output_price_above", "37.5 USD/Mtok"}, {"active_parameters", "100G"}, {"hardware_ratio", 300}};

TEST(Invert, OfTheLectureIsItsFigures) {
  const Json a = asked("invert", with(lecture, {{"cached_price", "0.5 USD/Mtok"}, {"write_5min_price", "6.25 USD/Mtok"},
                                                {"fast_price", 6}, {"fast_speed", 2.5}}))["answer"];
  EXPECT_NEAR(number(a["kv"]["middle"]), 100e9 / (300 * 200e3), 1e-9);
  EXPECT_NEAR(number(a["ratios"]["output_over_input"]), 5, 1e-12);
  EXPECT_NEAR(number(a["ratios"]["prefill_crossover"]), 5, 1e-12);
  EXPECT_NEAR(number(a["ratios"]["step_of_output"]), 1.5, 1e-12);
  EXPECT_NEAR(number(a["ratios"]["miss_over_hit"]), 10, 1e-12);
  EXPECT_NEAR(number(a["ratios"]["write_5min_over_input"]), 1.25, 1e-12);
  EXPECT_NEAR(number(a["fast"]["batch_ratio"]), 15, 1e-12);
  EXPECT_NEAR(number(a["fast"]["growing_over_fixed"]), 1.8, 1e-12);
  // Of the length a price steps at, no more is known than half to twice the balance: nothing else is assumed of 100e9 parameters.
  EXPECT_NEAR(number(a["kv"]["high"]) / number(a["kv"]["middle"]), 2, 1e-9);
}

// An hour lies nearest to a disk's 33 minutes or a flash's, and far from HBM's 24 ms: the drain times of the catalogue's tiers.
TEST(Invert, NamesTheTierThatDrainsInTheTimeToLive) {
  const Json tiers = asked("invert", lecture)["answer"]["tiers"];
  ASSERT_EQ(tiers.size(), 2u);
  const auto system = Catalogue::built_in().system("hgx-h100");
  ASSERT_TRUE(system.has_value());
  for (const Json& row : tiers) {
    const double off = std::abs(std::log(number(row["drain"]) / number(row["live"])));
    for (const MemoryTier& tier : system->tiers)
      if (tier.capacity.stated() && tier.bandwidth.stated()) {
        EXPECT_LE(off, std::abs(std::log(tier.capacity.value / tier.bandwidth.value / unit::s / number(row["live"]))) + 1e-9) << tier.name;
      }
  }
}

TEST(Invert, RefusesWhatSaysNothing) {
  EXPECT_EQ(refused("invert", Json::object()).substr(0, 12), "input_price:");
  EXPECT_EQ(refused("invert", {{"input_price", "0 USD/Mtok"}, {"output_price", "1 USD/Mtok"}}),
            "prices: ask nothing for input or for output; what is given away gives nothing away");
  EXPECT_EQ(refused("invert", with(lecture, {{"mfu_low", 0.9}})), "mfu_low: is above mfu_high; write the lower end first");
  EXPECT_EQ(refused("invert", with(lecture, {{"context_above", 300000}})), "context_below: is missing; say what both prices are for");
  EXPECT_EQ(refused("invert", with(lecture, {{"fast_price", 6}})),
            "fast_speed: is missing; say both, e.g. --fast_price 6 --fast_speed 2.5");
  EXPECT_EQ(refused("invert", {{"prices", {{"rows", Json::array()}}}}),
            "prices: offer no model whose configuration is known; give a table with prices of open models");
}

// What "cost" computes for a model, as a price list; and what is true of the model.
struct Composed {
  Json prices;
  double active = 0, kv = 0;
  bool steps = false;  // a longer past is dearer
};

std::optional<Composed> composed(const std::string& model, const std::string& system, int concurrency, int below, int above) {
  constexpr int output = 512;
  const Json base{{"model", model}, {"system", system}, {"concurrency", concurrency}, {"output", output}};
  const Json here = asked("cost", with(base, {{"prompt", below}})), there = asked("cost", with(base, {{"prompt", above}}));
  const Json board = asked("balance", {{"model", model}, {"system", system}});
  for (const Json* a : {&here, &there})
    if (!a->contains("answer") || !(*a)["answer"].value("feasible", false)) return std::nullopt;
  if (!board.contains("inputs") || !board["inputs"].contains("rental")) return std::nullopt;
  const auto price = [](const Json& a, const char* name) { return fmt::format("{} USD/Mtok", number(a["answer"]["price"][name])); };
  const auto read = [&](int context) {
    return number(asked("context", {{"model", model}, {"context", context}})["answer"]["kv"]["read"]);
  };
  const int from = below + output / 2, to = above + output / 2;
  Composed c{.prices = {{"system", system}, {"peak", fmt::format("{} FLOP/s", number(board["inputs"]["peak"]))},
                        {"input_price", price(here, "input")}, {"output_price", price(here, "output")},
                        {"margin_low", 1}, {"margin_high", 1}},
             .active = number(board["inputs"]["active_parameters"]), .kv = (read(to) - read(from)) / (to - from)};
  c.steps = c.kv > 0 && number(there["answer"]["price"]["output"]) > number(here["answer"]["price"]["output"]);
  if (c.steps)
    c.prices.update({{"above", below}, {"output_price_above", price(there, "output")}, {"context_below", from}, {"context_above", to}});
  return c;
}

constexpr std::array systems{"hgx-h100", "gb200-nvl72", "hgx-h200", "mi300x-8", "hgx-b300", "dgx-a100", "mi355x-8"};

// The composition with "cost" over the whole catalogue, each model on one system in turn: four fifths of the ranges hold the model's
// numbers, as they state. The ranges' ends were read off ten systems at 128 users; seven of these are asked here, at other loads.
TEST(Invert, OfPricesThatCostComputesHoldsTheModelAsOftenAsItStates) {
  int active = 0, kv = 0, all = 0, with_kv = 0, at = 0;
  std::string missed;
  for (const std::string& model : Catalogue::built_in().model_names()) {
    const auto c = composed(model, systems[static_cast<std::size_t>(at++) % systems.size()], 96, 3000, 24000);
    if (!c) continue;
    const Json a = asked("invert", c->prices);
    ASSERT_TRUE(a.contains("answer")) << a;
    const auto holds = [&](const char* name, double truth) {
      const Json& range = a["answer"][name];
      const bool inside = number(range["low"]) <= truth && truth <= number(range["high"]);
      if (!inside)
        missed +=
            fmt::format("  {} of {}: {:.3g} not in {:.3g} to {:.3g}\n", name, model, truth, number(range["low"]), number(range["high"]));
      return inside;
    };
    ++all;
    active += holds("active", c->active);
    if (!c->steps) continue;
    ++with_kv;
    kv += holds("kv", c->kv);
  }
  RecordProperty("active", active);
  std::printf("active parameters: %d of %d (%.1f%%), KV bytes: %d of %d (%.1f%%)\n%s", active, all, 100.0 * active / all, kv, with_kv,
              100.0 * kv / with_kv, missed.c_str());
  ASSERT_GT(all, 60);
  EXPECT_GE(active, 0.75 * all);
  EXPECT_LE(active, 0.85 * all);
  EXPECT_GE(kv, 0.75 * with_kv);
  EXPECT_LE(kv, 0.85 * with_kv);
}

// No chip exceeds its peak: whatever the model, system and load, it has no more than the price pays for. Looking a token up multiplies
// nothing, and of a prompt only the last token meets the vocabulary again.
RC_GTEST_PROP(Invert, of_any_price_that_cost_computes_never_bounds_the_model_out, ()) {
  const std::string name = *rc::gen::elementOf(Catalogue::built_in().model_names());
  const auto c = composed(name, *rc::gen::elementOf(Catalogue::built_in().system_names()), *rc::gen::inRange(1, 300),
                          *rc::gen::inRange(100, 8000), *rc::gen::inRange(9000, 60000));
  if (!c) return;
  const auto model = Catalogue::built_in().model(name);
  const double vocabulary = static_cast<double>(model->embedding.parameters() + (model->tied_embeddings ? 0 : model->lm_head.parameters()));
  const Json a = asked("invert", c->prices)["answer"];
  RC_ASSERT(c->active - vocabulary <= number(a["active"]["at_most"]) * (1 + 1e-9));
  if (c->steps) RC_ASSERT(c->kv <= number(a["kv"]["at_most"]) * (1 + 1e-9));
}

// A dearer prompt has more parameters, a dearer output more bytes; a wider margin leaves fewer.
RC_GTEST_PROP(Invert, moves_with_prices_and_margins, ()) {
  const int input = *rc::gen::inRange(1, 1000), output = *rc::gen::inRange(1, 1000), more = *rc::gen::inRange(1, 1000);
  const auto at = [](int in, int out, double margin) {
    return asked("invert", {{"input_price", fmt::format("{} USD/Gtok", in)}, {"output_price", fmt::format("{} USD/Gtok", out)},
                            {"margin_low", margin}, {"margin_high", 2 * margin}})["answer"];
  };
  const Json a = at(input, output, 2), dearer = at(input + more, output + more, 2), wider = at(input, output, 3);
  for (const char* name : {"active", "kv"})
    for (const char* end : {"low", "middle", "high"}) {
      RC_ASSERT(number(dearer[name][end]) > number(a[name][end]));
      RC_ASSERT(number(wider[name][end]) < number(a[name][end]));
    }
}

TEST(OpenModelsNamed, ByProvidersAreTheCatalogues) {
  const OpenModels models(Catalogue::built_in());
  const auto name = [&](const char* offered) { return models.find(offered) ? models.find(offered)->name : std::string("none"); };
  EXPECT_EQ(name("meta.llama3-1-70b-instruct-v1:0"), "meta-llama/Llama-3.1-70B");
  EXPECT_EQ(name("llama-3.1-8b-instant"), "meta-llama/Llama-3.1-8B");
  EXPECT_EQ(name("accounts/fireworks/models/llama-v3p1-405b-instruct"), "meta-llama/Llama-3.1-405B");
  EXPECT_EQ(name("qwen-3-32b"), "Qwen/Qwen3-32B");
  EXPECT_EQ(name("moonshotai/kimi-k2-instruct"), "moonshotai/Kimi-K2-Instruct");
  EXPECT_EQ(name("openai.gpt-oss-120b-1:0"), "openai/gpt-oss-120b");
  EXPECT_EQ(name("deepseek-r1-distill-llama-70b"), "none");
  EXPECT_EQ(name("llama-guard-3-8b"), "none");
  EXPECT_EQ(name("claude-sonnet-4-5"), "none");
}

}  // namespace
}  // namespace fareline
