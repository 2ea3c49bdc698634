// SPDX-License-Identifier: Apache-2.0
#include "perf/context.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fareline {

double sequences_that_fit(const Rooflines& r, Bytes capacity, Bytes kept) {
  const Bytes left = max(Bytes{}, capacity - r.total * r.element);
  return kept > Bytes{} ? left / kept : std::numeric_limits<double>::infinity();
}

Seconds decode_step_time(const Rooflines& r, double batch, const ContextWork& work) {
  return max(multiply_time(r, batch) + batch * work.flop / r.peak, weight_fetch_time(r) + kv_fetch_time(r, batch, work.read));
}

double largest_batch(const Rooflines& r, Bytes capacity, const SequenceLoad& load, Seconds pace) {
  double batch = std::min(sequences_that_fit(r, capacity, load.kept), pace / (multiply_time(r, 1) + load.work.flop / r.peak));
  if (load.work.read > Bytes{}) batch = std::min(batch, (pace - weight_fetch_time(r)) / kv_fetch_time(r, 1, load.work.read));
  else if (pace < weight_fetch_time(r)) batch = 1;
  return std::max(1.0, batch);
}

double systems_for_one(const Rooflines& r, Bytes capacity, Bytes kept) {
  const Bytes left = capacity - r.total * r.element;
  return left > Bytes{} ? std::max(1.0, std::ceil(kept / left)) : 0;
}

Seconds prompt_time(const Rooflines& r, double tokens, const std::function<Flops(double)>& attention) {
  constexpr int parts = 64;
  Flops mean{};
  for (int i = 0; i < parts; ++i) mean += attention(tokens * (i + 0.5) / parts) / parts;
  return multiply_time(r, tokens) + tokens * mean / r.peak;
}

BytesPerToken balanced_kv(double active, Bytes element, double ratio, double context) {
  return element * active / (ratio * context * unit::token);
}

BytesPerToken kv_of_heads(double layers, double kv_heads, double head_dim, Bytes element) {
  return 2 * layers * kv_heads * head_dim * element / unit::token;
}

Seconds decode_time_of_token(const Rooflines& r, Bytes capacity, const SequenceLoad& load, Seconds pace) {
  const double systems = systems_for_one(r, capacity, load.kept);
  if (systems > 1)
    return max(multiply_time(r, 1) + load.work.flop / r.peak, systems * weight_fetch_time(r) + kv_fetch_time(r, 1, load.work.read));
  const double batch = largest_batch(r, capacity, load, pace);
  return decode_step_time(r, batch, load.work) / batch;
}

Seconds decode_pace(const Rooflines& r, Bytes capacity, const SequenceLoad& load, Seconds pace) {
  const double systems = systems_for_one(r, capacity, load.kept);
  if (systems > 1) return decode_time_of_token(r, capacity, load, pace) / systems;
  return decode_step_time(r, largest_batch(r, capacity, load, pace), load.work);
}

double participation(double output) { return (output - 1) / (2 * output); }

}  // namespace fareline
