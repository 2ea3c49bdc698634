// SPDX-License-Identifier: Apache-2.0
// The question "departures": passes as trains that leave on time.
#include "perf/departures.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "perf/balance.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto departures_inputs = joined(
    blackboard_model_inputs, blackboard_system_inputs,
    in_group("question", std::array<Input, 6>{{
                             {.name = "interval",
                              .kind = InputKind::quantity,
                              .reason = "the time to read the whole memory once",
                              .summary = "time between two passes",
                              .dim = Seconds::dim,
                              .least = 1e-9,
                              .most = 1e6},
                             {.name = "batch",
                              .kind = InputKind::count,
                              .reason = "where weight fetch equals multiply, of a model and system that tell it",
                              .summary = "sequences of one pass",
                              .least = 1,
                              .most = 1e7},
                             {.name = "ride",
                              .kind = InputKind::count,
                              .value = "1",
                              .reason = "the lecture's train: everybody leaves after one pass",
                              .summary = "passes a request rides: its output tokens; so many times fewer seats come free a pass",
                              .least = 1,
                              .most = 1e6},
                             {.name = "rate",
                              .kind = InputKind::quantity,
                              .reason = "from the load",
                              .summary = "requests a second that arrive at random",
                              .dim = Frequency::dim,
                              .least = 1e-9},
                             {.name = "load",
                              .kind = InputKind::number,
                              .value = "0.8",
                              .reason = "a fleet with a daily cycle, half filled with batch work",
                              .summary = "arrivals over the seats that come free, where no rate is given",
                              .least = 1e-6,
                              .most = 1},
                             {.name = "provider_traffic",
                              .kind = InputKind::quantity,
                              .value = "200e6 tok/s",
                              .reason = "hundreds of millions, as Gemini's announcements said; the lecture at 27:33",
                              .summary = "tokens a second of a whole provider",
                              .dim = TokenRate::dim,
                              .least = 1e-3,
                              .most = 1e15},
                         }}));

Json queue_of(const Trains& trains, const Platform& steady) {
  return {{"load", plain(trains.load(), "1")},
          {"seats_a_pass", plain(trains.seats, "1")},
          {"mean", plain(mean_wait(trains, steady))},
          {"p50", plain(wait_percentile(trains, steady, 0.5))},
          {"p90", plain(wait_percentile(trains, steady, 0.9))},
          {"p99", plain(wait_percentile(trains, steady, 0.99))},
          {"left_behind", plain(steady.mean_left, "1")},
          {"missed_share", plain(wait_exceeds(trains, steady, trains.interval), "1")}};
}

// Who comes when, and which train he takes: one who just misses a train, one who is just in time, one for whom there is no seat.
Json timetable(Seconds interval) {
  const double t = interval.in(unit::s);
  TimelineFigure figure{.title = "A pass leaves every interval, full or not",
                        .subtitle = "who just missed one waits a whole interval, then rides one",
                        .description = "Passes after one another, and three passengers' waits and rides.",
                        .time = {.label = "time", .unit = "s"},
                        .rows = {"system", "just missed", "just in time", "no seat left"}};
  for (int pass = 0; pass < 5; ++pass)
    figure.slots.push_back({.row = 0, .start = pass * t, .end = (pass + 1) * t, .text = fmt::format("pass {}", pass), .kind = "pass"});
  const auto passenger = [&](std::size_t row, double from, int train) {
    figure.slots.push_back({.row = row, .start = from * t, .end = train * t, .text = "waits", .kind = "waiting"});
    figure.slots.push_back({.row = row, .start = train * t, .end = (train + 1) * t, .text = "rides", .kind = "riding"});
  };
  passenger(1, 1.02, 2);
  passenger(2, 1.9, 2);
  passenger(3, 1.5, 3);
  return to_json(figure);
}

Json wait_over_load(const Trains& trains) {
  LineFigure figure{.title = "Waiting for a train over the load",
                    .subtitle = fmt::format("{} seats come free a pass", number_text(trains.seats)),
                    .description = "Mean and percentiles of the wait against arrivals over seats.",
                    .x = {.label = "load", .counted = ""},
                    .y = {.label = "wait", .unit = "s", .scale = "log10"},
                    .series = {{.name = "mean", .colour = 0}, {.name = "median", .colour = 1}, {.name = "99th percentile", .colour = 2}},
                    .markers = {{.vertical = false, .at = trains.interval.in(unit::s), .text = "one interval"}}};
  for (const double load : {0.05, 0.2, 0.35, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99}) {
    Trains other = trains;
    other.rate = load * trains.seats / trains.interval;
    const Platform steady = platform(other);
    for (FigureSeries& series : figure.series) series.x.push_back(load);
    figure.series[0].y.push_back(mean_wait(other, steady).in(unit::s));
    figure.series[1].y.push_back(wait_percentile(other, steady, 0.5).in(unit::s));
    figure.series[2].y.push_back(wait_percentile(other, steady, 0.99).in(unit::s));
  }
  return to_json(figure);
}

Expected<Json> answer_departures(Inputs& inputs, const Catalogue& catalogue) {
  const auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  const auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  Json answer;
  Json numbers = Json::array(), warnings = Json::array();
  std::optional<Seconds> natural;
  if (system->hbm_capacity && system->hbm_bandwidth) {
    natural = memory_drain_time(*system->hbm_capacity, *system->hbm_bandwidth);
    numbers.push_back(to_json(Explained{.name = "interval.natural",
                                        .value = plain(*natural),
                                        .formula = "hbm_capacity / hbm_bandwidth",
                                        .source = "the lecture at 24:17; perf/departures.h: memory_drain_time",
                                        .inputs = {{.name = "hbm_capacity", .value = plain(*system->hbm_capacity)},
                                                   {.name = "hbm_bandwidth", .value = plain(*system->hbm_bandwidth)}}}));
  }
  std::optional<Seconds> given = inputs.quantity<Seconds>("interval");
  if (!given && natural) inputs.choose("interval", natural->coherent(), "fareline", "the time to read the whole memory once");
  const auto interval = needed(given ? given : natural, "interval", "system", "\"20 ms\"");
  if (!interval) return std::unexpected(interval.error());
  answer["interval"] = {{"used", plain(*interval)}};
  if (natural) answer["interval"]["natural"] = plain(*natural);
  answer["latency"] = {{"worst", plain(worst_latency(*interval))}};
  numbers.push_back(to_json(Explained{.name = "latency.worst",
                                      .value = plain(worst_latency(*interval)),
                                      .formula = "2 T",
                                      .source = "the lecture at 23:15; perf/departures.h: worst_latency"}));
  if (system->rental) {
    answer["cost"] = {{"pass_of_a_chip", plain(*system->rental * *interval)}};
    if (system->chips) answer["cost"]["pass"] = plain(*system->rental * *system->chips * *interval);
  }
  Json figures = Json::array({timetable(*interval)});
  std::string why = fmt::format(
      "A pass leaves every {}: who just misses one waits that long and rides as long again, {} at worst while trains "
      "have seats.",
      to_text(*interval, 3), to_text(worst_latency(*interval), 3));
  std::string change = "Faster memory, or less of it, shortens the natural interval; a longer one would only read the same memory twice.";
  std::optional<double> batch = inputs.number("batch");
  const auto sparsity =
      model->total_parameters && model->active_parameters ? std::optional(*model->total_parameters / *model->active_parameters)
      : model->routed_experts && model->activated_experts ? std::optional(*model->routed_experts / *model->activated_experts)
                                                          : std::nullopt;
  if (!batch && system->hardware_ratio && sparsity) {
    batch = std::round(balanced_batch(*system->hardware_ratio, *sparsity));
    inputs.choose("batch", *batch, "fareline", "where weight fetch equals weight multiply");
  }
  if (batch) {
    const TokenRate tokens = pass_throughput(*batch, *interval), traffic = *inputs.quantity<TokenRate>("provider_traffic");
    answer["throughput"] = {{"tokens", plain(tokens)}, {"share_of_provider", plain(tokens / traffic, "1")}};
    numbers.push_back(
        to_json(Explained{.name = "throughput.tokens",
                          .value = plain(tokens),
                          .formula = "B / T",
                          .source = "the lecture at 26:53; perf/departures.h: pass_throughput",
                          .inputs = {{.name = "B", .value = plain(*batch, "tok")}, {.name = "T", .value = plain(*interval)}}}));
    const double ride = inputs.number("ride").value_or(1);
    if (ride > *batch) return fail("ride", "is longer than the batch: not one seat comes free a pass", "write at most the batch");
    Trains trains{.interval = *interval, .seats = std::floor(*batch / ride)};
    const auto rate = inputs.quantity<Frequency>("rate");
    trains.rate = rate ? *rate : *inputs.number("load") * trains.seats / *interval;
    if (rate) inputs.leave_out("load");
    else inputs.choose("rate", trains.rate.coherent(), "fareline", "the load's share of the seats that come free");
    why += fmt::format(" {} seats a pass are {}, {} of the provider's traffic.", number_text(*batch), to_text(tokens, 3),
                       number_text(tokens / traffic, 2));
    if (trains.load() < 1) {
      const Platform steady = platform(trains);
      answer["wait"] = queue_of(trains, steady);
      if (steady.approximate) warnings.push_back("so near to full the wait is that of its exponential limit (Kingman 1962)");
      why += fmt::format(" At a load of {} a passenger waits {} on average, {} at the 99th percentile.", number_text(trains.load(), 3),
                         to_text(mean_wait(trains, steady), 3), to_text(wait_percentile(trains, steady, 0.99), 3));
      numbers.push_back(to_json(Explained{.name = "wait.mean",
                                          .value = plain(mean_wait(trains, steady)),
                                          .formula = "T/2 + E W / rate",
                                          .source = "Bailey 1954; perf/departures.h: platform, mean_wait",
                                          .inputs = {{.name = "W, left behind", .value = plain(steady.mean_left, "1")},
                                                     {.name = "rate", .value = plain(trains.rate)}}}));
      figures.push_back(wait_over_load(trains));
    } else {
      answer["wait"] = {{"load", plain(trains.load(), "1")}, {"seats_a_pass", plain(trains.seats, "1")}};
      warnings.push_back("more arrive than there are seats: the queue grows without end");
    }
  } else {
    for (const std::string_view unused : {"load", "ride", "provider_traffic"}) inputs.leave_out(unused);
  }
  answer["why"] = why;
  answer["change"] = change;
  answer["figures"] = std::move(figures);
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question departures_question() {
  return {"departures", "passes as trains: how often one leaves, how long one waits for it, how much it carries",
          "--system rubin-nvl144 --batch 2000 --load 0.9", departures_inputs, answer_departures, plot_figures};
}

}  // namespace fareline
