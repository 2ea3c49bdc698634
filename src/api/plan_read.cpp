// SPDX-License-Identifier: Apache-2.0
// Reading the question "plan": names and lists to a space, a promise and offers.
#include <algorithm>

#include <fmt/format.h>

#include "api/launch.h"
#include "api/plan.h"
#include "api/plan_inputs.h"
#include "api/serve.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> listed(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return parts;
}

Expected<int> count_in(std::string_view where, std::string_view text, int most) {
  const auto count = parse_count(text);
  if (!count) return std::unexpected(Error(count.error()).within(std::string(where)));
  if (*count < 1 || *count > most)
    return fail(std::string(where), fmt::format("{} is out of range", in_quotes(text)),
                fmt::format("write a whole number from 1 to {}", most));
  return static_cast<int>(*count);
}

struct Range {
  int from = 1, to = 1;
};
// "from..to", or one number, which is both.
Expected<Range> range_in(std::string_view where, std::string_view text, int most) {
  const auto dots = text.find("..");
  const auto from = count_in(where, text.substr(0, dots), most);
  if (!from) return std::unexpected(from.error());
  const auto to = dots == std::string_view::npos ? from : count_in(where, text.substr(dots + 2), most);
  if (!to) return std::unexpected(to.error());
  if (*to < *from) return fail(std::string(where), in_quotes(text) + " runs backwards", "write the smaller end first");
  return Range{*from, *to};
}

Expected<std::vector<int>> counts_in(const Inputs& inputs, std::string_view name, int most) {
  std::vector<int> counts;
  if (!inputs.has(name)) return counts;
  for (const std::string& part : listed(inputs.text(name))) {
    const auto count = count_in(name, part, most);
    if (!count) return std::unexpected(count.error());
    if (std::find(counts.begin(), counts.end(), *count) == counts.end()) counts.push_back(*count);
  }
  if (counts.empty()) return fail(std::string(name), "is empty", "write e.g. 1,2,4");
  return counts;
}

// Names of formats that the input `of` of "cost" takes; empty stands for the published one.
Expected<std::vector<std::string>> formats_in(const Inputs& inputs, std::string_view name, std::string_view of, const Question& cost) {
  const auto row = std::find_if(cost.inputs.begin(), cost.inputs.end(), [&](const Input& i) { return i.name == of; });
  std::vector<std::string> known = listed(row->choices), formats;
  known.emplace_back("published");
  for (const std::string& part : listed(inputs.text(name))) {
    if (std::find(known.begin(), known.end(), part) == known.end()) {
      std::string all;
      for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
      return fail(std::string(name), fmt::format("{} is not a choice", in_quotes(part)), "write some of " + all);
    }
    const std::string format = part == "published" ? std::string() : part;
    if (std::find(formats.begin(), formats.end(), format) == formats.end()) formats.push_back(format);
  }
  if (formats.empty()) return fail(std::string(name), "is empty", "write e.g. published");
  return formats;
}

// What the asker gave for `input`, as it would be written again.
Json given_value(const Inputs& inputs, const Input& input) {
  if (const Json* object = inputs.object(input.name)) return *object;
  if (!is_numeric(input.kind)) return inputs.text(input.name);
  const double value = *inputs.number(input.name);
  if (input.kind == InputKind::count) return static_cast<std::int64_t>(value);
  if (input.kind == InputKind::number) return value;
  const std::string unit = unit_name(input.dim);
  return unit.starts_with("1/") ? fmt::format("{}{}", value, unit.substr(1)) : fmt::format("{} {}", value, unit);
}

void add_once(std::vector<std::string>& all, const std::string& one) {
  if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
}

constexpr int most_chips = 1 << 16;

}  // namespace

Expected<PlanAsked> read_plan(Inputs& inputs, const Catalogue& catalogue) {
  const Question& cost = *question_named("cost");
  PlanAsked asked;
  auto model = model_of(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  asked.model = inputs.model();
  asked.systems = listed(inputs.text("systems"));
  if (asked.systems.empty()) return fail("systems", "is missing", "give names from \"fareline list systems\", comma separated");
  for (auto at = asked.systems.begin(); at != asked.systems.end(); ++at)
    if (std::find(asked.systems.begin(), at, *at) != at) return fail("systems", in_quotes(*at) + " is named twice", "name it once");
  for (const std::string_view name : {"prompt", "output"})
    if (!inputs.has(name)) return fail(std::string(name), "is missing", fmt::format("give --{} {}", name, name == "prompt" ? 4096 : 512));
  if (inputs.given("rate") && inputs.given("concurrency"))
    return fail("concurrency", "is given beside a rate", "give one of --concurrency and --rate");

  const auto chips = range_in("chips", inputs.text("chips"), most_chips);
  if (!chips) return std::unexpected(chips.error());
  asked.space.least_chips = inputs.text("chips").find("..") == std::string::npos ? 1 : chips->from;
  asked.space.most_chips = chips->to;
  for (const auto& [name, list, most] : {std::tuple{"tp", &asked.space.tp, 65536}, {"ep", &asked.space.ep, 65536},
                                         {"pp", &asked.space.pp, 1024}, {"dp", &asked.space.dp, 65536}, {"cp", &asked.space.cp, 4096},
                                         {"token_budget", &asked.space.token_budgets, 10'000'000}}) {
    auto counts = counts_in(inputs, name, most);
    if (!counts) return std::unexpected(counts.error());
    *list = std::move(*counts);
  }
  if (inputs.has("replicas")) {
    const auto replicas = range_in("replicas", inputs.text("replicas"), most_chips);
    if (!replicas) return std::unexpected(replicas.error());
    asked.space.least_replicas = replicas->from;
    asked.space.most_replicas = replicas->to;
  }
  asked.space.demand = {.concurrency = inputs.number("concurrency").value_or(0),
                        .rate = inputs.quantity<Frequency>("rate").value_or(Frequency{})};
  for (double crowd = 1; crowd <= 16384; crowd *= 2) asked.space.crowds.push_back(crowd);

  if (inputs.text("layouts") == "launchable") {
    const std::string stack = inputs.text("stack");
    asked.space.wanted = stack == "sglang"   ? [](const Plan& plan) { return cannot_launch("sglang", plan).empty(); }
                         : stack == "trtllm" ? [](const Plan& plan) { return cannot_launch("trtllm", plan).empty(); }
                                             : [](const Plan& plan) { return cannot_launch("vllm", plan).empty(); };
  }
  asked.promise = {.ttft = inputs.quantity<Seconds>("ttft"), .tpot = inputs.quantity<Seconds>("tpot"),
                   .budget = inputs.quantity<MoneyRate>("budget"), .power = inputs.quantity<Watts>("most_power")};
  const std::string aim = inputs.text("minimise");
  asked.aim = aim == "chips"   ? Aim::chips
              : aim == "power" ? Aim::power
              : aim == "tpot"  ? Aim::tpot
              : aim == "ttft"  ? Aim::ttft
                               : Aim::price;
  asked.keep = *inputs.count("plans");

  const auto weights = formats_in(inputs, "precision", "weights", cost), experts = formats_in(inputs, "experts", "experts", cost),
             kv = formats_in(inputs, "kv", "kv", cost);
  for (const auto* list : {&weights, &experts, &kv})
    if (!*list) return std::unexpected(list->error());
  const std::vector<std::string> rents = listed(inputs.text("rental"));
  if (!rents.empty() && rents.size() != asked.systems.size())
    return fail("rental", fmt::format("has {} prices for {} systems", rents.size(), asked.systems.size()),
                "write one for each system, in the order of --systems");

  Json base = Json::object();
  for (const Input& input : cost.inputs) {
    const bool left_to_the_plan = input.name == "kv" || input.name == "experts" || input.name == "rate" || input.name == "concurrency" ||
                                  input.name == "rental" || input.name == "tp" || input.name == "ep" || input.name == "pp" ||
                                  input.name == "dp" || input.name == "cp" || input.name == "replicas" || input.name == "token_budget";
    if (!left_to_the_plan && inputs.given(input.name)) base[std::string(input.name)] = given_value(inputs, input);
  }
  for (std::size_t i = 0; i < asked.systems.size(); ++i)
    for (const std::string& w : *weights)
      for (const std::string& e : *experts)
        for (const std::string& k : *kv) {
          Json one = Json::object();
          one["model"] = base["model"];
          one["system"] = asked.systems[i];
          for (const auto& [name, value] : base.items())
            if (name != "model") one[name] = value;
          if (!w.empty()) one["weights"] = w;
          if (!e.empty()) one["experts"] = e;
          if (!k.empty()) one["kv"] = k;
          if (!rents.empty()) one["rental"] = rents[i];
          auto of_cost = Inputs::read(cost, one);
          if (!of_cost) return std::unexpected(of_cost.error());
          of_cost->keep(asked.model);
          auto terms = read_terms(*of_cost, catalogue);
          if (!terms) {
            Error error = terms.error();
            if (error.where.starts_with("system")) error.where.insert(6, "s");
            return std::unexpected(error);
          }
          for (const std::string& warning : terms->warnings) add_once(asked.warnings, asked.systems[i] + ": " + warning);
          Offer offer{.situation = std::move(terms->situation)};
          const Precision& published = offer.situation.model.precision;
          offer.formats_changed = (!w.empty() && w != name(published.weights)) + (!e.empty() && e != name(published.weights)) +
                                  (!k.empty() && k != name(published.kv));
          asked.space.offers.push_back(std::move(offer));
          asked.offered.push_back({.system = asked.systems[i], .cost = std::move(one)});
        }
  for (const std::string_view unused : {"capital", "network", "years", "power", "pue", "electricity", "utilisation", "upkeep"})
    if (inputs.text("owned") != "yes") inputs.leave_out(unused);
  if (inputs.number("draft").value_or(0) <= 0)
    for (const std::string_view unused : {"draft_by", "acceptance"}) inputs.leave_out(unused);
  return asked;
}

Json cost_inputs(const PlanAsked& asked, const Found& found) {
  Json inputs = asked.offered[static_cast<std::size_t>(found.offer)].cost;
  const Plan& p = found.plan;
  for (const auto& [name, value] : {std::pair{"tp", p.tp}, {"ep", p.ep}, {"pp", p.pp}, {"dp", p.dp}, {"cp", p.cp},
                                    {"replicas", p.replicas}, {"token_budget", p.token_budget}})
    inputs[name] = value;
  if (found.demand.rate > Frequency{}) inputs["rate"] = fmt::format("{}/s", found.demand.rate.coherent());
  else inputs["concurrency"] = static_cast<std::int64_t>(found.demand.concurrency);
  return inputs;
}

}  // namespace fareline
