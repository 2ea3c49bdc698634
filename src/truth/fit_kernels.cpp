// SPDX-License-Identifier: Apache-2.0
#include "truth/fit_kernels.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "truth/fit_subject.h"
#include "truth/kernel_predict.h"
#include "truth/least_squares.h"
#include "units/elementary.h"

namespace fareline {
namespace {

// A row ready to be fitted: what it asks of which kernels, and the time it took.
struct Sample {
  KernelTask task;
  const System* system = nullptr;
  double measured = 0;
  std::string_view table, version;
};

// One number of an entry, as the solver sees it.
struct Parameter {
  enum class Scale { linear, logarithm } scale;
  double low, high, start;                     // in the unit of `set`
  void (*set)(Efficiency&, double);
  double (*get)(const Efficiency&);
};
double seen(const Parameter& p, double value) { return p.scale == Parameter::Scale::logarithm ? natural_log(value) : value; }
double meant(const Parameter& p, double value) { return p.scale == Parameter::Scale::logarithm ? exponential(value) : value; }

using Scale = Parameter::Scale;
constexpr Parameter peak{Scale::logarithm, 0.01, 1, 0.6, [](Efficiency& e, double v) { e.peak_share = v; },
                         [](const Efficiency& e) { return e.peak_share; }};
constexpr Parameter bandwidth{Scale::logarithm, 0.01, 1, 0.8, [](Efficiency& e, double v) { e.bandwidth_share = v; },
                              [](const Efficiency& e) { return e.bandwidth_share; }};
constexpr Parameter latency{Scale::logarithm, 0.3, 1000, 8, [](Efficiency& e, double v) { e.latency = v * unit::us; },
                            [](const Efficiency& e) { return e.latency.in(unit::us); }};
constexpr Parameter serial{Scale::linear, 0, 1, 0.3, [](Efficiency& e, double v) { e.serial_share = v; },
                           [](const Efficiency& e) { return e.serial_share; }};
constexpr Parameter item{Scale::linear, 0, 100, 0.5, [](Efficiency& e, double v) { e.item_time = v * unit::us; },
                         [](const Efficiency& e) { return e.item_time.in(unit::us); }};
constexpr Parameter depth{Scale::linear, 0, 100, 2, [](Efficiency& e, double v) { e.depth_time = v * unit::ns; },
                          [](const Efficiency& e) { return e.depth_time.in(unit::ns); }};
constexpr double endless = 1e6;  // steps of a chain that is never split
constexpr Parameter depth_most{Scale::logarithm, 16, endless, 4000, [](Efficiency& e, double v) { e.depth_most = v; },
                               [](const Efficiency& e) { return e.depth_most > 0 ? e.depth_most : endless; }};
constexpr Parameter softmax{Scale::linear, 0, 400, 30, [](Efficiency& e, double v) { e.softmax_dims = v; },
                            [](const Efficiency& e) { return e.softmax_dims; }};
constexpr Parameter peer{Scale::linear, 0, 100, 0.3, [](Efficiency& e, double v) { e.peer_latency = v * unit::us; },
                         [](const Efficiency& e) { return e.peer_latency.in(unit::us); }};
constexpr Parameter second_latency{Scale::linear, 0, 300, 5, [](Efficiency& e, double v) { e.second_latency = v * unit::us; },
                                   [](const Efficiency& e) { return e.second_latency.in(unit::us); }};
constexpr Parameter second{Scale::logarithm, 0.01, 1, 0.7, [](Efficiency& e, double v) { e.second_share = v; },
                           [](const Efficiency& e) { return e.second_share; }};

std::vector<Parameter> parameters_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::elementwise: return {bandwidth, latency};
    case Kernel::gemm:
    case Kernel::grouped_gemm:
    case Kernel::attention_decode:
    case Kernel::mla_decode:
    case Kernel::recurrent_prefill:
    case Kernel::recurrent_decode: return {peak, bandwidth, latency, serial, item, depth, depth_most};
    case Kernel::attention_prefill:
    case Kernel::mla_prefill: return {peak, bandwidth, latency, serial, item, depth, depth_most, softmax};
    case Kernel::sparse_index: return {peak, bandwidth, latency, serial, item};
    case Kernel::all_to_all: return {bandwidth, latency, peer, second_latency, second, item};
    default: return {bandwidth, latency, peer, second_latency, second};
  }
}

// A number of few digits, as calibrations state them.
double rounded(double value) { return std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr); }

Efficiency with(Efficiency e, std::span<const Parameter> parameters, std::span<const double> values, bool final) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const double v = std::clamp(meant(parameters[i], values[i]), parameters[i].low, parameters[i].high);
    parameters[i].set(e, final ? rounded(v) : v);
  }
  return e;
}

// The fit of one kernel and format over samples.
struct Group {
  Kernel kernel;
  Format format;
  const Calibration& others;    // what the parts of other kernels of a sample take
  std::span<const Sample> samples;

  double logarithm_of_error(const Sample& s, const Efficiency& e) const {
    Seconds total;
    for (const KernelPart& p : s.task.parts)
      total += part_time(p, *s.system, p.kernel == kernel && p.kept == format ? e : others.at(p.kernel, p.kept));
    return natural_log(total.coherent() / s.measured);
  }

  std::vector<double> errors(const Efficiency& e, std::span<const std::size_t> rows) const {
    std::vector<double> out;
    for (const std::size_t r : rows) out.push_back(std::abs(exponential(logarithm_of_error(samples[r], e)) - 1));
    return out;
  }

  LeastSquares fit(const Efficiency& frame, std::span<const Parameter> parameters, std::span<const std::size_t> rows,
                   std::vector<double> start, int steps) const {
    std::vector<double> low, high;
    for (const Parameter& p : parameters) {
      low.push_back(seen(p, p.low));
      high.push_back(seen(p, p.high));
    }
    const Residuals residuals = [&](std::span<const double> at, std::span<double> out) {
      const Efficiency e = with(frame, parameters, at, false);
      for (std::size_t i = 0; i < rows.size(); ++i) out[i] = logarithm_of_error(samples[rows[i]], e);
    };
    return least_squares(residuals, rows.size(), std::move(start), low, high, 0.1, steps);
  }
};

std::vector<std::size_t> spread(std::size_t count, std::size_t most) {
  std::vector<std::size_t> rows;
  const double step = std::max(1.0, static_cast<double>(count) / static_cast<double>(most));
  for (double at = 0; at < static_cast<double>(count); at += step) rows.push_back(static_cast<std::size_t>(at));
  return rows;
}

KernelFit fitted(const Group& group, const Efficiency& base, const KernelFitRequest& request) {
  const auto parameters = parameters_of(group.kernel);
  const std::size_t count = group.samples.size();
  std::vector<std::size_t> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = i;
  const auto rows = spread(count, request.most_rows);
  Efficiency frame = base;
  frame.evidence = {};

  // Starts: the base's entry; plain values with chains that matter and that do not.
  std::vector<std::vector<double>> starts(3);
  for (const Parameter& p : parameters) {
    starts[0].push_back(seen(p, std::clamp(p.get(base), p.low, p.high)));
    starts[1].push_back(seen(p, p.start));
    starts[2].push_back(seen(p, p.set == depth_most.set ? 200 : p.set == item.set ? 3 : p.set == serial.set ? 0.8 : p.start));
  }
  LeastSquares best;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const LeastSquares found = group.fit(frame, parameters, rows, starts[i], 60);
    if (i == 0 || found.cost < best.cost) best = found;
  }
  KernelFit fit{.kernel = group.kernel, .format = group.format, .efficiency = with(frame, parameters, best.parameters, true)};
  Efficiency& e = fit.efficiency;
  double deepest = 0;
  for (const Sample& s : group.samples)
    for (const KernelPart& p : s.task.parts)
      if (p.kernel == group.kernel) deepest = std::max(deepest, p.work.depth);
  if (e.depth_most >= deepest || e.depth_time <= Seconds{}) e.depth_most = 0;
  e.fitted = true;
  fit.fitted_error = quantile(group.errors(e, all), 0.5);
  fit.base_error = quantile(group.errors(base, all), 0.5);

  // Every row by a fit that has not seen it.
  std::vector<double> held_out, ratios;
  const int folds = std::min<int>(request.folds, static_cast<int>(count));
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<std::size_t> seen_rows, unseen;
    for (const std::size_t r : rows) (static_cast<int>(r % static_cast<std::size_t>(folds)) == fold ? unseen : seen_rows).push_back(r);
    if (seen_rows.empty() || unseen.empty()) continue;
    const Efficiency without = with(frame, parameters, group.fit(frame, parameters, seen_rows, best.parameters, 15).parameters, false);
    for (const std::size_t r : unseen) {
      const double ratio = exponential(group.logarithm_of_error(group.samples[r], without));
      held_out.push_back(std::abs(ratio - 1));
      ratios.push_back(1 / ratio);
    }
  }
  std::set<std::string_view> tables;
  for (const Sample& s : group.samples) tables.insert(s.table);
  e.evidence.rows = static_cast<int>(count);
  for (const std::string_view table : tables) e.evidence.tables += (e.evidence.tables.empty() ? "" : ", ") + std::string(table);
  if (!held_out.empty()) {
    e.evidence.median_error = rounded(quantile(held_out, 0.5));
    e.evidence.band = {rounded(quantile(ratios, 0.1)), rounded(quantile(ratios, 0.9))};
  }
  return fit;
}

// Libraries whose kernels every engine may call.
bool serves_any(std::string_view stack) { return stack == "nccl" || stack == "pytorch"; }

}  // namespace

Expected<KernelFits> fit_kernels(const Catalogue& catalogue, std::span<const KernelTiming> rows, const KernelFitRequest& request,
                                 const FitProgress& progress) {
  const auto subject = fit_subject(catalogue, request.chip, request.stack);
  if (!subject) return std::unexpected(subject.error());
  KernelFits out{.calibration = request.base, .rows = rows.size()};
  KernelTasks tasks(catalogue);
  std::map<std::string, std::size_t> reasons;
  // Rows of the stack itself, and those of libraries, by kernel and format.
  std::map<std::pair<Kernel, Format>, std::vector<Sample>> own, libraries;
  std::set<std::string> other_chips, other_stacks;
  for (const KernelTiming& row : rows) {
    const auto refuse = [&](const std::string& why) { ++reasons[why]; };
    if (!row.refusal.empty()) {
      refuse(row.refusal);
      continue;
    }
    const auto system = tasks.system(row.setup);
    if (!system) {
      refuse(system.error());
      continue;
    }
    const Chip& chip = (*system)->chip;
    if (!subject->of(chip)) {
      other_chips.insert(chip.name);
      refuse("of another chip");
      continue;
    }
    const bool library = serves_any(row.setup.stack) && row.setup.stack != subject->engine;
    if (!library && !subject->under(row.setup.stack, row.setup.version)) {
      other_stacks.insert(row.setup.version.empty() ? row.setup.stack : row.setup.stack + "-" + row.setup.version);
      refuse("of another stack");
      continue;
    }
    auto task = tasks.task(row.setup, request.base);
    if (!task) {
      refuse(task.error());
      continue;
    }
    if (row.measured < task->floor) {
      refuse("faster than memory and multipliers allow, so out of a cache");
      continue;
    }
    const auto key = entry_of(row.setup, *task);
    (library ? libraries : own)[key].push_back({std::move(*task), *system, row.measured.coherent(), row.table,
                                                 library ? std::string_view() : row.setup.version});
  }
  for (auto& [key, samples] : libraries) {
    const bool has_own = std::any_of(own.begin(), own.end(), [&](const auto& o) { return o.first.first == key.first; });
    if (has_own) reasons["of a library, where the engine has timings of its own"] += samples.size();
    else own[key] = std::move(samples);
  }
  for (auto it = own.begin(); it != own.end();) {
    if (it->second.size() >= request.least_rows) {
      ++it;
      continue;
    }
    reasons[fmt::format("fewer than {} of their kernel and format", request.least_rows)] += it->second.size();
    it = own.erase(it);
  }
  for (const auto& [reason, count] : reasons) out.refused.push_back({reason, count});
  std::stable_sort(out.refused.begin(), out.refused.end(), [](const Refusal& a, const Refusal& b) { return a.rows > b.rows; });
  if (own.empty()) {
    const auto listed = [](const std::set<std::string>& names) {
      std::string text;
      for (const std::string& n : names) text += (text.empty() ? "" : ", ") + n;
      return text;
    };
    std::string there;
    if (!other_stacks.empty()) there = "give --stack one of " + listed(other_stacks);
    else if (!other_chips.empty()) there = "give --chip one of " + listed(other_chips);
    else there = "give tables of kernels of this chip";
    return fail("MEASUREMENTS", fmt::format("hold no timing of {} under {} that can be used", request.chip, request.stack), there);
  }

  for (auto& row : out.calibration.kernels)
    for (Efficiency& e : row)
      if (request.base.chip != request.chip || request.base.stack != request.stack) {
        e.fitted = false;
        e.evidence = {};
      }
  // Mixers whole come last: their products and attention are fitted by then.
  std::vector<std::pair<Kernel, Format>> order;
  for (const bool mixers : {false, true})
    for (const auto& [key, samples] : own)
      if ((key.first == Kernel::sparse_index) == mixers) order.push_back(key);
  std::map<Kernel, std::vector<Format>> formats_fitted;
  std::set<std::string_view> versions;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto& [kernel, format] = order[i];
    const std::vector<Sample>& samples = own.at(order[i]);
    if (progress) progress(i, order.size(), kernel, format, samples.size());
    Efficiency& entry = out.calibration.kernels[static_cast<std::size_t>(kernel)][static_cast<std::size_t>(format)];
    out.fits.push_back(fitted({kernel, format, out.calibration, samples}, entry, request));
    entry = out.fits.back().efficiency;
    formats_fitted[kernel].push_back(format);
    out.used += samples.size();
    for (const Sample& s : samples)
      if (!s.version.empty()) versions.insert(s.version);
  }
  for (const std::string_view version : versions) out.versions += (out.versions.empty() ? "" : ", ") + std::string(version);
  // Formats that multiply and stream alike take bf16's entry where that was fitted and they were not.
  for (const auto& [kernel, formats_of] : formats_fitted) {
    auto& row = out.calibration.kernels[static_cast<std::size_t>(kernel)];
    const auto has = [&](Format f) { return std::find(formats_of.begin(), formats_of.end(), f) != formats_of.end(); };
    if (!has(Format::bf16)) continue;
    const Efficiency& wide = row[static_cast<std::size_t>(Format::bf16)];
    for (const Format f : {Format::fp64, Format::fp32, Format::tf32, Format::fp16})
      if (!has(f)) row[static_cast<std::size_t>(f)] = wide;
    const bool same_for_all = kernel >= Kernel::recurrent_prefill && kernel != Kernel::all_to_all;
    if (same_for_all)
      for (std::size_t f = 0; f < row.size(); ++f)
        if (!has(static_cast<Format>(f))) row[f] = wide;
  }
  return out;
}

}  // namespace fareline
