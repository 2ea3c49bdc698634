// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plot/grid.h"
#include "plot/line_plot.h"
#include "plot/table.h"
#include "truth/report_parts.h"
#include "truth/validate_requests.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::string what_text(const RequestRun& run) {
  const ServingSetup& s = run.setup;
  return fmt::format("{} on {}, tp {}, dp {}, {} {}", s.model, s.system, s.layout.tp, s.layout.dp, s.stack, s.version);
}

std::string time_name(std::size_t t) {
  constexpr std::array names{"TTFT", "TPOT", "whole answer"};
  return names[t];
}

// The share of `values` that is no longer, as a curve.
plot::Series distribution(std::string name, std::vector<double> values, int colour) {
  std::sort(values.begin(), values.end());
  std::vector<double> share;
  for (std::size_t i = 0; i < values.size(); ++i) share.push_back(static_cast<double>(i + 1) / static_cast<double>(values.size()));
  return {.name = std::move(name), .x = {Seconds::dim, std::move(values)}, .y = plot::Values(std::move(share)), .colour = colour};
}

}  // namespace

Json to_json(const RequestValidation& v, const std::vector<std::string>& files) {
  Json runs = Json::array(), warnings = Json::array();
  for (const RunComparison& c : v.runs) {
    Json one{{"run", c.run.name}, {"model", c.run.setup.model}, {"system", c.run.setup.system}, {"requests", c.run.requests.size()}};
    if (!c.run.refusal.empty()) {
      one["refused"] = c.run.refusal;
      runs.push_back(std::move(one));
      continue;
    }
    one["calibration"] = c.prediction.calibration;
    one["answered"] = c.answered;
    for (std::size_t t = 0; t < request_time_names.size(); ++t)
      for (std::size_t m = 0; m < moment_names.size(); ++m)
        one[std::string(request_time_names[t])][std::string(moment_names[m])] = {{"predicted", c.times[t][m].predicted.in(unit::s)},
                                                                                 {"measured", c.times[t][m].measured.in(unit::s)},
                                                                                 {"unit", "s"},
                                                                                 {"error", c.times[t][m].error()}};
    if (!c.run.load.empty()) one["load"] = {{"running_error", c.running_error}, {"waiting_error", c.waiting_error}};
    runs.push_back(std::move(one));
  }
  return {{"question", "validate"},
          {"inputs", {{"files", files}}},
          {"answer", {{"runs", std::move(runs)}}},
          {"explain", Json::object()},
          {"warnings", std::move(warnings)}};
}

std::string to_text(const RequestValidation& v) {
  std::string out;
  for (const RunComparison& c : v.runs) {
    if (!out.empty()) out += "\n";
    out += fmt::format("{}: {} requests", c.run.name, c.run.requests.size());
    if (!c.run.refusal.empty()) {
      out += fmt::format(", refused: {}\n", c.run.refusal);
      continue;
    }
    out += fmt::format(", {}, calibration {}\n\n", what_text(c.run), c.prediction.calibration);
    TextGrid grid{{"", false}, {"predicted", true}, {"measured", true}, {"error", true}};
    for (std::size_t t = 0; t < request_time_names.size(); ++t)
      for (std::size_t m = 0; m < moment_names.size(); ++m)
        grid.add({fmt::format("{}, {}", time_name(t), moment_names[m]), to_text(c.times[t][m].predicted, 4),
                  to_text(c.times[t][m].measured, 4), signed_per_cent(c.times[t][m].error())});
    grid.add({"the whole run", to_text(c.length.predicted, 4), to_text(c.length.measured, 4), signed_per_cent(c.length.error())});
    out += grid.text();
    if (!c.run.load.empty())
      out += fmt::format("\nOver time, {} too many or too few run and {} wait, on average, of the most that were measured.\n",
                         per_cent(c.running_error), per_cent(c.waiting_error));
    if (c.answered < c.run.requests.size())
      out += fmt::format("note: {} requests got no answer in the simulation, and are not compared\n", c.run.requests.size() - c.answered);
    if (!c.run.assumption.empty()) out += fmt::format("note: {}\n", c.run.assumption);
  }
  return out;
}

Expected<std::string> to_csv(const RequestValidation& v) {
  std::vector<std::string> runs, ids;
  std::vector<double> prompt, output;
  std::vector<Seconds> arrival;
  std::array<std::vector<Seconds>, 6> times;
  for (const RunComparison& c : v.runs) {
    if (!c.run.refusal.empty()) continue;
    for (std::size_t i = 0; i < c.run.requests.size(); ++i) {
      const TimedRequest& m = c.run.requests[i];
      const SimulatedRequest& p = c.prediction.requests[i];
      if (!p.answered) continue;
      runs.push_back(c.run.name), ids.push_back(m.id);
      arrival.push_back(m.arrival);
      prompt.push_back(static_cast<double>(m.prompt)), output.push_back(static_cast<double>(m.output));
      const std::array<Seconds, 6> row{p.ttft, m.ttft, p.tpot, m.output > 1 ? m.tpot() : Seconds{}, p.e2e, m.e2e};
      for (std::size_t k = 0; k < row.size(); ++k) times[k].push_back(row[k]);
    }
  }
  const plot::Unit s = plot::unit_of("s", 1 * unit::s);
  plot::Table table{.columns = {plot::text_column("run", std::move(runs)), plot::text_column("request", std::move(ids)),
                                plot::number_column("arrival", s, plot::Values(arrival)),
                                plot::number_column("prompt", {}, plot::Values(std::move(prompt))),
                                plot::number_column("output", {}, plot::Values(std::move(output)))}};
  for (std::size_t k = 0; k < times.size(); ++k)
    table.columns.push_back(plot::number_column(fmt::format("{}_{}", request_time_names[k / 2], k % 2 == 0 ? "predicted" : "measured"), s,
                                                plot::Values(times[k])));
  return plot::csv(table);
}

Expected<std::string> to_svg(const RequestValidation& v) {
  plot::Grid grid{.title = "Runs simulated request by request", .columns = 1};
  const auto add = [&](const auto& picture) -> Expected<void> {
    auto figure = plot::draw(picture);
    if (!figure) return std::unexpected(figure.error());
    grid.figures.push_back(std::move(*figure));
    return {};
  };
  for (const RunComparison& c : v.runs) {
    if (!c.run.refusal.empty() || c.answered == 0) continue;
    if (!c.run.load.empty()) {
      plot::LinePlot load{.title = fmt::format("{}: requests over time", c.run.name),
                          .subtitle = what_text(c.run),
                          .x = {.label = "time", .unit = plot::unit_of("s", 1 * unit::s)},
                          .y = {.label = "requests", .unit = plot::counted(""), .from_zero = true}};
      std::vector<Seconds> at;
      std::array<std::vector<double>, 4> counts;
      for (std::size_t i = 0; i < c.run.load.size(); ++i) {
        const LoadSample &m = c.run.load[i], &p = c.prediction.load[i];
        at.push_back(m.at);
        const std::array<double, 4> row{p.running, m.running, p.waiting, m.waiting};
        for (std::size_t k = 0; k < row.size(); ++k) counts[k].push_back(row[k]);
      }
      for (std::size_t k = 0; k < counts.size(); ++k)
        load.series.push_back({.name = fmt::format("{}, {}", k < 2 ? "running" : "waiting", k % 2 == 0 ? "simulated" : "measured"),
                               .style = k % 2 == 0 ? plot::Style::estimate : plot::Style::points,
                               .x = plot::Values(at),
                               .y = plot::Values(std::move(counts[k])),
                               .colour = k < 2 ? 0 : 1});
      if (const auto added = add(load); !added) return std::unexpected(added.error());
    }
    for (std::size_t t = 0; t < request_time_names.size(); ++t) {
      std::vector<double> predicted, measured;
      for (std::size_t i = 0; i < c.run.requests.size(); ++i) {
        const TimedRequest& m = c.run.requests[i];
        const SimulatedRequest& p = c.prediction.requests[i];
        if (!p.answered || (t == 1 && m.output < 2)) continue;
        const std::array<Seconds, 3> here{p.ttft, p.tpot, p.e2e}, there{m.ttft, t == 1 ? m.tpot() : Seconds{}, m.e2e};
        predicted.push_back(here[t].coherent()), measured.push_back(there[t].coherent());
      }
      if (predicted.empty()) continue;
      const double most =
          std::max(*std::max_element(predicted.begin(), predicted.end()), *std::max_element(measured.begin(), measured.end()));
      plot::LinePlot picture{.title = fmt::format("{}: mean {} off, 99th percentile {}", time_name(t),
                                                  signed_per_cent(c.times[t][0].error()), signed_per_cent(c.times[t][3].error())),
                             .subtitle = "share of the requests whose time is no longer",
                             .x = {.label = time_name(t), .unit = plot::fitting_unit(Seconds::dim, most)},
                             .y = {.label = "share of the requests", .unit = plot::counted(""), .range = plot::Range{0, 1}}};
      picture.series.push_back(distribution("simulated", std::move(predicted), 0));
      picture.series.push_back(distribution("measured", std::move(measured), 1));
      if (const auto added = add(picture); !added) return std::unexpected(added.error());
    }
  }
  if (grid.figures.empty()) return fail("--plot", "there is nothing to draw: no run was simulated", "see what was refused and why");
  return plot::svg(grid);
}

}  // namespace fareline
