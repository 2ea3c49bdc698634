// SPDX-License-Identifier: Apache-2.0
#include "render.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plot/table.h"
#include "units/text.h"

namespace fareline::cli {
namespace {

using Json = nlohmann::ordered_json;

// A number of an answer with its unit, as people write it.
std::string number(double value, const std::string& unit, int digits = 4) {
  static const std::pair<const char*, Dim> dims[] = {{"s", Seconds::dim},       {"B", Bytes::dim},         {"B/s", Bandwidth::dim},
                                                     {"FLOP", Flops::dim},      {"FLOP/s", FlopRate::dim}, {"W", Watts::dim},
                                                     {"J", Joules::dim},        {"USD/s", MoneyRate::dim}, {"USD", Dollars::dim},
                                                     {"tok/s", TokenRate::dim}, {"1/s", Frequency::dim},   {"USD/B/s", StoragePrice::dim},
                                                     {"USD/tok", TokenPrice::dim}};
  for (const auto& [name, dim] : dims)
    if (unit == name) return to_text(value, dim, digits);
  if (unit == "tok" && std::abs(value) >= 1e9) return to_text(value, Tokens::dim, digits);
  const bool whole = value == std::floor(value) && std::abs(value) < 1e9;  // a count is written in full
  const std::string text = number_text(value, whole ? 10 : digits);
  return unit == "1" || unit.empty() ? text : text + " " + unit;
}

std::string value_of(const Json& q, int digits = 4) {
  if (q.is_object() && q.contains("value")) {
    const Json& v = q["value"];
    return v.is_number()   ? number(v.get<double>(), q.value("unit", std::string("1")), digits)
           : v.is_string() ? v.get<std::string>()
                           : v.dump();
  }
  if (q.is_number()) return number_text(q.get<double>(), digits);
  return q.is_string() ? q.get<std::string>() : q.dump();
}

std::string member(const Json& q, const char* key, int digits = 3) {
  return q.contains(key) ? number(q[key].get<double>(), q.value("unit", std::string("1")), digits) : std::string();
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

struct Grid {
  plot::Table table;
  explicit Grid(std::initializer_list<std::pair<const char*, bool>> columns) {
    for (const auto& [name, right] : columns) table.columns.push_back({.name = name, .right = right});
  }
  void add(std::vector<std::string> cells) {
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      table.columns[i].texts.push_back(i < cells.size() ? std::move(cells[i]) : std::string());
  }
  std::string text() const {
    const auto written = plot::text_table(table);
    return written ? *written : written.error().line() + "\n";
  }
};

std::string band(const Json& q) {
  if (!q.contains("low")) return {};
  // A unit that both ends share is written once.
  const std::string low = member(q, "low"), high = member(q, "high");
  const auto blank = low.find(' ');
  const bool shared = blank != std::string::npos && high.ends_with(low.substr(blank));
  return fmt::format("{} to {}", shared ? low.substr(0, blank) : low, high);
}

// What the members of an answer are called in a table for people.
std::string label(const std::string& group, const std::string& name) {
  for (const auto& [path, text] : {std::pair{"price.input", "price of new input"},
                                   {"price.cached_input", "price of cached input"},
                                   {"price.output", "price of output"},
                                   {"price.blended", "price of any token (blended)"},
                                   {"latency.ttft", "time to first token (TTFT)"},
                                   {"latency.tpot", "time per further token (TPOT)"},
                                   {"latency.e2e", "time of a whole answer"},
                                   {"throughput.requests", "requests"},
                                   {"throughput.output_tokens", "output tokens"},
                                   {"throughput.total_tokens", "all tokens"},
                                   {"throughput.output_tokens_per_chip", "output tokens, a chip"},
                                   {"throughput.total_tokens_per_chip", "all tokens, a chip"}})
    if (group + "." + name == path) return text;
  return spaced(name);
}

void quantities(Grid& grid, const Json& answer, const std::string& group) {
  for (const auto& [name, q] : answer[group].items()) {
    const char* bound = q.contains("ceiling") ? "ceiling" : "floor";
    grid.add({label(group, name), value_of(q), q.contains(bound) ? member(q, bound) : "", band(q)});
  }
}

std::string shares(const Json& bound) {
  std::string text;
  for (const auto& [name, b] : bound.items()) {
    const double share = b["share"].get<double>();
    if (share < 0.005) continue;
    text += fmt::format("{}{} {:.0f}%", text.empty() ? "" : ", ", name, 100 * share);
  }
  return text;
}

std::string operators(const Json& rows, const std::string& title) {
  Grid grid{{title.c_str(), false}, {"layers", true}, {"time", true}, {"FLOP", true},
            {"weights", true},      {"KV", true},     {"in", false},  {"bound", false}};
  for (const Json& r : rows)
    grid.add({r["name"], number_text(r["layers"].get<double>()), value_of(r["time"], 3), value_of(r["flop"], 3), value_of(r["weights"], 3),
              value_of(r["kv"], 3), r["multiplies_in"], r["bound"]});
  return grid.text();
}

void formulas(std::string& out, const Json& rows) {
  std::vector<std::string> seen;
  for (const Json& r : rows) {
    const std::string kind = r["kind"];
    if (std::find(seen.begin(), seen.end(), kind) != seen.end()) continue;
    seen.push_back(kind);
    out += fmt::format("  {}: {}\n    Source: {}\n    Assumes: {}\n", kind, r["formula"].get<std::string>(), r["source"].get<std::string>(),
                       r["assumes"].get<std::string>());
  }
}

void node(std::string& out, const Json& n, int depth) {
  out +=
      fmt::format("{}{} = {}\n", std::string(static_cast<std::size_t>(2 * depth), ' '), n["name"].get<std::string>(), value_of(n["value"]));
  if (n.contains("formula"))
    out += fmt::format("{}= {}\n", std::string(static_cast<std::size_t>(2 * depth + 4), ' '), n["formula"].get<std::string>());
  if (n.contains("source") && !n["source"].get<std::string>().empty())
    out += fmt::format("{}Source: {}\n", std::string(static_cast<std::size_t>(2 * depth + 4), ' '), n["source"].get<std::string>());
  if (n.contains("inputs"))
    for (const Json& i : n["inputs"]) node(out, i, depth + 1);
}

std::string chosen(const Json& inputs) {
  Grid grid{{"input", false}, {"value", true}, {"chosen by", false}, {"because", false}};
  for (const auto& [name, v] : inputs.items())
    grid.add({spaced(name),
              v["value"].is_number() ? number(v["value"].get<double>(), v.value("unit", std::string("1"))) : v["value"].get<std::string>(),
              v["chosen_by"], v.value("source", std::string())});
  return grid.text();
}

std::string counted(const Json& q, std::string_view one, std::string_view many) {
  const std::string text = value_of(q, 3);
  return fmt::format("{} {}", text, text == "1" ? one : many);
}

// `text` broken at blanks into lines of at most 110 characters, the later ones indented.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t width = 0;
  while (!text.empty()) {
    const auto end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (width > 0 && width + 1 + word.size() > 110) {
      out += "\n" + std::string(indent, ' ');
      width = indent;
    } else if (width > 0) {
      out += ' ';
      ++width;
    }
    out += word;
    width += word.size();
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out + "\n";
}

// What the asker left open: what fareline chose and why, then the defaults, whose reasons --explain gives.
std::string left_open(const Json& inputs) {
  std::vector<std::pair<std::string, std::string>> chosen;  // reason, values
  std::string defaults;
  for (const auto& [name, v] : inputs.items()) {
    const std::string by = v["chosen_by"];
    if (by == "you" || by == "catalogue" || name == "explain") continue;
    const std::string value =
        v["value"].is_number() ? number(v["value"].get<double>(), v.value("unit", std::string("1"))) : v["value"].get<std::string>();
    const std::string text = spaced(name) + " " + value;
    if (by == "default") {
      defaults += (defaults.empty() ? "" : ", ") + text;
      continue;
    }
    const std::string reason = v.value("source", std::string()) + (by == "fareline" ? "" : " (" + by + ")");
    const auto same = std::find_if(chosen.begin(), chosen.end(), [&](const auto& c) { return c.first == reason; });
    if (same == chosen.end()) chosen.emplace_back(reason, text);
    else same->second += ", " + text;
  }
  std::string out;
  for (const auto& [reason, values] : chosen) out += wrapped(fmt::format("chosen:  {}: {}", values, reason), 9);
  if (!defaults.empty()) out += wrapped(fmt::format("default: {} (--explain gives the reasons)", defaults), 9);
  return out;
}

std::string plan_line(const Json& plan) {
  std::string text;
  for (const char* name : {"tp", "ep", "dp", "pp", "cp"})
    if (plan[name].get<int>() > 1) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, plan[name].get<int>());
  return fmt::format("{}{}", text.empty() ? "one chip" : text,
                     plan.contains("chips") ? fmt::format(" ({} chips)", number_text(plan["chips"].get<double>())) : "");
}

std::string heading(const Json& answered) {
  const Json& in = answered["inputs"];
  std::string text =
      in["model"]["value"].get<std::string>() + " on " + in[in.contains("systems") ? "systems" : "system"]["value"].get<std::string>();
  return text;
}

std::string infeasible(const Json& answer) {
  std::string text = (answer["needed"]["unit"] == "B" ? "Does not fit: " : "Cannot be done: ") + answer["reason"].get<std::string>() +
                     ".\n  needed     " + value_of(answer["needed"]) + "\n  available  " + value_of(answer["available"]) + "\n";
  if (answer.contains("would_fit")) text += "  would fit  " + answer["would_fit"].get<std::string>() + "\n";
  return text + "  remedy     " + answer["remedy"].get<std::string>() + "\n";
}

// Each limit given up alone, nearest first.
std::string nearest(const Json& rows) {
  Grid grid{{"limit given up", false}, {"asked", true}, {"reached", true}, {"by", false}, {"so", false}};
  for (const Json& r : rows)
    grid.add({spaced(r["limit"]), value_of(r["available"]), value_of(r["needed"]), r["layout"], r["remedy"]});
  return grid.text();
}

std::string cost(const Json& answered) {
  const Json& a = answered["answer"];
  std::string out = fmt::format("{}, {}: {}, {} decoding, {} an hour\n\n", heading(answered), plan_line(a["plan"]),
                                counted(a["batch"]["concurrency"], "user", "users"), value_of(a["batch"]["decoding"], 3),
                                number(a["bill"]["system_rate"]["value"].get<double>() * 3600, "USD"));
  Grid grid{{"", false}, {"estimate", true}, {"bound of physics", true}, {"80% band", false}};
  for (const char* group : {"price", "latency", "throughput"}) quantities(grid, a, group);
  out += grid.text();
  out += fmt::format("\ndecode   {}\nprefill  {}\nmemory   {:.0f}% of what a replica can hold; at most {} sequences\n",
                     shares(a["bound"]["decode"]), shares(a["bound"]["prefill"]), 100 * a["bound"]["capacity"]["share"].get<double>(),
                     value_of(a["batch"]["largest"]));
  out += "\n" + wrapped(a["why"].get<std::string>() + " " + a["change"].get<std::string>(), 0);
  return out;
}

std::string step(const Json& answered) {
  const Json& a = answered["answer"];
  std::string out = fmt::format("{}, {}\n\n", heading(answered), plan_line(a["plan"]));
  Grid grid{{"", false}, {"estimate", true}, {"bound of physics", true}, {"80% band", false}};
  grid.add({"time", value_of(a["time"]), member(a["time"], "floor"), band(a["time"])});
  if (a.contains("stage_time")) grid.add({"a stage", value_of(a["stage_time"]), member(a["stage_time"], "floor"), band(a["stage_time"])});
  out += grid.text();
  out += fmt::format("\nbound    {}\nMFU {:.1f}%, MBU {:.1f}%\n", shares(a["bound"]), 100 * a["utilisation"]["mfu"].get<double>(),
                     100 * a["utilisation"]["mbu"].get<double>());
  out += fmt::format("\n{}\n", a["why"].get<std::string>());
  return out;
}

// The plans found, best first, and how they were found.
std::string plan(const Json& answered) {
  const Json& a = answered["answer"];
  std::string out = answered["inputs"]["model"]["value"].get<std::string>() + "\n\n";
  Grid grid{{"", true},       {"system", false}, {"chips", true}, {"layout", false}, {"weights", false}, {"chunk", true},
            {"batch", true},  {"any token", true}, {"80% band", false}, {"TTFT", true}, {"TPOT", true}};
  bool equal = false;
  for (const Json& p : a["plans"]) {
    const bool same = p["equal"].get<bool>() && p["rank"] != 1;
    equal = equal || same;
    grid.add({fmt::format("{}{}{}", same ? "= " : "", p["rank"].get<int>(), p["rank"] == a["preferred"]["value"] ? " *" : ""), p["system"],
              number_text(p["chips"].get<double>(), 9), p["layout"], p["weights"], number_text(p["plan"]["token_budget"].get<double>(), 9),
              value_of(p["batch"]["decoding"], 3), value_of(p["price"]["blended"]), band(p["price"]["blended"]),
              value_of(p["latency"]["ttft"], 3), value_of(p["latency"]["tpot"], 3)});
  }
  out += grid.text();
  out += fmt::format("* the simplest of those that are equal to the best{}\n", equal ? "; = as good as the best: their bands overlap" : "");
  out += fmt::format("\nplans    {} considered: {} estimated, {} bounded away by the floor under them, {} cannot be\n",
                     value_of(a["considered"]), value_of(a["estimated"]), value_of(a["bounded"]), value_of(a["impossible"]));
  const Json& best = a["plans"][a["preferred"]["value"].get<std::size_t>() - 1];
  out += "\n" + wrapped(a["why"].get<std::string>(), 0) + "\n" + wrapped("opened:  " + best["command"].get<std::string>(), 9);
  for (const Json& l : a["launch"]) {
    const std::string engine = l["engine"].get<std::string>() + ":" + std::string(8 - l["engine"].get<std::string>().size(), ' ');
    if (l.contains("command")) out += wrapped(engine + l["command"].get<std::string>(), 9);
    if (l.contains("file")) {
      std::string file = l["file"];
      for (std::size_t i = 0; (i = file.find('\n', i)) != std::string::npos && i + 1 < file.size(); i += 18)
        file.replace(i, 1, "\n         " + std::string(8, ' '));
      out += "         config.yaml: " + file;
    }
    if (l.contains("note")) out += (l.contains("command") ? std::string(9, ' ') : engine) + wrapped(l["note"].get<std::string>(), 9);
  }
  return out;
}

std::string table_of(const Json& rows, const std::string& title);

// A run: times over percentiles, then what else was counted, a line a group.
std::string simulate(const Json& answered) {
  const Json& a = answered["answer"];
  std::string replicas = fmt::format("{} replica{}", a["plan"]["replicas"].get<int>(), a["plan"]["replicas"] == 1 ? "" : "s");
  if (a["plan"].contains("prefill"))
    replicas =
        fmt::format("{} that prefill, {} that decode", a["plan"]["prefill"]["replicas"].get<int>(), a["plan"]["replicas"].get<int>());
  std::string out = fmt::format("{}, {}, {}\n\n", heading(answered), plan_line(a["plan"]), replicas);
  Grid times{{"", false}, {"mean", true}, {"p50", true}, {"p90", true}, {"p99", true}, {"p99.9", true}, {"80% band of the mean", false}};
  for (const auto& [key, text] : {std::pair{"ttft", "time to first token (TTFT)"},
                                  {"tpot", "time per further token (TPOT)"},
                                  {"itl", "between two tokens (ITL)"},
                                  {"e2e", "time of a whole answer"},
                                  {"waiting", "of it, until the first step"}})
    if (a.contains(key)) {
      const Json& t = a[key];
      times.add(
          {text, value_of(t["mean"]), value_of(t["p50"]), value_of(t["p90"]), value_of(t["p99"]), value_of(t["p999"]), band(t["mean"])});
    }
  if (!times.table.columns.front().texts.empty()) out += times.text() + "\n";
  Grid rest{{"", false}, {"", true}};
  const auto per_cent = [](const Json& q) { return fmt::format("{:.1f}%", 100 * q["value"].get<double>()); };
  rest.add({"requests that kept the limits", per_cent(a["goodput"]["share"])});
  rest.add({"good requests", value_of(a["goodput"]["requests"])});
  for (const char* group : {"throughput", "price"})
    if (a.contains(group))
      for (const auto& [name, q] : a[group].items()) rest.add({label(group, name), value_of(q)});
  rest.add({"time in which a step ran", per_cent(a["utilisation"]["busy"])});
  rest.add({"of the chips' peak FLOP/s (MFU)", per_cent(a["utilisation"]["mfu"])});
  rest.add({"of their memory's bandwidth (MBU)", per_cent(a["utilisation"]["mbu"])});
  rest.add({"requests waiting, on average", value_of(a["queue"]["waiting"])});
  rest.add({"requests running, on average", value_of(a["queue"]["running"])});
  rest.add({"most in the system", value_of(a["queue"]["in_system_most"])});
  rest.add({"KV pages used, on average", per_cent(a["kv"]["used"])});
  rest.add({"at most", per_cent(a["kv"]["used_most"])});
  if (a.contains("cache")) {
    rest.add({"prompt tokens found in the cache", per_cent(a["cache"]["hit_rate"])});
    rest.add({"of them in tiers below HBM", value_of(a["cache"]["tokens_from_tiers"])});
    rest.add({"saved by the cache", value_of(a["cache"]["saved"])});
  }
  for (const char* name : {"preemptions", "failures", "scalings"})
    if (a[name]["value"].get<double>() > 0) rest.add({name, value_of(a[name])});
  if (a.contains("energy")) rest.add({"energy at the chips' rated power, at most", value_of(a["energy"]["total"])});
  for (const auto& [name, count] : a["outcomes"].items())
    if (count.get<std::uint64_t>() > 0) rest.add({"requests: " + spaced(name), number_text(count.get<double>(), 10)});
  out += rest.text();
  if (a.contains("capacity")) {
    const Json& c = a["capacity"];
    out += "\n" + table_of(c["loads"], "") + "\n";
    if (c["found"].get<bool>())
      out += fmt::format("{} of the requests keep the limits up to {}, {} times the load asked.\n", per_cent(c["share"]),
                         value_of(c["rate"]), value_of(c["over_asked"]));
    else
      out += c.contains("rate") ? "Even the highest load tried keeps the limits.\n" : "No load tried keeps the limits.\n";
  }
  return out + "\n" + wrapped(a["why"].get<std::string>(), 0);
}

std::string memory(const Json& answered) {
  const Json& a = answered["answer"];
  std::string out = fmt::format("{}, {}\n\n", heading(answered), plan_line(a["plan"]));
  Grid grid{{"on one chip", false}, {"", true}};
  for (const auto& [name, q] : a["chip"].items()) grid.add({spaced(name), value_of(q)});
  out += grid.text() + "\n";
  Grid model{{"model", false}, {"", true}};
  model.add({"parameters", value_of(a["parameters"]["total"], 6)});
  model.add({"active a token", value_of(a["parameters"]["active"], 6)});
  model.add({"KV a token", value_of(a["kv_per_token"], 6)});
  model.add({"KV and state of a sequence", value_of(a["sequence"])});
  out += model.text();
  if (!a.value("feasible", true)) out += "\n" + infeasible(a);
  return out + fmt::format("\n{}\n", a["why"].get<std::string>());
}

std::string sweep(const Json& answered) {
  const Json& a = answered["answer"];
  const Json& varied = a["varied"];
  plot::Table table;
  const std::size_t columns = varied[0]["values"].size(), rows = varied.size() == 2 ? varied[1]["values"].size() : 1;
  for (std::size_t i = 0; i < varied.size(); ++i) {
    plot::Column column{.name = spaced(varied[i]["name"]), .right = true};
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c)
        column.texts.push_back(value_of({{"value", varied[i]["values"][i == 0 ? c : r]}, {"unit", varied[i]["unit"]}}));
    table.columns.push_back(std::move(column));
  }
  for (const Json& col : a["columns"]) {
    plot::Column column{.name = spaced(col["name"]), .right = true};
    for (const Json& v : col["values"]) column.texts.push_back(v.is_number() ? number(v.get<double>(), col["unit"]) : "does not fit");
    table.columns.push_back(std::move(column));
  }
  plot::Column bound{.name = "bound"};
  for (std::size_t i = 0; i < a["bound"].size(); ++i)
    bound.texts.push_back(a["infeasible"][i].is_string() ? a["infeasible"][i].get<std::string>() : a["bound"][i].get<std::string>());
  table.columns.push_back(std::move(bound));
  const auto text = plot::text_table(table);
  return text ? *text : text.error().line() + "\n";
}

std::string list(const Json& answered) {
  const Json& rows = answered["answer"]["rows"];
  plot::Table table;
  if (rows.empty()) return "none\n";
  for (const auto& [name, first] : rows[0].items()) {
    plot::Column column{.name = spaced(name), .right = first.is_object()};
    for (const Json& r : rows) column.texts.push_back(r.contains(name) ? value_of(r[name], 6) : "");
    table.columns.push_back(std::move(column));
  }
  const auto text = plot::text_table(table);
  return text ? *text : text.error().line() + "\n";
}

bool is_quantity(const Json& q) { return q.is_object() && q.contains("value"); }

bool is_table(const Json& list) {
  return list.is_array() && !list.empty() && std::all_of(list.begin(), list.end(), [](const Json& row) { return row.is_object(); });
}

std::string table_of(const Json& rows, const std::string& title) {
  Grid grid{};
  for (const Json& row : rows)  // rows may lack members that others have
    for (const auto& [name, cell] : row.items())
      if (const std::string head = spaced(name); std::none_of(grid.table.columns.begin(), grid.table.columns.end(),
                                                              [&](const plot::Column& c) { return c.name == head; })) {
        plot::Column column{.name = head, .right = !cell.is_string()};
        for (const Json& r : rows) column.texts.push_back(r.contains(name) ? value_of(r[name]) : "");
        grid.table.columns.push_back(std::move(column));
      }
  return (title.empty() ? "" : title + "\n") + grid.text();
}

// The members of an answer in order: quantities in a grid, lists of like things as tables, sentences as they are. Pictures are
// drawn elsewhere.
void structured(std::string& out, const Json& members, const std::string& title) {
  Grid grid{{title.c_str(), false}, {"estimate", true}, {"bound of physics", true}, {"80% band", false}};
  bool bounded = false, any = false;
  for (const auto& [name, q] : members.items()) {
    if (!is_quantity(q) && !q.is_number() && !q.is_boolean()) continue;
    any = true;
    const char* bound = is_quantity(q) && q.contains("ceiling") ? "ceiling" : "floor";
    const bool has_bound = is_quantity(q) && q.contains(bound);
    bounded = bounded || has_bound || (is_quantity(q) && q.contains("low"));
    grid.add({spaced(name), q.is_boolean() ? (q.get<bool>() ? "yes" : "no") : value_of(q), has_bound ? member(q, bound) : "",
              is_quantity(q) ? band(q) : ""});
  }
  if (!bounded) {
    grid.table.columns.resize(2);
    grid.table.columns[1].name.clear();
  }
  if (any) out += grid.text() + "\n";
  std::string sentences;
  for (const auto& [name, q] : members.items()) {
    if (name == "figures") continue;
    if (q.is_string() && (name == "why" || name == "change")) sentences += wrapped(q.get<std::string>(), 0);
    else if (q.is_string()) sentences += wrapped(spaced(name) + ": " + q.get<std::string>(), 2);
    else if (is_table(q)) out += table_of(q, title.empty() ? spaced(name) : title + " " + spaced(name)) + "\n";
    else if (q.is_object() && !is_quantity(q)) structured(out, q, title.empty() ? spaced(name) : title + " " + spaced(name));
    else if (q.is_array() && !q.empty()) {
      std::string list;
      for (const Json& one : q) list += (list.empty() ? "" : ", ") + value_of(one);
      sentences += wrapped(spaced(name) + ": " + list, 2);
    }
  }
  out += sentences;
}

void shown(Grid& grid, const Json& thing, const std::string& prefix) {
  for (const auto& [name, v] : thing.items()) {
    const std::string path = prefix.empty() ? spaced(name) : prefix + " " + spaced(name);
    if (v.is_object() && v.contains("value"))
      grid.add({path, value_of(v), v.value("source", std::string()), v.value("disputed", std::string())});
    else if (v.is_object()) shown(grid, v, path);
    else if (v.is_array()) {
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (v[i].is_object())
          shown(grid, v[i], path + " " + (v[i].contains("name") ? v[i]["name"].get<std::string>() : fmt::format("{}", i + 1)));
        else grid.add({path, value_of(v[i])});
      }
    } else grid.add({path, value_of(v, 12)});
  }
}

}  // namespace

std::string rendered(const Json& answered, bool explain) {
  const std::string question = answered["question"];
  const Json& answer = answered["answer"];
  std::string out;
  if (question == "list") out = list(answered);
  else if (question == "show") {
    Grid grid{{"", false}, {"value", true}, {"source", false}, {"disputed", false}};
    shown(grid, answer, "");
    out = grid.text();
  } else if (question == "sweep") out = sweep(answered);
  else if (question == "memory") out = memory(answered);
  else if (answer.contains("feasible") && !answer["feasible"].get<bool>()) {
    out = heading(answered) + "\n\n" + infeasible(answer);
    if (answer.contains("nearest")) out += "\n" + nearest(answer["nearest"]);
  }
  else if (question == "plan") out = plan(answered);
  else if (question == "cost") out = cost(answered);
  else if (question == "step") out = step(answered);
  else if (question == "simulate") out = simulate(answered);
  else {
    if (answered["inputs"].contains("model") && answered["inputs"].contains("system")) out = heading(answered) + "\n\n";
    Json members = answer;
    members.erase("feasible");
    structured(out, members, "");
  }

  const Json& ex = answered["explain"];
  if (explain && ex.contains("numbers")) {
    out += "\n";
    for (const Json& n : ex["numbers"]) node(out, n, 0);
  }
  if (explain && ex.contains("passes")) {
    for (const char* pass : {"decode", "prefill"})
      if (ex["passes"][pass].contains("operators") && !ex["passes"][pass]["operators"].empty())
        out += "\n" + operators(ex["passes"][pass]["operators"], pass);
    Json both = Json::array();
    for (const char* pass : {"decode", "prefill"})
      if (ex["passes"][pass].contains("operators"))
        both.insert(both.end(), ex["passes"][pass]["operators"].begin(), ex["passes"][pass]["operators"].end());
    if (!both.empty()) out += "\n";
    formulas(out, both);
  }
  if (explain && ex.contains("operators")) {
    out += "\n" + operators(ex["operators"], "operator") + "\n";
    formulas(out, ex["operators"]);
  }
  if (explain && ex.contains("calibration"))
    out += fmt::format("\ncalibration {}: {}\n", ex["calibration"]["name"].get<std::string>(),
                       ex["calibration"]["evidence"].get<std::string>());
  if (explain && ex.contains("model"))
    for (const Json& note : ex["model"]) out += fmt::format("model: {}\n", note.get<std::string>());
  if (question != "list" && question != "show" && question != "sweep")
    out += "\n" + (explain ? chosen(answered["inputs"]) : left_open(answered["inputs"]));
  if (!answered["warnings"].empty()) out += "\n";
  for (const Json& w : answered["warnings"]) out += wrapped("note: " + w.get<std::string>(), 6);
  return out;
}

std::string quantity_text(double value, const std::string& unit, int digits) { return number(value, unit, digits); }

}  // namespace fareline::cli
