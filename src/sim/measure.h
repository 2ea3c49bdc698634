// SPDX-License-Identifier: Apache-2.0
// What a run is judged by, collected while it runs: times of requests, objectives met, occupancy, work done.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/fleet.h"
#include "sim/measure_means.h"
#include "sim/measure_series.h"
#include "sim/measure_sketch.h"

namespace fareline {

// What a request must keep to count as good; zero: anything.
struct Objectives {
  Seconds ttft, tpot, e2e;
};

// A time of requests: its spread, and how sure its mean is.
struct Spread {
  DurationSketch sketch;
  BatchMeans means;
  void add(Seconds value) {
    sketch.add(value);
    means.add(value);
  }
  template <class Archive>
  void archive(Archive& archive) { archive(sketch, means); }
};

// Steps of one pool that carried prompts, by the sequences they decoded beside, and the others.
struct StepWork {
  static constexpr std::size_t most_decoding = 4096;
  std::vector<std::uint64_t> mixed_steps = std::vector<std::uint64_t>(most_decoding);  // [decoding]
  std::vector<Seconds> mixed_time = std::vector<Seconds>(most_decoding);
  Seconds decode_time;
  std::uint64_t decode_steps = 0;
  Flops flops;
  Bytes moved;
  template <class Archive>
  void archive(Archive& archive) { archive(mixed_steps, mixed_time, decode_time, decode_steps, flops, moved); }
};

// Memory does not grow with the run: 0.9 MB, and 100 kB a pool.
class Measures : public Observer {
 public:
  Measures(const Fleet& fleet, Objectives objectives);
  void finished(const Finished& request) override;
  void changed(const ReplicaState& state) override;
  void stepped(const StepRun& run) override;
  bool wants_states() const override { return true; }
  bool wants_steps() const override { return true; }
  // The run has come to `now`: the last levels held until then.
  void end(Seconds now);

  // Of answered requests. TTFT and end-to-end from arrival; TPOT over the tokens after the first, of answers of two or more; ITL of
  // every token after the first: the step that brought it.
  Spread ttft, tpot, e2e, waiting;
  DurationSketch itl;
  std::uint64_t answered = 0, good = 0, with_hits = 0;
  std::int64_t good_output_tokens = 0;
  TimeSeries series;
  std::vector<StepWork> work;   // a pool
  Level level;                  // of the whole fleet, now
  std::vector<ReplicaState> replicas;

  // Everything above, to be written or read back.
  template <class Archive>
  void archive(Archive& archive) {
    archive(ttft, tpot, e2e, waiting, itl, answered, good, with_hits, good_output_tokens, series, work, level, replicas);
  }

 private:
  Objectives objectives_;
  std::vector<std::size_t> pool_of_;  // [replica]
};

}  // namespace fareline
