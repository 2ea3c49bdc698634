// SPDX-License-Identifier: Apache-2.0
// The question "cost": what a token costs on a system under a workload, and why.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/questions.h"
#include "api/serve.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr double per_million = 1e6;  // prices are in USD per million tokens

Json price(TokenPrice value, TokenPrice floor, Band band) { return banded(value, floor, band, per_million, "USD/Mtok"); }

// The smallest change of layout or format that makes room, in words; empty where none was found.
std::string would_fit(const Situation& asked, const Inputs& inputs) {
  std::string best;
  int least = 1 << 30;
  const Inputs open = [&] {
    auto copy = Inputs::read(inputs.question(), Json::object());
    FARELINE_CHECK(copy.has_value());
    return *copy;
  }();
  for (const std::optional<Format> weights :
       {std::optional<Format>{}, std::optional<Format>(Format::fp8), std::optional<Format>(Format::nvfp4)}) {
    Plan base = asked.plan;
    base.tp = base.ep = base.pp = base.dp = 1;
    if (weights) base.weights = weights;
    for (const Plan& plan : layouts(asked.model, asked.system, base, open)) {
      if (!compile(asked.model, asked.system, asked.calibration, plan)) continue;
      const MemoryUse use = memory_use(asked.model, asked.system, plan, asked.workload.prompt.mean() + asked.workload.output.mean());
      if (most_sequences(use, plan) < 1 || plan.replica_chips() >= least) continue;
      least = plan.replica_chips();
      best = fmt::format("tp {}, pp {}, dp {}, ep {} ({} chips){} holds {} such sequences", plan.tp, plan.pp, plan.dp, plan.ep,
                         plan.replica_chips(), weights ? fmt::format(" with weights in {}", name(*weights)) : "",
                         number_text(most_sequences(use, plan)));
    }
    if (!best.empty()) break;
  }
  return best;
}

struct Change {
  std::string what;
  double ratio = 1;  // of the blended price
};

// What the blended price would be with one thing doubled.
std::vector<Change> changes(const Situation& s, const Served& served) {
  std::vector<Change> all;
  const auto try_one = [&](std::string what, auto&& edit) {
    Situation other = s;
    edit(other);
    if (const auto result = serve(other)) all.push_back({std::move(what), result->prices.blended / served.prices.blended});
  };
  try_one("twice the memory bandwidth", [](Situation& o) { o.system.chip.hbm_bandwidth.value *= 2; });
  try_one("twice the peak FLOP/s", [](Situation& o) { for (auto& p : o.system.chip.peak) p.value *= 2; });
  if (s.plan.replica_chips() > 1)
    try_one("twice the links' bandwidth", [](Situation& o) {
      o.system.scale_up.bandwidth.value *= 2;
      o.system.scale_out.bandwidth.value *= 2;
    });
  if (s.demand.concurrency > 0) try_one("twice the users", [](Situation& o) { o.demand.concurrency *= 2; });
  if (s.demand.batch > 0) try_one("twice the batch", [](Situation& o) { o.demand.batch *= 2; });
  std::stable_sort(all.begin(), all.end(), [](const Change& a, const Change& b) { return a.ratio < b.ratio; });
  return all;
}

std::string why(const Served& served) {
  const PassEstimate& decode = served.serving.decode;
  if (decode.time == Seconds{}) return "One output token comes straight from the prompt's pass: there is no decode.";
  const Binder binder = first_binder(decode);
  const double share = decode.by_binder[static_cast<std::size_t>(binder)] / decode.time;
  const double output_share = served.bill.output / served.bill.total;
  return fmt::format("A decode step of {} sequences takes {}, {:.0f}% of it {}; {:.0f}% of the bill is for output tokens.",
                     number_text(served.serving.decode_pass.decode_sequences, 3), to_text(decode.time, 3), 100 * share, phrase(binder),
                     100 * output_share);
}

std::string what_would_change_it(const std::vector<Change>& all, const Served& served, const Demand& demand) {
  if (demand.rate > Frequency{})
    return "At a given rate a token costs the chips over the rate: fewer or cheaper chips lower it, faster ones only answer sooner.";
  std::string text;
  if (!all.empty() && all.front().ratio < 0.98) {
    text = fmt::format("{} would take {:.0f}% off the price of a token", all.front().what, 100 * (1 - all.front().ratio));
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    if (all.back().ratio > 0.98 && all.size() > 1)
      text += fmt::format("; {} would take {:.0f}% off", all.back().what, std::max(0.0, 100 * (1 - all.back().ratio)));
  } else {
    text = "Doubling any one thing of the hardware moves the price of a token by less than 2%";
  }
  if (served.serving.admitted >= served.serving.resident_limit * 0.999) text += "; memory is full, so more of it would raise the batch";
  return text + ".";
}

Explained input(std::string name, Json value, std::string source = {}) {
  return {.name = std::move(name), .value = std::move(value), .source = std::move(source)};
}

Json explanation(const Situation& s, const Served& v, bool operators) {
  const Serving& g = v.serving;
  const Workload& w = s.workload;
  const double replica_chips = v.chips;
  const Explained rate{.name = "requests a second, all replicas",
                       .value = plain(g.rate),
                       .formula = "X = replicas / T, T = prefill + prefix + decode engine time of a request",
                       .source = "perf/serving.h: closed_loop",
                       .inputs = {input("prefill engine time", plain(g.prefill_time)), input("prefix engine time", plain(g.prefix_time)),
                                  input("decode engine time", plain(g.decode_time)), input("replicas", plain(s.plan.replicas, "1"))}};
  const Explained bill{.name = "chips' cost of a request",
                       .value = plain(v.bill.total - v.bill.storage),
                       .formula = "chips * chip_rate / X",
                       .source = "economics/money.h: request_bill",
                       .inputs = {input("chips", plain(replica_chips, "1")), input("chip_rate", plain(s.chip_rate)), rate}};
  Json e = Json::array();
  const auto price_node = [&](std::string name, TokenPrice p, Dollars part, double tokens, std::string formula) {
    e.push_back(to_json({.name = std::move(name),
                         .value = plain(p.coherent() * per_million, "USD/Mtok"),
                         .formula = std::move(formula),
                         .source = "economics/money.h: token_prices",
                         .inputs = {input("part of the bill", plain(part)), input("tokens", plain(tokens, "tok")), bill}}));
  };
  price_node("price.input", v.prices.input, v.bill.input, w.prompt_new(),
             "(chips' cost) * prefill / (prefill + prefix + decode) / new prompt tokens");
  price_node("price.output", v.prices.output, v.bill.output, w.output.mean(),
             "(chips' cost) * decode / (prefill + prefix + decode) / output tokens");
  if (w.prompt_cached() > 0)
    price_node("price.cached_input", v.prices.cached_input, v.bill.prefix + v.bill.storage, w.prompt_cached(),
               "((chips' cost) * prefix / (prefill + prefix + decode) + size * storage price * hold) / cached tokens");
  const double steps = std::max(0.0, w.output.mean() - 1) / s.speculation.yield;
  e.push_back(to_json(
      {.name = "latency.tpot",
       .value = plain(g.tpot.value),
       .formula = "(n t(B) + B E) / (output - 1)",
       .source = "perf/serving.h: closed_loop",
       .inputs = {input("n, decode steps of a request", plain(steps, "1")),
                  input("B, sequences decoding in a replica", plain(g.decoding, "1")),
                  input("t(B), a decode step", plain(g.decode.time), "passes.decode"), input("draft time of a step", plain(g.draft_time)),
                  input("E, engine time a prompt adds", plain(g.prefill_time + g.prefix_time), "passes.prefill"),
                  input("output", plain(w.output.mean(), "tok"))}}));
  e.push_back(to_json({.name = "latency.ttft",
                       .value = plain(g.ttft.value),
                       .formula = "wait + own prefill + retrieval of the cached prefix",
                       .source = "perf/serving.h: closed_loop (Little's law)",
                       .inputs = {input("wait", plain(g.queueing)), input("own prefill", plain(g.ttft.value - g.queueing - v.retrieval)),
                                  input("retrieval", plain(v.retrieval))}}));
  Json passes{
      {"decode",
       {{"sequences", plain(g.decode_pass.decode_sequences, "1")},
        {"context", plain(g.decode_pass.decode_context, "tok")},
        {"time", plain(g.decode.time)},
        {"floor", plain(g.decode.floor)},
        {"formula", "floor = max(FLOP / peak, (weights + KV) / bandwidth, wire / link), stage by stage; time = sum over operators"}}},
      {"prefill",
       {{"prompts", plain(g.mixed_pass.prefill_sequences, "1")},
        {"tokens", plain(g.mixed_pass.prefill_tokens, "tok")},
        {"before", plain(g.mixed_pass.prefill_context, "tok")},
        {"time", plain(g.mixed.time)},
        {"floor", plain(g.mixed.floor)}}}};
  if (operators) {
    passes["decode"]["operators"] = g.decode.time > Seconds{} ? operators_of(v.compiled, g.decode_pass) : Json::array();
    passes["prefill"]["operators"] = operators_of(v.compiled_prefill ? *v.compiled_prefill : v.compiled, g.mixed_pass);
  }
  return {{"numbers", std::move(e)}, {"passes", std::move(passes)}};
}

}  // namespace

Expected<Json> answer_cost(Inputs& inputs, const Catalogue& catalogue) {
  auto read = read_situation(inputs, catalogue);
  if (!read) return std::unexpected(read.error());
  const Situation& s = read->situation;
  Json result = Json::object();
  Json warnings = Json::array();
  for (const std::string& w : read->warnings) warnings.push_back(w);

  // Nothing feasible was found exactly where a reason is left.
  const std::expected<Served, Infeasible> served =
      read->choice.served ? std::expected<Served, Infeasible>(std::move(*read->choice.served)) : std::unexpected(*read->choice.nearest);
  if (!served) {
    result["answer"] = infeasible_answer(
        served.error(), served.error().constraint == Infeasible::Constraint::memory ? would_fit(s, inputs) : std::string());
    result["explain"] = Json::object();
    result["warnings"] = std::move(warnings);
    return result;
  }
  const Served& v = *served;
  const Serving& g = v.serving;
  const Calibration& c = s.calibration;
  const Workload& w = s.workload;
  const double speedup = g.rate / g.rate_ceiling;  // the bill's floor: the same bill at the ceiling's rate
  const double storage_share = v.bill.storage / v.bill.total;
  // The bound: the same bill at the ceiling's rate, or what the ideal calibration answers to the same question where that is less.
  Situation ideal = s;
  const auto peak_rates = catalogue.calibration("ideal");
  FARELINE_CHECK(peak_rates.has_value());
  ideal.calibration = *peak_rates;
  const auto best = serve(ideal);
  const auto floor_of = [&](TokenPrice p, double fixed_share, TokenPrice TokenPrices::*member) {
    const TokenPrice faster = p * (fixed_share + (1 - fixed_share) * speedup);
    return best && best->prices.*member > TokenPrice{} ? min(faster, best->prices.*member) : faster;
  };
  const auto least = [&](Bounded b, Bounded Serving::*member) { return best ? min(b.floor, (best->serving.*member).value) : b.floor; };

  TokenPrice cached_price = v.prices.cached_input;
  double cached_fixed = v.bill.prefix + v.bill.storage > Dollars{} ? v.bill.storage / (v.bill.prefix + v.bill.storage) : 0;
  if (w.cached <= 0) {
    Situation half = s;
    half.workload.cached = 0.5;
    if (const auto other = serve(half)) {
      cached_price = other->prices.cached_input;
      cached_fixed = other->bill.storage / max(other->bill.prefix + other->bill.storage, 1e-30 * unit::usd);
      warnings.push_back(
          "no part of the prompt is cached: the price of cached input is that of the same system with half of each prompt cached");
    }
  }
  if (cached_price > v.prices.input && v.prices.input > TokenPrice{})
    warnings.push_back(
        "keeping a prefix between uses costs more than computing it again: hold it shorter, keep it in another tier, or do not keep it");
  const Band money{.low = 1 / c.throughput.high, .high = 1 / c.throughput.low};
  Json answer;
  answer["feasible"] = true;
  answer["price"] = {{"input", price(v.prices.input, floor_of(v.prices.input, 0, &TokenPrices::input), money)},
                     {"cached_input", price(cached_price, floor_of(cached_price, cached_fixed, &TokenPrices::cached_input), money)},
                     {"output", price(v.prices.output, floor_of(v.prices.output, 0, &TokenPrices::output), money)},
                     {"blended", price(v.prices.blended, floor_of(v.prices.blended, storage_share, &TokenPrices::blended), money)}};
  const Bounded e2e{.value = g.ttft.value + g.tpot.value * std::max(0.0, w.output.mean() - 1),
                    .floor = least(g.ttft, &Serving::ttft) + least(g.tpot, &Serving::tpot) * std::max(0.0, w.output.mean() - 1)};
  answer["latency"] = {{"ttft", banded(g.ttft.value, least(g.ttft, &Serving::ttft), c.ttft)},
                       {"tpot", banded(g.tpot.value, least(g.tpot, &Serving::tpot), c.tpot)},
                       {"e2e", banded(e2e.value, e2e.floor, c.tpot)}};
  const double requests = g.rate.coherent(), ceiling = (best ? max(g.rate_ceiling, best->serving.rate) : g.rate_ceiling).coherent(),
               out = w.output.mean(), all = out + w.prompt.mean();
  answer["throughput"] = {{"requests", banded_rate(requests, ceiling, c.throughput, "1/s")},
                          {"output_tokens", banded_rate(requests * out, ceiling * out, c.throughput, "tok/s")},
                          {"total_tokens", banded_rate(requests * all, ceiling * all, c.throughput, "tok/s")},
                          {"output_tokens_per_chip", banded_rate(requests * out / v.chips, ceiling * out / v.chips, c.throughput, "tok/s")},
                          {"total_tokens_per_chip", banded_rate(requests * all / v.chips, ceiling * all / v.chips, c.throughput, "tok/s")}};
  answer["batch"] = {
      {"concurrency", plain(g.concurrency, "1")}, {"decoding", plain(g.decoding, "1")}, {"largest", plain(g.resident_limit, "1")}};
  answer["plan"] = {{"tp", s.plan.tp}, {"ep", s.plan.ep}, {"pp", s.plan.pp},
                    {"dp", s.plan.dp}, {"cp", s.plan.cp}, {"replicas", s.plan.replicas},
                    {"chips", v.chips}};
  if (s.prefill)
    answer["plan"]["prefill"] = {
        {"tp", s.prefill->tp}, {"ep", s.prefill->ep}, {"pp", s.prefill->pp}, {"dp", s.prefill->dp}, {"replicas", s.prefill->replicas}};
  answer["bound"] = {{"decode", bound_of(g.decode)}, {"prefill", bound_of(g.mixed)},
                     {"capacity", {{"share", std::min(1.0, g.admitted / g.resident_limit)}}}};
  const auto utilisation = [&](const PassEstimate& p) -> Json {
    if (p.stage_time == Seconds{}) return {{"mfu", 0.0}, {"mbu", 0.0}};
    const FlopRate peak = s.system.chip
                              .peak[static_cast<std::size_t>(
                                  multiply_rate(s.plan.weights.value_or(s.model.precision.weights), s.plan.activations, s.system.chip))]
                              .value;
    return {{"mfu", p.flops / p.stage_time / peak}, {"mbu", (p.weights + p.kv) / p.stage_time / s.system.chip.hbm_bandwidth.value}};
  };
  answer["utilisation"] = {{"decode", utilisation(g.decode)}, {"prefill", utilisation(g.mixed)}};
  answer["memory"] = memory_of(v.memory, s.plan, kv_capacity_tokens(s.model, v.memory, s.plan));
  answer["bill"] = {{"input", plain(v.bill.input)},
                    {"prefix", plain(v.bill.prefix)},
                    {"storage", plain(v.bill.storage)},
                    {"output", plain(v.bill.output)},
                    {"request", plain(v.bill.total)},
                    {"chip_rate", plain(s.chip_rate)},
                    {"system_rate", plain(v.chips * s.chip_rate)}};
  if (inputs.text("explain") != "none") {
    const auto sensitivity = changes(s, v);
    Json rows = Json::array();
    for (const Change& change : sensitivity) rows.push_back({{"change", change.what}, {"price_ratio", change.ratio}});
    answer["sensitivity"] = std::move(rows);
    answer["why"] = why(v);
    answer["change"] = what_would_change_it(sensitivity, v, s.demand);
    result["explain"] = explanation(s, v, inputs.text("explain") == "full");
    for (const std::string& note : s.model.notes) result["explain"]["model"].push_back(note);
    result["explain"]["calibration"] = {{"name", c.name}, {"evidence", c.evidence}, {"source", c.source}};
  } else {
    result["explain"] = Json::object();
  }
  result["answer"] = std::move(answer);
  result["warnings"] = std::move(warnings);
  return result;
}

}  // namespace fareline
