// SPDX-License-Identifier: Apache-2.0
// The load at which the objectives break: runs over the same draws, moved closer together or further apart.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/figures.h"
#include "api/simulate.h"
#include "api/value.h"
#include "units/elementary.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

struct Tried {
  LoadPoint point;
  bool complete = true;
};
Expected<Tried> point_at(const Scenario& scenario, Surroundings& around, double faster) {
  const auto run = simulated_at(scenario, around, faster);
  if (!run) return std::unexpected(run.error());
  const Measures& m = run->measures;
  // Who is turned away or too long for a replica has not kept them.
  const auto came = static_cast<double>(run->totals.requests - run->totals.outcomes[static_cast<std::size_t>(Outcome::empty)]);
  LoadPoint point{.faster = faster, .kept = came > 0 && run->complete ? static_cast<double>(m.good) / came : 0};
  point.offered = run->totals.now > Seconds{} ? static_cast<double>(run->totals.requests) / run->totals.now : Frequency{};
  if (scenario.traffic.law && scenario.traffic.law->users == 0) point.offered = faster * scenario.traffic.law->rate;
  else if (!scenario.traffic.law) point.offered = faster * scenario.offered;
  point.ttft_mean = m.ttft.sketch.mean(), point.ttft_p99 = m.ttft.sketch.percentile(0.99);
  point.tpot_mean = m.tpot.sketch.mean(), point.tpot_p99 = m.tpot.sketch.percentile(0.99);
  return Tried{point, run->complete};
}

}  // namespace

Expected<Capacity> find_capacity(const Scenario& scenario, double share, Surroundings& around) {
  Capacity capacity;
  // What is tried next depends on results alone, not on how many run at once.
  const auto try_all = [&](const std::vector<double>& loads) -> Expected<void> {
    if (!capacity.complete) return {};
    std::vector<std::optional<Expected<Tried>>> found(loads.size());
    around.each(loads.size(), [&](std::size_t i) { found[i] = point_at(scenario, around, loads[i]); });
    for (const auto& tried : found) {
      if (!*tried) return std::unexpected(tried->error());
      if ((*tried)->complete) capacity.points.push_back((*tried)->point);
      else capacity.complete = false;
    }
    std::stable_sort(capacity.points.begin(), capacity.points.end(),
                     [](const LoadPoint& a, const LoadPoint& b) { return a.faster < b.faster; });
    return {};
  };
  // The last load before the first that breaks them, and that one.
  const auto edge = [&] {
    std::size_t first = 0;
    while (first < capacity.points.size() && capacity.points[first].kept >= share) ++first;
    return first;
  };
  std::vector<double> loads;
  for (int i = -4; i <= 3; ++i) loads.push_back(power(2.0, i));
  if (const auto tried = try_all(loads); !tried) return std::unexpected(tried.error());
  for (int round = 0; round < 8 && edge() == 0 && capacity.complete; ++round)
    if (const auto tried = try_all({capacity.points.front().faster / 4, capacity.points.front().faster / 2}); !tried)
      return std::unexpected(tried.error());
  for (int round = 0; round < 8 && edge() == capacity.points.size() && capacity.complete; ++round)
    if (const auto tried = try_all({capacity.points.back().faster * 2, capacity.points.back().faster * 4}); !tried)
      return std::unexpected(tried.error());
  capacity.open = edge() == capacity.points.size();
  if (edge() > 0 && !capacity.open)
    for (int round = 0; round < 6 && capacity.complete; ++round) {
      const double low = capacity.points[edge() - 1].faster, high = capacity.points[edge()].faster;
      if (high / low < 1.002) break;
      const double third = power(high / low, 1.0 / 3);
      if (const auto tried = try_all({low * third, low * third * third}); !tried) return std::unexpected(tried.error());
    }
  if (edge() > 0 && capacity.complete) capacity.most = capacity.points[edge() - 1];
  return capacity;
}

Json capacity_answer(const Capacity& capacity, double share) {
  Json j{{"share", plain(share, "1")}, {"found", capacity.most.has_value() && !capacity.open}};
  if (capacity.most) {
    j["rate"] = plain(capacity.most->offered);
    j["over_asked"] = plain(capacity.most->faster, "1");
  }
  j["loads"] = Json::array();
  for (const LoadPoint& p : capacity.points)
    j["loads"].push_back({{"rate", plain(p.offered)},
                          {"kept", plain(p.kept, "1")},
                          {"ttft_mean", plain(p.ttft_mean)},
                          {"ttft_p99", plain(p.ttft_p99)},
                          {"tpot_mean", plain(p.tpot_mean)},
                          {"tpot_p99", plain(p.tpot_p99)}});
  return j;
}

Json capacity_figure(const Capacity& capacity, const Objectives& objectives) {
  LineFigure figure{.title = "Latency against load",
                    .subtitle = "the same requests at every load, closer together or further apart",
                    .description = "Time to the first token and time per further token against the requests a second.",
                    .x = {.label = "requests a second", .unit = "1/s", .scale = "log10"},
                    .y = {.label = "time", .unit = "s", .scale = "log10"},
                    .series = {{.name = "TTFT, 99th percentile", .colour = 0}, {.name = "TTFT, mean", .colour = 2},
                               {.name = "TPOT, 99th percentile", .colour = 1}, {.name = "TPOT, mean", .colour = 3}}};
  for (const LoadPoint& p : capacity.points) {
    const std::array<Seconds, 4> times{p.ttft_p99, p.ttft_mean, p.tpot_p99, p.tpot_mean};
    for (std::size_t i = 0; i < times.size(); ++i)
      if (times[i] > Seconds{}) figure.series[i].x.push_back(p.offered.coherent()), figure.series[i].y.push_back(times[i].in(unit::s));
  }
  std::erase_if(figure.series, [](const FigureSeries& s) { return s.x.empty(); });
  figure.markers = {{.vertical = false, .at = objectives.ttft.in(unit::s), .text = "TTFT limit"},
                    {.vertical = false, .at = objectives.tpot.in(unit::s), .text = "TPOT limit"}};
  if (capacity.most) figure.markers.push_back({.at = capacity.most->offered.coherent(), .text = "the limits break"});
  return to_json(figure);
}

}  // namespace fareline
