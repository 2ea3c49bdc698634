// SPDX-License-Identifier: Apache-2.0
// Where no plan keeps what is promised: which limit comes nearest to being kept, and what would do.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/plan.h"
#include "api/value.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

// One limit given up, all others kept, and the plan that does.
struct Miss {
  std::string limit, reason, remedy;
  Json needed, available;
  double ratio = 1;               // how far it is from what was asked
  Found found;
};

std::optional<Found> first_of(const Space& space, const Promise& promise, Aim aim, Workers& workers) {
  Searched searched = search(space, promise, aim, 1, workers);
  return searched.best.empty() ? std::nullopt : std::optional<Found>(searched.best.front());
}

// A number of chips of two digits, no smaller.
int rounded_up(double value) {
  double step = 1;
  while (value > 100 * step) step *= 10;
  return static_cast<int>(std::ceil(value / step - 1e-9) * step);
}

}  // namespace

Json nothing_feasible(const PlanAsked& asked, const PlanCounts& counts, Workers& workers) {
  // A thinner space: what is said to do, does, though a finer search might do with a little less.
  Space thin = asked.space;
  thin.token_budgets.resize(1);
  if (thin.cp.empty()) thin.cp = {1};
  Space lightest = thin;
  lightest.lightest_only = true;
  std::vector<Miss> misses;
  const auto layout = [&](const Found& f) {
    return fmt::format("{} on {}", layout_text(f.plan), asked.offered[static_cast<std::size_t>(f.offer)].system);
  };
  const Promise& kept = asked.promise;
  const auto latency = [&](std::string name, std::optional<Seconds> Promise::*limit, Aim aim, Seconds Found::*reached) {
    if (!(kept.*limit)) return;
    Promise without = kept;
    without.*limit = std::nullopt;
    if (const auto f = first_of(lightest, without, aim, workers)) {
      const Seconds time = (*f).*reached, up = std::ceil(time.in(unit::ms)) * unit::ms;
      misses.push_back({name,
                        fmt::format("no plan keeps {} within {}: with the other limits kept, {} reaches {}",
                                    name == "tpot" ? "TPOT" : "TTFT", to_text(*(kept.*limit)), layout(*f), to_text(time)),
                        fmt::format("write --{} {}ms, or take more or faster chips", name, number_text(up.in(unit::ms), 9)), plain(time),
                        plain(*(kept.*limit)), time / *(kept.*limit), *f});
    }
  };
  latency("tpot", &Promise::tpot, Aim::tpot, &Found::tpot);
  latency("ttft", &Promise::ttft, Aim::ttft, &Found::ttft);
  for (const auto& [name, given] : {std::pair{"budget", kept.budget.has_value()}, {"most_power", kept.power.has_value()}}) {
    if (!given) continue;
    Promise without = kept;
    const bool budget = std::string_view(name) == "budget";
    (budget ? without.budget.reset() : without.power.reset());
    const auto f = first_of(thin, without, budget ? Aim::price : Aim::power, workers);
    if (!f) continue;
    const Situation& s = asked.space.offers[static_cast<std::size_t>(f->offer)].situation;
    const double chips = f->plan.chips();
    if (budget) {
      const MoneyRate needed = chips * s.chip_rate;
      misses.push_back({name, fmt::format("{} costs {}, {} were allowed", layout(*f), to_text(needed), to_text(*kept.budget)),
                        fmt::format("write --budget \"{} USD/h\"", rounded_up((needed * unit::hour).in(unit::usd))), plain(needed),
                        plain(*kept.budget), needed / *kept.budget, *f});
    } else {
      const Watts needed = chips * power_of(s.system.chip);
      misses.push_back({name, fmt::format("{} draws {}, {} were allowed", layout(*f), to_text(needed), to_text(*kept.power)),
                        fmt::format("write --most_power \"{} kW\"", rounded_up(needed.in(unit::kW))), plain(needed), plain(*kept.power),
                        needed / *kept.power, *f});
    }
  }
  for (double more = 2; more <= 64 && asked.space.most_chips * more <= 1 << 16; more *= 2) {
    Space larger = thin;
    larger.most_chips = static_cast<int>(asked.space.most_chips * more);
    const auto f = first_of(larger, kept, Aim::chips, workers);
    if (!f) continue;
    misses.push_back({"chips", fmt::format("no plan of at most {} chips keeps the limits: {} takes {}", asked.space.most_chips, layout(*f),
                                           f->plan.chips()),
                      fmt::format("write --chips {}..{}", asked.space.least_chips, f->plan.chips()), plain(f->plan.chips(), "1"),
                      plain(asked.space.most_chips, "1"), f->score / asked.space.most_chips, *f});
    break;
  }
  if (asked.space.demand.rate > Frequency{}) {
    // Halved until something carries it, then half-way back as far as it goes.
    Space slower = thin;
    std::optional<Found> carried;
    double low = 1, high = 1;
    for (int halvings = 0; halvings < 30 && !carried; ++halvings) {
      high = low;
      low /= 2;
      slower.demand.rate = low * asked.space.demand.rate;
      carried = first_of(slower, kept, Aim::chips, workers);
    }
    for (int steps = 0; carried && steps < 5; ++steps) {
      const double middle = 0.5 * (low + high);
      slower.demand.rate = middle * asked.space.demand.rate;
      if (const auto f = first_of(slower, kept, Aim::chips, workers)) {
        carried = f;
        low = middle;
      } else {
        high = middle;
      }
    }
    if (carried)
      misses.push_back(
          {"rate",
           fmt::format("no plan carries {}: {} carries {}", to_text(asked.space.demand.rate), layout(*carried), to_text(carried->rate, 6)),
           fmt::format("write --rate {}", to_text(carried->rate, 6)), plain(carried->rate), plain(asked.space.demand.rate), 1 / low,
           *carried});
  }
  std::stable_sort(misses.begin(), misses.end(), [](const Miss& a, const Miss& b) { return a.ratio < b.ratio; });
  Json answer{{"feasible", false}};
  if (misses.empty()) {
    Space larger = thin;
    larger.most_chips = 1 << 16;
    const auto f = first_of(larger, {}, Aim::chips, workers);
    answer["reason"] = f ? fmt::format("no one limit given up alone is enough: with none, {} takes {} chips, TPOT {} and TTFT {}",
                                       layout(*f), f->plan.chips(), to_text(f->tpot), to_text(f->ttft))
                         : std::string("no layout divides and holds the model with one request");
    answer["needed"] = plain(f ? f->plan.chips() : 0, "1");
    answer["available"] = plain(asked.space.most_chips, "1");
    answer["remedy"] = f ? "raise several limits, or ask for less" : "take other systems, narrower weights or KV, or a shorter context";
  } else {
    answer["reason"] = misses.front().reason;
    answer["needed"] = misses.front().needed;
    answer["available"] = misses.front().available;
    answer["remedy"] = misses.front().remedy;
    Json nearest = Json::array();
    for (const Miss& m : misses)
      nearest.push_back({{"limit", m.limit},
                         {"needed", m.needed},
                         {"available", m.available},
                         {"ratio", plain(m.ratio, "1")},
                         {"layout", layout(m.found)},
                         {"remedy", m.remedy},
                         {"inputs", cost_inputs(asked, m.found)}});
    answer["nearest"] = std::move(nearest);
  }
  answer["considered"] = plain(counts.considered, "1");
  return answer;
}

}  // namespace fareline
