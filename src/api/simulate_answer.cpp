// SPDX-License-Identifier: Apache-2.0
// From a run to its answer: times, objectives kept, load, the bill by kind.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/figures.h"
#include "api/simulate.h"
#include "economics/tiers.h"
#include "sim/step_times.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<const char*, double>, 4> ranks{{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}};

Json times_of(const DurationSketch& sketch, Json mean) {
  Json j{{"mean", std::move(mean)}};
  for (const auto& [name, rank] : ranks) j[name] = plain(sketch.percentile(rank));
  return j;
}

// The mean beside its bound and its band, the percentiles, and how sure the run makes the mean.
Json times_of(const Spread& spread, Seconds floor, Band band) {
  const Seconds mean = spread.sketch.mean();
  Json j = times_of(spread.sketch, banded(mean, min(floor, mean), band));
  if (spread.means.known()) {
    const Interval sure = spread.means.interval();
    j["mean_least"] = plain(max(Seconds{}, sure.low)), j["mean_most"] = plain(sure.high);
  }
  return j;
}

// Mean lengths of the requests that finished.
struct Means {
  double prompt = 0, cached = 0, output = 0;
  double requests = 0;
};
Means means_of(const Totals& t) {
  using O = Outcome;
  Means m{.requests =
              static_cast<double>(t.outcomes[static_cast<std::size_t>(O::answered)] + t.outcomes[static_cast<std::size_t>(O::empty)])};
  if (m.requests == 0) return m;
  m.prompt = static_cast<double>(t.prompt_tokens) / m.requests;
  m.cached = static_cast<double>(t.cached_tokens) / m.requests;
  m.output = static_cast<double>(t.output_tokens) / m.requests;
  return m;
}

// What all chips were switched on for, pool by pool, in chip-seconds; only the first pool is scaled.
struct ChipTime {
  Seconds all, first;
};
ChipTime chip_time(const Scenario& s, const Totals& t) {
  const Plan& plan = s.situation.plan;
  if (!s.situation.prefill) return {t.provided * plan.replica_chips(), t.provided * plan.replica_chips()};
  const Seconds decodes = min(t.provided, static_cast<double>(plan.replicas) * t.now);
  const Seconds first = (t.provided - decodes) * s.situation.prefill->replica_chips();
  return {first + decodes * plan.replica_chips(), first};
}

// The run as the steady state that economics/money.h bills: engine time by what it went to, requests over chip-seconds.
// Equation: prefill = sum over steps with prompts of what they took beyond a step of the same decoding sequences alone.
// Source: docs/guide/money.md. Assumes: those sequences are at the mean context; reading the cached prefix takes the share of a prompt's
// pass that it would take alone.
Serving billed(const Scenario& s, const Simulated& run, const Means& means) {
  Serving bill{};
  const double context = means.prompt + means.output / 2;
  for (std::size_t p = 0; p < run.measures.work.size(); ++p) {
    const StepWork& work = run.measures.work[p];
    const Pool& pool = s.fleet.pools[p];
    const StepTimes times(*pool.plan, static_cast<double>(pool.pages) * pool.plan->plan().page_tokens, s.fleet.drafting.draft(),
                          s.fleet.drafting.by_mtp);
    bill.decode_time += work.decode_time;
    for (std::size_t d = 0; d < StepWork::most_decoding; ++d) {
      if (work.mixed_steps[d] == 0) continue;
      Seconds beside{};
      if (d > 0)
        beside = times.estimate({.decoding = static_cast<std::int64_t>(d)}, context).time * static_cast<double>(work.mixed_steps[d]);
      beside = min(beside, work.mixed_time[d]);
      bill.decode_time += beside;
      bill.prefill_time += work.mixed_time[d] - beside;
    }
  }
  if (means.cached > 0) {
    const CompiledPlan& plan = *s.fleet.pools.front().plan;
    Pass pass{.prefill_sequences = 1, .prefill_tokens = std::max(1.0, means.prompt - means.cached), .prefill_context = means.cached};
    const Seconds with = plan.estimate(pass).time;
    pass.prefill_context = 0;
    bill.prefix_time = bill.prefill_time * max(Seconds{}, with - plan.estimate(pass).time) / with;
    bill.prefill_time -= bill.prefix_time;
  }
  return bill;
}

struct Money {
  RequestBill bill;
  TokenPrices prices;
  Dollars saved{};
};
Money money_of(const Scenario& s, const Simulated& run, const Means& means) {
  const ChipTime chips = chip_time(s, run.totals);
  Serving serving = billed(s, run, means);
  serving.rate = means.requests / chips.all;   // requests a second of one chip
  if (s.situation.prefill) serving.prefill_share = chips.first / chips.all;
  Dollars held{};                              // tiers given to the cache are held all the while
  for (std::size_t i = 0; i < s.fleet.cache.tiers.size(); ++i) {
    const CacheTier& tier = s.fleet.cache.tiers[i];
    for (const MemoryTier& known : s.situation.system.tiers)
      if (known.name == tier.name)
        held += tier.capacity * holding_price(known) * run.totals.now * static_cast<double>(s.fleet.pools.front().replicas);
  }
  const PrefixStorage storage{.price = held / means.requests / (unit::B * unit::s), .hold = 1 * unit::s, .size = 1 * unit::B};
  Money money{.bill = request_bill(serving, 1, s.situation.chip_rate, storage)};
  const Workload workload{.prompt = {.longest = means.prompt}, .output = {.longest = means.output},
                          .cached = means.prompt > 0 ? means.cached / means.prompt : 0};
  money.prices = token_prices(money.bill, workload);
  money.saved = means.requests * (means.cached * unit::token * money.prices.input - money.bill.prefix - money.bill.storage);
  return money;
}

Json price(TokenPrice p) { return plain(p.coherent() * 1e6, "USD/Mtok"); }

// Levels over time: what waited and ran; and the share of KV pages in use.
Json over_time(const TimeSeries& series) {
  LineFigure requests{.title = "Requests over time",
                      .subtitle = fmt::format("means over {}", to_text(series.length(), 3)),
                      .description = "Requests that wait and requests that run, over the time of the run.",
                      .x = {.label = "time", .unit = "s", .from_zero = true},
                      .y = {.label = "requests", .counted = "", .from_zero = true},
                      .series = {{.name = "running", .style = "step", .colour = 0}, {.name = "waiting", .style = "step", .colour = 1}}};
  LineFigure kv{.title = "KV pages over time",
                .subtitle = "of those of replicas that are up",
                .description = "Share of KV pages that requests hold, and with the blocks that are cached besides.",
                .x = requests.x,
                .y = {.label = "share of the pages", .counted = "", .from_zero = true},
                .series = {{.name = "held by requests", .style = "step", .colour = 0},
                           {.name = "and cached besides", .style = "step", .colour = 2}}};
  const double length = series.length().in(unit::s);
  double end = 0;
  const auto point = [](FigureSeries& s, double x, double y) { s.x.push_back(x), s.y.push_back(y); };
  bool cached = false;
  for (std::size_t i = 0; i < series.stretches().size(); ++i) {
    const Stretch& s = series.stretches()[i];
    if (!(s.covered > Seconds{})) continue;
    const double at = static_cast<double>(i) * length;
    point(requests.series[0], at, s.running / s.covered), point(requests.series[1], at, s.waiting / s.covered);
    point(kv.series[0], at, s.pages > 0 ? s.used / s.pages : 0), point(kv.series[1], at, s.pages > 0 ? (s.used + s.cached) / s.pages : 0);
    cached = cached || s.cached > 0;
    end = at + s.covered.in(unit::s);
  }
  if (end > 0)
    for (LineFigure* f : {&requests, &kv})
      for (FigureSeries& s : f->series) point(s, end, s.y.back());
  if (!cached) kv.series.pop_back();
  return Json::array({to_json(requests), to_json(kv)});
}

Json distribution(const Measures& m, const Objectives& objectives) {
  LineFigure figure{.title = "How long requests waited for tokens",
                    .subtitle = "share of the requests whose time is no longer",
                    .description = "Cumulative distributions of the time to the first token and of the time per further token.",
                    .x = {.label = "time", .unit = "s", .scale = "log10"},
                    .y = {.label = "share of the requests", .counted = "", .from_zero = true},
                    .series = {{.name = "first token (TTFT)", .colour = 0}, {.name = "each further one (TPOT)", .colour = 1}}};
  const std::array<const DurationSketch*, 2> sketches{&m.ttft.sketch, &m.tpot.sketch};
  for (std::size_t k = 0; k < 2; ++k) {
    FigureSeries& s = figure.series[k];
    if (sketches[k]->count() == 0) continue;
    for (int i = 0; i <= 200; ++i) {
      const double rank = i == 0 ? 1e-9 : i / 200.0, x = sketches[k]->percentile(rank).in(unit::s);
      if (!(x > 0) || (!s.x.empty() && x <= s.x.back() && i < 200)) continue;
      s.x.push_back(x), s.y.push_back(i / 200.0);
    }
  }
  std::erase_if(figure.series, [](const FigureSeries& s) { return s.x.size() < 2; });
  if (figure.series.empty()) return Json();
  figure.markers = {{.at = objectives.ttft.in(unit::s), .text = "TTFT limit"}, {.at = objectives.tpot.in(unit::s), .text = "TPOT limit"}};
  return to_json(figure);
}

std::string why(const Scenario& s, const Simulated& run, double busy) {
  const Measures& m = run.measures;
  const Totals& t = run.totals;
  std::string text = fmt::format("{} requests in {}", number_text(static_cast<double>(t.requests), 10), to_text(t.now, 3));
  if (m.answered > 0)
    text += fmt::format(": {:.1f}% of those answered had their first token within {} and each further one within {}",
                        100 * static_cast<double>(m.good) / static_cast<double>(m.answered), to_text(s.objectives.ttft, 3),
                        to_text(s.objectives.tpot, 3));
  text += fmt::format(". A step ran {:.0f}% of the time", 100 * busy);
  const auto pages = static_cast<double>(std::max_element(s.fleet.pools.begin(), s.fleet.pools.end(), [](const Pool& a, const Pool& b) {
                                           return a.pages < b.pages;
                                         })->pages);
  text += fmt::format("; KV pages were at most {:.0f}% in use.", 100 * static_cast<double>(t.pages_most) / pages);
  if (t.preemptions > 0)
    text += fmt::format(" {} times a sequence lost its KV to others: memory is short for this load.",
                        number_text(static_cast<double>(t.preemptions), 10));
  return text;
}

Json explanation(const Scenario& s, const Money& money, const Means& means, Seconds chips) {
  const auto node = [](std::string name, Json value) {
    return Explained{.name = std::move(name), .value = std::move(value), .formula = {}, .source = {}, .inputs = {}};
  };
  Json numbers = Json::array();
  numbers.push_back(to_json(Explained{.name = "bill of a request",
                                      .value = plain(money.bill.total),
                                      .formula = "chip-seconds * chip_rate / requests + storage",
                                      .source = "economics/money.h: request_bill",
                                      .inputs = {node("chip-seconds", plain(chips)), node("chip_rate", plain(s.situation.chip_rate)),
                                                 node("requests", plain(means.requests, "1")), node("input", plain(money.bill.input)),
                                                 node("prefix", plain(money.bill.prefix)), node("storage", plain(money.bill.storage)),
                                                 node("output", plain(money.bill.output))}}));
  numbers.push_back(to_json(Explained{.name = "percentiles",
                                      .value = plain(0x1p-9, "1"),
                                      .formula = "nearest rank, over buckets 2^-8 of an octave wide: within this share of it",
                                      .source = "Masson, Rim & Lee 2019, DDSketch (VLDB 12); sim/measure_sketch.h",
                                      .inputs = {}}));
  numbers.push_back(to_json(Explained{.name = "mean_least to mean_most",
                                      .value = plain(0.95, "1"),
                                      .formula = "confidence interval of the run's mean from 32 to 64 batches of successive requests",
                                      .source = "Schmeiser 1982; sim/measure_means.h",
                                      .inputs = {}}));
  Json e{{"numbers", std::move(numbers)}};
  const Calibration& c = s.situation.calibration;
  e["calibration"] = {{"name", c.name}, {"evidence", c.evidence}, {"source", c.source}};
  for (const std::string& note : s.situation.model.notes) e["model"].push_back(note);
  return e;
}

}  // namespace

Json simulation_answer(const Scenario& s, const Simulated& run) {
  const Totals& t = run.totals;
  const Measures& m = run.measures;
  const Situation& situation = s.situation;
  const Calibration& c = situation.calibration;
  const Means means = means_of(t);
  const ChipTime chips = chip_time(s, t);
  std::vector<std::string> warnings = s.warnings;
  Json answer{{"feasible", true}};

  if (m.answered > 0) {
    // A prompt of mean length alone in its pass, and a lone sequence's step: what physics takes at least.
    const CompiledPlan& reads = *s.fleet.pools.front().plan;
    const Seconds first = reads.estimate({.prefill_sequences = 1, .prefill_tokens = std::max(1.0, means.prompt - means.cached),
                                          .prefill_context = means.cached}).floor;
    const Seconds step =
        s.compiled->estimate({.decode_sequences = 1, .decode_context = means.prompt}).floor / (1.0 + s.fleet.drafting.draft());
    answer["ttft"] = times_of(m.ttft, first, c.ttft);
    if (m.tpot.sketch.count() > 0) answer["tpot"] = times_of(m.tpot, step, c.tpot);
    answer["e2e"] = times_of(m.e2e, first + step * std::max(0.0, means.output - 1), c.tpot);
    if (m.itl.count() > 0) answer["itl"] = times_of(m.itl, plain(m.itl.mean()));
    answer["waiting"] = times_of(m.waiting.sketch, plain(m.waiting.sketch.mean()));
  } else {
    warnings.push_back("no request was answered: there are no times to tell");
  }
  const auto a_second = [&](double count) { return t.now > Seconds{} ? (count / t.now).coherent() : 0.0; };
  const double answered = static_cast<double>(m.answered), output = static_cast<double>(t.output_tokens),
               all = output + static_cast<double>(t.prompt_tokens), per_chip = chips.all > Seconds{} ? t.now / chips.all : 0;
  answer["goodput"] = {{"requests", plain(a_second(static_cast<double>(m.good)), "1/s")},
                       {"output_tokens", plain(a_second(static_cast<double>(m.good_output_tokens)), "tok/s")},
                       {"share", plain(m.answered > 0 ? static_cast<double>(m.good) / answered : 0, "1")}};
  answer["throughput"] = {{"requests", plain(a_second(means.requests), "1/s")},
                          {"output_tokens", plain(a_second(output), "tok/s")},
                          {"total_tokens", plain(a_second(all), "tok/s")},
                          {"output_tokens_per_chip", plain(a_second(output) * per_chip, "tok/s")},
                          {"total_tokens_per_chip", plain(a_second(all) * per_chip, "tok/s")}};
  Money money;
  if (means.requests > 0 && t.provided > Seconds{}) {
    money = money_of(s, run, means);
    answer["price"] = Json::object();
    if (money.prices.input > TokenPrice{}) answer["price"]["input"] = price(money.prices.input);
    if (means.cached > 0) answer["price"]["cached_input"] = price(money.prices.cached_input);
    if (means.output > 0) answer["price"]["output"] = price(money.prices.output);
    answer["price"]["blended"] = price(money.prices.blended);
    answer["bill"] = {
        {"request", plain(money.bill.total)}, {"chip_rate", plain(situation.chip_rate)}, {"run", plain(means.requests * money.bill.total)}};
  }
  const Chip& chip = situation.system.chip;
  const FlopRate peak = chip.peak[static_cast<std::size_t>(
      multiply_rate(situation.plan.weights.value_or(situation.model.precision.weights), situation.plan.activations, chip))].value;
  const double busy = t.provided > Seconds{} ? std::min(1.0, t.busy / t.provided) : 0;
  answer["utilisation"] = {{"busy", plain(busy, "1")},
                           {"mfu", plain(t.provided > Seconds{} ? t.flops / (peak * t.provided) : 0, "1")},
                           {"mbu", plain(t.provided > Seconds{} ? t.moved / (chip.hbm_bandwidth.value * t.provided) : 0, "1")}};
  Stretch sum;
  for (const Stretch& stretch : m.series.stretches()) {
    sum.covered += stretch.covered, sum.waiting += stretch.waiting, sum.running += stretch.running;
    sum.used += stretch.used, sum.cached += stretch.cached, sum.pages += stretch.pages;
  }
  const auto mean_of = [&](Seconds integral) { return sum.covered > Seconds{} ? integral / sum.covered : 0; };
  answer["queue"] = {{"waiting", plain(mean_of(sum.waiting), "1")},
                     {"running", plain(mean_of(sum.running), "1")},
                     {"in_system_most", plain(static_cast<double>(t.in_system_most), "1")}};
  std::int64_t pages = 0;
  double capacity = 0;
  for (const Pool& pool : s.fleet.pools) {
    pages = std::max(pages, pool.pages);
    capacity += static_cast<double>(pool.pages) * pool.plan->plan().page_tokens * pool.replicas;
  }
  answer["kv"] = {{"used", plain(sum.pages > 0 ? sum.used / sum.pages : 0, "1")},
                  {"cached", plain(sum.pages > 0 ? sum.cached / sum.pages : 0, "1")},
                  {"used_most", plain(static_cast<double>(t.pages_most) / static_cast<double>(pages), "1")},
                  {"capacity", plain(capacity, "tok")}};
  if (s.fleet.cache.on) {
    const double prompt = static_cast<double>(t.prompt_tokens), cached = static_cast<double>(t.cached_tokens);
    answer["cache"] = {{"hit_rate", plain(prompt > 0 ? cached / prompt : 0, "1")},
                       {"requests_with_hits", plain(m.answered > 0 ? static_cast<double>(m.with_hits) / answered : 0, "1")},
                       {"tokens_saved", plain(cached, "tok")},
                       {"tokens_from_tiers", plain(static_cast<double>(t.tier_tokens), "tok")},
                       {"retrieved", plain(t.retrieved)},
                       {"saved", plain(money.saved)}};
  }
  answer["preemptions"] = plain(static_cast<double>(t.preemptions), "1");
  answer["lost_tokens"] = plain(static_cast<double>(t.lost_tokens), "tok");
  answer["failures"] = plain(static_cast<double>(t.failures), "1");
  answer["scalings"] = plain(static_cast<double>(t.scalings), "1");
  if (situation.prefill) answer["transferred"] = plain(t.transferred);
  if (s.fleet.preemption == Preemption::swap) answer["swapped"] = plain(t.swapped);
  if (chip.tdp.stated()) {
    const Joules energy = chip.tdp.value * chips.all;
    answer["energy"] = {{"total", plain(energy)}};
    if (output > 0) answer["energy"]["output_token"] = plain(energy.coherent() / output, "J/tok");
  }
  Json outcomes = Json::object();
  constexpr std::array<const char*, outcome_count> names{"answered", "empty", "too_long", "duplicate", "turned_away", "malformed"};
  for (std::size_t i = 0; i < names.size(); ++i) outcomes[names[i]] = t.outcomes[i];
  outcomes["in_system"] = t.in_system;
  answer["outcomes"] = std::move(outcomes);
  answer["duration"] = plain(t.now);
  const Plan& plan = situation.plan;
  answer["plan"] = {{"tp", plan.tp}, {"ep", plan.ep}, {"pp", plan.pp}, {"dp", plan.dp}, {"cp", plan.cp}, {"replicas", plan.replicas},
                    {"chips", s.chips()}};
  if (const auto& p = situation.prefill)
    answer["plan"]["prefill"] = {{"tp", p->tp}, {"ep", p->ep}, {"pp", p->pp}, {"dp", p->dp}, {"replicas", p->replicas}};
  answer["why"] = why(s, run, busy);
  answer["figures"] = over_time(m.series);
  if (Json curves = distribution(m, s.objectives); !curves.is_null()) answer["figures"].push_back(std::move(curves));

  const auto counted = [](std::uint64_t many, const char* one, const char* more) {
    return many == 1 ? std::string(one) : fmt::format("{} {}", number_text(static_cast<double>(many), 10), more);
  };
  const auto count_of = [&](Outcome o) { return t.outcomes[static_cast<std::size_t>(o)]; };
  if (const auto many = count_of(Outcome::too_long); many > 0)
    warnings.push_back(fmt::format("{} longer than the {} tokens a replica holds, and refused",
                                   counted(many, "one request is", "requests are"),
                                   number_text(static_cast<double>(pages) * plan.page_tokens, 10)));
  if (const auto many = count_of(Outcome::turned_away); many > 0)
    warnings.push_back(fmt::format("{} found the queue full", counted(many, "one request", "requests")));
  if (const auto many = count_of(Outcome::empty); many > 0)
    warnings.push_back(
        fmt::format("{} for no answer: read, and counted in throughput alone", counted(many, "one request asks", "requests ask")));
  if (!run.complete) warnings.push_back(fmt::format("the run was stopped: {} requests were still in the system", t.in_system));
  Json list = Json::array();
  for (const std::string& w : warnings) list.push_back(w);
  return {{"answer", std::move(answer)},
          {"run", {{"requests", t.requests}, {"events", t.events}, {"steps", t.steps}, {"complete", run.complete}}},
          {"explain", explanation(s, money, means, chips.all)},
          {"warnings", std::move(list)}};
}

}  // namespace fareline
