// SPDX-License-Identifier: Apache-2.0
// The question "context": what a long context costs and how long it takes, the price steps that cover it, and what longer ones ask for.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/past.h"
#include "api/questions.h"
#include "economics/price_steps.h"
#include "perf/context.h"
#include "units/elementary.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto context_inputs = joined(
    blackboard_model_inputs, blackboard_system_inputs,
    in_group("question", std::array<Input, 7>{{
                             {.name = "context",
                              .kind = InputKind::count,
                              .value = "131072",
                              .reason = "the length most open models of 2024 and 2025 state in their configuration",
                              .summary = "tokens a sequence has behind it",
                              .least = 1,
                              .most = 1e12},
                             {.name = "longest",
                              .kind = InputKind::count,
                              .value = "1000000",
                              .reason = "the longest that APIs sold in 2025 (Gemini, GPT-4.1, Claude Sonnet 4)",
                              .summary = "length up to which the price steps must cover the cost",
                              .least = 2,
                              .most = 1e12},
                             {.name = "pace",
                              .kind = InputKind::quantity,
                              .value = "20 ms",
                              .reason = "the interval of the lecture's trains, at 23:15",
                              .summary = "longest time from one output token to the next, where the batch can see to it",
                              .dim = Seconds::dim,
                              .least = 1e-6,
                              .most = 1e6},
                             {.name = "steps",
                              .kind = InputKind::count,
                              .value = "2",
                              .reason = "Gemini's and Claude's list prices step once",
                              .summary = "prices a provider may ask by length of prompt",
                              .least = 1,
                              .most = 16},
                             {.name = "threshold",
                              .kind = InputKind::count,
                              .reason = "where the largest overcharge is least",
                              .summary = "length at which the second of two prices begins, e.g. 200k",
                              .least = 1,
                              .most = 1e12},
                             {.name = "output",
                              .kind = InputKind::count,
                              .value = "1000",
                              .reason = "about a page and a half",
                              .summary = "tokens of an answer, for the share of passes its average token takes part in",
                              .least = 1,
                              .most = 1e9},
                             {.name = "kv_element",
                              .kind = InputKind::quantity,
                              .value = "1 B",
                              .reason = "FP8, as the lecture counts at 1:40:48",
                              .summary = "bytes of one kept number, where layers, kv_heads and head_dim stand in place of kv_per_token",
                              .dim = Bytes::dim,
                              .least = 0.1,
                              .most = 8},
                         }}),
    past_inputs);

struct Board {
  BlackboardModel model;
  BlackboardSystem system;
  Past past;
  std::optional<Rooflines> rooflines;
  Bytes capacity{};
  double chips = 1;
  Seconds pace{};
  std::string reading;

  SequenceLoad load(double context) const {
    return {.kept = past.kept(model, reading, context),
            .work = {.read = past.read(model, reading, context), .flop = past.flop(model, reading, context, false)}};
  }
  TokenPrice price(Seconds of_a_token) const { return chips * *system.rental * of_a_token / unit::token; }
  // Of an output token, with memory `better` times as fast and as large at the same rent.
  TokenPrice output(double context, double better = 1) const {
    Rooflines r = *rooflines;
    r.bandwidth = better * r.bandwidth;
    return price(decode_time_of_token(r, better * capacity, load(context), pace));
  }
  Seconds prompt(double context) const {
    return prompt_time(*rooflines, context, [&](double at) { return past.flop(model, reading, at, true); });
  }
  // Of a prompt's token, on average.
  TokenPrice input(double context) const { return price(prompt(context) / context); }
};

Expected<Board> read_board(Inputs& inputs, const Catalogue& catalogue) {
  auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  Board board{.model = std::move(*model), .system = std::move(*system), .past = Past(inputs)};
  BlackboardModel& m = board.model;
  const bool of_heads = !m.kv_per_token && m.layers && m.kv_heads && m.head_dim;
  if (of_heads && !m.named)
    m.kv_per_token = kv_of_heads(*m.layers, *m.kv_heads, *m.head_dim, *inputs.quantity<Bytes>("kv_element"));
  else
    inputs.leave_out("kv_element");
  if (!m.named)
    if (const auto kv = needed(m.kv_per_token, "kv_per_token", "model", "\"2 kB/tok\""); !kv) return std::unexpected(kv.error());
  board.reading = board.past.attention;
  board.pace = *inputs.quantity<Seconds>("pace");
  for (const auto& [input, reading] : {std::pair{"window", "sliding"}, {"topk", "selected"}, {"index_share", "selected"}})
    if (board.reading != reading) inputs.leave_out(input);
  for (const std::string_view unused : {"hidden", "routed_experts", "activated_experts", "scale_up_bandwidth", "scale_out_bandwidth",
                                        "domain", "hardware_ratio"})
    inputs.leave_out(unused);
  const BlackboardSystem& s = board.system;
  // Bytes alone need no system; a cost needs all of one.
  if (!inputs.has("system") && !s.peak && !s.hbm_bandwidth && !s.hbm_capacity && !s.rental) return board;
  const auto total = needed(m.total_parameters, "total_parameters", "model", "671G");
  const auto active = needed(m.active_parameters, "active_parameters", "model", "37G");
  const auto element = needed(m.bytes_per_parameter, "bytes_per_parameter", "model", "\"1 B\"");
  const auto peak = needed(s.peak, "peak", "system", "\"989 TFLOP/s\"");
  const auto bandwidth = needed(s.hbm_bandwidth, "hbm_bandwidth", "system", "\"3.35 TB/s\"");
  const auto capacity = needed(s.hbm_capacity, "hbm_capacity", "system", "\"80 GB\"");
  const auto rental = needed(s.rental, "rental", "system", "\"2 USD/h\"");
  for (const auto* missing : {!total ? &total.error() : nullptr, !active ? &active.error() : nullptr,
                              !element ? &element.error() : nullptr, !peak ? &peak.error() : nullptr,
                              !bandwidth ? &bandwidth.error() : nullptr, !capacity ? &capacity.error() : nullptr,
                              !rental ? &rental.error() : nullptr})
    if (missing) return std::unexpected(*missing);
  board.chips = s.chips.value_or(1);
  board.capacity = board.chips * *capacity;
  board.rooflines = Rooflines{.total = *total, .active = *active, .element = *element, .peak = board.chips * *peak,
                              .bandwidth = board.chips * *bandwidth};
  return board;
}

// The smallest x in [low, high] that is enough, where more is never less; nothing where not even `high` is.
std::optional<double> least(double low, double high, const std::function<bool(double)>& enough) {
  if (!enough(high)) return std::nullopt;
  if (enough(low)) return low;
  for (int i = 0; i < 100 && high / low > 1 + 1e-13; ++i) {
    const double middle = std::sqrt(low * high);
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

constexpr double farthest = 1e12, short_context = 1000;

Json per_million(TokenPrice price) { return plain(price.in(unit::usd / unit::Mtok), "USD/Mtok"); }

Json row_of(const Board& board, double context) {
  const SequenceLoad load = board.load(context);
  const double systems = systems_for_one(*board.rooflines, board.capacity, load.kept);
  Json row{{"context", plain(context, "tok")}, {"kept", plain(load.kept)}};
  row["batch"] = plain(largest_batch(*board.rooflines, board.capacity, load, board.pace), "1");
  row["systems"] = plain(systems, "1");
  row["pace"] = plain(decode_pace(*board.rooflines, board.capacity, load, board.pace));
  row["output"] = per_million(board.output(context));
  row["prompt"] = plain(board.prompt(context) / systems);
  row["input"] = per_million(board.input(context));
  row["whole_prompt"] = plain((board.input(context) * context * unit::token).in(unit::usd), "USD");
  return row;
}

// Where the lengths that are sold come from.
Json lengths_of(const Board& board, const TokenPrice base) {
  Json lengths = Json::object();
  const Rooflines& r = *board.rooflines;
  if (const auto at = least(1, farthest, [&](double c) { return kv_fetch_time(r, 1, board.load(c).work.read) >= multiply_time(r, 1); }))
    lengths["balanced"] = plain(*at, "tok");
  if (const auto at = least(1, farthest, [&](double c) { return board.output(c) >= 2 * base; })) lengths["doubled"] = plain(*at, "tok");
  if (const auto at = least(1, farthest, [&](double c) { return board.output(c) >= 10 * base; })) lengths["tenfold"] = plain(*at, "tok");
  if (const auto at =
          least(1, farthest, [&](double c) { return kv_fetch_time(r, 1, board.load(c).work.read) + weight_fetch_time(r) >= board.pace; }))
    lengths["pace_of_one"] = plain(*at, "tok");
  if (const auto at = least(1, farthest, [&](double c) { return sequences_that_fit(r, board.capacity, board.load(c).kept) <= 1; }))
    lengths["fills_system"] = plain(*at, "tok");
  return lengths;
}

Json reach_of(const Board& board, double context) {
  Json rows = Json::array();
  const TokenPrice here = board.output(context);
  for (const double far : {1e6, 1e8}) {
    const SequenceLoad load = board.load(far);
    const double systems = systems_for_one(*board.rooflines, board.capacity, load.kept);
    Json row{{"context", plain(far, "tok")},
             {"kept", plain(load.kept)},
             {"chips", plain(systems * board.chips, "1")},
             {"output", per_million(board.output(far))},
             {"over_here", plain(board.output(far) / here, "1")}};
    if (const auto better = least(1, 1e9, [&](double factor) { return board.output(far, factor) <= here * (1 + 1e-9); }))
      row["memory"] = plain(*better, "1");
    if (board.load(context).kept > Bytes{}) row["same_bytes_kv"] = plain(board.load(context).kept / (far * unit::token));
    row["prompt"] = plain(board.prompt(far) / systems);
    row["whole_prompt"] = plain((board.input(far) * far * unit::token).in(unit::usd), "USD");
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<LengthPrice> steps_of(const Inputs& inputs, const CostAt& cost, double longest) {
  const auto threshold = inputs.number("threshold");
  if (!threshold) return price_steps(cost, longest, *inputs.count("steps"));
  return {{.above = 0, .price = cost(*threshold)}, {.above = *threshold, .price = cost(longest)}};
}

Json figures_of(const Board& board, const std::vector<LengthPrice>& steps, double longest) {
  FigureSeries cost{.name = "output token", .x = {}, .y = {}}, input{.name = "prompt token", .x = {}, .y = {}, .colour = 1},
      asked{.name = "price to cover it", .style = "step", .x = {}, .y = {}, .colour = 2};
  FigureSeries pace{.name = "token to token", .x = {}, .y = {}}, prompt{.name = "new prompt", .x = {}, .y = {}, .colour = 1};
  constexpr int points = 97;
  const double last = std::max(longest, 2 * short_context);
  for (int i = 0; i < points; ++i) {
    const double c = short_context * power(last / short_context, static_cast<double>(i) / (points - 1));
    cost.x.push_back(c);
    cost.y.push_back(board.output(c).in(unit::usd / unit::Mtok));
    input.x.push_back(c);
    input.y.push_back(board.input(c).in(unit::usd / unit::Mtok));
    const SequenceLoad load = board.load(c);
    pace.x.push_back(c);
    pace.y.push_back(decode_pace(*board.rooflines, board.capacity, load, board.pace).in(unit::s));
    prompt.x.push_back(c);
    prompt.y.push_back((board.prompt(c) / systems_for_one(*board.rooflines, board.capacity, load.kept)).in(unit::s));
  }
  std::string where = "one price covers all lengths";
  for (const LengthPrice& step : steps) {
    asked.x.push_back(std::max(short_context, step.above));
    asked.y.push_back(step.price.in(unit::usd / unit::Mtok));
    if (step.above > 0) where = (where.starts_with("prices") ? where + ", " : std::string("prices step at ")) + number_text(step.above, 3);
  }
  asked.x.push_back(last);
  asked.y.push_back(steps.back().price.in(unit::usd / unit::Mtok));
  return Json::array(
      {to_json(LineFigure{.title = "What a token costs over the context",
                          .subtitle = "the largest batch that fits and keeps the pace; " + where,
                          .description = "Cost of output and prompt tokens by context, and the price steps that cover an output token.",
                          .x = {.label = "context", .counted = "tokens", .scale = "log10"},
                          .y = {.label = "cost of a token", .unit = "USD/Mtok", .scale = "log10"},
                          .series = {asked, cost, input}}),
       to_json(LineFigure{.title = "How long a user waits over the context",
                          .subtitle = "a step as large as the pace allows; a prompt computed by the whole system",
                          .description = "Time from token to token, and until a new prompt has been read, by context.",
                          .x = {.label = "context", .counted = "tokens", .scale = "log10"},
                          .y = {.label = "time", .unit = "s", .scale = "log10"},
                          .series = {pace, prompt}})});
}

Explained leaf(std::string name, Json value) { return {.name = std::move(name), .value = std::move(value)}; }

Expected<Json> answer_context(Inputs& inputs, const Catalogue& catalogue) {
  const auto read = read_board(inputs, catalogue);
  if (!read) return std::unexpected(read.error());
  const Board& board = *read;
  const double context = *inputs.number("context"), longest = *inputs.number("longest"), output = *inputs.number("output");
  if (inputs.has("threshold")) {
    if (*inputs.number("threshold") >= longest)
      return fail("threshold", "is not below the longest context", "write less than " + number_text(longest));
    inputs.leave_out("steps");
    if (inputs.given("steps") && *inputs.count("steps") != 2)
      return fail("threshold", "divides two prices, and " + number_text(*inputs.number("steps")) + " are asked", "leave out one of both");
  }
  const SequenceLoad load = board.load(context);
  Json answer, numbers = Json::array(), warnings = Json::array();
  answer["kv"] = {{"per_token", plain(load.kept / (context * unit::token))}, {"kept", plain(load.kept)}, {"read", plain(load.work.read)}};
  answer["passes"] = {{"participation", plain(participation(output), "1")}};
  numbers.push_back(to_json({.name = "kv.kept",
                             .value = plain(load.kept),
                             .formula = Past::is_own(board.model, board.reading) ? "what each layer keeps of the context"
                                                                                  : "context kv_per_token, as the attention keeps it",
                             .source = "the lecture at 1:53:14; perf/memory.h",
                             .inputs = {leaf("context", plain(context, "tok"))}}));
  if (!board.rooflines) {
    for (const std::string_view unused : {"longest", "pace", "steps", "threshold"}) inputs.leave_out(unused);
    answer["why"] = fmt::format("{} tokens keep {}, {} each.", number_text(context), to_text(load.kept, 4),
                                to_text(load.kept / (context * unit::token), 4));
    answer["change"] = "With a system (or its peak, hbm_bandwidth, hbm_capacity and rental) the answer says what they cost.";
    return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
  }
  const Rooflines& r = *board.rooflines;
  if (!(board.capacity > r.total * r.element)) {
    answer = {{"feasible", false},
              {"reason", "the weights leave no memory for any context"},
              {"needed", plain(r.total * r.element)},
              {"available", plain(board.capacity)},
              {"remedy", fmt::format("{} such chips hold the weights; or take fewer bytes a parameter",
                                     number_text(std::ceil(r.total * r.element / (board.capacity / board.chips))))}};
    return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
  }
  const CostAt cost = [&](double c) { return board.output(c); };
  const TokenPrice base = board.output(short_context), here = board.output(context);
  answer["feasible"] = true;
  answer["here"] = row_of(board, context);
  answer["here"].erase("context");
  answer["here"]["over_1k"] = plain(here / base, "1");
  answer["lengths"] = lengths_of(board, base);
  const std::vector<LengthPrice> steps = steps_of(inputs, cost, longest);
  Json prices = Json::array();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double until = i + 1 < steps.size() ? steps[i + 1].above : longest;
    prices.push_back({{"above", plain(steps[i].above, "tok")},
                      {"output", per_million(steps[i].price)},
                      {"input", per_million(board.input(until))},
                      {"over_first", plain(steps[i].price / steps.front().price, "1")},
                      {"overcharge", plain(steps[i].price / cost(std::max(1.0, steps[i].above)), "1")}});
  }
  answer["steps"] = std::move(prices);
  answer["one_price"] = {{"output", per_million(cost(longest))}, {"overcharge", plain(cost(longest) / cost(1), "1")}};
  Json rows = Json::array();
  for (const double c : {1e3, 8e3, 32e3, 128e3, 200e3, 1e6, 1e7, 1e8}) rows.push_back(row_of(board, c));
  answer["rows"] = std::move(rows);
  answer["reach"] = reach_of(board, context);

  std::string why =
      fmt::format("With {} tokens behind it a sequence keeps {} and an output token costs {}, {} times what it costs at 1,000.",
                  number_text(context), to_text(load.kept, 3), to_text(here, 3), number_text(here / base, 3));
  const Json& lengths = answer["lengths"];
  if (lengths.contains("doubled"))
    why +=
        fmt::format(" The cost has doubled at {} tokens, and one sequence {}.", number_text(lengths["doubled"]["value"].get<double>(), 3),
                    lengths.contains("fills_system")
                        ? fmt::format("fills the system at {}", number_text(lengths["fills_system"]["value"].get<double>(), 3))
                        : std::string("never fills the system"));
  if (steps.size() > 1)
    why += fmt::format(" To {} tokens, {} prices nowhere below cost step at {} by {}.", number_text(longest, 3), steps.size(),
                       number_text(steps[1].above, 3), number_text(steps[1].price / steps[0].price, 3));
  answer["why"] = why;
  const Json& far = answer["reach"][1];
  answer["change"] =
      fmt::format("100 million tokens keep {} on {} chips, at {} times the cost of an output token; {}.", to_text(board.load(1e8).kept, 3),
                  number_text(far["chips"]["value"].get<double>()), number_text(far["over_here"]["value"].get<double>(), 3),
                  far.contains("memory") ? fmt::format("memory {} times as fast and as large at the same rent would bring it back",
                                                       number_text(far["memory"]["value"].get<double>(), 3))
                                         : std::string("no memory would bring it back, since multiplying over that past costs more"));
  answer["figures"] = figures_of(board, steps, longest);

  const double batch = answer["here"]["batch"]["value"];
  numbers.push_back(to_json({.name = "here.batch",
                             .value = plain(batch, "1"),
                             .formula = "min((M - N_total b) / kept, pace C / (2 N_active + f), (pace BW - N_total b) / read), at least 1",
                             .source = "perf/context.h: largest_batch",
                             .inputs = {leaf("fit in memory", plain(std::min(1e15, sequences_that_fit(r, board.capacity, load.kept)), "1")),
                                        leaf("pace", plain(board.pace)), leaf("read", plain(load.work.read))}}));
  numbers.push_back(to_json({.name = "here.output",
                             .value = per_million(here),
                             .formula = "chips rental t(B) / B, t = max(B (2 N_active + f) / C, (N_total b + B read) / BW)",
                             .source = "the lecture at 03:19 to 05:26 and 1:33:19; perf/context.h",
                             .inputs = {leaf("chips", plain(board.chips, "1")), leaf("rental", plain(*board.system.rental)),
                                        leaf("pace", answer["here"]["pace"]), leaf("batch", plain(batch, "1"))}}));
  numbers.push_back(to_json({.name = "steps",
                             .value = plain(largest_overcharge(cost, steps), "1"),
                             .formula = "price_i = cost(1) (cost(longest) / cost(1))^(i / count)",
                             .source = "economics/price_steps.h; the lecture at 1:35:00",
                             .inputs = {leaf("cost at 1", per_million(cost(1))), leaf("cost at longest", per_million(cost(longest)))}}));
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question context_question() {
  return {"context", "what long contexts cost, the price steps that cover them, and what longer ones would take",
          "--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --context 131072", context_inputs, answer_context, plot_figures};
}

}  // namespace fareline
