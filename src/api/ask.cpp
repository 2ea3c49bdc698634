// SPDX-License-Identifier: Apache-2.0
// The question table, and asking.
#include <fmt/format.h>

#include "api/asking.h"
#include "api/json_text.h"
#include "api/questions.h"
#include "api/train.h"
#include "api/setting.h"
#include "api/sweep.h"
#include "catalog/fields.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<Input, 1> explain_inputs{{
    {.name = "explain",
     .kind = InputKind::choice,
     .value = "brief",
     .reason = "operator by operator only where asked",
     .summary = "none: numbers alone, as sweeps ask; brief; or full: every operator of each pass",
     .choices = "none,brief,full"},
}};
constexpr auto cost_inputs = joined(setting_inputs, workload_inputs, plan_inputs, money_inputs, explain_inputs);

constexpr std::array<Input, 6> step_only{{
    {.name = "pass",
     .kind = InputKind::choice,
     .value = "decode",
     .reason = "most passes of a serving system are decode steps",
     .summary = "decode, prefill, or mixed: both at once",
     .choices = "decode,prefill,mixed"},
    {.name = "batch",
     .kind = InputKind::count,
     .value = "1",
     .reason = "the latency of a lone user",
     .summary = "sequences that decode",
     .least = 1,
     .most = 1e7},
    {.name = "context",
     .kind = InputKind::count,
     .value = "4096",
     .reason = "a medium conversation",
     .summary = "tokens each decoding sequence has behind it",
     .least = 0,
     .most = 1e9},
    {.name = "tokens",
     .kind = InputKind::count,
     .reason = "needed by prefill and mixed passes",
     .summary = "new tokens of each prompt, or of a chunk of it",
     .least = 1,
     .most = 1e9},
    {.name = "prefix",
     .kind = InputKind::count,
     .value = "0",
     .reason = "nothing cached",
     .summary = "tokens of each prompt that are already there",
     .least = 0,
     .most = 1e9},
    {.name = "prompts",
     .kind = InputKind::count,
     .value = "1",
     .reason = "one prompt",
     .summary = "prompts prefilled in the pass",
     .least = 1,
     .most = 1e6},
}};
constexpr auto step_inputs = joined(setting_inputs, step_only, plan_inputs);

constexpr std::array<Input, 1> memory_only{{
    {.name = "context",
     .kind = InputKind::count,
     .reason = "the longest the model states",
     .summary = "tokens of a sequence",
     .least = 1,
     .most = 1e9},
}};
constexpr auto memory_inputs = joined(setting_inputs, memory_only, plan_inputs);

constexpr std::array<Input, 4> sweep_inputs{{
    {.name = "of",
     .kind = InputKind::choice,
     .value = "cost",
     .reason = "what is varied most",
     .summary = "the question asked at each point",
     .choices = "cost,latency,step,memory"},
    {.name = "inputs",
     .kind = InputKind::model,
     .reason = "the inputs of the question at each point",
     .summary = "an object of the question's inputs"},
    {.name = "vary",
     .kind = InputKind::text,
     .reason = "has no default",
     .summary = "input=range, one or two of them with a blank between: batch=1..4096, hbm_bandwidth=2TB/s..8TB/s:17, tp=1,2,4"},
    {.name = "show",
     .kind = InputKind::text,
     .reason = "price and pace of cost; time of step; the largest batch of memory",
     .summary = "paths of the answer to collect, comma separated: price.output,latency.tpot"},
}};

constexpr std::array<Input, 1> list_inputs{{
    {.name = "kind",
     .kind = InputKind::choice,
     .value = "models",
     .reason = "the longest list",
     .summary = "what to list",
     .choices = "models,chips,systems,prices,calibrations,questions"},
}};
constexpr std::array<Input, 2> show_inputs{{
    {.name = "kind",
     .kind = InputKind::choice,
     .value = "chip",
     .reason = "what is looked up most",
     .summary = "what kind of thing",
     .choices = "model,chip,system,calibration"},
    {.name = "name", .kind = InputKind::text, .reason = "has no default", .summary = "its name"},
}};

}  // namespace

Expected<Json> read_document(std::string_view file, std::string_view text) {
  const std::optional<std::string> clean = without_nonfinite(text);
  const auto document = parse_json(file, clean ? std::string_view(*clean) : text);
  if (!document) return std::unexpected(document.error());
  return Json(*document);
}

std::span<const Question> questions() {
  static const std::array table = std::to_array<Question>({
      {"cost", "what a token costs on a system under a workload, how fast it comes, and why",
       "--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --prompt 4096 --output 512", cost_inputs, answer_cost},
      {"step", "how long one pass takes, operator by operator",
       "--model meta-llama/Llama-3.1-70B --system hgx-h200 --tp 4 --pass decode --batch 128 --context 8192", step_inputs, answer_step},
      {"memory", "what a plan keeps in a chip's memory, and how many sequences fit",
       "--model meta-llama/Llama-3.1-70B --system hgx-h100 --tp 4 --context 8192", memory_inputs, answer_memory},
      {"sweep", "one question over one or two varied inputs, as columns",
       "cost --model meta-llama/Llama-3.1-70B --system hgx-h100 --tp 8 --prompt 2048 --output 512 --vary batch=1..256", sweep_inputs,
       answer_sweep, plot_sweep},
      {"list", "what the catalogue holds", "systems", list_inputs, answer_list},
      {"show", "one thing of the catalogue, each value with its source", "chip h100-sxm", show_inputs, answer_show},
      plan_question(),
      tiers_question(),
      bill_question(),
      balance_question(),
      departures_question(),
      racks_question(),
      speed_question(),
      context_question(),
      invert_question(),
      lecture_question(),
      simulate_question(),
      pipeline_question(),
      lifetime_question(),
      capacity_question(),
      reversible_question(),
      train_question(),
  });
  return table;
}

const Question* question_named(std::string_view name) {
  const auto row = std::find_if(questions().begin(), questions().end(), [&](const Question& q) { return q.name == name; });
  return row == questions().end() ? nullptr : &*row;
}

namespace {

// The same error without control characters: it quotes what was asked, and is printed as one line.
Error on_one_line(Error error) {
  for (std::string* text : {&error.where, &error.what, &error.remedy})
    for (char& c : *text)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return error;
}

Expected<Json> answered(const Json& question, const Catalogue& catalogue, const std::function<Expected<Json>(Inputs&)>& instead) {
  if (!question.is_object()) return fail("question", "is not an object", "write {\"question\": \"cost\", \"inputs\": {...}}");
  for (const auto& [key, value] : question.items())
    if (key != "question" && key != "inputs")
      return fail(in_quotes(key), "is no part of a question", "write {\"question\": \"cost\", \"inputs\": {...}}");
  if (!question.contains("question") || !question["question"].is_string())
    return fail("question", "is missing", "write {\"question\": \"cost\", \"inputs\": {...}}");
  const std::string name = question["question"].get<std::string>();
  if (const Question* row = question_named(name)) {
    auto inputs = Inputs::read(*row, question.contains("inputs") ? question["inputs"] : Json::object());
    if (!inputs) return std::unexpected(inputs.error());
    auto answer = instead ? instead(*inputs) : row->answer(*inputs, catalogue);
    if (!answer) return std::unexpected(answer.error());
    Json whole{{"question", name}, {"inputs", inputs->to_json()}, {"answer", std::move((*answer)["answer"])}};
    if (answer->contains("run")) whole["run"] = std::move((*answer)["run"]);
    whole["explain"] = std::move((*answer)["explain"]);
    whole["warnings"] = std::move((*answer)["warnings"]);
    return whole;
  }
  std::vector<std::string> known;
  for (const Question& row : questions()) known.emplace_back(row.name);
  const std::string near = nearest_names(name, known);
  return fail("question", in_quotes(name) + " is not a question",
              near.empty() ? "ask {\"question\": \"list\", \"inputs\": {\"kind\": \"questions\"}}" : near);
}

}  // namespace

Expected<Json> ask_with(const Json& question, const Catalogue& catalogue, const std::function<Expected<Json>(Inputs&)>& instead) {
  auto answer = answered(question, catalogue, instead);
  if (!answer) return std::unexpected(on_one_line(std::move(answer.error())));
  return answer;
}

Expected<Json> ask_watched(const Json& question, const Catalogue& catalogue, const Watch& watch) {
  const bool asks = question.is_object() && question.contains("question");
  if (asks && question["question"] == "sweep")
    return ask_with(question, catalogue, [&](Inputs& inputs) { return answer_sweep_watched(inputs, catalogue, watch); });
  if (asks && question["question"] == "simulate")
    return ask_with(question, catalogue, [&](Inputs& inputs) { return answer_simulate_watched(inputs, catalogue, watch); });
  return ask(question, catalogue);
}

Expected<Json> ask(const Json& question, const Catalogue& catalogue) { return ask_with(question, catalogue, {}); }

std::string text_of(const Expected<Json>& answered) {
  if (answered) return json_text(*answered);
  const Error error = on_one_line(answered.error());
  return json_text({{"error", {{"where", error.where}, {"what", error.what}, {"remedy", error.remedy}}}});
}

std::string ask_text(std::string_view text, const Catalogue& catalogue) {
  const auto question = read_document("question", text);
  return text_of(question ? ask(*question, catalogue) : std::unexpected(question.error()));
}

}  // namespace fareline
