// SPDX-License-Identifier: Apache-2.0
#include "truth/validate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "units/elementary.h"

namespace fareline {
namespace {

std::string layout_text(const PoolLayout& p) {
  std::string text;
  const auto add = [&](const char* name, int value) {
    if (value > 1) text += fmt::format("{}{}{}", text.empty() ? "" : " ", name, value);
  };
  add("tp", p.tp);
  add("dp", p.dp);
  add("ep", p.ep);
  add("pp", p.pp);
  return text.empty() ? "one chip" : text;
}

// The part of the model's name behind its maker.
std::string short_model(const std::string& model) {
  const auto slash = model.rfind('/');
  return slash == std::string::npos ? model : model.substr(slash + 1);
}

// Users or sequences by powers of four, named by their range.
std::string load_text(const ServingSetup& s) {
  if (s.load == Load::saturated) return "saturated";
  int low = 1;
  while (s.sequences >= 4.0 * low) low *= 4;
  return fmt::format("{} {} to {}", name(s.load), low, 4 * low - 1);
}

std::vector<std::pair<std::string_view, std::string>> groups_of(const ServingSetup& s) {
  const std::string model = short_model(s.model), layout = s.prefill ? "pools apart" : layout_text(s.layout);
  std::vector<std::pair<std::string_view, std::string>> groups;
  if (s.load == Load::batch) groups.emplace_back("pass", s.output <= 1 ? "prefill" : s.sequences > 1 ? "batched decode" : "decode");
  groups.insert(groups.end(), {{"model", model},
                               {"chip", s.system},
                               {"engine", s.stack},
                               {"precision", s.precision.empty() ? "as published" : s.precision},
                               {"layout", layout},
                               {"load", load_text(s)},
                               {"workload", fmt::format("{:.0f} in, {:.0f} out", s.prompt, s.output)},
                               {"model, chip, engine", fmt::format("{}, {}, {}", model, s.system, s.stack)}});
  return groups;
}

// What a configuration earns: tokens a second and chip, by Little's law where the table has no throughput.
// Source: Little 1961: users over the time of a request.
std::optional<double> measured_worth(const ServingRow& row) {
  const ServingSetup& s = row.setup;
  if (row.measured.throughput) return row.measured.throughput->coherent();
  if (s.load != Load::users || !row.measured.ttft || !row.measured.tpot) return std::nullopt;
  const double output = s.output * (1 + s.shortest) / 2;
  return s.sequences * output / (row.measured.ttft->coherent() + (output - 1) * row.measured.tpot->coherent()) / s.chips();
}

// Little's law ties users, TTFT and TPOT to a rate, whatever the engine does first; the mean of a run of few requests strays from it.
constexpr double tolerance = 1.05;

std::optional<Impossible> beyond_physics(std::size_t i, const ServingRow& row, const ServingPrediction& p) {
  const ServingMeasured& m = row.measured;
  const ServingSetup& s = row.setup;
  if (m.tpot && *m.tpot < p.tpot.bound) return Impossible{i, "tpot", "s", m.tpot->coherent(), p.tpot.bound.coherent()};
  if (m.throughput && *m.throughput > p.throughput.bound)
    return Impossible{i, "throughput", "tok/s", m.throughput->coherent(), p.throughput.bound.coherent()};
  if (!m.ttft || !m.tpot || !(p.rate_bound > Frequency{})) return std::nullopt;
  const double output = s.output * (1 + s.shortest) / 2;
  const Frequency rate = s.sequences / (*m.ttft + (output - 1) * *m.tpot);
  if (rate <= tolerance * p.rate_bound) return std::nullopt;
  return Impossible{i, "rate: users over (TTFT + (output - 1) TPOT)", "1/s", rate.coherent(), p.rate_bound.coherent()};
}

Ranking ranked(const std::vector<ServingRow>& rows, const std::vector<std::optional<ServingPrediction>>& predictions) {
  struct Candidate {
    double predicted = 0, measured = 0;
  };
  std::map<std::string, std::vector<Candidate>> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ServingSetup& s = rows[i].setup;
    const auto worth = measured_worth(rows[i]);
    if (!predictions[i] || !worth) continue;
    groups[fmt::format("{}|{}|{}|{}|{}|{}|{}", s.model, s.system, s.precision, s.prompt, s.output, s.sequences,
                       rows[i].measured.counts_prompt)]
        .push_back({predictions[i]->throughput.value.coherent(), *worth});
  }
  Ranking ranking;
  double loss = 0;
  for (const auto& [name, candidates] : groups) {
    if (candidates.size() < 2) continue;
    const Candidate& pick = *std::max_element(candidates.begin(), candidates.end(),
                                              [](const Candidate& a, const Candidate& b) { return a.predicted < b.predicted; });
    const Candidate& best = *std::max_element(candidates.begin(), candidates.end(),
                                              [](const Candidate& a, const Candidate& b) { return a.measured < b.measured; });
    ++ranking.groups;
    ranking.within += pick.measured >= 0.95 * best.measured;
    loss += 1 - pick.measured / best.measured;
  }
  if (ranking.groups > 0) ranking.mean_loss = loss / static_cast<double>(ranking.groups);
  return ranking;
}

std::array<ErrorSummary, metric_count> by_metric(std::span<const Comparison> comparisons) {
  std::array<ErrorSummary, metric_count> all;
  for (int m = 0; m < metric_count; ++m) {
    std::vector<Comparison> of;
    for (const Comparison& c : comparisons)
      if (static_cast<int>(c.metric) == m) of.push_back(c);
    all[static_cast<std::size_t>(m)] = summarised(of);
  }
  return all;
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  FARELINE_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

ErrorSummary summarised(std::span<const Comparison> comparisons) {
  ErrorSummary s{.count = comparisons.size()};
  if (comparisons.empty()) return s;
  std::vector<double> size, ratio, error;
  double covered = 0;
  for (const Comparison& c : comparisons) {
    error.push_back(c.error());
    size.push_back(std::abs(c.error()));
    ratio.push_back(natural_log(c.predicted / c.measured));
    s.mean_abs_error += size.back();
    covered += c.covered();
  }
  const auto n = static_cast<double>(comparisons.size());
  s.mean_abs_error /= n;
  s.coverage = covered / n;
  s.median_abs_error = quantile(size, 0.5);
  s.p90_abs_error = quantile(std::move(size), 0.9);
  s.p10_error = quantile(error, 0.1);
  s.p90_error = quantile(std::move(error), 0.9);
  s.bias = exponential(quantile(std::move(ratio), 0.5)) - 1;
  return s;
}

std::size_t rows_of(const std::vector<Refusal>& refused) {
  std::size_t total = 0;
  for (const Refusal& r : refused) total += r.rows;
  return total;
}

Validation validate(const Catalogue& catalogue, std::vector<ServingRow> rows, std::string_view calibration) {
  std::vector<std::expected<ServingPrediction, std::string>> predictions;
  predictions.reserve(rows.size());
  for (const ServingRow& row : rows) {
    if (row.refusal.empty()) predictions.push_back(predict(catalogue, row.setup, row.measured.counts_prompt, calibration));
    else predictions.push_back(std::unexpected(row.refusal));
  }
  return compare(std::move(rows), std::move(predictions));
}

Validation compare(std::vector<ServingRow> rows, std::vector<std::expected<ServingPrediction, std::string>> predictions) {
  FARELINE_CHECK(rows.size() == predictions.size());
  Validation v{.rows = std::move(rows)};
  v.predictions.resize(v.rows.size());
  std::map<std::string, std::size_t> reasons;
  std::map<std::pair<std::string_view, std::string>, std::vector<Comparison>> groups;
  for (std::size_t i = 0; i < v.rows.size(); ++i) {
    ServingRow& row = v.rows[i];
    if (row.refusal.empty()) {
      auto& predicted = predictions[i];
      if (predicted) v.predictions[i] = std::move(*predicted);
      else row.refusal = predicted.error();
    }
    if (!v.predictions[i]) {
      ++reasons[row.refusal];
      continue;
    }
    const ServingPrediction& p = *v.predictions[i];
    if (auto fault = beyond_physics(i, row, p)) {
      v.impossible.push_back(std::move(*fault));
      continue;
    }
    const auto compare = [&](Metric metric, const auto& predicted, const auto& measured) {
      if (!measured || !(measured->coherent() > 0) || !(predicted.value.coherent() > 0)) return;
      v.comparisons.push_back({.row = i, .metric = metric, .predicted = predicted.value.coherent(), .low = predicted.low.coherent(),
                               .high = predicted.high.coherent(), .bound = predicted.bound.coherent(), .measured = measured->coherent()});
    };
    const std::size_t before = v.comparisons.size();
    compare(Metric::tpot, p.tpot, row.measured.tpot);
    compare(Metric::ttft, p.ttft, row.measured.ttft);
    compare(Metric::throughput, p.throughput, row.measured.throughput);
    for (auto& key : groups_of(row.setup)) {
      auto& group = groups[std::move(key)];
      group.insert(group.end(), v.comparisons.begin() + static_cast<std::ptrdiff_t>(before), v.comparisons.end());
    }
  }
  for (const auto& [reason, count] : reasons) v.refused.push_back({reason, count});
  std::stable_sort(v.refused.begin(), v.refused.end(), [](const Refusal& a, const Refusal& b) { return a.rows > b.rows; });
  v.metrics = by_metric(v.comparisons);
  for (const auto& [key, comparisons] : groups)
    if (!comparisons.empty()) v.groups.push_back({std::string(key.first), key.second, by_metric(comparisons)});
  v.ranking = ranked(v.rows, v.predictions);
  return v;
}

}  // namespace fareline
