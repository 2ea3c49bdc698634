// SPDX-License-Identifier: Apache-2.0
// The question "plan": the cheapest way to serve a model that keeps what was promised.
#include "api/plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/asking.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/launch.h"
#include "api/plan_inputs.h"
#include "api/questions.h"
#include "api/value.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

// Between which multiples of the estimate 80% of measured scores lie. What a plan carries decides how many chips it takes.
Band band_of(Aim aim, const Calibration& c) {
  switch (aim) {
    case Aim::tpot: return c.tpot;
    case Aim::ttft: return c.ttft;
    case Aim::price:
    case Aim::chips:
    case Aim::power: break;
  }
  return {.low = 1 / c.throughput.high, .high = 1 / c.throughput.low};
}

struct Answering {
  const PlanAsked& asked;
  const Catalogue& catalogue;

  const Situation& situation(const Found& f) const { return asked.space.offers[static_cast<std::size_t>(f.offer)].situation; }
  Band band(const Found& f) const { return band_of(asked.aim, situation(f).calibration); }
  bool overlap(const Found& a, const Found& best) const { return a.score * band(a).low <= best.score * band(best).high; }

  std::string score_text(const Found& f) const {
    switch (asked.aim) {
      case Aim::price: return to_text(f.price);
      case Aim::chips: return counted_chips(static_cast<int>(f.score));
      case Aim::power: return to_text(f.score, Watts::dim);
      case Aim::tpot: return to_text(f.tpot);
      case Aim::ttft: return to_text(f.ttft);
    }
    return {};
  }

  static std::string counted_chips(int chips) { return fmt::format("{} chip{}", chips, chips == 1 ? "" : "s"); }
};

std::string quoted(const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.is_object() ? std::string("config.json") : value.dump();
  return text.find_first_of(" '\"$\\") == std::string::npos ? text : "'" + text + "'";
}

std::string command_of(const Json& inputs) {
  std::string text = "fareline cost";
  for (const auto& [name, value] : inputs.items()) text += fmt::format(" --{} {}", name, quoted(value));
  return text;
}

// A plan as "cost" answers it, with what tells it from the others. Errors: as cost.
Expected<Json> row_of(const Answering& a, const Found& f, const Found& best, std::size_t rank) {
  const Json given = cost_inputs(a.asked, f);
  auto inputs = Inputs::read(*question_named("cost"), given);
  FARELINE_CHECK(inputs.has_value());
  inputs->keep(a.asked.model);
  if (const auto set = inputs->set("explain", "none"); !set) return std::unexpected(set.error());
  auto costed = answer_cost(*inputs, a.catalogue);
  if (!costed) return costed;
  Json& cost = (*costed)["answer"];
  FARELINE_CHECK(cost["feasible"].get<bool>());
  const Situation& s = a.situation(f);
  Json row{{"rank", rank},
           {"system", s.system.name},
           {"chips", f.plan.chips()},
           {"layout", layout_text(f.plan)},
           {"weights", std::string(name(f.plan.weights.value_or(s.model.precision.weights)))},
           {"kv", std::string(name(f.plan.kv.value_or(s.model.precision.kv)))}};
  for (const char* member : {"price", "latency", "throughput", "batch", "plan"}) row[member] = std::move(cost[member]);
  row["plan"]["token_budget"] = f.plan.token_budget;
  row["equal"] = a.overlap(f, best);
  row["parts"] = f.complexity;
  row["system_rate"] = std::move(cost["bill"]["system_rate"]);
  row["inputs"] = given;
  row["command"] = command_of(given);
  return row;
}

// How the engines are started on one replica of a plan.
Json launches_of(const Answering& a, const Found& f) {
  const Situation& s = a.situation(f);
  const MemoryUse memory = memory_use(s.model, s.system, f.plan, kept_context(s.workload));
  // Twice the mean, so that a burst is taken in, where memory holds it.
  const double sequences = std::min(most_sequences(memory, f.plan), 2 * f.admitted);
  const auto commands = launch_commands(
      s.model.name, s.model, f.plan,
      {.sequences = sequences,
       .context = s.workload.prompt.longest + s.workload.output.longest,
       .kv_share = (memory.budget - memory.activations - memory.collectives - memory.reserve) / memory.usable,
       .shares_prefixes = s.workload.cached > 0,
       .unit_chips = s.system.chips});
  Json all = Json::array();
  for (const LaunchCommand& one : commands) {
    Json row{{"engine", one.engine}};
    if (!one.command.empty()) row["command"] = one.command;
    if (!one.file.empty()) row["file"] = one.file;
    if (!one.note.empty()) row["note"] = one.note;
    all.push_back(std::move(row));
  }
  return all;
}

// What would be lost with one replica fewer: what the number of replicas is due to. Empty where there is one, or chips are not counted.
std::string what_binds(const Answering& a, const Found& f) {
  if (f.plan.replicas <= a.asked.space.least_replicas || !a.asked.space.demand.stated()) return {};
  Situation s = a.situation(f);
  s.plan = f.plan;
  s.demand = f.demand;
  --s.plan.replicas;
  if (s.plan.chips() < a.asked.space.least_chips)
    return fmt::format("Fewer than {} chips were not to be tried.", a.asked.space.least_chips);
  const auto served = serve(s);
  if (!served) return "With one replica fewer " + words(served.error()) + ".";
  const Serving& g = served->serving;
  const Promise& p = a.asked.promise;
  if (p.tpot && g.tpot.value > *p.tpot)
    return fmt::format("With one replica fewer a token would take {} of the {} allowed.", to_text(g.tpot.value), to_text(*p.tpot));
  if (p.ttft && g.ttft.value > *p.ttft)
    return fmt::format("With one replica fewer the first token would take {} of the {} allowed.", to_text(g.ttft.value), to_text(*p.ttft));
  return {};
}

std::string why(const Answering& a, const Searched& searched, const std::vector<Searched>& by_system, const Found& preferred) {
  const Found& best = searched.best.front();
  const char* least[] = {"cheapest", "fewest chips", "least power", "least TPOT", "least TTFT"};
  std::string text = fmt::format("{}: {} on {}, {}.", least[static_cast<int>(a.asked.aim)], layout_text(best.plan),
                                 a.situation(best).system.name, a.score_text(best));
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  if (const std::string binds = what_binds(a, best); !binds.empty()) text += " " + binds;
  for (std::size_t i = 0; i < by_system.size(); ++i) {
    if (by_system[i].best.empty()) {
      text += fmt::format(" No plan on {} keeps the limits.", a.asked.systems[i]);
      continue;
    }
    const Found& other = by_system[i].best.front();
    if (other.order == best.order) continue;
    text += fmt::format(" The best on {} takes {} more{}.", a.asked.systems[i],
                        best.score > 0 ? fmt::format("{:.0f}%", 100 * (other.score / best.score - 1)) : a.score_text(other),
                        a.overlap(other, best) ? ": the bands overlap" : "");
  }
  if (preferred.order == best.order) return text + " None that is simpler comes near it.";
  return text + fmt::format(" Bands that overlap are equal: the simplest of these is {} on {}, {}.", layout_text(preferred.plan),
                            a.situation(preferred).system.name, a.score_text(preferred));
}

Json figure_of(const Json& plans, const Workload& w) {
  BarFigure figure{.title = "What a token costs, plan by plan",
                   .subtitle = "best first; of the price of any token, what each part of the bill takes",
                   .description = "Price of any token of the best plans, by what it pays for.",
                   .value = {.label = "price of any token", .unit = "USD/Mtok", .from_zero = true}};
  for (const Json& plan : plans) {
    const double all = w.prompt.mean() + w.output.mean();
    BarFigure::Row row{.name = fmt::format("{} {}", plan["system"].get<std::string>(), plan["layout"].get<std::string>())};
    for (const auto& [kind, member, tokens] : {std::tuple{"new input", "input", w.prompt_new()},
                                               {"cached input", "cached_input", w.prompt_cached()},
                                               {"output", "output", w.output.mean()}})
      if (tokens > 0)
        row.parts.push_back({.name = kind, .amount = plan["price"][member]["value"].get<double>() * tokens / all, .kind = kind});
    figure.rows.push_back(std::move(row));
  }
  return to_json(figure);
}

Expected<Json> answer_with(Inputs& inputs, const Catalogue& catalogue, Workers& workers) {
  const auto asked = read_plan(inputs, catalogue);
  if (!asked) return std::unexpected(asked.error());
  Json warnings = Json::array();
  for (const std::string& w : asked->warnings) warnings.push_back(w);
  // One search a system: the best of each is told too.
  std::vector<Searched> by_system;
  Searched all;
  std::size_t orders = 0;
  for (const std::string& system : asked->systems) {
    Space space = asked->space;
    space.offers.clear();
    std::vector<int> offers;
    for (std::size_t i = 0; i < asked->offered.size(); ++i)
      if (asked->offered[i].system == system) {
        space.offers.push_back(asked->space.offers[i]);
        offers.push_back(static_cast<int>(i));
      }
    Searched found = search(space, asked->promise, asked->aim, asked->keep, workers);
    for (Found& f : found.best) {
      f.offer = offers[static_cast<std::size_t>(f.offer)];
      f.order += orders;
      all.best.push_back(f);
    }
    orders += layouts_of(space).size();
    all.counts.considered += found.counts.considered;
    all.counts.estimated += found.counts.estimated;
    all.counts.bounded += found.counts.bounded;
    all.counts.impossible += found.counts.impossible;
    by_system.push_back(std::move(found));
  }
  std::sort(all.best.begin(), all.best.end(), better);
  if (all.best.size() > static_cast<std::size_t>(asked->keep)) all.best.resize(static_cast<std::size_t>(asked->keep));
  if (all.best.empty())
    return Json{{"answer", nothing_feasible(*asked, all.counts, workers)}, {"explain", Json::object()}, {"warnings", std::move(warnings)}};

  const Answering a{*asked, catalogue};
  // The simplest of those whose band overlaps the best one's.
  const Found best = all.best.front();
  Found preferred = best;
  double lowest = 1;
  for (const Offer& offer : asked->space.offers) lowest = std::min(lowest, band_of(asked->aim, offer.situation.calibration).low);
  for (int parts = 0; parts < best.complexity; ++parts) {
    const Searched simpler = search(asked->space, asked->promise, asked->aim, 1, workers,
                                    {.least_complexity = parts, .most_complexity = parts,
                                     .most_score = best.score * a.band(best).high / lowest});
    if (simpler.best.empty() || !a.overlap(simpler.best.front(), best)) continue;
    preferred = simpler.best.front();
    break;
  }
  const auto is_preferred = [&](const Found& f) { return f.order == preferred.order; };
  if (std::none_of(all.best.begin(), all.best.end(), is_preferred)) all.best.push_back(preferred);

  Json plans = Json::array();
  int preferred_rank = 1;
  for (std::size_t i = 0; i < all.best.size(); ++i) {
    auto row = row_of(a, all.best[i], best, i + 1);
    if (!row) return row;
    if (is_preferred(all.best[i])) preferred_rank = static_cast<int>(i + 1);
    plans.push_back(std::move(*row));
  }
  Json answer{{"feasible", true},
              {"considered", plain(all.counts.considered, "1")},
              {"estimated", plain(all.counts.estimated, "1")},
              {"bounded", plain(all.counts.bounded, "1")},
              {"impossible", plain(all.counts.impossible, "1")},
              {"preferred", plain(preferred_rank, "1")}};
  answer["why"] = why(a, all, by_system, preferred);
  answer["launch"] = launches_of(a, preferred);
  answer["figures"] = Json::array({figure_of(plans, asked->space.offers.front().situation.workload)});
  Json numbers = Json::array();
  for (const Json& plan : plans)
    numbers.push_back(to_json(Explained{
        .name = fmt::format("price of any token, plan {}", plan["rank"].get<int>()),
        .value = plan["price"]["blended"],
        .formula = "chips x rent / (requests a second x tokens a request) + holding the cached prefix",
        .source = "economics/money.h: request_bill, token_prices",
        .inputs = {{.name = "layout", .value = plan["layout"]},
                   {.name = "chips", .value = plain(plan["chips"].get<double>(), "1")},
                   {.name = "rent of all chips", .value = plan["system_rate"]},
                   {.name = "requests a second", .value = plan["throughput"]["requests"]}}}));
  answer["plans"] = std::move(plans);
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

Expected<Json> answer_plan(Inputs& inputs, const Catalogue& catalogue) {
  Workers alone;
  return answer_with(inputs, catalogue, alone);
}

}  // namespace

std::string layout_text(const Plan& plan) {
  std::string text;
  for (const auto& [name, value] :
       {std::pair{"tp", plan.tp}, {"ep", plan.ep}, {"dp", plan.dp}, {"pp", plan.pp}, {"cp", plan.cp}})
    if (value > 1) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
  if (text.empty()) text = "one chip";
  return plan.replicas > 1 ? fmt::format("{} x ({})", plan.replicas, text) : text;
}

Expected<Json> ask_plan(const Json& question, const Catalogue& catalogue, Workers& workers) {
  return ask_with(question, catalogue, [&](Inputs& inputs) { return answer_with(inputs, catalogue, workers); });
}

Question plan_question() {
  return {"plan", "the cheapest way to serve a model that keeps what is promised: systems, layout, formats, replicas",
          "--model deepseek-ai/DeepSeek-V3 --systems hgx-h200,gb200-nvl72,mi355x-8 --prompt 4096 --output 512 --cached 0.5 --ttft 2s "
          "--tpot 30ms --rate 50/s",
          plan_question_inputs, answer_plan, plot_figures};
}

}  // namespace fareline
