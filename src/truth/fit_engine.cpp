// SPDX-License-Identifier: Apache-2.0
#include "truth/fit_engine.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "units/elementary.h"

namespace fareline {
namespace {

// A parameter of the fit, its believable range, and where the search starts.
struct Parameter {
  double low, high, start;
};
enum : std::size_t { launch, memory, flop, step, sequence, prompt, wire, parameter_count };
using Point = std::array<double, parameter_count>;
constexpr std::array<Parameter, parameter_count> parameters{{
    {0.2, 1.0, 0.6},        // launch_share
    {0.5, 1.1, 0.9},        // memory_share
    {1.0, 1.5, 1.1},        // flop_share
    {0.05e-3, 2e-3, 1e-3},  // step, s
    {1e-6, 30e-6, 10e-6},  // sequence, s
    {2e-3, 400e-3, 30e-3},  // prompt, s
    {0.4, 1.0, 0.9},        // 1 - collective_overlap
}};

// Three digits are more than the rows tell.
double rounded(double value) {
  double scale = 1;
  while (value * scale < 100) scale *= 10;
  return std::round(value * scale) / scale;
}

EngineOverhead overhead(Point p) {
  for (double& value : p) value = rounded(value);
  return {.step = p[step] * unit::s,
          .sequence = p[sequence] * unit::s,
          .launch_share = p[launch],
          .memory_share = p[memory],
          .flop_share = p[flop],
          .prompt = p[prompt] * unit::s,
          .collective_overlap = std::round((1 - p[wire]) * 1000) / 1000};
}

// A row with what is looked up once.
struct Case {
  const ServingRow* row = nullptr;
  const Model* model = nullptr;
  System system;
  double weight = 1;
  int fold = 0;
};

struct Fitter {
  const Catalogue& catalogue;
  Calibration calibration;
  const EngineFitOptions& options;
  std::map<std::string, Model> models;
  std::vector<Case> cases;

  // The logarithms of predicted over measured of one row.
  struct Errors {
    std::array<std::optional<double>, metric_count> log;
  };
  std::optional<Errors> errors(const Case& c, double waves) const {
    ServingSetup setup = c.row->setup;
    if (setup.waves > 0) setup.waves = std::min(setup.waves, waves);
    const auto p = predict(catalogue, *c.model, c.system, calibration, setup, c.row->measured.counts_prompt, false);
    if (!p) return std::nullopt;
    Errors e;
    const auto add = [&](Metric metric, auto predicted, const auto& measured) {
      if (measured && measured->coherent() > 0 && predicted.coherent() > 0)
        e.log[static_cast<std::size_t>(metric)] = natural_log(predicted.coherent() / measured->coherent());
    };
    add(Metric::tpot, p->tpot.value, c.row->measured.tpot);
    add(Metric::ttft, p->ttft.value, c.row->measured.ttft);
    add(Metric::throughput, p->throughput.value, c.row->measured.throughput);
    return e;
  }

  double loss(const Point& p, int without) {
    calibration.engine = overhead(p);
    double sum = 0;
    for (const Case& c : cases) {
      if (c.fold == without || c.row->setup.sequences > options.most_users) continue;
      const auto e = errors(c, options.waves);
      if (!e) continue;
      for (std::size_t m = 0; m < metric_count; ++m) {
        if (!e->log[m]) continue;
        const double scaled = *e->log[m] / 0.1;
        sum += (m == static_cast<std::size_t>(Metric::tpot) ? 1 : 0.4) * natural_log(1 + scaled * scaled);
      }
    }
    return sum;
  }

  Point search(Point at, double first, int without) {
    double best = loss(at, without);
    for (double stride = first; stride > 0.02; stride /= 2) {
      for (int round = 0; round < 6; ++round) {
        bool moved = false;
        for (std::size_t k = 0; k < parameter_count; ++k) {
          for (const double sign : {1.0, -1.0}) {
            Point next = at;
            // Shares move in smaller steps than times do.
            const double size = k == launch || k == memory || k == flop || k == wire ? stride / 3 : stride;
            next[k] = std::clamp(at[k] * exponential(sign * size), parameters[k].low, parameters[k].high);
            if (next[k] == at[k]) continue;
            if (const double value = loss(next, without); value < best) {
              best = value;
              at = next;
              moved = true;
              break;
            }
          }
        }
        if (!moved) break;
      }
    }
    return at;
  }
};

Band band_of(std::vector<double> logs) {
  if (logs.empty()) return {};
  // The band multiplies the estimate: measured / predicted.
  for (double& v : logs) v = exponential(-v);
  return {std::min(1.0, rounded(quantile(logs, 0.1))), std::max(1.0, rounded(quantile(logs, 0.9)))};
}

}  // namespace

std::expected<EngineFit, std::string> fit_engine(const Catalogue& catalogue, const Calibration& measured, std::span<const ServingRow> rows,
                                                 const EngineFitOptions& options) {
  Fitter fitter{.catalogue = catalogue, .calibration = measured, .options = options, .models = {}, .cases = {}};
  std::map<std::string, int> groups;
  std::map<std::string, std::size_t> reasons;
  std::set<std::string> seen;
  for (const ServingRow& row : rows) {
    const ServingSetup& s = row.setup;
    const auto use = [&]() -> std::string {
      if (!row.refusal.empty()) return row.refusal;
      if (s.layout_open) return "its layout is not stated";
      if (s.load == Load::batch) return "nobody queues in a static batch";
      const auto system = catalogue.system(s.system);
      if (!system) return "the system is unknown";
      if (options.subject && !options.subject->of(system->chip)) return "of another chip";
      if (options.subject && !options.subject->under(s.stack, s.version)) return "of another stack";
      const std::string key = s.model + s.config;
      auto model = fitter.models.find(key);
      if (model == fitter.models.end()) {
        auto read = s.config.empty() ? catalogue.model(s.model) : read_model(s.model, s.config);
        if (!read) return "the model is unknown";
        model = fitter.models.emplace(key, std::move(*read)).first;
      }
      const std::string group = fmt::format("{}|{}|{}|{}|{}|{}|{}|{}", key, s.system, s.layout.tp, s.layout.dp, s.layout.ep, s.prompt,
                                            s.output, s.prefill.has_value());
      const auto number = [](const auto& value) { return value ? value->coherent() : 0.0; };
      const ServingMeasured& m = row.measured;
      if (!seen.insert(fmt::format("{}|{}|{}|{}|{}", group, s.sequences, number(m.tpot), number(m.ttft), number(m.throughput))).second)
        return "the same measurement again";
      Case c{.row = &row, .model = &model->second, .system = *system};
      if (!fitter.errors(c, 1)) return "it is not predicted with these kernels";
      const int fold = groups.emplace(group, static_cast<int>(groups.size())).first->second;
      c.fold = options.folds > 0 ? fold % options.folds : -1;
      fitter.cases.push_back(std::move(c));
      return {};
    };
    if (std::string why = use(); !why.empty()) ++reasons[std::move(why)];
  }
  if (fitter.cases.empty()) return std::unexpected("no row of serving measurements is predicted with these kernels");
  EngineFit fit;
  for (const auto& [reason, count] : reasons) fit.refused.push_back({reason, count});
  std::stable_sort(fit.refused.begin(), fit.refused.end(), [](const Refusal& a, const Refusal& b) { return a.rows > b.rows; });
  std::set<std::string> models;
  for (const Case& c : fitter.cases) models.insert(c.model->name);
  fit.models.assign(models.begin(), models.end());
  const auto told = [&](int done) {
    if (options.progress) options.progress(done, 1 + options.folds, fitter.cases.size());
  };
  told(0);
  Point start;
  for (std::size_t k = 0; k < parameter_count; ++k) start[k] = parameters[k].start;
  const Point all = fitter.search(start, 0.4, -2);

  std::array<std::vector<double>, metric_count> logs;
  std::array<std::vector<Comparison>, metric_count> fitted, left_out;
  const auto tell = [&](int fold, auto& into, bool keep_logs) {
    for (std::size_t i = 0; i < fitter.cases.size(); ++i) {
      const Case& c = fitter.cases[i];
      if (fold >= 0 && c.fold != fold) continue;
      const auto e = fitter.errors(c, c.row->setup.waves);
      if (!e) continue;
      for (std::size_t m = 0; m < metric_count; ++m) {
        if (!e->log[m]) continue;
        into[m].push_back({.row = i, .metric = static_cast<Metric>(m), .predicted = exponential(*e->log[m]), .measured = 1});
        if (keep_logs) logs[m].push_back(*e->log[m]);
      }
    }
  };
  for (int fold = 0; fold < options.folds; ++fold) {
    told(1 + fold);
    const Point p = fitter.search(all, 0.1, fold);
    fitter.calibration.engine = overhead(p);
    tell(fold, left_out, true);
  }
  fitter.calibration.engine = overhead(all);
  tell(-1, fitted, options.folds == 0);
  fit.engine = fitter.calibration.engine;
  fit.rows = fitter.cases.size();
  for (std::size_t m = 0; m < metric_count; ++m) {
    fit.fitted[m] = summarised(fitted[m]);
    fit.left_out[m] = summarised(left_out[m]);
  }
  fit.tpot = fit.pass = band_of(logs[static_cast<std::size_t>(Metric::tpot)]);
  fit.ttft = band_of(logs[static_cast<std::size_t>(Metric::ttft)]);
  const Band throughput = band_of(logs[static_cast<std::size_t>(Metric::throughput)]);
  // Tables without throughput: what the user waits for is TPOT.
  fit.throughput = logs[static_cast<std::size_t>(Metric::throughput)].empty() ? Band{rounded(1 / fit.tpot.high), rounded(1 / fit.tpot.low)}
                                                                                           : throughput;
  return fit;
}

}  // namespace fareline
