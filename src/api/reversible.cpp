// SPDX-License-Identifier: Apache-2.0
// The question "reversible": activations kept or rebuilt over depth, and the construction run forwards and back.
#include "perf/reversible.h"

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto reversible_inputs = joined(
    blackboard_model_inputs, in_group("question", std::array<Input, 6>{{
                                                      {.name = "tokens",
                                                       .kind = InputKind::count,
                                                       .value = "8192",
                                                       .reason = "one sequence of a usual training length",
                                                       .summary = "tokens whose activations a chip keeps",
                                                       .least = 1,
                                                       .most = 1e9},
                                                      {.name = "vectors",
                                                       .kind = InputKind::number,
                                                       .value = "34",
                                                       .reason = "34 s b h bytes a layer with FlashAttention: Korthikanti et al. 2022, "
                                                                 "arXiv:2205.05198, equation 1 without its attention scores",
                                                       .summary = "activation bytes of a layer, a token and a unit of width",
                                                       .least = 2,
                                                       .most = 1e4},
                                                      {.name = "segment",
                                                       .kind = InputKind::count,
                                                       .value = "4",
                                                       .reason = "a few layers between checkpoints",
                                                       .summary = "layers between two checkpoints",
                                                       .least = 1,
                                                       .most = 1e6},
                                                      {.name = "width",
                                                       .kind = InputKind::count,
                                                       .value = "64",
                                                       .reason = "enough to mix",
                                                       .summary = "elements of each half of the construction that is run",
                                                       .least = 1,
                                                       .most = 4096},
                                                      {.name = "run_layers",
                                                       .kind = InputKind::count,
                                                       .value = "80",
                                                       .reason = "the lecture's depth",
                                                       .summary = "layers of the construction that is run",
                                                       .least = 0,
                                                       .most = 1000},
                                                      {.name = "seed",
                                                       .kind = InputKind::count,
                                                       .value = "1",
                                                       .reason = "any",
                                                       .summary = "of the inputs and the layers of the construction",
                                                       .least = 0},
                                                  }}));

struct Way {
  Rebuild rebuild;
  std::string_view name;
};
constexpr Way ways[] = {{Rebuild::none, "all kept"},
                        {Rebuild::checkpoints, "checkpoints"},
                        {Rebuild::every_layer, "every layer's input"},
                        {Rebuild::reversible, "reversible"}};

Expected<Json> answer_reversible(Inputs& inputs, const Catalogue& catalogue) {
  const auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  const auto layers = needed(model->layers, "layers", "model", "80");
  if (!layers) return std::unexpected(layers.error());
  const auto hidden = needed(model->hidden, "hidden", "model", "8192");
  if (!hidden) return std::unexpected(hidden.error());
  const double elements = *inputs.number("tokens") * *hidden;
  const auto depth = [&](double l) {
    return Depth{.layers = l,
                 .checkpoints = *inputs.number("segment"),
                 .layer = *inputs.number("vectors") * elements * unit::B,
                 .boundary = 2 * elements * unit::B};
  };
  constexpr double shallow = 4;
  Json rows = Json::array();
  for (const Way& way : ways)
    rows.push_back({{"way", std::string(way.name)},
                    {"activations", plain(kept_activations(way.rebuild, depth(*layers)))},
                    {"growth_from_4_layers",
                     plain(kept_activations(way.rebuild, depth(*layers)) / kept_activations(way.rebuild, depth(shallow)), "1")},
                    {"compute", plain(rebuild_compute(way.rebuild), "1")}});
  const int width = *inputs.count("width"), run_layers = *inputs.count("run_layers");
  const auto seed = static_cast<std::uint64_t>(*inputs.number("seed"));
  const Bytes all = kept_activations(Rebuild::none, depth(*layers)), reversible = kept_activations(Rebuild::reversible, depth(*layers));
  Json answer{{"ways", std::move(rows)},
              {"saved", plain(all - reversible)},
              {"round_trip",
               {{"integers", plain(integer_round_trip_error(width, run_layers, seed), "1")},
                {"fp64", plain(float_round_trip_error(width, run_layers, seed, Width::fp64), "1")},
                {"fp32", plain(float_round_trip_error(width, run_layers, seed, Width::fp32), "1")},
                {"bf16", plain(float_round_trip_error(width, run_layers, seed, Width::bf16), "1")}}}};
  answer["why"] = fmt::format(
      "{} layers keep {} where all is kept and {} where layers are reversible, whatever the depth: inputs are recomputed from outputs, for "
      "a third more compute.",
      number_text(*layers), to_text(all, 3), to_text(reversible, 3));
  answer["change"] =
      "In integers the way back is exact; in floats it loses a rounding a layer, which matters in bfloat16 and hardly in fp32.";
  LineFigure line{.title = "Activations kept over depth",
                  .subtitle = fmt::format("{} tokens of width {}", number_text(*inputs.number("tokens"), 10), number_text(*hidden, 10)),
                  .description = "Activations a chip keeps for the backward pass, over layers, by how they are come by.",
                  .x = {.label = "layers"},
                  .y = {.label = "activations kept", .unit = "B", .scale = "log10"}};
  int colour = 0;
  for (const Way& way : ways) {
    FigureSeries series{.name = std::string(way.name), .colour = colour++};
    for (int i = 1; i <= 40; ++i) {
      const double l = std::max(*layers, shallow) * i / 40;
      if (l < *inputs.number("segment")) continue;
      series.x.push_back(l);
      series.y.push_back(kept_activations(way.rebuild, depth(l)).coherent());
    }
    if (!series.x.empty()) line.series.push_back(std::move(series));
  }
  LineFigure error{.title = "Error of the way back over depth",
                   .subtitle = "largest error of recovered inputs over the largest input; integers: none",
                   .description = "Error of inputs recovered from outputs, by number format, over layers.",
                   .x = {.label = "layers", .scale = "log2"},
                   .y = {.label = "relative error", .scale = "log10"}};
  colour = 0;
  for (const auto& [format, title] : {std::pair{Width::bf16, "bf16"}, {Width::fp32, "fp32"}, {Width::fp64, "fp64"}}) {
    FigureSeries series{.name = title, .colour = colour++};
    for (int l = 1; l <= 128; l *= 2)
      if (const double e = float_round_trip_error(width, l, seed, format); e > 0) {
        series.x.push_back(l);
        series.y.push_back(e);
      }
    if (!series.x.empty()) error.series.push_back(std::move(series));
  }
  Json figures = Json::array();
  if (!line.series.empty()) figures.push_back(to_json(line));
  if (!error.series.empty()) figures.push_back(to_json(error));
  answer["figures"] = std::move(figures);
  const Explained kept{.name = "activations, reversible",
                       .value = plain(reversible),
                       .formula = "2 r + a, r = 2 B tokens hidden, a = vectors tokens hidden",
                       .source = "Gomez et al. 2017, arXiv:1707.04585, table 1; the lecture at 2:12:18",
                       .inputs = {{.name = "all kept", .value = plain(all), .formula = "L a", .source = {}, .inputs = {}}}};
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", Json::array({to_json(kept)})}}}, {"warnings", Json::array()}};
}

}  // namespace

Question reversible_question() {
  return {"reversible",
          "activations kept or rebuilt over depth, and a Feistel network run forwards and back with its error",
          "--layers 80 --hidden 8192",
          reversible_inputs,
          answer_reversible,
          plot_figures};
}

}  // namespace fareline
