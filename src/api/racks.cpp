// SPDX-License-Identifier: Apache-2.0
// The question "racks": an expert layer on one scale-up domain and on several.
#include "perf/racks.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto racks_inputs = joined(
    blackboard_model_inputs, blackboard_system_inputs,
    in_group("question", std::array<Input, 7>{{
                             {.name = "racks",
                              .kind = InputKind::count,
                              .value = "2",
                              .reason = "the lecture's: one rack is too slow, so two",
                              .summary = "scale-up domains that one expert layer spans",
                              .least = 1,
                              .most = 1e6},
                             {.name = "tokens",
                              .kind = InputKind::count,
                              .value = "64",
                              .reason = "a chip's share of some 4,600 sequences over a rack of 72",
                              .summary = "tokens of one chip in a pass",
                              .least = 1,
                              .most = 1e7},
                             {.name = "wire",
                              .kind = InputKind::quantity,
                              .value = "1 B",
                              .reason = "dispatch in FP8, as DeepEP sends it",
                              .summary = "bytes of an element sent to experts",
                              .dim = Bytes::dim,
                              .least = 0.1,
                              .most = 16},
                             {.name = "layers_per_stage",
                              .kind = InputKind::count,
                              .value = "1",
                              .reason = "one rack does one layer, then the next; the lecture at 52:42",
                              .summary = "layers of a pipeline stage",
                              .least = 1,
                              .most = 1e5},
                             {.name = "hops",
                              .kind = InputKind::count,
                              .value = "4",
                              .reason = "a realistic number of stages; the lecture at 1:15:25",
                              .summary = "hops between racks that each token takes",
                              .least = 0,
                              .most = 1e5},
                             {.name = "hop_latency",
                              .kind = InputKind::quantity,
                              .reason = "the system's scale-out latency",
                              .summary = "time of one hop between racks",
                              .dim = Seconds::dim,
                              .least = 0,
                              .most = 1e3},
                             {.name = "kv_share",
                              .kind = InputKind::number,
                              .value = "0.5",
                              .reason = "half of the memory for weights, half for KV, at the time both are read",
                              .summary = "share of a domain's memory kept for KV",
                              .least = 0,
                              .most = 0.99},
                         }}));

constexpr std::array<int, 5> domain_sizes{8, 64, 72, 144, 576};

// One row a domain size; what cannot be told from the inputs is left out.
Json domain_rows(const BlackboardModel& m, const BlackboardSystem& s, double kv_share) {
  Json rows = Json::array();
  for (const int domain : domain_sizes) {
    Json row{{"chips", domain}};
    if (s.hbm_capacity) row["memory"] = plain(static_cast<double>(domain) * *s.hbm_capacity);
    if (s.hbm_capacity && m.bytes_per_parameter)
      row["largest_model"] = plain(largest_model(domain, *s.hbm_capacity, kv_share, *m.bytes_per_parameter), "parameters");
    if (m.total_parameters && m.bytes_per_parameter && s.hbm_bandwidth)
      row["weight_fetch"] = plain(domain_fetch_time(*m.total_parameters, *m.bytes_per_parameter, domain, *s.hbm_bandwidth));
    if (m.routed_experts) {
      const ExpertPlacement placed = place_experts(static_cast<int>(*m.routed_experts), domain);
      row["experts_per_chip"] = plain(placed.per_chip, "experts");
      row["idle"] = plain(placed.idle, "chips");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

LineFigure over_domains(std::string title, std::string subtitle, FigureAxis y) {
  return {.title = std::move(title),
          .subtitle = std::move(subtitle),
          .description = "By the size of a scale-up domain.",
          .x = {.label = "chips of a scale-up domain", .counted = "chips", .scale = "log2"},
          .y = std::move(y)};
}

Expected<Json> answer_racks(Inputs& inputs, const Catalogue& catalogue) {
  const auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  const auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  const BlackboardModel& m = *model;
  const BlackboardSystem& s = *system;
  const auto domain = needed(s.domain, "domain", "system", "72");
  if (!domain) return std::unexpected(domain.error());
  const double racks = *inputs.number("racks"), tokens = *inputs.number("tokens"), layers = *inputs.number("layers_per_stage"),
               hops = *inputs.number("hops");
  Json answer, numbers = Json::array(), warnings = Json::array(), figures = Json::array();
  std::string why, change;
  if (m.routed_experts) {
    const ExpertPlacement placed = place_experts(static_cast<int>(*m.routed_experts), static_cast<int>(*domain));
    answer["experts"] = {
        {"per_chip", plain(placed.per_chip, "experts")}, {"chips", plain(placed.chips, "chips")}, {"idle", plain(placed.idle, "chips")}};
    numbers.push_back(to_json(Explained{.name = "experts.per_chip",
                                        .value = plain(placed.per_chip, "experts"),
                                        .formula = "experts / largest divisor of them not above the domain",
                                        .source = "the lecture at 34:06; perf/racks.h: place_experts"}));
    why += fmt::format("{} experts over a domain of {} are {} a chip on {}, and {} idle. ", number_text(*m.routed_experts),
                       number_text(*domain), placed.per_chip, placed.chips, placed.idle);
  } else if (m.named) {
    warnings.push_back(m.named->name + " has no experts: there is no exchange to bound");
  }
  Json exchange{{"share_leaving", plain(share_leaving(racks), "1")}};
  if (s.scale_up_bandwidth && s.scale_out_bandwidth) {
    const double ratio = *s.scale_up_bandwidth / *s.scale_out_bandwidth;
    exchange["bandwidth_ratio"] = plain(ratio, "1");
    exchange["outside_over_inside"] = plain(outside_over_inside(racks, ratio), "1");
    if (m.activated_experts && m.hidden) {
      const Bytes dispatch = dispatch_bytes(*m.activated_experts, *m.hidden, *inputs.quantity<Bytes>("wire"));
      const Exchange one = exchange_time(tokens, dispatch, 1, *s.scale_up_bandwidth, *s.scale_out_bandwidth),
                     several = exchange_time(tokens, dispatch, racks, *s.scale_up_bandwidth, *s.scale_out_bandwidth);
      exchange["volume"] = plain(2 * tokens * dispatch);
      exchange["one_domain"] = plain(one.time());
      exchange["inside"] = plain(several.inside);
      exchange["outside"] = plain(several.outside);
      exchange["time"] = plain(several.time());
      exchange["slowdown"] = plain(several.time() / one.time(), "1");
      numbers.push_back(to_json(Explained{.name = "exchange.outside",
                                          .value = plain(several.outside),
                                          .formula = "2 T k h b (1 - 1/R) / b_out",
                                          .source = "the lecture at 39:54; perf/racks.h: exchange_time",
                                          .inputs = {{.name = "T, tokens of a chip", .value = plain(tokens, "tok")},
                                                     {.name = "k h b, copies of one token", .value = plain(dispatch)},
                                                     {.name = "R", .value = plain(racks, "1")}}}));
      why += fmt::format("Over {} domains {} of a layer's exchange leaves them and takes {}, {} times the {} of one domain. ",
                         number_text(racks), number_text(share_leaving(racks), 3), to_text(several.outside, 3),
                         number_text(several.time() / one.time(), 3), to_text(one.time(), 3));
      LineFigure figure{.title = "A layer's exchange over racks",
                        .subtitle = fmt::format("{} tokens a chip, {} experts each; latency left out", number_text(tokens),
                                                number_text(*m.activated_experts)),
                        .description = "Time of one expert layer's all-to-all over the number of racks it spans.",
                        .x = {.label = "racks one layer spans", .counted = "racks", .scale = "log2"},
                        .y = {.label = "time of an exchange", .unit = "s", .scale = "log10"},
                        .series = {{.name = "scale-up", .style = "floor", .colour = 1},
                                   {.name = "scale-out", .style = "floor", .colour = 2},
                                   {.name = "exchange"}}};
      for (const double r : {1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0}) {
        const Exchange e = exchange_time(tokens, dispatch, r, *s.scale_up_bandwidth, *s.scale_out_bandwidth);
        for (FigureSeries& series : figure.series) series.x.push_back(r);
        figure.series[0].y.push_back(e.inside.in(unit::s));
        figure.series[1].y.push_back(r > 1 ? e.outside.in(unit::s) : std::nan(""));
        figure.series[2].y.push_back(e.time().in(unit::s));
      }
      figures.push_back(to_json(figure));
    }
    if (m.activated_experts) {
      answer["stage"] = {{"scale_up_over_scale_out", plain(scale_up_over_scale_out(ratio, *m.activated_experts, layers), "1")},
                         {"least_layers", plain(least_layers(ratio, *m.activated_experts), "layers")}};
      numbers.push_back(to_json(Explained{.name = "stage.scale_up_over_scale_out",
                                          .value = answer["stage"]["scale_up_over_scale_out"],
                                          .formula = "(b_out / b_up) k L 2",
                                          .source = "the lecture at 50:50; perf/racks.h: scale_up_over_scale_out",
                                          .inputs = {{.name = "b_up / b_out", .value = plain(ratio, "1")},
                                                     {.name = "k", .value = plain(*m.activated_experts, "1")},
                                                     {.name = "L", .value = plain(layers, "1")}}}));
      why += fmt::format(
          "A pipeline hop sends one copy where the experts take {} there and back: from {} layers a stage on it is no bottleneck.",
          number_text(*m.activated_experts), number_text(least_layers(ratio, *m.activated_experts)));
    }
  }
  answer["exchange"] = std::move(exchange);
  std::optional<Seconds> hop = inputs.quantity<Seconds>("hop_latency");
  if (!hop && s.named && s.named->scale_out.latency.stated()) {
    hop = s.named->scale_out.latency.value;
    inputs.choose("hop_latency", hop->coherent(), "catalogue", s.named->scale_out.latency.source);
  }
  if (hop) answer["hops"] = {{"time", plain(hop_time(hops, *hop))}};
  else inputs.leave_out("hops");
  if (s.hbm_capacity) answer["memory"] = {{"domain", plain(*domain * *s.hbm_capacity)}};
  if (m.total_parameters && m.bytes_per_parameter && s.hbm_bandwidth)
    answer["latency"] = {
        {"weight_fetch", plain(domain_fetch_time(*m.total_parameters, *m.bytes_per_parameter, *domain, *s.hbm_bandwidth))}};
  answer["domains"] = domain_rows(m, s, *inputs.number("kv_share"));
  if (answer.contains("latency")) {
    LineFigure figure =
        over_domains("Latency's floor over the domain", "all chips of a domain fetch at once; stages of a pipeline one after the other",
                     {.label = "time to fetch the weights", .unit = "s", .scale = "log10"});
    FigureSeries line{.name = "weight fetch", .style = "estimate"};
    for (double d = 4; d <= 1024; d *= 2) {
      line.x.push_back(d);
      line.y.push_back(domain_fetch_time(*m.total_parameters, *m.bytes_per_parameter, d, *s.hbm_bandwidth).in(unit::s));
    }
    figure.series.push_back(std::move(line));
    for (const int size : domain_sizes)
      if (size != 64) figure.markers.push_back({.at = static_cast<double>(size), .text = std::to_string(size)});
    figures.push_back(to_json(figure));
  }
  if (why.empty())
    why = fmt::format("A layer over {} domains sends {} of its exchange out of them.", number_text(racks),
                      number_text(share_leaving(racks), 3));
  change = "A larger domain fetches weights faster and keeps a layer's exchange inside; more stages add memory but not speed.";
  answer["why"] = why;
  answer["change"] = change;
  if (!figures.empty()) answer["figures"] = std::move(figures);
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question racks_question() {
  return {"racks", "an expert layer on one scale-up domain and on several, and what a domain's size gives",
          "--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --racks 2", racks_inputs, answer_racks, plot_figures};
}

}  // namespace fareline
