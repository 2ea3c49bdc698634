// SPDX-License-Identifier: Apache-2.0
#include "sim/measure.h"

#include <algorithm>

namespace fareline {

Measures::Measures(const Fleet& fleet, Objectives objectives) : objectives_(objectives) {
  for (std::size_t pool = 0; pool < fleet.pools.size(); ++pool)
    for (int i = 0; i < fleet.pools[pool].replicas; ++i) {
      pool_of_.push_back(pool);
      replicas.push_back({.replica = static_cast<int>(replicas.size()), .up = false});
    }
  work.resize(fleet.pools.size());
}

void Measures::finished(const Finished& request) {
  if (request.outcome != Outcome::answered) return;
  const Seconds first = request.first_token - request.arrival, whole = request.finish - request.arrival;
  const Seconds pace = request.output > 1 ? (request.finish - request.first_token) / static_cast<double>(request.output - 1) : Seconds{};
  ++answered;
  ttft.add(first);
  e2e.add(whole);
  waiting.add(request.start - request.arrival);
  if (request.output > 1) tpot.add(pace);
  if (request.cached > 0) ++with_hits;
  const auto kept = [](Seconds value, Seconds most) { return most == Seconds{} || value <= most; };
  if (kept(first, objectives_.ttft) && kept(pace, objectives_.tpot) && kept(whole, objectives_.e2e)) {
    ++good;
    good_output_tokens += request.output;
  }
  series.finish(request.finish, request.prompt, request.output);
}

void Measures::changed(const ReplicaState& state) {
  series.hold(level, state.at);
  ReplicaState& last = replicas[static_cast<std::size_t>(state.replica)];
  level.waiting += state.waiting - last.waiting;
  level.running += state.prefilling + state.decoding - last.prefilling - last.decoding;
  level.pages_used += state.pages_used - last.pages_used;
  level.pages_cached += state.pages_cached - last.pages_cached;
  level.pages += (state.up ? state.pages : 0) - (last.up ? last.pages : 0);
  level.up += state.up - last.up;
  last = state;
}

void Measures::stepped(const StepRun& run) {
  StepWork& w = work[pool_of_[static_cast<std::size_t>(run.replica)]];
  const Seconds lasts = run.end - run.begin;
  if (run.prefill_tokens > 0) {
    const auto decoding = static_cast<std::size_t>(std::min<std::int64_t>(run.decoding, StepWork::most_decoding - 1));
    w.mixed_steps[decoding] += static_cast<std::uint64_t>(run.steps);
    w.mixed_time[decoding] += lasts;
  } else {
    w.decode_steps += static_cast<std::uint64_t>(run.steps);
    w.decode_time += lasts;
  }
  w.flops += run.flops;
  w.moved += run.moved;
  if (run.decoding > 0) itl.add(lasts / static_cast<double>(run.steps), static_cast<std::uint64_t>(run.steps * run.decoding));
}

void Measures::end(Seconds now) { series.hold(level, now); }

}  // namespace fareline
