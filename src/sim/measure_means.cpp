// SPDX-License-Identifier: Apache-2.0
#include "sim/measure_means.h"

#include <cmath>

namespace fareline {

double student_t(double freedom) {
  constexpr double z = 1.9599639845400545, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

void BatchMeans::add(Seconds value) {
  sum_ += value;
  if (++now_ < size_) return;
  batches_.push_back(sum_ / static_cast<double>(size_));
  sum_ = {};
  now_ = 0;
  if (batches_.size() < 64) return;
  for (std::size_t i = 0; i < 32; ++i) batches_[i] = (batches_[2 * i] + batches_[2 * i + 1]) / 2;
  batches_.resize(32);
  size_ *= 2;
}

Interval BatchMeans::interval() const {
  const auto count = static_cast<double>(batches_.size());
  Seconds mean{};
  for (const Seconds batch : batches_) mean += batch / count;
  double squares = 0;
  for (const Seconds batch : batches_) squares += (batch - mean).in(unit::s) * (batch - mean).in(unit::s);
  const Seconds half = student_t(count - 1) * std::sqrt(squares / (count - 1) / count) * unit::s;
  return {mean - half, mean + half};
}

}  // namespace fareline
