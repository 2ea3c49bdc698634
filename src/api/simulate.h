// SPDX-License-Identifier: Apache-2.0
// The question "simulate": what it is asked of, and the run behind its answer. Whoever has files, a clock, threads and a keyboard lends
// them through Surroundings.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/serve.h"
#include "sim/fleet.h"
#include "sim/measure.h"
#include "sim/traffic_bytes.h"
#include "sim/traffic_generated.h"
#include "sim/traffic_trace.h"

namespace fareline {

struct Scenario;
struct Simulated;

// What a run may use of the machine it runs on; by default nothing. All of it inline: apps, which have RTTI, derive from it, and this layer
// has none.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // The bytes of the trace or table at `path`. Errors: cannot be read; there are no files here.
  virtual Expected<std::unique_ptr<ByteSource>> open(const std::string& path) {
    return fail(in_quotes(path), "is a file, and there are none here", "give the rows of a trace as a list, or a law");
  }
  // Asked every 65,536 events, by several runs at once where `each` runs several; `save` gives the whole state as bytes, from which
  // `checkpoint` goes on, and is empty where a run is one of many. false: stop, and report.
  using Save = std::function<Expected<std::string>()>;
  virtual bool go_on(const Totals& totals, const Save& save) { return (void)totals, (void)save, true; }
  // Told what happens, beside the measures of the answer.
  virtual Observer* observer() { return nullptr; }
  // The bytes of a state to go on from; empty: from the beginning.
  virtual std::string_view checkpoint() const { return {}; }
  // The run asked for is over. Errors: what could not be written.
  virtual Expected<void> over(const Scenario& scenario, const Simulated& run) { return (void)scenario, (void)run, Expected<void>(); }
  // Calls `one` with 0 to count - 1, in any order, perhaps several at once.
  virtual void each(std::size_t count, const std::function<void(std::size_t)>& one) {
    for (std::size_t i = 0; i < count; ++i) one(i);
  }
};

// Requests that can be had again, with time running `faster`.
struct TrafficSource {
  std::optional<TrafficLaw> law;
  std::string path;                              // a trace, where there is no law
  std::shared_ptr<const std::string> rows;       // the same in memory
  TraceChoice choice;
  Expected<std::unique_ptr<Traffic>> make(Surroundings& around, double faster = 1) const;
};

// Everything a run is started with. Plans stay where they are while it is moved.
struct Scenario {
  Situation situation;
  std::unique_ptr<const CompiledPlan> compiled, compiled_prefill;
  Fleet fleet;
  Objectives objectives;
  TrafficSource traffic;
  Workload usual;                                // mean lengths, and
  Frequency offered{};                           // requests a second, as far as they are known before the run
  std::string asked;                             // the inputs as text: a checkpoint belongs to those it was taken with
  std::vector<std::string> warnings;
  std::optional<Infeasible> reason;              // why nothing can be run
  double chips() const;
};
Expected<Scenario> read_scenario(Inputs& inputs, const Catalogue& catalogue, Surroundings& around);

// A run that is over, or was stopped.
struct Simulated {
  Totals totals;
  Measures measures;
  bool complete = true;
};
// Runs `scenario`. Errors: those of the traffic, and of a checkpoint that does not belong to it.
Expected<Simulated> simulated(const Scenario& scenario, Surroundings& around);
// The same with time running `faster`, one of many runs: from the beginning, told to nobody. Errors: those of the traffic.
Expected<Simulated> simulated_at(const Scenario& scenario, Surroundings& around, double faster);

// {"answer", "run", "explain", "warnings"} of a run.
nlohmann::ordered_json simulation_answer(const Scenario& scenario, const Simulated& run);

// The load at which the objectives break.
struct LoadPoint {
  double faster = 1;                             // over the load asked for
  Frequency offered;                             // requests a second
  double kept = 0;                               // share of the requests that kept all objectives
  Seconds ttft_mean, ttft_p99, tpot_mean, tpot_p99;
};
struct Capacity {
  std::vector<LoadPoint> points;                 // by load
  std::optional<LoadPoint> most;                 // the largest found at which `share` of the requests keep the objectives
  bool open = false;                             // even the largest load tried keeps them
  bool complete = true;                          // false: a run was stopped, and the search with it
};
// Searches by bisection over the same draws at every load. Errors: as simulated.
Expected<Capacity> find_capacity(const Scenario& scenario, double share, Surroundings& around);
nlohmann::ordered_json capacity_answer(const Capacity& capacity, double share);
nlohmann::ordered_json capacity_figure(const Capacity& capacity, const Objectives& objectives);

// Answers {"question": "simulate", ...} in these surroundings, as ask() does in none.
Expected<nlohmann::ordered_json> ask_simulation(const nlohmann::ordered_json& question, const Catalogue& catalogue, Surroundings& around);

}  // namespace fareline
