// SPDX-License-Identifier: Apache-2.0
// The question "bill": a usage record priced from a price list, beside what it costs the provider.
#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/figures.h"
#include "api/price_list.h"
#include "api/questions.h"
#include "economics/bill.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr Input tokens_input(std::string_view name, std::string_view summary) {
  return {.name = name, .kind = InputKind::count, .value = "0", .reason = "none unless given", .summary = summary, .most = 1e15};
}
constexpr auto bill_inputs = in_group("question", std::array<Input, 10>{{
    {.name = "usage",
     .kind = InputKind::document,
     .reason = "the counts below",
     .summary = "a usage record: {\"input_tokens\", \"cache_read_tokens\", \"cache_write_5m_tokens\", \"cache_write_1h_tokens\", "
                "\"output_tokens\"}"},
    tokens_input("input", "prompt tokens, cached and written ones included"),
    tokens_input("cached", "of these, tokens read from the cache"),
    tokens_input("written_5min", "of these, tokens written to the cache for five minutes"),
    tokens_input("written_1h", "of these, tokens written to the cache for an hour"),
    tokens_input("output", "output tokens, those of reasoning included"),
    {.name = "cases",
     .kind = InputKind::document,
     .reason = "none: one usage record is priced",
     .summary = "a table (CSV) of usage records with the dollars expected, all of which are priced"},
    {.name = "model",
     .kind = InputKind::model,
     .reason = "none: what the provider pays is left out",
     .summary = "the model, for what the request costs its provider"},
    {.name = "system", .reason = "none: what the provider pays is left out", .summary = "the system that serves it"},
    {.name = "hold",
     .kind = InputKind::quantity,
     .value = "5 min",
     .reason = "the usual time to live of API prompt caches (Anthropic documentation, Prompt caching)",
     .summary = "time a cached prefix lay in its tier, in what the provider pays",
     .dim = Seconds::dim,
     .most = 1e9},
}});
constexpr auto inputs_table = joined(bill_inputs, price_list_inputs);

Expected<Usage> usage_of(const Json& record, const std::string& where) {
  Usage usage;
  double written = 0;
  for (const auto& [name, member] :
       {std::pair{"input_tokens", &usage.input}, {"cache_read_tokens", &usage.cached}, {"cache_write_5m_tokens", &usage.written_5min},
        {"cache_write_1h_tokens", &usage.written_1h}, {"output_tokens", &usage.output}, {"cache_write_tokens", &written}}) {
    if (!record.contains(name)) continue;
    const Json& value = record[name];
    if (!value.is_number() || !(value.get<double>() >= 0) || value.get<double>() > 1e15)
      return fail(where + "." + name, "is not a count of tokens", "write a whole number");
    *member = value;
  }
  // A record may state a total of writes, and of the times to live only some or none: the rest is the usual five minutes.
  if (written > usage.written_5min + usage.written_1h) usage.written_5min = written - usage.written_1h;
  return usage;
}

// A cent's thousandth.
constexpr Dollars tolerance = 1e-5 * unit::usd;

struct Tally {
  int cases = 0;
  int own = 0, own_matched = 0;      // priced from the provider's own row
  int maker = 0, maker_matched = 0;  // from its maker's, where the provider has none
  std::map<std::string, int> reasons;
  int stated() const { return own + maker; }
  int matched() const { return own_matched + maker_matched; }
};

struct Case {
  std::string provider, model;
  Usage usage;
  Dollars input, output;
  bool audio = false;
};

Expected<Case> case_of(const Json& row, const std::string& where) {
  const auto cell = [&](const char* name) {
    return row.is_object() && row.contains(name) && row[name].is_string() ? row[name].get<std::string>() : std::string();
  };
  Case c{.provider = cell("provider"), .model = cell("model"), .usage = {}, .input = {}, .output = {}};
  const std::string usage = cell("normalised_usage_json");
  if (c.provider.empty() || c.model.empty() || usage.empty())
    return fail(where, "has no provider, model or normalised_usage_json",
                "give a table with these columns and expected_input_usd, expected_output_usd");
  const auto record = read_document(where + ".normalised_usage_json", usage);
  if (!record) return std::unexpected(record.error());
  if (!record->is_object()) return fail(where + ".normalised_usage_json", "is not a JSON object", "write {\"input_tokens\": 3}");
  const auto read = usage_of(*record, where);
  if (!read) return std::unexpected(read.error());
  c.usage = *read;
  c.audio = record->contains("input_audio_tokens");
  for (const auto& [column, member] : {std::pair{"expected_input_usd", &c.input}, {"expected_output_usd", &c.output}}) {
    const std::string text = cell(column);
    const auto number = text.empty() ? Expected<double>(0.0) : parse_quantity(text, Dim{});
    if (!number) return fail(where + "." + column, "is no number", "write dollars, e.g. 0.0091");
    *member = *number * unit::usd;
  }
  return c;
}

bool matches(const PriceOffer& offer, const Case& c) {
  const auto bill = usage_bill(offer.steps, c.usage);
  if (!bill) return false;
  const auto near = [](Dollars a, Dollars b) { return max(a, b) - min(a, b) <= tolerance; };
  return near(bill->input + bill->cached + bill->written, c.input) && near(bill->output, c.output);
}

void add(Tally& tally, const Case& c, const PriceBook& book) {
  ++tally.cases;
  const auto found = book.find(c.provider, c.model);
  if (c.audio) {
    ++tally.reasons["not stated: the table has no price of audio tokens"];
    return;
  }
  if (found.offers.empty()) {
    ++tally.reasons[fmt::format("not stated: {} of {}, or of its maker", c.model, c.provider)];
    return;
  }
  ++(found.by_maker ? tally.maker : tally.own);
  if (matches(*found.offers.front(), c)) {
    ++(found.by_maker ? tally.maker_matched : tally.own_matched);
    return;
  }
  if (const auto bill = usage_bill(found.offers.front()->steps, c.usage); !bill) ++tally.reasons["missed: the list has " + bill.error()];
  else if (std::any_of(found.offers.begin(), found.offers.end(), [&](const PriceOffer* o) { return matches(*o, c); }))
    ++tally.reasons["missed: charged by another of the name's lists (by day, region or source)"];
  else if (found.by_maker) ++tally.reasons[fmt::format("missed: {} asks another price than its maker and is not in the table", c.provider)];
  else ++tally.reasons["missed: the list states another price"];
}

Expected<Json> answer_cases(Inputs& inputs, const Json& cases) {
  const Json* list = inputs.object("prices");
  if (!list || !is_table(*list)) return fail("prices", "is no table of prices", "give --prices FILE.csv with a row a provider and model");
  if (!is_table(cases) || cases["rows"].empty()) return fail("cases", "holds no case", "give a table (CSV) of usage records");
  for (const Input& input : bill_inputs) inputs.leave_out(input.name);
  const PriceBook book(*list);
  Tally tally;
  for (const Json& row : cases["rows"]) {
    const auto c = case_of(row, fmt::format("cases.rows[{}]", tally.cases));
    if (!c) return std::unexpected(c.error());
    add(tally, *c, book);
  }
  const auto share = [](int part, int whole) { return plain(whole > 0 ? static_cast<double>(part) / whole : 0, "1"); };
  Json answer{
      {"cases", tally.cases}, {"stated", tally.stated()}, {"matched", tally.matched()}, {"share", share(tally.matched(), tally.stated())}};
  answer["lists"] = Json::array();
  answer["lists"].push_back({{"whose", "the provider's own"}, {"cases", tally.own}, {"matched", tally.own_matched}});
  answer["lists"].push_back({{"whose", "its maker's"}, {"cases", tally.maker}, {"matched", tally.maker_matched}});
  Json reasons = Json::array();
  for (const auto& [reason, n] : tally.reasons) reasons.push_back({{"reason", reason}, {"cases", n}});
  answer["others"] = std::move(reasons);
  answer["why"] = fmt::format("{} of {} cases whose price the table states come out within 0.00001 USD: {:.2f}%. {} of {} are not stated.",
                              tally.matched(), tally.stated(), 100 * answer["share"]["value"].get<double>(),
                              tally.cases - tally.stated(), tally.cases);
  return Json{{"answer", std::move(answer)}, {"explain", Json::object()}, {"warnings", Json::array()}};
}

Expected<Usage> usage_asked(Inputs& inputs) {
  if (const Json* record = inputs.object("usage")) {
    if (!record->is_object()) return fail("usage", "is not an object", "write {\"input_tokens\": 2743, \"output_tokens\": 4}");
    for (const std::string_view unused : {"input", "cached", "written_5min", "written_1h", "output"}) {
      if (inputs.given(unused)) return fail(std::string(unused), "is given beside a usage record", "give one of them");
      inputs.leave_out(unused);
    }
    return usage_of(*record, "usage");
  }
  if (inputs.has("usage"))
    return fail("usage", in_quotes(inputs.text("usage")) + " is no usage record", "give a JSON file, or --input and --output");
  return Usage{.input = *inputs.number("input"),
               .cached = *inputs.number("cached"),
               .written_5min = *inputs.number("written_5min"),
               .written_1h = *inputs.number("written_1h"),
               .output = *inputs.number("output")};
}

// What the same request costs whoever serves it, from the question "cost".
Expected<Json> cost_of(const Inputs& inputs, const Usage& usage, const Catalogue& catalogue) {
  Json asked{{"system", inputs.text("system")}, {"prompt", usage.input}, {"output", usage.output}, {"cached", usage.cached / usage.input},
             {"hold", fmt::format("{} s", inputs.quantity<Seconds>("hold")->in(unit::s))}, {"explain", "none"}};
  asked["model"] = inputs.object("model") ? *inputs.object("model") : Json(inputs.text("model"));
  auto cost = ask({{"question", "cost"}, {"inputs", std::move(asked)}}, catalogue);
  if (!cost) return std::unexpected(cost.error());
  return std::move((*cost)["answer"]);
}

BarFigure::Row bar(std::string name, double input, double cached, double written, double output) {
  return {std::move(name),
          {{"new input", input, "new input"}, {"cached", cached, "cached"}, {"written", written, "written"}, {"output", output, "output"}}};
}

Expected<Json> answer_bill(Inputs& inputs, const Catalogue& catalogue) {
  if (const Json* cases = inputs.object("cases")) return answer_cases(inputs, *cases);
  if (inputs.has("cases")) return fail("cases", in_quotes(inputs.text("cases")) + " is no table", "give --cases FILE.csv");
  const auto usage = usage_asked(inputs);
  if (!usage) return std::unexpected(usage.error());
  if (usage->input + usage->output <= 0) return fail("usage", "counts no token", "give --input 4096 --output 512, or a usage record");
  const auto steps = price_steps_of(inputs);
  if (!steps) return std::unexpected(steps.error());
  const auto bill = usage_bill(*steps, *usage);
  if (!bill) return fail("prices", "have " + bill.error(), "state it, or leave such tokens out");

  const bool whole = inputs.has("model") || inputs.has("system");
  if (whole && !(inputs.has("model") && inputs.has("system")))
    return fail(inputs.has("model") ? "system" : "model", "is missing", "what the provider pays takes both a model and a system");
  if (whole && (usage->input < 1 || usage->output < 1))
    return fail("usage", "has no prompt or no output", "what the provider pays takes a request with both");
  if (!whole) inputs.leave_out("hold");

  Json answer{{"total", plain(bill->total())},   {"input", plain(bill->input)},   {"cached", plain(bill->cached)},
              {"written", plain(bill->written)}, {"output", plain(bill->output)},
              {"blended", plain(blended_price(*bill, *usage).in(unit::usd / unit::Mtok), "USD/Mtok")}};
  if (bill->above > 0) answer["step_above"] = plain(bill->above, "tok");
  BarFigure figure{.title = "What a request is charged",
                   .subtitle = fmt::format("{} tokens in, {} of them cached, {} out", number_text(usage->input, 10),
                                           number_text(usage->cached, 10), number_text(usage->output, 10)),
                   .description = "Bars of dollars, split over the kinds of tokens: what is charged, and what serving costs.",
                   .value = {.label = "dollars a request", .unit = "USD"},
                   .rows = {}};
  const auto usd = [](Dollars d) { return d.in(unit::usd); };
  figure.rows.push_back(bar("charged", usd(bill->input), usd(bill->cached), usd(bill->written), usd(bill->output)));
  Json warnings = Json::array();
  std::string why = fmt::format("{} tokens in and {} out are charged {}", number_text(usage->input, 10), number_text(usage->output, 10),
                                to_text(bill->total(), 4));
  if (whole) {
    const auto cost = cost_of(inputs, *usage, catalogue);
    if (!cost) return std::unexpected(cost.error());
    if (cost->value("feasible", false)) {
      const Json &parts = (*cost)["bill"], &blended = (*cost)["price"]["blended"];
      const double paid = parts["request"]["value"], one = blended["value"];
      const double cached = parts["prefix"]["value"].get<double>() + parts["storage"]["value"].get<double>();
      const auto scaled = [&](const char* end) { return paid * blended[end].get<double>() / one; };
      answer["provider"] = {
          {"cost", {{"value", paid}, {"unit", "USD"}, {"floor", scaled("floor")}, {"low", scaled("low")}, {"high", scaled("high")}}},
          {"input", parts["input"]},
          {"cached", plain(cached, "USD")},
          {"output", parts["output"]},
          {"charged_over_cost", plain(usd(bill->total()) / paid, "1")}};
      figure.rows.push_back(bar("costs", parts["input"]["value"], cached, 0, parts["output"]["value"]));
      why += fmt::format("; serving them costs {}, and the charge is {:.3g} times that", to_text(paid * unit::usd, 3),
                         usd(bill->total()) / paid);
    } else {
      warnings.push_back("what the provider pays is left out: " + (*cost)["reason"].get<std::string>());
    }
  }
  answer["why"] = why + ".";
  answer["figures"] = Json::array({to_json(figure)});
  const auto part = [](std::string name, double tokens, Dollars d) {
    return Explained{.name = std::move(name), .value = plain(d), .formula = fmt::format("{} tokens x their price", number_text(tokens, 10)),
                     .source = {}, .inputs = {}};
  };
  const double fresh = usage->input - usage->cached - usage->written_5min - usage->written_1h;
  Json numbers = Json::array({to_json({.name = "total",
                                       .value = plain(bill->total()),
                                       .formula = "new input + cached + written + output, at the prices of the step the prompt falls into",
                                       .source = "economics/bill.h: usage_bill",
                                       .inputs = {part("new input", fresh, bill->input), part("cached", usage->cached, bill->cached),
                                                  part("written", usage->written_5min + usage->written_1h, bill->written),
                                                  part("output", usage->output, bill->output)}})});
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question bill_question() {
  return {"bill", "what an API charges for a request, and what that costs its provider",
          "--input 100000 --cached 60000 --output 1000 --input_price \"3 USD/Mtok\" --cached_price \"0.3 USD/Mtok\" --output_price \"15 "
          "USD/Mtok\"",
          inputs_table, answer_bill, plot_figures};
}

}  // namespace fareline
