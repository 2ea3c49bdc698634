// SPDX-License-Identifier: Apache-2.0
// Percentiles of any number of durations in bounded memory.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "units/quantity.h"

namespace fareline {

// Counts durations in buckets 2^-8 of an octave wide. Count, mean, least and most are exact; a percentile is within 0.2% (2^-9) of a
// duration of just that rank. Takes 160 kB.
// Source: Masson, Rim & Lee 2019, DDSketch (VLDB 12), with the linearly interpolated logarithm that the bits of a double are.
// Assumes: durations are zero or more; those below 2^-40 s count as zero, those above 2^40 s as that.
class DurationSketch {
 public:
  void add(Seconds duration, std::uint64_t times = 1) {
    const double x = duration.coherent();
    if (times == 0) return;
    if (count_ == 0 || duration < least_) least_ = duration;
    if (count_ == 0 || duration > most_) most_ = duration;
    count_ += times;
    sum_ += static_cast<double>(times) * duration;
    const auto bits = std::bit_cast<std::uint64_t>(x) >> shift;
    buckets_[x < 0x1p-40 ? 0 : bits >= last ? buckets_.size() - 1 : static_cast<std::size_t>(bits - first + 1)] += times;
  }
  std::uint64_t count() const { return count_; }
  Seconds mean() const { return count_ == 0 ? Seconds{} : sum_ / static_cast<double>(count_); }
  Seconds least() const { return least_; }
  Seconds most() const { return most_; }
  // The duration that a share `rank` of all are not longer than; zero where there is none.
  // Equation: the one of rank ceil(rank n). Source: definition (nearest rank). Assumes: 0 < rank <= 1.
  Seconds percentile(double rank) const;
  template <class Archive>
  void archive(Archive& archive) { archive(buckets_, count_, sum_, least_, most_); }

 private:
  static constexpr int shift = 44;  // of the 52 bits of a mantissa 8 remain
  static constexpr std::uint64_t first = std::bit_cast<std::uint64_t>(0x1p-40) >> shift,
                                 last = std::bit_cast<std::uint64_t>(0x1p40) >> shift;
  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(last - first + 2);
  std::uint64_t count_ = 0;
  Seconds sum_, least_, most_;
};

}  // namespace fareline
