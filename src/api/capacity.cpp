// SPDX-License-Identifier: Apache-2.0
// The question "capacity": memory per chip over experts and stages, and the price of memory.
#include "economics/capacity.h"

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

constexpr auto capacity_inputs =
    joined(blackboard_model_inputs, blackboard_system_inputs,
           in_group("question", std::array<Input, 9>{{
                                    {.name = "expert_chips",
                                     .kind = InputKind::count,
                                     .reason = "the system's chips over the stages",
                                     .summary = "chips of one stage, which share its experts and its sequences",
                                     .least = 1,
                                     .most = 1e6},
                                    {.name = "stages",
                                     .kind = InputKind::count,
                                     .value = "1",
                                     .reason = "no pipeline",
                                     .summary = "pipeline stages",
                                     .least = 1,
                                     .most = 1e4},
                                    {.name = "micro_batches",
                                     .kind = InputKind::count,
                                     .reason = "as many as stages: the fewest that keep them busy",
                                     .summary = "micro-batches in the pipeline",
                                     .least = 1,
                                     .most = 1e6},
                                    {.name = "sequences",
                                     .kind = InputKind::count,
                                     .value = "2000",
                                     .reason = "the lecture's train (03:19)",
                                     .summary = "sequences of one micro-batch",
                                     .least = 1,
                                     .most = 1e9},
                                    {.name = "context",
                                     .kind = InputKind::count,
                                     .value = "8192",
                                     .reason = "a medium conversation",
                                     .summary = "tokens each sequence has behind it",
                                     .least = 1,
                                     .most = 1e12},
                                    {.name = "pace",
                                     .kind = InputKind::quantity,
                                     .value = "20 ms",
                                     .reason = "the lecture's train (12:58)",
                                     .summary = "most time of a decode step",
                                     .dim = Seconds::dim,
                                     .least = 1e-6,
                                     .most = 1e6},
                                    {.name = "hbm_price",
                                     .kind = InputKind::quantity,
                                     .value = "15 USD/GB",
                                     .reason = "2,900 USD for the 192 GB of a B200: Silicon Analysts, NVIDIA B200 Cost Breakdown, 2026",
                                     .summary = "price of HBM",
                                     .dim = MemoryPrice::dim,
                                     .least = 0},
                                    {.name = "capital",
                                     .kind = InputKind::quantity,
                                     .reason = "the catalogue's for the chip",
                                     .summary = "price of a chip with its share of the server",
                                     .dim = Dollars::dim,
                                     .least = 0.01},
                                    {.name = "hbm_share",
                                     .kind = InputKind::number,
                                     .reason = "hbm_price times capacity over capital",
                                     .summary = "share of a chip's cost that its memory is",
                                     .least = 0,
                                     .most = 1},
                                }}));

constexpr double scales[] = {0.125, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2};

struct Market {
  MemoryMarket market;
  std::string why;  // none where empty
};

// What the price of memory needs; nothing where it is not known.
std::optional<MemoryMarket> market_of(Inputs& inputs, const Catalogue& catalogue, const BlackboardModel& m, const BlackboardSystem& s,
                                      Bytes weights, Bytes sequence) {
  if (!s.hbm_capacity || !s.hbm_bandwidth || !s.peak || !m.active_parameters || !s.rental) return std::nullopt;
  MemoryMarket market{.chips = s.chips.value_or(1),
                      .capacity = *s.hbm_capacity,
                      .bandwidth = *s.hbm_bandwidth,
                      .peak = *s.peak,
                      .weights = weights,
                      .sequence = sequence,
                      .active = *m.active_parameters,
                      .rate = *s.rental,
                      .pace = *inputs.quantity<Seconds>("pace")};
  if (const auto share = inputs.number("hbm_share")) {
    market.memory_share = *share;
    inputs.leave_out("hbm_price");
    return market;
  }
  auto capital = inputs.quantity<Dollars>("capital");
  if (!capital && s.named)
    if (const auto known = catalogue.capital(s.named->chip.name)) {
      capital = known->chip_price;
      inputs.choose("capital", capital->coherent(), "catalogue", known->source);
    }
  if (!capital) return std::nullopt;
  market.memory_share = memory_share(*inputs.quantity<MemoryPrice>("hbm_price"), *s.hbm_capacity, *capital);
  inputs.choose("hbm_share", market.memory_share, "fareline", "hbm_price times capacity over capital");
  return market;
}

Expected<Json> answer_capacity(Inputs& inputs, const Catalogue& catalogue) {
  const auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  const auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  const auto total = needed(model->total_parameters, "total_parameters", "model", "1e12");
  if (!total) return std::unexpected(total.error());
  const auto element = needed(model->bytes_per_parameter, "bytes_per_parameter", "model", "1B");
  if (!element) return std::unexpected(element.error());
  const double stages = *inputs.number("stages"), context = *inputs.number("context");
  if (!inputs.has("micro_batches")) inputs.choose("micro_batches", stages, "fareline", "as many as stages: the fewest that keep them busy");
  if (!inputs.has("expert_chips")) {
    const auto chips = needed(system->chips, "expert_chips", "system", "64");
    if (!chips) return std::unexpected(chips.error());
    if (*chips < stages) return fail("stages", "are more than the chips there are", "give fewer --stages, or --expert_chips");
    inputs.choose("expert_chips", std::floor(*chips / stages), "fareline", "the system's chips over the stages");
  }
  const Bytes weights = *total * *element;
  const Bytes sequence = model->named && !model->kv_given ? sequence_bytes(*model->named, model->named->precision.kv, context)
                         : model->kv_per_token            ? context * unit::token * *model->kv_per_token
                                                          : Bytes{};
  MemorySplit split{.weights = weights,
                    .sequence = sequence,
                    .experts = *inputs.number("expert_chips"),
                    .stages = stages,
                    .in_flight = *inputs.number("sequences"),
                    .micro_batches = *inputs.number("micro_batches")};
  const Bytes weights_here = weights_per_chip(split), kv_here = kv_per_chip(split);
  MemorySplit one = split;
  one.stages = one.micro_batches = 1;
  Json answer{{"model", {{"weights", plain(weights)}, {"sequence", plain(sequence)}}},
              {"chip", {{"weights", plain(weights_here)}, {"kv", plain(kv_here)}, {"total", plain(weights_here + kv_here)}}}};
  if (system->hbm_capacity) answer["chip"]["share_of_memory"] = plain((weights_here + kv_here) / *system->hbm_capacity, "1");
  if (system->chips && system->hbm_capacity) answer["system"] = {{"memory", plain(*system->chips * *system->hbm_capacity)}};
  answer["pipelining"] = {{"weights_over_one_stage", plain(weights_here / weights_per_chip(one), "1")}};
  if (sequence > Bytes{}) answer["pipelining"]["kv_over_one_stage"] = plain(kv_here / kv_per_chip(one), "1");
  Json rows = Json::array(), figures = Json::array();
  FigureSeries by_weights{.name = "weights", .colour = 1}, by_kv{.name = "KV", .colour = 2}, both{.name = "both"};
  for (const double p : {1.0, 2.0, 4.0, 8.0, 16.0}) {
    MemorySplit at = split;
    at.stages = at.micro_batches = p;
    const Bytes w = weights_per_chip(at), kv = kv_per_chip(at);
    rows.push_back({{"stages", plain(p, "1")}, {"weights", plain(w)}, {"kv", plain(kv)}, {"total", plain(w + kv)}});
    for (FigureSeries* s : {&by_weights, &by_kv, &both}) s->x.push_back(p);
    by_weights.y.push_back(w.coherent());
    by_kv.y.push_back(kv.coherent());
    both.y.push_back((w + kv).coherent());
  }
  answer["stages"] = std::move(rows);
  LineFigure memory{.title = "Memory of a chip over the stages",
                    .subtitle = fmt::format("{} chips a stage, as many micro-batches as stages", number_text(split.experts)),
                    .description = "Weights fall as one over the stages; KV stays, because as many micro-batches are in flight.",
                    .x = {.label = "pipeline stages", .scale = "log2"},
                    .y = {.label = "memory of a chip", .unit = "B", .from_zero = true},
                    .series = {both, by_weights, by_kv}};
  if (system->hbm_capacity && *system->hbm_capacity < 4 * (weights_per_chip(one) + kv_per_chip(one)))
    memory.markers.push_back({.vertical = false, .at = system->hbm_capacity->coherent(), .text = "what a chip has"});
  figures.push_back(to_json(memory));
  std::string why = fmt::format("Each chip keeps {} of weights and {} of KV.", to_text(weights_here, 3), to_text(kv_here, 3));
  if (stages > 1)
    why += fmt::format(" {} stages cut the weights to 1/{}, and the KV not at all with as many micro-batches in flight.",
                       number_text(stages), number_text(stages));
  std::string change = "More stages only help while weights are what fills the memory.";
  Json numbers = Json::array();
  numbers.push_back(to_json(Explained{
      .name = "chip.weights", .value = plain(weights_here), .formula = "N b / (E P)", .source = "the lecture at 1:06:25", .inputs = {}}));
  numbers.push_back(to_json(Explained{.name = "chip.kv",
                                      .value = plain(kv_here),
                                      .formula = "m B kv / (E P); m = P: the stages cancel",
                                      .source = "the lecture at 1:11:16",
                                      .inputs = {}}));
  const auto market = sequence > Bytes{} ? market_of(inputs, catalogue, *model, *system, weights, sequence) : std::nullopt;
  if (market) {
    Json points = Json::array();
    std::optional<MemoryPoint> best;
    double best_scale = 0;
    for (const double scale : scales) {
      const MemoryPoint p = at_memory(*market, scale);
      Json row{{"memory", plain(scale * market->capacity)}, {"fits", std::string(p.fits ? "yes" : "no")}, {"rate", plain(p.rate)}};
      if (p.fits) {
        row["sequences"] = plain(p.sequences, "1");
        row["step"] = plain(p.step);
        row["price"] = plain(p.price.coherent() * 1e6, "USD/Mtok");
        if (!best || p.price < best->price) {
          best = p;
          best_scale = scale;
        }
      }
      points.push_back(std::move(row));
    }
    answer["price_of_memory"] = {{"share_of_cost", plain(market->memory_share, "1")}, {"points", std::move(points)}};
    numbers.push_back(to_json(Explained{.name = "price_of_memory.points[].price",
                                        .value = "below",
                                        .formula = "rate (1 - share (1 - s)) chips t / B; B = what memory holds and the pace allows; "
                                                   "t = max(2 N B / F, (W + B kv) / BW)",
                                        .source = "the lecture at 13:52 and 1:01:54; economics/capacity.h: at_memory",
                                        .inputs = {}}));
    const MemoryPoint now = at_memory(*market, 1);
    if (best && now.fits)
      change = fmt::format(
          "Memory is {:.0f}% of the cost; of the sizes tried, {} times what a chip has gives the cheapest token, {:.1f}% under today's.",
          100 * market->memory_share, number_text(best_scale), 100 * (1 - best->price / now.price));
    LineFigure line{.title = "Price of an output token over the memory of a chip",
                    .subtitle = fmt::format("context {}, a step within {}", number_text(context, 10), to_text(market->pace, 3)),
                    .description = "Price of a token: less memory holds fewer sequences, and costs less.",
                    .x = {.label = "memory of a chip", .unit = "B", .from_zero = true},
                    .y = {.label = "price of a token", .unit = "USD/Mtok", .scale = "log10"},
                    .series = {{.name = "at its own cost"}, {.name = "at the same rent", .style = "floor", .colour = 1}}};
    MemoryMarket free = *market;
    free.memory_share = 0;
    for (int i = 1; i <= 100; ++i) {
      const double scale = i / 50.0;
      const MemoryPoint with = at_memory(*market, scale), without = at_memory(free, scale);
      if (!with.fits) continue;
      line.series[0].x.push_back((scale * market->capacity).coherent());
      line.series[0].y.push_back(with.price.coherent() * 1e6);
      line.series[1].x.push_back((scale * market->capacity).coherent());
      line.series[1].y.push_back(without.price.coherent() * 1e6);
    }
    line.markers = {{.at = market->capacity.coherent(), .text = "a chip's own"}};
    if (!line.series[0].x.empty()) figures.push_back(to_json(line));
  } else {
    for (const char* unused : {"pace", "hbm_price"}) inputs.leave_out(unused);
  }
  answer["why"] = why;
  answer["change"] = change;
  answer["figures"] = std::move(figures);
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", Json::array()}};
}

}  // namespace

Question capacity_question() {
  return {"capacity",
          "memory of a chip over experts and stages: what pipelining saves, and what memory costs a token",
          "--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --stages 4 --context 65536 --sequences 512",
          capacity_inputs,
          answer_capacity,
          plot_figures};
}

}  // namespace fareline
