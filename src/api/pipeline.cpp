// SPDX-License-Identifier: Apache-2.0
// The question "pipeline": stages and micro-batches, in inference and in training.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "perf/schedule.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto pipeline_inputs = joined(
    blackboard_model_inputs, blackboard_system_inputs,
    in_group("question", std::array<Input, 14>{{
                             {.name = "pass",
                              .kind = InputKind::choice,
                              .value = "training",
                              .reason = "where the order of work is a choice",
                              .summary = "decode, round and round; or training, forwards and backwards",
                              .choices = "decode,training"},
                             {.name = "stages",
                              .kind = InputKind::count,
                              .value = "4",
                              .reason = "the lecture's four racks (57:22)",
                              .summary = "pipeline stages",
                              .least = 1,
                              .most = 1000},
                             {.name = "micro_batches",
                              .kind = InputKind::count,
                              .reason = "as many as stages in decode, twice as many in training",
                              .summary = "micro-batches in the pipeline, or of one training step",
                              .least = 1,
                              .most = 10000},
                             {.name = "schedule",
                              .kind = InputKind::choice,
                              .value = "1f1b",
                              .reason = "what most trainings run",
                              .summary = "the schedule that is drawn, of training",
                              .choices = "gpipe,1f1b,interleaved,zb-h1,zb-v,dualpipe"},
                             {.name = "chunks",
                              .kind = InputKind::count,
                              .value = "2",
                              .reason = "the fewest that interleave",
                              .summary = "chunks of layers a device has in the interleaved schedule",
                              .least = 2,
                              .most = 64},
                             {.name = "tokens",
                              .kind = InputKind::count,
                              .value = "4096",
                              .reason = "one sequence of a usual training length",
                              .summary = "tokens of a micro-batch; in decode its sequences",
                              .least = 1,
                              .most = 1e9},
                             {.name = "pass_time",
                              .kind = InputKind::quantity,
                              .reason = "from the model and the system; where one is missing the lecture's 20 ms",
                              .summary = "time of a micro-batch forwards through all stages, hops apart",
                              .dim = Seconds::dim,
                              .least = 1e-9,
                              .most = 1e6},
                             {.name = "achieved",
                              .kind = InputKind::number,
                              .value = "0.5",
                              .reason = "44 to 52% of peak: Narayanan et al. 2021, arXiv:2104.04473, table 1",
                              .summary = "share of the peak FLOP/s that multiplies get, where the pass's time is computed",
                              .least = 0.01,
                              .most = 1},
                             {.name = "input_gradient",
                              .kind = InputKind::number,
                              .value = "1",
                              .reason = "as many FLOP as forwards, 2 N a token",
                              .summary = "time of the gradient of inputs, over that of the pass forwards",
                              .least = 0,
                              .most = 100},
                             {.name = "weight_gradient",
                              .kind = InputKind::number,
                              .value = "1",
                              .reason = "as many FLOP as forwards, 2 N a token",
                              .summary = "time of the gradient of weights, over that of the pass forwards",
                              .least = 0,
                              .most = 100},
                             {.name = "overlapped",
                              .kind = InputKind::number,
                              .value = "1",
                              .reason = "nothing saved: compute that overlaps compute",
                              .summary = "time of a forward and a backward together, over one after the other, in dualpipe",
                              .least = 0.5,
                              .most = 1},
                             {.name = "hop",
                              .kind = InputKind::quantity,
                              .reason = "the residual stream over the scale-out links of a stage's chips; nothing where they are not known",
                              .summary = "time from one stage to the next",
                              .dim = Seconds::dim,
                              .least = 0,
                              .most = 1e6},
                             {.name = "layers_per_stage",
                              .kind = InputKind::number,
                              .reason = "the model's layers over the stages",
                              .summary = "layers with experts in a stage, where scale-up is held against scale-out",
                              .least = 0.01,
                              .most = 1e6},
                             {.name = "bandwidth_ratio",
                              .kind = InputKind::number,
                              .reason = "the system's scale-out over its scale-up bandwidth",
                              .summary = "bandwidth of a chip between domains, over that inside one",
                              .least = 1e-6,
                              .most = 1e3},
                         }}));

struct Asked {
  BlackboardModel model;
  BlackboardSystem system;
  PipelineShape shape;
  PieceTimes times;
  bool training = false;
};

Expected<Asked> read_asked(Inputs& inputs, const Catalogue& catalogue) {
  auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  Asked a{.model = std::move(*model), .system = std::move(*system), .training = inputs.text("pass") == "training"};
  const int stages = *inputs.count("stages");
  if (!inputs.has("micro_batches"))
    inputs.choose("micro_batches", a.training ? 2 * stages : stages, "fareline",
                  a.training ? "twice the stages: the least that every schedule takes" : "as many as stages: the least that fill them");
  a.shape = {.stages = stages, .micro_batches = *inputs.count("micro_batches"), .chunks = *inputs.count("chunks")};
  const double tokens = *inputs.number("tokens");
  const BlackboardModel& m = a.model;
  const BlackboardSystem& s = a.system;
  const double chips = s.chips.value_or(1);
  Seconds pass = 20 * unit::ms;
  if (const auto given = inputs.quantity<Seconds>("pass_time")) {
    pass = *given;
    for (const char* unused : {"achieved"}) inputs.leave_out(unused);
  } else if (m.active_parameters && s.peak && (a.training || (m.total_parameters && m.bytes_per_parameter && s.hbm_bandwidth))) {
    const Seconds multiply = 2 * *m.active_parameters * tokens * unit::flop / (*inputs.number("achieved") * chips * *s.peak);
    pass = a.training ? multiply : max(multiply, *m.total_parameters * *m.bytes_per_parameter / (chips * *s.hbm_bandwidth));
    inputs.choose("pass_time", pass.coherent(), "fareline",
                  a.training ? "2 N_active tokens / (achieved peak), all chips"
                             : "the larger of 2 N_active tokens / (achieved peak) and weights / bandwidth, all chips");
  } else {
    inputs.choose("pass_time", pass.coherent(), "fareline", "the lecture's train, 20 ms (12:58): no model and system to compute it from");
    inputs.leave_out("achieved");
  }
  Seconds hop{};
  if (const auto given = inputs.quantity<Seconds>("hop")) {
    hop = *given;
  } else if (m.hidden && s.scale_out_bandwidth && s.scale_out_bandwidth->coherent() > 0) {
    hop = tokens * *m.hidden * 2 * unit::B / (std::max(1.0, chips / stages) * *s.scale_out_bandwidth);
    inputs.choose("hop", hop.coherent(), "fareline", "tokens * hidden * 2 B over the scale-out links of a stage's chips");
  } else {
    inputs.choose("hop", 0, "fareline", "neither a width nor a scale-out bandwidth is known");
  }
  const Seconds forward = pass / stages, input = *inputs.number("input_gradient") * forward,
                weights = *inputs.number("weight_gradient") * forward;
  a.times = {.forward = forward,
             .input_gradient = input,
             .weight_gradient = weights,
             .overlapped = *inputs.number("overlapped") * (forward + input + weights),
             .hop = hop};
  if (!a.training)
    for (const char* unused : {"schedule", "chunks", "input_gradient", "weight_gradient", "overlapped"}) inputs.leave_out(unused);
  return a;
}

// Time scale-up takes over that of scale-out, where the numbers are known.
void boundary(Json& answer, Inputs& inputs, const Asked& a) {
  std::optional<double> ratio = inputs.number("bandwidth_ratio");
  if (!ratio && a.system.scale_up_bandwidth && a.system.scale_out_bandwidth && a.system.scale_up_bandwidth->coherent() > 0)
    ratio = *a.system.scale_out_bandwidth / *a.system.scale_up_bandwidth;
  if (!ratio || !a.model.activated_experts || !(*ratio > 0)) return;
  std::optional<double> layers = inputs.number("layers_per_stage");
  if (!layers && a.model.layers) layers = *a.model.layers / a.shape.stages;
  if (!layers) return;
  if (!inputs.has("layers_per_stage")) inputs.choose("layers_per_stage", *layers, "fareline", "layers over stages");
  if (!inputs.has("bandwidth_ratio")) inputs.choose("bandwidth_ratio", *ratio, "fareline", "scale-out over scale-up bandwidth of a chip");
  constexpr double there_and_back = 2;
  answer["boundary"] = {
      {"scale_up_over_scale_out", plain(scale_up_over_scale_out(*ratio, *a.model.activated_experts, *layers, there_and_back), "1")},
      {"least_layers",
       plain(std::max(1.0, std::ceil(1 / scale_up_over_scale_out(*ratio, *a.model.activated_experts, 1, there_and_back))), "1")}};
}

std::string counted(int n, std::string_view one, std::string_view plural) { return fmt::format("{} {}{}", n, one, n == 1 ? "" : plural); }

std::string_view kind_word(PieceKind kind) {
  switch (kind) {
    case PieceKind::forward: return "forward";
    case PieceKind::backward: return "backward";
    case PieceKind::input_gradient: return "input gradient";
    case PieceKind::weight_gradient: return "weight gradient";
    case PieceKind::overlapped: return "both";
  }
  return {};
}

Json drawn(const ScheduleRow& row, const Asked& a, PipelineShape shape, const std::string& unit_of_rows) {
  const Simulated run = simulate(row.kind, shape, a.times, true);
  TimelineFigure figure{.title = fmt::format("{}: {}, {}", row.name, counted(shape.stages, "stage", "s"),
                                             counted(shape.micro_batches, "micro-batch", "es")),
                        .subtitle = std::string(row.summary),
                        .description = fmt::format("{} against time, a cell for each micro-batch, numbered.", unit_of_rows),
                        .time = {.label = "time", .unit = "s"}};
  for (int d = 0; d < shape.stages; ++d) figure.rows.push_back(fmt::format("{} {}", unit_of_rows, d + 1));
  for (const PieceSlot& s : run.slots) {
    if (!(s.end > s.start)) continue;
    const bool decode = row.kind == ScheduleKind::decode, numbered = s.piece.kind != PieceKind::weight_gradient || row.copies == 1;
    const int number = decode ? s.piece.micro_batch % shape.micro_batches : s.piece.micro_batch;
    figure.slots.push_back(
        {.row = static_cast<std::size_t>(s.device),
         .start = s.start.coherent(),
         .end = s.end.coherent(),
         .text = numbered ? fmt::format("{}", number + 1) : std::string(),
         .kind = decode ? fmt::format("token {}", s.piece.micro_batch / shape.micro_batches + 1) : std::string(kind_word(s.piece.kind))});
  }
  return to_json(figure);
}

constexpr double most_cells = 1500;  // of a picture that can still be read

Expected<Json> decode_answer(Inputs& inputs, const Asked& a) {
  const DecodePipeline d = decode_pipeline(a.shape, a.times.forward, a.times.hop);
  const DecodePipeline without = decode_pipeline(a.shape, a.times.forward, Seconds{});
  Json answer{{"stage_time", plain(a.times.forward)},
              {"hop", plain(a.times.hop)},
              {"token_time", plain(d.token_time)},
              {"unpipelined", plain(d.alone)},
              {"latency_ratio", plain(without.token_time / d.alone, "1")},
              {"hops", plain(a.shape.stages * a.times.hop)},
              {"utilisation", plain(d.utilisation, "1")},
              {"fewest_micro_batches", plain(d.fewest, "1")}};
  boundary(answer, inputs, a);
  answer["why"] = fmt::format(
      "A token passes {} stages of {} each, one after the other, as it would without stages; a stage works {:.0f}% of "
      "the time with {}, and all of it with {}.",
      a.shape.stages, to_text(a.times.forward, 3), 100 * d.utilisation, counted(a.shape.micro_batches, "micro-batch", "es"), d.fewest);
  answer["change"] = "More stages split the weights, not the time of a token; hops add to it, and ask for more micro-batches.";
  PipelineShape shown = a.shape;
  shown.rounds = 3;
  Json figures = Json::array();
  if (1.0 * shown.stages * shown.micro_batches * shown.rounds <= most_cells)
    figures.push_back(drawn(schedule_row(ScheduleKind::decode), a, shown, "rack"));
  LineFigure line{
      .title = "How busy stages are",
      .subtitle = fmt::format("{} stages of {}, hops of {}", a.shape.stages, to_text(a.times.forward, 3), to_text(a.times.hop, 3)),
      .description = "Share of time a stage works, and a token's time, over the micro-batches in the pipeline.",
      .x = {.label = "micro-batches", .counted = ""},
      .y = {.label = "share of time a stage works", .from_zero = true}};
  FigureSeries busy{.name = "utilisation"};
  for (int m = 1; m <= std::max(8, 2 * std::min(d.fewest, 1000)); ++m) {
    busy.x.push_back(m);
    busy.y.push_back(decode_pipeline({.stages = a.shape.stages, .micro_batches = m}, a.times.forward, a.times.hop).utilisation);
  }
  line.series = {busy};
  line.markers = {{.at = 1.0 * std::min(d.fewest, 1000), .text = "full"}};
  figures.push_back(to_json(line));
  answer["figures"] = std::move(figures);
  const ScheduleRow& row = schedule_row(ScheduleKind::decode);
  const Explained token{
      .name = "token_time",
      .value = plain(d.token_time),
      .formula = "max(P (F + h), m F)",
      .source = std::string(row.source),
      .inputs = {{.name = "F", .value = plain(a.times.forward), .formula = "pass_time / stages", .source = {}, .inputs = {}},
                 {.name = "h", .value = plain(a.times.hop), .formula = {}, .source = {}, .inputs = {}}}};
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", Json::array({to_json(token)})}}}, {"warnings", Json::array()}};
}

Expected<Json> answer_pipeline(Inputs& inputs, const Catalogue& catalogue) {
  const auto asked = read_asked(inputs, catalogue);
  if (!asked) return std::unexpected(asked.error());
  const Asked& a = *asked;
  if (!a.training) return decode_answer(inputs, a);
  Json answer{{"stage_time", plain(a.times.forward)}, {"hop", plain(a.times.hop)}};
  boundary(answer, inputs, a);
  Json rows = Json::array(), warnings = Json::array(), numbers = Json::array();
  const std::string wanted = inputs.text("schedule");
  const ScheduleRow* chosen = nullptr;
  std::string best;
  Seconds chosen_time{}, least{};
  double chosen_share = 0;
  for (const ScheduleRow& row : schedules()) {
    if (row.kind == ScheduleKind::decode) continue;
    if (const std::string_view why = row.refuses(a.shape); !why.empty()) {
      if (row.name == wanted)
        return fail("schedule", fmt::format("{} cannot run with {}", row.name, why),
                    fmt::format("give --micro_batches {}, or another --schedule", 2 * a.shape.stages));
      warnings.push_back(fmt::format("{} is left out: it cannot run with {}", row.name, why));
      continue;
    }
    const Simulated run = simulate(row.kind, a.shape, a.times);
    const Seconds formula = row.bubble(a.shape, a.times);
    const double share = run.span.coherent() > 0 ? run.bubble / run.span : 0;
    rows.push_back({{"schedule", std::string(row.name)},
                    {"time", plain(run.time)},
                    {"bubble", plain(run.bubble)},
                    {"bubble_by_formula", plain(formula)},
                    {"exact", std::string(row.exact(a.shape, a.times) ? "yes" : "no")},
                    {"idle", plain(share, "1")},
                    {"activations", plain(run.activations, "1")},
                    {"until_weights", plain(run.until_weights, "1")},
                    {"parameters", plain(row.copies, "1")}});
    numbers.push_back(to_json(Explained{.name = fmt::format("bubble of {}", row.name),
                                        .value = plain(formula),
                                        .formula = std::string(row.equation),
                                        .source = fmt::format("{}. Assumes: {}", row.source, row.assumes),
                                        .inputs = {}}));
    if (best.empty() || run.time < least) {
      best = row.name;
      least = run.time;
    }
    if (row.name == wanted) {
      chosen = &row;
      chosen_time = run.time;
      chosen_share = share;
    }
  }
  answer["schedules"] = std::move(rows);
  answer["why"] = fmt::format("Under {} a device idles {:.1f}% of its {}: the first waits for the last, there and back.", wanted,
                              100 * chosen_share, to_text(chosen_time, 4));
  answer["change"] = best == wanted ? fmt::format("No schedule here takes less; more micro-batches than {} would.", a.shape.micro_batches)
                                    : fmt::format("{} takes {}, {:.1f}% less.", best, to_text(least, 4), 100 * (1 - least / chosen_time));
  Json figures = Json::array();
  if (6.0 * a.shape.stages * a.shape.micro_batches <= most_cells) figures.push_back(drawn(*chosen, a, a.shape, "rack"));
  LineFigure line{.title = "What a device idles",
                  .subtitle = fmt::format("{} stages; bubble over a step's time, by formula", a.shape.stages),
                  .description = "Share of a step in which a device has nothing to do, by schedule, over the micro-batches of a step.",
                  .x = {.label = "micro-batches of a step", .scale = "log2"},
                  .y = {.label = "share of time idle", .from_zero = true}};
  int colour = 0;
  for (const ScheduleRow& row : schedules()) {
    if (row.kind == ScheduleKind::decode || row.kind == ScheduleKind::gpipe) continue;
    FigureSeries series{.name = row.kind == ScheduleKind::one_f_one_b ? "gpipe, 1f1b" : std::string(row.name), .colour = colour++};
    for (int doublings = 1; doublings <= 6; ++doublings) {
      PipelineShape shape = a.shape;
      shape.micro_batches = std::max(1, a.shape.stages) << doublings;
      if (!row.refuses(shape).empty()) continue;
      const Seconds bubble = max(row.bubble(shape, a.times), Seconds{});
      const Seconds work = shape.micro_batches * (a.times.forward + a.times.input_gradient + a.times.weight_gradient);
      series.x.push_back(shape.micro_batches);
      series.y.push_back(bubble / (bubble + work));
    }
    if (!series.x.empty()) line.series.push_back(std::move(series));
  }
  figures.push_back(to_json(line));
  answer["figures"] = std::move(figures);
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question pipeline_question() {
  return {"pipeline",
          "stages and micro-batches: what waits, what is held, what a hop adds, drawn rack against time",
          "--stages 4 --micro_batches 8 --schedule zb-h1",
          pipeline_inputs,
          answer_pipeline,
          plot_figures};
}

}  // namespace fareline
