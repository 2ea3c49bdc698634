// SPDX-License-Identifier: Apache-2.0
// The question "train": a step of training under a layout, its memory, and the run to the end.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/figures.h"
#include "api/train.h"
#include "economics/training_run.h"
#include "perf/training_choice.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

struct Asked {
  Model model;
  System system;
  Calibration calibration;
  TrainingPlan plan;
  TrainingSearch search;
  std::vector<std::string> warnings;
};

std::string_view text_of(Recompute r) { return recompute_names[static_cast<std::size_t>(r)]; }
std::string_view text_of(Sharding s) { return sharding_names[static_cast<std::size_t>(s)]; }

template <class E, std::size_t N>
E named(const std::array<std::string_view, N>& names, std::string_view text) {
  return static_cast<E>(std::find(names.begin(), names.end(), text) - names.begin());
}

Expected<Calibration> training_calibration(Inputs& inputs, const Catalogue& catalogue, const Chip& chip,
                                           std::vector<std::string>& warnings) {
  if (const std::string asked = inputs.text("calibration"); asked != "auto") {
    auto found = catalogue.calibration(asked);
    if (!found) return std::unexpected(Error(found.error()).within("calibration"));
    return found;
  }
  const auto best = catalogue.calibration_for(chip, "training");
  if (!best) return std::unexpected(best.error());
  inputs.choose("calibration", best->name, "fareline", best->evidence);
  if (best->chip == "*") warnings.push_back(fmt::format("no training on {} was measured: its band is wide", chip.title));
  return *best;
}

// Ranks the experts of a layer divide over inside a domain.
int usual_ep(const Model& model, const System& system) {
  int experts = 0;
  for (const Layer& layer : model.kinds) experts = std::max(experts, layer.feed_forward.experts);
  int ep = 1;
  while (2 * ep <= system.domain && experts % (2 * ep) == 0 && 2 * ep <= experts) ep *= 2;
  return ep;
}

Expected<Asked> read_asked(Inputs& inputs, const Catalogue& catalogue) {
  auto model = model_of(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = system_of(inputs, catalogue);
  if (!system) return std::unexpected(system.error());
  Asked a{.model = std::move(*model), .system = std::move(*system)};
  auto calibration = training_calibration(inputs, catalogue, a.system.chip, a.warnings);
  if (!calibration) return std::unexpected(calibration.error());
  a.calibration = std::move(*calibration);
  TrainingPlan& p = a.plan;
  const auto overlap = [&](std::string_view name, double hidden) {
    if (!inputs.has(name)) inputs.choose(name, hidden, "fareline", "the calibration's: " + a.calibration.name);
    return *inputs.number(name);
  };
  p = {.tp = inputs.count("tp").value_or(1),
       .pp = inputs.count("pp").value_or(1),
       .cp = *inputs.count("cp"),
       .ep = inputs.count("ep").value_or(usual_ep(a.model, a.system)),
       .chunks = inputs.count("chunks").value_or(1),
       .micro_batch = inputs.count("micro_batch").value_or(1),
       .sequence = *inputs.number("sequence"),
       .sequence_parallel = inputs.text("sequence_parallel") == "yes",
       .fused_attention = inputs.text("attention") == "fused",
       .dropout = inputs.text("dropout") == "yes",
       .sharding = named<Sharding>(sharding_names, inputs.text("sharding")),
       .multiply = inputs.text("multiply") == "fp8" ? Format::fp8 : Format::bf16,
       .trained = *inputs.number("trained"),
       .gradient = *inputs.quantity<Bytes>("gradient"),
       .expert_skew = *inputs.number("expert_skew"),
       .data_overlap = overlap("data_overlap", a.calibration.engine.collective_overlap),
       .tensor_overlap = overlap("tensor_overlap", hidden_share(a.calibration, Kernel::all_reduce)),
       .hop_overlap = overlap("hop_overlap", hidden_share(a.calibration, Kernel::point_to_point))};
  if (inputs.has("recompute")) p.recompute = named<Recompute>(recompute_names, inputs.text("recompute"));
  if (const std::string schedule = inputs.text("schedule"); !schedule.empty())
    for (const ScheduleRow& row : schedules())
      if (row.name == schedule) p.schedule = row.kind;
  if (p.schedule == ScheduleKind::interleaved && !inputs.has("chunks")) p.chunks = 2;
  if (p.chunks > 1 && !inputs.has("schedule")) p.schedule = ScheduleKind::interleaved;
  if (a.model.max_context > 0 && p.sequence > static_cast<double>(a.model.max_context)) {
    if (inputs.given("sequence"))
      a.warnings.push_back(fmt::format("sequences of {} tokens are longer than the model's {}", number_text(p.sequence, 10),
                                       number_text(static_cast<double>(a.model.max_context), 10)));
    else {
      p.sequence = static_cast<double>(a.model.max_context);
      inputs.choose("sequence", p.sequence, "model file", "the longest the model is made for");
    }
  }
  const bool layout = inputs.has("dp");
  if (layout) {
    const double chips = *inputs.number("dp") * p.tp * p.pp * p.cp;
    if (chips > 1 << 20) return fail("tp x pp x cp x dp", fmt::format("is {} chips", number_text(chips)), "write at most 1,048,576");
    if (inputs.has("chips") && *inputs.number("chips") != chips)
      return fail("chips", fmt::format("{} chips are not tp x pp x cp x dp, {}", *inputs.count("chips"), number_text(chips, 7)),
                  "give the one or the other");
    if (!inputs.has("chips")) inputs.choose("chips", chips, "fareline", "tp x pp x cp x dp");
  }
  a.search = {.chips = inputs.count("chips").value_or(a.system.chips),
              .sequences = inputs.number("batch").value_or(0),
              .tp = !layout && !inputs.has("tp"),
              .pp = !layout && !inputs.has("pp"),
              .micro_batch = !inputs.has("micro_batch"),
              .chunks = !inputs.has("chunks") && !inputs.has("schedule"),
              .recompute = !inputs.has("recompute")};
  return a;
}

// Sequences of one step, where they were not given: so many that they divide over any number of replicas.
double usual_batch(const TrainingPlan& plan, int chips) {
  constexpr double tokens = 4 * 1024 * 1024;
  const int replicas = chips / (plan.tp * plan.pp * plan.cp);
  double sequences = replicas;
  while (std::fmod(sequences, 2) == 0) sequences /= 2;
  while (2 * sequences * plan.sequence <= tokens || sequences < replicas) sequences *= 2;
  return sequences;
}

// The fastest plan that fits, on as many chips as it takes where they were not given.
std::expected<TrainingChoice, Infeasible> chosen(Inputs& inputs, Asked& a) {
  constexpr int most_chips = 1 << 15;
  const bool chips_open = !inputs.has("chips");
  if (chips_open) a.search.chips = std::max(a.search.chips, a.plan.tp * a.plan.pp * a.plan.cp);
  for (;;) {
    TrainingSearch search = a.search;
    if (!inputs.has("batch")) search.sequences = usual_batch(a.plan, search.chips);
    TrainingPlan plan = a.plan;
    if (!inputs.has("ep"))
      while (plan.ep > 1 && search.chips % (plan.pp * plan.ep) != 0) plan.ep /= 2;
    const auto choice = fastest_training(a.model, a.system, a.calibration, plan, search);
    if (!chips_open || (choice && choice->fits) || 2 * search.chips > most_chips) {
      a.search = search;
      return choice;
    }
    a.search.chips *= 2;
  }
}

void record(Inputs& inputs, const Asked& a, const TrainingChoice& choice, bool chips_open) {
  const TrainingPlan& p = choice.plan;
  const std::string why = fmt::format("the fastest step that fits, of {} plans tried", choice.tried);
  const auto set = [&](std::string_view name, double value, const std::string& source) {
    if (!inputs.given(name)) inputs.choose(name, value, "fareline", source);
  };
  const bool layout = inputs.given("dp");
  set("tp", p.tp, layout ? "1 beside a dp that was given" : why);
  set("pp", p.pp, layout ? "1 beside a dp that was given" : why);
  set("dp", p.dp, "the chips over tp x pp x cp");
  set("micro_batch", p.micro_batch, why);
  set("chunks", p.chunks, why);
  if (!inputs.given("recompute")) inputs.choose("recompute", std::string(text_of(p.recompute)), "fareline", why);
  if (!inputs.given("schedule")) inputs.choose("schedule", std::string(schedule_row(p.schedule).name), "fareline", why);
  if (!inputs.given("ep"))
    inputs.choose("ep", p.ep, "fareline", p.ep > 1 ? "as many ranks as experts divide over inside a domain" : "no experts to deal");
  if (chips_open) inputs.choose("chips", p.chips(), "fareline", "the fewest doublings of the system in which the run fits");
  set("batch", a.search.sequences, "4 million tokens, or one sequence a replica");
  const auto fact = [&]<class T>(std::string_view name, const Sourced<T>& f) {
    if (!inputs.given(name) && f.stated()) inputs.choose(name, f.value.coherent(), "catalogue", f.source);
  };
  const Chip& chip = a.system.chip;
  fact("hbm_bandwidth", chip.hbm_bandwidth);
  fact("hbm_capacity", chip.hbm_capacity);
  fact("peak", chip.peak[static_cast<std::size_t>(multiply_rate(Format::bf16, std::nullopt, chip))]);
  fact("scale_up_bandwidth", a.system.scale_up.bandwidth);
  fact("scale_out_bandwidth", a.system.scale_out.bandwidth);
  if (!inputs.given("domain")) inputs.choose("domain", a.system.domain, "catalogue", a.system.title);
  if (p.pp == 1)
    for (const char* unused : {"schedule", "chunks", "hop_overlap"}) inputs.leave_out(unused);
}

Json memory_json(const TrainingMemory& m) {
  return {{"parameters", plain(m.parameters)},   {"gradients", plain(m.gradients)}, {"optimiser", plain(m.optimiser)},
          {"activations", plain(m.activations)}, {"logits", plain(m.logits)},       {"total", plain(m.total())},
          {"usable", plain(m.usable)}};
}

constexpr Recompute ways[] = {Recompute::none, Recompute::selective, Recompute::full, Recompute::reversible};

// What a picture can tell apart.
constexpr std::array<std::string_view, 7> drawn_groups{"products", "attention", "elementwise", "recompute",
                                                       "exchange", "waiting",   "optimiser"};
std::string_view drawn_group(StepPart part) {
  switch (part) {
    case StepPart::products: return "products";
    case StepPart::attention: return "attention";
    case StepPart::elementwise: return "elementwise";
    case StepPart::recompute: return "recompute";
    case StepPart::tensor:
    case StepPart::experts:
    case StepPart::context:
    case StepPart::hops:
    case StepPart::data: return "exchange";
    case StepPart::imbalance:
    case StepPart::bubble: return "waiting";
    case StepPart::optimiser: return "optimiser";
  }
  return {};
}

// Time and memory of the same plan by what is computed again.
std::pair<Json, Json> ways_drawn(const Asked& a, const TrainingPlan& plan) {
  BarFigure time{.title = "Where a step's time goes, by what is computed again",
                 .subtitle = fmt::format("{} on {} chips of {}", a.model.name, plan.chips(), a.system.title),
                 .description = "Time of one step, a bar for each way to come by the activations.",
                 .value = {.label = "time of a step", .unit = "s"}};
  BarFigure memory{.title = "What the fullest chip holds",
                   .subtitle = fmt::format("of {} an allocator sees", to_text(a.system.chip.hbm_usable.value, 3)),
                   .description = "Memory of the fullest chip, a bar for each way to come by the activations.",
                   .value = {.label = "memory of a chip", .unit = "B"}};
  for (const Recompute way : ways) {
    TrainingPlan one = plan;
    one.recompute = way;
    const auto step = training_step(a.model, a.system, a.calibration, one);
    if (!step) continue;
    const TrainingMemory& m = step->memory;
    const std::string name = std::string(text_of(way)) + (m.total() > m.usable ? " (too large)" : "");
    BarFigure::Row times{.name = name, .parts = {}};
    for (const std::string_view group : drawn_groups) {
      Seconds sum;
      for (const StepPartRow& part : step_parts)
        if (group == drawn_group(part.part)) sum += step->by_part[static_cast<std::size_t>(part.part)];
      if (sum > 0.002 * step->time)
        times.parts.push_back({.name = std::string(group), .amount = sum.coherent(), .kind = std::string(group)});
    }
    time.rows.push_back(std::move(times));
    BarFigure::Row bytes{.name = name, .parts = {}};
    for (const auto& [what, amount] : {std::pair{"parameters", m.parameters}, {"gradients", m.gradients}, {"optimiser", m.optimiser},
                                       {"activations", m.activations}, {"logits", m.logits}})
      if (amount > Bytes{}) bytes.parts.push_back({.name = what, .amount = amount.coherent(), .kind = what});
    memory.rows.push_back(std::move(bytes));
  }
  return {to_json(time), to_json(memory)};
}

struct Run {
  double steps = 0;
  Bytes checkpoint;
  Interruptions stops;
  Seconds useful, interval, wall;
  RunCost cost;
};

struct RunTerms {
  double tokens = 0, parameters = 0, trained = 1, pue = 1;
  Seconds between_failures, restart;
  Bandwidth checkpoint_port, checkpoint_most;  // a chip's, and of all
  MoneyRate rate;
  Watts power;
  EnergyPrice electricity;
};

Run run_of(const RunTerms& terms, const TrainingStep& step, int chips) {
  Run run{.steps = std::ceil(terms.tokens / step.tokens), .checkpoint = terms.parameters * (2 * unit::B + terms.trained * optimiser_state)};
  run.stops = {.between = terms.between_failures / chips,
               .write = run.checkpoint / min(chips * terms.checkpoint_port, terms.checkpoint_most),
               .restart = terms.restart};
  run.useful = run.steps * step.time;
  run.interval = checkpoint_interval(run.stops);
  run.wall = wall_time(run.stops, run.useful, run.interval);
  run.cost = run_cost(chips, run.wall, terms.rate, terms.power, terms.pue, terms.electricity);
  return run;
}

Expected<RunTerms> terms_of(Inputs& inputs, const Catalogue& catalogue, const Asked& a) {
  const ParameterCount count = count_parameters(a.model);
  RunTerms terms{.parameters = static_cast<double>(count.total), .trained = a.plan.trained, .pue = *inputs.number("pue"),
                 .restart = *inputs.quantity<Seconds>("restart"), .electricity = *inputs.quantity<EnergyPrice>("electricity")};
  if (!inputs.has("tokens"))
    inputs.choose("tokens", std::round(20 * static_cast<double>(count.active)), "fareline",
                  "20 a parameter that a token meets: Hoffmann et al. 2022, arXiv:2203.15556, table 3");
  terms.tokens = *inputs.number("tokens");
  if (!inputs.has("between_failures"))
    inputs.choose("between_failures", chip_between_failures.coherent(), "default",
                  "419 unexpected interruptions of 16,384 H100 in 54 days: Llama 3, arXiv:2407.21783, section 3.3.4");
  terms.between_failures = *inputs.quantity<Seconds>("between_failures");
  if (const auto given = inputs.quantity<Bandwidth>("checkpoint_bandwidth")) {
    terms.checkpoint_port = terms.checkpoint_most = *given;
  } else {
    terms.checkpoint_most = 2 * unit::TB / unit::s;
    terms.checkpoint_port = terms.checkpoint_most;
    for (const MemoryTier& tier : a.system.tiers)
      if (tier.name == "remote" && tier.bandwidth.stated()) terms.checkpoint_port = tier.bandwidth.value;
  }
  if (const auto given = inputs.quantity<MoneyRate>("rental")) {
    terms.rate = *given;
  } else {
    const auto price = catalogue.default_rental(a.system.chip.name);
    if (!price) return std::unexpected(Error{"rental", price.error().what, "give --rental \"2.5 USD/h\" (a chip)"});
    inputs.choose("rental", price->rate.coherent(), "default",
                  fmt::format("{} {}, {}: {}", price->provider, price->kind, price->date, price->source));
    terms.rate = price->rate;
  }
  if (const auto given = inputs.quantity<Watts>("power")) {
    terms.power = *given;
  } else if (a.system.chip.tdp.stated()) {
    terms.power = 1.3 * a.system.chip.tdp.value;
    inputs.choose("power", terms.power.coherent(), "default", "1.3 times the chip's TDP: " + a.system.chip.tdp.source);
  } else {
    return fail("power", fmt::format("the TDP of {} is not known", a.system.chip.name), "give --power \"700 W\"");
  }
  return terms;
}

// The same run on more replicas and fewer.
Json scaling(const Asked& a, const RunTerms& terms, const TrainingPlan& plan) {
  LineFigure figure{
      .title = "Time of the run over its chips",
      .subtitle =
          fmt::format("{} tokens, {} sequences a step", to_text(terms.tokens * unit::token, 3), number_text(a.search.sequences, 10)),
      .description = "Wall time of the run as replicas are added to the same layout, with failures and without, and at peak rates.",
      .x = {.label = "chips", .scale = "log2"},
      .y = {.label = "time of the run", .unit = "s", .scale = "log10"},
      .series = {{.name = "with failures"}, {.name = "without", .colour = 1}, {.name = "at peak rates", .style = "floor", .colour = 0}}};
  const int layout = plan.tp * plan.pp * plan.cp;
  for (int dp = 1; dp <= a.search.sequences / plan.micro_batch && dp * layout <= 1 << 20; dp *= 2) {
    const double micro_batches = a.search.sequences / (static_cast<double>(dp) * plan.micro_batch);
    TrainingPlan one = plan;
    one.dp = dp;
    one.micro_batches = static_cast<int>(micro_batches);
    if (micro_batches != std::floor(micro_batches) || (layout / plan.pp * dp) % plan.ep != 0) continue;
    if (plan.pp > 1 &&
        !schedule_row(plan.schedule).refuses({.stages = plan.pp, .micro_batches = one.micro_batches, .chunks = plan.chunks}).empty())
      continue;
    const auto step = training_step(a.model, a.system, a.calibration, one);
    if (!step || step->memory.total() > step->memory.usable) continue;
    const Run run = run_of(terms, *step, one.chips());
    for (FigureSeries& s : figure.series) s.x.push_back(one.chips());
    figure.series[0].y.push_back(run.wall.coherent());
    figure.series[1].y.push_back(run.useful.coherent());
    figure.series[2].y.push_back((run.steps * step->floor).coherent());
  }
  if (figure.series[0].x.size() < 2) return {};
  figure.markers = {{.at = static_cast<double>(plan.chips()), .text = "asked"}};
  return to_json(figure);
}

Json infeasible(Asked& a, const Infeasible& reason, std::string would_fit) {
  return Json{{"answer", infeasible_answer(reason, std::move(would_fit))}, {"explain", Json::object()}, {"warnings", a.warnings}};
}

Expected<Json> answer_train(Inputs& inputs, const Catalogue& catalogue) {
  auto asked = read_asked(inputs, catalogue);
  if (!asked) return std::unexpected(asked.error());
  Asked& a = *asked;
  const auto terms = terms_of(inputs, catalogue, a);
  if (!terms) return std::unexpected(terms.error());
  const bool chips_open = !inputs.has("chips");
  if (inputs.has("chips") && *inputs.count("chips") % (a.plan.tp * a.plan.pp * a.plan.cp) != 0)
    return fail("chips",
                fmt::format("{} chips are no multiple of tp x pp x cp, {}", *inputs.count("chips"), a.plan.tp * a.plan.pp * a.plan.cp),
                fmt::format("give --chips {}",
                            std::max(1, *inputs.count("chips") / (a.plan.tp * a.plan.pp * a.plan.cp)) * a.plan.tp * a.plan.pp * a.plan.cp));
  const auto choice = chosen(inputs, a);
  if (!choice) return infeasible(a, choice.error(), "");
  record(inputs, a, *choice, chips_open);
  const TrainingPlan& p = choice->plan;
  const TrainingStep& step = choice->step;
  const TrainingMemory& m = step.memory;
  if (!choice->fits)
    return infeasible(a, {Infeasible::Constraint::memory, m.total().coherent(), m.usable.coherent()},
                      p.recompute == Recompute::full ? "more chips, tensor parallelism or stages" : "recompute full, or more chips");
  const Run run = run_of(*terms, step, p.chips());
  if (!inputs.has("checkpoint_bandwidth"))
    inputs.choose(
        "checkpoint_bandwidth", min(p.chips() * terms->checkpoint_port, terms->checkpoint_most).coherent(), "default",
        "the chips' ports to the remote tier, at most the 2 TB/s that Llama 3's storage sustained (arXiv:2407.21783, section 3.3.1)");

  Json answer{{"feasible", true},
              {"plan",
               {{"chips", p.chips()},
                {"tp", p.tp},
                {"pp", p.pp},
                {"dp", p.dp},
                {"cp", p.cp},
                {"ep", p.ep},
                {"micro_batch", p.micro_batch},
                {"micro_batches", p.micro_batches},
                {"schedule", std::string(p.pp > 1 ? schedule_row(p.schedule).name : "none")},
                {"chunks", p.chunks},
                {"recompute", std::string(text_of(p.recompute))},
                {"sharding", std::string(text_of(p.sharding))}}},
              {"step",
               {{"time", banded(step.time, step.floor, a.calibration.pass)},
                {"tokens", plain(step.tokens * unit::token)},
                {"rate", plain(step.tokens * unit::token / step.time)},
                {"flops_per_chip", plain(step.model_flops / step.time / static_cast<double>(p.chips()))}}},
              {"mfu", plain(step.mfu, "1")},
              {"hfu", plain(step.hfu, "1")}};
  Json parts = Json::array();
  std::vector<std::pair<Seconds, const StepPartRow*>> largest;
  for (const StepPartRow& part : step_parts)
    if (const Seconds t = step.by_part[static_cast<std::size_t>(part.part)]; t > Seconds{}) largest.emplace_back(t, &part);
  std::stable_sort(largest.begin(), largest.end(), [](const auto& x, const auto& y) { return x.first > y.first; });
  for (const auto& [t, part] : largest)
    parts.push_back({{"part", std::string(part->name)},
                     {"time", plain(t)},
                     {"share", plain(t / step.time, "1")},
                     {"what", std::string(part->summary)}});
  answer["goes_to"] = std::move(parts);
  answer["memory"] = memory_json(m);
  answer["run"] = {{"tokens", plain(terms->tokens * unit::token)},
                   {"steps", plain(run.steps, "1")},
                   {"useful", plain(run.useful)},
                   {"wall", banded(run.wall, run.steps * step.floor, a.calibration.pass)},
                   {"effective", plain(run.useful / run.wall, "1")},
                   {"failures", plain(run.wall / run.stops.between, "1")},
                   {"checkpoint", {{"size", plain(run.checkpoint)}, {"write", plain(run.stops.write)}, {"interval", plain(run.interval)}}},
                   {"chip_time", plain(p.chips() * run.wall)},
                   {"rent", plain(run.cost.rent)},
                   {"energy", plain(run.cost.energy)},
                   {"electricity", plain(run.cost.electricity)}};
  answer["why"] = fmt::format(
      "A step of {} tokens takes {}, {:.0f}% of it in matrix products: {:.1f}% of the peak goes into the model. The run takes {} of wall "
      "time on {} chips, "
      "{:.1f}% of it lost to failures and checkpoints, and {} of rent.",
      number_text(step.tokens, 10), to_text(step.time, 3), 100 * (step.by_part[static_cast<std::size_t>(StepPart::products)] / step.time),
      100 * step.mfu, to_text(run.wall, 3), p.chips(), 100 * (1 - run.useful / run.wall), to_text(run.cost.rent, 3));
  std::string change =
      "Longer batches shrink the bubble and the exchange between replicas; larger micro-batches make products faster and take memory.";
  const auto part = [&](StepPart which) { return step.by_part[static_cast<std::size_t>(which)] / step.time; };
  if (part(StepPart::recompute) > 0.1)
    change = fmt::format("With room for the activations {:.0f}% of the step need not be computed again.", 100 * part(StepPart::recompute));
  else if (part(StepPart::bubble) > 0.1)
    change = fmt::format("Stages wait {:.0f}% of a step: more micro-batches, more chunks, or a schedule without bubbles.",
                         100 * part(StepPart::bubble));
  else if (part(StepPart::data) > 0.1)
    change = fmt::format("Replicas exchange for {:.0f}% of a step: a larger batch or fewer replicas.", 100 * part(StepPart::data));
  else if (part(StepPart::tensor) > 0.15)
    change = fmt::format("Tensor parallelism exchanges for {:.0f}% of a step: fewer ranks, or more stages in their place.",
                         100 * part(StepPart::tensor));
  answer["change"] = change;
  Json figures = Json::array();
  const auto [time_drawn, memory_drawn] = ways_drawn(a, p);
  figures.push_back(time_drawn);
  figures.push_back(memory_drawn);
  if (Json line = scaling(a, *terms, p); !line.is_null()) figures.push_back(std::move(line));
  answer["figures"] = std::move(figures);

  Json numbers = Json::array();
  Explained time{
      .name = "step.time",
      .value = plain(step.time),
      .formula = "m (F + B + R) of the slowest stage + bubble + exchange between replicas + optimiser",
      .source = "perf/training.h: training_step; Narayanan et al. 2021, arXiv:2104.04473; Korthikanti et al. 2022, arXiv:2205.05198"};
  for (const auto& [t, row] : largest)
    time.inputs.push_back({.name = std::string(row->name), .value = plain(t), .formula = std::string(row->summary)});
  numbers.push_back(to_json(time));
  numbers.push_back(to_json(Explained{.name = "mfu",
                                      .value = plain(step.mfu, "1"),
                                      .formula = "3 (2 N + 4 h s L) tokens / (chips peak time), the peak that of 16 bits",
                                      .source = "Chowdhery et al. 2022, arXiv:2204.02311, appendix B",
                                      .inputs = {{.name = "FLOP of the model", .value = plain(step.model_flops)}}}));
  numbers.push_back(
      to_json(Explained{.name = "memory.total",
                        .value = plain(m.total()),
                        .formula = "2 N' + g N'/d + 12 N'/d + layers in flight x tokens x bytes, N' = N/(tp pp)",
                        .source = "perf/training.h: training_memory; Korthikanti et al. 2022, arXiv:2205.05198, equations 1 to 6"}));
  numbers.push_back(to_json(Explained{.name = "run.checkpoint.interval",
                                      .value = plain(run.interval),
                                      .formula = "sqrt(2 d M) (1 + sqrt(d/2M)/3 + (d/2M)/9) - d",
                                      .source = "Daly 2006, FGCS 22, equation 37",
                                      .inputs = {{.name = "d, time to write", .value = plain(run.stops.write)},
                                                 {.name = "M, between failures of the run", .value = plain(run.stops.between)}}}));
  numbers.push_back(to_json(Explained{
      .name = "run.wall",
      .value = plain(run.wall),
      .formula = "M exp(R/M) (exp((t + d)/M) - 1) T / t",
      .source = "Daly 2006, FGCS 22, equation 20",
      .inputs = {{.name = "T, without stops", .value = plain(run.useful)}, {.name = "R, restart", .value = plain(run.stops.restart)}}}));
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", a.warnings}};
}

}  // namespace

Question train_question() {
  return {
      "train",
      "a training run: step time, MFU and memory under a layout, then wall time, dollars and energy with failures and checkpoints",
      "--model meta-llama/Llama-3.1-405B --system hgx-h100 --chips 8192 --tp 8 --pp 16 --batch 2048 --sharding gradients --tokens 15.6e12",
      train_inputs,
      answer_train,
      plot_figures};
}

}  // namespace fareline
