// SPDX-License-Identifier: Apache-2.0
#include "api/schema.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

Json reference(std::string_view component) { return {{"$ref", fmt::format("#/components/schemas/{}", component)}}; }

// A list of the choices "a,b,c".
Json listed(std::string_view choices) {
  Json list = Json::array();
  while (!choices.empty()) {
    const auto comma = choices.find(',');
    list.push_back(std::string(choices.substr(0, comma)));
    choices = comma == std::string_view::npos ? std::string_view{} : choices.substr(comma + 1);
  }
  return list;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

// "cost" asked: {"question": "cost", "inputs": {...}}.
Json question_schema(const Question& question) {
  Json properties = Json::object();
  for (const Input& input : question.inputs) properties[std::string(input.name)] = input_schema(input);
  return {{"title", std::string(question.name)},
          {"description", sentence(std::string(question.summary)) + "."},
          {"type", "object"},
          {"properties",
           {{"question", {{"const", std::string(question.name)}}},
            {"inputs", {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}}}}},
          {"required", {"question"}},
          {"additionalProperties", false}};
}

Json answer_schema() {
  const Json text{{"type", "string"}}, object{{"type", "object"}};
  return {{"description",
           "The inputs used, with who chose each and why; the answer, whose quantities are {value, unit, floor, low, high}; where the "
           "numbers come from; and what to mind. Members are listed in the reference, page answers."},
          {"type", "object"},
          {"properties",
           {{"question", text},
            {"inputs", object},
            {"answer", {{"type", {"object", "array"}}}},
            {"run", object},
            {"explain", {{"type", {"object", "array", "null"}}}},
            {"warnings", {{"type", {"array", "null"}}, {"items", text}}}}},
          {"required", {"question", "inputs", "answer"}}};
}

Json error_schema() {
  const auto text = [](const char* meaning) { return Json{{"type", "string"}, {"description", meaning}}; };
  return {{"description", "What is wrong with a question."},
          {"type", "object"},
          {"properties",
           {{"error",
             {{"type", "object"},
              {"properties",
               {{"where", text("Where it stands.")}, {"what", text("What is wrong with it.")}, {"remedy", text("What to write instead.")}}},
              {"required", {"where", "what", "remedy"}}}}}},
          {"required", {"error"}}};
}

Json content(std::string_view type, Json schema) { return {{std::string(type), {{"schema", std::move(schema)}}}}; }

Json ask_path() {
  const auto list_of = [](Json schema) { return Json{{"type", "array"}, {"items", std::move(schema)}}; };
  Json errors;
  for (const auto& [status, meaning] : {std::pair{"400", "The question is wrong."},
                                        {"408", "The request did not come in time."},
                                        {"413", "The body, or the list of questions, is too long."},
                                        {"431", "The header is too long."},
                                        {"503", "Too many connections."},
                                        {"504", "The question took longer than the service allows."}})
    errors[status] = {{"description", meaning}, {"content", content("application/json", reference("Error"))}};
  Json responses{{"200",
                  {{"description", "The answer. Of a list of questions a list, in which what is wrong with one stands in its place. With "
                                   "Accept: text/event-stream events: progress, {\"done\": 0 to 1}, then answer, or error."},
                   {"content",
                    {{"application/json",
                      {{"schema", {{"oneOf", {reference("Answer"), list_of({{"anyOf", {reference("Answer"), reference("Error")}}})}}}}}},
                     {"text/event-stream", {{"schema", {{"type", "string"}}}}}}}}}};
  responses.update(errors);
  return {{"post",
           {{"operationId", "ask"},
            {"summary", "A question, its answer; a list of questions, a list of answers"},
            {"requestBody",
             {{"required", true},
              {"content", content("application/json", {{"oneOf", {reference("Question"), list_of(reference("Question"))}}})}}},
            {"responses", std::move(responses)}}}};
}

Json get_path(const char* id, const char* summary, const char* type, Json schema) {
  return {{"get",
           {{"operationId", id},
            {"summary", summary},
            {"responses", {{"200", {{"description", summary}, {"content", content(type, std::move(schema))}}}}}}}};
}

}  // namespace

Json input_schema(const Input& input) {
  Json schema = Json::object();
  std::string about = sentence(std::string(input.summary)) + ".";
  switch (input.kind) {
    case InputKind::text: schema["type"] = "string"; break;
    case InputKind::choice:
      schema["type"] = "string";
      schema["enum"] = listed(input.choices);
      break;
    case InputKind::count:
      schema["type"] = {"integer", "string"};
      about += " As text also 128k or 8Ki.";
      break;
    case InputKind::number:
      schema["type"] = {"number", "string"};
      about += " As text also a per cent.";
      break;
    case InputKind::quantity:
      schema["type"] = "string";
      about += fmt::format(" A number with a unit; answers use {}.", unit_name(input.dim));
      break;
    case InputKind::model: schema["type"] = {"string", "object"}; break;
    case InputKind::document: schema["type"] = {"string", "object", "array"}; break;
  }
  if (input.kind == InputKind::count || input.kind == InputKind::number) {
    schema["minimum"] = input.least;
    if (input.most < 0x1p53) schema["maximum"] = input.most;
  }
  if (!input.value.empty()) schema["default"] = std::string(input.value);
  if (!input.reason.empty()) about += fmt::format(" {}: {}.", input.value.empty() ? "Left out" : "Default", input.reason);
  schema["description"] = std::move(about);
  return schema;
}

Json openapi_schema() {
  Json schemas = Json::object(), any = Json::array();
  for (const Question& question : questions()) {
    const std::string name = sentence(std::string(question.name)) + "Question";
    schemas[name] = question_schema(question);
    any.push_back(reference(name));
  }
  schemas["Question"] = {{"oneOf", std::move(any)}};
  schemas["Answer"] = answer_schema();
  schemas["Error"] = error_schema();
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "fareline"},
            {"summary", "What a token costs on given hardware, how fast it comes, and why"},
            {"version", "0.1.0"},
            {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
          {"paths",
           {{"/v1/ask", ask_path()},
            {"/v1/catalogue", get_path("catalogue", "What the catalogue holds, by kind", "application/json", {{"type", "object"}})},
            {"/v1/schema", get_path("schema", "This document", "application/json", {{"type", "object"}})},
            {"/metrics", get_path("metrics", "Counts and times, for Prometheus", "text/plain", {{"type", "string"}})}}},
          {"components", {{"schemas", std::move(schemas)}}}};
}

}  // namespace fareline
