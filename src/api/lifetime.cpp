// SPDX-License-Identifier: Apache-2.0
// The question "lifetime": pre-training, RL and inference of one model, and how much of each costs least.
#include "economics/lifetime.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "units/elementary.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto lifetime_inputs =
    joined(blackboard_model_inputs,
           in_group("question", std::array<Input, 12>{{
                                    {.name = "serve_rate",
                                     .kind = InputKind::quantity,
                                     .value = "50 Mtok/s",
                                     .reason = "a tenth of a large provider's 500 million tokens a second: the lecture at 1:30:11",
                                     .summary = "tokens the model serves a second, all systems together",
                                     .dim = TokenRate::dim,
                                     .least = 0,
                                     .most = 1e15},
                                    {.name = "life",
                                     .kind = InputKind::quantity,
                                     .value = "60.88 days",
                                     .reason = "two months of 30.44 days until the next model: the lecture at 1:30:11",
                                     .summary = "time the model is served",
                                     .dim = Seconds::dim,
                                     .least = 1,
                                     .most = 1e11},
                                    {.name = "chance",
                                     .kind = InputKind::number,
                                     .value = "1",
                                     .reason = "certain to be served",
                                     .summary = "chance that the model is at the frontier and is served at all",
                                     .least = 0.001,
                                     .most = 1},
                                    {.name = "inference_efficiency",
                                     .kind = InputKind::number,
                                     .value = "0.3333333333333333",
                                     .reason = "a third of training's MFU: the lecture at 1:26:05",
                                     .summary = "MFU of inference over that of pre-training",
                                     .least = 1e-4,
                                     .most = 10},
                                    {.name = "rl_efficiency",
                                     .kind = InputKind::number,
                                     .value = "0.3",
                                     .reason = "the lecture at 1:25:44",
                                     .summary = "MFU of RL over that of pre-training",
                                     .least = 1e-4,
                                     .most = 10},
                                    {.name = "rl_trained",
                                     .kind = InputKind::number,
                                     .value = "0",
                                     .reason = "every rollout generated and none trained on: the cheap end, 2 N D of 2 to 6",
                                     .summary = "share of RL rollouts that are trained on",
                                     .least = 0,
                                     .most = 1},
                                    {.name = "rl_share",
                                     .kind = InputKind::number,
                                     .value = "1",
                                     .reason = "as much as pre-training: the lecture's equal costs",
                                     .summary = "cost of RL over that of pre-training, where the law's minimum is sought",
                                     .least = 0,
                                     .most = 1000},
                                    {.name = "pretraining",
                                     .kind = InputKind::quantity,
                                     .reason = "as many as equal costs ask for",
                                     .summary = "tokens of pre-training",
                                     .dim = Tokens::dim,
                                     .least = 1e6,
                                     .most = 1e18},
                                    {.name = "law",
                                     .kind = InputKind::choice,
                                     .value = "besiroglu",
                                     .reason = "the refit of Hoffmann et al.'s own points, which agrees with their other two approaches",
                                     .summary = "the scaling law of the loss",
                                     .choices = "besiroglu,chinchilla,chinchilla_rounded"},
                                    {.name = "sparsity_exponent",
                                     .kind = InputKind::number,
                                     .value = "0.302",
                                     .reason = "64 experts, 370M active, worth 1.3B dense: the lecture at 29:44",
                                     .summary = "effective parameters = active (total / active)^this",
                                     .least = 0,
                                     .most = 1},
                                    {.name = "falling",
                                     .kind = InputKind::number,
                                     .reason = "none: the heuristic is not asked for by itself",
                                     .summary = "a of a/x + b x, whose minimum lies where both are equal",
                                     .least = 1e-12},
                                    {.name = "rising",
                                     .kind = InputKind::number,
                                     .reason = "none: the heuristic is not asked for by itself",
                                     .summary = "b of a/x + b x",
                                     .least = 1e-12},
                                }}));

const ScalingLaw& law_named(std::string_view name) {
  const auto laws = scaling_laws();
  return *std::find_if(laws.begin(), laws.end(), [&](const ScalingLaw& law) { return law.name == name; });
}

Json of(const CheapestLife& life) {
  return {{"parameters", plain(life.parameters, "1")},
          {"tokens", plain(life.tokens)},
          {"tokens_per_parameter", plain(life.tokens.in(unit::token) / life.parameters, "1")},
          {"over_chinchilla", plain(life.tokens.in(unit::token) / (chinchilla_tokens * life.parameters), "1")},
          {"pretraining", plain(life.pretraining)},
          {"rl", plain(life.rl)},
          {"inference", plain(life.inference)},
          {"total", plain(life.total)}};
}

Json figure_of(const ScalingLaw& law, const Life& life, double worth, double target, const CheapestLife& least, double asked) {
  LineFigure figure{.title = "Cost of a model's life over its size",
                    .subtitle = fmt::format("every model reaches a loss of {:.3f} ({} law)", target, law.name),
                    .description = "Pre-training, RL, inference and their sum, over active parameters, at one loss.",
                    .x = {.label = "active parameters", .counted = "", .scale = "log10"},
                    .y = {.label = "FLOP at training's efficiency", .unit = "FLOP", .scale = "log10"}};
  FigureSeries total{.name = "a life"}, pretraining{.name = "pre-training", .style = "floor", .colour = 1},
      rl{.name = "RL", .style = "floor", .colour = 2}, inference{.name = "inference", .style = "floor", .colour = 3};
  const double first = std::min(least.parameters, asked) / 6, last = std::max(least.parameters, asked) * 30;
  for (int i = 0; i <= 160; ++i) {
    const double n = first * power(last / first, i / 160.0);
    const auto at = life_of(law, life, n, worth, target);
    if (!at || at->total > 300 * least.total) continue;
    for (FigureSeries* s : {&total, &pretraining, &rl, &inference}) s->x.push_back(n);
    total.y.push_back(at->total.coherent());
    pretraining.y.push_back(at->pretraining.coherent());
    rl.y.push_back(at->rl.coherent());
    inference.y.push_back(at->inference.coherent());
  }
  figure.series = {total, pretraining};
  if (life.rl_share > 0 && life.rl_share != 1) figure.series.push_back(rl);
  if (life.rl_share == 1) figure.series[1].name = "pre-training, and RL";
  if (life.inference > Tokens{}) figure.series.push_back(inference);
  figure.markers = {{.at = least.parameters, .text = "least"}, {.at = asked, .text = "asked"}};
  return to_json(figure);
}

Expected<Json> answer_lifetime(Inputs& inputs, const Catalogue& catalogue) {
  const auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  const auto active = needed(model->active_parameters, "active_parameters", "model", "100e9");
  if (!active) return std::unexpected(active.error());
  const Tokens served = *inputs.quantity<TokenRate>("serve_rate") * *inputs.quantity<Seconds>("life");
  const double chance = *inputs.number("chance");
  const Life life{.inference = chance * served,
                  .inference_efficiency = *inputs.number("inference_efficiency"),
                  .rl_trained = *inputs.number("rl_trained"),
                  .rl_efficiency = *inputs.number("rl_efficiency"),
                  .rl_share = *inputs.number("rl_share")};
  const ScalingLaw& law = law_named(inputs.text("law"));
  const double sparsity = model->total_parameters ? *model->total_parameters / *active : 1;
  const double worth = effective_parameters(*active, sparsity, *inputs.number("sparsity_exponent")) / *active;
  const EqualCosts equal = equal_costs(life, *active);
  Tokens pretraining = inputs.quantity<Tokens>("pretraining").value_or(equal.pretraining);
  if (!inputs.has("pretraining")) {
    if (!(pretraining > Tokens{}))
      return fail("serve_rate", "nobody is served, so that equal costs ask for no training", "give --pretraining");
    inputs.choose("pretraining", pretraining.coherent(), "fareline", "6 N D = 2 N D_inference / efficiency: equal costs");
  }
  const Tokens chinchilla = chinchilla_tokens * *active * unit::token;
  Json answer{
      {"per_parameter", {{"training", plain(training_flop)}, {"forward", plain(forward_flop)}}},
      {"token_cost", {{"rl", plain(rl_token_cost(life), "1")}, {"inference", plain(inference_token_cost(life), "1")}}},
      {"served", plain(served)},
      {"equal_costs",
       {{"pretraining", plain(equal.pretraining)}, {"rl", plain(equal.rl)}, {"each", plain(equal.each)}, {"total", plain(equal.total)}}},
      {"chinchilla", {{"tokens", plain(chinchilla)}, {"overtraining", plain(pretraining / chinchilla, "1")}}},
      {"sparsity", {{"effective_parameters", plain(worth * *active, "1")}, {"over_active", plain(worth, "1")}}}};
  if (inputs.has("falling") || inputs.has("rising")) {
    const auto a = needed(inputs.number("falling"), "falling", "rising", "4"),
               b = needed(inputs.number("rising"), "rising", "falling", "1");
    if (!a) return std::unexpected(a.error());
    if (!b) return std::unexpected(b.error());
    const double x = equal_costs_minimum(*a, *b);
    answer["heuristic"] = {{"minimum", plain(x, "1")}, {"falling", plain(*a / x, "1")}, {"rising", plain(*b * x, "1")}};
  }
  const double target = loss(law, worth * *active, pretraining);
  const auto here = life_of(law, life, *active, worth, target);
  const auto least = cheapest_life(law, life, worth, target);
  if (!here || !least) return fail("law", "no model reaches the loss asked for", "give fewer --pretraining tokens");
  answer["loss"] = plain(target, "1");
  answer["as_asked"] = of(*here);
  answer["least"] = of(*least);
  answer["least"]["law_optimal_tokens"] = plain(optimal_tokens(law, worth * least->parameters));
  answer["saving"] = plain(1 - least->total / here->total, "1");
  Json rows = Json::array();
  for (const double p : {1.0, 0.5, 0.2, 0.1}) {
    Life derated = life;
    derated.inference = p * served;
    const auto best = cheapest_life(law, derated, worth, target);
    if (!best) continue;
    rows.push_back({{"chance", plain(p, "1")},
                    {"equal_costs_tokens", plain(equal_costs(derated, *active).pretraining)},
                    {"least_parameters", plain(best->parameters, "1")},
                    {"least_tokens", plain(best->tokens)},
                    {"over_chinchilla", plain(best->tokens.in(unit::token) / (chinchilla_tokens * best->parameters), "1")}});
  }
  answer["frontier"] = std::move(rows);
  answer["why"] = fmt::format(
      "{} served cost as much as {} of pre-training, {} times the compute-optimal count; for the same loss the law's least is {} "
      "active parameters on {}, {:.0f}% cheaper over the life.",
      to_text(life.inference, 3), to_text(equal.pretraining, 3), number_text(equal.pretraining / chinchilla, 3),
      number_text(least->parameters, 3), to_text(least->tokens, 3), 100 * (1 - least->total / here->total));
  answer["change"] =
      "More served tokens or dearer ones ask for a smaller model trained longer; a chance of not being at the frontier derates what is "
      "served, and asks for less.";
  answer["figures"] = Json::array({figure_of(law, life, worth, target, *least, *active)});
  const Explained minimum{.name = "least.total",
                          .value = plain(least->total),
                          .formula = "minimum over N of (1 + r) 6 N D(N) + 2 N D_inf / e, D(N) = (B / (L - E - A (w N)^-alpha))^(1/beta)",
                          .source = std::string(law.source) + "; Sardana et al. 2023, arXiv:2401.00448",
                          .inputs = {{.name = "L",
                                      .value = plain(target, "1"),
                                      .formula = "E + A (w N)^-alpha + B D^-beta of what was asked",
                                      .source = {},
                                      .inputs = {}},
                                     {.name = "w",
                                      .value = plain(worth, "1"),
                                      .formula = "(total / active)^exponent",
                                      .source = "Clark et al. 2022, arXiv:2202.01169",
                                      .inputs = {}}}};
  const Explained rule{.name = "equal_costs.pretraining",
                       .value = plain(equal.pretraining),
                       .formula = "2 D_inf / (6 e)",
                       .source = "the lecture at 1:20:22 to 1:28",
                       .inputs = {}};
  return Json{{"answer", std::move(answer)},
              {"explain", {{"numbers", Json::array({to_json(rule), to_json(minimum)})}}},
              {"warnings", Json::array()}};
}

}  // namespace

Question lifetime_question() {
  return {"lifetime",
          "pre-training, RL and inference of one model's life, and how much of each costs least",
          "--active_parameters 100e9 --serve_rate 50Mtok/s --life 60.88days",
          lifetime_inputs,
          answer_lifetime,
          plot_figures};
}

}  // namespace fareline
