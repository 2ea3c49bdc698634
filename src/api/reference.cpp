// SPDX-License-Identifier: Apache-2.0
#include "api/reference.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/question.h"
#include "perf/operators.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<CalibrationField, 28> calibration_table{{
    {"kernels[]", "kernel", "name", "the kernel the entry speaks of; `*`: all"},
    {"kernels[]", "format", "name", "the number format kept in memory; `*`: all"},
    {"kernels[]", "peak_share", "1", "share of the chip's peak FLOP/s that is achieved"},
    {"kernels[]", "bandwidth_share", "1", "share of the memory's (a collective: the link's) bandwidth that is achieved"},
    {"kernels[]", "latency", "s", "one launch, back to back with others"},
    {"kernels[]", "serial_share", "1",
     "share of the shorter of compute and memory time that is not hidden behind the longer; in training, share of a collective that does "
     "not hide behind compute"},
    {"kernels[]", "tile", "rows", "rows a kernel works on at once; fewer are charged as so many"},
    {"kernels[]", "tiled_from", "rows", "products: rows from which they are cut into tiles; fewer are streamed; left out: 1"},
    {"kernels[]", "item_time", "s", "what a core spends on one work item besides its FLOP and bytes"},
    {"kernels[]", "depth_time", "s", "one step of the longest chain a work item walks: k of a product, keys of an attention row"},
    {"kernels[]", "depth_most", "steps", "steps after which kernels split the chain; left out: never"},
    {"kernels[]", "softmax_dims", "dimensions", "attention: an exponential costs as much as so many more head dimensions"},
    {"kernels[]", "vector_dims", "dimensions", "attention of one query: head dimensions that fill a vector; left out: any number does"},
    {"kernels[]", "tail_dims", "dimensions", "attention of one query: at the peak rate, what each dimension costs that fills no vector"},
    {"kernels[]", "peer_latency", "s", "collectives: each rank beyond the first"},
    {"kernels[]", "second_latency", "s", "collectives: what the second protocol waits longer than the first"},
    {"kernels[]", "second_share", "1", "collectives: share of the link the second protocol achieves"},
    {"kernels[]", "fitted", "true or false", "false: no measurement of this kernel and format, taken from another"},
    {"engine", "step", "s", "scheduler and host, a step"},
    {"engine", "sequence", "s", "sampling and bookkeeping, a sequence and step"},
    {"engine", "launch_share", "1",
     "share of `latency`, `item_time` and `depth_time` that is left once the engine fuses and overlaps neighbouring kernels"},
    {"engine", "memory_share", "1", "share of kernels' memory time: below 1 where reads begin under the kernel before; left out: 1"},
    {"engine", "flop_share", "1", "share of kernels' FLOP time: above 1 where lasting load pulls the clock down; left out: 1"},
    {"engine", "everything_overlaps", "true or false",
     "true: a pass takes its floor, the longest of compute, memory and wire; left out: false"},
    {"engine", "prompt", "s", "tokenising, admission and first detokenising, a request"},
    {"engine", "collective_overlap", "1", "share of the collectives' time hidden behind compute"},
    {"bands.*", "low", "1", "one measurement in ten lies below the estimate times this"},
    {"bands.*", "high", "1", "one measurement in ten lies above the estimate times this"},
}};

// ── Markdown ──

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += "\\|";
    else if (c == '<') out += "&lt;";
    else if (c == '*' || c == '_') out += std::string("\\") + c;
    else if (c == '\n') out += ' ';
    else out += c;
  }
  return out;
}

std::string code(std::string_view text) {
  if (text.empty()) return {};
  std::string out = "`";
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out + "`";
}

std::string sentence(std::string_view text) {
  std::string out = escaped(text);
  if (!out.empty() && out.front() >= 'a' && out.front() <= 'z') out.front() = static_cast<char>(out.front() - 'a' + 'A');
  return out;
}

// Cells are Markdown already.
std::string table_row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += cell.empty() ? " |" : " " + cell + " |";
  return out + "\n";
}

std::string table_head(const std::vector<std::string>& names) {
  std::string out = table_row(names) + "|";
  for (std::size_t i = 0; i < names.size(); ++i) out += "---|";
  return out + "\n";
}

std::string page_head(std::string_view title, std::string_view summary) {
  while (summary.ends_with('\n')) summary.remove_suffix(1);
  return fmt::format("<!-- Written by `fareline docs docs/reference`. Do not edit. -->\n# {}\n\n{}\n", title, summary);
}

template <class T>
std::string value_text(const Sourced<T>& fact, int digits = 6) {
  if constexpr (std::is_arithmetic_v<T>) return number_text(fact.value, digits);
  else return to_text(fact.value, digits);
}

template <class T>
void fact_row(std::string& out, std::string_view name, const Sourced<T>& fact, int digits = 6) {
  if (fact.stated()) out += table_row({code(name), value_text(fact, digits), escaped(fact.source), escaped(fact.disputed)});
  else if (!fact.disputed.empty()) out += table_row({code(name), "unknown", "", escaped(fact.disputed)});
}

// ── questions ──

std::string_view kind_text(InputKind kind) {
  switch (kind) {
    case InputKind::text: return "text";
    case InputKind::model: return "name or object";
    case InputKind::document: return "name, object or list";
    case InputKind::count: return "count";
    case InputKind::number: return "number";
    case InputKind::quantity: return "quantity";
    case InputKind::choice: return "choice";
  }
  return {};
}

std::string bounds_text(const Input& input) {
  if (input.kind == InputKind::choice) {
    std::string choices;
    for (const char c : input.choices) choices += c == ',' ? std::string(", ") : std::string(1, c);
    return code(choices);
  }
  if (input.kind != InputKind::count && input.kind != InputKind::number && input.kind != InputKind::quantity) return {};
  constexpr int digits = 12;
  const std::string least = to_text(input.least, input.dim, digits);
  return input.most >= 0x1p53 ? fmt::format("{} or more", least) : fmt::format("{} to {}", least, to_text(input.most, input.dim, digits));
}

bool alike(const Input& a, const Input& b) {
  return a.name == b.name && a.kind == b.kind && a.value == b.value && a.reason == b.reason && a.summary == b.summary && a.dim == b.dim &&
         a.choices == b.choices && a.least == b.least && a.most == b.most;
}

// The names of the questions that have this very input.
std::vector<std::string_view> askers(const Input& input) {
  std::vector<std::string_view> names;
  for (const Question& question : questions())
    if (std::any_of(question.inputs.begin(), question.inputs.end(), [&](const Input& i) { return alike(i, input); }))
      names.push_back(question.name);
  return names;
}

std::string joined_names(const std::vector<std::string_view>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) out += fmt::format("{}{}", i == 0 ? "" : i + 1 == names.size() ? " and " : ", ", names[i]);
  return out;
}

std::string inputs_table(const std::vector<const Input*>& inputs) {
  std::string out = table_head({"input", "kind", "unit", "default", "why, or what happens without it", "bounds", "meaning"});
  for (const Input* i : inputs) {
    const bool quantity = i->kind == InputKind::quantity;
    out += table_row({code(i->name), std::string(kind_text(i->kind)), quantity ? code(unit_name(i->dim)) : std::string(), code(i->value),
                      escaped(i->reason), bounds_text(*i), escaped(i->summary)});
  }
  return out;
}

std::string questions_page() {
  std::string out =
      page_head("Questions",
                "A question has a name and inputs. On the command line an input is `--name value` (`list` and `show` take theirs "
                "without a name); in JSON it is a member of `\"inputs\"`.\n\n"
                "A *quantity* is text with a unit (`\"50 ms\"`); the unit column names the one that answers use. A *count* may be "
                "written `128k` or `8Ki`, a *number* as a per cent (`80%`). What is left out takes the default. An unknown name, a "
                "missing unit or a value out of bounds is refused: one line on the command line with exit status 2, "
                "`{\"error\": {\"where\", \"what\", \"remedy\"}}` in JSON.");
  std::vector<std::vector<std::string_view>> groups;
  for (const Question& question : questions()) {
    out += fmt::format("\n## {}\n\n{}.\n\n```\nfareline {} {}\n```\n\n", question.name, sentence(question.summary), question.name,
                       question.example);
    std::vector<const Input*> own;
    std::vector<std::vector<std::string_view>> shared;
    for (const Input& input : question.inputs) {
      auto names = askers(input);
      if (names.size() == 1) own.push_back(&input);
      else if (std::find(shared.begin(), shared.end(), names) == shared.end()) shared.push_back(std::move(names));
    }
    if (!own.empty()) out += inputs_table(own);
    for (const auto& names : shared) {
      out += fmt::format("\nAnd the inputs of [{}](#inputs-of-{}), below.\n", joined_names(names), [&] {
        std::string anchor = joined_names(names);
        std::erase(anchor, ',');
        std::replace(anchor.begin(), anchor.end(), ' ', '-');
        return anchor;
      }());
      if (std::find(groups.begin(), groups.end(), names) == groups.end()) groups.push_back(names);
    }
    if (question.name == "sweep")
      out +=
          "\nOn the command line `of` comes first and the inputs of the question asked follow as they are; `--vary` is given once or "
          "twice; "
          "`--plot FILE` writes the SVG and `--csv FILE` the columns.\n\n"
          "A range is `first..last`, with a number of points `first..last:17`, evenly spaced `first..last:17:linear`, or a list `1,2,4`. "
          "Without a number of points a count runs through powers of two, and a quantity through 17 points, evenly in ratio.\n";
  }
  for (const auto& names : groups) {
    out += fmt::format("\n## Inputs of {}\n\n", joined_names(names));
    std::vector<const Input*> inputs;
    for (const Question& question : questions())
      for (const Input& input : question.inputs)
        if (question.name == names.front() && askers(input) == names) inputs.push_back(&input);
    out += inputs_table(inputs);
  }
  return out;
}

// ── answers ──

// What stands at a member: the unit of a quantity, or the kind of value.
std::string shape_of(const Json& member) {
  if (member.is_object() && member.contains("value") && member.contains("unit")) {
    std::string shape = fmt::format("quantity in {}", code(member["unit"].get<std::string>()));
    if (member.contains("ceiling")) shape += ", floor, ceiling, low, high";
    else if (member.contains("floor")) shape += ", floor, low, high";
    if (member.contains("source")) shape += ", source";
    return shape;
  }
  if (member.is_boolean()) return "true or false";
  if (member.is_number_integer()) return "whole number";
  if (member.is_number()) return "number";
  if (member.is_string()) return "text";
  if (member.is_array()) return member.empty() ? "list" : "list of " + shape_of(member.front());
  return member.is_object() ? "object" : "nothing";
}

// A row that has a name of its own besides is no quantity.
bool is_quantity(const Json& member) {
  return member.is_object() && member.contains("value") && member.contains("unit") && !member.contains("id");
}

void walk(const Json& at, const std::string& path, std::vector<std::pair<std::string, const Json*>>& found) {
  if (path != "figures" && at.is_object() && !is_quantity(at)) {
    for (const auto& [name, member] : at.items()) walk(member, path.empty() ? name : path + "." + name, found);
  } else if (path != "figures" && at.is_array() && !at.empty() && (at.front().is_object()) && !is_quantity(at.front())) {
    for (const Json& element : at) walk(element, path + "[]", found);
  } else {
    found.emplace_back(path, &at);
  }
}

// A question per table, whose answer shows the shape.
struct Shown {
  std::string_view question, heading, inputs;
};
constexpr auto shown_questions = std::to_array<Shown>({
    {"cost", "cost", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 2, "concurrency": 16, "prompt": 2048, "output": 256})"},
    {"step", "step", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "pp": 2, "batch": 16})"},
    {"memory", "memory", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 2})"},
    {"infeasible", "what does not fit, or does not divide",
     R"({"model": "meta-llama/Llama-3.1-70B", "system": "hgx-h100", "tp": 1, "prompt": 2048, "output": 256})"},
    {"sweep", "sweep", R"({"of": "step", "vary": "batch=1,2", "inputs": {"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 2}})"},
    {"list", "list", R"({"kind": "chips"})"},
    {"show chip", "show, a chip", R"({"kind": "chip", "name": "h100-sxm"})"},
    {"show system", "show, a system", R"({"kind": "system", "name": "hgx-h100"})"},
    {"show model", "show, a model", R"({"kind": "model", "name": "openai/gpt-oss-20b"})"},
    {"show calibration", "show, a calibration", R"({"kind": "calibration", "name": "ideal"})"},
    {"plan", "plan",
     R"({"model": "openai/gpt-oss-20b", "systems": "hgx-h100", "prompt": 2048, "output": 256, "rate": "20/s", "chips": "8"})"},
    {"no plan", "plan, where no plan keeps the limits",
     R"({"model": "openai/gpt-oss-20b", "systems": "hgx-h100",
         "prompt": 2048, "output": 256, "rate": "20/s", "chips": "8", "tpot": "1 ms"})"},
    {"tiers", "tiers", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100"})"},
    {"balance", "balance", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "context": 8192})"},
    {"departures", "departures", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "batch": 200, "ride": 10, "load": 0.9})"},
    {"racks", "racks", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "racks": 2})"},
    {"speed", "speed", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "prompt": 2048, "output": 256})"},
    {"lecture", "lecture", R"({"id": "roofline.compute_time"})"},
    {"simulate", "simulate",
     R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 1, "rate": "20 1/s", "prompt": "2048", "output": "256",
         "requests": 1000})"},
    {"pipeline", "pipeline", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100"})"},
    {"lifetime", "lifetime", R"({"model": "openai/gpt-oss-20b"})"},
    {"capacity", "capacity", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "stages": 2})"},
    {"reversible", "reversible", R"({"model": "openai/gpt-oss-20b"})"},
    {"train", "train", R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "chips": 16})"},
});

std::string_view asked_question(std::string_view question) {
  if (question == "infeasible") return "cost";
  if (question == "no plan") return "plan";
  return question.substr(0, question.find(' '));
}

std::string answers_page(const Catalogue& catalogue) {
  std::string out = page_head(
      "Answers in JSON",
      "`fareline QUESTION … --json` prints one answer. `fareline ask` reads questions from standard input, one JSON object a "
      "line, and answers "
      "one a line.\n\n"
      "```\necho '{\"question\": \"show\", \"inputs\": {\"kind\": \"chip\", \"name\": \"h100-sxm\"}}' | fareline ask\n```\n\n"
      "An answer has five members, and that of `simulate` a sixth, `run`: its requests, events and steps, and whether it came to its end.");
  out += "\n" + table_head({"member", "what it holds"});
  out += table_row({"`question`", "the question's name"});
  out += table_row({"`inputs`",
                    "every value used, by name: `value`, `unit` where it is a number, `chosen_by` (`you`, `default`, `model file` or "
                    "`fareline`) and `source`, the reason"});
  out += table_row({"`answer`", "the answer; its members are listed below"});
  out += table_row({"`explain`",
                    "how the numbers come about: formulas with the values put in, operators, the calibration and its evidence, what the "
                    "model's file left open"});
  out += table_row({"`warnings`", "a list of sentences"});
  out += "\nA question that cannot be understood has one member instead, `error`, with `where`, `what` and `remedy`.\n\n"
         "A *quantity* is an object.\n\n";
  out += table_head({"member", "what it holds"});
  out += table_row({"`value`", "the calibrated estimate, in `unit`"});
  out += table_row({"`unit`", "the SI unit; money is in USD, prices in USD/Mtok (per million tokens); `1` is a count or a ratio"});
  out += table_row({"`floor`", "of a time or price: the bound of physics (peak rates, no overhead); never above `value`"});
  out += table_row({"`ceiling`", "of a rate: the physical bound again, which lies above `value`"});
  out += table_row({"`low`, `high`",
                    "the band that 80% of measurements should fall into, by the calibration; `low` never undercuts the floor, nor `high` "
                    "the ceiling of a rate"});
  out += table_row({"`source`, `disputed`", "of a fact of the catalogue: where it is stated, and what other sources say"});
  out +=
      "\nMembers of a list's elements are written `name[].member`; `*` stands for any name. What the tables show was read off these "
      "questions' answers.\n";
  for (const Shown& shown : shown_questions) {
    const Json asked{{"question", asked_question(shown.question)}, {"inputs", Json::parse(shown.inputs, nullptr, false)}};
    const auto answered = ask(asked, catalogue);
    out += fmt::format("\n## {}\n\n```json\n{}\n```\n\n", shown.heading, asked.dump());
    if (!answered) {
      out += escaped(answered.error().line()) + "\n";
      continue;
    }
    out += table_head({"member of `answer`", "what stands there", "meaning"});
    std::vector<std::pair<std::string, const Json*>> members;
    walk((*answered)["answer"], "", members);
    std::vector<const AnswerField*> seen;
    for (const auto& [path, value] : members) {
      const AnswerField* field = described(shown.question, path);
      if (field && std::find(seen.begin(), seen.end(), field) != seen.end()) continue;
      if (field) seen.push_back(field);
      out += table_row(
          {code(field ? field->path : std::string_view(path)), shape_of(*value), field ? escaped(field->summary) : std::string()});
    }
  }
  return out;
}

// ── kinds ──

std::string operators_page() {
  std::string out = page_head(
      "Operators",
      "A pass is a sum over operators. Each row gives what is counted, where the formula is published and what it assumes. Time follows "
      "from "
      "FLOP and bytes by the form on the page on [kernels](kernels.md). Of all: activations that the next kernel reads are written to and "
      "read from HBM, and weights are read once a pass.\n\n`m n k` are rows, columns and depth of a product, `b_x` the bytes of an element "
      "of x, `c` "
      "the tokens before, `n` new tokens, `h` heads, `d` a head's width, `q` query tokens a sequence, `a` attended tokens, `r` the "
      "latent's width, "
      "`T` tokens, `E` experts, `k` experts a token, `R` ranks.");
  for (const OperatorRow& row : operator_rows)
    out += fmt::format("\n## {}\n\n{}.\n\n```\n{}\n```\n\n- Source: {}\n- Assumes: {}\n", row.name, sentence(row.summary), row.equation,
                       escaped(row.source), escaped(row.assumes));
  out += "\n## What binds a pass\n\nEvery part of a pass' time is put down to one of: ";
  for (std::size_t i = 0; i < binder_names.size(); ++i) out += fmt::format("{}{}", i == 0 ? "" : ", ", code(binder_names[i]));
  return out + ".\n";
}

std::string kernels_page() {
  std::string out =
      page_head("Kernels and the calibration's form",
                "A kernel is what a calibration is fitted to. A kernel of `f` FLOP, with rows and columns rounded up to its tile, `b` "
                "bytes, `u` work items "
                "and a chain of `d` steps takes\n\n"
                "```\nt = latency + item_time u / cores + depth_time min(d, depth_most) + max(tf, tb) + serial_share min(tf, tb)\n"
                "tf = f / (peak_share peak)    tb = b / (bandwidth_share bandwidth)\n```\n\n"
                "and a collective of `n` ranks that moves `v1` bytes a port by its first protocol or `v2` by its second\n\n"
                "```\nt = latency + hop + peer_latency (n - 1) + item_time tokens\n    + min(v1 / (bandwidth_share link), second_latency + "
                "v2 / (second_share link))\n```\n\n"
                "No term is negative and no share above one, so no estimate undercuts the floor. An engine that fuses and overlaps "
                "neighbouring kernels "
                "keeps `launch_share` of the compute kernels' first three terms, and adds its own `step` and `sequence` to every "
                "step.\n\n## Kernels\n");
  out += "\n" + table_head({"kernel", "what it computes"});
  for (const KernelRow& row : kernels) out += table_row({code(row.name), escaped(row.summary)});
  out +=
      "\n## A calibration's file\n\nBeside these: `name`, `title`, `chip` (a chip, a family, or `*`), `stack` (an engine, or `*`), "
      "`evidence`, `source`. "
      "Of two entries that cover a kernel and a format the one that names more holds, a kernel before a format.\n\n";
  out += table_head({"member", "unit", "meaning"});
  for (const CalibrationField& field : calibration_table)
    out += table_row({code(fmt::format("{}.{}", field.group, field.key)), escaped(field.unit), std::string(field.summary)});
  return out;
}

std::string formats_page() {
  std::string out = page_head(
      "Number formats",
      "Bits count an element's share of the scales. A chip that lacks a format multiplies it as the next wider one it has. "
      "Sources: NVIDIA, Introducing NVFP4; OCP Microscaling Formats v1.0; DeepSeek-V3 report, section 3.3; GPTQ and AWQ at groups of 128; "
      "compressed-tensors' pack-quantized at groups of 32.\n");
  out += "\n" + table_head({"format", "bits", "bytes", "multiplies at the rate of", "what it is"});
  for (const FormatRow& row : formats)
    out += table_row({code(row.name), number_text(row.bits, 8), number_text(element_bytes(row.format).in(unit::B), 8), code(name(row.rate)),
                      escaped(row.summary)});
  return out;
}

// ── things ──

std::string chips_page(const Catalogue& catalogue) {
  std::string out = page_head("Chips", "One file each in `data/chips/`. Peaks are dense. What the chip lacks is left out.\n");
  out += "\n" + table_head({"chip", "title", "family", "status", "16-bit peak", "memory", "bandwidth"});
  for (const std::string& n : catalogue.chip_names()) {
    const Chip c = *catalogue.chip(n);
    const auto& peak = c.peak[static_cast<std::size_t>(Format::bf16)];
    out += table_row({fmt::format("[`{}`](#{})", c.name, c.name), escaped(c.title), c.family, c.status,
                      peak.stated() ? value_text(peak) : std::string("–"), value_text(c.hbm_capacity), value_text(c.hbm_bandwidth)});
  }
  for (const std::string& n : catalogue.chip_names()) {
    const Chip c = *catalogue.chip(n);
    out += fmt::format("\n## {}\n\n{}. Made by {}, of the family {}; {}, released {}.\n\n", c.name, escaped(c.title), c.vendor, c.family,
                       c.status, c.released);
    out += table_head({"fact", "value", "source", "disputed"});
    for (const FormatRow& format : formats)
      fact_row(out, fmt::format("peak.{}", format.name), c.peak[static_cast<std::size_t>(format.format)]);
    for (const auto& fact : chip_counts) fact_row(out, fact.key, c.*fact.member);
    for (const auto& fact : chip_capacities) fact_row(out, fact.key, c.*fact.member);
    for (const auto& fact : chip_bandwidths) fact_row(out, fact.key, c.*fact.member);
    for (const auto& fact : chip_powers) fact_row(out, fact.key, c.*fact.member);
  }
  out += "\n## What the facts mean\n\n" + table_head({"fact", "meaning", "believed between"});
  out += table_row({"`peak.*`", "dense peak rate of products in the number format", ""});
  const auto meaning = [&](const auto& fact) {
    using Value = std::remove_cvref_t<decltype(fact.least)>;
    const auto text = [](const Value& v) {
      if constexpr (std::is_arithmetic_v<Value>) return number_text(v, 7);
      else return to_text(v);
    };
    out += table_row({code(fact.key), escaped(fact.summary), fmt::format("{} and {}", text(fact.least), text(fact.most))});
  };
  for (const auto& fact : chip_counts) meaning(fact);
  for (const auto& fact : chip_capacities) meaning(fact);
  for (const auto& fact : chip_bandwidths) meaning(fact);
  for (const auto& fact : chip_powers) meaning(fact);
  return out;
}

std::string systems_page(const Catalogue& catalogue) {
  std::string out = page_head(
      "Systems",
      "One file each in `data/systems/`. A *domain* is the chips that the scale-up links join; *chips* come as one unit (a board, a rack). "
      "Bandwidths of links are one way, a chip. Tiers are a chip's share.\n");
  out += "\n" + table_head({"system", "title", "status", "chip", "chips", "domain"});
  for (const std::string& n : catalogue.system_names()) {
    const System s = *catalogue.system(n);
    out += table_row({fmt::format("[`{}`](#{})", s.name, s.name), escaped(s.title), s.status, code(s.chip.name), fmt::format("{}", s.chips),
                      fmt::format("{}", s.domain)});
  }
  for (const std::string& n : catalogue.system_names()) {
    const System s = *catalogue.system(n);
    out += fmt::format("\n## {}\n\n{}. Source of chips and domain: {}. Scale-up: {}. Scale-out: {}.\n\n", s.name, escaped(s.title),
                       escaped(s.source), escaped(s.scale_up.kind), escaped(s.scale_out.kind));
    out += table_head({"fact", "value", "source", "disputed"});
    for (const auto& [name, link] : {std::pair{"scale_up", &s.scale_up}, {"scale_out", &s.scale_out}}) {
      fact_row(out, fmt::format("{}.bandwidth", name), link->bandwidth);
      fact_row(out, fmt::format("{}.latency", name), link->latency);
    }
    for (const MemoryTier& tier : s.tiers) {
      fact_row(out, fmt::format("{}.capacity", tier.name), tier.capacity);
      fact_row(out, fmt::format("{}.bandwidth", tier.name), tier.bandwidth);
      fact_row(out, fmt::format("{}.price", tier.name), tier.price);
    }
  }
  return out;
}

std::string models_page(const Catalogue& catalogue) {
  std::string out = page_head(
      "Models",
      "One file each in `data/models/`, which holds the `config.json` as published. *Parameters* and *active* are counted from it (MTP "
      "modules left "
      "out); *published* is what its publisher states, a rounded name where marked so. *KV* is what one token keeps, windows not yet full, "
      "in the "
      "published format. Any other published `config.json` can be given as a path.\n");
  out += "\n" + table_head({"model", "layers", "parameters", "active", "published", "KV a token", "weights", "source"});
  for (const std::string& n : catalogue.model_names()) {
    const auto m = catalogue.model(n);
    if (!m) {
      out += table_row({code(n), escaped(m.error().line())});
      continue;
    }
    const ParameterCount count = count_parameters(*m);
    const auto published = m->published.total == 0
                               ? std::string()
                               : number_text(static_cast<double>(m->published.total), 15) + (m->published.nominal ? " (name)" : "");
    out += table_row({code(m->name), fmt::format("{}", m->layers()), number_text(static_cast<double>(count.total), 15),
                      number_text(static_cast<double>(count.active), 15), published,
                      number_text(kv_bytes_per_token(*m, element_bytes(m->precision.kv)).in(unit::B), 12) + " B",
                      code(name(m->precision.weights)), escaped(m->source)});
  }
  return out;
}

std::string prices_page(const Catalogue& catalogue) {
  std::string out = page_head("Prices",
                              "Dated files in `data/prices/`; rows are added, never edited.\n\n## The rent a question uses\n\nThe median "
                              "on-demand offer of the newest date; "
                              "where there is none, the median of what is known.\n");
  out += "\n" + table_head({"chip", "a chip", "offer", "kind", "date"});
  for (const std::string& n : catalogue.chip_names())
    if (const auto price = catalogue.default_rental(n))
      out += table_row({code(n), to_text(price->rate), escaped(price->provider), price->kind, price->date});
  out += "\n## Rental offers\n\n" + table_head({"chip", "a chip", "offer", "kind", "date", "source"});
  for (const RentalPrice& p : catalogue.rental_prices())
    out += table_row({code(p.chip), to_text(p.rate), escaped(p.provider), p.kind, p.date, escaped(p.source)});
  out += "\n## Capital\n\n" + table_head({"chip", "chip and its share of the server", "network", "date", "source"});
  for (const CapitalPrice& p : catalogue.capital_prices())
    out += table_row({code(p.chip), to_text(p.chip_price, 6), to_text(p.network_price, 6), p.date, escaped(p.source)});
  out += "\n## Electricity\n\n" + table_head({"region", "price", "date", "source"});
  for (const ElectricityPrice& p : catalogue.electricity_prices())
    out += table_row({escaped(p.region), to_text(p.rate), p.date, escaped(p.source)});
  return out;
}

std::string time_text(Seconds t) { return t > Seconds{} ? to_text(t) : std::string(); }

std::string calibrations_page(const Catalogue& catalogue) {
  std::string out = page_head("Calibrations",
                              "One file each in `data/calibrations/`. The form and the columns are on the page on [kernels](kernels.md). A "
                              "question takes the nearest: chip "
                              "and engine, else the chip's family, else any. Formats that share an entry share a row; an entry that is not "
                              "*fitted* was taken from another.\n");
  for (const std::string& n : catalogue.calibration_names()) {
    const Calibration c = *catalogue.calibration(n);
    out += fmt::format("\n## {}\n\n{}. Chip {}, engine {}.\n\n- Evidence: {}\n- Source: {}\n", c.name, escaped(c.title), code(c.chip),
                       code(c.stack), escaped(c.evidence), escaped(c.source));
    out += fmt::format(
        "- Engine: {} a step, {} a sequence and step, {} a prompt, {} of launches, items and chains left, {} of the collectives hidden\n",
        to_text(c.engine.step), to_text(c.engine.sequence), to_text(c.engine.prompt), number_text(c.engine.launch_share),
        number_text(c.engine.collective_overlap));
    out += "- Bands, as multiples of the estimate:";
    for (const auto& [name, band] : {std::pair{"pass", c.pass}, {"TPOT", c.tpot}, {"TTFT", c.ttft}, {"throughput", c.throughput}})
      out += fmt::format(" {} {} to {}{}", name, number_text(band.low), number_text(band.high),
                         std::string_view(name) == "throughput" ? "\n\n" : ",");
    out += table_head({"kernel", "formats", "peak", "bandwidth", "latency", "serial", "tile", "item", "depth", "depth at most", "soft-max",
                       "peer", "second", "second share", "fitted"});
    for (const KernelRow& kernel : kernels) {
      std::vector<std::pair<const Efficiency*, std::string>> rows;
      for (const FormatRow& format : formats) {
        const Efficiency& e = c.at(kernel.kernel, format.format);
        const auto same = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return *r.first == e; });
        if (same != rows.end()) same->second += fmt::format(", {}", format.name);
        else rows.emplace_back(&e, format.name);
      }
      for (const auto& [e, names] : rows) {
        const auto optional = [](double v) { return v > 0 ? number_text(v) : std::string(); };
        const bool collective = kernel.kernel >= Kernel::all_reduce;
        out += table_row({code(kernel.name), rows.size() == 1 ? std::string("all") : escaped(names), number_text(e->peak_share),
                          number_text(e->bandwidth_share), time_text(e->latency), number_text(e->serial_share), fmt::format("{}", e->tile),
                          time_text(e->item_time), time_text(e->depth_time), optional(e->depth_most), optional(e->softmax_dims),
                          time_text(e->peer_latency), time_text(e->second_latency),
                          collective ? number_text(e->second_share) : std::string(), e->fitted ? "yes" : "no"});
      }
    }
  }
  return out;
}

}  // namespace

std::span<const CalibrationField> calibration_fields() { return calibration_table; }

std::vector<std::string> answer_paths(const Json& answer) {
  std::vector<std::pair<std::string, const Json*>> members;
  walk(answer, "", members);
  std::vector<std::string> paths;
  for (auto& [path, value] : members)
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(std::move(path));
  return paths;
}

const AnswerField* described(std::string_view question, std::string_view path) {
  const auto matches = [](std::string_view pattern, std::string_view text) {
    while (true) {
      const auto p = pattern.find('.'), t = text.find('.');
      const std::string_view wanted = pattern.substr(0, p), here = text.substr(0, t);
      if (wanted != "*" && wanted != here) return false;
      if ((p == std::string_view::npos) != (t == std::string_view::npos)) return false;
      if (p == std::string_view::npos) return true;
      pattern.remove_prefix(p + 1);
      text.remove_prefix(t + 1);
    }
  };
  for (const AnswerField& field : answer_fields())
    if (field.question == question && matches(field.path, path)) return &field;
  return nullptr;
}

std::vector<ReferencePage> reference_pages(const Catalogue& catalogue) {
  struct Entry {
    std::string_view path, title, summary;
  };
  std::vector<ReferencePage> pages{{"questions.md", questions_page()},      {"answers.md", answers_page(catalogue)},
                                   {"operators.md", operators_page()},      {"kernels.md", kernels_page()},
                                   {"formats.md", formats_page()},          {"chips.md", chips_page(catalogue)},
                                   {"systems.md", systems_page(catalogue)}, {"models.md", models_page(catalogue)},
                                   {"prices.md", prices_page(catalogue)},   {"calibrations.md", calibrations_page(catalogue)}};
  std::string index = page_head("Reference", "Written by the program from the tables it works by.\n");
  index += "\n";
  for (const ReferencePage& page : pages) {
    const auto from = page.text.find("# ") + 2;
    index += fmt::format("- [{}]({})\n", page.text.substr(from, page.text.find('\n', from) - from), page.path);
  }
  pages.insert(pages.begin(), {"README.md", std::move(index)});
  return pages;
}

}  // namespace fareline
