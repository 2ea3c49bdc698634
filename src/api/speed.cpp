// SPDX-License-Identifier: Apache-2.0
// The question "speed": what a faster token must cost, and what a slower one saves.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "api/serve.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto speed_inputs = joined(
    setting_inputs, workload_inputs, plan_inputs, money_inputs,
    in_group("question", std::array<Input, 2>{{
                             {.name = "speed_factor",
                              .kind = InputKind::number,
                              .value = "2.5",
                              .reason = "what fast modes are sold as; the lecture at 01:02",
                              .summary = "speed of the fast mode over the normal one",
                              .least = 1,
                              .most = 1000},
                             {.name = "price_factor",
                              .kind = InputKind::number,
                              .value = "6",
                              .reason = "what fast modes are sold at; the lecture at 01:02",
                              .summary = "price of the fast mode over the normal one",
                              .least = 1,
                              .most = 1e6},
                         }}));

// One system under one load: what a user gets and pays.
struct Point {
  TokenRate speed;
  TokenPrice price;  // of output
  double batch = 0;
  int draft = 0;
  Plan plan;
  Seconds ttft;
};

// The crowds tried: powers of two and half-way between.
std::vector<double> crowds() {
  std::vector<double> all;
  for (double c = 1; c <= 16384; c *= 2) {
    all.push_back(c);
    if (c >= 2) all.push_back(1.5 * c);
  }
  return all;
}

// Every layout under every crowd, with `draft` tokens drafted a step.
std::vector<Point> points_of(const Situation& base, const std::vector<Plan>& plans, const Speculation& speculation) {
  std::vector<Point> points;
  for (const Plan& plan : plans) {
    Situation s = base;
    s.plan = plan;
    s.plan.mtp = speculation.by_mtp;
    s.speculation = speculation;
    for (const double crowd : crowds()) {
      s.demand = {.concurrency = crowd * plan.replicas};
      const auto served = serve(s);
      if (!served) break;
      const Serving& g = served->serving;
      if (!(g.tpot.value > Seconds{})) continue;
      points.push_back({.speed = unit::token / g.tpot.value, .price = served->prices.output, .batch = g.decoding,
                        .draft = static_cast<int>(speculation.draft), .plan = s.plan, .ttft = g.ttft.value});
      if (g.admitted >= g.resident_limit) break;
    }
  }
  return points;
}

// The points no other is both faster and cheaper than, slowest first.
std::vector<Point> frontier_of(std::vector<Point> points) {
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.speed > b.speed || (a.speed == b.speed && a.price < b.price);
  });
  std::vector<Point> frontier;
  for (const Point& p : points)
    if (frontier.empty() || p.price < frontier.back().price) frontier.push_back(p);
  std::reverse(frontier.begin(), frontier.end());
  return frontier;
}

// The cheapest point at least so fast; nothing where none is.
const Point* cheapest_at(const std::vector<Point>& frontier, TokenRate speed) {
  for (const Point& p : frontier)
    if (p.speed >= speed * (1 - 1e-12)) return &p;
  return nullptr;
}

// The fastest point at most so dear; nothing where none is.
const Point* fastest_for(const std::vector<Point>& frontier, TokenPrice price) {
  const Point* best = nullptr;
  for (const Point& p : frontier)
    if (p.price <= price * (1 + 1e-12)) best = &p;
  return best;
}

std::string layout(const Plan& plan) {
  std::string text = fmt::format("tp {}", plan.tp);
  if (plan.ep > 1) text += fmt::format(", ep {}", plan.ep);
  if (plan.dp > 1) text += fmt::format(", dp {}", plan.dp);
  if (plan.pp > 1) text += fmt::format(", pp {}", plan.pp);
  return text;
}

Json row_of(std::string_view mode, const Point& p, const Point& normal) {
  return {{"mode", std::string(mode)},
          {"speed", plain(p.speed)},
          {"price", plain(p.price.coherent() * 1e6, "USD/Mtok")},
          {"speed_over_normal", plain(p.speed / normal.speed, "1")},
          {"price_over_normal", plain(p.price / normal.price, "1")},
          {"batch", plain(p.batch, "1")},
          {"chips", plain(p.plan.chips(), "1")},
          {"draft", plain(p.draft, "1")},
          {"layout", layout(p.plan)}};
}

FigureSeries curve(std::string name, const std::vector<Point>& frontier, int colour) {
  FigureSeries series{.name = std::move(name), .colour = colour};
  for (const Point& p : frontier) {
    series.x.push_back(p.speed / (unit::token / unit::s));
    series.y.push_back(p.price.coherent() * 1e6);
  }
  return series;
}

Expected<Json> answer_speed(Inputs& inputs, const Catalogue& catalogue) {
  for (const std::string_view load : {"concurrency", "batch", "rate", "prefill_replicas", "prefill_tp"})
    if (inputs.given(load)) return fail(std::string(load), "is given, but the curve is over every load", "leave it out, or ask cost");
  const Inputs open = inputs;
  auto read = read_situation(inputs, catalogue);
  if (!read) return std::unexpected(read.error());
  Json warnings = Json::array();
  if (read->choice.nearest) {
    for (const std::string& w : read->warnings) warnings.push_back(w);
    return Json{{"answer", infeasible_answer(*read->choice.nearest, "")}, {"explain", Json::object()}, {"warnings", std::move(warnings)}};
  }
  const Situation& base = read->situation;
  const std::vector<Plan> plans = layouts(base.model, base.system, plan_of(open), open);
  const std::vector<Point> plain_points = points_of(base, plans, Speculation{});
  const std::vector<Point> undrafted = frontier_of(plain_points);
  std::vector<Point> drafted_points;
  std::string drafter;
  const int given_draft = open.given("draft") ? *open.count("draft") : 0;
  for (const int draft : given_draft > 0 ? std::vector<int>{given_draft} : std::vector<int>{1, 2, 3}) {
    Inputs with = open;
    if (const auto set = with.set("draft", draft); !set) return std::unexpected(set.error());
    const Speculation speculation = speculation_of(with, base.model);
    drafter = speculation.by_mtp ? "the model's MTP module" : "n-grams";
    const auto more = points_of(base, plans, speculation);
    drafted_points.insert(drafted_points.end(), more.begin(), more.end());
  }
  const std::vector<Point> drafted = frontier_of(std::move(drafted_points));
  if (undrafted.empty()) return fail("output", "of one token has no pace", "give an output of two tokens or more");
  inputs.choose("acceptance", *open.number("acceptance"), open.chosen_by("acceptance"), std::string("of the curve with drafting"));

  // Normal: what "cost" would choose, the cheapest within the pace; where nothing keeps it, the fastest.
  // A choice of one layout leaves them out; here they tell what is normal.
  const Seconds pace = *open.quantity<Seconds>("pace"), patience = *open.quantity<Seconds>("patience");
  for (const auto& [name, value] : {std::pair{"pace", pace}, {"patience", patience}})
    if (!inputs.has(name)) inputs.choose(name, value.coherent(), open.chosen_by(name), "what the normal mode keeps to");
  const Point* normal = nullptr;
  for (const Point& p : plain_points)
    if (unit::token / p.speed <= pace && p.ttft <= patience && (!normal || p.price < normal->price)) normal = &p;
  if (!normal) {
    normal = &undrafted.back();
    warnings.push_back(fmt::format("nothing tried keeps {} a token: the fastest is taken for normal; raise --pace", to_text(pace)));
  }
  const double speed_factor = *inputs.number("speed_factor"), price_factor = *inputs.number("price_factor");
  Json rows = Json::array();
  rows.push_back(row_of("slow", undrafted.front(), *normal));
  rows.push_back(row_of("normal", *normal, *normal));
  const Point* fast = cheapest_at(undrafted, normal->speed * speed_factor);
  const Point* at_price = fastest_for(undrafted, normal->price * price_factor);
  const Point *fast_drafted = cheapest_at(drafted, normal->speed * speed_factor),
              *at_price_drafted = fastest_for(drafted, normal->price * price_factor);
  const std::string fast_name = fmt::format("{}x the speed", number_text(speed_factor)),
                    price_name = fmt::format("{}x the price", number_text(price_factor));
  if (fast) rows.push_back(row_of(fast_name, *fast, *normal));
  if (at_price) rows.push_back(row_of(price_name, *at_price, *normal));
  rows.push_back(row_of("fastest", undrafted.back(), *normal));
  if (fast_drafted) rows.push_back(row_of(fast_name + ", drafting", *fast_drafted, *normal));
  if (at_price_drafted) rows.push_back(row_of(price_name + ", drafting", *at_price_drafted, *normal));
  if (!drafted.empty()) rows.push_back(row_of("fastest, drafting", drafted.back(), *normal));

  const double saving = 1 - undrafted.front().price / normal->price;
  Json answer{{"feasible", true},
              {"sold", {{"price_over_speed", plain(price_factor / speed_factor, "1")}}},
              {"slow", {{"saving", plain(std::max(0.0, saving), "1")}}},
              {"fastest",
               {{"speed_over_normal", plain(undrafted.back().speed / normal->speed, "1")},
                {"price_over_normal", plain(undrafted.back().price / normal->price, "1")}}}};
  if (fast) answer["fast"] = {{"price_over_normal", plain(fast->price / normal->price, "1")}};
  if (at_price) answer["at_price"] = {{"speed_over_normal", plain(at_price->speed / normal->speed, "1")}};
  if (fast_drafted) answer["drafting"]["fast_price_over_normal"] = plain(fast_drafted->price / normal->price, "1");
  if (at_price_drafted) answer["drafting"]["at_price_speed_over_normal"] = plain(at_price_drafted->speed / normal->speed, "1");
  answer["modes"] = std::move(rows);
  answer["why"] = fmt::format(
      "Normal is {} to each user at {}. {} times that speed {}; {} times the price buys {} times the speed, and nothing here is faster "
      "than {} "
      "times. The slowest mode saves {:.0f}%: its weights are shared already, KV and multiplies are each user's own.",
      to_text(normal->speed, 3), to_text(normal->price, 3), number_text(speed_factor),
      fast ? fmt::format("must cost {} times as much", number_text(fast->price / normal->price, 3)) : std::string("is out of reach"),
      number_text(price_factor), number_text(at_price ? at_price->speed / normal->speed : 1, 3),
      number_text(undrafted.back().speed / normal->speed, 3), 100 * std::max(0.0, saving));
  answer["change"] =
      drafted.empty()
          ? std::string("Faster memory and links move the whole curve out; a larger domain lets more chips share a step.")
          : fmt::format("Drafting with {} makes the fastest mode {} times as fast; faster memory and links move the whole curve out.",
                        drafter, number_text(drafted.back().speed / undrafted.back().speed, 3));
  LineFigure figure{
      .title = "What a user's speed must cost",
      .subtitle = fmt::format("{} on {}, every layout and load tried", base.model.name, base.system.name),
      .description = "Price of output over tokens a second of one user: the cheapest system for each speed, plain and drafting.",
      .x = {.label = "speed of one user", .unit = "tok/s", .scale = "log10"},
      .y = {.label = "price of output", .unit = "USD/Mtok", .scale = "log10"},
      .series = {curve("plain", undrafted, 0)},
      .markers = {
          {.at = normal->speed / (unit::token / unit::s), .text = "normal"},
          {.at = speed_factor * (normal->speed / (unit::token / unit::s)), .text = fmt::format("{}x", number_text(speed_factor))},
          {.vertical = false, .at = price_factor * normal->price.coherent() * 1e6, .text = fmt::format("{}x", number_text(price_factor))}}};
  if (!drafted.empty()) figure.series.push_back(curve("drafting by " + drafter, drafted, 1));
  answer["figures"] = Json::array({to_json(figure)});
  const auto opened = [&](std::string name, const Point& p) {
    return to_json(Explained{.name = std::move(name),
                             .value = plain(p.price.coherent() * 1e6, "USD/Mtok"),
                             .formula = "least price of output over all layouts and loads at least so fast; speed = 1 / TPOT",
                             .source = "api/serve.h: serve; economics/money.h: token_prices",
                             .inputs = {{.name = "speed", .value = plain(p.speed)},
                                        {.name = "sequences decoding", .value = plain(p.batch, "1")},
                                        {.name = "layout", .value = layout(p.plan)}}});
  };
  Json numbers = Json::array({opened("normal", *normal), opened("slow", undrafted.front()), opened("fastest", undrafted.back())});
  if (fast) numbers.push_back(opened("fast", *fast));
  for (const std::string& w : read->warnings) warnings.push_back(w);
  return Json{
      {"answer", std::move(answer)},
      {"explain",
       {{"numbers", std::move(numbers)}, {"calibration", {{"name", base.calibration.name}, {"evidence", base.calibration.evidence}}}}},
      {"warnings", std::move(warnings)}};
}

}  // namespace

Question speed_question() {
  return {"speed", "what a faster token must cost, how far it goes, and what a slower one saves",
          "--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --prompt 4096 --output 512", speed_inputs, answer_speed, plot_figures};
}

}  // namespace fareline
