// SPDX-License-Identifier: Apache-2.0
// The question "simulate": requests through a fleet, event by event.
#include "api/simulate.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/asking.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "api/simulate_inputs.h"
#include "sim/archive.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

// Tells two observers.
class Both : public Observer {
 public:
  Both(Observer& first, Observer* second) : first_(first), second_(second) {}
  void finished(const Finished& request) override {
    first_.finished(request);
    if (second_) second_->finished(request);
  }
  void changed(const ReplicaState& state) override {
    if (first_.wants_states()) first_.changed(state);
    if (second_ && second_->wants_states()) second_->changed(state);
  }
  void stepped(const StepRun& run) override {
    if (first_.wants_steps()) first_.stepped(run);
    if (second_ && second_->wants_steps()) second_->stepped(run);
  }
  bool wants_states() const override { return first_.wants_states() || (second_ && second_->wants_states()); }
  bool wants_steps() const override { return first_.wants_steps() || (second_ && second_->wants_steps()); }

 private:
  Observer& first_;
  Observer* second_;
};

// Where nobody watches a run, it ends after so many events: some ten seconds' worth.
constexpr std::uint64_t most_events_unwatched = 20'000'000;
class Nothing : public Surroundings {
 public:
  bool go_on(const Totals& totals, const Save&) override { return totals.events < most_events_unwatched; }
};

// Every event until the end, or until the surroundings have enough.
Expected<void> take_all(Simulation& simulation, const Traffic& traffic, Surroundings& around, const Surroundings::Save& save,
                        Simulated& run) {
  while (simulation.advance(65'536)) {
    if (around.go_on(simulation.totals(), save)) continue;
    run.complete = false;
    break;
  }
  if (const Error* error = traffic.failed()) return std::unexpected(*error);
  run.totals = simulation.totals();
  run.measures.end(run.totals.now);
  return {};
}

Expected<Json> answered(Inputs& inputs, const Catalogue& catalogue, Surroundings& around) {
  auto scenario = read_scenario(inputs, catalogue, around);
  if (!scenario) return std::unexpected(scenario.error());
  if (scenario->reason) {
    Json warnings = Json::array();
    for (const std::string& w : scenario->warnings) warnings.push_back(w);
    return Json{{"answer", infeasible_answer(*scenario->reason, "")}, {"explain", Json::object()}, {"warnings", std::move(warnings)}};
  }
  const auto run = simulated(*scenario, around);
  if (!run) return std::unexpected(run.error());
  if (const auto told = around.over(*scenario, *run); !told) return std::unexpected(told.error());
  Json result = simulation_answer(*scenario, *run);
  if (inputs.text("find_capacity") == "yes" && run->complete) {
    const double share = inputs.number("attainment").value_or(0.99);
    const auto capacity = find_capacity(*scenario, share, around);
    if (!capacity) return std::unexpected(capacity.error());
    result["answer"]["capacity"] = capacity_answer(*capacity, share);
    result["answer"]["figures"].push_back(capacity_figure(*capacity, scenario->objectives));
    if (!capacity->complete) result["warnings"].push_back("the search for the load at which the objectives break was stopped");
  }
  return result;
}

Expected<Json> answer_simulate(Inputs& inputs, const Catalogue& catalogue) {
  Nothing around;
  return answered(inputs, catalogue, around);
}

// A watch for surroundings.
class Watched : public Surroundings {
 public:
  Watched(const Inputs& inputs, const Watch& watch) : inputs_(inputs), watch_(watch) {}
  bool go_on(const Totals& totals, const Save&) override {
    const double due = inputs_.number("requests").value_or(0);
    return watch_(due > 0 ? std::min(1.0, static_cast<double>(totals.requests) / due) : 0);
  }

 private:
  const Inputs& inputs_;
  const Watch& watch_;
};

}  // namespace

Expected<Json> answer_simulate_watched(Inputs& inputs, const Catalogue& catalogue, const Watch& watch) {
  if (!watch) return answer_simulate(inputs, catalogue);
  Watched around(inputs, watch);
  return answered(inputs, catalogue, around);
}

Expected<Simulated> simulated(const Scenario& scenario, Surroundings& around) {
  auto traffic = scenario.traffic.make(around);
  if (!traffic) return std::unexpected(traffic.error());
  Simulated run{.measures = Measures(scenario.fleet, scenario.objectives)};
  Both observer(run.measures, around.observer());
  const std::string_view bytes = around.checkpoint();
  auto simulation = [&]() -> Expected<Simulation> {
    if (bytes.empty()) return Simulation::start(scenario.fleet, **traffic, observer);
    Archive archive(bytes);
    std::string asked, state;
    archive(asked, state);
    run.measures.archive(archive);
    if (archive.failed() || !archive.at_end())
      return fail("checkpoint", "is damaged or cut short", "resume from one that was written whole");
    if (asked != scenario.asked) return fail("checkpoint", "was taken of another run", "resume with the inputs that run was started with");
    return Simulation::resume(scenario.fleet, **traffic, observer, state);
  }();
  if (!simulation) return std::unexpected(simulation.error());
  const auto save = [&]() -> Expected<std::string> {
    auto state = simulation->checkpoint();
    if (!state) return state;
    std::string all, asked = scenario.asked;
    Archive archive(all);
    archive(asked, *state);
    run.measures.archive(archive);
    return all;
  };
  if (const auto ended = take_all(*simulation, **traffic, around, save, run); !ended) return std::unexpected(ended.error());
  return run;
}

Expected<Simulated> simulated_at(const Scenario& scenario, Surroundings& around, double faster) {
  auto traffic = scenario.traffic.make(around, faster);
  if (!traffic) return std::unexpected(traffic.error());
  Simulated run{.measures = Measures(scenario.fleet, scenario.objectives)};
  auto simulation = Simulation::start(scenario.fleet, **traffic, run.measures);
  if (!simulation) return std::unexpected(simulation.error());
  if (const auto ended = take_all(*simulation, **traffic, around, {}, run); !ended) return std::unexpected(ended.error());
  return run;
}

Expected<Json> ask_simulation(const Json& question, const Catalogue& catalogue, Surroundings& around) {
  return ask_with(question, catalogue, [&](Inputs& inputs) { return answered(inputs, catalogue, around); });
}

Question simulate_question() {
  return {"simulate", "requests through a fleet, event by event: queues, bursts, caches and tails, and what they cost",
          "--model meta-llama/Llama-3.1-70B --system hgx-h100 --tp 4 --rate 2/s --prompt lognormal:1024,0.8 --output lognormal:256,1.0",
          simulate_inputs, answer_simulate, plot_figures};
}

}  // namespace fareline
