// SPDX-License-Identifier: Apache-2.0
#include "sim/measure_series.h"

#include <cmath>

namespace fareline {

// Grows until `moment` is inside the last stretch.
Stretch& TimeSeries::at(Seconds moment) {
  while (moment >= length_ * static_cast<double>(most_stretches)) {
    const std::size_t pairs = (stretches_.size() + 1) / 2;
    for (std::size_t i = 0; i < pairs; ++i) {
      Stretch one = stretches_[2 * i];
      if (2 * i + 1 < stretches_.size()) {
        const Stretch& other = stretches_[2 * i + 1];
        one.covered += other.covered, one.waiting += other.waiting, one.running += other.running, one.up += other.up;
        one.used += other.used, one.cached += other.cached, one.pages += other.pages;
        one.finished += other.finished, one.prompt_tokens += other.prompt_tokens, one.output_tokens += other.output_tokens;
      }
      stretches_[i] = one;
    }
    stretches_.resize(pairs);
    length_ *= 2;
  }
  const auto index = static_cast<std::size_t>(moment / length_);
  if (index >= stretches_.size()) stretches_.resize(index + 1);
  return stretches_[index];
}

void TimeSeries::hold(const Level& level, Seconds until) {
  while (now_ < until) {
    at(until);  // the stretches have their final length before time is dealt over them
    Stretch& stretch = at(now_);
    const Seconds end = min(until, length_ * (std::floor(now_ / length_) + 1));
    const Seconds lasts = end - now_;
    const auto weighed = [&](std::int64_t count) { return static_cast<double>(count) * lasts; };
    stretch.covered += lasts;
    stretch.waiting += weighed(level.waiting), stretch.running += weighed(level.running), stretch.up += weighed(level.up);
    stretch.used += weighed(level.pages_used).in(unit::s), stretch.cached += weighed(level.pages_cached).in(unit::s);
    stretch.pages += weighed(level.pages).in(unit::s);
    now_ = end;
  }
}

void TimeSeries::finish(Seconds moment, std::int64_t prompt, std::int64_t output) {
  Stretch& stretch = at(moment);
  ++stretch.finished;
  stretch.prompt_tokens += prompt;
  stretch.output_tokens += output;
}

}  // namespace fareline
