// SPDX-License-Identifier: Apache-2.0
// What went on over time, in at most so many equal stretches, whatever the length of the run.
#pragma once

#include <cstdint>
#include <vector>

#include "units/quantity.h"

namespace fareline {

// The state of a whole fleet between two changes.
struct Level {
  std::int64_t waiting = 0, running = 0;   // requests
  std::int64_t pages_used = 0, pages_cached = 0, pages = 0;  // of KV; `pages` of replicas that are up
  std::int64_t up = 0;                     // replicas
};

// One stretch: time integrals of the levels, and counts.
struct Stretch {
  Seconds covered;                         // of it, so far
  Seconds waiting, running;                // request-seconds
  double used = 0, cached = 0, pages = 0;  // page-seconds
  Seconds up;                              // replica-seconds
  std::uint64_t finished = 0;
  std::int64_t prompt_tokens = 0, output_tokens = 0;  // of requests that finished
};

// Stretches double in length when the run outgrows them, pair by pair, so that nothing is lost but resolution.
class TimeSeries {
 public:
  static constexpr std::size_t most_stretches = 512;
  // `level` held from the last call until `at`. Assumes: `at` never falls.
  void hold(const Level& level, Seconds at);
  void finish(Seconds at, std::int64_t prompt, std::int64_t output);
  Seconds length() const { return length_; }     // of a stretch
  const std::vector<Stretch>& stretches() const { return stretches_; }
  template <class Archive>
  void archive(Archive& archive) { archive(stretches_, length_, now_); }

 private:
  Stretch& at(Seconds moment);
  std::vector<Stretch> stretches_;
  Seconds length_ = 0x1p-10 * unit::s, now_;
};

}  // namespace fareline
