// SPDX-License-Identifier: Apache-2.0
// The question "lecture": every figure of the blackboard, answered by the question it belongs to.
#include <cmath>

#include <fmt/format.h>

#include "api/questions.h"
#include "api/value.h"
#include "catalog/lecture.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

// How far a figure may lie from the exact one and still be it.
constexpr double tolerance = 0.005;

constexpr std::array<Input, 2> lecture_inputs{{
    {.name = "id", .value = "all", .reason = "the whole blackboard", .summary = "one figure, e.g. batch.optimal_lecture, or all of them"},
    {.name = "set",
     .kind = InputKind::document,
     .reason = "the figure's own inputs",
     .summary = "inputs that ask one figure otherwise: an object, e.g. {\"activated_experts\": 8}"},
}};

// The member of `answer` at a path such as "rows[2].time"; nothing where there is none.
const Json* member_at(const Json& answer, std::string_view path) {
  const Json* at = &answer;
  while (!path.empty()) {
    const auto end = path.find_first_of(".[");
    if (end != 0) {
      const std::string name(path.substr(0, end));
      if (!at->is_object() || !at->contains(name)) return nullptr;
      at = &(*at)[name];
    } else if (path.front() == '[') {
      std::size_t index = 0;
      for (const char c : path.substr(1, path.find(']') - 1)) index = 10 * index + static_cast<std::size_t>(c - '0');
      if (!at->is_array() || index >= at->size()) return nullptr;
      at = &(*at)[index];
      path.remove_prefix(path.find(']') + 1);
      if (path.starts_with('.')) path.remove_prefix(1);
      continue;
    }
    path = end == std::string_view::npos ? std::string_view{} : path.substr(path[end] == '.' ? end + 1 : end);
  }
  return at;
}

Expected<double> value_of(const LectureFigure& figure, const Json& inputs, const Catalogue& catalogue) {
  const auto answered = ask({{"question", figure.question}, {"inputs", inputs}}, catalogue);
  if (!answered) return std::unexpected(Error(answered.error()).within(figure.id));
  const Json* found = member_at((*answered)["answer"], figure.answer);
  if (found && found->is_object() && found->contains("value")) found = &(*found)["value"];
  if (!found || !found->is_number())
    return fail(figure.id, fmt::format("the answer to {} has no number \"{}\" under these inputs", figure.question, figure.answer),
                "set other inputs");
  return found->get<double>();
}

Json as_object(const std::string& text) { return text.empty() ? Json::object() : Json::parse(text); }

Expected<Json> row_of(const LectureFigure& figure, const Json& set, const Catalogue& catalogue) {
  Json inputs = as_object(figure.inputs);
  inputs.update(set);
  auto value = value_of(figure, inputs, catalogue);
  if (!value) return std::unexpected(value.error());
  if (!figure.over.empty()) {
    Json other = inputs;
    other.update(as_object(figure.over));
    const auto base = value_of(figure, other, catalogue);
    if (!base) return std::unexpected(base.error());
    *value /= *base;
  }
  *value *= figure.scale;
  if (!std::isfinite(*value)) return fail(figure.id, "has no finite value under these inputs", "set other inputs");
  Json row{{"id", figure.id}, {"at", figure.at}, {"said", figure.said}, {"value", *value}, {"unit", figure.unit}};
  row["exact"] = figure.exact ? Json(*figure.exact) : Json("depends");
  row["within"] = !figure.exact || std::abs(*value - *figure.exact) <= tolerance * std::abs(*figure.exact);
  return row;
}

// The question as it is typed.
std::string typed(const LectureFigure& figure, const Json& set) {
  Json inputs = as_object(figure.inputs);
  inputs.update(set);
  std::string text = "fareline " + figure.question;
  for (const auto& [name, value] : inputs.items()) {
    const std::string word = value.is_string() ? value.get<std::string>() : value.dump();
    const char* quote = word.find_first_of(" \"{") == std::string::npos ? "" : "'";
    text += fmt::format(" --{} {}{}{}", name, quote, word, quote);
  }
  return text;
}

Expected<Json> answer_lecture(Inputs& inputs, const Catalogue& catalogue) {
  const std::string id = inputs.text("id");
  const Json* set = inputs.object("set");
  if (set && !set->is_object()) return fail("set", "is not an object", "write {\"activated_experts\": 8}");
  if (inputs.has("set") && !set)
    return fail("set", in_quotes(inputs.text("set")) + " is no input with its value", "write activated_experts=8");
  if (set && id == "all") return fail("set", "is given for all figures", "name one figure: fareline lecture batch.optimal_lecture");
  Json rows = Json::array(), warnings = Json::array();
  std::vector<std::string> known;
  int with_exact = 0, within = 0;
  Json answer;
  for (const LectureFigure& figure : lecture_figures()) {
    known.push_back(figure.id);
    if (id != "all" && id != figure.id) continue;
    auto row = row_of(figure, set ? *set : Json::object(), catalogue);
    if (!row) return std::unexpected(row.error());
    with_exact += figure.exact.has_value();
    within += figure.exact && (*row)["within"].get<bool>();
    if (!figure.note.empty()) warnings.push_back(figure.id + ": " + figure.note);
    if (id != "all") {
      answer["quantity"] = figure.quantity;
      answer["asked"] = typed(figure, set ? *set : Json::object());
      if (!figure.over.empty()) answer["over"] = "the same with " + figure.over;
      answer["read"] = figure.answer;
    }
    if (!figure.plot.empty()) (*row)["plot"] = figure.plot;
    rows.push_back(std::move(*row));
  }
  if (rows.empty()) {
    const std::string near = nearest_names(id, known);
    return fail("id", in_quotes(id) + " is no figure of the lecture", near.empty() ? "see fareline lecture" : near);
  }
  if (id == "all")
    answer["why"] = fmt::format("{} of the {} figures that have an exact value lie within {}% of it; {} figures in all.", within,
                                with_exact, tolerance * 100, rows.size());
  answer["rows"] = std::move(rows);
  return Json{{"answer", std::move(answer)}, {"explain", Json::object()}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question lecture_question() {
  return {"lecture", "the figures of the lecture, each computed by the question it belongs to",
          "batch.optimal_lecture --set activated_experts=8", lecture_inputs, answer_lecture};
}

Expected<std::vector<std::pair<std::string, std::string>>> lecture_plots(const Catalogue& catalogue) {
  std::vector<std::pair<std::string, std::string>> pictures;
  for (const LectureFigure& figure : lecture_figures()) {
    if (figure.plot.empty()) continue;
    const auto answered = ask({{"question", figure.question}, {"inputs", as_object(figure.inputs)}}, catalogue);
    if (!answered) return std::unexpected(Error(answered.error()).within(figure.id));
    const auto svg = question_named(figure.question)->plot(*answered);
    if (!svg) return std::unexpected(Error(svg.error()).within(figure.id));
    pictures.emplace_back(figure.plot + ".svg", *svg);
  }
  return pictures;
}

}  // namespace fareline
