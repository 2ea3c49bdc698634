// SPDX-License-Identifier: Apache-2.0
#include "api/setting.h"

#include <algorithm>

#include <fmt/format.h>

#include "perf/speculation.h"
#include "units/text.h"

namespace fareline {

namespace {

Expected<Model> read_model_of(const Inputs& inputs, const Catalogue& catalogue) {
  if (!inputs.has("model")) return fail("model", "is missing", "give a name from \"fareline list models\" or a path to a config.json");
  if (const nlohmann::ordered_json* object = inputs.object("model")) {
    if (!object->contains("config")) return fail("model", "has no member \"config\"", "write {\"name\": ..., \"config\": {...}}");
    const std::string quantization = object->contains("hf_quant_config") ? (*object)["hf_quant_config"].dump() : std::string();
    auto model = read_model(inputs.text("model"), (*object)["config"].dump(), quantization);
    if (!model) return std::unexpected(Error(model.error()).within("model"));
    return model;
  }
  auto model = catalogue.model(inputs.text("model"));
  if (!model) return std::unexpected(Error(model.error()).within("model"));
  return model;
}

}  // namespace

Expected<Model> model_of(Inputs& inputs, const Catalogue& catalogue) {
  if (!inputs.model()) {
    auto model = read_model_of(inputs, catalogue);
    if (!model) return model;
    inputs.keep(std::make_shared<const Model>(std::move(*model)));
  }
  return *inputs.model();
}

Expected<System> system_of(Inputs& inputs, const Catalogue& catalogue) {
  if (!inputs.has("system")) return fail("system", "is missing", "give a name from \"fareline list systems\"");
  auto found = catalogue.system(inputs.text("system"));
  if (!found) return std::unexpected(Error(found.error()).within("system"));
  System system = std::move(*found);
  const auto given_quantity = [&]<class Q>(std::string_view name) { return inputs.given(name) ? inputs.quantity<Q>(name) : std::nullopt; };
  if (const auto v = given_quantity.operator()<Bandwidth>("hbm_bandwidth")) system.chip.hbm_bandwidth = {*v, "given", ""};
  if (const auto v = given_quantity.operator()<Bytes>("hbm_capacity")) {
    system.chip.hbm_capacity = {*v, "given", ""};
    system.chip.hbm_usable = {*v, "given", ""};
  }
  if (const auto v = given_quantity.operator()<FlopRate>("peak")) {
    const auto base = system.chip.peak[static_cast<std::size_t>(multiply_rate(Format::bf16, std::nullopt, system.chip))].value;
    const double scale = *v / base;
    for (auto& peak : system.chip.peak) peak.value = scale * peak.value;
  }
  if (const auto v = given_quantity.operator()<Bandwidth>("scale_up_bandwidth")) system.scale_up.bandwidth = {*v, "given", ""};
  if (const auto v = given_quantity.operator()<Bandwidth>("scale_out_bandwidth")) system.scale_out.bandwidth = {*v, "given", ""};
  if (inputs.given("domain")) system.domain = *inputs.count("domain");
  if (system.domain > 1 && !system.scale_up.bandwidth.stated())
    return fail("domain", fmt::format("is above one, and {} has no links inside a domain", system.name),
                "give --scale_up_bandwidth \"450 GB/s\" too, or leave it out");
  return system;
}

Expected<Calibration> calibration_of(Inputs& inputs, const Catalogue& catalogue, const Chip& chip, std::vector<std::string>& warnings) {
  const std::string asked = inputs.text("calibration");
  if (asked != "auto") {
    auto named = catalogue.calibration(asked);
    if (!named) return std::unexpected(Error(named.error()).within("calibration"));
    return named;
  }
  const auto best = catalogue.calibration_for(chip, inputs.text("stack"));
  if (!best) return std::unexpected(best.error());
  inputs.choose("calibration", best->name, "fareline", best->evidence);
  if (best->chip == "*")
    warnings.push_back(fmt::format("no measurements of {} were fitted: the calibration \"{}\" is a generic one and its band is wide",
                                   chip.title, best->name));
  else if (best->chip != chip.name && best->chip != chip.family)
    warnings.push_back(
        fmt::format("no measurements of {} were fitted: the calibration is that of the generation before, {}, with a wider band",
                    chip.title, best->chip));
  return *best;
}

namespace {

std::optional<Format> format_of(const Inputs& inputs, std::string_view name) {
  const std::string text = inputs.text(name);
  return text.empty() ? std::nullopt : format_named(text);
}

}  // namespace

Plan plan_of(const Inputs& inputs) {
  Plan plan;
  plan.tp = inputs.count("tp").value_or(1);
  plan.pp = inputs.count("pp").value_or(1);
  plan.dp = inputs.count("dp").value_or(1);
  plan.cp = inputs.count("cp").value_or(1);
  plan.ep = inputs.count("ep").value_or(1);
  plan.replicas = inputs.count("replicas").value_or(1);
  plan.weights = format_of(inputs, "weights");
  plan.experts = format_of(inputs, "experts");
  plan.kv = format_of(inputs, "kv");
  plan.activations = format_of(inputs, "activations");
  plan.expert_skew = inputs.number("expert_skew").value_or(0);
  plan.token_budget = inputs.count("token_budget").value_or(plan.token_budget);
  plan.memory_fraction = inputs.number("memory_fraction").value_or(plan.memory_fraction);
  plan.reserve = inputs.quantity<Bytes>("reserve").value_or(Bytes{});
  plan.mtp = inputs.number("draft").value_or(0) > 0 && inputs.text("draft_by") == "mtp";
  return plan;
}

Speculation speculation_of(Inputs& inputs, const Model& model) {
  Speculation s;
  s.draft = inputs.number("draft").value_or(0);
  if (s.draft <= 0) return s;
  s.by_mtp = inputs.text("draft_by") == "mtp" && !model.mtp.empty();
  s.yield = inputs.number("accepted").value_or(tokens_of_verified_step(s.draft, inputs.number("acceptance").value_or(0)));
  s.yield = std::min(s.yield, s.draft + 1);
  if (inputs.text("draft_by") == "mtp" && model.mtp.empty())
    inputs.choose("draft_by", "ngram", "model file", "the model has no MTP module");
  return s;
}

Workload workload_of(const Inputs& inputs) {
  const double shortest = inputs.number("shortest").value_or(1);
  Workload workload{.prompt = {.longest = inputs.number("prompt").value_or(0), .shortest = shortest},
                    .output = {.longest = inputs.number("output").value_or(0), .shortest = shortest},
                    .cached = inputs.number("cached").value_or(0)};
  // The last token of a prompt is always computed: the first output token comes from it.
  if (const double tokens = workload.prompt.mean(); tokens > 0) workload.cached = std::clamp(1 - 1 / tokens, 0.0, workload.cached);
  return workload;
}

void record_facts(Inputs& inputs, const Model& model, const System& system, const Plan& plan) {
  const auto fact = [&]<class T>(std::string_view name, const Sourced<T>& f) {
    if (inputs.given(name) || !f.stated()) return;
    inputs.choose(name, f.value.coherent(), "catalogue", f.source);
  };
  const Chip& chip = system.chip;
  fact("hbm_bandwidth", chip.hbm_bandwidth);
  fact("hbm_capacity", chip.hbm_capacity);
  fact("peak", chip.peak[static_cast<std::size_t>(multiply_rate(Format::bf16, std::nullopt, chip))]);
  fact("scale_up_bandwidth", system.scale_up.bandwidth);
  fact("scale_out_bandwidth", system.scale_out.bandwidth);
  if (!inputs.given("domain")) inputs.choose("domain", system.domain, "catalogue", system.title);
  const Precision& p = model.precision;
  if (!plan.weights) inputs.choose("weights", std::string(name(p.weights)), "model file", "as published");
  if (!plan.kv) inputs.choose("kv", std::string(name(p.kv)), "model file", "as published");
  if (!plan.activations)
    inputs.choose("activations", std::string(name(multiply_rate(plan.weights.value_or(p.weights), std::nullopt, chip))), "default",
                  "as narrow as the weights where the chip multiplies so");
  if (inputs.number("draft").value_or(0) <= 0)
    for (const std::string_view unused : {"draft_by", "acceptance"}) inputs.leave_out(unused);
}

Expected<void> chips_in_bounds(const Inputs& inputs) {
  constexpr double most = 1 << 20;
  double chips = 1;
  for (const std::string_view part : {"tp", "pp", "dp", "cp", "replicas"})
    if (inputs.given(part)) chips *= *inputs.number(part);
  if (chips > most)
    return fail("tp x dp x cp x pp x replicas", fmt::format("is {} chips", number_text(chips)),
                fmt::format("write at most {}", number_text(most, 7)));
  return {};
}

Expected<MoneyRate> chip_rate_of(Inputs& inputs, const Catalogue& catalogue, const System& system, std::vector<std::string>& warnings) {
  const Chip& chip = system.chip;
  if (inputs.text("owned") == "yes") {
    if (inputs.given("rental")) warnings.push_back("rental is not used: the chips are owned");
    Ownership o{.life = inputs.number("years").value_or(5) * unit::year,
                .pue = inputs.number("pue").value_or(1),
                .electricity = inputs.quantity<EnergyPrice>("electricity").value_or(EnergyPrice{}),
                .utilisation = inputs.number("utilisation").value_or(1),
                .upkeep = inputs.number("upkeep").value_or(0)};
    const auto known = catalogue.capital(chip.name);
    const auto price_of = [&](std::string_view name, Dollars CapitalPrice::*member) -> Expected<Dollars> {
      if (const auto given = inputs.quantity<Dollars>(name)) return *given;
      if (!known) return std::unexpected(Error{std::string(name), known.error().what, fmt::format("give --{} \"25000 USD\"", name)});
      inputs.choose(name, ((*known).*member).coherent(), "default", known->source);
      return (*known).*member;
    };
    const auto chip_price = price_of("capital", &CapitalPrice::chip_price),
               network_price = price_of("network", &CapitalPrice::network_price);
    if (!chip_price) return std::unexpected(chip_price.error());
    if (!network_price) return std::unexpected(network_price.error());
    o.chip = *chip_price;
    o.network = *network_price;
    if (const auto power = inputs.quantity<Watts>("power")) {
      o.power = *power;
    } else if (chip.tdp.stated()) {
      o.power = 1.3 * chip.tdp.value;
      inputs.choose("power", o.power.coherent(), "default", "1.3 times the chip's TDP: " + chip.tdp.source);
    } else {
      return fail("power", fmt::format("the TDP of {} is not known", chip.name), "give --power \"700 W\"");
    }
    return owned_rate(o);
  }
  for (const std::string_view unused : {"capital", "network", "years", "power", "pue", "electricity", "utilisation", "upkeep"}) {
    if (inputs.given(unused)) warnings.push_back(fmt::format("{} is not used: the chips are rented (say owned yes)", unused));
    inputs.leave_out(unused);
  }
  if (const auto given = inputs.quantity<MoneyRate>("rental")) return *given;
  const auto price = catalogue.default_rental(chip.name);
  if (!price)
    return std::unexpected(Error{"rental", price.error().what, "give --rental \"2.5 USD/h\" (a chip), or --owned yes with --capital"});
  inputs.choose("rental", price->rate.coherent(), "default",
                fmt::format("{} {}, {}: {}", price->provider, price->kind, price->date, price->source));
  return price->rate;
}

std::vector<std::string> format_notes(const Model& model, const Plan& plan, const Chip& chip) {
  std::vector<std::string> notes;
  for (const Layer& layer : model.kinds) {
    for (const Matrix& m : layer.matrices) {
      if (m.use == Use::elementwise || m.use == Use::lookup) continue;
      const Format kept = kept_format(m, plan), rate = multiply_rate(kept, plan.activations, chip);
      if (row(kept).rate == rate || (plan.activations && row(*plan.activations).rate == rate)) continue;
      const std::string note = fmt::format("{} does not multiply {}: such weights are read as they are and multiplied as {}", chip.title,
                                           name(kept), name(rate));
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
    }
  }
  return notes;
}

std::string words(const Infeasible& r) {
  using C = Infeasible::Constraint;
  const auto n = [](double v) { return number_text(v, 6); };
  switch (r.constraint) {
    case C::heads: return fmt::format("{} attention heads do not divide over tp {}", n(r.available), n(r.needed));
    case C::kv_heads: return fmt::format("{} KV heads neither divide over tp {} nor repeat evenly", n(r.available), n(r.needed));
    case C::width: return fmt::format("an MLP width of {} does not divide over {} ranks", n(r.available), n(r.needed));
    case C::experts: {
      const int experts = static_cast<int>(r.available), ranks = static_cast<int>(r.needed);
      int fewer = ranks;
      while (fewer > 1 && experts % fewer != 0) --fewer;
      return fmt::format("{} experts do not divide over {} ranks: {} ranks would hold {} each and {} would idle", experts, ranks, fewer,
                         experts / fewer, ranks - fewer);
    }
    case C::ranks: return fmt::format("ep {} does not divide the {} ranks of tp x dp x cp", n(r.needed), n(r.available));
    case C::layers: return fmt::format("{} pipeline stages are more than the model's {} layers", n(r.needed), n(r.available));
    case C::domain:
      return fmt::format("the plan takes {} chips, but the system has {} and no scale-out network", n(r.needed), n(r.available));
    case C::memory:
      return fmt::format("a chip would hold {}, but the engine may take {}", to_text(r.needed * unit::B), to_text(r.available * unit::B));
    case C::rate: return fmt::format("{}/s arrive, but the system carries at most {}/s", number_text(r.needed), number_text(r.available));
    case C::budget:
      return fmt::format("{} sequences of a dp group leave no room for prompts in a step of {} tokens", n(r.needed), n(r.available));
    case C::format: return "the chip multiplies no such number format";
  }
  return {};
}

std::string remedy(const Infeasible& r) {
  using C = Infeasible::Constraint;
  switch (r.constraint) {
    case C::heads:
    case C::kv_heads:
    case C::width: return "write a tensor parallelism that divides them";
    case C::experts: {
      int fewer = static_cast<int>(r.needed);
      while (fewer > 1 && static_cast<int>(r.available) % fewer != 0) --fewer;
      return fmt::format("write --ep {}", fewer);
    }
    case C::ranks: return "write an ep that divides tp x dp x cp";
    case C::layers: return "write fewer stages";
    case C::domain: return "write fewer chips or take another system";
    case C::memory: return "take more chips (tp, ep, pp), narrower weights or KV, a shorter context or fewer sequences";
    case C::rate: return "take more replicas or a lower rate";
    case C::budget: return "raise token_budget or lower the concurrency";
    case C::format: return "take another format";
  }
  return {};
}

}  // namespace fareline
