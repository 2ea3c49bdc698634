// SPDX-License-Identifier: Apache-2.0
#include "sim/measure_sketch.h"

#include <algorithm>
#include <cmath>

namespace fareline {

Seconds DurationSketch::percentile(double rank) const {
  if (count_ == 0) return {};
  const auto wanted =
      static_cast<std::uint64_t>(std::clamp(std::ceil(rank * static_cast<double>(count_)), 1.0, static_cast<double>(count_)));
  if (wanted == count_) return most_;
  std::uint64_t passed = 0;
  std::size_t i = 0;
  while ((passed += buckets_[i]) < wanted) ++i;
  if (i == 0) return least_;
  const std::uint64_t bits = first + i - 1;
  const double low = std::bit_cast<double>(bits << shift), high = std::bit_cast<double>((bits + 1) << shift);
  return std::clamp((low + high) / 2, least_.coherent(), most_.coherent()) * unit::s;
}

}  // namespace fareline
