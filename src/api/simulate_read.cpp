// SPDX-License-Identifier: Apache-2.0
// From the inputs of "simulate" to a fleet, its traffic and its objectives.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/simulate.h"
#include "economics/tiers.h"
#include "perf/departures.h"
#include "perf/speculation.h"
#include "sim/traffic_words.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t looked_at = 100'000;   // requests of a trace from which its rate and mean lengths are taken

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Rows of the question as the JSON lines of a trace.
Expected<std::string> rows_of(const Json& list) {
  if (!list.is_array() || list.empty())
    return fail("traffic", "is no list of requests", "write [{\"arrival\": 0, \"prompt\": 1000, \"output\": 200}, ...]");
  std::string text;
  for (const Json& row : list) {
    if (!row.is_object())
      return fail("traffic", "holds a row that is no object", "write [{\"arrival\": 0, \"prompt\": 1000, \"output\": 200}, ...]");
    text += row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return text;
}

Expected<LengthLaw> length_of(const Inputs& inputs, const std::string& name, Surroundings& around) {
  if (!inputs.has(name))
    return fail(name, "is missing", fmt::format("give --{} {}", name, name == "prompt" ? "lognormal:1024,0.8" : "lognormal:256,1.0"));
  auto law = read_length_law(inputs.text(name));
  if (!law) return std::unexpected(Error(law.error()).within(name));
  if (law->kind != LengthLaw::Kind::drawn) return law;
  auto bytes = around.open(law->path);
  if (!bytes) return std::unexpected(Error(bytes.error()).within(name));
  auto columns = read_lengths(law->path, std::move(*bytes));
  if (!columns) return std::unexpected(columns.error());
  law->rows = std::make_shared<const std::vector<std::int64_t>>(std::move((*columns)[name == "output"]));
  return law;
}

bool names_a_file(const std::string& text) { return words_of(text).name.find_first_of("./\\") != std::string_view::npos; }

Expected<TrafficSource> traffic_of(Inputs& inputs, Surroundings& around, std::vector<std::string>& warnings) {
  TrafficSource source;
  const std::string text = inputs.text("traffic");
  const Json* rows = inputs.object("traffic");
  if (rows || names_a_file(text)) {
    if (rows) {
      auto lines = rows_of(*rows);
      if (!lines) return std::unexpected(lines.error());
      source.rows = std::make_shared<const std::string>(std::move(*lines));
    } else {
      source.path = text;
    }
    for (const char* unused : {"rate", "concurrency", "think", "prompt", "output", "turns", "shared", "urgent", "block"}) {
      if (inputs.given(unused)) warnings.push_back(fmt::format("{} is not used: the trace says when what comes", unused));
      inputs.leave_out(unused);
    }
    source.choice.speed = inputs.number("faster").value_or(1);
    if (const auto requests = inputs.number("requests")) source.choice.requests = static_cast<std::uint64_t>(*requests);
    if (const std::string only = inputs.text("only"); !only.empty()) {
      const auto equals = only.find('=');
      if (equals == 0 || equals == std::string::npos) return fail("only", in_quotes(only) + " is no choice of rows", "write column=value");
      source.choice.column = only.substr(0, equals);
      source.choice.value = only.substr(equals + 1);
    }
    return source;
  }
  auto arrivals = read_arrival_law(text);
  if (!arrivals) return std::unexpected(Error(arrivals.error()).within("traffic"));
  TrafficLaw law{.arrivals = *arrivals};
  auto prompt = length_of(inputs, "prompt", around), output = length_of(inputs, "output", around),
       turns = read_length_law(inputs.text("turns"));
  if (!prompt) return std::unexpected(prompt.error());
  if (!output) return std::unexpected(output.error());
  if (!turns) return std::unexpected(Error(turns.error()).within("turns"));
  if (turns->kind == LengthLaw::Kind::drawn) return fail("turns", "cannot be drawn from a file", "write a number or a law");
  if (turns->mean() > static_cast<double>(most_turns))
    return fail("turns", fmt::format("are more than {}", most_turns), "write fewer turns");
  if (prompt->always(0)) return fail("prompt", "is of no token", "write one or more");
  law.prompt = std::move(*prompt), law.output = std::move(*output), law.turns = std::move(*turns);
  const auto rate = inputs.quantity<Frequency>("rate");
  const auto users = inputs.number("concurrency");
  if (rate && users) return fail("concurrency", "is given beside a rate", "give one of --rate, --concurrency");
  if (!rate && !users) return fail("rate", "is missing", "give --rate 40/s, or --concurrency 64 for users who wait for their answers");
  law.rate = rate.value_or(Frequency{});
  law.users = static_cast<std::uint64_t>(users.value_or(0));
  if (users && inputs.given("traffic")) warnings.push_back("the law of arrivals is not used: users send when they are answered");
  if (users) inputs.choose("traffic", std::string("closed loop"), "fareline", "a number of users is given");
  law.think = inputs.quantity<Seconds>("think").value_or(Seconds{});
  law.shared = static_cast<std::int64_t>(inputs.number("shared").value_or(0));
  law.urgent = inputs.number("urgent").value_or(0);
  law.block_tokens = inputs.count("block").value_or(512);
  law.blocks = inputs.text("prefix_cache") == "yes";
  if (!inputs.has("requests")) inputs.choose("requests", 10'000, "default", "ten of them lie above the 99.9th percentile");
  law.requests = static_cast<std::uint64_t>(*inputs.number("requests"));
  law.seed = static_cast<std::uint64_t>(inputs.number("seed").value_or(1));
  for (const char* unused : {"faster", "only"}) {
    if (inputs.given(unused)) warnings.push_back(fmt::format("{} is not used: it speaks of traces", unused));
    inputs.leave_out(unused);
  }
  if (!law.blocks) inputs.leave_out("block");
  if (law.users == 0 && law.turns.always(1)) inputs.leave_out("think");
  source.law = std::move(law);
  return source;
}

// Mean lengths and rate of what comes: by law, or of the first requests of a trace. Errors: those of the trace.
struct Usual {
  Workload workload;
  Frequency rate{};
  double users = 0;
};
Expected<Usual> usual_of(const TrafficSource& source, Surroundings& around) {
  Usual usual;
  double prompt = 0, output = 0;
  if (source.law) {
    const TrafficLaw& law = *source.law;
    const double turns = std::max(1.0, law.turns.mean());  // a turn finds half of the others before it
    prompt = static_cast<double>(law.shared) + law.prompt.mean() + (turns - 1) / 2 * (law.prompt.mean() + law.output.mean());
    output = law.output.mean();
    usual.rate = law.rate;
    usual.users = static_cast<double>(law.users);
  } else {
    auto traffic = source.make(around);
    if (!traffic) return std::unexpected(traffic.error());
    std::uint64_t count = 0;
    Seconds last{};
    while (count < looked_at) {
      const auto request = (*traffic)->next();
      if (!request) break;
      ++count;
      prompt += static_cast<double>(request->prompt);
      output += static_cast<double>(request->output);
      last = request->arrival;
    }
    if ((*traffic)->failed()) return std::unexpected(*(*traffic)->failed());
    if (count == 0) return fail("traffic", "holds no request", "give a trace of one or more");
    prompt /= static_cast<double>(count), output /= static_cast<double>(count);
    usual.rate = last > Seconds{} ? static_cast<double>(count) / last : Frequency{};
  }
  usual.workload.prompt.longest = std::max(1.0, prompt);
  usual.workload.output.longest = std::max(1.0, output);
  return usual;
}

Expected<std::vector<CacheTier>> tiers_of(const Inputs& inputs, const System& system, const Plan& plan) {
  std::vector<CacheTier> tiers;
  const double chips = plan.replica_chips();
  const std::string text = inputs.text("tiers");
  const auto parts = split(text, ',');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Words words = words_of(parts[i]);
    if (words.name == "hbm") {
      if (i > 0 || words.name != parts[i])
        return fail("tiers", in_quotes(parts[i]) + " is not as hbm stands", "write hbm first and alone: its size is what the plan leaves");
      continue;
    }
    const auto known = std::find_if(system.tiers.begin(), system.tiers.end(), [&](const MemoryTier& t) { return t.name == words.name; });
    if (known == system.tiers.end() || !known->bandwidth.stated()) {
      std::vector<std::string> names{"hbm"};
      for (const MemoryTier& t : system.tiers) names.push_back(t.name);
      const std::string near = nearest_names(words.name, names);
      std::string all;
      for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
      return fail("tiers", fmt::format("{} has no tier {}", system.name, in_quotes(words.name)),
                  near.empty() ? "write some of " + all : near);
    }
    CacheTier tier{.name = known->name, .capacity = chips * known->capacity.value, .bandwidth = chips * known->bandwidth.value};
    if (words.name != parts[i]) {
      const auto capacity = parse<Bytes>(words.rest);
      if (!capacity) return std::unexpected(Error(capacity.error()).within("tiers: " + known->name));
      if (!(*capacity > Bytes{})) return fail("tiers: " + known->name, "holds nothing", "write e.g. " + known->name + ":1TB");
      tier.capacity = *capacity;
    }
    if (std::any_of(tiers.begin(), tiers.end(), [&](const CacheTier& t) { return t.name == tier.name; }))
      return fail("tiers", "names " + tier.name + " twice", "name each tier once");
    tiers.push_back(std::move(tier));
  }
  return tiers;
}

Expected<std::vector<Outage>> outages_of(const Inputs& inputs, int replicas) {
  std::vector<Outage> outages;
  const std::string text = inputs.text("outages");
  if (text.empty()) return outages;
  for (const std::string_view part : split(text, ',')) {
    const auto words = split(part, ':');
    const auto wrong = [&](std::string what) {
      return fail("outages", in_quotes(part) + " " + what, "write replica:at:lasts, e.g. 0:10min:5min");
    };
    if (words.size() != 3) return wrong("is not replica:at:lasts");
    const auto replica = parse_count(words[0]);
    const auto at = parse<Seconds>(words[1]), lasts = parse<Seconds>(words[2]);
    if (!replica || !at || !lasts || *at < Seconds{} || *lasts < Seconds{}) return wrong("is not replica:at:lasts");
    if (*replica >= replicas) return wrong(fmt::format("speaks of no replica of 0 to {}", replicas - 1));
    outages.push_back({.replica = static_cast<int>(*replica), .at = *at, .lasts = *lasts});
  }
  std::stable_sort(outages.begin(), outages.end(), [](const Outage& a, const Outage& b) { return a.at < b.at; });
  return outages;
}

// Chances that the first i drafted tokens are kept, by the acceptance or by the tokens a verified step yields.
Expected<Drafting> drafting_of(Inputs& inputs, const Model& model) {
  const int draft = inputs.count("draft").value_or(0);
  if (draft == 0) return Drafting{};
  const Speculation speculation = speculation_of(inputs, model);
  double acceptance = inputs.number("acceptance").value_or(0);
  if (inputs.has("accepted")) {
    double low = 0, high = 1;   // the yield grows with the acceptance
    for (int i = 0; i < 60; ++i) {
      acceptance = (low + high) / 2;
      (tokens_of_verified_step(draft, acceptance) < speculation.yield ? low : high) = acceptance;
    }
    inputs.leave_out("acceptance");
  }
  return Drafting{.accepted = geometric_acceptance(draft, acceptance), .by_mtp = speculation.by_mtp};
}

// Lays the model out: as asked; in one layout as `step` does where a part of it is given; else as `cost` does.
void lay_out(Scenario& scenario, Inputs& inputs, const Usual& usual) {
  Situation& s = scenario.situation;
  const std::array<std::pair<const char*, int Plan::*>, 4> parts{
      {{"tp", &Plan::tp}, {"ep", &Plan::ep}, {"pp", &Plan::pp}, {"dp", &Plan::dp}}};
  const bool any = std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return inputs.given(part.first); });
  if (any) {
    for (const auto& [name, member] : parts)
      if (!inputs.given(name)) inputs.choose(name, s.plan.*member, "default", "other parts of the layout were given");
    return;
  }
  s.demand = {.concurrency = usual.users, .rate = usual.users > 0 ? Frequency{} : usual.rate};
  if (s.prefill) s.demand = {.concurrency = usual.users > 0 ? usual.users : 1};  // pools are as large as asked
  const Seconds pace = scenario.objectives.tpot, patience = scenario.objectives.ttft;
  Choice choice = choose(s, inputs, pace, patience);
  std::string why = choice.within_pace ? fmt::format("serves cheapest in steady state with TPOT within {} and TTFT within {}, of {} tried",
                                                     to_text(pace), to_text(patience), choice.considered)
                                       : fmt::format("comes nearest to TPOT within {} and TTFT within {} in steady state, of {} tried",
                                                     to_text(pace), to_text(patience), choice.considered);
  if (choice.nearest) {
    // The load is too high for any: a lone user says what fits.
    Situation lone = s;
    lone.demand = {.concurrency = 1};
    choice = choose(lone, inputs, pace, patience);
    why = "serves one user cheapest in steady state; no layout tried carries all that comes";
  }
  if (choice.nearest) {
    scenario.reason = choice.nearest;
    s.plan = choice.nearest_plan;
    return;
  }
  s.plan = choice.situation.plan;
  s.prefill = choice.situation.prefill;
  for (const auto& [name, member] : parts) inputs.choose(name, s.plan.*member, "fareline", why);
  if (s.plan.replicas != inputs.count("replicas").value_or(1)) inputs.choose("replicas", s.plan.replicas, "fareline", why);
}

Expected<void> fill_fleet(Scenario& scenario, Inputs& inputs) {
  const Situation& s = scenario.situation;
  Fleet& fleet = scenario.fleet;
  const auto pool = [&](const Plan& plan, std::unique_ptr<const CompiledPlan>& kept, Role role) -> bool {
    auto compiled = compile(s.model, s.system, s.calibration, plan);
    if (!compiled) return scenario.reason = compiled.error(), false;
    kept = std::make_unique<const CompiledPlan>(std::move(*compiled));
    auto made = pool_of(s.model, s.system, *kept);
    if (!made) return scenario.reason = made.error(), false;
    made->role = role;
    made->sequences_most = inputs.count("sequences").value_or(256) * plan.dp;
    fleet.pools.push_back(*made);
    return true;
  };
  if (s.prefill && !pool(*s.prefill, scenario.compiled_prefill, Role::prefills)) return {};
  if (!pool(s.plan, scenario.compiled, s.prefill ? Role::decodes : Role::serves)) return {};

  const Chip& chip = s.system.chip;
  fleet.batching = *policy_named<Batching>(inputs.text("batching"));
  fleet.order = *policy_named<Order>(inputs.text("order"));
  fleet.preemption = *policy_named<Preemption>(inputs.text("preemption"));
  fleet.router = *policy_named<Router>(inputs.text("router"));
  if (fleet.batching == Batching::train) {
    const Seconds natural = memory_drain_time(chip.hbm_capacity.value, chip.hbm_bandwidth.value);
    fleet.period = inputs.quantity<Seconds>("period").value_or(natural);
    if (!inputs.given("period")) inputs.choose("period", natural.coherent(), "fareline", "the time to read a chip's memory once");
  }
  if (fleet.preemption == Preemption::swap) {
    if (!chip.host_link.stated()) return fail("preemption", "the chip's link to its host is not known", "write recompute");
    fleet.host_bandwidth = s.plan.replica_chips() * chip.host_link.value;
  }
  auto drafting = drafting_of(inputs, s.model);
  if (!drafting) return std::unexpected(drafting.error());
  fleet.drafting = std::move(*drafting);

  fleet.cache.on = inputs.text("prefix_cache") == "yes";
  fleet.cache.eviction = *policy_named<Eviction>(inputs.text("eviction"));
  fleet.cache.time_to_live = inputs.quantity<Seconds>("time_to_live").value_or(fleet.cache.time_to_live);
  auto tiers = tiers_of(inputs, s.system, s.plan);
  if (!tiers) return std::unexpected(tiers.error());
  if (fleet.cache.on) fleet.cache.tiers = std::move(*tiers);
  else if (!tiers->empty()) scenario.warnings.push_back("tiers are not used: there is no prefix cache (say prefix_cache yes)");
  if (!fleet.cache.on)
    for (const char* unused : {"eviction", "tiers"}) inputs.leave_out(unused);
  if (!fleet.cache.on || fleet.cache.eviction != Eviction::ttl) inputs.leave_out("time_to_live");

  if (s.prefill) {
    const Link& link = s.system.scale_out.bandwidth.stated() ? s.system.scale_out : s.system.scale_up;
    if (!link.bandwidth.stated())
      return fail("disaggregate", s.system.title + " has no links between chips", "let prefill and decode share");
    fleet.transfer_bandwidth = std::min(s.prefill->stage_chips(), s.plan.stage_chips()) * link.bandwidth.value;
    fleet.transfer_latency = link.latency.value;
  }
  int replicas = 0;
  for (const Pool& p : fleet.pools) replicas += p.replicas;
  if (replicas == 1 && !inputs.given("router")) inputs.leave_out("router");
  auto outages = outages_of(inputs, replicas);
  if (!outages) return std::unexpected(outages.error());
  fleet.failures = {.mean_between = inputs.quantity<Seconds>("mean_between_failures").value_or(Seconds{}),
                    .restart = inputs.quantity<Seconds>("restart").value_or(Seconds{}),
                    .planned = std::move(*outages)};
  if (!inputs.has("mean_between_failures")) inputs.leave_out("restart");
  fleet.scaling = {.least = inputs.count("replicas_least").value_or(0),
                   .interval = inputs.quantity<Seconds>("scale_interval").value_or(15 * unit::s),
                   .start_up = inputs.quantity<Seconds>("start_up").value_or(2 * unit::minute),
                   .target = inputs.number("scale_target").value_or(0.5)};
  if (fleet.scaling.least > fleet.pools.front().replicas)
    return fail("replicas_least", fmt::format("are more than the {} there are", fleet.pools.front().replicas),
                "write fewer, or more replicas");
  if (fleet.scaling.least == 0)
    for (const char* unused : {"scale_interval", "scale_target", "start_up"}) inputs.leave_out(unused);
  if (const auto queue = inputs.number("queue")) fleet.waiting_most = static_cast<std::int64_t>(*queue);
  fleet.seed = static_cast<std::uint64_t>(inputs.number("seed").value_or(1));
  if (inputs.text("find_capacity") != "yes") inputs.leave_out("attainment");
  return {};
}

}  // namespace

Expected<std::unique_ptr<Traffic>> TrafficSource::make(Surroundings& around, double faster) const {
  if (law) {
    TrafficLaw other = *law;
    other.rate *= faster;
    if (other.users > 0)
      other.users = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::round(static_cast<double>(other.users) * faster)));
    return std::make_unique<GeneratedTraffic>(std::move(other));
  }
  std::unique_ptr<ByteSource> bytes;
  if (rows) {
    bytes = std::make_unique<TextBytes>(*rows);
  } else {
    auto opened = around.open(path);
    if (!opened) return std::unexpected(Error(opened.error()).within("traffic"));
    bytes = std::move(*opened);
  }
  TraceChoice faster_choice = choice;
  faster_choice.speed *= faster;
  auto trace = TraceTraffic::open(rows ? "traffic" : path, std::move(bytes), std::move(faster_choice));
  if (!trace) return std::unexpected(trace.error());
  return std::unique_ptr<Traffic>(std::move(*trace));
}

double Scenario::chips() const { return situation.plan.chips() + (situation.prefill ? situation.prefill->chips() : 0); }

Expected<Scenario> read_scenario(Inputs& inputs, const Catalogue& catalogue, Surroundings& around) {
  Scenario scenario;
  Situation& s = scenario.situation;
  if (const auto bounds = chips_in_bounds(inputs); !bounds) return std::unexpected(bounds.error());
  auto model = model_of(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = system_of(inputs, catalogue);
  if (!system) return std::unexpected(system.error());
  auto calibration = calibration_of(inputs, catalogue, system->chip, scenario.warnings);
  if (!calibration) return std::unexpected(calibration.error());
  const auto chip_rate = chip_rate_of(inputs, catalogue, *system, scenario.warnings);
  if (!chip_rate) return std::unexpected(chip_rate.error());
  auto traffic = traffic_of(inputs, around, scenario.warnings);
  if (!traffic) return std::unexpected(traffic.error());
  scenario.traffic = std::move(*traffic);
  const auto usual = usual_of(scenario.traffic, around);
  if (!usual) return std::unexpected(usual.error());
  scenario.usual = usual->workload;
  scenario.offered = usual->rate;
  scenario.objectives = {.ttft = inputs.quantity<Seconds>("slo_ttft").value_or(Seconds{}),
                         .tpot = inputs.quantity<Seconds>("slo_tpot").value_or(Seconds{}),
                         .e2e = inputs.quantity<Seconds>("slo_e2e").value_or(Seconds{})};
  s = {.model = std::move(*model), .system = std::move(*system), .calibration = std::move(*calibration), .plan = plan_of(inputs),
       .workload = usual->workload, .chip_rate = *chip_rate, .tier = "hbm"};
  s.speculation = speculation_of(inputs, s.model);
  if (const std::string apart = inputs.text("disaggregate"); !apart.empty()) {
    const auto colon = apart.find(':');
    const auto prefills = parse_count(apart.substr(0, colon)),
               decodes = colon == std::string::npos ? prefills : parse_count(apart.substr(colon + 1));
    if (colon == std::string::npos || !prefills || !decodes || *prefills < 1 || *decodes < 1 || *prefills > 4096 || *decodes > 4096)
      return fail("disaggregate", in_quotes(apart) + " is not prefill replicas to decode replicas", "write e.g. 3:1");
    if (inputs.given("replicas")) return fail("replicas", "is given beside disaggregate", "leave it out: 3:1 says how many of each");
    s.plan.replicas = static_cast<int>(*decodes);
    inputs.choose("replicas", static_cast<double>(*decodes), "fareline", "disaggregate says so");
    s.prefill = s.plan;
    s.prefill->replicas = static_cast<int>(*prefills);
    s.prefill->tp = inputs.count("prefill_tp").value_or(s.plan.tp);
  } else if (inputs.given("prefill_tp")) {
    scenario.warnings.push_back("prefill_tp is not used: the pools are not apart (say disaggregate)");
  }
  lay_out(scenario, inputs, *usual);
  for (const std::string& note : format_notes(s.model, s.plan, s.system.chip)) scenario.warnings.push_back(note);
  if (s.system.status == "announced") scenario.warnings.push_back(fmt::format("{} is announced, not measured by anyone", s.system.title));
  record_facts(inputs, s.model, s.system, s.plan);
  if (s.model.max_context > 0 && scenario.usual.prompt.mean() + scenario.usual.output.mean() > static_cast<double>(s.model.max_context))
    scenario.warnings.push_back(fmt::format("a mean prompt and its output are longer than the {} tokens the model states it was made for",
                                            number_text(static_cast<double>(s.model.max_context))));
  if (!scenario.reason)
    if (const auto filled = fill_fleet(scenario, inputs); !filled) return std::unexpected(filled.error());
  scenario.asked = inputs.to_json().dump(-1, ' ', false, Json::error_handler_t::replace);
  return scenario;
}

}  // namespace fareline
