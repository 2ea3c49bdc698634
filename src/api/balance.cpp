// SPDX-License-Identifier: Apache-2.0
// The question "balance": where memory and compute take the same time.
#include "perf/balance.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/past.h"
#include "api/questions.h"
#include "units/elementary.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto balance_inputs = joined(
    blackboard_model_inputs, blackboard_system_inputs,
    in_group("question", std::array<Input, 3>{{
                             {.name = "batch",
                              .kind = InputKind::count,
                              .reason = "the batch at which weight fetch equals multiply",
                              .summary = "sequences that decode together",
                              .least = 1,
                              .most = 1e9},
                             {.name = "context",
                              .kind = InputKind::count,
                              .value = "8192",
                              .reason = "a medium conversation",
                              .summary = "tokens each sequence has behind it",
                              .least = 1,
                              .most = 1e12},
                             {.name = "dense_equivalent",
                              .kind = InputKind::count,
                              .reason = "no quality is compared unless given",
                              .summary = "parameters of the dense model that is as good",
                              .least = 1},
                         }}),
    past_inputs);

// Everything the formulas need, and how a token reads its past.
struct Board {
  BlackboardModel model;
  BlackboardSystem system;
  double ratio = 0, sparsity = 0;
  std::optional<Rooflines> rooflines;
  std::string attention;
  Past past;

  Bytes read(std::string_view reading, double context) const { return past.read(model, reading, context); }
  bool reads() const { return model.kv_per_token || (model.named && !model.kv_given); }
};

Expected<Board> read_board(Inputs& inputs, const Catalogue& catalogue) {
  auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  Board board{.model = std::move(*model), .system = std::move(*system), .past = Past(inputs)};
  const auto ratio = needed(board.system.hardware_ratio, "hardware_ratio", "system and a model", "300");
  if (!ratio) return std::unexpected(ratio.error());
  board.ratio = *ratio;
  const BlackboardModel& m = board.model;
  const bool by_experts = inputs.given("activated_experts") && m.routed_experts && !m.parameters_given;
  if (m.total_parameters && m.active_parameters && !by_experts) {
    board.sparsity = *m.total_parameters / *m.active_parameters;
  } else if (m.routed_experts && m.activated_experts) {
    board.sparsity = *m.routed_experts / *m.activated_experts;
  } else {
    return fail("total_parameters", "are missing, or active ones",
                "give --total_parameters 671G --active_parameters 37G, or --routed_experts and --activated_experts, or a model");
  }
  const BlackboardSystem& s = board.system;
  if (m.total_parameters && m.active_parameters && m.bytes_per_parameter && s.peak && s.hbm_bandwidth) {
    const double chips = s.chips.value_or(1);
    board.rooflines = Rooflines{.total = *m.total_parameters, .active = *m.active_parameters, .element = *m.bytes_per_parameter,
                                .peak = chips * *s.peak, .bandwidth = chips * *s.hbm_bandwidth};
  }
  board.attention = inputs.text("attention");
  return board;
}

// The context at which KV fetch equals multiply; nothing where it never does within 1e12 tokens.
std::optional<double> balanced_context(const Board& board, std::string_view reading) {
  const Rooflines& r = *board.rooflines;
  const Seconds compute = multiply_time(r, 1);
  const auto enough = [&](double context) { return kv_fetch_time(r, 1, board.read(reading, context)) >= compute; };
  double low = 1, high = 1e12;
  if (!enough(high)) return std::nullopt;
  for (int i = 0; i < 200 && high / low > 1 + 1e-14; ++i) {
    const double middle = std::sqrt(low * high);
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

// Utilisation of a batch so large that weights cost nothing.
double utilisation_at(const Board& board, std::string_view reading, double context) {
  const Seconds compute = multiply_time(*board.rooflines, 1);
  return compute / max(compute, kv_fetch_time(*board.rooflines, 1, board.read(reading, context)));
}

std::vector<double> grid(double first, double last, int points) {
  std::vector<double> all;
  for (int i = 0; i < points; ++i) all.push_back(first * power(last / first, static_cast<double>(i) / (points - 1)));
  return all;
}

// The rows of the comparison: the model's own reading where it has one, then the four of the lecture.
std::vector<std::pair<std::string, std::string>> readings(const Board& board) {
  std::vector<std::pair<std::string, std::string>> all;
  if (board.model.named && !board.model.kv_given) all.emplace_back("own", "the model's own");
  if (board.model.kv_per_token)
    for (const auto& [key, title] : {std::pair{"dense", "dense"}, {"sliding", "sliding window"}, {"square_root", "square root"},
                                     {"selected", "top-k with an indexer"}})
      all.emplace_back(key, title);
  return all;
}

Json figures_of(const Board& board, double batch, double context) {
  Json figures = Json::array();
  const Rooflines& r = *board.rooflines;
  const Bytes read = board.read(board.attention, context);
  const double balanced = balanced_batch(board.ratio, board.sparsity);
  const std::vector<double> batches = grid(1, std::max(4 * balanced, 2 * batch), 61);
  std::vector<double> compute, weights, kv, step, cost_compute, cost_memory, cost;
  for (const double b : batches) {
    const Seconds tc = multiply_time(r, b), tw = weight_fetch_time(r), tk = kv_fetch_time(r, b, read), t = max(tc, tw + tk);
    compute.push_back(tc.in(unit::s));
    weights.push_back(tw.in(unit::s));
    kv.push_back((tw + tk).in(unit::s));
    step.push_back(t.in(unit::s));
    const auto price = [&](Seconds time) {
      return board.system.rental ? (*board.system.rental * board.system.chips.value_or(1) * time / b).in(unit::usd) * 1e6
                                 : time.in(unit::s) / b;
    };
    cost_compute.push_back(price(tc));
    cost_memory.push_back(price(tw + tk));
    cost.push_back(price(t));
  }
  const std::vector<FigureMarker> marker{{.at = balanced, .text = "weights = compute"}};
  figures.push_back(to_json(LineFigure{
      .title = "A step's time over the batch",
      .subtitle = fmt::format("context {} tokens; a floor the weights set, then a slope", number_text(context)),
      .description = "Time of a decode step: multiply grows with the batch, weight fetch does not, KV fetch does.",
      .x = {.label = "batch", .counted = "sequences", .scale = "log2"},
      .y = {.label = "time of a step", .unit = "s", .scale = "log10"},
      .series = {{.name = "multiply", .style = "floor", .x = batches, .y = compute, .colour = 1},
                 {.name = "fetch weights", .style = "floor", .x = batches, .y = weights, .colour = 2},
                 {.name = "fetch weights and KV", .style = "floor", .x = batches, .y = kv, .colour = 3},
                 {.name = "step", .x = batches, .y = step}},
      .markers = marker}));
  const bool money = board.system.rental.has_value();
  figures.push_back(to_json(LineFigure{
      .title = "What a token costs over the batch",
      .subtitle = "weights are shared by the batch, KV and multiplies are not",
      .description = "Cost of a token: falls as one over the batch until compute or KV sets a floor.",
      .x = {.label = "batch", .counted = "sequences", .scale = "log2"},
      .y = {.label = money ? "cost of a token" : "time of a step, a token", .unit = money ? "USD/Mtok" : "s", .scale = "log10"},
      .series = {{.name = "multiply", .style = "floor", .x = batches, .y = cost_compute, .colour = 1},
                 {.name = "fetch weights and KV", .style = "floor", .x = batches, .y = cost_memory, .colour = 3},
                 {.name = "token", .x = batches, .y = cost}},
      .markers = marker}));
  LineFigure beyond{.title = "Utilisation over the context",
                    .subtitle = "a batch so large that weights cost nothing",
                    .description = "Share of its time that compute works, by context and attention.",
                    .x = {.label = "context", .counted = "tokens", .scale = "log10"},
                    .y = {.label = "share of peak FLOP/s", .from_zero = true}};
  const std::vector<double> contexts = grid(1e3, 1e7, 65);
  int colour = 0;
  for (const auto& [key, title] : readings(board)) {
    FigureSeries line{.name = title, .x = contexts, .colour = colour++};
    for (const double c : contexts) line.y.push_back(utilisation_at(board, key, c));
    beyond.series.push_back(std::move(line));
  }
  if (!beyond.series.empty()) figures.push_back(to_json(beyond));
  return figures;
}

Explained leaf(std::string name, Json value) { return {.name = std::move(name), .value = std::move(value)}; }

Expected<Json> answer_balance(Inputs& inputs, const Catalogue& catalogue) {
  auto read = read_board(inputs, catalogue);
  if (!read) return std::unexpected(read.error());
  const Board& board = *read;
  const BlackboardModel& m = board.model;
  const BlackboardSystem& s = board.system;
  const double balanced = balanced_batch(board.ratio, board.sparsity);
  const double batch = inputs.number("batch").value_or(balanced), context = inputs.number("context").value_or(1);
  if (!inputs.has("batch")) inputs.choose("batch", balanced, "fareline", "where weight fetch equals weight multiply");
  for (const auto& [input, reading] : {std::pair{"window", "sliding"}, {"topk", "selected"}, {"index_share", "selected"}})
    if (!board.rooflines && board.attention != reading) inputs.leave_out(input);

  Json answer;
  answer["ridge"] = {{"hardware_ratio", plain(board.ratio, "1")}, {"sparsity", plain(board.sparsity, "1")}};
  if (s.peak && s.hbm_bandwidth)
    answer["ridge"]["flop_per_byte"] = plain(ridge_point(*s.peak, *s.hbm_bandwidth) / (unit::flop / unit::B), "FLOP/B");
  if (const auto dense = inputs.number("dense_equivalent"); dense && m.active_parameters)
    answer["quality"] = {{"effective_over_active", plain(effective_over_active(*dense, *m.active_parameters), "1")}};
  answer["batch"] = {{"weights", plain(balanced, "tok")}};
  answer["cost"] = {{"unbatched_over_floor", plain(std::max(1.0, balanced), "1")}};
  std::string why = fmt::format(
      "The hardware does {} multiplies for each parameter it fetches, and a token uses 1 in {} of them: {} tokens "
      "share a fetch before multiplying takes longer.",
      number_text(board.ratio, 3), number_text(board.sparsity, 3), number_text(balanced, 4));
  Json numbers = Json::array();
  numbers.push_back(
      to_json(Explained{.name = "batch.weights",
                        .value = plain(balanced, "tok"),
                        .formula = "hardware_ratio * N_total / N_active",
                        .source = "the lecture at 19:07; perf/balance.h: balanced_batch",
                        .inputs = {leaf("hardware_ratio", plain(board.ratio, "1")), leaf("sparsity", plain(board.sparsity, "1"))}}));
  if (m.layers && m.heads && m.head_dim && m.active_parameters) {
    const auto onset = m.named ? quadratic_onset(*m.named, *m.active_parameters)
                               : std::optional<double>(quadratic_onset(*m.active_parameters, *m.layers, *m.heads, *m.head_dim));
    if (onset)
      answer["prefill"] = {{"quadratic_onset", plain(*onset, "tok")}, {"prompt_onset", plain(2 * *onset, "tok")}};
    numbers.push_back(to_json(Explained{.name = "prefill.quadratic_onset",
                                        .value = onset ? plain(*onset, "tok") : Json("never"),
                                        .formula = "attention FLOP of a token = 2 N_active; dense: N / (2 L h d)",
                                        .source = "the lecture at 1:52:15; perf/balance.h: quadratic_onset"}));
  }
  std::string change = "More FLOP/s or less bandwidth raises the batch; a denser model lowers it; its size does not matter.";
  if (board.rooflines) {
    const Rooflines& r = *board.rooflines;
    const Bytes past = board.read(board.attention, context);
    const Seconds compute = multiply_time(r, batch), weights = weight_fetch_time(r), kv = kv_fetch_time(r, batch, past),
                  step = max(compute, weights + kv);
    answer["time"] = {{"compute", plain(compute)}, {"weights", plain(weights)}, {"kv", plain(kv)}, {"step", plain(step)}};
    answer["utilisation"] = {{"mfu", plain(step_utilisation(r, batch, past), "1")}};
    if (s.rental) {
      const MoneyRate all = s.chips.value_or(1) * *s.rental;
      answer["cost"]["token"] = plain((all * step / batch).in(unit::usd) * 1e6, "USD/Mtok");
      answer["cost"]["floor"] = plain((all * max(multiply_time(r, 1), kv_fetch_time(r, 1, past))).in(unit::usd) * 1e6, "USD/Mtok");
    }
    if (board.reads()) {
      const auto with_kv = balanced_batch_with_kv(r, past);
      if (with_kv) answer["batch"]["weights_and_kv"] = plain(*with_kv, "tok");
      const auto balance = balanced_context(board, board.attention);
      if (balance) {
        answer["context"] = {{"balanced", plain(*balance, "tok")}};
        answer["beyond"] = {{"mfu_at_twice", plain(utilisation_at(board, board.attention, 2 * *balance), "1")},
                            {"mfu_at_ten_times", plain(utilisation_at(board, board.attention, 10 * *balance), "1")}};
        why += fmt::format(" With {} tokens behind each, {}; KV alone takes as long as the multiplies at {} tokens.", number_text(context),
                           with_kv ? fmt::format("it takes {}", number_text(*with_kv, 4)) : std::string("no batch is large enough"),
                           number_text(*balance, 3));
      }
      Json rows = Json::array();
      for (const auto& [key, title] : readings(board)) {
        const auto at = balanced_context(board, key);
        const Bytes here = board.read(key, context);
        Json row{{"attention", title}, {"read", plain(here)}, {"growth_over_100x", plain(board.read(key, 100 * context) / here, "1")}};
        if (at) row["balanced_context"] = plain(*at, "tok");
        row["mfu_at_1M"] = plain(utilisation_at(board, key, 1e6), "1");
        rows.push_back(std::move(row));
      }
      answer["attention"] = std::move(rows);
      change =
          "Fewer KV bytes a token, a window or a selection move the balanced context out; more bandwidth moves it out too and lowers the "
          "batch.";
    }
    numbers.push_back(to_json(Explained{.name = "time.step",
                                        .value = plain(step),
                                        .formula = "max(2 B N_active / C, N_total b / BW + B read / BW)",
                                        .source = "the lecture at 03:19 to 05:26; perf/balance.h",
                                        .inputs = {leaf("multiply", plain(compute)), leaf("fetch weights", plain(weights)),
                                                   leaf("fetch KV", plain(kv)), leaf("read of one sequence", plain(past))}}));
    answer["figures"] = figures_of(board, batch, context);
  }
  if (s.named) {
    Json rows = Json::array();
    const Chip& chip = s.named->chip;
    for (const FormatRow& format : formats) {
      const auto& peak = chip.peak[static_cast<std::size_t>(format.format)];
      if (!peak.stated() || !(peak.value > FlopRate{}) || format.format != format.rate) continue;
      rows.push_back({{"format", std::string(format.name)},
                      {"peak", plain(peak.value)},
                      {"ridge", plain(ridge_point(peak.value, *s.hbm_bandwidth) / (unit::flop / unit::B), "FLOP/B")},
                      {"hardware_ratio", plain(hardware_ratio(peak.value, element_bytes(format.format), *s.hbm_bandwidth), "1")}});
    }
    answer["formats"] = std::move(rows);
  }
  answer["why"] = why;
  answer["change"] = change;
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", Json::array()}};
}

}  // namespace

Question balance_question() {
  return {"balance", "the batch and the context at which memory and compute take the same time",
          "--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --context 8192", balance_inputs, answer_balance, plot_figures};
}

}  // namespace fareline
