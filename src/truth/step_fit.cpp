// SPDX-License-Identifier: Apache-2.0
#include "truth/step_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "perf/compiled_plan.h"
#include "truth/batch.h"
#include "units/elementary.h"

namespace fareline {
namespace {

// What is fitted. `x` is the value in the unit named; `from`, where the search starts and what no evidence leaves.
struct Parameter {
  std::string_view name;
  double from, least, most;
};
enum : std::size_t {
  product_share, bandwidth_share, serial_share, launch, decode_share, decode_softmax, decode_bandwidth, prefill_softmax, vector_bandwidth,
  a_sequence, parameter_count,
};
constexpr std::array<Parameter, parameter_count> parameters{{
    {"share of the FP32 peak that products reach in any format", 0.7, 0.05, 1},
    {"share of the bandwidth that weights stream at", 0.95, 0.05, 1},
    {"share of unpacking that hides behind nothing", 0.9, 0.01, 1},
    {"a launch (s)", 3e-6, 1e-8, 1e-3},
    {"share of the 16-bit peak that attention of one query reaches", 0.15, 0.005, 1},
    {"its exponential, in head dimensions", 150, 1, 4096},
    {"share of the bandwidth that its KV streams at", 0.7, 0.05, 1},
    {"exponential of attention of many queries, in head dimensions", 60, 1, 4096},
    {"share of the bandwidth that elementwise kernels reach", 0.1, 0.002, 1},
    {"a sequence and step (s)", 2e-4, 1e-8, 1e-2},
}};
using Point = std::array<double, parameter_count>;  // logarithms, or, where a calibration is made of them, values

// Rows from which ggml multiplies by tiles, and how many at once. Source: llama.cpp, ggml/src/ggml-cpu/llamafile/sgemm.cpp (a
// product of one row goes to the vector dot product; register tiles hold four or more columns).
constexpr int tiled_from = 2, tile = 4;
// Elements of a full vector step of 16-bit dot products with AVX-512. Source: llama.cpp, ggml/src/ggml-cpu/simd-mappings.h,
// GGML_F16_STEP. What is left of a head is added one after the other.
constexpr double vector_dims = 64;
// Dimensions at the peak that one such element costs. Equation: latency of an addition, 4 cycles, times 64 FLOP a cycle over 2.
// Source: Fog, Instruction tables (Zen 4: FADD 3 to 4 cycles); 234 GFLOP/s a core at 3.66 GHz. Assumes: 16-bit peak of AVX-512.
constexpr double tail_dims = 4 * 64 / 2.0;

Point values_of(const Point& logarithms) {
  Point x;
  for (std::size_t i = 0; i < parameter_count; ++i) x[i] = std::clamp(exponential(logarithms[i]), parameters[i].least, parameters[i].most);
  return x;
}

Calibration calibration_of(const Point& x, const Calibration& start, const Chip& chip) {
  Calibration c = start;
  const auto peak = [&](Format f) { return chip.peak[static_cast<std::size_t>(f)].value; };
  for (int f = 0; f < format_count; ++f) {
    const auto format = static_cast<Format>(f);
    const FlopRate rate = peak(multiply_rate(format, std::nullopt, chip));
    const double of_fp32 = peak(Format::fp32) > FlopRate{} && rate > FlopRate{} ? std::min(1.0, peak(Format::fp32) / rate) : 1;
    const Seconds latency = x[launch] * unit::s;
    for (auto& kernel : c.kernels) kernel[static_cast<std::size_t>(f)].latency = latency;
    const auto at = [&](Kernel k) -> Efficiency& { return c.kernels[static_cast<std::size_t>(k)][static_cast<std::size_t>(f)]; };
    for (const Kernel k : {Kernel::gemm, Kernel::grouped_gemm})
      at(k) = {.peak_share = x[product_share] * of_fp32, .bandwidth_share = x[bandwidth_share], .latency = latency,
               .serial_share = x[serial_share], .tile = tile, .tiled_from = tiled_from, .fitted = k == Kernel::gemm};
    at(Kernel::attention_decode) = {.peak_share = x[decode_share], .bandwidth_share = x[decode_bandwidth], .latency = latency,
                                    .softmax_dims = x[decode_softmax], .vector_dims = vector_dims, .tail_dims = tail_dims, .fitted = true};
    const FlopRate rate16 = peak(multiply_rate(Format::bf16, std::nullopt, chip));
    const double attention = peak(Format::fp32) > FlopRate{} ? std::min(1.0, peak(Format::fp32) / rate16) : 1;
    at(Kernel::attention_prefill) = {.peak_share = attention, .bandwidth_share = x[bandwidth_share], .latency = latency,
                                     .softmax_dims = x[prefill_softmax], .fitted = true};
    at(Kernel::elementwise) = {.bandwidth_share = x[vector_bandwidth], .latency = latency, .fitted = true};
  }
  c.engine = {.sequence = x[a_sequence] * unit::s};
  return c;
}

struct Case {
  BatchCase batch;
  std::string model;
  bool decodes = false;
  double measured = 0;  // s
};

double predicted(const Case& c, const Calibration& calibration) {
  const auto p = predict(c.batch, calibration, false);
  return p ? (c.decodes ? p->tpot : p->ttft).value.coherent() : 0;
}

double loss(const std::vector<Case>& cases, const Calibration& calibration, const Point& point) {
  constexpr double r = 0.15, weight = 1e-4;
  double total = 0;
  for (const Case& c : cases) {
    const double e = natural_log(std::max(predicted(c, calibration), 1e-12) / c.measured) / r;
    total += r * r * (std::sqrt(1 + e * e) - 1);
  }
  for (std::size_t i = 0; i < parameter_count; ++i) {
    const double away = point[i] - natural_log(parameters[i].from);
    total += weight * static_cast<double>(cases.size()) * away * away;
  }
  return total;
}

template <class F>
Point simplex_minimum(Point start, const F& value) {
  constexpr int rounds = 3000;
  constexpr double edge = 0.3, narrow = 1e-7;
  constexpr std::size_t n = parameter_count;
  struct Corner {
    Point at;
    double value;
  };
  std::vector<Corner> corners{{start, value(start)}};
  for (std::size_t i = 0; i < n; ++i) {
    Point p = start;
    p[i] += edge;
    corners.push_back({p, value(p)});
  }
  for (int round = 0; round < rounds; ++round) {
    std::stable_sort(corners.begin(), corners.end(), [](const Corner& a, const Corner& b) { return a.value < b.value; });
    if (corners.back().value - corners.front().value < narrow * corners.front().value) break;
    Point centre{};
    for (std::size_t c = 0; c < n; ++c)
      for (std::size_t i = 0; i < n; ++i) centre[i] += corners[c].at[i] / n;
    const auto along = [&](double step) {
      Point p;
      for (std::size_t i = 0; i < n; ++i) p[i] = centre[i] + step * (corners[n].at[i] - centre[i]);
      return Corner{p, value(p)};
    };
    const Corner reflected = along(-1);
    if (reflected.value < corners[0].value) {
      const Corner expanded = along(-2);
      corners[n] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < corners[n - 1].value) {
      corners[n] = reflected;
    } else if (const Corner inside = along(0.5); inside.value < corners[n].value) {
      corners[n] = inside;
    } else {
      for (std::size_t c = 1; c <= n; ++c) {
        for (std::size_t i = 0; i < n; ++i) corners[c].at[i] = (corners[0].at[i] + corners[c].at[i]) / 2;
        corners[c].value = value(corners[c].at);
      }
    }
  }
  return std::min_element(corners.begin(), corners.end(), [](const Corner& a, const Corner& b) { return a.value < b.value; })->at;
}

std::unexpected<Error> nothing_to_fit() {
  return fail("fit", "no row is a step of a batch on a CPU", "give a table with the columns of llama_cpu");
}

// Three digits: what the evidence carries.
double rounded(double x) {
  double scale = 1;
  while (x * scale < 100) scale *= 10;
  return std::round(x * scale) / scale;
}

std::vector<Case> cases_of(const Catalogue& catalogue, std::span<const ServingRow> rows) {
  std::vector<Case> cases;
  for (const ServingRow& row : rows) {
    if (!is_step(catalogue, row)) continue;
    auto batch = batch_case(catalogue, row.setup);
    if (!batch) continue;
    const bool decodes = row.measured.tpot.has_value();
    cases.push_back({std::move(*batch), row.setup.model, decodes, (decodes ? row.measured.tpot : row.measured.ttft)->coherent()});
  }
  return cases;
}

std::set<std::string> models_of(const std::vector<Case>& cases) {
  std::set<std::string> models;
  for (const Case& c : cases) models.insert(c.model);
  return models;
}

// The fit without the steps of `left_out`; its bands are still those of `start`.
Calibration fitted_on(const std::vector<Case>& all, const Calibration& start, const Chip& chip, std::string_view left_out) {
  std::vector<Case> cases;
  std::copy_if(all.begin(), all.end(), std::back_inserter(cases), [&](const Case& c) { return c.model != left_out; });
  Point from;
  for (std::size_t i = 0; i < parameter_count; ++i) from[i] = natural_log(parameters[i].from);
  Point best = values_of(simplex_minimum(from, [&](const Point& p) { return loss(cases, calibration_of(values_of(p), start, chip), p); }));
  for (double& x : best) x = rounded(x);
  return calibration_of(best, start, chip);
}

// Between which multipliers of `ratios`, measured over predicted, 80% lie.
void set_bands(Calibration& calibration, const std::vector<double>& ratios) {
  if (ratios.empty()) return;
  const Band band{std::min(1.0, rounded(quantile(ratios, 0.1))), std::max(1.0, rounded(quantile(ratios, 0.9)))};
  calibration.pass = calibration.tpot = calibration.ttft = band;
  calibration.throughput = {std::min(1.0, rounded(1 / band.high)), std::max(1.0, rounded(1 / band.low))};
}

// Every model left out in turn: the fit on the others, and measured over what it predicts of that model's steps.
struct LeftOut {
  std::map<std::string, Calibration> fits;
  std::map<std::string, std::vector<double>> ratios;
  std::vector<double> ratios_without(std::string_view model) const {
    std::vector<double> out;
    for (const auto& [name, some] : ratios)
      if (name != model) out.insert(out.end(), some.begin(), some.end());
    return out;
  }
};
LeftOut left_out_in_turn(const std::vector<Case>& cases, const Calibration& start, const Chip& chip) {
  LeftOut all;
  for (const std::string& model : models_of(cases)) {
    const Calibration& fit = all.fits[model] = fitted_on(cases, start, chip, model);
    for (const Case& c : cases)
      if (c.model == model) all.ratios[model].push_back(c.measured / predicted(c, fit));
  }
  return all;
}

double median_error(const std::vector<double>& ratios) {
  std::vector<double> errors;
  for (const double ratio : ratios) errors.push_back(std::abs(1 / ratio - 1));
  return quantile(std::move(errors), 0.5);
}

}  // namespace

bool is_step(const Catalogue& catalogue, const ServingRow& row) {
  if (!row.refusal.empty() || row.setup.load != Load::batch || !(row.measured.tpot || row.measured.ttft)) return false;
  const auto system = catalogue.system(row.setup.system);
  return system && system->chip.family == "cpu";
}

Expected<Calibration> start_of_fit(const Catalogue& catalogue, std::span<const ServingRow> rows, std::string_view calibration) {
  const auto step = std::find_if(rows.begin(), rows.end(), [&](const ServingRow& row) { return is_step(catalogue, row); });
  if (step == rows.end()) return nothing_to_fit();
  if (!calibration.empty()) return catalogue.calibration(calibration);
  return catalogue.calibration_for(catalogue.system(step->setup.system)->chip, step->setup.stack);
}

Expected<Calibration> fit_steps(const Catalogue& catalogue, std::span<const ServingRow> rows, const Calibration& start) {
  const std::vector<Case> cases = cases_of(catalogue, rows);
  if (cases.empty()) return nothing_to_fit();
  const Chip chip = *catalogue.chip(cases.front().batch.best.chip.name);
  Calibration fitted = fitted_on(cases, start, chip, {});
  std::vector<double> own;
  for (const Case& c : cases) own.push_back(c.measured / predicted(c, fitted));
  std::string names;
  for (const std::string& model : models_of(cases)) names += (names.empty() ? "" : ", ") + model;
  fitted.title = "CPUs, from whole steps";
  fitted.evidence = fmt::format("{} steps of {} on {} ({}), median error {:.1f}%", cases.size(), rows.front().setup.stack, chip.name, names,
                                100 * median_error(own));
  set_bands(fitted, own);
  if (models_of(cases).size() > 1) {
    const std::vector<double> others = left_out_in_turn(cases, start, chip).ratios_without({});
    fitted.evidence += fmt::format(", {:.1f}% of a model that is left out, which the bands are of", 100 * median_error(others));
    set_bands(fitted, others);
  }
  fitted.evidence += "; none of mixtures of experts, of other engines, of other CPUs";
  fitted.source = "fareline validate --fit, on measurements of its own: " + rows.front().source;
  return fitted;
}

Expected<Validation> validate_left_out(const Catalogue& catalogue, std::vector<ServingRow> rows, const Calibration& start) {
  const std::vector<Case> cases = cases_of(catalogue, rows);
  if (models_of(cases).size() < 2)
    return fail("--leave-out", "the tables hold steps of fewer than two models", "give steps of several models on a CPU");
  LeftOut turns = left_out_in_turn(cases, start, *catalogue.chip(cases.front().batch.best.chip.name));
  for (auto& [model, fit] : turns.fits) set_bands(fit, turns.ratios_without(model));
  std::vector<std::expected<ServingPrediction, std::string>> predictions;
  for (const ServingRow& row : rows) {
    if (!row.refusal.empty()) {
      predictions.push_back(std::unexpected(row.refusal));
    } else if (!is_step(catalogue, row)) {
      predictions.push_back(predict(catalogue, row.setup, row.measured.counts_prompt));
    } else {
      const auto batch = batch_case(catalogue, row.setup);
      predictions.push_back(batch ? predict(*batch, turns.fits[row.setup.model], row.measured.counts_prompt)
                                  : std::unexpected(batch.error()));
    }
  }
  return compare(std::move(rows), std::move(predictions));
}

}  // namespace fareline
