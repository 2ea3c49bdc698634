// SPDX-License-Identifier: Apache-2.0
// The questions "step", one pass of a model through a system, and "memory", what a plan keeps in a chip.
#include <algorithm>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/questions.h"
#include "api/serve.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

struct Parts {
  Model model;
  System system;
  Calibration calibration;
  std::vector<std::string> warnings;
};

Expected<Parts> read_parts(Inputs& inputs, const Catalogue& catalogue) {
  if (const auto bounds = chips_in_bounds(inputs); !bounds) return std::unexpected(bounds.error());
  auto model = model_of(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = system_of(inputs, catalogue);
  if (!system) return std::unexpected(system.error());
  std::vector<std::string> warnings;
  auto calibration = calibration_of(inputs, catalogue, system->chip, warnings);
  if (!calibration) return std::unexpected(calibration.error());
  return Parts{std::move(*model), std::move(*system), std::move(*calibration), std::move(warnings)};
}

// The layout asked for; where nothing of it was, the smallest that holds one sequence of `context` tokens.
Plan plan_or_smallest(Inputs& inputs, const Parts& parts, double context) {
  Plan base = plan_of(inputs);
  if (inputs.has("tp") || inputs.has("ep") || inputs.has("pp") || inputs.has("dp")) {
    for (const auto& [name, value] : {std::pair{"tp", base.tp}, {"ep", base.ep}, {"pp", base.pp}, {"dp", base.dp}})
      if (!inputs.has(name)) inputs.choose(name, value, "default", "other parts of the layout were given");
    return base;
  }
  const Plan* best = nullptr;
  const std::vector<Plan> all = layouts(parts.model, parts.system, base, inputs);
  for (const Plan& plan : all) {
    if (plan.dp > 1 || !compile(parts.model, parts.system, parts.calibration, plan)) continue;
    if (most_sequences(memory_use(parts.model, parts.system, plan, context), plan) < 1) continue;
    if (!best || plan.replica_chips() < best->replica_chips()) best = &plan;
  }
  const Plan chosen = best ? *best : base;
  const std::string why = best ? "the smallest layout whose memory holds one sequence" : "no layout of this system holds one sequence";
  for (const auto& [name, value] : {std::pair{"tp", chosen.tp}, {"ep", chosen.ep}, {"pp", chosen.pp}, {"dp", chosen.dp}})
    inputs.choose(name, value, "fareline", why);
  return chosen;
}

Json result_of(Json answer, Json explain, const std::vector<std::string>& warnings) {
  Json list = Json::array();
  for (const std::string& w : warnings) list.push_back(w);
  return {{"answer", std::move(answer)}, {"explain", std::move(explain)}, {"warnings", std::move(list)}};
}

}  // namespace

Expected<Json> answer_step(Inputs& inputs, const Catalogue& catalogue) {
  auto parts = read_parts(inputs, catalogue);
  if (!parts) return std::unexpected(parts.error());
  const std::string kind = inputs.text("pass");
  Pass pass;
  if (kind != "prefill") {
    pass.decode_sequences = inputs.number("batch").value_or(1);
    pass.decode_context = inputs.number("context").value_or(0);
    pass.tokens_per_sequence = 1 + inputs.number("draft").value_or(0);
  }
  if (kind != "decode") {
    if (!inputs.has("tokens")) return fail("tokens", "is missing", "give --tokens 4096, the new tokens of the prefill");
    pass.prefill_sequences = inputs.number("prompts").value_or(1);
    pass.prefill_tokens = inputs.number("tokens").value_or(0);
    pass.prefill_context = inputs.number("prefix").value_or(0);
  }
  const double context = std::max(pass.decode_context + 1, pass.prefill_context + pass.prefill_tokens);
  const Plan plan = plan_or_smallest(inputs, *parts, context);
  for (const std::string& note : format_notes(parts->model, plan, parts->system.chip)) parts->warnings.push_back(note);
  record_facts(inputs, parts->model, parts->system, plan);
  const auto compiled = compile(parts->model, parts->system, parts->calibration, plan);
  if (!compiled) return result_of(infeasible_answer(compiled.error(), ""), Json::object(), parts->warnings);
  const MemoryUse use = memory_use(parts->model, parts->system, plan, context);
  const double sequences = std::max(pass.decode_sequences, pass.prefill_sequences);
  if (sequences > most_sequences(use, plan)) {
    const Infeasible reason = out_of_memory(use, sequences / plan.dp);
    return result_of(
        infeasible_answer(reason, fmt::format("{} sequences of {} tokens", number_text(std::max(0.0, most_sequences(use, plan))),
                                              number_text(context, 10))),
        Json::object(), parts->warnings);
  }
  const PassEstimate e = compiled->estimate(pass);
  const Chip& chip = parts->system.chip;
  const FlopRate peak =
      chip.peak[static_cast<std::size_t>(multiply_rate(plan.weights.value_or(parts->model.precision.weights), plan.activations, chip))]
          .value;
  Json answer{{"feasible", true}, {"time", banded(e.time, e.floor, parts->calibration.pass)}};
  if (plan.pp > 1) answer["stage_time"] = banded(e.stage_time, e.stage_floor, parts->calibration.pass);
  answer["bound"] = bound_of(e);
  answer["per_chip"] = {
      {"flop", plain(e.flops)}, {"weights", plain(e.weights)}, {"kv", plain(e.kv)}, {"activations", plain(e.activations)}};
  answer["utilisation"] = {{"mfu", e.flops / e.stage_time / peak}, {"mbu", (e.weights + e.kv) / e.stage_time / chip.hbm_bandwidth.value}};
  answer["tokens"] = plain(pass.tokens(), "tok");
  answer["plan"] = {{"tp", plan.tp}, {"ep", plan.ep}, {"pp", plan.pp}, {"dp", plan.dp}, {"cp", plan.cp}, {"chips", plan.replica_chips()}};
  const Binder first = first_binder(e);
  answer["why"] = fmt::format("The pass takes {}, {:.0f}% of it {}; physics alone would allow {}.", to_text(e.time, 3),
                              100 * (e.by_binder[static_cast<std::size_t>(first)] / e.time), phrase(first), to_text(e.floor, 3));
  Json explain{{"formula",
                "time = sum over operators of launches * latency + max(tf, tb) + serial * min(tf, tb), and the engine's step; floor = "
                "max(FLOP / peak, (weights + KV) / bandwidth, wire / link)"},
               {"operators", operators_of(*compiled, pass)},
               {"calibration",
                {{"name", parts->calibration.name}, {"evidence", parts->calibration.evidence}, {"source", parts->calibration.source}}}};
  for (const std::string& note : parts->model.notes) explain["model"].push_back(note);
  return result_of(std::move(answer), std::move(explain), parts->warnings);
}

Expected<Json> answer_memory(Inputs& inputs, const Catalogue& catalogue) {
  auto parts = read_parts(inputs, catalogue);
  if (!parts) return std::unexpected(parts.error());
  const double context = inputs.number("context").value_or(static_cast<double>(std::max<std::int64_t>(parts->model.max_context, 1)));
  if (!inputs.has("context")) inputs.choose("context", context, "model file", "the longest context the model states");
  const Plan plan = plan_or_smallest(inputs, *parts, context);
  record_facts(inputs, parts->model, parts->system, plan);
  if (const auto compiled = compile(parts->model, parts->system, parts->calibration, plan); !compiled)
    return result_of(infeasible_answer(compiled.error(), ""), Json::object(), parts->warnings);
  const MemoryUse use = memory_use(parts->model, parts->system, plan, context);
  const ParameterCount count = count_parameters(parts->model);
  const Format kv = plan.kv.value_or(parts->model.precision.kv);
  Json parameters{{"total", plain(static_cast<double>(count.total), "1")}, {"active", plain(static_cast<double>(count.active), "1")}};
  Json by_part = Json::object();
  for (int i = 0; i < part_count; ++i)
    if (count.total_by_part[i] > 0)
      by_part[std::string(name(static_cast<Part>(i)))] = {{"total", count.total_by_part[i]}, {"active", count.active_by_part[i]}};
  parameters["by_part"] = std::move(by_part);
  const double fits = most_sequences(use, plan);
  Json answer =
      fits < 1 ? infeasible_answer(
                     out_of_memory(use, 1), "")
               : Json{{"feasible", true}};
  answer["chip"] = memory_of(use, plan, kv_capacity_tokens(parts->model, use, plan));
  answer["parameters"] = std::move(parameters);
  answer["kv_per_token"] = plain(kv_bytes_per_token(parts->model, element_bytes(kv)));
  answer["sequence"] = plain(sequence_bytes(parts->model, kv, context));
  answer["plan"] = {{"tp", plan.tp}, {"ep", plan.ep}, {"pp", plan.pp}, {"dp", plan.dp}, {"cp", plan.cp}, {"chips", plan.replica_chips()}};
  answer["why"] = fits < 1
                      ? fmt::format("The weights take {} and one sequence of {} tokens {} of the {} a chip's engine may use.",
                                    to_text(use.weights, 3), number_text(context, 10), to_text(use.sequence, 3), to_text(use.budget, 3))
                      : fmt::format("After {} of weights a chip has {} for KV: {} sequences of {} tokens fit in a replica.",
                                    to_text(use.weights, 3), to_text(use.left(), 3), number_text(fits), number_text(context, 10));
  const auto line = [](std::string_view name, Bytes value, std::string_view formula) {
    return Json{{"name", std::string(name)}, {"value", plain(value)}, {"formula", std::string(formula)}};
  };
  Json explain{
      {"numbers",
       Json::array(
           {line("budget", use.budget, "memory_fraction * usable"),
            line("weights", use.weights, "sum over matrices of elements here * bytes of an element, fullest stage"),
            line("activations", use.activations,
                 "larger of token_budget * (4 hidden + 3 widest MLP) * 2 B and token_budget * 3 hidden * 2 B + 1024 vocabulary * 14 B; and "
                 "routed tokens"),
            line("collectives", use.collectives, "peers * 16 channels * 4 MiB (NCCL_BUFFSIZE) + 1.75 GiB where ranks share a stage"),
            line("reserve", use.reserve, "0.25 GiB of the runtime + what is given"),
            line("sequence", use.sequence, "sum over the fullest stage's layers of kept entries * KV heads here * bytes / cp + state")})}};
  for (const std::string& note : parts->model.notes) explain["model"].push_back(note);
  return result_of(std::move(answer), std::move(explain), parts->warnings);
}

}  // namespace fareline
