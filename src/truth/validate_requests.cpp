// SPDX-License-Identifier: Apache-2.0
#include "truth/validate_requests.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "sim/fleet.h"
#include "truth/batch.h"

namespace fareline {
namespace {

class Arrivals : public Traffic {
 public:
  explicit Arrivals(const std::vector<TimedRequest>& requests) : requests_(requests) {}
  std::optional<Request> next() override {
    if (next_ == requests_.size()) return std::nullopt;
    const TimedRequest& r = requests_[next_];
    return Request{.id = next_++, .arrival = r.arrival, .prompt = r.prompt, .output = r.output};
  }

 private:
  const std::vector<TimedRequest>& requests_;
  std::size_t next_ = 0;
};

// What became of each request, and what all replicas held at given moments.
class Watch : public Observer {
 public:
  Watch(std::vector<SimulatedRequest>& requests, std::vector<LoadSample>& load, std::size_t replicas)
      : requests_(requests), load_(load), states_(replicas) {}
  void finished(const Finished& r) override {
    if (r.outcome != Outcome::answered) return;
    SimulatedRequest& one = requests_[r.id];
    one.ttft = r.first_token - r.arrival;
    one.e2e = r.finish - r.arrival;
    if (r.output > 1) one.tpot = (one.e2e - one.ttft) / static_cast<double>(r.output - 1);
    one.answered = true;
  }
  void changed(const ReplicaState& state) override {
    hold_until(state.at);
    states_[static_cast<std::size_t>(state.replica)] = state;
  }
  bool wants_states() const override { return true; }
  void end() {
    if (!load_.empty()) hold_until(load_.back().at + 1 * unit::s);
  }

 private:
  void hold_until(Seconds at) {
    for (; next_ < load_.size() && load_[next_].at < at; ++next_)
      for (const ReplicaState& s : states_) {
        load_[next_].running += static_cast<double>(s.prefilling + s.decoding);
        load_[next_].waiting += static_cast<double>(s.waiting);
      }
  }
  std::vector<SimulatedRequest>& requests_;
  std::vector<LoadSample>& load_;
  std::vector<ReplicaState> states_;
  std::size_t next_ = 0;
};

bool has_experts(const Model& model) {
  return std::any_of(model.kinds.begin(), model.kinds.end(), [](const Layer& layer) { return layer.feed_forward.experts > 0; });
}

// The model of that name, or the one it was tuned from, which has its shapes: "-Instruct-2507" and the like taken off.
Expected<Model> model_or_base(const Catalogue& catalogue, std::string name) {
  const auto stated = catalogue.model(name);
  for (auto found = stated;; found = catalogue.model(name)) {
    if (found) return found;
    const auto dash = name.rfind('-');
    if (dash == std::string::npos) return stated;
    const std::string word = name.substr(dash + 1);
    const bool date = std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    constexpr std::array<std::string_view, 5> tuned{"Instruct", "Chat", "Thinking", "Base", "it"};
    if (!date && std::find(tuned.begin(), tuned.end(), word) == tuned.end()) return stated;
    name.resize(dash);
  }
}

std::array<MomentPair, 4> moments(std::vector<double> predicted, std::vector<double> measured) {
  const auto all = [](std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return std::array<double, 4>{sum / static_cast<double>(values.size()), quantile(values, 0.5), quantile(values, 0.9),
                                 quantile(values, 0.99)};
  };
  const auto p = all(predicted), m = all(measured);
  std::array<MomentPair, 4> pairs;
  for (std::size_t i = 0; i < 4; ++i) pairs[i] = {Seconds::from_coherent(p[i]), Seconds::from_coherent(m[i])};
  return pairs;
}

void compare(RunComparison& c) {
  std::array<std::vector<double>, 3> predicted, measured;
  Seconds predicted_end, measured_end;
  for (std::size_t i = 0; i < c.run.requests.size(); ++i) {
    const TimedRequest& m = c.run.requests[i];
    const SimulatedRequest& p = c.prediction.requests[i];
    if (!p.answered) continue;
    ++c.answered;
    const auto add = [&](RequestTime time, Seconds here, Seconds there) {
      predicted[static_cast<std::size_t>(time)].push_back(here.coherent());
      measured[static_cast<std::size_t>(time)].push_back(there.coherent());
    };
    add(RequestTime::ttft, p.ttft, m.ttft);
    add(RequestTime::e2e, p.e2e, m.e2e);
    if (m.output > 1) add(RequestTime::tpot, p.tpot, m.tpot());
    predicted_end = max(predicted_end, m.arrival + p.e2e);
    measured_end = max(measured_end, m.arrival + m.e2e);
  }
  for (std::size_t t = 0; t < 3; ++t)
    if (!predicted[t].empty()) c.times[t] = moments(std::move(predicted[t]), std::move(measured[t]));
  if (c.answered > 0) c.length = {predicted_end - c.run.requests.front().arrival, measured_end - c.run.requests.front().arrival};
  double running = 0, waiting = 0, most_running = 0, most_waiting = 0;
  for (std::size_t i = 0; i < c.run.load.size(); ++i) {
    running += std::abs(c.prediction.load[i].running - c.run.load[i].running);
    waiting += std::abs(c.prediction.load[i].waiting - c.run.load[i].waiting);
    most_running = std::max(most_running, c.run.load[i].running);
    most_waiting = std::max(most_waiting, c.run.load[i].waiting);
  }
  const double samples = static_cast<double>(c.run.load.size());
  if (most_running > 0) c.running_error = running / samples / most_running;
  if (most_waiting > 0) c.waiting_error = waiting / samples / most_waiting;
}

}  // namespace

std::expected<RequestPrediction, std::string> predict(const Catalogue& catalogue, const RequestRun& run, std::string_view named) {
  if (!run.refusal.empty()) return std::unexpected(run.refusal);
  if (run.requests.empty()) return std::unexpected("the table of its requests is missing");
  const ServingSetup& s = run.setup;
  const auto model = model_or_base(catalogue, s.model);
  if (!model) return std::unexpected("the model is unknown");
  const auto system = catalogue.system(s.system);
  if (!system) return std::unexpected("the system is unknown");
  auto calibration = named.empty() ? catalogue.calibration_for(system->chip, s.stack) : catalogue.calibration(named);
  if (!calibration) return std::unexpected("no calibration is known for the chip");
  calibration->engine.prompt = {};
  PoolLayout layout = s.layout;
  if (!has_experts(*model)) layout.replicas *= layout.dp, layout.dp = 1;
  const auto compiled = compile(*model, *system, *calibration, plan_of(s, layout));
  if (!compiled) return std::unexpected(reason(compiled.error()));
  auto pool = pool_of(*model, *system, *compiled);
  if (!pool) return std::unexpected(reason(pool.error()));
  pool->sequences_most = static_cast<int>(s.sequences) * layout.dp;
  if (run.kv_tokens > 0) pool->pages = static_cast<std::int64_t>(run.kv_tokens / compiled->plan().page_tokens);

  RequestPrediction prediction{.calibration = calibration->name};
  prediction.requests.resize(run.requests.size());
  for (const LoadSample& sample : run.load) prediction.load.push_back({.at = sample.at});
  Watch watch(prediction.requests, prediction.load, static_cast<std::size_t>(pool->replicas));
  Arrivals arrivals(run.requests);
  Fleet fleet{.pools = {*pool}};
  const auto totals = fareline::run(std::move(fleet), arrivals, watch);
  if (!totals) return std::unexpected(totals.error().line());
  watch.end();
  return prediction;
}

RequestValidation validate_requests(const Catalogue& catalogue, std::vector<RequestRun> runs, std::string_view calibration) {
  RequestValidation validation;
  for (RequestRun& run : runs) {
    RunComparison c{.run = std::move(run)};
    auto prediction = predict(catalogue, c.run, calibration);
    if (prediction) {
      c.prediction = std::move(*prediction);
      compare(c);
    } else {
      c.run.refusal = prediction.error();
    }
    validation.runs.push_back(std::move(c));
  }
  return validation;
}

}  // namespace fareline
